// An incident tells what was: it began with a fault or with a loss, its times are in order and add
// up, it is over only when the instances it names serve again, and no loss in it is invented.
//
// A fault is a trouble of an instance of the service (trouble.ts), a stopped one, an end of one, or
// requests that clients really lost, a short while before. Losses are compared with what clients
// had: an incident has no more of them than there were since its first sign; or since a worker was
// heard last, where one was out of touch then, for its losses are heard of all at once (and the
// incident says so).

import { type Incident, timesOf } from "../../src/core/incident/incident.ts";
import { serviceOf, type World } from "../world/world.ts";
import { type Checker, detectMs, FOLLOW_MS } from "./checker.ts";

const name = "incident-truth";
/** An incident begins with the report before its first loss; reports may be late. */
const REPORT_MS = 1_000;
const LOSSES_MAX = 4_000;
const ASKED_MS = 120_000;

/** What really was. */
interface Truth {
  /** When clients lost requests, by service and by the machine's clock, newest last. */
  readonly lossesMs: Map<string, number[]>;
  /** While a worker was out of touch with control, or control away; by the machine's clock. */
  readonly silences: { readonly fromMs: number; toMs: number }[];
  /** True times of ends, by service and by instance. */
  readonly endedMs: Map<string, number>;
}

export function incidentTruth(world: World): Checker {
  const truth: Truth = { lossesMs: new Map(), silences: [], endedMs: new Map() };
  const known = new Set<string>();
  return {
    name,
    promise: "an incident has a fault, times that add up, and no loss that nobody had",
    requestEnded(_, { service, result }) {
      const failed = result === "failed" || result === "refused" || result === "server-error";
      if (!failed) return;
      const times = truth.lossesMs.get(service) ?? [];
      times.push(world.clock.monotonicMs());
      if (times.length > LOSSES_MAX) times.splice(0, LOSSES_MAX / 2);
      truth.lossesMs.set(service, times);
    },
    programChanged({ id, state }) {
      if (state !== "ended") return;
      truth.endedMs.set(id, world.loop.nowMs);
      truth.endedMs.set(serviceOf(id), world.loop.nowMs);
    },
    looked: () => lookForSilence(world, truth),
    incidentChanged(incident) {
      world.checks++;
      if (!known.has(incident.id)) checkBeginning(world, truth, incident);
      known.add(incident.id);
      checkTimes(world, incident);
      checkLosses(world, truth, incident);
      if (incident.state === "recovered") checkEnd(world, truth, incident);
    },
  };
}

function lookForSilence(world: World, { silences }: Truth): void {
  const { workers } = world.gateway;
  const heard = workers.every(({ linkedSinceMs }) => linkedSinceMs !== undefined);
  if (world.controlRuns() && heard) return;
  const atMs = world.clock.monotonicMs();
  const latest = silences.at(-1);
  if (latest !== undefined && atMs - latest.toMs <= REPORT_MS) latest.toMs = atMs;
  else silences.push({ fromMs: atMs, toMs: atMs });
}

function checkBeginning(world: World, truth: Truth, incident: Incident): void {
  const { id, service, startedMs, cause } = incident;
  const { nowMs } = world.loop;
  const latest = truth.silences.at(-1);
  const silentMs = latest === undefined ? 0 : latest.toMs - latest.fromMs;
  // A control that was stopped, or a worker that was cut off, hears of it and tells it late.
  const beforeMs = detectMs(world, service) + 10_000 + 1.1 * silentMs;
  const lost = (truth.lossesMs.get(service) ?? []).some((atMs) => atMs >= startedMs - REPORT_MS);
  const ended = nowMs - (truth.endedMs.get(service) ?? Number.NEGATIVE_INFINITY) <= beforeMs;
  const ids = world.knownIds.filter((one) => serviceOf(one) === service);
  const isStopped = (one: string): boolean =>
    world.machine.live(one).some(({ stoppedSinceMs }) => stoppedSinceMs !== undefined);
  const troubled = ids.some((one) => isStopped(one) || world.trouble.freeForMs(one) <= beforeMs);
  // A process that cannot be written down is not started: a full disk is a fault as well.
  if (lost || ended || troubled || world.files.refusing) return;
  world.violated(name, `incident ${id} of ${service} began without a fault: ${cause}`);
}

function checkTimes(world: World, incident: Incident): void {
  const { id, startedMs, detectedMs, transferredMs, recoveredMs, closedMs } = incident;
  const times = [startedMs, detectedMs, transferredMs, recoveredMs, closedMs];
  const known = times.filter((time) => time !== undefined);
  const isOrdered = known.every((time, index) => time >= (known[index - 1] ?? time));
  const { detectMs: t1, transferMs: t2, recoverMs: t3, totalMs } = timesOf(incident);
  const sum = (t1 ?? 0) + (t2 ?? 0) + (t3 ?? 0);
  const addsUp = t1 === undefined || totalMs === undefined || Math.abs(sum - totalMs) < 0.01;
  if (!isOrdered || !addsUp) world.violated(name, `incident ${id} has its times out of order`);
}

function checkLosses(world: World, truth: Truth, incident: Incident): void {
  const { id, service, startedMs, losses } = incident;
  const silent = truth.silences.filter(({ toMs }) => toMs >= startedMs - REPORT_MS);
  const fromMs = Math.min(startedMs, ...silent.map((one) => one.fromMs)) - REPORT_MS;
  const had = (truth.lossesMs.get(service) ?? []).filter((atMs) => atMs >= fromMs);
  if (losses.lost <= had.length || had.length >= LOSSES_MAX / 2) return;
  world.violated(name, `incident ${id} counts ${losses.lost} lost requests of ${had.length}`);
}

/**
 * What control takes for up was ready a moment ago, by the time that control has run; or a person
 * does not want it.
 */
function checkEnd(world: World, { endedMs }: Truth, incident: Incident): void {
  const { id, service, instances, detectedMs } = incident;
  if (detectedMs === undefined || world.service(service)?.kind !== "command") return;
  // Whoever is held back later was in the traffic when it was said.
  const isNews = world.clock.monotonicMs() - (incident.recoveredMs ?? 0) <= 1;
  const controlMs = world.loop.nowMs - (world.control?.gate.runningSinceMs ?? 0);
  for (const instance of instances) {
    const ready = world.machine.live(instance).some(({ readyAtMs }) => readyAtMs !== undefined);
    const sinceEndMs = world.loop.nowMs - (endedMs.get(instance) ?? Number.NEGATIVE_INFINITY);
    const knownMs = Math.min(sinceEndMs, controlMs);
    if (knownMs <= FOLLOW_MS || isUnwanted(world, instance)) continue;
    if (!ready) {
      world.violated(name, `incident ${id} is said to be over, and ${instance} is not ready`);
    } else if (isNews && getsNothing(world, instance)) {
      world.violated(name, `incident ${id} is said to be over, and ${instance} gets no traffic`);
    }
  }
}

/** By the latest table; where nobody is a standby by the file, and by no word of a person. */
function getsNothing(world: World, instance: string): boolean {
  const service = serviceOf(instance);
  if (world.service(service)?.failover.mode === "primary-standby") return false;
  const listed = world.gateway.latest?.services.find(({ name: other }) => other === service);
  const record = world.control?.control?.registry.get(instance);
  if (record === undefined || record.draining) return false;
  return listed?.instances.find((one) => one.id === instance)?.verdict !== "up";
}

function isUnwanted(world: World, instance: string): boolean {
  const { operator, stopped, loop } = world;
  const asked = loop.nowMs - operator.askedAtMs(instance) <= ASKED_MS;
  const service = world.service(serviceOf(instance));
  // What a deploy has beyond the file's number leaves with it.
  const surplus =
    service?.kind === "command" &&
    Number(instance.slice(instance.lastIndexOf("-") + 1)) > operator.replicas(service);
  return stopped || asked || surplus || operator.drainedSinceMs.has(instance);
}
