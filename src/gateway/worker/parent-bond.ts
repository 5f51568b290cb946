// A worker's bond with its parent: the link while there is one, the succession when there is none.
//
// The worker never stops serving for any of this. See succession.ts for who does what when; here it
// is done: claim, start the new parent with our descriptors, link to whichever parent welcomes us.

import type { ChildProcess } from "node:child_process";
import type { Clock } from "../../ports/clock.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import type { FromParent, Heartbeat, Hello, Spent, SpentMessage, ToParent } from "../contract.ts";
import { keepLinked, type LinkClient } from "../link/client.ts";
import { readFromParent } from "../link/messages.ts";
import { type Identify, signalProcess } from "../process/host.ts";
import { type InheritedListener, launch } from "../process/launch.ts";
import type { GatewayPaths } from "../process/paths.ts";
import { nextStep, PARENT_SILENT_MS } from "./succession.ts";

const YIELD_MS = 300;
const COMPLAIN_EVERY_MS = 5_000;

export interface ParentBondOptions {
  readonly clock: Clock;
  readonly claims: TermClaims;
  readonly identify: Identify;
  readonly identity: ProcessIdentity;
  readonly worker: number;
  /** Of the parent that started us. */
  readonly term: number;
  readonly version: string;
  readonly paths: GatewayPaths;
  readonly parentCommand: readonly string[];
  /** What a new parent inherits. */
  readonly descriptors: () => readonly InheritedListener[];
  /** Whether the descriptors are all that the table asks for. */
  readonly descriptorsComplete: () => boolean;
  /** Whether a holder of the office is a worker that claimed it, and not a parent. */
  readonly isWorker: (holder: ProcessIdentity) => boolean;
  readonly onDrain: (drainMs: number, final: boolean) => void;
  readonly onSpent: (spent: readonly Spent[]) => void;
  readonly say: (kind: string, level: "info" | "warning" | "error", sentence: string) => void;
}

export class ParentBond {
  readonly #options: ParentBondOptions;
  readonly #link: LinkClient<ToParent>;
  #state: Heartbeat["state"] = "serving";
  #term: number;
  /** A parent has welcomed us on the link that is open now. */
  #bound = false;
  #heardMs: number;
  #holderTerm = -1;
  #holderSeenMs = 0;
  #child: ChildProcess | undefined;
  #complainedMs = -Infinity;

  constructor(options: ParentBondOptions) {
    this.#options = options;
    this.#term = options.term;
    this.#heardMs = options.clock.monotonicMs();
    this.#link = keepLinked<FromParent, ToParent>({
      path: options.paths.gatewaySocket,
      hello: () => this.#hello(),
      parse: readFromParent,
      onOpen: () => this.heartbeat(),
      onMessage: (message) => this.#hear(message),
      onLost: (why) => this.#lost(why),
    });
  }

  heartbeat(): void {
    this.#link.sendLatest({ type: "heartbeat", state: this.#state });
  }

  /** Other workers count it. Without a parent nobody does. */
  tell(message: SpentMessage): void {
    if (this.#link.open) this.#link.send(message);
  }

  /** We end: the parent is told, and we take part in no succession. */
  drain(): void {
    this.#state = "draining";
    this.heartbeat();
  }

  close(): void {
    this.#state = "draining";
    this.#link.end();
  }

  /**
   * Called every 50 ms. `lateMs` above 0: it was we who were held up, and silence proves nothing.
   */
  beat(nowMs: number, lateMs: number): void {
    if (lateMs > 0) {
      this.#heardMs = nowMs;
      this.#holderSeenMs = nowMs;
    }
    if (this.#state === "draining" || this.#options.descriptors().length === 0) return;
    if (this.#bound && nowMs - this.#heardMs < PARENT_SILENT_MS) return;
    if (this.#bound) this.#link.reconnect("it said nothing for 3 s");
    this.#succeed(nowMs);
  }

  #hello(): Hello {
    const { identity, worker, version } = this.#options;
    return { type: "hello", role: "worker", identity, term: this.#term, worker, version };
  }

  #hear(message: FromParent): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    if (message.type === "drain") {
      return this.#options.onDrain(message.drainMs, message.final);
    }
    if (message.type === "spent") return this.#options.onSpent(message.spent);
    // A parent of an older term than we have followed was replaced and does not know it yet.
    if (message.term < this.#term) return this.#link.reconnect("it has been replaced");
    this.#term = message.term;
    this.#bound = true;
    this.#holderTerm = -1;
  }

  #lost(why: string): void {
    if (!this.#bound) return;
    this.#bound = false;
    if (this.#state === "draining") return;
    this.#options.say(
      "gateway.parent-lost",
      "warning",
      `worker ${this.#options.worker} lost the gateway's parent of term ${this.#term}: ${why}`,
    );
  }

  #succeed(nowMs: number): void {
    const { claims, identity } = this.#options;
    try {
      const holder = claims.holder();
      const term = holder?.term ?? 0;
      if (term !== this.#holderTerm) {
        this.#holderTerm = term;
        this.#holderSeenMs = nowMs;
      }
      // An office that we hold for a parent which has ended already is as vacant as a dead man's.
      const vacant = holder?.identity.pid === identity.pid && this.#child === undefined;
      const seen = holder === undefined || !vacant ? holder : { ...holder, alive: false };
      const orphan = { lostTerm: this.#term, holder: seen, holderSeenMs: this.#holderSeenMs };
      // While listeners are being added some workers lack the new ones: those with all go first.
      const yields = nowMs - this.#holderSeenMs < YIELD_MS && !this.#options.descriptorsComplete();
      const step = yields ? "wait" : nextStep(orphan, nowMs);
      if (step === "wait") return;
      if (step === "supersede" && holder !== undefined) this.#endHolder(holder.identity);
      this.#start(claims.claim(undefined, term));
    } catch (error) {
      // A full disk: without a term nobody may act, and the workers serve on.
      this.#complain(nowMs, error);
    }
  }

  /** A parent that hangs must not come back; a worker that hangs is the next parent's to judge. */
  #endHolder(holder: ProcessIdentity): void {
    const { identity, identify, isWorker } = this.#options;
    if (holder.pid === identity.pid || isWorker(holder)) return;
    signalProcess(identify, holder, "SIGKILL");
  }

  #start(term: number | undefined): void {
    if (term === undefined) return;
    const { worker, parentCommand, paths, descriptors, say } = this.#options;
    // One of an earlier term that still starts would be refused; do not leave it to find out.
    this.#child?.kill("SIGKILL");
    const child = launch({
      command: parentCommand,
      launch: { term, worker: 0, listeners: descriptors() },
      logFile: paths.logFile,
      onEnd: () => {
        if (this.#child === child) this.#child = undefined;
      },
    });
    this.#child = child;
    say(
      "gateway.parent-succeeded",
      "warning",
      `worker ${worker} starts a new gateway parent with term ${term}: the last one is gone`,
    );
  }

  #complain(nowMs: number, error: unknown): void {
    if (nowMs - this.#complainedMs < COMPLAIN_EVERY_MS) return;
    this.#complainedMs = nowMs;
    const why = error instanceof Error ? error.message : String(error);
    this.#options.say("gateway.succession-failed", "error", `no new gateway parent: ${why}`);
  }
}
