// The side of a link that is connected to: a unix socket at a path where peers say hello first.
//
// A newer process takes the path over without a gap: it listens beside the path and renames onto
// it, so a connecting peer meets the old or the new one, never nobody, and an old one that ends
// late cannot remove the path from under the new one.

import { chmodSync, renameSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Hello } from "../contract.ts";
import { type Link, type LinkHandlers, type Message, openLink } from "./link.ts";

/** A gateway has at most a few dozen processes; more peers than this are somebody else's. */
const PEERS_MAX = 256;
const HELLO_WITHIN_MS = 1_000;

export interface LinkServerOptions<In extends Message, Out extends Message> {
  readonly path: string;
  readonly parse: (value: unknown) => In | Hello | undefined;
  /** A peer said hello. What it says next goes to the handlers returned; undefined cuts it off. */
  readonly onPeer: (hello: Hello, link: Link<Out>) => PeerHandlers<In> | undefined;
}

export type PeerHandlers<In extends Message> = Pick<LinkHandlers<In>, "onMessage" | "onClose">;

/** Resolves when it listens; rejects when the path cannot be listened on. */
export async function serveLinks<In extends Message, Out extends Message>(
  options: LinkServerOptions<In, Out>,
): Promise<Disposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size >= PEERS_MAX) return socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    return welcome(socket, options);
  });
  // Two processes that start at once must not share the name; five digits fit any pid.
  const beside = `${options.path}.${process.pid.toString(36)}`;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(beside, resolve);
  });
  server.on("error", () => undefined);
  chmodSync(beside, 0o600);
  renameSync(beside, options.path);
  return {
    [Symbol.dispose](): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function welcome<In extends Message, Out extends Message>(
  socket: Socket,
  options: LinkServerOptions<In, Out>,
): void {
  let peer: PeerHandlers<In> | undefined;
  const link = openLink<In | Hello, Out>(socket, {
    parse: options.parse,
    onMessage: (message) => {
      if (peer !== undefined) {
        if (message.type !== "hello") peer.onMessage(message as In);
        return;
      }
      clearTimeout(impatience);
      peer = message.type === "hello" ? options.onPeer(message as Hello, link) : undefined;
      if (peer === undefined) link.close("the peer is not welcome");
    },
    onClose: (why) => {
      clearTimeout(impatience);
      peer?.onClose(why);
    },
  });
  const impatience = setTimeout(() => link.close("the peer said no hello"), HELLO_WITHIN_MS);
}
