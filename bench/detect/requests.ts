// What a worker finds out from requests, beside fixed timeouts: stalled instances (late is the
// suspicion that hedges, stalled the verdict that ejects), and instances that answer errors, beside
// a plain count of errors in a row, which is what fixed limits there are for errors.

import { createPrng } from "../../src/core/base/prng.ts";
import { StallDetector } from "../../src/core/detect/stall.ts";
import { type Figure, figure } from "../shared/figures.ts";
import { alarmsAgainst, delayAgainst } from "./against.ts";
import {
  followAll,
  type RequestContender,
  type RequestDetector,
  type RequestFigures,
  requestTimeout,
} from "./compare-request-detectors.ts";
import { type RequestHistory, requestHistories } from "./request-histories.ts";

const SEED = 1;
const TIMEOUT_MS_MAX = 20_000;

/** The worker's detector; it is judged every 5 ms and on time. */
function stallDetector(
  isBlamed: (detector: StallDetector, instance: number, nowMs: number) => boolean,
): RequestContender["create"] {
  return (instances): RequestDetector => {
    const detector = new StallDetector();
    const sentAtMs = new Map<number, number>();
    return {
      sent: (instance, request, nowMs) => {
        sentAtMs.set(request, nowMs);
        detector.awaits(instance, nowMs);
      },
      answered: (instance, request, nowMs) => {
        detector.answered(instance, nowMs, nowMs - (sentAtMs.get(request) ?? nowMs));
        sentAtMs.delete(request);
      },
      judge: (nowMs) => {
        detector.scan(nowMs, 0, instances);
        return Array.from({ length: instances }, (_, instance) =>
          isBlamed(detector, instance, nowMs),
        );
      },
    };
  };
}

const late: RequestContender = {
  name: "late",
  create: stallDetector((detector, instance) => detector.late[instance] === 1),
};
const stalled: RequestContender = {
  name: "stalled",
  create: stallDetector((detector, instance, nowMs) => detector.isStalled(instance, nowMs)),
};

function timeout(timeoutMs: number, name = `${timeoutMs} ms`): RequestContender {
  return { name, create: (instances) => requestTimeout(timeoutMs, instances) };
}

export function requestFigures(historiesPerWorld: number): readonly Figure[] {
  const histories = requestHistories(createPrng(SEED), historiesPerWorld);
  const told = [late, stalled, timeout(200), timeout(1_000)].map((contender) => {
    const rows = followAll(contender, histories);
    printTable(rows);
    return overall(rows);
  });
  return [
    ...[late, stalled].flatMap((contender) => hindsight(contender, histories)),
    ...told.flatMap(({ name, medianDelayMs, falseAlarmsPerHour }) => [
      figure({ name: `${name}: median delay`, value: medianDelayMs, unit: "ms" }),
      figure({ name: `${name}: false alarms an hour`, value: falseAlarmsPerHour, unit: "alarms" }),
    ]),
  ];
}

/** Against the two timeouts that only hindsight could choose. */
function hindsight(
  contender: RequestContender,
  histories: readonly RequestHistory[],
): readonly Figure[] {
  const { name } = contender;
  const ours = overall(followAll(contender, histories));
  const of = (timeoutMs: number) => overall(followAll(timeout(timeoutMs), histories));
  const rareMs = leastWith((timeoutMs) => of(timeoutMs).falseAlarms <= ours.falseAlarms);
  const quickMs = leastWith((timeoutMs) => of(timeoutMs).medianDelayMs > ours.medianDelayMs) - 1;
  console.log(`For ${name}, a timeout as rare is ${rareMs} ms, as quick ${quickMs} ms.`);
  return [
    delayAgainst(name, ours, "a timeout as rare", of(rareMs)),
    alarmsAgainst(name, ours, "a timeout as quick", of(quickMs)),
  ];
}

/** The least timeout of which it holds, where it holds of all that are longer; by halving. */
function leastWith(holds: (timeoutMs: number) => boolean): number {
  let [below, above] = [0, TIMEOUT_MS_MAX];
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (holds(middle)) above = middle;
    else below = middle;
  }
  return above;
}

function overall(rows: readonly RequestFigures[]): RequestFigures {
  const all = rows.at(-1);
  if (all?.world !== "all") throw new Error("the last row is that of all worlds");
  return all;
}

function printTable(rows: readonly RequestFigures[]): void {
  for (const { name, world, falseAlarmsPerHour, medianDelayMs, worstDelayMs } of rows) {
    console.log(
      `${name.padEnd(10)} ${world.padEnd(14)} ${falseAlarmsPerHour.toFixed(0).padStart(8)} false ` +
        `alarms an hour, delay ${medianDelayMs.toFixed(0).padStart(6)} ms, at worst ` +
        `${worstDelayMs.toFixed(0).padStart(6)} ms`,
    );
  }
}
