// `nines incidents`: asks control; when there is none, or it does not answer, reads the history from
// the disk, where an incident that is under way stands as control last kept it.

import { NinesError } from "../../core/base/errors.ts";
import { createDisk } from "../../runtime/disk.ts";
import { findStateDirectory } from "../../state/directory.ts";
import { readHistory } from "../../state/history.ts";
import { callAdmin } from "../admin/client.ts";
import { renderIncident, renderIncidents } from "../incidents/account.ts";
import { type IncidentReport, incidentReports, type Wanted } from "../incidents/report.ts";
import { adminPlace } from "./admin-place.ts";
import type { IncidentsOptions, PlaceOptions } from "./actions.ts";
import { stateDirectoryOf } from "./place.ts";
import { exitCode } from "./say.ts";

const ANSWER_TIMEOUT_MS = 2000;

export async function incidents(
  service: string | undefined,
  options: IncidentsOptions,
): Promise<number> {
  const found = await ask(options, { service, last: options.last });
  const text =
    options.json === true
      ? `${JSON.stringify(found, undefined, 2)}\n`
      : renderIncidents(found, process.stdout.columns ?? Number.POSITIVE_INFINITY, service);
  process.stdout.write(text);
  return exitCode.done;
}

export async function incident(
  id: string,
  options: Omit<IncidentsOptions, "last">,
): Promise<number> {
  const [found] = await ask(options, { id, last: 1 });
  if (found === undefined) {
    throw new NinesError("NINES_INCIDENT_UNKNOWN", `No incident ${id} is known.`);
  }
  const text =
    options.json === true ? `${JSON.stringify(found, undefined, 2)}\n` : renderIncident(found);
  process.stdout.write(text);
  return exitCode.done;
}

async function ask(options: PlaceOptions, wanted: Wanted): Promise<readonly IncidentReport[]> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const path = `/v1/incidents?${query.toString()}`;
  const call = { ...adminPlace(options), method: "GET", path } as const;
  try {
    const answer = await callAdmin({ ...call, timeoutMs: ANSWER_TIMEOUT_MS });
    return answer as readonly IncidentReport[];
  } catch (error) {
    if (!(error instanceof NinesError) || options.admin !== undefined) throw error;
    const { history } = findStateDirectory(stateDirectoryOf(options));
    return incidentReports(await readHistory(history, createDisk()), wanted);
  }
}
