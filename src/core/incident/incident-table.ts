// The life of an incident as a table: what each event does in each state, and what is said of it.
//
// The fold (fold.ts) keeps times and counts; which state follows is said here alone, for every
// state and every event, so that no combination is left to chance. docs/reference/incidents.md is
// printed from it.

import type { IncidentState } from "./incident.ts";

/**
 * `quiet` is no incident. `suspected` is none yet: something failed, and nobody has lost anything
 * by it, nor has a verdict followed; that is forgotten after a while.
 */
export type State = "quiet" | "suspected" | Exclude<IncidentState, "closed">;
export const states: readonly State[] = [
  "quiet",
  "suspected",
  "open",
  "detected",
  "transferred",
  "recovered",
];

export const happenings = {
  sign: "a worker noticed a failed attempt, or a check failed",
  loss: "clients lost requests, or many were slow or answered 5xx at once",
  fault: "a verdict, an ejection or the end of its process has taken an instance out",
  elsewhere: "no linked worker sends requests to an instance that is out, and another takes them",
  whole: "every instance that was out has its place again, or is not wanted any more",
  still: "nothing of it has happened for a while",
} as const;
export type Happening = keyof typeof happenings;

export interface Step {
  readonly next: State;
  /** Why, in a sentence; as the table on the reference page has it. */
  readonly because: string;
}

/** `undefined`: nothing changes, the moment is only counted or put down. */
type Row = Readonly<Record<Happening, Step | undefined>>;

const stays = undefined;

export const incidentTable: Readonly<Record<State, Row>> = {
  quiet: {
    sign: { next: "suspected", because: "something failed; whether anybody loses by it is open" },
    loss: { next: "open", because: "clients notice" },
    fault: { next: "detected", because: "the first sign is the verdict itself" },
    elsewhere: stays,
    whole: stays,
    still: stays,
  },
  suspected: {
    sign: stays,
    loss: { next: "open", because: "clients notice, from the first sign on" },
    fault: { next: "detected", because: "the verdict follows the sign" },
    elsewhere: stays,
    whole: stays,
    still: { next: "quiet", because: "nobody lost anything by it, and it did not come again" },
  },
  open: {
    sign: stays,
    loss: stays,
    fault: { next: "detected", because: "the verdict names who it is" },
    elsewhere: stays,
    whole: stays,
    still: { next: "recovered", because: "nothing is lost any more, and nobody was found out" },
  },
  detected: {
    sign: stays,
    loss: stays,
    fault: stays,
    elsewhere: { next: "transferred", because: "traffic goes to those that are well" },
    whole: { next: "recovered", because: "it was back before anybody else could take over" },
    still: stays,
  },
  transferred: {
    sign: stays,
    loss: stays,
    fault: { next: "detected", because: "one more is out; its traffic has to go elsewhere, too" },
    elsewhere: stays,
    whole: { next: "recovered", because: "full strength" },
    still: stays,
  },
  recovered: {
    sign: stays,
    loss: { next: "open", because: "it is not over, clients still notice" },
    fault: {
      next: "detected",
      because: "it is not over, the same instance is out again; another's begins a new one",
    },
    elsewhere: stays,
    whole: stays,
    still: { next: "quiet", because: "full strength has lasted: the incident is closed" },
  },
};
