// A listening socket that this process inherited, as a thing that can be opened and closed.
//
// The descriptor was bound by another process; here it is only accepted from. Closing the listener
// closes this process's descriptor and nothing else: the kernel's queue stays with the others that
// hold one, so a connection is never refused.
//
// Pausing keeps the descriptor and only takes it out of the poll set, so a worker can leave the
// next connections to its peers for a moment, as often as it likes, for the price of a call.
// libuv polls a listening handle by the same watcher as a reading one, so reading it "starts" and
// "stops" accepting; a test shows it on each version of Node. Rejected: closing the descriptor and
// opening another (Node cannot duplicate one, so each pause would use up a spare).
//
// Node makes a socket of each handle that it accepts. The accepting handle's callback is taken over
// so that none is made (handle-wire.ts). Where that handle is not what we know, the 'connection'
// event serves, slower and as right.

import { createServer, type Server } from "node:net";
import { adoptHandle } from "./handle-wire.ts";
import { SocketWire } from "./socket-wire.ts";
import type { Wire } from "./wire.ts";

export interface ListenerOptions {
  /** A bound (and perhaps listening) stream socket; owned by the listener from now on. */
  readonly fd: number;
  /** Called in the accept loop: closing or pausing the listener inside it ends the loop. */
  readonly onConnection: (wire: Wire) => void;
  /** Could not listen, or accepting failed (out of descriptors, say). The listener may live on. */
  readonly onError: (error: Error) => void;
  /** It accepts from now on. */
  readonly onListening?: () => void;
}

export interface Listener {
  readonly fd: number;
  /** The kernel keeps what arrives until `resume` or a peer takes it. False: this Node cannot. */
  pause(): boolean;
  resume(): void;
  /** Stops accepting and closes the descriptor at once. Accepted sockets live on. Idempotent. */
  close(): void;
}

/** Pending connections that the kernel may hold for us; it lowers this to net.core.somaxconn. */
const BACKLOG = 4096;

export function openListener(options: ListenerOptions): Listener {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    options.onConnection(new SocketWire(socket)),
  );
  server.on("error", options.onError);
  server.listen({ fd: options.fd, backlog: BACKLOG }, () => options.onListening?.());
  takeOverAccepting(server, options);
  const handle = acceptingHandle(server);
  // Only a handle that has been told to read can be told to stop.
  const canPause = handle?.readStart?.() === 0;
  let open = true;
  return {
    fd: options.fd,
    pause(): boolean {
      if (open && canPause) handle.readStop?.();
      return open && canPause;
    },
    resume(): void {
      if (open && canPause) handle.readStart?.();
    },
    close(): void {
      if (!open) return;
      open = false;
      server.close();
    },
  };
}

interface AcceptingHandle {
  onconnection: (status: number, handle: object | undefined) => void;
  /** 0 when it worked. */
  readStart?(): number;
  readStop?(): number;
}

function acceptingHandle(server: Server): AcceptingHandle | undefined {
  return (server as unknown as { _handle?: AcceptingHandle | null })._handle ?? undefined;
}

function takeOverAccepting(server: Server, options: ListenerOptions): void {
  const handle = acceptingHandle(server);
  const makeSocket = handle?.onconnection;
  if (handle === undefined || typeof makeSocket !== "function") return;
  handle.onconnection = function (status, accepted) {
    if (status !== 0 || accepted === undefined) {
      options.onError(new Error(`accepting a connection failed: system error ${-status}`));
      return;
    }
    const wire = adoptHandle(accepted);
    if (wire !== undefined) options.onConnection(wire);
    else makeSocket.call(handle, status, accepted);
  };
}
