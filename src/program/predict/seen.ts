// From kept incidents to counted failures: how often each service's instances ended, hung or were
// gone, and how long their starts took.
//
// An incident counts once for each instance that was out in it, by the certainty of its cause: an
// end, or checks and workers that got no answers. Requests that were lost while nobody was found
// out are no instance's failure. Watching began when the state directory was made, or with the
// oldest incident where older ones had to go; it is taken to have gone on since, so a Nines that
// was stopped for long looks better than it is.

import { certainty, type Incident } from "../../core/incident/incident.ts";
import type { Seen, ServiceSeen } from "../../core/predict/default-rates.ts";

const msPerHour = 3_600_000;

export interface Watched {
  readonly name: string;
  readonly kind: "command" | "endpoints";
  readonly instances: number;
  /** The first wait before a restart; 0 for endpoints. */
  readonly backoffMs: number;
}

/** `bornMs` and `nowMs` by the wall clock. */
export function seenOf(
  services: readonly Watched[],
  incidents: readonly Incident[],
  { bornMs, nowMs }: { readonly bornMs: number; readonly nowMs: number },
): Readonly<Record<string, ServiceSeen>> {
  return Object.fromEntries(
    services.map((service) => {
      const own = incidents
        .filter((one) => one.service === service.name && one.startedWallMs >= bornMs)
        .toSorted((a, b) => a.startedWallMs - b.startedWallMs);
      return [service.name, seenOfOne(service, own, bornMs, nowMs)];
    }),
  );
}

function seenOfOne(
  { kind, instances, backoffMs }: Watched,
  own: readonly Incident[],
  bornMs: number,
  nowMs: number,
): ServiceSeen {
  const hours = Math.max(0, nowMs - bornMs) / msPerHour;
  const seen = (isMeant: (one: Incident) => boolean): Seen => ({
    atHours: own
      .filter(isMeant)
      // A moment after the beginning, or a trend could not be tested.
      .flatMap((one) => one.instances.map(() => hoursSince(one, bornMs))),
    hours,
    instances,
  });
  const isEnd = ({ causeCertainty }: Incident) => causeCertainty === certainty.end;
  const isSilence = ({ causeCertainty }: Incident) =>
    causeCertainty === certainty.checks || causeCertainty === certainty.ejection;
  if (hours === 0) return { startsMs: [] };
  if (kind === "endpoints") return { endpoint: seen(isSilence), startsMs: [] };
  const startsMs = own.filter(isEnd).flatMap((one) => startOf(one, backoffMs));
  return { crash: seen(isEnd), hang: seen(isSilence), startsMs };
}

function hoursSince({ startedWallMs }: Incident, bornMs: number): number {
  return Math.max(1, startedWallMs - bornMs) / msPerHour;
}

/** What one end and one start took, without the backoff (three quarters of it, on average). */
function startOf(incident: Incident, backoffMs: number): readonly number[] {
  const { detectedMs, recoveredMs, instances } = incident;
  if (instances.length !== 1 || detectedMs === undefined || recoveredMs === undefined) return [];
  return [Math.max(1, recoveredMs - detectedMs - 0.75 * backoffMs)];
}
