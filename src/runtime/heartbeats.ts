// The heartbeats port on Node: a socket for lines, and a look at files.
//
//   socket   one line a sign: "INSTANCE TOKEN\n". Any number on one connection. A wrong one is
//            answered "refused" and ends the connection.
//   file     its modification time, looked at ten times in each interval: a look costs 20 us.
//
// The token is HMAC-SHA256 of the instance's name under a secret of this state directory: it is the
// same for every control, so an instance that outlives control goes on; and it need not be kept for
// each instance. Whoever runs as the instance's user can read it in its environment and keep a dead
// instance alive; nobody can for another's.
//
// Anybody on this machine may connect. Who has no token must not keep out who has one: there are
// few places for strangers, for a short time each, and a new one takes the place of the oldest. Nor
// may an instance take the places of the others.
//
// Rejected: the admin socket (an instance may have another user, and must not be able to give
// orders), datagrams on a unix socket (Node has none), fs.watch (silent on network file systems).

import { createHmac, timingSafeEqual } from "node:crypto";
import { chmodSync, renameSync, stat } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { HeartbeatPlace, Heartbeats } from "../ports/heartbeats.ts";

const connectionsMax = 1_024;
const lineBytesMax = 512;
/** Who has said nothing right yet only takes a place: so many, each for so long. */
export const strangersMax = 128;
const strangerMs = 10_000;
/** A program with several processes may give its signs on several. */
export const connectionsOfInstanceMax = 32;
/** Longer than the longest interval that can be asked for, twice. */
const friendMs = 3 * 3_600_000;
const looksInInterval = 10;
const lookMsMin = 10;
const lookMsMax = 500;

export interface HeartbeatsOptions {
  /** Path of the socket; what is there is replaced. */
  readonly socket: string;
  /** Of the state directory; at least 16 bytes. */
  readonly secret: Uint8Array;
}

/** Rejects when the socket cannot be listened on. */
export async function openHeartbeats(options: HeartbeatsOptions): Promise<Heartbeats & Disposable> {
  const listeners = new Map<string, () => void>();
  const tokenOf = (instance: string): string =>
    createHmac("sha256", options.secret).update(instance).digest("hex");
  const sockets = new Set<Socket>();
  const places = createPlaces();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    places.arrived(socket);
    serve(socket, tokenOf, places.known, (instance) => listeners.get(instance)?.());
  });
  server.maxConnections = connectionsMax;
  await listenOn(server, options.socket);
  return {
    environmentOf: ({ instance, everyMs, file }) => ({
      NINES_HEARTBEAT_EVERY_MS: String(everyMs),
      NINES_HEARTBEAT_FILE: file,
      NINES_HEARTBEAT_SOCKET: options.socket,
      NINES_HEARTBEAT_TOKEN: tokenOf(instance),
    }),
    listen(place, heard) {
      listeners.set(place.instance, heard);
      const file = watchFile(place, heard);
      return {
        [Symbol.dispose]: () => {
          file[Symbol.dispose]();
          if (listeners.get(place.instance) === heard) listeners.delete(place.instance);
        },
      };
    },
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Listens beside the path and takes its place in one step: a dead control's is in the way. */
async function listenOn(server: Server, path: string): Promise<void> {
  const beside = `${path}.${process.pid.toString(36)}`;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(beside, resolve);
  });
  server.on("error", () => undefined);
  // Instances have users of their own; what they may say here is checked.
  chmodSync(beside, 0o666);
  renameSync(beside, path);
  server.unref();
}

interface Places {
  readonly arrived: (socket: Socket) => void;
  /** It has the token of this instance. */
  readonly known: (socket: Socket, instance: string) => void;
}

function createPlaces(): Places {
  /** The oldest first, as in each of the sets of instances. */
  const strangers = new Map<Socket, NodeJS.Timeout>();
  const byInstance = new Map<string, Set<Socket>>();

  function leave(socket: Socket): void {
    clearTimeout(strangers.get(socket));
    strangers.delete(socket);
  }

  return {
    arrived(socket) {
      const [oldest] = strangers.keys();
      if (oldest !== undefined && strangers.size >= strangersMax) {
        leave(oldest);
        oldest.destroy();
      }
      const timer = setTimeout(() => socket.destroy(), strangerMs);
      timer.unref();
      strangers.set(socket, timer);
      socket.on("close", () => leave(socket));
    },
    known(socket, instance) {
      leave(socket);
      const own = byInstance.get(instance) ?? new Set();
      if (own.has(socket) || socket.destroyed) return;
      const [oldest] = own;
      if (oldest !== undefined && own.size >= connectionsOfInstanceMax) {
        own.delete(oldest);
        oldest.destroy();
      }
      byInstance.set(instance, own.add(socket));
      socket.on("close", () => {
        own.delete(socket);
        if (own.size === 0 && byInstance.get(instance) === own) byInstance.delete(instance);
      });
    },
  };
}

function serve(
  socket: Socket,
  tokenOf: (instance: string) => string,
  known: Places["known"],
  heard: (instance: string) => void,
): void {
  let line = "";
  socket.setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("timeout", () => socket.destroy());
  socket.on("data", (text: string) => {
    const lines = (line + text).split("\n");
    line = lines.pop() ?? "";
    for (const whole of lines) {
      const [instance = "", token = ""] = whole.trim().split(" ");
      if (!equal(token, tokenOf(instance))) return void socket.end("refused\n");
      known(socket, instance);
      socket.setTimeout(friendMs);
      heard(instance);
    }
    if (line.length > lineBytesMax) socket.end("refused\n");
  });
}

/** In a time that tells nothing of how much is right. */
function equal(told: string, expected: string): boolean {
  const [a, b] = [Buffer.from(told), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function watchFile({ file, everyMs }: HeartbeatPlace, heard: () => void): Disposable {
  const lookMs = Math.min(lookMsMax, Math.max(lookMsMin, everyMs / looksInInterval));
  /** Undefined until the first look: what was touched before that does not count. */
  let known: number | undefined;
  let looking = false;
  let disposed = false;
  const look = (): void => {
    // A hung disk answers no look; they must not pile up.
    if (looking) return;
    looking = true;
    stat(file, (error, found) => {
      looking = false;
      if (disposed) return;
      const touchedMs = error === null ? found.mtimeMs : 0;
      if (known !== undefined && touchedMs !== known && touchedMs !== 0) heard();
      known = touchedMs;
    });
  };
  look();
  const timer = setInterval(look, lookMs);
  timer.unref();
  return {
    [Symbol.dispose]: () => {
      disposed = true;
      clearInterval(timer);
    },
  };
}
