// An incident tells what was: it began with a fault or with a loss, its times are in order and add
// up, it is over only when the instances it names serve again, and no loss in it is invented.
//
// A fault is a trouble of an instance of the service (trouble.ts), an end of one, a failed start, a
// person's word that ends one, or requests that clients really lost, within `BEFORE_MS` before it.
// Losses are compared with what clients had: an incident has no more of them than there were since
// its first sign; or since a worker was heard last, where one was out of touch then, for its losses
// are heard of all at once (and the incident says so).

import { type Incident, timesOf } from "../../src/core/incident/incident.ts";
import { serviceOf, type World } from "../world/world.ts";
import { type Checker, detectMs, FOLLOW_MS } from "./checker.ts";

/** Reports come every 250 ms and may be late; an incident begins with the report before the first. */
const REPORT_MS = 1_000;
const KEPT = 4_000;

export function incidentTruth(world: World): Checker {
  const name = "incident-truth";
  const known = new Set<string>();
  /** By the machine's clock, newest last. */
  const lossesMs = new Map<string, number[]>();
  /** While a worker was out of touch with control, or control itself away; by the machine's clock. */
  const silences: { readonly fromMs: number; toMs: number }[] = [];
  /** True times of ends, by service and by instance. */
  const endedMs = new Map<string, number>();

  function began(incident: Incident): void {
    world.checks++;
    const { id, service, startedMs, cause } = incident;
    const { nowMs } = world.loop;
    const latest = silences.at(-1);
    const silentMs = latest === undefined ? 0 : latest.toMs - latest.fromMs;
    // A control that was stopped, or a worker that was cut off, hears of it and tells it late.
    const beforeMs = detectMs(world, service) + 10_000 + 1.1 * silentMs;
    const lost = (lossesMs.get(service) ?? []).some((atMs) => atMs >= startedMs - REPORT_MS);
    const ended = nowMs - (endedMs.get(service) ?? Number.NEGATIVE_INFINITY) <= beforeMs;
    const ids = world.knownIds.filter((one) => serviceOf(one) === service);
    const isStopped = (one: string): boolean =>
      world.machine.live(one).some(({ stoppedSinceMs }) => stoppedSinceMs !== undefined);
    const troubled = ids.some((one) => isStopped(one) || world.trouble.freeForMs(one) <= beforeMs);
    if (lost || ended || troubled) return;
    world.violated(name, `incident ${id} of ${service} began without a fault: ${cause}`);
  }

  function ordered({ id, ...rest }: Incident): void {
    const { startedMs, detectedMs, transferredMs, recoveredMs, closedMs } = rest;
    const times = [startedMs, detectedMs, transferredMs, recoveredMs, closedMs];
    const set = times.filter((time) => time !== undefined);
    const isOrdered = set.every((time, index) => time >= (set[index - 1] ?? time));
    const { detectMs: t1, transferMs: t2, recoverMs: t3, totalMs } = timesOf({ id, ...rest });
    const sum = (t1 ?? 0) + (t2 ?? 0) + (t3 ?? 0);
    const addsUp = t1 === undefined || totalMs === undefined || Math.abs(sum - totalMs) < 0.01;
    if (!isOrdered || !addsUp) world.violated(name, `incident ${id} has its times out of order`);
  }

  /** What control takes for up was ready a moment ago, or a person does not want it. */
  function recovered({ id, service, instances, detectedMs }: Incident): void {
    if (detectedMs === undefined || world.service(service)?.kind !== "command") return;
    for (const instance of instances) {
      const ready = world.machine.live(instance).some(({ readyAtMs }) => readyAtMs !== undefined);
      const sinceEndMs = world.loop.nowMs - (endedMs.get(instance) ?? Number.NEGATIVE_INFINITY);
      if (ready || sinceEndMs <= FOLLOW_MS || isUnwanted(instance)) continue;
      world.violated(name, `incident ${id} is said to be over, and ${instance} is not ready`);
    }
  }

  function isUnwanted(instance: string): boolean {
    const { operator, stopped, loop } = world;
    const asked = loop.nowMs - operator.askedAtMs(instance) <= 120_000;
    return stopped || asked || operator.drainedSinceMs.has(instance);
  }

  function counted({ id, service, startedMs, losses }: Incident): void {
    const silence = silences.filter(({ toMs }) => toMs >= startedMs - REPORT_MS);
    const fromMs = Math.min(startedMs, ...silence.map((one) => one.fromMs)) - REPORT_MS;
    const had = (lossesMs.get(service) ?? []).filter((atMs) => atMs >= fromMs);
    if (losses.lost <= had.length || had.length >= KEPT / 2) return;
    world.violated(name, `incident ${id} counts ${losses.lost} lost requests of ${had.length}`);
  }

  return {
    name,
    promise: "an incident has a fault, times that add up, and no loss that nobody had",
    requestEnded(_, { service, result }) {
      const failed = result === "failed" || result === "refused" || result === "server-error";
      if (!failed) return;
      const times = lossesMs.get(service) ?? [];
      times.push(world.clock.monotonicMs());
      if (times.length > KEPT) times.splice(0, KEPT / 2);
      lossesMs.set(service, times);
    },
    programChanged({ id, state }) {
      if (state !== "ended") return;
      endedMs.set(id, world.loop.nowMs);
      endedMs.set(serviceOf(id), world.loop.nowMs);
    },
    looked() {
      const isSilent =
        !world.controlRuns() ||
        world.gateway.workers.some(({ linkedSinceMs }) => linkedSinceMs === undefined);
      if (!isSilent) return;
      const atMs = world.clock.monotonicMs();
      const latest = silences.at(-1);
      if (latest !== undefined && atMs - latest.toMs <= REPORT_MS) latest.toMs = atMs;
      else silences.push({ fromMs: atMs, toMs: atMs });
    },
    incidentChanged(incident) {
      if (!known.has(incident.id)) began(incident);
      known.add(incident.id);
      ordered(incident);
      counted(incident);
      if (incident.state === "recovered") recovered(incident);
    },
  };
}
