// What holds of an instance by the lines of its agent, one after another.
//
// Each part stays until the agent itself says otherwise: only `ready` ends its `drain` and `maint`,
// only `up` its `down`. That it cannot be reached says nothing; whether the instance works is for
// its check (HAProxy, configuration.txt, "agent-check").

import type { AdministrativeWord, AgentLine, OperatingWord } from "./agent-line.ts";

export interface AgentState {
  readonly operating: OperatingWord;
  /** What it gave with it. */
  readonly reason: string;
  readonly administrative: AdministrativeWord;
  readonly weightPercent: number;
  /** Undefined until it names one: the file's limit holds. */
  readonly maxConnections: number | undefined;
}

/** Of an agent that has said nothing yet. */
export const silentAgent: AgentState = {
  operating: "up",
  reason: "",
  administrative: "ready",
  weightPercent: 100,
  maxConnections: undefined,
};

/** The same object when nothing is new. */
export function followAgent(state: AgentState, line: AgentLine): AgentState {
  const next: AgentState = { ...state, ...line, reason: reasonAfter(state, line) };
  return isSame(state, next) ? state : next;
}

/** A reason goes with a state; a line that names none leaves it. */
function reasonAfter(state: AgentState, { operating, administrative, reason }: AgentLine): string {
  return operating === undefined && administrative === undefined ? state.reason : reason;
}

function isSame(a: AgentState, b: AgentState): boolean {
  return (
    a.operating === b.operating &&
    a.reason === b.reason &&
    a.administrative === b.administrative &&
    a.weightPercent === b.weightPercent &&
    a.maxConnections === b.maxConnections
  );
}

/** It works, but is to get nothing new. */
export function isWithdrawn({ administrative, weightPercent }: AgentState): boolean {
  return administrative !== "ready" || weightPercent === 0;
}

/** "drain (a reason)", of one that is withdrawn. */
export function sayWithdrawn(state: AgentState): string {
  const { administrative, weightPercent } = state;
  const word = administrative === "ready" ? `${weightPercent}%` : administrative;
  return `${word}${withReason(state)}`;
}

/** What became different, a half sentence with what follows from it; "" when nothing did. */
export function sayChange(before: AgentState, after: AgentState): string {
  return [
    operatingSaid(before, after),
    before.administrative === after.administrative ? "" : administrativeSaid[after.administrative],
    weightSaid(before, after),
    connectionsSaid(before, after),
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function operatingSaid(before: AgentState, after: AgentState): string {
  if (before.operating === after.operating) return "";
  if (after.operating === "up") return "up: its checks alone decide";
  return `${after.operating}${withReason(after)}: it counts as down until its agent says up`;
}

export function withReason({ reason }: Pick<AgentState, "reason">): string {
  return reason === "" ? "" : ` (${reason})`;
}

const administrativeSaid: Readonly<Record<AdministrativeWord, string>> = {
  ready: "ready: it gets traffic when it is well",
  drain: "drain: it gets no new traffic until its agent says ready",
  maint: "maint: it gets no new traffic and is not checked until its agent says ready",
};

function weightSaid(before: AgentState, { weightPercent }: AgentState): string {
  if (before.weightPercent === weightPercent) return "";
  if (weightPercent === 0) return "0%: it gets no new traffic";
  return `${weightPercent}%: so much of the weight that the file gives it`;
}

function connectionsSaid(before: AgentState, { maxConnections }: AgentState): string {
  if (before.maxConnections === maxConnections || maxConnections === undefined) return "";
  if (maxConnections === 0) return "maxconn:0: it takes any number of requests at once";
  return `maxconn:${maxConnections}: it takes so many requests at once`;
}
