// From a file to a set of shards, end to end: read, coded, summed and written.
//
// What binds depends on where the shards go, so each is measured and named:
// - `written over`: files that are there, in the kernel's cache, not flushed. Bytes are copied out
//   of the cache and into it, on whatever processors are free; this is what is held against the
//   kernel's speed.
// - `new in the cache`: the same with new files. Finding pages for them takes longer than all else.
// - `on the device`: `encodeFile` as it is by default: new files, past the cache, flushed.
// "The kernel" is the same stripes coded in memory, by the clock as well: what a busy machine takes
// from one it takes from the other. Beside each stands what the same reads and writes take without
// any coding, and the processors' time of all threads: a busy machine changes the first much and
// the second little.

import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSlots, encodeShards } from "../../src/core/erasure/encode-shards.ts";
import { runPipeline } from "../../src/core/erasure/pipeline.ts";
import { type Layout, pieceAt } from "../../src/core/erasure/shard-format.ts";
import type { ErasureCodec, Stripe } from "../../src/core/erasure/stripe.ts";
import {
  type OpenShardFile,
  openShardFile,
  openSource,
  type OpenSource,
} from "../../src/runtime/shard-files.ts";
import { median } from "../shared/figures.ts";

export const ways = ["written over", "new in the cache", "on the device"] as const;
export type Way = (typeof ways)[number];

const contentBytes = 100 * 2_621_440;
const shards = 14;

export interface Run {
  /** Of content. */
  readonly gbPerSecond: number;
  readonly cpuSecondsPerGb: number;
}

export interface Runs {
  /** By codec; `copy` for the same without coding. */
  measure(way: Way, what: ErasureCodec | "copy"): Promise<Run>;
  /** The same stripes coded, and neither read nor written: GB/s. */
  inMemory(codec: ErasureCodec): number;
}

/** Runs of 250 MiB in a folder that somebody else removes. */
export function prepareRuns(folder: string): Runs {
  const source = join(folder, "content");
  writeFileSync(source, randomBytes(contentBytes));
  const paths = Array.from({ length: shards }, (_, shard) => join(folder, `shard-${shard}`));

  async function once(way: Way, what: ErasureCodec | "copy"): Promise<Run> {
    const isOver = way === "written over";
    if (!isOver) for (const path of paths) rmSync(path, { force: true });
    const [begun, used] = [performance.now(), process.cpuUsage()];
    const files: OpenShardFile[] = [];
    for (const path of paths) {
      files.push(await openShardFile(path, "overwrite", way !== "on the device"));
    }
    const content = await openSource(source);
    const written = way === "on the device" ? files : files.map(withoutFlush);
    const layout = layoutOf(what === "copy" ? "rs-xor" : what);
    const aligned = way === "on the device";
    if (what === "copy") await copy(content, written, layout, aligned);
    else await encodeShards(content, written, layout, { aligned });
    await Promise.all([content, ...files].map((each) => each.close()));
    const { user, system } = process.cpuUsage(used);
    return {
      gbPerSecond: contentBytes / (performance.now() - begun) / 1e6,
      cpuSecondsPerGb: (1e3 * (user + system)) / contentBytes,
    };
  }

  return {
    inMemory,
    measure: async (way, what) => {
      const all: Run[] = [];
      for (let run = 0; run < 4; run++) all.push(await once(way, what));
      // What is not flushed must not be while others are measured.
      for (const path of paths) rmSync(path, { force: true });
      // Of files that are written over the first run makes them.
      const counted = all.slice(1);
      return {
        gbPerSecond: median(counted.map(({ gbPerSecond }) => gbPerSecond)),
        cpuSecondsPerGb: median(counted.map(({ cpuSecondsPerGb }) => cpuSecondsPerGb)),
      };
    },
  };
}

function layoutOf(codec: ErasureCodec): Layout {
  const id = new Uint8Array(16);
  return { codec, dataShards: 10, parityShards: 4, pieceBytes: 262_144, id };
}

/** Once around the slots first, which makes their memory real. */
function inMemory(codec: ErasureCodec): number {
  const layout = layoutOf(codec);
  const slots = createSlots(layout);
  for (const slot of slots) slot.encode();
  const stripeBytes = layout.dataShards * layout.pieceBytes;
  const begun = performance.now();
  for (let done = 0; done < contentBytes; done += stripeBytes) {
    slots[(done / stripeBytes) % slots.length]?.encode();
  }
  return contentBytes / (performance.now() - begun) / 1e6;
}

function withoutFlush(file: OpenShardFile): OpenShardFile {
  return { ...file, flush: async () => undefined };
}

/** What encoding reads and writes, and nothing computed. */
async function copy(
  content: OpenSource,
  files: readonly OpenShardFile[],
  layout: Layout,
  aligned: boolean,
): Promise<void> {
  await runPipeline<Stripe, number>(createSlots(layout, aligned), {
    read: async (slot, number) =>
      (await content.fill(slot.shards.slice(0, layout.dataShards))) > 0 ? number : undefined,
    work: () => undefined,
    write: async ({ shards: pieces }, number) => {
      const at = pieceAt(layout, number);
      await Promise.all(files.map((file, shard) => file.write(pieces[shard] as Uint8Array, at)));
    },
  });
  await Promise.all(files.map((file) => file.flush()));
}
