// The side of a link that connects, and connects again for as long as it is wanted.
//
// The peer may be away, be replaced, or come back: each new link begins with a hello, and the waits
// between two tries double to a quarter of a second, which bounds how long a new peer is unknown.

import { connect } from "node:net";
import { backoffCeilingMs } from "../../core/guard/backoff.ts";
import type { Hello } from "../contract.ts";
import { type Link, type Message, openLink } from "./link.ts";

const WAITING_MAX = 100;
const retry = { baseMs: 10, maxMs: 250 };

export interface LinkClientOptions<In extends Message> {
  readonly path: string;
  /** Asked at each connection: a term in it may have changed. */
  readonly hello: () => Hello;
  readonly parse: (value: unknown) => In | undefined;
  /** The peer is there and our hello is on its way. */
  readonly onOpen: () => void;
  readonly onMessage: (message: In) => void;
  /** A link that was open is gone. */
  readonly onLost: (why: string) => void;
  /** A try found nobody. */
  readonly onNobody?: () => void;
}

export interface LinkClient<Out extends Message> {
  readonly open: boolean;
  /** Waits while no link is open; of more than WAITING_MAX the oldest is dropped. */
  send(message: Out): void;
  /** Nothing happens while no link is open: a newer one will follow. */
  sendLatest(message: Out): void;
  /** Gives up the present link, if any, and tries again. */
  reconnect(why: string): void;
  /** Sends what waits and connects no more. */
  end(): void;
}

export function keepLinked<In extends Message, Out extends Message>(
  options: LinkClientOptions<In>,
): LinkClient<Out> {
  return new ReconnectingLink<In, Out>(options);
}

class ReconnectingLink<In extends Message, Out extends Message> implements LinkClient<Out> {
  readonly #options: LinkClientOptions<In>;
  #link: Link<Out | Hello> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting: Out[] = [];
  #failures = 0;
  #ended = false;
  open = false;

  constructor(options: LinkClientOptions<In>) {
    this.#options = options;
    this.#connect();
  }

  send(message: Out): void {
    if (this.open) {
      this.#link?.send(message);
      return;
    }
    this.#waiting.push(message);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  sendLatest(message: Out): void {
    if (this.open) this.#link?.sendLatest(message);
  }

  reconnect(why: string): void {
    this.#link?.close(why);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.open) this.#link?.end();
    else this.#link?.close("no longer wanted");
  }

  #connect(): void {
    const socket = connect(this.#options.path);
    socket.setTimeout(1_000, () => link.close("no connection in 1 s"));
    const link = openLink<In, Out | Hello>(socket, {
      parse: this.#options.parse,
      onMessage: (message) => {
        this.#failures = 0;
        this.#options.onMessage(message);
      },
      onClose: (why) => this.#lost(why),
    });
    this.#link = link;
    socket.on("connect", () => {
      if (this.#ended) return link.close("no longer wanted");
      socket.setTimeout(0);
      this.open = true;
      link.send(this.#options.hello());
      for (const message of this.#waiting) link.send(message);
      this.#waiting = [];
      return this.#options.onOpen();
    });
  }

  #lost(why: string): void {
    const wasOpen = this.open;
    this.open = false;
    this.#link = undefined;
    if (!this.#ended) {
      this.#failures++;
      this.#timer = setTimeout(() => this.#connect(), backoffCeilingMs(retry, this.#failures));
    }
    if (wasOpen) this.#options.onLost(why);
    else this.#options.onNobody?.();
  }
}
