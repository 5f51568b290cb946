// Nines' vault and restic, each as its user runs it: the installed program, its defaults.
//
// What differs and cannot be made equal: restic keeps one copy of each byte and mends nothing;
// Nines keeps 4 + 2 shards on six targets, here six folders of the one disk, and so writes one and
// a half times as much and reads as much when it verifies.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed } from "../shared/system.ts";
import { type Measured, runProgram } from "./run-program.ts";

export const stages = ["first backup", "unchanged backup", "verify", "restore"] as const;
export type Stage = (typeof stages)[number];

export interface Contender {
  readonly name: string;
  /** Makes its folder, and gets ready for a first backup. */
  begin(): Promise<void>;
  run(stage: Stage): Promise<Measured>;
  /** Where `restore` has put the data's folder. */
  readonly restored: string;
}

const program = join(import.meta.dirname, "..", "..", "src", "program", "main.js");
const targets = ["a", "b", "c", "d", "e", "f"] as const;

/** Keeps its vault in `folder`, which is new, for the data that lie in `data`. */
export function ninesIn(folder: string, data: string): Contender {
  const restored = join(folder, "restored");
  const words: Readonly<Record<Stage, readonly string[]>> = {
    "first backup": ["run"],
    "unchanged backup": ["run"],
    verify: ["verify"],
    restore: ["restore", "latest", restored],
  };
  return {
    name: "Nines",
    restored,
    begin: async () => {
      for (const target of targets) mkdirSync(join(folder, target), { recursive: true });
      writeFileSync(join(folder, "key"), `${"5a".repeat(32)}\n`, { mode: 0o600 });
      writeFileSync(join(folder, "nines.yaml"), configOf(data));
    },
    run: (stage) =>
      runProgram([process.execPath, program, "backup", ...words[stage]], {
        folder,
        output: join(folder, "output"),
        environment: {},
      }),
  };
}

function configOf(data: string): string {
  const places = targets.map((name) => `${name}: { path: ${name} }`).join(", ");
  return `services: { shop: { command: sleep 1000 } }
backup:
  keyFile: key
  targets: { ${places} }
  data: 4
  parity: 2
  sources: { data: { path: ${data} } }
`;
}

/** Undefined where restic is not installed. */
export function resticIn(folder: string, data: string): Contender | undefined {
  const restic = installed("restic");
  if (restic === undefined) return undefined;
  const restored = join(folder, "restored");
  const words: Readonly<Record<Stage, readonly string[]>> = {
    "first backup": ["backup", data],
    "unchanged backup": ["backup", data],
    verify: ["check", "--read-data"],
    restore: ["restore", "latest", "--target", restored],
  };
  const run = (command: readonly string[]) =>
    runProgram([restic, ...command], {
      folder,
      output: join(folder, "output"),
      environment: {
        RESTIC_REPOSITORY: join(folder, "repository"),
        RESTIC_PASSWORD: "a password",
        RESTIC_CACHE_DIR: join(folder, "cache"),
      },
    });
  return {
    name: "restic",
    // It restores whole paths.
    restored: join(restored, data),
    begin: async () => {
      mkdirSync(folder, { recursive: true });
      await run(["init"]);
    },
    run: (stage) => run(words[stage]),
  };
}
