// What a version of a service is made of: what its instances are started with, and nothing else.
// Checks, replicas and limits of traffic belong to the service and follow `nines apply`.

import { isObject } from "../../core/base/objects.ts";
import type { CommandService, HeartbeatConfig } from "../../config/config.ts";
import type { StartParts } from "../../core/supervise/fingerprint.ts";

export function startPartsOf(service: CommandService): StartParts {
  const { command, workingDirectory, environment, user, limits, portBase } = service;
  const { heartbeat } = service.health;
  return {
    command,
    workingDirectory,
    environment,
    limits,
    portBase,
    ...(user === undefined ? {} : { user }),
    ...(heartbeat === undefined ? {} : { health: { heartbeat: toldOf(heartbeat) } }),
  };
}

function toldOf({ everyMs, file }: HeartbeatConfig): Pick<HeartbeatConfig, "everyMs" | "file"> {
  return { everyMs, file };
}

/** The service, started by these parts. */
export function withStartParts(service: CommandService, parts: StartParts): CommandService {
  const { user: _user, health, ...rest } = service;
  const { heartbeat: judged = unjudged, ...checks } = health;
  const { health: told, ...start } = parts;
  if (told?.heartbeat === undefined) return { ...rest, ...start, health: checks };
  // What the process is told is the version's; how its beats are judged stays the service's.
  return { ...rest, ...start, health: { ...checks, heartbeat: { ...judged, ...told.heartbeat } } };
}

/** Of a version that beats, under a file that no longer listens. */
const unjudged = { detector: "misses", misses: 3, phi: 8 } as const;

/** The parts read back, or undefined when they are not ones that we wrote. */
export function readStartParts(value: unknown): StartParts | undefined {
  if (!isObject(value) || !isObject(value["environment"]) || !isObject(value["limits"])) return;
  const { command, environment, limits, user, health } = value;
  const words = Array.isArray(command) && command.length > 0 && command.every(isText);
  const numbers = [limits["memoryBytes"], limits["openFiles"], value["portBase"]];
  const whole =
    words &&
    isText(value["workingDirectory"]) &&
    Object.values(environment).every(isText) &&
    numbers.every((number) => Number.isSafeInteger(number)) &&
    (user === undefined || isText(user)) &&
    (health === undefined || isHeartbeat(health));
  return whole ? (value as unknown as StartParts) : undefined;
}

function isHeartbeat(health: unknown): boolean {
  if (!isObject(health) || !isObject(health["heartbeat"])) return false;
  const { everyMs, file } = health["heartbeat"];
  return Number.isSafeInteger(everyMs) && isText(file);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
