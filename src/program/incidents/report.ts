// What `nines incidents --json` prints and GET /v1/incidents answers: stable fields, each with its
// meaning, from which docs/reference/incidents.md is written. Fields may be added; none is renamed,
// removed or given another meaning.

import { sayDuration } from "../../core/base/duration.ts";
import { sayLosses } from "../../core/incident/fold.ts";
import {
  type Incident,
  type IncidentState,
  type MomentKind,
  timesOf,
  wallMsOf,
} from "../../core/incident/incident.ts";

export interface MomentReport {
  readonly at: string;
  readonly afterMs: number;
  readonly kind: MomentKind;
  readonly sentence: string;
}

export interface IncidentReport {
  readonly id: string;
  readonly service: string;
  readonly state: IncidentState;
  readonly headline: string;
  readonly cause: string;
  readonly instances: readonly string[];
  readonly startedAt: string;
  readonly detectedAt: string | null;
  readonly transferredAt: string | null;
  readonly recoveredAt: string | null;
  readonly closedAt: string | null;
  readonly detectMs: number | null;
  readonly transferMs: number | null;
  readonly recoverMs: number | null;
  readonly totalMs: number | null;
  readonly lost: number;
  readonly serverErrors: number;
  readonly slow: number;
  readonly worstMs: number | null;
  readonly requests: number;
  readonly timeline: readonly MomentReport[];
  readonly omitted: number;
  readonly notes: readonly string[];
}

export const incidentFields: Readonly<Record<keyof IncidentReport, string>> = {
  id: "term of the control that saw it begin, and its number in that term: `3-1`",
  service: "whose it is",
  state: "see below; `closed` when it is over and will not change any more",
  headline: "one sentence for all of it",
  cause: "the most certain reason that is known of the instance with which it began",
  instances: "those that were out in its course, in the order in which they were",
  startedAt: "the first sign: a failed request, a missed check, an end; by the wall clock",
  detectedAt: "a verdict, an ejection or an end took the first instance out; `null` if none was",
  transferredAt: "traffic went elsewhere for the first time; `null` until then",
  recoveredAt: "full strength again; or, when nobody was found out, the last loss",
  closedAt: "full strength had lasted for 10 s; `null` until then",
  detectMs: "t1: from the first sign to detection; `null` when nobody was found out",
  transferMs: "t2: from there to the transfer",
  recoverMs: "t3: from there to full strength; t1 + t2 + t3 is `totalMs`",
  totalMs: "from the first sign to full strength; `null` as long as it is not over",
  lost: "requests that were refused (502, 503, 504 by Nines) or broken off",
  serverErrors: "answers 5xx of the service itself",
  slow: "answers over the slow limit: 200 ms, or ten times the typical answer if that is more",
  worstMs: "the slowest answer, at most 12.5% too high; `null` when none was counted",
  requests: "all requests that ended meanwhile, for comparison",
  timeline: "what happened, in order: `at`, `afterMs` (since the first sign), `kind`, `sentence`",
  omitted: "lines that the timeline's bound left out, from its middle",
  notes: "what bears on the account: other incidents, control that was away, a starved machine",
};

export function incidentReport(incident: Incident): IncidentReport {
  const { id, service, state, cause, instances, startedMs, omitted, notes, losses } = incident;
  const at = (ms: number | undefined): string | null =>
    ms === undefined ? null : new Date(Math.round(wallMsOf(incident, ms))).toISOString();
  const { detectMs, transferMs, recoverMs, totalMs } = timesOf(incident);
  const { lost, serverErrors, slow, worstMs, requests } = losses;
  return {
    id,
    service,
    state,
    headline: headlineOf(incident),
    cause,
    instances,
    startedAt: at(startedMs) ?? "",
    detectedAt: at(incident.detectedMs),
    transferredAt: at(incident.transferredMs),
    recoveredAt: at(incident.recoveredMs),
    closedAt: at(incident.closedMs),
    detectMs: tenths(detectMs),
    transferMs: tenths(transferMs),
    recoverMs: tenths(recoverMs),
    totalMs: tenths(totalMs),
    lost,
    serverErrors,
    slow,
    worstMs: worstMs === 0 ? null : (tenths(worstMs) ?? null),
    requests,
    timeline: incident.timeline.map(({ atMs, kind, sentence }) => ({
      at: at(atMs) ?? "",
      afterMs: tenths(atMs - startedMs) ?? 0,
      kind,
      sentence,
    })),
    omitted,
    notes,
  };
}

/** "web was in trouble for 1.3 s: web-2 ended by SIGKILL; 2 requests lost" */
export function headlineOf(incident: Incident): string {
  const { service, cause, losses } = incident;
  const { totalMs } = timesOf(incident);
  const isOver = incident.state === "closed" || incident.state === "recovered";
  const lasted = totalMs === undefined ? "for an unknown time" : `for ${sayDuration(totalMs)}`;
  const what = isOver ? `${service} was in trouble ${lasted}` : `${service} is in trouble`;
  // A cause that is what was lost is not said twice.
  const lost = sayLosses(losses);
  const isLoss = incident.detectedMs === undefined;
  return isLoss ? `${what}: ${lost}, and no instance was found out` : `${what}: ${cause}; ${lost}`;
}

export interface Wanted {
  readonly service?: string | undefined;
  readonly id?: string | undefined;
  readonly last: number;
}

/** The newest `last`, oldest first; of one service, or of all. */
export function incidentReports(
  incidents: readonly Incident[],
  { service, id, last }: Wanted,
): readonly IncidentReport[] {
  const meant = incidents.filter(
    (one) => (service === undefined || one.service === service) && (id ?? one.id) === one.id,
  );
  const sorted = meant.toSorted((a, b) => a.startedWallMs - b.startedWallMs);
  return last === 0 ? [] : sorted.slice(-last).map(incidentReport);
}

function tenths(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
