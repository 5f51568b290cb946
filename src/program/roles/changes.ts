// What a changed file changes, in words, for whoever said `nines apply`. Pure.

import type { Config } from "../../config/config.ts";

/** A sentence for each service and for the gateway that is not as before; none when all is. */
export function describeChanges(before: Config, after: Config): readonly string[] {
  const old = new Map(before.services.map((service) => [service.name, service]));
  const now = new Map(after.services.map((service) => [service.name, service]));
  const sentences: string[] = [];
  for (const name of old.keys()) {
    if (!now.has(name))
      sentences.push(`${name} is no longer in the file: it is drained and ended.`);
  }
  for (const [name, service] of now) {
    const was = old.get(name);
    if (was === undefined) sentences.push(`${name} is new: it starts.`);
    else sentences.push(...sentenceOf(name, changedKeys(was, service)));
  }
  sentences.push(...sentenceOf("gateway", changedKeys(before.gateway ?? {}, after.gateway ?? {})));
  sentences.push(...sentenceOf("admin", changedKeys(before.admin ?? {}, after.admin ?? {})));
  return sentences;
}

function sentenceOf(name: string, keys: readonly string[]): readonly string[] {
  return keys.length === 0 ? [] : [`${name} has changed: ${keys.join(", ")}.`];
}

/** Keys whose values differ. Both come from the same loader, so equal values print alike. */
function changedKeys(before: object, after: object): readonly string[] {
  const fields = [before, after] as [Record<string, unknown>, Record<string, unknown>];
  const keys = new Set(fields.flatMap((one) => Object.keys(one)));
  return [...keys].filter(
    (key) => JSON.stringify(fields[0][key]) !== JSON.stringify(fields[1][key]),
  );
}
