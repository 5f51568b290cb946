// A deploy as one table: in which phase, on which event, comes which phase, and the sentence that
// is logged. deploy.ts walks it; the docs and the tests read it.
//
// Intuition: a deploy is a wish ("these instances at that version") that moves forward in steps or
// back as a whole; which instance is replaced when is not its business (core/supervise/rolling.ts)
// and is seen in the instances, not remembered. So a phase is all that must survive a control that
// dies: it is written before anything is done by it, and doing it again does nothing.
//
// Every pair of phase and event is written down: as a row, as nothing (`withoutEffect`), or as
// impossible. A test counts that none is missing or named twice.
//
// Invariant: from `rolling-back` and `stopped` no way leads forward. A version that has failed is
// only tried again by a new deploy.

export const deployPhases = [
  /** The instances of the current step become the new version. */
  "rolling",
  /** A canary step is reached; the new version has its share of the traffic and is watched. */
  "holding",
  /** All instances are of the new version; the extra ones leave. */
  "finishing",
  /** All instances become the old version again; the extra ones leave. */
  "rolling-back",
  /** It has failed and stays as it is, for a person to decide. */
  "stopped",
  /** Over: everything is at the new version. */
  "finished",
  /** Over: everything is at the old version again. */
  "rolled-back",
  /** Over: something newer decides what runs. */
  "superseded",
] as const;
export type DeployPhase = (typeof deployPhases)[number];

export const deployEvents = [
  /** Everything that the phase wants is so, and has been well for long enough. */
  "settled",
  /** One more instance is as the phase wants it. */
  "progressed",
  /** The time of the phase is over: of a canary step, or without progress. */
  "time-over",
  /** The new version has failed: it ended, did not get ready, is down, or answers worse. */
  "failed",
  /** A person wants the old version back. */
  "withdrawn",
  /** Another deploy, or the file, decides what runs from now on. */
  "overtaken",
  /** A new control found it under way. */
  "resumed",
] as const;
export type DeployEventKind = (typeof deployEvents)[number];

/** The first row of a pair whose guard holds is taken. */
export type DeployGuard = "a canary step" | "rolls back by itself";

/** Which deadline the phase gets; "kept" is the one that it has. */
export type DeployDeadline = "none" | "kept" | "step time" | "progress";

export interface DeploySaying {
  readonly kind: string;
  readonly level: "info" | "warning" | "error";
  /**
   * With {service}; {from} and {to}, the versions; {cause}; {age} since it began; {traffic} of the
   * current step; {held}, the time of a step; {patience}, the time without progress.
   */
  readonly sentence: string;
}

export interface DeployRow {
  readonly from: DeployPhase;
  readonly on: DeployEventKind;
  readonly when?: DeployGuard;
  readonly to: DeployPhase;
  readonly deadline: DeployDeadline;
  /** The next step begins. */
  readonly nextStep?: true;
  /** Absent: nothing that a person needs to hear. */
  readonly says?: DeploySaying;
}

function saying(kind: string, level: DeploySaying["level"], sentence: string): DeploySaying {
  return { kind: `deploy.${kind}`, level, sentence };
}

const says = {
  held: saying(
    "step",
    "info",
    "{service}: version {to} is well and has {traffic} of the traffic for {held}",
  ),
  next: saying("step", "info", "{service}: version {to} did well with {traffic} of the traffic"),
  everywhere: saying("step", "info", "{service}: all instances are at version {to} and well"),
  finished: saying("finished", "info", "{service} is at version {to}, {age} after it began"),
  back: saying("step", "warning", "{service} goes back to version {from}: {cause}"),
  late: saying(
    "step",
    "warning",
    "{service} goes back to version {from}: no progress towards version {to} in {patience}",
  ),
  stopped: saying(
    "stopped",
    "error",
    "{service}: the deploy of version {to} stops where it is: {cause}",
  ),
  stoppedLate: saying(
    "stopped",
    "error",
    "{service}: the deploy of version {to} stops where it is: no progress in {patience}",
  ),
  stuck: saying(
    "stuck",
    "error",
    "{service} is not back at version {from} yet: no progress in {patience}",
  ),
  rolledBack: saying(
    "rolled-back",
    "warning",
    "{service} is back at version {from}, {age} after the deploy of {to} began: {cause}",
  ),
  overtaken: saying(
    "superseded",
    "info",
    "{service}: the deploy of version {to} is given up: {cause}",
  ),
  resumed: saying(
    "resumed",
    "info",
    "{service}: the deploy of version {to} over {from} goes on under a new control",
  ),
} as const;

type Rest = Partial<Pick<DeployRow, "when" | "deadline" | "nextStep" | "says">>;

function row(from: DeployPhase, on: DeployEventKind, to: DeployPhase, rest: Rest = {}): DeployRow {
  return { from, on, to, deadline: from === to ? "kept" : "none", ...rest };
}

/** What has failed goes back, or waits for a person. */
function failure(
  from: DeployPhase,
  on: DeployEventKind,
  back: DeploySaying,
  stops: DeploySaying,
): readonly DeployRow[] {
  const rollsBack = { when: "rolls back by itself", deadline: "progress", says: back } as const;
  return [row(from, on, "rolling-back", rollsBack), row(from, on, "stopped", { says: stops })];
}

/** While it goes forward. */
function forward(from: DeployPhase, deadline: DeployDeadline): readonly DeployRow[] {
  return [
    ...failure(from, "failed", says.back, says.stopped),
    row(from, "withdrawn", "rolling-back", { deadline: "progress", says: says.back }),
    row(from, "overtaken", "superseded", { says: says.overtaken }),
    row(from, "resumed", from, { deadline, says: says.resumed }),
  ];
}

export const deployTable: readonly DeployRow[] = [
  row("rolling", "settled", "holding", {
    when: "a canary step",
    deadline: "step time",
    says: says.held,
  }),
  row("rolling", "settled", "finishing", { says: says.everywhere }),
  row("rolling", "progressed", "rolling", { deadline: "progress" }),
  ...failure("rolling", "time-over", says.late, says.stoppedLate),
  ...forward("rolling", "progress"),

  row("holding", "time-over", "rolling", {
    deadline: "progress",
    nextStep: true,
    says: says.next,
  }),
  ...forward("holding", "step time"),

  row("finishing", "settled", "finished", { says: says.finished }),
  ...forward("finishing", "none"),

  row("rolling-back", "settled", "rolled-back", { says: says.rolledBack }),
  row("rolling-back", "progressed", "rolling-back", { deadline: "progress" }),
  row("rolling-back", "time-over", "rolling-back", { deadline: "progress", says: says.stuck }),
  row("rolling-back", "overtaken", "superseded", { says: says.overtaken }),
  row("rolling-back", "resumed", "rolling-back", { deadline: "progress", says: says.resumed }),

  row("stopped", "withdrawn", "rolling-back", { deadline: "progress", says: says.back }),
  row("stopped", "overtaken", "superseded", { says: says.overtaken }),
  row("stopped", "resumed", "stopped", { says: says.resumed }),
];

/** Pairs that may come and change nothing. */
export const deployWithoutEffect: Readonly<Record<DeployPhase, readonly DeployEventKind[]>> = {
  rolling: [],
  // It was so when the step was reached; whoever fails meanwhile is heard of as that.
  holding: ["settled", "progressed"],
  finishing: ["progressed"],
  // The new version may go on failing while it is replaced.
  "rolling-back": ["failed", "withdrawn"],
  stopped: ["settled", "progressed", "failed"],
  finished: ["overtaken"],
  "rolled-back": ["overtaken"],
  superseded: ["overtaken"],
};

const over: readonly DeployEventKind[] = [
  "settled",
  "progressed",
  "time-over",
  "failed",
  "withdrawn",
  "resumed",
];

/** Pairs that contradict the program: nobody looks at a deploy that is over. */
export const deployImpossible: Readonly<Record<DeployPhase, readonly DeployEventKind[]>> = {
  rolling: [],
  holding: [],
  finishing: ["time-over"],
  "rolling-back": [],
  stopped: ["time-over"],
  finished: over,
  "rolled-back": over,
  superseded: over,
};
