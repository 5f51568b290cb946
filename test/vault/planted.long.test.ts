// Faults planted in a copy of the built vault: each breaks one promise, and the crashes, or the
// prunes beside a backup, or the damage to its targets, must find it. What they cannot find they do
// not guard.

import { testFaultsAreFound } from "../found-faults.fixture.ts";
import type { PlantedFault } from "../planted.fixture.ts";
import { pruneBeside } from "./beside.ts";
import { crashEverywhere } from "./crashes.ts";
import { damageEverything } from "./damage.ts";
import type { Operations } from "./life.ts";

interface VaultFault extends PlantedFault {
  readonly foundBy: "crashes" | "beside" | "damage";
}

const folder = "src/control/backup";
const livesMax = 8;

const faults: readonly VaultFault[] = [
  {
    name: "a snapshot is there before the packs that it needs",
    file: `${folder}/run-backup.js`,
    find: "await this.#writer.flush();\n        await this.#putIndex();\n        const snapshot = await this.#putSnapshot(root);",
    replace:
      "const snapshot = await this.#putSnapshot(root);\n        await this.#writer.flush();\n        await this.#putIndex();",
    foundBy: "crashes",
  },
  {
    name: "an index is there before the packs that it lists",
    file: `${folder}/chunk-writer.js`,
    find: 'const isOver = await this.#vault.store.put("pack", table.id, bytes, builder.memory);',
    replace:
      'const { writeIndex } = await import("../../core/vault/records.js");\n' +
      '        await this.#vault.putRecord("index", writeIndex([table]));\n' +
      "        const isOver = " +
      'await this.#vault.store.put("pack", table.id, bytes, builder.memory);',
    foundBy: "crashes",
  },
  {
    name: "what a target writes is not flushed",
    file: `${folder}/folder-target.js`,
    find: "await file.flush();",
    replace: "",
    foundBy: "crashes",
  },
  {
    name: "the folder is not flushed after an object got its name",
    file: `${folder}/folder-target.js`,
    find: "await folder.rename(temporary, leaf);\n                await folder.flush();",
    replace: "await folder.rename(temporary, leaf);",
    foundBy: "crashes",
  },
  {
    name: "what is condemned is destroyed before its grace is over",
    file: `${folder}/prune.js`,
    find: "nowMs - atMs >= vault.settings.graceMs",
    replace: "nowMs - atMs >= 0",
    foundBy: "crashes",
  },
  {
    name: "packs are destroyed without a second look at who needs them",
    file: `${folder}/prune.js`,
    find: "if (needed.has(id))",
    replace: "if (false)",
    foundBy: "beside",
  },
  {
    name: "a prune does not wait for a backup at work",
    file: `${folder}/prune.js`,
    find: "!this.#others.some(({ startedMs }) => startedMs <= atMs + leaseMs)",
    replace: "true",
    foundBy: "beside",
  },
  {
    name: "the old master key goes before the new one opens everything",
    file: `${folder}/rotate-key.js`,
    find: "await vault.keys.wrapAll(to);",
    replace: "void 0;",
    foundBy: "crashes",
  },
  {
    name: "a stripe is written with one shard fewer",
    file: `${folder}/object-store.js`,
    find: "return this.#putShard(name, shard, ranked[number], spare);",
    replace:
      "return number + 1 === shards.length || this.#putShard(name, shard, ranked[number], spare);",
    foundBy: "damage",
  },
  {
    name: "a scrub mends nothing, and says that it has",
    file: `${folder}/object-store.js`,
    find: "if (!(await this.#putShard(name, shardPieces, target, [])))",
    replace: "if (false)",
    foundBy: "damage",
  },
  {
    name: "a scrub passes over what is rotten",
    file: `${folder}/examination.js`,
    find: 'if (!isWhole || typeof verdict === "object")',
    replace: "if (false)",
    foundBy: "damage",
  },
  {
    name: "two shards of an object lie in one failure domain",
    file: "src/core/vault/placement.js",
    find: "(seen.has(target.domain) ? rest : first)",
    replace: "first",
    foundBy: "damage",
  },
  {
    name: "nobody holds the snapshots against what this machine has seen",
    file: `${folder}/vault.js`,
    find: "if (what === undefined)",
    replace: "if (true)",
    foundBy: "damage",
  },
  {
    name: "files in a lost pack are not named",
    file: `${folder}/scrub.js`,
    find: "vault.index.lose(id);",
    replace: "void id;",
    foundBy: "damage",
  },
  {
    name: "an erasure is remembered by the machine that asked for it, and by nobody else",
    file: `${folder}/key-ring.js`,
    find: "await this.#bury([tombstone]);",
    replace: 'await this.#store.remove("tombstone", tombstone.id);',
    foundBy: "crashes",
  },
  {
    name: "later runs build on a pack that nobody can read",
    file: `${folder}/scrub.js`,
    find: "await vault.noteDamage(read, lostPacks);",
    replace: "",
    foundBy: "damage",
  },
  {
    name: "a mount that is missing is taken for its disk",
    file: `${folder}/roll.js`,
    find: "const isKnown = [...marks.values()].flat().some((mark) => mark.label === label);\n    return isKnown",
    replace: "return false",
    foundBy: "damage",
  },
  {
    name: "others know of a target before it has its marker",
    file: `${folder}/roll.js`,
    find: 'if (await isPut(target, vault, label, "here"))',
    replace: "if (true)",
    foundBy: "crashes",
  },
];

await testFaultsAreFound<Operations, VaultFault>({
  entry: `${folder}/operations.js`,
  faults,
  async judge(operations, fault) {
    for (let seed = 1; seed <= livesMax; seed++) {
      if (fault?.foundBy === "damage" || (fault === undefined && seed <= 2)) {
        await damageEverything(operations, { seed, lossesMax: 6 });
      }
      if (fault === undefined || fault.foundBy === "crashes") {
        await crashEverywhere(operations, { seed, steps: 16, stride: 13 });
      }
      if (fault === undefined || fault.foundBy === "beside") await pruneBeside(operations, seed);
    }
  },
});
