// The exchanges of one worker, lent to client connections for as long as a request is under way.
//
// An exchange is most of what a connection consists of, and most kept connections are idle: so they
// have none, and a new connection need not make one. What is kept spare is bounded by what was
// under way at once, and by SPARE_MAX.

import type { Context } from "./context.ts";
import { Exchange, type ExchangeClient } from "./exchange.ts";

const SPARE_MAX = 1024;

export class ExchangePool {
  readonly #context: Context;
  readonly #spare: Exchange[] = [];

  constructor(context: Context) {
    this.#context = context;
  }

  lend(client: ExchangeClient): Exchange {
    const exchange = this.#spare.pop() ?? new Exchange(this.#context);
    exchange.serve(client);
    return exchange;
  }

  /** Nothing is under way on it. */
  takeBack(exchange: Exchange): void {
    exchange.leave();
    if (this.#spare.length < SPARE_MAX) this.#spare.push(exchange);
    else exchange.dispose();
  }
}
