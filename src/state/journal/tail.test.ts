// The tail rule, by going through every case there is for a small group: each set of its sectors
// that a crash may leave, and each bit of it that may turn; in a file of zeros, and in one that was
// another segment before.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { sectorBytes } from "../../ports/disk.ts";
import { sectorKind, segmentFileName, viewOf } from "./format.ts";
import {
  bytesOf,
  numbers,
  openReused,
  openRig,
  place,
  rejectsWith,
  type Rig,
  textsOf,
} from "./journal.fixture.ts";

const segmentBytes = 8_192;
const lastSectors = 5;

/** A journal with two small groups, and then one of several sectors that is the last. */
interface Image {
  readonly disk: SimulatedDisk;
  readonly fileName: string;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** Where the last group begins. */
  readonly start: number;
  readonly lastSequence: number;
}

async function imageOf(life: "fresh" | "reused", last: Uint8Array): Promise<Image> {
  const reused = life === "reused" ? await openReused() : undefined;
  const { disk, journal }: Rig = reused ?? (await openRig());
  const fileName = reused?.fileName ?? segmentFileName(1);
  await journal.append(bytesOf("one"));
  await journal.append(bytesOf("two"));
  const before = read(disk, fileName);
  await journal.append(last);
  const after = read(disk, fileName);
  const start = after.findIndex((byte, at) => byte !== before[at]);
  const sector = Math.floor(start / sectorBytes) * sectorBytes;
  return { disk, fileName, before, after, start: sector, lastSequence: journal.lastSequence };
}

function read(disk: SimulatedDisk, fileName: string): Uint8Array {
  const bytes = new Uint8Array(segmentBytes);
  disk.content(place, fileName).read(bytes, 0);
  return bytes;
}

/** The same journal with this in place of its last segment. */
function open(image: Image, bytes: Uint8Array): Promise<Rig> {
  const disk = image.disk.afterKill();
  disk.place(place, image.fileName, bytes);
  return openRig({ segmentBytes }, disk);
}

async function lastTexts({ journal }: Rig, count: number): Promise<readonly string[]> {
  return textsOf(journal, journal.lastSequence - count + 1);
}

for (const life of ["fresh", "reused"] as const) {
  describe(`in a ${life} file`, () => {
    for (const [name, last] of [
      ["text", bytesOf("x".repeat(2_000))],
      ["zeros", new Uint8Array(2_000)],
    ] as const) {
      test(`what a crash may leave of a last group of ${name} is cut, the rest stays`, async () => {
        const image = await imageOf(life, last);
        const { start, before, after, lastSequence } = image;
        for (let kept = 0; kept < 2 ** lastSectors - 1; kept++) {
          const torn = after.slice();
          for (let sector = 0; sector < lastSectors; sector++) {
            const at = start + sector * sectorBytes;
            if ((kept & (1 << sector)) !== 0) continue;
            torn.set(before.subarray(at, at + sectorBytes), at);
          }
          const rig = await open(image, torn);
          assert.equal(rig.journal.lastSequence, lastSequence - 1);
          assert.deepEqual(await lastTexts(rig, 2), ["one", "two"], `sectors ${kept.toString(2)}`);
          assert.equal(rig.journal.recovery.tornTail !== undefined, kept !== 0);
          // What comes instead is shorter: nothing of the torn group may show behind it.
          await rig.journal.append(bytesOf("three"));
          const again = await openRig(
            { segmentBytes },
            rig.disk.afterPowerLoss(() => 0, { stale: false }),
          );
          assert.deepEqual(await lastTexts(again, 3), ["one", "two", "three"]);
        }
      });

      test(`a turned bit in a last group of ${name} is rot, and never a torn write`, async () => {
        const image = await imageOf(life, last);
        // Seven is no divisor of a sector: each kind of place comes up.
        for (let at = image.start; at < image.start + lastSectors * sectorBytes; at += 7) {
          const rotten = image.after.slice();
          rotten[at] = (rotten[at] ?? 0) ^ (1 << (at & 7));
          await rejectsWith(open(image, rotten), "NINES_JOURNAL_ROT");
        }
      });
    }

    test("a turned bit behind the end is found as well", async () => {
      const image = await imageOf(life, bytesOf("x".repeat(2_000)));
      for (let at = image.start + lastSectors * sectorBytes; at < segmentBytes; at += 37) {
        const rotten = image.after.slice();
        rotten[at] = (rotten[at] ?? 0) ^ (1 << (at & 7));
        const error = await rejectsWith(open(image, rotten), "NINES_JOURNAL_ROT");
        assert.match(error.message, new RegExp(`byte ${at - (at % sectorBytes)} does not match`));
      }
    });

    test("a group that is gone is rot if another follows", async () => {
      const image = await imageOf(life, bytesOf("x".repeat(2_000)));
      const gone = image.after.slice();
      // The one record "two".
      const at = image.start - sectorBytes;
      gone.fill(0, at, image.start);
      const error = await rejectsWith(open(image, gone), "NINES_JOURNAL_ROT");
      const where = `${image.fileName}, at byte ${at} (record ${image.lastSequence - 1})`;
      assert.ok(error.message.includes(`${where}: a group is missing`), error.message);
    });

    test("a torn group with a written sector behind it is rot", async () => {
      const image = await imageOf(life, bytesOf("x".repeat(2_000)));
      const rotten = image.after.slice();
      const second = image.start + sectorBytes;
      rotten.copyWithin(image.start + lastSectors * sectorBytes, second, second + sectorBytes);
      rotten.fill(0, second, second + sectorBytes);
      const error = await rejectsWith(open(image, rotten), "NINES_JOURNAL_ROT");
      assert.match(error.message, /a part of a group is missing/);
    });
  });
}

test("a file that is used again is full of what it held before", async () => {
  const { disk, fileName, index, journal } = await openReused();
  await journal.append(bytesOf("one"));
  const view = viewOf(read(disk, fileName));
  const kinds = numbers(1, segmentBytes / sectorBytes - 1).map((sector) =>
    sectorKind(view, Number(sector) * sectorBytes, index),
  );
  assert.deepEqual(new Set(kinds), new Set(["begin", "older"]));
  assert.ok(!kinds.includes("blank"));
});

test("sectors of one group are of no use to another", async () => {
  const image = await imageOf("fresh", bytesOf("x".repeat(2_000)));
  const swapped = image.after.slice();
  const [second, third] = [image.start + sectorBytes, image.start + 2 * sectorBytes];
  swapped.copyWithin(second, third, third + sectorBytes);
  swapped.set(image.after.subarray(second, third), third);
  // All are x's here, but for the seals' words that stand at the end.
  swapped.copyWithin(second, image.start + 4 * sectorBytes, image.start + 5 * sectorBytes);
  const error = await rejectsWith(open(image, swapped), "NINES_JOURNAL_ROT");
  assert.match(error.message, /the sectors of a group do not belong together/);
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
