// Detectors of silence beside the fixed timeouts that somebody could choose who knows all histories
// in advance: the shortest with as few false alarms, and one that is as quick. Better on both is
// what an adaptive detector has to be; nobody can choose so well in advance.

import { createPrng } from "../../src/core/base/prng.ts";
import { countMissed } from "../../src/core/detect/missed-heartbeats.ts";
import { PhiAccrual, phiSettings } from "../../src/core/detect/phi-accrual.ts";
import { type Figure, figure } from "../shared/figures.ts";
import { alarmsAgainst, delayAgainst } from "./against.ts";
import {
  compareDetectors,
  type Contender,
  type DetectorFigures,
  fixedTimeout,
  smallestTimeoutMs,
} from "./compare-detectors.ts";
import { movingAverage } from "./ewma.ts";
import { type HeartbeatHistory, heartbeatHistories } from "./heartbeat-histories.ts";

const SEED = 1;
const PHI = 8;
const MISSES = 3;

const phi: Contender = {
  name: `phi ${PHI}`,
  create: (everyMs) => new PhiAccrual(phiSettings(everyMs, PHI)),
};
const missed: Contender = {
  name: `${MISSES} missed`,
  create: (everyMs) => countMissed({ everyMs, misses: MISSES }),
};
export function heartbeatFigures(livesPerWorld: number): readonly Figure[] {
  const histories = heartbeatHistories(createPrng(SEED), livesPerWorld);
  const adaptive = overall(phi, histories);
  const rareMs = smallestTimeoutMs(histories, adaptive.falseAlarms);
  const quickMs = timeoutAsQuickAs(adaptive.medianDelayMs, histories);
  const pauseMs = pauseAsRareAs(adaptive.falseAlarms, histories);
  const ewma = averaged("a moving average as rare", pauseMs);
  const rare = fixed("a timeout as rare", rareMs);
  const quick = fixed("a timeout as quick", quickMs);
  console.log(`A timeout as rare is ${rareMs.toFixed(0)} ms, as quick ${quickMs.toFixed(0)} ms.`);
  console.log(`A moving average as rare allows a pause of ${pauseMs.toFixed(0)} ms.`);
  printTable(compareDetectors([phi, missed, ewma, rare, quick], histories));
  const compared = [phi, missed, ewma, rare, quick].map((one) => overall(one, histories));
  const of = (contender: Contender) => [contender.name, overall(contender, histories)] as const;
  return [
    delayAgainst(...of(phi), ...of(rare)),
    alarmsAgainst(...of(phi), ...of(quick)),
    delayAgainst(...of(phi), ...of(ewma)),
    delayAgainst(...of(phi), ...of(missed)),
    alarmsAgainst(...of(phi), ...of(missed)),
    ...compared.flatMap(({ name, medianDelayMs, falseAlarmsPerDay }) => [
      figure({ name: `${name}: median delay`, value: medianDelayMs, unit: "ms" }),
      figure({ name: `${name}: false alarms a day`, value: falseAlarmsPerDay, unit: "alarms" }),
    ]),
  ];
}

function fixed(name: string, timeoutMs: number): Contender {
  return { name, create: () => fixedTimeout(timeoutMs) };
}

function averaged(name: string, pauseMs: number): Contender {
  return { name, create: (everyMs) => movingAverage(everyMs, pauseMs) };
}

function overall(contender: Contender, histories: readonly HeartbeatHistory[]): DetectorFigures {
  const all = compareDetectors([contender], histories).at(-1);
  if (all?.world !== "all") throw new Error("the last row is that of all worlds");
  return all;
}

/** The least pause with no more false alarms than so many; by halving, to a millisecond. */
function pauseAsRareAs(falseAlarms: number, histories: readonly HeartbeatHistory[]): number {
  let [often, rare] = [0, 60_000];
  while (rare - often > 1) {
    const middle = (often + rare) / 2;
    if (overall(averaged("", middle), histories).falseAlarms <= falseAlarms) rare = middle;
    else often = middle;
  }
  return rare;
}

/** The longest fixed timeout whose median delay is not above that; by halving, to a millisecond. */
function timeoutAsQuickAs(delayMs: number, histories: readonly HeartbeatHistory[]): number {
  let [quicker, slower] = [0, 60_000];
  while (slower - quicker > 1) {
    const middle = (quicker + slower) / 2;
    if (overall(fixed("", middle), histories).medianDelayMs <= delayMs) quicker = middle;
    else slower = middle;
  }
  return quicker;
}

function printTable(rows: readonly DetectorFigures[]): void {
  for (const { name, world, falseAlarmsPerDay, medianDelayMs, worstDelayMs } of rows) {
    console.log(
      `${name.padEnd(24)} ${world.padEnd(14)} ${falseAlarmsPerDay.toFixed(1).padStart(8)} false ` +
        `alarms a day, delay ${medianDelayMs.toFixed(0).padStart(6)} ms, at worst ` +
        `${worstDelayMs.toFixed(0).padStart(6)} ms`,
    );
  }
}
