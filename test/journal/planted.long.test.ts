// Faults planted in a copy of the built journal: each breaks one promise, and the crashes or the
// failures of test/journal must find it. What they cannot find they do not guard.

import { testFaultsAreFound } from "../found-faults.fixture.ts";
import type { PlantedFault } from "../planted.fixture.ts";
import { crashEverywhere } from "./crashes.ts";
import type { OpenJournal } from "./trace.ts";
import { failAtEach, failAtRemovals } from "./trouble.ts";

interface JournalFault extends PlantedFault {
  readonly foundBy: "crashes" | "failures";
}

const folder = "src/state/journal";
const livesMax = 12;

/** The flushes that the journal cannot do without. */
const missingFlushes: readonly JournalFault[] = [
  {
    name: "append: its writes do not wait for the device",
    file: `${folder}/open.js`,
    find: 'const file = await folder.open(last.fileName, "durable")',
    replace: 'const file = await folder.open(last.fileName, "write")',
    foundBy: "crashes",
  },
  {
    name: "rotate: the next segment's zeros and header are not flushed",
    file: `${folder}/segments.js`,
    find: "await file.flush();",
    replace: "",
    foundBy: "crashes",
  },
  {
    name: "rename: the folder is not flushed after a segment got its name",
    file: `${folder}/segments.js`,
    find: "throw error;\n    }\n    await flushNames(folder);",
    replace: "throw error;\n    }",
    foundBy: "crashes",
  },
  {
    name: "reuse: a spare's new header does not wait for the device",
    file: `${folder}/segments.js`,
    find: 'await folder.open(spare, "durable")',
    replace: 'await folder.open(spare, "write")',
    foundBy: "crashes",
  },
  {
    name: "reuse: the folder is not flushed after a spare became a segment",
    file: `${folder}/segments.js`,
    find: "segmentFileName(segment.index));\n    await flushNames(folder);",
    replace: "segmentFileName(segment.index));",
    foundBy: "crashes",
  },
  {
    name: "checkpoint: a snapshot's content is not flushed",
    file: `${folder}/snapshot-file.js`,
    find: "await this.#file.flush();",
    replace: "",
    foundBy: "crashes",
  },
  {
    name: "rename: the folder is not flushed after a snapshot got its name",
    file: `${folder}/snapshots.js`,
    find: "(temporary, fileName);\n                await flushNames(this.#folder);",
    replace: "(temporary, fileName);",
    foundBy: "crashes",
  },
  {
    name: "compaction: segments are removed without a flush between them",
    file: `${folder}/snapshots.js`,
    find: "throw error;\n        }\n        await flushNames(this.#folder);",
    replace: "throw error;\n        }",
    foundBy: "crashes",
  },
];

const otherFaults: readonly JournalFault[] = [
  {
    name: "rotate: writes to the next segment do not wait for the device",
    file: `${folder}/segment-supply.js`,
    find: 'this.#folder.open(fileName, "durable")',
    replace: 'this.#folder.open(fileName, "write")',
    foundBy: "crashes",
  },
  {
    name: "reuse: what an older segment left is taken for rot",
    file: `${folder}/format.js`,
    find: 'return number < index ? "older" : "rotten";',
    replace: 'return "rotten";',
    foundBy: "crashes",
  },
  {
    name: "reuse: what an older segment left is taken for this one's",
    file: `${folder}/format.js`,
    find: "if (number === index)",
    replace: "if (number <= index)",
    foundBy: "crashes",
  },
  {
    name: "compaction removes a segment that the older snapshot does not cover",
    file: `${folder}/snapshots.js`,
    find: "next.firstSequence <= through + 1",
    replace: "next.firstSequence <= through + 2",
    foundBy: "crashes",
  },
  {
    name: "a snapshot is ahead of the log on the disk",
    file: `${folder}/snapshots.js`,
    find: "if (this.#log.lastSequence > 0)",
    replace: "if (false)",
    foundBy: "crashes",
  },
  {
    name: "compaction keeps one snapshot",
    file: `${folder}/snapshots.js`,
    find: "const older = kept[1];",
    replace: "const older = kept[0];",
    foundBy: "crashes",
  },
  {
    name: "a start leaves the sectors of a torn group",
    file: `${folder}/open.js`,
    find: "if (tornTail !== undefined)",
    replace: "if (false)",
    foundBy: "crashes",
  },
  {
    name: "a start shows a group that only the kernel has",
    file: `${folder}/open.js`,
    find: "if (lastGroup !== undefined)",
    replace: "if (false)",
    foundBy: "crashes",
  },
  {
    name: "a start trusts names that only the kernel has",
    file: `${folder}/open.js`,
    find: "await folder.flush();\n}\n/** Writes these bytes",
    replace: "}\n/** Writes these bytes",
    foundBy: "crashes",
  },
  {
    name: "a failed write is taken for a refusal, and the journal goes on",
    file: `${folder}/health.js`,
    find: "this.#failure = new NinesError",
    replace: "return new NinesError",
    foundBy: "failures",
  },
  {
    name: "a folder's failed flush counts as no room",
    file: `${folder}/failures.js`,
    find: 'throw new DiskError("io", messageOf(error), { cause: error });',
    replace: "throw error;",
    foundBy: "failures",
  },
  {
    name: "a segment that could not be removed is passed over",
    file: `${folder}/snapshots.js`,
    find: "segments.unshift(oldest);",
    replace: "",
    foundBy: "failures",
  },
];

async function crashLives(open: OpenJournal): Promise<void> {
  for (let seed = 1; seed <= livesMax; seed++) {
    await crashEverywhere(open, { seed, operations: 25, outcomesMax: 3 });
  }
}

async function failEverywhere(open: OpenJournal): Promise<void> {
  for (const kind of ["io", "full"] as const) {
    await failAtEach(open, { kind, forever: false, calls: 200, stride: 1 });
  }
  await failAtRemovals(open);
}

await testFaultsAreFound<{ readonly openJournal: OpenJournal }, JournalFault>({
  entry: `${folder}/open.js`,
  faults: [...missingFlushes, ...otherFaults],
  judge: ({ openJournal }, fault) =>
    fault?.foundBy === "failures" ? failEverywhere(openJournal) : crashLives(openJournal),
});
