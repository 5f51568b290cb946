// The return of an instance to the traffic, as a table: at once, unless it flaps and can be spared.
//
// An instance that was lost and is well again takes traffic at once; core/guard/flap-damping.ts
// says when that has happened too often. It is then held: warm, checked, and left alone until a
// time that is said. A hold is a luxury of those who have others: it ends at once when less than
// half of the service would take traffic without it. What a person or the file asked for (a drain,
// a restart) is no flapping and is not counted. The workers' slow start makes the return itself
// gentle.

import { sayDuration } from "../base/duration.ts";
import {
  type Changes,
  heldUntilMs,
  mayReturn,
  neverChanged,
  withChange,
} from "../guard/flap-damping.ts";

export const presencePhases = ["taking", "away", "held"] as const;
export type PresencePhase = (typeof presencePhases)[number];

export const presenceEventKinds = [
  /** It takes no traffic any more: its process ended, its checks fail, or a worker ejected it. */
  "lost",
  /** It is to take none: drained, stopped or restarted on somebody's word. */
  "withdrawn",
  /** It can take traffic. */
  "well",
  /** Its hold is over. */
  "due",
  /** Less than half of the service takes traffic without it. */
  "needed",
] as const;
export type PresenceEventKind = (typeof presenceEventKinds)[number];

export interface PresenceRow {
  readonly from: PresencePhase;
  readonly on: PresenceEventKind;
  readonly when?: "it flaps and can be spared";
  readonly to: PresencePhase;
  /** With {instance}; {within}, until the hold is over. */
  readonly says?: string;
}

export const presenceTable: readonly PresenceRow[] = [
  { from: "taking", on: "lost", to: "away" },
  { from: "taking", on: "withdrawn", to: "away" },
  {
    from: "away",
    on: "well",
    when: "it flaps and can be spared",
    to: "held",
    says: "{instance} is well and held back for {within}: it came and went twice within a minute",
  },
  { from: "away", on: "well", to: "taking" },
  { from: "held", on: "lost", to: "away" },
  { from: "held", on: "withdrawn", to: "away" },
  {
    from: "held",
    on: "due",
    to: "taking",
    says: "{instance} gets traffic again: it has come and gone less than twice in the last minute",
  },
  {
    from: "held",
    on: "needed",
    to: "taking",
    says: "{instance} gets traffic before its hold is over: too few others do",
  },
];

/** What changes nothing: it is so already, or there is no hold to end. */
export const presenceWithoutEffect: Readonly<Record<PresencePhase, readonly PresenceEventKind[]>> =
  {
    taking: ["well", "due", "needed"],
    away: ["lost", "withdrawn", "due", "needed"],
    held: ["well"],
  };

export interface Presence {
  readonly phase: PresencePhase;
  /** Of changes that nobody asked for. */
  readonly changes: Changes;
  /** It went on somebody's word: its return is no change either. */
  readonly withdrawn: boolean;
}

/** What a new control takes an instance for: nobody knows what was. */
export const unseen: Presence = { phase: "away", changes: neverChanged, withdrawn: true };

export interface PresenceFacts {
  /** It could take traffic. */
  readonly well: boolean;
  /** A worker has ejected it, and control has not seen it start or pass its checks anew since. */
  readonly ejected: boolean;
  /** Somebody wants it to take none. */
  readonly withdrawn: boolean;
  /** At least half of the service takes traffic without it; asked for only when that matters. */
  readonly isSpare: () => boolean;
}

/**
 * The minutes of workers began before control heard of it: so short a hold would only follow on
 * theirs, and be two changes more to them.
 */
const HEARD_LATER_MS_MAX = 500;

export interface PresenceStep {
  readonly presence: Presence;
  readonly says: string | undefined;
}

export function followPresence(
  presence: Presence,
  facts: PresenceFacts,
  instance: string,
  nowMs: number,
): PresenceStep {
  const kind = eventOf(presence, facts, nowMs);
  const soonMs = nowMs + HEARD_LATER_MS_MAX;
  const flaps = !mayReturn(presence.changes, soonMs) && !presence.withdrawn && facts.isSpare();
  const row = presenceTable.find(
    ({ from, on, when }) => from === presence.phase && on === kind && (when === undefined || flaps),
  );
  if (row === undefined) return { presence, says: undefined };
  return {
    presence: after(presence, row, nowMs),
    says: row.says?.replace("{instance}", instance).replace("{within}", () => {
      return sayDuration(heldUntilMs(presence.changes) - nowMs);
    }),
  };
}

function eventOf(
  { phase, changes }: Presence,
  { well, ejected, withdrawn, isSpare }: PresenceFacts,
  nowMs: number,
): PresenceEventKind {
  if (withdrawn) return "withdrawn";
  // A held one gets nothing to be ejected for: what a worker says of it is from before.
  if (!well || (ejected && phase !== "held")) return "lost";
  if (phase !== "held") return "well";
  if (!isSpare()) return "needed";
  return mayReturn(changes, nowMs) ? "due" : "well";
}

function after(presence: Presence, { from, on, to }: PresenceRow, nowMs: number): Presence {
  const { changes } = presence;
  // A held one is not in the traffic: that it goes is no change there.
  if (to === "away") {
    const counts = from === "taking" && on === "lost";
    const withdrawn = from === "held" ? presence.withdrawn : on === "withdrawn";
    return { phase: to, changes: counts ? withChange(changes, nowMs) : changes, withdrawn };
  }
  if (to === "held") return { ...presence, phase: to };
  const counted = presence.withdrawn ? changes : withChange(changes, nowMs);
  return { phase: to, changes: counted, withdrawn: false };
}
