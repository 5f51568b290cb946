// Sticky clients: a cookie that leads a client back to the instance that answered it first.
//
// Its value is the instance's pseudonym, HMAC-SHA256(key, service and id), cut to 128 bits:
// HAProxy's dynamic cookies. So a client learns no name or address, cannot make the cookie of
// another instance, and needs no state here: whoever has the key knows every cookie that was ever
// given, after a reload, a restart, or on another machine. It belongs to an ordinal, not to a port:
// an instance that is started anew has kept its data, and keeps its clients.
//
// Rejected: the id encrypted in the cookie (longer, and no more than the pseudonym says); a table
// of sessions (it grows with the clients, and dies with its process).

import { createHmac } from "node:crypto";
import { type Dispatcher, NO_INSTANCE } from "../../core/dispatch/dispatcher.ts";
import type { SameSite, StickyPolicy } from "../../core/route/table.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { cookieOf } from "./hash-key.ts";
import type { Instance } from "./instance-connection.ts";

const PSEUDONYM_BYTES = 16;

/** A service's instances by their pseudonyms. */
export class Pseudonyms {
  readonly #key: Buffer;
  readonly #service: string;
  readonly #byPseudonym = new Map<string, Instance>();

  constructor(key: Buffer, service: string) {
    this.#key = key;
    this.#service = service;
  }

  /** These are listed now, and nobody else. */
  list(instances: Iterable<Instance>): void {
    this.#byPseudonym.clear();
    for (const instance of instances) this.#byPseudonym.set(this.of(instance), instance);
  }

  of(instance: Instance): string {
    // Made once for as long as the worker knows the instance: it outlives tables.
    instance.pseudonym ??= createHmac("sha256", this.#key)
      .update(`${this.#service}\0${instance.id}`)
      .digest()
      .subarray(0, PSEUDONYM_BYTES)
      .toString("base64url");
    return instance.pseudonym;
  }

  find(pseudonym: string): Instance | undefined {
    return this.#byPseudonym.get(pseudonym);
  }
}

const sameSiteWord: Readonly<Record<SameSite, string>> = {
  lax: "Lax",
  strict: "Strict",
  none: "None",
};

/** What a route asks of its clients' cookies. */
export class Sticky {
  readonly #dispatcher: Dispatcher;
  readonly #pseudonyms: Pseudonyms;
  readonly #cookie: string;
  readonly #attributes: string;

  constructor(
    policy: StickyPolicy,
    service: string,
    dispatcher: Dispatcher,
    pseudonyms: Pseudonyms,
  ) {
    const { cookie, sameSite, secure, maxAgeMs } = policy;
    this.#dispatcher = dispatcher;
    this.#pseudonyms = pseudonyms;
    this.#cookie = cookie === "" ? `nines-${service}` : cookie;
    const age = maxAgeMs > 0 ? `; Max-Age=${Math.ceil(maxAgeMs / 1000)}` : "";
    const transport = secure ? "; Secure" : "";
    this.#attributes = `; Path=/; HttpOnly; SameSite=${sameSiteWord[sameSite]}${transport}${age}`;
  }

  /** Whom the request's cookie names, if it is one of ours and its instance is in the table. */
  heldBy(bytes: Buffer, head: RequestHead): Instance | undefined {
    const value = cookieOf(head.fields.find(bytes, "cookie"), this.#cookie);
    return value === undefined ? undefined : this.#pseudonyms.find(value);
  }

  /**
   * The line of an answer's head that makes its client stay with who answered; none while it stays
   * with another, who is only bridged.
   */
  lineFor(held: Instance | undefined, answered: Instance, nowMs: number): Buffer | undefined {
    if (answered === held) return undefined;
    const isBridged = held !== undefined && this.#dispatcher.stay(held, nowMs) !== NO_INSTANCE;
    if (isBridged) return undefined;
    const pair = `${this.#cookie}=${this.#pseudonyms.of(answered)}`;
    return Buffer.from(`Set-Cookie: ${pair}${this.#attributes}\r\n`, "latin1");
  }
}
