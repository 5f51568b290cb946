// Rot at every byte of a segment and of a snapshot; files cut, missing, exchanged, foreign, newer.
// rot.long.test.ts turns every bit of every file.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc32c } from "../../src/core/base/crc32c.ts";
import { NinesError } from "../../src/core/base/errors.ts";
import { sectorBytes } from "../../src/ports/disk.ts";
import { sectorKind, viewOf } from "../../src/state/journal/format.ts";
import { openJournal } from "../../src/state/journal/open.ts";
import { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { HandClock } from "./hand-clock.ts";
import { flipEachByte, type SoundJournal, soundJournal } from "./rot.ts";
import { journalFolder, settled } from "./trace.ts";

await testUntracked({
  "a bit that turned at any byte of a segment is refused by name, be it of an older life":
    async () => {
      const sound = await soundJournal(openJournal, 11, "killed");
      const name = logsOf(sound.disk).find((log) => isInUseAgain(sound.disk, log));
      assert.ok(name !== undefined, "a segment is half of this life and half of an older one");
      const findings = await flipEachByte(openJournal, sound, [name], (byte) => [byte % 8]);
      assert.equal(findings.flips, sizeOf(sound.disk, name));
      assert.equal(findings.refused, findings.flips);
    },

  "a bit that turned at any byte of the newest snapshot leads to the one before": async () => {
    const sound = await soundJournal(openJournal, 11, "closed");
    const newest = namesOf(sound.disk, ".snapshot").at(-1) ?? "";
    const findings = await flipEachByte(openJournal, sound, [newest], (byte) => [byte % 8]);
    assert.equal(findings["passed over"], sizeOf(sound.disk, newest), "each was found");
  },

  "a bit that turns while the journal is open is found by whoever reads there": async () => {
    const { disk, ledger } = await soundJournal(openJournal, 11, "killed");
    const journal = await open(disk);
    const name = logsOf(disk)[0] ?? "";
    const content = disk.content(journalFolder, name);
    for (let offset = 0; offset < content.sizeBytes; offset++) {
      content.flipBit(offset, offset % 8);
      await journal
        .replay({}, (bytes, sequence) => {
          assert.ok(ledger.holds(sequence, bytes), `byte ${offset}: record ${sequence}`);
        })
        .catch((error: unknown) => assert.equal(codeOf(error), "NINES_JOURNAL_ROT"));
      content.flipBit(offset, offset % 8);
    }
    assert.equal(journal.failure, undefined, "a reader that finds rot stops no writer");
    await settled(journal.append(new Uint8Array(3)), "an append");
  },
});

describe("a file that is not what it was", () => {
  const seed = 11;

  async function refusal(change: (sound: SoundJournal) => void): Promise<NinesError> {
    const sound = await soundJournal(openJournal, seed, "closed");
    const before = contentsOf(sound.disk);
    change(sound);
    const changed = contentsOf(sound.disk);
    assert.notDeepEqual(changed, before);
    const error = await open(sound.disk).then(
      () => assert.fail("it was opened"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof NinesError, String(error));
    assert.deepEqual(contentsOf(sound.disk), changed, "a refused journal is left as it is");
    return error;
  }

  it("cut anywhere: refused by name", async () => {
    const { disk } = await soundJournal(openJournal, seed, "closed");
    for (const name of logsOf(disk)) {
      for (const sizeBytes of [0, 1, 511, 512, 1_024, sizeOf(disk, name) - 1]) {
        const error = await refusal((sound) => {
          sound.disk.content(journalFolder, name).truncate(sizeBytes);
        });
        assert.equal(error.code, "NINES_JOURNAL_ROT");
        assert.ok(error.message.includes(name), error.message);
      }
    }
  });

  it("missing in the middle: refused by name", async () => {
    const { disk } = await soundJournal(openJournal, seed, "closed");
    const name = logsOf(disk)[1] ?? "";
    const error = await refusal((sound) => sound.disk.takeAway(journalFolder, name));
    assert.equal(error.code, "NINES_JOURNAL_ROT");
    assert.ok(error.message.includes(name), error.message);
  });

  it("exchanged with another of the same journal, or of another journal: refused", async () => {
    const mine = logsOf((await soundJournal(openJournal, seed, "closed")).disk);
    let other: SoundJournal;
    let shared: readonly string[];
    let otherSeed = seed;
    do {
      other = await soundJournal(openJournal, ++otherSeed, "closed");
      shared = logsOf(other.disk).filter((name) => mine.includes(name));
    } while (shared.length < 2);
    const [one = "", two = ""] = shared;
    const swapped = await refusal(({ disk }) => {
      const first = bytesOf(disk, one);
      disk.place(journalFolder, one, bytesOf(disk, two));
      disk.place(journalFolder, two, first);
    });
    assert.equal(swapped.code, "NINES_JOURNAL_ROT");
    const foreign = await refusal(({ disk }) => {
      disk.place(journalFolder, two, bytesOf(other.disk, two));
    });
    assert.equal(foreign.code, "NINES_JOURNAL_ROT");
    assert.ok(foreign.message.includes(two), foreign.message);
  });

  it("of somebody else: refused by name, and nothing of it is touched", async () => {
    const error = await refusal(({ disk }) => {
      disk.place(journalFolder, "thesis.tex", new TextEncoder().encode("\\begin{document}"));
    });
    assert.equal(error.code, "NINES_JOURNAL_FOREIGN");
    assert.ok(error.message.includes("thesis.tex"), error.message);
  });

  it("of a folder that was never a journal: refused, unless it is empty", async () => {
    const disk = new SimulatedDisk();
    await disk.openFolder(journalFolder, { create: true });
    disk.place(journalFolder, "thesis.tex", new Uint8Array(1));
    const error = await open(disk).catch((reason: unknown) => reason);
    assert.equal(codeOf(error), "NINES_JOURNAL_FOREIGN");
    assert.deepEqual(disk.names(journalFolder), ["thesis.tex"]);
  });

  it("of a newer version: said so, and left as it is", async () => {
    const error = await refusal(({ disk }) => {
      const name = logsOf(disk).at(-1) ?? "";
      disk.place(journalFolder, name, newer(bytesOf(disk, name)));
    });
    assert.equal(error.code, "NINES_JOURNAL_NEWER");
    assert.match(error.message, /version/);
  });
});

describe("a second writer", () => {
  it("is refused until the first is gone", async () => {
    const disk = new SimulatedDisk();
    const first = await open(disk);
    const error = await open(disk).catch((reason: unknown) => reason);
    assert.equal(codeOf(error), "NINES_JOURNAL_LOCKED");
    await settled(first.append(new Uint8Array(5)), "an append");
    await settled(first.close(), "closing");
    const second = await open(disk);
    assert.equal(second.lastSequence, 1);
    await settled(second.close(), "closing");
  });
});

function open(disk: SimulatedDisk) {
  const options = { segmentBytes: 4_096 };
  return settled(openJournal(journalFolder, options, disk, new HandClock()), "opening");
}

function codeOf(error: unknown): string {
  return error instanceof NinesError ? error.code : String(error);
}

function namesOf(disk: SimulatedDisk, ending: string): readonly string[] {
  return disk.names(journalFolder).filter((name) => name.endsWith(ending));
}

function logsOf(disk: SimulatedDisk): readonly string[] {
  return namesOf(disk, ".log");
}

function sizeOf(disk: SimulatedDisk, name: string): number {
  return disk.content(journalFolder, name).sizeBytes;
}

function bytesOf(disk: SimulatedDisk, name: string): Uint8Array {
  const content = disk.content(journalFolder, name);
  const bytes = new Uint8Array(content.sizeBytes);
  content.read(bytes, 0);
  return bytes;
}

function contentsOf(disk: SimulatedDisk): ReadonlyMap<string, Uint8Array> {
  return new Map(disk.names(journalFolder).map((name) => [name, bytesOf(disk, name)]));
}

/** The same segment as a later version of the format would begin it, with a checksum that fits. */
function newer(segment: Uint8Array): Uint8Array {
  const changed = segment.slice();
  const view = new DataView(changed.buffer);
  view.setUint32(8, 3, true);
  view.setUint32(508, crc32c(0, view, 0, 508), true);
  return changed;
}

function isInUseAgain(disk: SimulatedDisk, name: string): boolean {
  const bytes = bytesOf(disk, name);
  const kinds = new Set<string>();
  for (let at = sectorBytes; at < bytes.length; at += sectorBytes) {
    kinds.add(sectorKind(viewOf(bytes), at, Number.parseInt(name, 10)));
  }
  return kinds.has("begin") && kinds.has("older");
}
