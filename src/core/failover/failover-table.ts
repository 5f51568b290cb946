// Who of a `primary-standby` service takes traffic, as one table: in which phase, on which event,
// comes which phase, with which command, and the sentence that is logged. failover.ts walks it; the
// command line, the docs and the tests read it.
//
// Intuition: to have two primaries is worse than to have none for a moment. So nobody is promoted
// before the one before is known to get nothing more: its process has ended, or every worker that
// lives has said so. And each promotion is one record on disk, with a larger epoch, before any
// worker hears of it. That record is all that must outlive control: what was decided and not yet
// done is decided anew from what is seen. After pg_auto_failover's fsm.c, whose transitions carry
// their sentences, and Patroni, whose maintenance ("pause") refuses to move by itself.
//
// Invariant: whoever is not the primary has no process, or no living worker sends to it.
// Rejected: a lease that workers let expire when control is away. The death of control would then
// take down what works without it.

export const failoverPhases = [
  /** Nobody takes traffic, and nobody is left that could have any. */
  "vacant",
  /** The primary takes traffic. */
  "serving",
  /** It does, and the preferred one is well again and must stay so for a while. */
  "holding",
  /** A planned move: the primary finishes what it has, new requests wait in the gateway. */
  "switching",
  /** The primary was taken out and cut off; workers have not all said so yet. */
  "fencing",
] as const;
export type FailoverPhase = (typeof failoverPhases)[number];

export const failoverEventKinds = [
  /** The primary has no process any more: it can do nothing, for certain. */
  "primary-ended",
  /** Something runs as the primary, and its checks fail. */
  "primary-failing",
  /** The primary is drained by an operator, or is to be ended or restarted. */
  "primary-leaving",
  /** Nobody is primary, and somebody may be: fit, and nothing can reach the one before. */
  "candidate",
  /** The preferred one is fit and not primary, and is to get its place back by itself. */
  "preferred-fit",
  /** Who was chosen to take over is not fit any more. */
  "successor-lost",
  /** No living worker sends to the primary or waits for an answer of it. */
  "fenced",
  /** The deadline of the phase has passed. */
  "deadline",
  /** An operator wants another one. */
  "order-failover",
  /** An operator wants the preferred one. */
  "order-failback",
] as const;
export type FailoverEventKind = (typeof failoverEventKinds)[number];

export type FailoverCommand =
  /** Keep the promotion on disk, then tell the workers. Refused by the disk: nothing happens. */
  | "promote"
  /** SIGKILL to the primary's process group. */
  | "kill";

/** What a row asks of the situation; the first row of a pair whose guard holds is taken. */
export type FailoverGuard =
  | "in maintenance"
  | "another is fit"
  | "nobody was primary"
  | "its target is fit"
  | "its target serves"
  | "the primary is well"
  | "it can be killed"
  | "unfenced is allowed";

/** Which deadline the phase gets; "kept" is the one that it has. */
export type FailoverDeadline = "none" | "kept" | "hold" | "drain" | "fence" | "again";

export interface FailoverSaying {
  /** Kind of the event, as in ports/events.ts. */
  readonly kind: string;
  readonly level: "info" | "warning";
  /** With {service}; {primary}; {next}, who takes over; {cause}; {within}; {age}; {epoch}. */
  readonly sentence: string;
}

export interface FailoverRow {
  readonly from: FailoverPhase;
  readonly on: FailoverEventKind;
  readonly when?: FailoverGuard;
  readonly to: FailoverPhase;
  readonly command?: FailoverCommand;
  readonly deadline: FailoverDeadline;
  /** An operator's word: stay there (true), or follow the file's order again (false). */
  readonly pin?: boolean;
  readonly says?: FailoverSaying;
}

function saying(
  kind: string,
  sentence: string,
  level: "info" | "warning" = "warning",
): FailoverSaying {
  return { kind: `failover.${kind}`, level, sentence };
}

const says = {
  promoted: saying("promoted", "{next} is primary of {service} (epoch {epoch}): {cause}", "info"),
  fences: saying("started", "{primary} is cut off so that {next} can take over: {cause}"),
  switches: saying(
    "started",
    "{primary} hands over to {next}, requests wait meanwhile, at most {within}: {cause}",
    "info",
  ),
  cuts: saying("fenced", "{primary} is cut off with requests still under way after {age}: {cause}"),
  fenced: saying("fenced", "no worker sends to {primary} any more, and nobody is fit: {cause}"),
  kills: saying(
    "fenced",
    "{primary} is killed, {age} after it was cut off: what it has received it must not do later",
  ),
  unfenced: saying(
    "promoted",
    "{next} is primary of {service} (epoch {epoch}), though a worker may still send to {primary}",
  ),
  waits: saying(
    "held",
    "{service} has no primary yet: a worker has not said that it sends nothing to {primary}",
  ),
  givesUp: saying("held", "{primary} stays primary of {service}: {cause}"),
  unheard: saying(
    "held",
    "{primary} stays primary of {service}, it is well: a worker has something under way there, or " +
      "is not heard",
  ),
  gone: saying("held", "{service} has no primary: {cause}, and nobody else is fit"),
  alone: saying("held", "{primary} stays primary of {service}, nobody else is fit: {cause}"),
  maintained: saying("refused", "nobody takes over from {primary}, in maintenance: {cause}"),
  holds: saying(
    "held",
    "{next} gets {service} back from {primary} when it has stayed well for {within}",
    "info",
  ),
  lostAgain: saying("held", "{service} stays with {primary} for now: {cause}", "info"),
  refused: saying("refused", "{service} stays as it is: {cause}"),
  already: saying("refused", "{primary} serves {service} already", "info"),
} as const;

type Rest = Partial<Pick<FailoverRow, "when" | "command" | "deadline" | "pin" | "says">>;

/** A row; deadlines end with their phase unless it says otherwise. */
function row(
  from: FailoverPhase,
  on: FailoverEventKind,
  to: FailoverPhase,
  rest: Rest = {},
): FailoverRow {
  return { from, on, to, deadline: from === to ? "kept" : "none", ...rest };
}

/** A new primary, in this very step. */
function promoted(from: FailoverPhase, on: FailoverEventKind, rest: Rest = {}): FailoverRow {
  return row(from, on, "serving", {
    command: "promote",
    deadline: "none",
    says: says.promoted,
    ...rest,
  });
}

function switching(from: FailoverPhase, on: FailoverEventKind, rest: Rest = {}): FailoverRow {
  return row(from, on, "switching", { deadline: "drain", says: says.switches, ...rest });
}

/** What befalls a primary that takes traffic, whether or not the preferred one is waiting. */
function whileServing(from: "serving" | "holding"): readonly FailoverRow[] {
  const fencing = { deadline: "fence", pin: false, says: says.fences } as const;
  return [
    row(from, "primary-ended", "vacant", { when: "in maintenance", says: says.maintained }),
    promoted(from, "primary-ended", { when: "another is fit", pin: false }),
    row(from, "primary-ended", "vacant", { says: says.gone }),
    row(from, "primary-failing", "serving", { when: "in maintenance", says: says.maintained }),
    row(from, "primary-failing", "fencing", { when: "another is fit", ...fencing }),
    row(from, "primary-failing", "serving", { says: says.alone }),
    row(from, "primary-leaving", "serving", { when: "in maintenance", says: says.maintained }),
    switching(from, "primary-leaving", { when: "another is fit" }),
    row(from, "primary-leaving", "serving", { says: says.alone }),
    switching(from, "order-failover", { when: "its target is fit", pin: true }),
    row(from, "order-failover", from, { says: says.refused }),
    row(from, "order-failback", from, {
      when: "its target serves",
      pin: false,
      says: says.already,
    }),
    switching(from, "order-failback", { when: "its target is fit", pin: false }),
    row(from, "order-failback", from, { says: says.refused }),
  ];
}

export const failoverTable: readonly FailoverRow[] = [
  row("vacant", "candidate", "vacant", { when: "in maintenance", says: says.maintained }),
  promoted("vacant", "candidate", { pin: false }),
  promoted("vacant", "order-failover", { when: "its target is fit", pin: true }),
  row("vacant", "order-failover", "vacant", { says: says.refused }),
  promoted("vacant", "order-failback", { when: "its target is fit", pin: false }),
  row("vacant", "order-failback", "vacant", { says: says.refused }),

  ...whileServing("serving"),
  row("serving", "preferred-fit", "serving", { when: "in maintenance", says: says.maintained }),
  row("serving", "preferred-fit", "holding", { deadline: "hold", says: says.holds }),

  ...whileServing("holding"),
  row("holding", "successor-lost", "serving", { says: says.lostAgain }),
  row("holding", "deadline", "serving", { when: "in maintenance", says: says.maintained }),
  switching("holding", "deadline"),

  promoted("switching", "primary-ended", { when: "another is fit" }),
  row("switching", "primary-ended", "vacant", { says: says.gone }),
  row("switching", "primary-failing", "fencing", {
    when: "another is fit",
    deadline: "fence",
    says: says.fences,
  }),
  row("switching", "primary-failing", "serving", { says: says.alone }),
  row("switching", "successor-lost", "serving", { pin: false, says: says.givesUp }),
  promoted("switching", "fenced", { when: "another is fit" }),
  row("switching", "fenced", "serving", { pin: false, says: says.givesUp }),
  row("switching", "deadline", "fencing", { deadline: "fence", says: says.cuts }),
  row("switching", "order-failover", "switching", { says: says.refused }),
  row("switching", "order-failback", "switching", { says: says.refused }),

  promoted("fencing", "primary-ended", { when: "another is fit" }),
  row("fencing", "primary-ended", "vacant", { says: says.gone }),
  row("fencing", "fenced", "vacant", { when: "nobody was primary" }),
  promoted("fencing", "fenced", { when: "another is fit" }),
  row("fencing", "fenced", "vacant", { says: says.fenced }),
  row("fencing", "deadline", "serving", {
    when: "the primary is well",
    pin: false,
    says: says.unheard,
  }),
  row("fencing", "deadline", "fencing", {
    when: "it can be killed",
    command: "kill",
    deadline: "again",
    says: says.kills,
  }),
  promoted("fencing", "deadline", { when: "unfenced is allowed", says: says.unfenced }),
  row("fencing", "deadline", "fencing", { deadline: "again", says: says.waits }),
  row("fencing", "order-failover", "fencing", { says: says.refused }),
  row("fencing", "order-failback", "fencing", { says: says.refused }),
];

/** Pairs that may come and change nothing. */
export const withoutEffect: Readonly<Record<FailoverPhase, readonly FailoverEventKind[]>> = {
  // Of the one before; and whoever is fit is a candidate here, the preferred one first.
  vacant: ["primary-ended", "primary-failing", "primary-leaving", "preferred-fit", "fenced"],
  // Somebody serves. A worker without anything to do is no reason to move.
  serving: ["candidate", "fenced"],
  holding: ["candidate", "preferred-fit", "fenced"],
  // It moves already.
  switching: ["primary-leaving", "candidate", "preferred-fit"],
  // Too late for the primary: it has been cut off. Another is chosen when that is certain.
  fencing: ["primary-failing", "primary-leaving", "candidate", "preferred-fit", "successor-lost"],
};

/** Pairs that contradict the program: there is no deadline, or nobody was chosen. */
export const impossible: Readonly<Record<FailoverPhase, readonly FailoverEventKind[]>> = {
  vacant: ["successor-lost", "deadline"],
  serving: ["successor-lost", "deadline"],
  holding: [],
  switching: [],
  fencing: [],
};
