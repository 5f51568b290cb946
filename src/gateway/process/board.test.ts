// What one process writes on the board, the others read.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Board, type BoardLine, launchedLine, openBoard } from "./board.ts";

const identity = { pid: 4_194_303, startTime: "123456789@0a1b2c3d" };

function line(worker: number, fields: Partial<BoardLine> = {}): BoardLine {
  const load = { open: 3, kept: 2, accepted: 2 ** 40, paused: true, draining: false };
  return { worker, identity, atMs: 12.5, ...load, ...fields };
}

function withBoards(run: (board: Board, peer: Board, path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "nines-board-"));
  const path = join(folder, "board");
  const boards = [openBoard(path), openBoard(path)] as const;
  try {
    run(boards[0], boards[1], path);
  } finally {
    for (const board of boards) board[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  }
}

describe("the board", () => {
  it("shows each line as it was written, to everybody", () => {
    withBoards((board, peer) => {
      assert.deepEqual(peer.lines(), []);
      board.publish(line(1));
      board.publish(line(2, { paused: false, draining: true }));
      const shown = peer.lines();
      assert.deepEqual(shown, [line(1), line(2, { paused: false, draining: true })]);
    });
  });

  it("tells a worker of its peers: not of itself, nor of those that drain", () => {
    withBoards((board, peer) => {
      for (const worker of [1, 2, 3]) board.publish(line(worker, { draining: worker === 3 }));
      assert.deepEqual(
        peer.peersOf(1).map(({ worker, open, kept, accepted }) => [worker, open, kept, accepted]),
        [[2, 3, 2, 2 ** 40]],
      );
    });
  });

  it("a launched worker is on it, too old to count as a peer", () => {
    withBoards((board, peer) => {
      board.publish(launchedLine(5, identity));
      assert.deepEqual(peer.lines()[0]?.identity, identity);
      assert.equal(peer.peersOf(1)[0]?.atMs, 0);
    });
  });

  it("remembers numbers of workers that have ended", () => {
    withBoards((board, peer) => {
      board.publish(line(66));
      board.publish(line(4));
      board.clear(66);
      assert.equal(peer.largestWorker(), 66);
      assert.deepEqual(
        peer.lines().map(({ worker }) => worker),
        [4],
      );
      // Slot 2 is worker 66's: the end of an earlier one that had it changes nothing.
      board.publish(line(66));
      board.clear(2);
      assert.equal(peer.lines().length, 2);
    });
  });

  it("gives no number whose line would hide a worker that lives, however many came since", () => {
    withBoards((board) => {
      const living = { pid: 7, startTime: "1" };
      const lives = ({ pid }: { readonly pid: number }) => pid === living.pid;
      board.publish(line(2, { identity: living, draining: true }));
      let last = 2;
      for (let started = 0; started < 200; started++) {
        last = board.nextWorker(last, lives);
        board.publish(line(last));
      }
      assert.equal(board.lines().find(({ identity: { pid } }) => pid === 7)?.worker, 2);
      assert.equal(last, 205, "66, 130 and 194 were passed over");
      assert.equal(
        board.nextWorker(last, () => true),
        206,
        "where all live, they share",
      );
    });
  });

  it("believes no line where its number does not belong, nor a number or pid that cannot be", () => {
    withBoards((board, peer, path) => {
      board.publish(line(1));
      const bytes = readFileSync(path);
      bytes.writeUInt32LE(1, 3 * 128);
      bytes.writeUInt32LE(77, 3 * 128 + 4);
      bytes.fill(0xff, 63 * 128, 64 * 128);
      writeFileSync(path, bytes);
      assert.deepEqual(peer.lines(), [line(1)]);
      assert.deepEqual(peer.peersOf(2).length, 1);
      assert.equal(peer.largestWorker(), 1);
    });
  });

  it("is made anew from a file of another size, and keeps its size for good", () => {
    withBoards((board, _peer, path) => {
      const size = readFileSync(path).length;
      board.publish(line(63));
      assert.equal(readFileSync(path).length, size);
      writeFileSync(path, "not a board");
      openBoard(path)[Symbol.dispose]();
      assert.equal(readFileSync(path).length, size);
      assert.deepEqual(board.lines(), []);
    });
  });
});
