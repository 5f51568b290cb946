// `nines/heartbeat`: signs of life of an application that Nines runs, from its own event loop, so
// that one that is stuck gives none.
//
//   const heartbeat = startHeartbeat();   // heartbeat[Symbol.dispose]() ends it
//
// Twice in each interval, a line to the socket that Nines told of in the environment. Not run by
// Nines, or without `health.heartbeat`, it does nothing. It never keeps the process alive, never
// throws, and connects again when control was away: what could not be said then is not said later.

import { connect, type Socket } from "node:net";

export interface HeartbeatOptions {
  /** Where Nines says what it wants; the process's own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Gives signs of life until it is disposed of. */
export function startHeartbeat({ environment = process.env }: HeartbeatOptions = {}): Disposable {
  const path = environment["NINES_HEARTBEAT_SOCKET"];
  const line = `${environment["NINES_INSTANCE"]} ${environment["NINES_HEARTBEAT_TOKEN"]}\n`;
  const everyMs = Number(environment["NINES_HEARTBEAT_EVERY_MS"]);
  if (path === undefined || !(everyMs > 0)) return { [Symbol.dispose]: () => undefined };

  let socket: Socket | undefined;
  const beat = (): void => {
    if (socket === undefined) socket = open(path, () => (socket = undefined));
    // A control that is stopped reads nothing: one line waits for it, not a thousand.
    if (socket.writableLength === 0) socket.write(line);
  };
  beat();
  const timer = setInterval(beat, everyMs / 2);
  timer.unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      socket?.destroy();
    },
  };
}

function open(path: string, closed: () => void): Socket {
  const socket = connect(path);
  socket.unref();
  socket.on("error", () => socket.destroy());
  socket.on("close", closed);
  // A refusal is all that is ever said to us; the end of the connection follows.
  socket.resume();
  return socket;
}
