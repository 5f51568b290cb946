// What is said when an incident moves on: one event a moment, with its cause and its numbers.

import { sayDuration } from "../../core/base/duration.ts";
import { type Account, sayLosses } from "../../core/incident/fold.ts";
import { type Incident, timesOf } from "../../core/incident/incident.ts";
import type { Events } from "../../ports/events.ts";

export function announce(events: Events, known: Account, after: Account): void {
  const { incident } = after;
  const isSame = known.incident?.id === incident?.id;
  const before: Pick<Account, "state" | "incident"> = isSame
    ? known
    : { state: "quiet", incident: undefined };
  if (incident === undefined) return;
  const { service } = incident;
  const instance = incident.firstInstance;
  const whose = instance === undefined ? { service } : { service, instance };
  const say = (kind: string, sentence: string, level: "info" | "warning" = "info"): void =>
    events.record({ kind: `incident.${kind}`, level, sentence, ...whose });
  const name = `Incident ${incident.id} of ${service}`;
  if (before.incident === undefined) {
    say("opened", `${name} began: ${incident.cause}`, "warning");
  } else if (before.state === "recovered" && after.state !== "quiet") {
    say("opened", `${name} goes on: ${latestFault(incident)}`, "warning");
  }
  const { detectMs, transferMs } = timesOf(incident);
  if (before.incident?.detectedMs === undefined && detectMs !== undefined) {
    const who = incident.firstInstance ?? "an instance";
    say("detected", `${name}: ${who} was found out ${sayDuration(detectMs)} after the first sign`);
  }
  if (before.incident?.transferredMs === undefined && transferMs !== undefined) {
    say("transferred", `${name}: traffic goes elsewhere, after another ${sayDuration(transferMs)}`);
  }
  if (after.state === "recovered") say("recovered", recovery(name, incident));
}

function recovery(name: string, incident: Incident): string {
  const { detectMs, transferMs, recoverMs, totalMs } = timesOf(incident);
  const whole = `${name} is over after ${sayDuration(totalMs ?? 0)}`;
  // The last reports come after it: a request that waited ends with the recovery.
  const losses = `${sayLosses(incident.losses)} so far`;
  if (detectMs === undefined) return `${whole}: ${losses}; no instance was found out`;
  const parts = [
    `detect ${sayDuration(detectMs)}`,
    `transfer ${sayDuration(transferMs ?? 0)}`,
    `recover ${sayDuration(recoverMs ?? 0)}`,
  ];
  return `${whole} (${parts.join(", ")}): ${losses}`;
}

function latestFault({ timeline, cause }: Incident): string {
  const latest = timeline.findLast(({ kind }) => kind === "fault" || kind === "loss");
  return latest?.sentence ?? cause;
}
