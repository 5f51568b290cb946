// The admin API on TCP, as the file wants it: opened, moved, closed, its tokens read anew.
//
// It is a way to look after the services, so it must not endanger them: when it cannot listen (the
// port is taken, a token's file is not private) that is said once, control goes on, and it is tried
// again each second. What is wrong closes it: tokens that are no longer kept well are no longer
// taken.

import type { AdminConfig } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { AdminActions } from "../admin/endpoints.ts";
import { createGate, type Gate, WRONG_TOKEN_DELAY_MS } from "../admin/gate.ts";
import { type AdminServer, serveAdminOnTcp } from "../admin/server.ts";
import { readTokens, type Tokens } from "../admin/tokens.ts";

/** However many requests lack the token, the log hears of them this often at most. */
const TURNED_AWAY_SAID_MS = 60_000;

export interface RemoteAdminOptions {
  readonly actions: AdminActions;
  readonly clock: Pick<Clock, "monotonicMs" | "after">;
  readonly events: Events;
}

export class RemoteAdmin {
  readonly #options: RemoteAdminOptions;
  readonly #gate: Gate;
  #wanted: AdminConfig | undefined;
  #open: { readonly where: string; readonly server: AdminServer } | undefined;
  #tokens: Tokens | undefined;
  #failure = "";
  #settled: Promise<void> = Promise.resolve();
  #turnedAway = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RemoteAdminOptions) {
    this.#options = options;
    this.#gate = createGate({
      tokens: () => this.#tokens,
      hosts: () => this.#wanted?.hosts ?? [],
      delay: () =>
        new Promise((resolve) => void options.clock.after(WRONG_TOKEN_DELAY_MS, resolve)),
      turnedAway: (address) => this.#countTurnedAway(address),
    });
  }

  /** Resolves to why it does not listen as wanted, or "". Never rejects. */
  async follow(wanted: AdminConfig | undefined): Promise<string> {
    this.#wanted = wanted;
    await this.#settle();
    return this.#failure;
  }

  /** Tries again what failed. */
  look(): void {
    if (this.#failure !== "") void this.#settle();
  }

  async close(): Promise<void> {
    await this.follow(undefined);
  }

  /** One change after another. */
  #settle(): Promise<void> {
    this.#settled = this.#settled.then(() => this.#bringAbout());
    return this.#settled;
  }

  async #bringAbout(): Promise<void> {
    try {
      await this.#openAsWanted();
      this.#failure = "";
    } catch (error) {
      await this.#shut();
      const why = error instanceof NinesError ? `${error.message} ${error.remedy}` : String(error);
      if (why !== this.#failure) {
        const sentence = `The admin API does not listen on TCP, and tries again: ${why}`;
        this.#options.events.record({ kind: "admin.not-listening", level: "error", sentence });
      }
      this.#failure = why;
    }
  }

  async #openAsWanted(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return this.#shut();
    this.#tokens = readTokens(wanted.tokenFile, wanted.readTokenFile);
    const where = `${wanted.host}:${wanted.port}`;
    if (this.#open?.where === where) return this.#open.server.review();
    await this.#shut();
    const { actions, events } = this.#options;
    this.#open = { where, server: await serveAdminOnTcp(wanted, actions, this.#gate) };
    const sentence = `The admin API listens on ${where}, for those who have its token`;
    events.record({ kind: "admin.listening", level: "info", sentence });
  }

  async #shut(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.server.close();
  }

  #countTurnedAway(address: string): void {
    this.#turnedAway++;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#saidAtMs < TURNED_AWAY_SAID_MS) return;
    const count = this.#turnedAway === 1 ? "A request" : `${this.#turnedAway} requests`;
    const sentence = `${count} to the admin API had no right token; the last came from ${address}`;
    this.#options.events.record({ kind: "admin.turned-away", level: "warning", sentence });
    this.#turnedAway = 0;
    this.#saidAtMs = nowMs;
  }
}
