// The tail rule, by going through every case there is for a small group: each set of its sectors
// that a crash may leave, and each bit of it that may turn.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { sectorBytes } from "../../ports/disk.ts";
import { segmentFileName } from "./format.ts";
import { bytesOf, openRig, place, rejectsWith, textsOf } from "./journal.fixture.ts";

const segment = segmentFileName(1);
const lastText = "x".repeat(2_000);
const lastSectors = 5;

/** A segment with two small groups, and one of several sectors that is the last. */
async function imageOf(last: Uint8Array): Promise<Uint8Array> {
  const { disk, journal } = await openRig();
  await journal.append(bytesOf("one"));
  await journal.append(bytesOf("two"));
  await journal.append(last);
  const image = new Uint8Array(8_192);
  disk.content(place, segment).read(image, 0);
  return image;
}

const lastStart = 3 * sectorBytes;
const lastEnd = lastStart + lastSectors * sectorBytes;

async function open(image: Uint8Array) {
  const disk = new SimulatedDisk();
  await disk.openFolder(place, { create: true });
  disk.place(place, segment, image);
  return openRig({}, disk);
}

for (const [name, last] of [
  ["text", bytesOf(lastText)],
  ["zeros", new Uint8Array(2_000)],
] as const) {
  test(`what a crash may leave of a last group of ${name} is cut, the rest stays`, async () => {
    const image = await imageOf(last);
    for (let kept = 0; kept < 2 ** lastSectors - 1; kept++) {
      const torn = image.slice();
      for (let sector = 0; sector < lastSectors; sector++) {
        const at = lastStart + sector * sectorBytes;
        if ((kept & (1 << sector)) === 0) torn.fill(0, at, at + sectorBytes);
      }
      const { journal, disk } = await open(torn);
      assert.deepEqual(await textsOf(journal), ["one", "two"], `sectors ${kept.toString(2)}`);
      assert.equal(journal.recovery.tornTail !== undefined, kept !== 0);
      // What comes instead is shorter: nothing of the torn group may show behind it.
      await journal.append(bytesOf("three"));
      const again = await openRig(
        {},
        disk.afterPowerLoss(() => 0, { stale: false }),
      );
      assert.deepEqual(await textsOf(again.journal), ["one", "two", "three"]);
    }
  });

  test(`a turned bit in a last group of ${name} is rot, and never a torn write`, async () => {
    const image = await imageOf(last);
    // Three is no divisor of a sector: each place of a sector comes up.
    for (let at = lastStart; at < lastEnd; at += 3) {
      const rotten = image.slice();
      rotten[at] = (rotten[at] ?? 0) ^ (1 << (at & 7));
      await rejectsWith(open(rotten), "NINES_JOURNAL_ROT");
    }
  });
}

test("a group that has turned to zeros is rot if another follows", async () => {
  const image = await imageOf(bytesOf(lastText));
  image.fill(0, sectorBytes, 2 * sectorBytes);
  const error = await rejectsWith(open(image), "NINES_JOURNAL_ROT");
  assert.match(
    error.message,
    /0000000000000001\.log, at byte 512 \(record 1\): a group is missing/,
  );
});

test("a torn group with anything behind it is rot", async () => {
  const image = await imageOf(bytesOf(lastText));
  image.fill(0, lastStart + sectorBytes, lastStart + 2 * sectorBytes);
  image[lastEnd + 500] = 1;
  const error = await rejectsWith(open(image), "NINES_JOURNAL_ROT");
  assert.match(error.message, /record 3/);
});

test("a group may be as long as a reader's memory, and no longer", async () => {
  const options = { segmentBytes: 4 * 1_048_576 };
  const { disk, journal } = await openRig(options);
  const largest = new Uint8Array(journal.recordBytesMax).fill(7);
  await journal.append(bytesOf("small"));
  await journal.append(largest);
  await journal.append(largest);
  await rejectsWith(
    journal.append(new Uint8Array(largest.length + 1)),
    "NINES_JOURNAL_RECORD_SIZE",
  );
  const again = await openRig(
    options,
    disk.afterPowerLoss(() => 0, { stale: false }),
  );
  let bytes = 0;
  const count = await again.journal.replay({ from: 2 }, (record) => (bytes += record.length));
  assert.deepEqual([count, bytes], [2, 2 * largest.length]);
});
