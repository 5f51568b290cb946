// The board: a small file on which every worker keeps one line about itself.
//
// It serves two purposes that need no live link to anybody. Workers read it after each accepted
// connection to share connections evenly (core/balance/accept-share.ts), for four microseconds of
// reading and writing. And whoever comes new, a parent or control, learns from it which workers
// there are: a worker's line appears at its launch, written by the parent that launched it. A
// worker that finds itself alone on it reads and writes it with its beat only.
//
// A slot is a worker's number modulo the slots, written in one pwrite; its stamp is refreshed every
// 50 ms, so a stopped worker's line goes stale by itself. The number stays when the worker has
// ended, which is how numbers go on growing. A number is passed over while its slot shows a worker
// that lives, for whoever asks who may still serve (the steward's fence) must see it. Two share a
// slot only where more live than a gateway and the one before it may have (`gateway.workers` is
// bounded for that): it then shows the newer one alone. The file outlives the machine's boot and
// may be damaged by its end: a line is believed only where its number belongs, and whoever acts on
// one looks first whether that process lives. Rejected: shared memory (Node has none across
// processes), a message a connection (a peer that is busy accepting reads it too late).

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { type PeerLoad, WORKERS_MAX } from "../../core/balance/accept-share.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";

const SLOTS = 2 * WORKERS_MAX;
const SLOT_BYTES = 128;
const BOARD_BYTES = SLOTS * SLOT_BYTES;
const AT_WORKER = 0;
const AT_PID = 4;
const AT_STAMP = 8;
const AT_KEPT = 16;
const AT_OPEN = 20;
const AT_ACCEPTED = 24;
const AT_FLAGS = 32;
const AT_START_LENGTH = 36;
const AT_START = 40;
const START_BYTES_MAX = SLOT_BYTES - AT_START;
/** What Linux allows; a number beyond them is damage. */
const PID_MAX = 2 ** 22;
const WORKER_MAX = 2 ** 31;
const PAUSED = 1;
const DRAINING = 2;

export interface BoardLine extends PeerLoad {
  readonly identity: ProcessIdentity;
  /** It accepts no more and ends when its connections have. */
  readonly draining: boolean;
}

/**
 * The line of a worker that was launched and has not written its own: known, and not yet a peer.
 */
export function launchedLine(worker: number, identity: ProcessIdentity): BoardLine {
  const idle = { open: 0, kept: 0, accepted: 0, paused: false, draining: false };
  return { worker, identity, atMs: 0, ...idle };
}

export interface Board extends Disposable {
  publish(line: BoardLine): void;
  /**
   * The worker has ended; its number stays used. Nothing happens when its slot is another's by now.
   */
  clear(worker: number): void;
  /** Everybody's line, also of workers that died without a word. */
  lines(): readonly BoardLine[];
  /** The loads of all but `worker` and those that drain; stale ones are the reader's to ignore. */
  peersOf(worker: number): readonly PeerLoad[];
  /** The number after `last` whose slot no worker that lives needs; the very next when all do. */
  nextWorker(last: number, lives: (identity: ProcessIdentity) => boolean): number;
  /** The largest number ever written, 0 when none. */
  largestWorker(): number;
}

/** Made when missing. Throws what the disk says. */
export function openBoard(path: string): Board {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  // Written in full once, so that later writes need no new blocks: a full disk cannot stop them.
  if (fstatSync(fd).size !== BOARD_BYTES) {
    ftruncateSync(fd, 0);
    writeSync(fd, Buffer.alloc(BOARD_BYTES), 0, BOARD_BYTES, 0);
  }
  return new FileBoard(fd);
}

class FileBoard implements Board {
  readonly #fd: number;
  readonly #slot = Buffer.alloc(SLOT_BYTES);
  readonly #all = Buffer.alloc(BOARD_BYTES);

  constructor(fd: number) {
    this.#fd = fd;
  }

  publish(line: BoardLine): void {
    const slot = this.#slot;
    slot.fill(0);
    slot.writeUInt32LE(line.worker, AT_WORKER);
    slot.writeUInt32LE(line.identity.pid, AT_PID);
    slot.writeDoubleLE(line.atMs, AT_STAMP);
    slot.writeUInt32LE(line.kept, AT_KEPT);
    slot.writeUInt32LE(line.open, AT_OPEN);
    slot.writeDoubleLE(line.accepted, AT_ACCEPTED);
    slot.writeUInt32LE((line.paused ? PAUSED : 0) | (line.draining ? DRAINING : 0), AT_FLAGS);
    const length = slot.write(line.identity.startTime, AT_START, START_BYTES_MAX, "latin1");
    slot.writeUInt32LE(length, AT_START_LENGTH);
    this.#write(line.worker);
  }

  clear(worker: number): void {
    if (this.#read().readUInt32LE((worker % SLOTS) * SLOT_BYTES + AT_WORKER) !== worker) return;
    this.#slot.fill(0);
    this.#slot.writeUInt32LE(worker, AT_WORKER);
    this.#write(worker);
  }

  lines(): readonly BoardLine[] {
    const all = this.#read();
    const lines: BoardLine[] = [];
    for (let at = 0; at < BOARD_BYTES; at += SLOT_BYTES) {
      if (isLine(all, at)) lines.push(lineAt(all, at));
    }
    return lines;
  }

  peersOf(worker: number): readonly PeerLoad[] {
    const all = this.#read();
    const peers: PeerLoad[] = [];
    for (let at = 0; at < BOARD_BYTES; at += SLOT_BYTES) {
      if (!isLine(all, at) || all.readUInt32LE(at + AT_WORKER) === worker) continue;
      const draining = (all.readUInt32LE(at + AT_FLAGS) & DRAINING) !== 0;
      if (!draining) peers.push(loadAt(all, at));
    }
    return peers;
  }

  nextWorker(last: number, lives: (identity: ProcessIdentity) => boolean): number {
    const bySlot = new Map(this.lines().map((line) => [line.worker % SLOTS, line.identity]));
    for (let worker = last + 1; worker <= last + SLOTS; worker++) {
      const identity = bySlot.get(worker % SLOTS);
      if (identity === undefined || !lives(identity)) return worker;
    }
    return last + 1;
  }

  largestWorker(): number {
    const all = this.#read();
    let largest = 0;
    for (let at = 0; at < BOARD_BYTES; at += SLOT_BYTES) {
      if (isNumberOf(all, at)) largest = Math.max(largest, all.readUInt32LE(at + AT_WORKER));
    }
    return largest;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #read(): Buffer {
    readSync(this.#fd, this.#all, 0, BOARD_BYTES, 0);
    return this.#all;
  }

  #write(worker: number): void {
    writeSync(this.#fd, this.#slot, 0, SLOT_BYTES, (worker % SLOTS) * SLOT_BYTES);
  }
}

/** A worker's number lies in its own slot only: whatever else is there was not written by us. */
function isNumberOf(all: Buffer, at: number): boolean {
  const worker = all.readUInt32LE(at + AT_WORKER);
  return worker % SLOTS === at / SLOT_BYTES && worker <= WORKER_MAX;
}

function isLine(all: Buffer, at: number): boolean {
  const pid = all.readUInt32LE(at + AT_PID);
  return pid > 0 && pid <= PID_MAX && isNumberOf(all, at);
}

function loadAt(all: Buffer, at: number): PeerLoad {
  return {
    worker: all.readUInt32LE(at + AT_WORKER),
    atMs: all.readDoubleLE(at + AT_STAMP),
    open: all.readUInt32LE(at + AT_OPEN),
    kept: all.readUInt32LE(at + AT_KEPT),
    accepted: all.readDoubleLE(at + AT_ACCEPTED),
    paused: (all.readUInt32LE(at + AT_FLAGS) & PAUSED) !== 0,
  };
}

function lineAt(all: Buffer, at: number): BoardLine {
  const length = Math.min(all.readUInt32LE(at + AT_START_LENGTH), START_BYTES_MAX);
  const startTime = all.toString("latin1", at + AT_START, at + AT_START + length);
  return {
    ...loadAt(all, at),
    identity: { pid: all.readUInt32LE(at + AT_PID), startTime },
    draining: (all.readUInt32LE(at + AT_FLAGS) & DRAINING) !== 0,
  };
}
