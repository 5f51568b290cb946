// How evenly and how fast requests are answered, for every way to balance, beside what theory says:
// the dispatcher over simulated queues on virtual time (sim/balance/queues.ts), the same
// for every machine and run.

import { playStream, type Server, shareBetween, theory } from "../../sim/balance/queues.ts";
import { type BalanceAlgorithm, balanceAlgorithms } from "../../src/core/route/table.ts";
import { type Figure, figure } from "../shared/figures.ts";

const LOAD = 0.85;
const SERVERS = 16;
const SERVICE_MS = 10;
const RAMP_MS = 20_000;
const JOINS_MS = 5_000;

const equal = (count: number): readonly Server[] =>
  Array<Server>(count).fill({ weight: 1, serviceMs: SERVICE_MS });

/** Those that keep to the figure; the others are told without a bar. */
const bars: Readonly<Record<"slow" | "herd" | "failing", readonly BalanceAlgorithm[]>> = {
  slow: ["p2c", "least-request", "least-time", "peak-ewma"],
  herd: ["round-robin", "random", "p2c", "weighted", "least-request", "least-time", "peak-ewma"],
  failing: ["least-request", "least-time"],
};

export function spreadFigures(requests: number): readonly Figure[] {
  return balanceAlgorithms
    .filter((algorithm) => algorithm !== "first" && algorithm !== "source-hash")
    .flatMap((algorithm) => [
      meanTime(algorithm, requests),
      slowShare(algorithm, requests),
      newcomer(algorithm, requests),
      ...rampError(algorithm),
      failingShare(algorithm, requests),
    ]);
}

/** Of equal instances; nothing can be faster than one queue for all of them. */
function meanTime(algorithm: BalanceAlgorithm, requests: number): Figure {
  const perMs = (LOAD * SERVERS) / SERVICE_MS;
  const { meanMs } = playStream({ algorithm, servers: equal(SERVERS), perMs, requests });
  const expected =
    algorithm === "p2c"
      ? `two choices of many: ${theory.twoChoices(LOAD).toFixed(2)}`
      : `by lot: ${theory.byLot(LOAD).toFixed(2)}`;
  const note = `${expected}, one queue for all: ${theory.oneQueue(LOAD, SERVERS).toFixed(2)}`;
  const name = `${algorithm}, mean time at 85% of 16 equal ones`;
  return figure({ name, value: meanMs / SERVICE_MS, unit: "services", note });
}

/** One of four is five times slower, and all together have 80% of what they can do. */
function slowShare(algorithm: BalanceAlgorithm, requests: number): Figure {
  const servers = equal(4).map((each, index) => (index === 0 ? { ...each, serviceMs: 50 } : each));
  const { share } = playStream({ algorithm, servers, perMs: 0.256, requests });
  return figure({
    name: `${algorithm}, to one of four that is five times slower`,
    value: 100 * (share[0] ?? 1),
    unit: "%",
    ...(bars.slow.includes(algorithm) ? { bar: 10 } : {}),
    note: "its capacity is 6.25%, and 7.8% fill it",
  });
}

/** Most attempts at once on one that comes, beside the most that any other ever had. */
function newcomer(algorithm: BalanceAlgorithm, requests: number): Figure {
  const servers = equal(4).map((each, index) =>
    index === 3 ? { ...each, fromMs: JOINS_MS } : each,
  );
  const { most } = playStream({ algorithm, servers, perMs: 0.24, requests });
  return figure({
    name: `${algorithm}, a newcomer's most beside the others'`,
    value: (most[3] ?? 0) / Math.max(1, ...most.slice(0, 3)),
    unit: "times",
    ...(bars.herd.includes(algorithm) ? { bar: 1.25 } : {}),
  });
}

/** How far a newcomer's share is from its ramp, in the worst tenth of it. */
function rampError(algorithm: BalanceAlgorithm): readonly Figure[] {
  if (!["round-robin", "random", "weighted"].includes(algorithm)) return [];
  const servers = equal(4).map((each, index) => {
    const isNew = index === 3 ? { fromMs: JOINS_MS } : {};
    return { ...each, serviceMs: 0.5, ...isNew };
  });
  const stream = { algorithm, servers, perMs: 1, requests: 30_000, slowStartMs: RAMP_MS };
  const played = playStream(stream);
  const errors = Array.from({ length: 10 }, (_unused, tenth) => {
    const fromMs = JOINS_MS + (tenth * RAMP_MS) / 10;
    const share = shareBetween(played, 3, fromMs, fromMs + RAMP_MS / 10);
    return Math.abs(share - (0.1 + 0.9 * (tenth / 10 + 0.05)) / 4);
  });
  const name = `${algorithm}, slow start: a newcomer's share beside its ramp`;
  return [figure({ name, value: 100 * Math.max(...errors), unit: "points", bar: 4 })];
}

function failingShare(algorithm: BalanceAlgorithm, requests: number): Figure {
  const servers = equal(4).map((each, index) => (index === 0 ? { ...each, failing: true } : each));
  const { share } = playStream({ algorithm, servers, perMs: 0.2, requests });
  return figure({
    name: `${algorithm}, to one of four that fails at once`,
    value: 100 * (share[0] ?? 1),
    unit: "%",
    ...(bars.failing.includes(algorithm) ? { bar: 33 } : {}),
    note: "its part is 25%, while nobody ejects it",
  });
}
