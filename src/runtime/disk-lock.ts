// The right to write to a folder: a socket that its holder listens on, for as long as it lives.
//
// The kernel closes a dead process's sockets at once, and answers for a live one even while it is
// stopped; neither pids that are used again nor containers that share the folder confuse it. Taking
// it must be one step: a taker listens under a name of its own, and links that to `writer-N`, one
// above the largest there is, if nobody answers at that. Of two takers one fails. N only grows, and
// the newest file stays when its holder goes: were it removed, a taker that was held up between its
// look and its link could meet another that begins at 1 again. After the link a taker looks again,
// and holds only what is still the largest.
// Rejected: flock (Node has none), a lock file with a pid (pid 7 of another container), a lock file
// that is removed and made again (two takers can remove each other's).

import { randomBytes } from "node:crypto";
import { link, readdir, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { DiskLock } from "../ports/disk.ts";
import { attempt } from "./disk-error.ts";

/** What fits into the kernel's address of a socket, with a margin. */
const socketPathBytesMax = 100;
const locksKept = 4;
const answerDeadlineMs = 2_000;

/** `descriptor` is the open folder at `path`. */
export async function takeLock(path: string, descriptor: number): Promise<DiskLock | undefined> {
  return attempt("lock", path, async () => {
    const before = await largest(path);
    const holder = socketPath(path, descriptor, `writer-${before}`);
    if (before > 0 && (await answers(holder))) return undefined;
    const temporary = `writer~${process.pid}-${randomBytes(6).toString("hex")}`;
    const server = await listen(socketPath(path, descriptor, temporary));
    try {
      const taken = await takeNext(path, temporary, before + 1);
      if (taken) return { release: () => close(server) };
    } catch (error) {
      await close(server);
      throw error;
    }
    await close(server);
    return undefined;
  });
}

/** One step that only one taker can make; `temporary` is what it listens under. */
export async function takeNext(path: string, temporary: string, next: number): Promise<boolean> {
  const name = join(path, `writer-${next}`);
  try {
    await link(join(path, temporary), name);
  } catch (error) {
    // Somebody was quicker, and may have swept ours away as well.
    if (codeOf(error) === "EEXIST" || codeOf(error) === "ENOENT") return false;
    throw error;
  }
  await remove(join(path, temporary));
  if ((await largest(path)) !== next) {
    await remove(name);
    return false;
  }
  await sweep(path, next);
  return true;
}

async function largest(path: string): Promise<number> {
  return Math.max(0, ...(await readdir(path)).map(numberOf));
}

/** 0 for a file that is no lock. */
function numberOf(name: string): number {
  return Number(/^writer-([1-9]\d{0,14})$/.exec(name)?.[1] ?? 0);
}

/** Locks long past, and names of takers that died before they could link them. */
async function sweep(path: string, taken: number): Promise<void> {
  for (const name of await readdir(path)) {
    const number = numberOf(name);
    const past = number > 0 && number <= taken - locksKept;
    if (past || /^writer~\d+-[0-9a-f]{12}$/.test(name)) {
      await remove(join(path, name));
    }
  }
}

function remove(path: string): Promise<void> {
  return rm(path, { force: true });
}

/** Whether a process listens there. One that listens and is too busy to take calls does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(answerDeadlineMs, () => settle(true));
    socket.on("connect", () => settle(true));
    socket.on("error", (error) => {
      const code = codeOf(error);
      settle(code !== "ECONNREFUSED" && code !== "ENOENT" && code !== "ENOTSOCK");
    });
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    // Stays on: what goes wrong with a call that comes in later takes nothing from the holder.
    server.on("error", reject);
    // `exclusive`: in a cluster's worker the listener must be this process's own.
    server.listen({ path, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function socketPath(folder: string, descriptor: number, name: string): string {
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= socketPathBytesMax || process.platform !== "linux") return path;
  return `/proc/self/fd/${descriptor}/${name}`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
