// The listening sockets that the parent holds: bound and listening, and never accepted from.
//
// Listening here, not only in the workers, has two gains: a taken port shows at once and in one
// place, and clients wait in the kernel's queue from the first moment on, also while no worker
// lives. A plain server would accept, so the handle is opened a second time on its descriptor (only
// one opened so can be told to read, and by that to stop), listens, and is taken out of the poll
// set before the event loop can turn. The test shows that it accepts nothing.

import * as net from "node:net";
import { getSystemErrorMap } from "node:util";
import type { ErrorCode } from "../../core/base/errors.ts";
import type { ListenFailure } from "../contract.ts";
import { sayAddress } from "../process/launch.ts";

const BACKLOG = 4096;

/** What node:net's own server is made of; private to it, but the same since Node 0.10. */
interface TcpHandle {
  readonly fd: number;
  onconnection: () => void;
  listen(backlog: number): number;
  getsockname(into: { port?: number }): number;
  readStart(): number;
  readStop(): number;
  close(): void;
}
type CreateServerHandle = (
  address: string | null,
  port: number,
  addressType: 4 | 6 | null,
  fd: number,
) => TcpHandle | number;

export interface HeldSocket {
  readonly fd: number;
  close(): void;
}

/** A socket that listens on the address, or why there is none. */
export function holdSocket(host: string, port: number): HeldSocket | ListenFailure {
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })
    ._createServerHandle;
  const bound = create(host, port, net.isIPv6(host) ? 6 : 4, -1);
  if (typeof bound === "number") return failure(host, port, bound);
  // bind(2) on Linux keeps "in use" to itself until it is asked.
  const refused = bound.getsockname({});
  if (refused !== 0) {
    bound.close();
    return failure(host, port, refused);
  }
  const held = create(null, 0, null, bound.fd);
  if (typeof held === "number") {
    bound.close();
    return failure(host, port, held);
  }
  held.onconnection = () => undefined;
  const status = held.listen(BACKLOG) || held.readStart() || held.readStop();
  if (status !== 0) {
    held.close();
    return failure(host, port, status);
  }
  // `bound` is never closed: its descriptor is `held`'s now, and it watches nothing.
  return { fd: held.fd, close: () => held.close() };
}

const EADDRINUSE = "EADDRINUSE";

function failure(host: string, port: number, status: number): ListenFailure {
  const name = systemErrorName(status);
  const code: ErrorCode = name === EADDRINUSE ? "NINES_GATEWAY_PORT_TAKEN" : "NINES_GATEWAY_LISTEN";
  const address = sayAddress({ host, port });
  return { host, port, code, sentence: `cannot listen on ${address}: ${reason(name, port)}` };
}

function systemErrorName(status: number): string {
  return getSystemErrorMap().get(status)?.[0] ?? `system error ${-status}`;
}

function reason(name: string, port: number): string {
  switch (name) {
    case EADDRINUSE:
      return `port ${port} is taken by another program`;
    case "EACCES":
      return `port ${port} needs more rights than this user has`;
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    default:
      return name;
  }
}
