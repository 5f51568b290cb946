// How fast a journal is read back at start, and in how much memory: each in a process of its own,
// so that peak memory is that of the recovery.
//
// usage: recovery.js fill|replay|open '{"folder":"...","recordBytes":100,"totalBytes":...}'
// `open` opens an empty journal: what Node and the code take by themselves.

import { openJournal } from "../../src/sdk/journal.ts";

export interface RecoveryTask {
  readonly folder: string;
  readonly recordBytes: number;
  readonly totalBytes: number;
}

export interface Recovered {
  readonly records: number;
  /** Bytes of the records alone. */
  readonly bytes: number;
  /** From the call that opens to the last record. */
  readonly elapsedMs: number;
  readonly peakMemoryBytes: number;
}

const BATCH_BYTES = 256 * 1024;

async function fill(task: RecoveryTask): Promise<void> {
  const journal = await openJournal(task.folder);
  const batch = Array.from({ length: Math.ceil(BATCH_BYTES / task.recordBytes) }, (_, index) =>
    new Uint8Array(task.recordBytes).fill(index),
  );
  for (let bytes = 0; bytes < task.totalBytes; bytes += BATCH_BYTES) await journal.append(batch);
  await journal.close();
}

async function replay(task: RecoveryTask): Promise<Recovered> {
  const begunMs = performance.now();
  const journal = await openJournal(task.folder);
  let bytes = 0;
  const records = await journal.replay({}, (record) => {
    bytes += record.length;
  });
  const elapsedMs = performance.now() - begunMs;
  await journal.close();
  // In KiB, by getrusage(2).
  return { records, bytes, elapsedMs, peakMemoryBytes: process.resourceUsage().maxRSS * 1024 };
}

const [, , what, words] = process.argv;
const task = JSON.parse(words ?? "") as RecoveryTask;
if (what === "fill") await fill(task);
console.log(JSON.stringify(what === "fill" ? null : await replay(task)));
