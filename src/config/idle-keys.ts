// Keys that stand in the file and do nothing, because of what stands beside them. Nothing breaks by
// it, but who wrote them believes in something: that is said, as a warning, and not refused.
//
// What is written is looked for in the file itself: in what the schema made of it every key has a
// value.

import { valueAt } from "./explain.ts";
import type { Path } from "./problems.ts";
import type { WrittenService } from "./service-schema.ts";

export interface IdleKey {
  readonly path: Path;
  readonly what: string;
  readonly remedy: string;
}

interface Rule {
  /** Below the service. */
  readonly keys: readonly Path[];
  /** Why they do nothing there, and what to do; undefined where they do something. */
  readonly why: (service: WrittenService) => readonly [what: string, remedy: string] | undefined;
}

const leaveOut = "Leave it out.";
const heartbeat = ["health", "heartbeat"];

const rules: readonly Rule[] = [
  {
    keys: ["failback", "minimumHealthy", "drain", "fence", "unfenced"].map((key) => [
      "failover",
      key,
    ]),
    why: ({ failover: { mode } }) =>
      mode === "primary-standby"
        ? undefined
        : [
            `does nothing in \`${mode}\`, which has no primary`,
            "Leave it out, or write `mode: primary-standby`.",
          ],
  },
  {
    keys: [["failover", "minimumHealthy"]],
    why: ({ failover: { mode, failback } }) =>
      mode === "primary-standby" && failback === "manual"
        ? ["does nothing with `failback: manual`", leaveOut]
        : undefined,
  },
  {
    keys: [["failover", "unfenced"]],
    why: ({ failover: { mode }, endpoints }) =>
      mode === "primary-standby" && endpoints === undefined
        ? ["is for `endpoints`: what Nines has started it kills", leaveOut]
        : undefined,
  },
  {
    keys: [["failover", "predictive"]],
    why: ({ failover: { predictive }, endpoints }) =>
      predictive && endpoints !== undefined
        ? ["does nothing for `endpoints`, which Nines cannot replace", leaveOut]
        : undefined,
  },
  {
    keys: [["slowStart"]],
    why: ({ slowStart, failover: { mode } }) =>
      (typeof slowStart === "object" || slowStart > 0) && mode === "primary-standby"
        ? ["does nothing in `primary-standby`, where one takes all of the traffic", leaveOut]
        : undefined,
  },
  {
    keys: [["health", "expectStatus"]],
    why: ({ health }) =>
      health.http === undefined
        ? ["does nothing without an `http` check", "Add `http` with a path, or leave it out."]
        : undefined,
  },
  {
    keys: [[...heartbeat, "phi"]],
    why: ({ health }) =>
      health.heartbeat?.detector === "misses"
        ? ["does nothing with `detector: misses`", "Write `detector: phi`, or leave it out."]
        : undefined,
  },
  {
    keys: [[...heartbeat, "misses"]],
    why: ({ health }) =>
      health.heartbeat?.detector === "phi"
        ? ["does nothing with `detector: phi`", "Write `detector: misses`, or leave it out."]
        : undefined,
  },
];

/** `path` is that of the service. */
export function idleKeys(file: unknown, path: Path, service: WrittenService): readonly IdleKey[] {
  return rules.flatMap(({ keys, why }) => {
    const [what, remedy] = why(service) ?? [];
    if (what === undefined || remedy === undefined) return [];
    return keys
      .map((key) => [...path, ...key])
      .filter((key) => valueAt(file, key) !== undefined)
      .map((key) => ({ path: key, what, remedy }));
  });
}
