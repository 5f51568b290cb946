// A process that writes to a journal until it is killed, and says what was acknowledged:
// `node writer.fixture.js FOLDER RUN SLOW_ABOVE_MS`, a line for each append and each snapshot.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import { createClock } from "../../src/runtime/clock.ts";
import { createDisk } from "../../src/runtime/disk.ts";
import { openJournal } from "../../src/state/journal/open.ts";
import { snapshotContent } from "./ledger.ts";
import { numberedRecords } from "./numbered.ts";

const writers = 8;
const appendsMax = 1_000_000;

async function main([folder = "", run = "", slowAboveMs = ""]: readonly string[]): Promise<void> {
  const disk = createDisk({ slowAboveMs: Number(slowAboveMs) });
  const clock = createClock({ keepAlive: true });
  const journal = await openJournal(folder, { segmentBytes: 65_536 }, disk, clock);
  const random = createPrng(Number(run));
  let append = Number(run) * appendsMax;

  async function write(own: Random): Promise<void> {
    for (;;) {
      const number = append++;
      const last = await journal.append(numberedRecords(number, 1 + own.below(3)));
      process.stdout.write(`append ${last} ${number}\n`);
    }
  }

  async function checkpoint(): Promise<void> {
    for (;;) {
      await journal.whenDurable(Math.min(journal.durableThrough + 500, journal.lastSequence));
      const through = journal.durableThrough;
      await journal.checkpoint({ through, chunks: [snapshotContent(through)] });
      process.stdout.write(`snapshot ${through} 0\n`);
    }
  }

  const own = Array.from({ length: writers }, (_, writer) => random.stream(`writer ${writer}`));
  await Promise.all([checkpoint(), ...own.map(write)]);
}

if (process.argv.length > 2) await main(process.argv.slice(2));
