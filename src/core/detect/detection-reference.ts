// docs/reference/detection.md: each detector, what it sees, and its worst case, computed from the
// defaults by the same functions that the simulator holds every run to.

import { sayDuration } from "../base/duration.ts";
import { checkBoundMs, missedBoundMs, phiBoundMs, suspicionBoundMs } from "./bounds.ts";
import { scoreMax } from "./observer-health.ts";
import { phiSettings } from "./phi-accrual.ts";

const health = { intervalMs: 1_000, fastIntervalMs: 250, timeoutMs: 500, fall: 3 };
const missed = { everyMs: 1_000, misses: 3 };
const phi = phiSettings(1_000, 8);
const sick = scoreMax + 1;

interface Row {
  readonly detector: string;
  readonly sees: string;
  readonly formula: string;
  readonly wellMs: number;
  /** Undefined: control's health does not matter. */
  readonly sickMs: number | undefined;
}

const rows: readonly Row[] = [
  {
    detector: "end of a process",
    sees: "Its process has ended: told by the kernel, or seen by looking for an adopted one.",
    formula: "at once; 250 ms for one that an earlier control started",
    wellMs: 250,
    sickMs: undefined,
  },
  {
    detector: "check",
    sees: "No answer, a wrong one, or a refusal, `fall` times in a row.",
    formula:
      "1.1 `interval` + (`fall` - 1) x max(1.1 `fastInterval`, `timeout` + 50 ms) + `timeout` + " +
      "50 ms",
    wellMs: checkBoundMs(health),
    sickMs: checkBoundMs(health, sick),
  },
  {
    detector: "traffic and a check",
    sees: "A worker met a failure, and the check that this asks for fails as well.",
    formula: "100 ms + 2 x (`timeout` + 50 ms), from the notice on",
    wellMs: suspicionBoundMs(health),
    sickMs: undefined,
  },
  {
    detector: "missed heartbeats",
    sees: "The instance has given no sign of life.",
    formula: "(`misses` + 1/2) x `every` + `every` / 10",
    wellMs: missedBoundMs(missed),
    sickMs: missedBoundMs(missed, sick),
  },
  {
    detector: "phi accrual",
    sees: "A silence as improbable as `phi` says, after how heartbeats came until now.",
    formula:
      "mean + `every` + z(`phi`) x max(`every` / 8, deviation) + `every` / 10, for regular ones; " +
      "z(8) = 5.61",
    wellMs: phiBoundMs(phi),
    sickMs: phiBoundMs(phi, sick),
  },
];

export function detectionReference(): string {
  const lines = rows.map(({ detector, sees, formula, wellMs, sickMs }) => {
    const sickly = sickMs === undefined ? "the same" : sayDuration(sickMs);
    return `| ${detector} | ${sees} | ${formula} | ${sayDuration(wellMs)} | ${sickly} |`;
  });
  return `# How soon a failure is known

What control finds out, and its worst case from the moment that the instance fails to the moment
that control knows. Workers have the new routing table one message later; of refused connections,
resets and stalls of their own traffic they know by themselves, long before that.

| detector | sees | worst case | at the defaults | while control doubts itself |
|---|---|---|---|---|
${lines.join("\n")}

A \`tcp\` check sees that somebody listens. A stopped process still does: the kernel answers for it.

**Control doubts itself** before it blames others (Lifeguard, arXiv:1707.00788). A timer of its own
that came 100 ms late is worth one point, and each doubling one more; a second in which most of
those asked, and at least two, were silent is worth one, up to two (who only starts is not counted).
All timeouts are multiplied by points + 1, ${sick} at most, and \`fall\` grows by log2 of that. A
second without either takes a point back. From threefold on it says so: \`control.sick-observer\`;
not in its first five seconds, when its own start holds it up. A control that was stopped for ten
seconds believes no silence of these ten seconds.

**Long connections** (upgrades, \`tcp\` listeners) are watched by TCP keepalive, on both sides: a peer
that is gone without a word is found after 30 s of silence and 10 s more, since Node sends a probe a
second, ten of them, and lets nobody change that.

This page is generated from the code.
`;
}
