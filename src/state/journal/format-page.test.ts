// docs/reference/journal-format.md, taken at its word: a segment and a snapshot made by what the
// page says and by nothing else of ours, read by the journal; and what the journal writes,
// compared.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { verifyJournal } from "./examine-journal.ts";
import { bytesOf, openRig, place, rejectsWith, textOf, textsOf } from "./journal.fixture.ts";

const records = ["", "a", "x".repeat(507), "y".repeat(1_500), "\0".repeat(3_000)];

/** By the definition, a bit at a time. */
function crc(bytes: Buffer, goingOnFrom = 0): number {
  let state = ~goingOnFrom;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f63b78 : 0);
  }
  return ~state >>> 0;
}

function segmentHeader(number: number, size: number, madeMs: number): Buffer {
  const sector = Buffer.alloc(512);
  sector.write("NINESLOG");
  sector.writeUInt32LE(2, 8);
  sector.writeBigUInt64LE(BigInt(number), 16);
  sector.writeBigUInt64LE(BigInt(size), 24);
  sector.writeBigUInt64LE(BigInt(madeMs), 32);
  sector.writeUInt32LE(crc(sector.subarray(0, 508)), 508);
  return sector;
}

function group(
  segment: number,
  before: number,
  firstSequence: number,
  wallMs: number,
  texts: readonly string[],
) {
  const parts = texts.map((text) => {
    const record = Buffer.alloc(Math.ceil((4 + text.length) / 8) * 8);
    record.writeUInt32LE(text.length, 0);
    record.write(text, 4);
    return record;
  });
  const header = Buffer.alloc(36);
  const end = 36 + parts.reduce((sum, part) => sum + part.length, 0);
  header.writeUInt32LE(before, 0);
  header.writeUInt32LE(end, 4);
  header.writeUInt32LE(texts.length, 8);
  header.writeBigUInt64LE(BigInt(firstSequence), 16);
  header.writeBigUInt64LE(BigInt(wallMs), 24);
  const bytes = withRoomForSeals(Buffer.concat([header, ...parts]));
  const checksums: number[] = [];
  for (let at = 512; at < bytes.length; at += 512) {
    checksums.push(seal(bytes.subarray(at, at + 512), segment));
  }
  const others = Buffer.alloc(4 * checksums.length);
  for (const [at, checksum] of checksums.entries()) others.writeUInt32LE(checksum, 4 * at);
  bytes.writeUInt32LE(others.length === 0 ? 0 : crc(others), 12);
  return { bytes, checksum: seal(bytes.subarray(0, 512), 0x80000000 + segment) };
}

function seal(sector: Buffer, number: number): number {
  sector.writeUInt32LE(number, 504);
  const checksum = crc(sector.subarray(0, 508));
  sector.writeUInt32LE(checksum, 508);
  return checksum;
}

function withRoomForSeals(content: Buffer): Buffer {
  const p = content.length / 4;
  const out = Buffer.alloc(Math.ceil(p / 126) * 512);
  content.copy(out);
  let to = p;
  for (let word = 0; word < p; word++) {
    if (word % 128 < 126) continue;
    while (to % 128 >= 126) to++;
    out.writeUInt32LE(content.readUInt32LE(word * 4), to * 4);
    to++;
  }
  return out;
}

function snapshot(
  through: number,
  wallMs: number,
  content: string,
  contentBytes = content.length,
): Buffer {
  const header = Buffer.alloc(40);
  header.write("NINESNAP");
  header.writeUInt32LE(1, 8);
  header.writeBigUInt64LE(BigInt(through), 16);
  header.writeBigUInt64LE(BigInt(wallMs), 24);
  header.writeUInt32LE(crc(header.subarray(0, 36)), 36);
  const block = Buffer.alloc(8 + Math.ceil(content.length / 4) * 4);
  block.writeUInt32LE(content.length, 4);
  block.write(content, 8);
  block.writeUInt32LE(crc(block.subarray(4), header.readUInt32LE(36)), 0);
  const end = Buffer.alloc(16);
  end.writeBigUInt64LE(BigInt(contentBytes), 8);
  end.writeUInt32LE(crc(end.subarray(4), block.readUInt32LE(0)), 0);
  return Buffer.concat([header, block, end]);
}

test("what the page says is what the journal writes, and what it reads", async () => {
  const { journal, disk, clock } = await openRig({ segmentBytes: 16_384 });
  const madeMs = clock.wallMs();
  // What was written before must not shine through where the page says zeros.
  const dirt = ["z".repeat(2_000), "z".repeat(2_000)];
  for (const text of dirt) await journal.append(bytesOf(text));
  clock.advance(5);
  await journal.append(records.map(bytesOf));
  clock.advance(5);
  await journal.append(bytesOf("last"));
  await journal.snapshot({ through: 8, chunks: [bytesOf("the state")] });

  const header = segmentHeader(1, 16_384, madeMs);
  const groups = [header];
  let before = header.readUInt32LE(508);
  let sequence = 1;
  for (const [texts, wallMs] of [
    [dirt.slice(0, 1), madeMs],
    [dirt.slice(1), madeMs],
    [records, madeMs + 5],
    [["last"], madeMs + 10],
  ] as const) {
    const made = group(1, before, sequence, wallMs, texts);
    groups.push(made.bytes);
    before = made.checksum;
    sequence += texts.length;
  }
  const segment = Buffer.alloc(16_384);
  Buffer.concat(groups).copy(segment);
  const state = snapshot(8, madeMs + 10, "the state");

  for (const [name, bytes] of [
    ["0000000000000001.log", segment],
    ["0000000000000008.snapshot", state],
  ] as const) {
    const written = Buffer.alloc(disk.content(place, name).sizeBytes);
    disk.content(place, name).read(written, 0);
    assert.deepEqual(written, bytes, name);
  }

  const other = new SimulatedDisk();
  await other.openFolder(place, { create: true });
  other.place(place, "0000000000000001.log", segment);
  other.place(place, "0000000000000008.snapshot", state);
  const again = await openRig({}, other);
  assert.deepEqual(await textsOf(again.journal), [...dirt, ...records, "last"]);
  const found = await again.journal.latestSnapshot();
  let content = "";
  for await (const chunk of found?.read() ?? []) content += textOf(chunk);
  assert.equal(content, "the state");
});

test("what an older segment left in the file is none of the log's", async () => {
  const header = segmentHeader(1, 4_096, 5);
  const first = group(1, header.readUInt32LE(508), 1, 5, ["one", "x".repeat(2_500)]);
  const older = Buffer.alloc(4_096);
  Buffer.concat([header, first.bytes]).copy(older);
  const second = group(2, first.checksum, 3, 6, ["three", "y".repeat(600)]);
  const reused = Buffer.from(older);
  Buffer.concat([segmentHeader(2, 4_096, 6), second.bytes]).copy(reused);
  const disk = new SimulatedDisk();
  await disk.openFolder(place, { create: true });
  disk.place(place, "0000000000000001.log", older);
  disk.place(place, "0000000000000002.log", reused);
  const { journal } = await openRig({}, disk);
  const texts = await textsOf(journal);
  assert.deepEqual([texts[0], texts[2], journal.lastSequence], ["one", "three", 4]);

  // Torn: the second sector of two is as it was before.
  const torn = Buffer.from(reused);
  older.copy(torn, 1_024, 1_024, 1_536);
  disk.place(place, "0000000000000002.log", torn);
  const report = await verifyJournal(place, disk);
  assert.deepEqual([report.lastSequence, report.tornTail?.offset], [2, 512]);
  assert.deepEqual(report.damages, []);

  // Of a larger number than the segment's nothing can be.
  group(3, 0, 1, 5, ["?"]).bytes.copy(reused, 2_560);
  disk.place(place, "0000000000000002.log", reused);
  const { damages } = await verifyJournal(place, disk);
  assert.match(damages[0]?.what ?? "", /the sector at byte 2560 does not match/);
});

test("what contradicts itself is refused, though each checksum is right", async () => {
  const header = segmentHeader(1, 16_384, 5);
  const first = group(1, header.readUInt32LE(508), 1, 5, ["one"]);
  const skipping = group(1, first.checksum, 3, 5, ["three"]);
  const segment = Buffer.alloc(16_384);
  Buffer.concat([header, first.bytes, skipping.bytes]).copy(segment);
  const disk = new SimulatedDisk();
  await disk.openFolder(place, { create: true });
  disk.place(place, "0000000000000001.log", segment);
  const error = await rejectsWith(openRig({}, disk), "NINES_JOURNAL_ROT");
  assert.match(error.message, /a group has the wrong sequence/);

  const stranger = group(1, first.checksum + 1, 2, 5, ["two"]);
  Buffer.concat([header, first.bytes, stranger.bytes]).copy(segment);
  disk.place(place, "0000000000000001.log", segment);
  const other = await rejectsWith(openRig({}, disk), "NINES_JOURNAL_ROT");
  assert.match(other.message, /a group does not go on from the one before/);

  segment.fill(0, 1_024);
  disk.place(place, "0000000000000001.log", segment);
  const { journal } = await openRig({}, disk);
  for (const [bytes, what] of [
    [snapshot(1, 5, "state", 4), /content is missing/],
    [snapshot(2, 5, "state"), /another snapshot/],
    [Buffer.concat([snapshot(1, 5, "state"), Buffer.alloc(1)]), /behind the end/],
  ] as const) {
    const folder = new SimulatedDisk();
    await folder.openFolder(place, { create: true });
    folder.place(place, "0000000000000001.log", segment);
    folder.place(place, "0000000000000001.snapshot", bytes);
    const { damages } = await verifyJournal(place, folder);
    assert.equal(damages.length, 1);
    assert.match(damages[0]?.what ?? "", what);
  }
  await journal.close();
});
