// A real Nines that keeps a vault by itself, for tests of its duties.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createNines, type Nines, until } from "../e2e/nines.fixture.ts";
import type { VaultReport } from "../../src/program/status/report.ts";

const withinMs = 60_000;

export interface Vaulted extends Nines {
  readonly backup: (more: string) => void;
}

/** A service that sleeps, a source of one file, three targets. */
export async function createVaulted(t: TestContext): Promise<Vaulted> {
  const nines = await createNines(t);
  const at = (name: string) => join(nines.folder, name);
  for (const name of ["a", "b", "c", "data"]) mkdirSync(at(name));
  writeFileSync(at("key"), `${"0f".repeat(32)}\n`, { mode: 0o600 });
  writeFileSync(at("data/text"), randomBytes(20_000));
  const backup = (more: string) =>
    nines.writeText(`services: { web: { command: node service.mjs, health: { http: /healthz, interval: 200ms, timeout: 150ms } } }
backup:
  keyFile: key
  targets: { a: { path: a }, b: { path: b }, c: { path: c } }
  data: 2
  parity: 1
  sources: { shop: { path: data } }
${more}`);
  return Object.assign(nines, { backup });
}

const off = { run: "off", look: "off", drill: "off", prune: "off", scrub: "off" };

export function only(wanted: Readonly<Record<string, string>>): string {
  return `  schedule: ${JSON.stringify({ ...off, ...wanted })}\n`;
}

export function eventsOf({ folder }: Nines): string {
  const log = join(folder, ".nines", "logs", "events.jsonl");
  return existsSync(log) ? readFileSync(log, "utf8") : "";
}

export async function untilEvent(nines: Nines, wanted: RegExp): Promise<string> {
  await until(
    () => wanted.test(eventsOf(nines)),
    () => `${wanted} in ${eventsOf(nines)}`,
    withinMs,
  );
  return eventsOf(nines);
}

export async function vaultStatus(nines: Nines, code: number): Promise<VaultReport> {
  const { stdout, stderr, code: got } = await nines.run("backup", "status", "--json");
  assert.equal(got, code, stdout + stderr);
  return JSON.parse(stdout) as VaultReport;
}

/** Turns a byte of every shard of this size or more below a folder. */
export function rot(folder: string, bytesMin = 0): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    if (bytes.length < bytesMin) continue;
    const at = bytes.length - 10;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }
}
