// The life of an instance as one table: in which phase, on which event, comes which phase, with
// which commands, and the sentence that is logged. lifecycle.ts walks it; the docs and the tests
// read it.
//
// Intuition: a supervisor's bugs live in the pairs that nobody thought of (a stop while the process
// is being launched, an end while it drains). So every pair of phase and event is written down: as
// a row, as nothing (`withoutEffect`: it came late, or asks for what is so already), or as
// impossible (`impossible`: the program contradicts itself). A test counts that none is missing or
// named twice. After pg_auto_failover's fsm.c, whose transitions carry their sentences.
//
// Invariant: the only way to a process is waiting -> launching, and the only way to `waiting` is
// without a process. So no instance ever has two.

import type { Phase } from "./phase.ts";

export const eventKinds = [
  /** Control found its process running; it was started by a control before this one. */
  "adopted",
  /** Its dependencies are ready. */
  "may-start",
  /** The process exists. */
  "launched",
  /** There is no process: the program was not found, no port was free, ... */
  "launch-failed",
  /** Its checks say up. */
  "healthy",
  /** Its checks say down. */
  "unhealthy",
  /** Its process has ended. */
  "ended",
  /** It uses more memory than its limit. */
  "over-memory",
  /** An operator or a changed file wants a new process in its place. */
  "replace",
  /** It is not wanted any more. */
  "stop",
  /** It is wanted again. */
  "wanted",
  /** The data plane has nothing under way on it and sends nothing more. */
  "idle",
  /** Whoever waits for its end cannot wait longer. */
  "hurry",
  /** The deadline of its phase has passed. */
  "deadline",
] as const;
export type EventKind = (typeof eventKinds)[number];

/** What the loop is told to do. */
export type Command =
  /** Find a port and start the program. */
  | "launch"
  /** SIGTERM to the process group. */
  | "terminate"
  /** SIGKILL to the process group. */
  | "kill";

/** What a row asks of the particulars; the first row of a pair whose guard holds is taken. */
export type Guard =
  | "was ready"
  | "a data plane serves it"
  | "to start again"
  | "not wanted"
  | "in a crash loop";

/** Which deadline the phase gets; "kept" is the one that it has. */
export type DeadlineKind =
  | "none"
  | "kept"
  | "start timeout"
  | "drain"
  | "short drain"
  | "stop grace"
  | "kill again"
  | "unhealthy"
  | "backoff"
  | "longest backoff";

/** What follows when its process has ended: at once again, after a backoff, or nothing. */
export type Next = "start" | "retry" | "nothing";

export interface Row {
  readonly from: Phase;
  readonly on: EventKind;
  readonly when?: Guard;
  readonly to: Phase;
  readonly commands: readonly Command[];
  readonly deadline: DeadlineKind;
  /** Absent: as before. */
  readonly next?: Next;
  /** Absent: nothing that a person needs to hear. */
  readonly says?: Saying;
}

export type Level = "info" | "warning" | "error";

export interface Saying {
  /** Kind of the event, as in ports/events.ts. */
  readonly kind: string;
  readonly level: Level;
  /**
   * With {instance}; {cause}; {age} since the phase began; {ran} since its process started; {next}
   * until the deadline that this row sets; {pid}; {port}; {ends}.
   */
  readonly sentence: string;
}

function saying(kind: string, level: Level, sentence: string): Saying {
  return { kind: `instance.${kind}`, level, sentence };
}

const says = {
  adopted: saying(
    "adopted",
    "info",
    "{instance} adopted: pid {pid} has run for {ran}; its exit code will be unknown",
  ),
  started: saying("started", "info", "{instance} started: pid {pid} on port {port}"),
  ready: saying("ready", "info", "{instance} is ready {ran} after its start"),
  restarts: saying("restarting", "warning", "{instance} restarts in {next}: {cause}"),
  crashLoop: saying(
    "crash-loop",
    "error",
    "{instance} is in a crash loop, held back for {next}: {ends}, the last: {cause}",
  ),
  notReady: saying(
    "start-timed-out",
    "warning",
    "{instance} is told to end and restarted: not ready {ran} after its start, {cause}",
  ),
  unhealthy: saying(
    "unhealthy",
    "warning",
    "{instance} is told to end and restarted: its process runs, but {cause}",
  ),
  overMemory: saying("over-memory", "warning", "{instance} is ended and restarted: {cause}"),
  drains: saying("draining", "info", "{instance} gets no new traffic and is to end: {cause}"),
  told: saying("stopping", "info", "{instance} is told to end: {cause}"),
  drained: saying("stopping", "info", "{instance} is told to end, nothing under way: {cause}"),
  drainOver: saying(
    "drain-timed-out",
    "warning",
    "{instance} is told to end with requests still under way after {age}: {cause}",
  ),
  killed: saying("killed", "warning", "{instance} is killed: it did not end within {age}"),
  hurried: saying("killed", "warning", "{instance} is killed {age} after it was told: {cause}"),
  endedToStart: saying("ended", "info", "{instance} ended and starts again: {cause}"),
  stopped: saying("stopped", "info", "{instance} has ended: {cause}"),
  neverStarted: saying("stopped", "info", "{instance} is not started: {cause}"),
  again: saying("retried", "info", "{instance} is tried again at once: {cause}"),
  wantedAgain: saying("wanted", "info", "{instance} will start again when it has ended: {cause}"),
  cutShort: saying("launch-undone", "info", "{instance} was just launched and is told to end"),
} as const;

type Rest = Partial<Pick<Row, "when" | "commands" | "deadline" | "next" | "says">>;

/** A row; deadlines end with their phase unless it says otherwise. */
function row(from: Phase, on: EventKind, to: Phase, rest: Rest = {}): Row {
  return { from, on, to, commands: [], deadline: from === to ? "kept" : "none", ...rest };
}

/** What comes after a process that ended, or that there never was, while `next` is to be obeyed. */
function afterwards(from: Phase, on: EventKind): readonly Row[] {
  return [
    row(from, on, "waiting", { when: "to start again", says: says.endedToStart }),
    row(from, on, "stopped", { when: "not wanted", says: says.stopped }),
    ...failure(from, on),
  ];
}

function failure(from: Phase, on: EventKind): readonly Row[] {
  const loop = { deadline: "longest backoff", says: says.crashLoop } as const;
  return [
    row(from, on, "crash-loop", { when: "in a crash loop", ...loop }),
    row(from, on, "backoff", { deadline: "backoff", says: says.restarts }),
  ];
}

/** Told to end: SIGTERM now, SIGKILL after the grace. */
function terminated(from: Phase, on: EventKind, rest: Rest): Row {
  return row(from, on, "stopping", { commands: ["terminate"], deadline: "stop grace", ...rest });
}

export const lifecycle: readonly Row[] = [
  row("waiting", "adopted", "running", { when: "was ready", says: says.adopted }),
  row("waiting", "adopted", "starting", { deadline: "start timeout", says: says.adopted }),
  row("waiting", "may-start", "launching", { commands: ["launch"] }),
  row("waiting", "stop", "stopped", { says: says.neverStarted }),

  row("launching", "launched", "starting", { deadline: "start timeout", says: says.started }),
  ...failure("launching", "launch-failed"),
  row("launching", "replace", "stopping", { next: "start", says: says.told }),
  row("launching", "stop", "stopping", { next: "nothing", says: says.told }),

  row("starting", "healthy", "running", { says: says.ready }),
  ...failure("starting", "ended"),
  terminated("starting", "deadline", { next: "retry", says: says.notReady }),
  terminated("starting", "over-memory", { next: "retry", says: says.overMemory }),
  terminated("starting", "replace", { next: "start", says: says.told }),
  terminated("starting", "stop", { next: "nothing", says: says.told }),

  row("running", "healthy", "running", { deadline: "none" }),
  row("running", "unhealthy", "running", { deadline: "unhealthy" }),
  ...failure("running", "ended"),
  terminated("running", "deadline", { next: "retry", says: says.unhealthy }),
  row("running", "over-memory", "draining", {
    when: "a data plane serves it",
    deadline: "short drain",
    next: "retry",
    says: says.overMemory,
  }),
  terminated("running", "over-memory", { next: "retry", says: says.overMemory }),
  row("running", "replace", "draining", {
    when: "a data plane serves it",
    deadline: "drain",
    next: "start",
    says: says.drains,
  }),
  terminated("running", "replace", { next: "start", says: says.told }),
  row("running", "stop", "draining", {
    when: "a data plane serves it",
    deadline: "drain",
    next: "nothing",
    says: says.drains,
  }),
  terminated("running", "stop", { next: "nothing", says: says.told }),

  terminated("draining", "idle", { says: says.drained }),
  terminated("draining", "deadline", { says: says.drainOver }),
  terminated("draining", "hurry", { says: says.told }),
  ...afterwards("draining", "ended"),
  row("draining", "stop", "draining", { next: "nothing", says: says.drains }),
  row("draining", "wanted", "draining", {
    when: "not wanted",
    next: "start",
    says: says.wantedAgain,
  }),
  row("draining", "wanted", "draining"),

  row("stopping", "launched", "stopping", {
    commands: ["terminate"],
    deadline: "stop grace",
    says: says.cutShort,
  }),
  ...afterwards("stopping", "launch-failed"),
  ...afterwards("stopping", "ended"),
  row("stopping", "deadline", "stopping", {
    commands: ["kill"],
    deadline: "kill again",
    says: says.killed,
  }),
  row("stopping", "hurry", "stopping", {
    commands: ["kill"],
    deadline: "kill again",
    says: says.hurried,
  }),
  row("stopping", "stop", "stopping", { next: "nothing" }),
  row("stopping", "wanted", "stopping", {
    when: "not wanted",
    next: "start",
    says: says.wantedAgain,
  }),
  row("stopping", "wanted", "stopping"),

  row("backoff", "deadline", "waiting"),
  row("backoff", "replace", "waiting", { says: says.again }),
  row("backoff", "stop", "stopped", { says: says.stopped }),

  row("crash-loop", "deadline", "waiting"),
  row("crash-loop", "replace", "waiting", { says: says.again }),
  row("crash-loop", "stop", "stopped", { says: says.stopped }),

  row("stopped", "wanted", "waiting"),
];

/** Pairs that may come and change nothing. */
export const withoutEffect: Readonly<Record<Phase, readonly EventKind[]>> = {
  // A check's verdict on a process that is gone or goes comes late.
  waiting: ["healthy", "unhealthy", "replace", "wanted", "hurry"],
  launching: ["healthy", "unhealthy", "wanted", "hurry"],
  // The start timeout judges a start, not the checks.
  starting: ["unhealthy", "wanted", "hurry"],
  running: ["wanted", "hurry"],
  // It ends already; what follows was decided.
  draining: ["healthy", "unhealthy", "over-memory", "replace"],
  stopping: ["healthy", "unhealthy", "over-memory", "replace"],
  backoff: ["healthy", "unhealthy", "wanted", "hurry"],
  "crash-loop": ["healthy", "unhealthy", "wanted", "hurry"],
  stopped: ["healthy", "unhealthy", "replace", "stop", "hurry"],
};

/** Pairs that contradict the program: there is no process, or no deadline, that could tell them. */
export const impossible: Readonly<Record<Phase, readonly EventKind[]>> = {
  waiting: ["launched", "launch-failed", "ended", "over-memory", "idle", "deadline"],
  launching: ["adopted", "may-start", "ended", "over-memory", "idle", "deadline"],
  starting: ["adopted", "may-start", "launched", "launch-failed", "idle"],
  running: ["adopted", "may-start", "launched", "launch-failed", "idle"],
  draining: ["adopted", "may-start", "launched", "launch-failed"],
  stopping: ["adopted", "may-start", "idle"],
  backoff: ["adopted", "may-start", "launched", "launch-failed", "ended", "over-memory", "idle"],
  "crash-loop": [
    "adopted",
    "may-start",
    "launched",
    "launch-failed",
    "ended",
    "over-memory",
    "idle",
  ],
  stopped: [
    "adopted",
    "may-start",
    "launched",
    "launch-failed",
    "ended",
    "over-memory",
    "idle",
    "deadline",
  ],
};
