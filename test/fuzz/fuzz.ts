// The fuzz: cases made from one seed, run on a few lanes at once, each judged. A case depends on
// the seed and its own number only, so `FUZZ_SEED=… FUZZ_CASE=…` repeats a finding.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import type { createEngine } from "../../src/gateway/engine/engine.ts";
import { judgeAnswer, judgeRequests } from "./judge.ts";
import { HangError, Lane } from "./lane.ts";
import { cut, makeAnswer, makeRequest } from "./messages.ts";
import { readAnswers, readRequests } from "./twin.ts";

export interface FuzzOptions {
  readonly create: typeof createEngine;
  readonly seed: number;
  /** Stop after so many messages, or after the time, or at the first finding. */
  readonly messages: number;
  readonly durationMs: number;
  /** Only this case. */
  readonly onlyCase?: number;
}

export interface FuzzResult {
  readonly messages: number;
  readonly forwarded: number;
  /** The first finding, ready to print; undefined when there is none. */
  readonly finding: string | undefined;
}

const LANES = 8;
const PIPELINED_MAX = 4;

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const run = new Run(options);
  const count = options.onlyCase === undefined ? LANES : 1;
  const lanes = await Promise.all(Array.from({ length: count }, () => Lane.open(options.create)));
  try {
    // After a finding the other lanes need not wait for what may hang there too.
    const onEnd = (): void => {
      if (run.finding !== undefined) for (const lane of lanes) lane.abandon();
    };
    await Promise.all(lanes.map((lane) => run.drive(lane).then(onEnd)));
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
  return run;
}

class Run implements FuzzResult {
  messages = 0;
  forwarded = 0;
  finding: string | undefined;
  readonly #options: FuzzOptions;
  readonly #random: Random;
  readonly #endMs: number;
  #nextCase = 0;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#random = createPrng(options.seed);
    this.#endMs = performance.now() + options.durationMs;
  }

  async drive(lane: Lane): Promise<void> {
    const { messages, onlyCase } = this.#options;
    while (this.finding === undefined && this.messages < messages) {
      if (performance.now() > this.#endMs) return;
      const number = onlyCase ?? this.#nextCase++;
      await this.#runCase(lane, number);
      if (onlyCase !== undefined) return;
    }
  }

  async #runCase(lane: Lane, number: number): Promise<void> {
    const random = this.#random.stream(`case ${number}`);
    const attempt = random.below(2) === 0 ? requestCase(lane, random) : answerCase(lane, random);
    try {
      const { messages, forwarded, wrong, shown } = await attempt;
      this.messages += messages;
      this.forwarded += forwarded;
      if (wrong !== undefined) this.#report(number, wrong, shown);
    } catch (error) {
      if (!(error instanceof HangError)) throw error;
      this.#report(number, "nothing more happens", error.message);
    }
  }

  #report(number: number, wrong: string, shown: string): void {
    this.finding ??= `FUZZ_SEED=${this.#options.seed} FUZZ_CASE=${number}: ${wrong}\n${shown}`;
  }
}

interface CaseResult {
  readonly messages: number;
  readonly forwarded: number;
  readonly wrong: string | undefined;
  readonly shown: string;
}

/** Some pipelined requests; the instance answers whatever reaches it. */
async function requestCase(lane: Lane, random: Random): Promise<CaseResult> {
  const count = 1 + random.below(PIPELINED_MAX);
  const made = Array.from({ length: count }, (_unused, index) => makeRequest(random, `m${index}`));
  const sent = made.map((message) => message.text).join("");
  const asked = readRequests(sent).messages.filter((message) => message.complete);
  const methods = asked.map((message) => message.method);
  const outcome = await lane.run(cut(random, sent), (received) => {
    return finalsIn(received, methods) >= asked.length;
  });
  const cleanCount = made.every((message) => message.clean) ? count : undefined;
  const run = { sent, cleanCount, ...outcome };
  const shown = JSON.stringify({ sent, ...outcome }, undefined, 1);
  return { messages: count, forwarded: run.forwarded.length, wrong: judgeRequests(run), shown };
}

function finalsIn(received: string, methods: readonly string[]): number {
  const { messages } = readAnswers(received, methods, false);
  return messages.filter((message) => message.status >= 200 && message.complete).length;
}

/** One plain request; the instance answers it with anything. Then another client asks, plainly. */
async function answerCase(lane: Lane, random: Random): Promise<CaseResult> {
  const method = random.below(4) === 0 ? "HEAD" : random.below(2) === 0 ? "GET" : "POST";
  const clientMinorVersion = random.below(6) === 0 ? 0 : 1;
  const made = makeAnswer(random);
  const open = readAnswers(made.text, [method], false);
  const end = endOfFinal(made.text, open.messages.length, method);
  const close = end === undefined || random.below(2) === 0;
  // What follows a whole answer comes with its last byte: later, nobody could tell whose it is.
  const [whole, surplus] = [made.text.slice(0, end), end === undefined ? "" : made.text.slice(end)];
  const cuts = cut(random, whole);
  const pieces = [...cuts.slice(0, -1), `${cuts.at(-1) ?? ""}${surplus}`];
  const request = `${method} /a HTTP/1.${clientMinorVersion}\r\nHost: shop.test\r\n\r\n`;
  const isAnswered = (received: string): boolean => finalsIn(received, [method]) >= 1;
  const outcome = await lane.run([request], isAnswered, { pieces, close });
  const { received, wasReset } = outcome;
  const run = { method, clientMinorVersion, sent: made.text, closed: close, isClean: made.clean };
  const wrong = judgeAnswer({ ...run, received, wasReset }) ?? (await canary(lane));
  const shown = JSON.stringify({ ...run, received, wasReset }, undefined, 1);
  return { messages: 1, forwarded: outcome.forwarded.length, wrong, shown };
}

/** Where the first final answer ends, if it ends without a close. */
function endOfFinal(text: string, messages: number, method: string): number | undefined {
  for (let end = 1; end <= text.length && messages > 0; end++) {
    if (finalsIn(text.slice(0, end), [method]) > 0) return end;
  }
  return undefined;
}

/** Another client's request must get its own answer, whatever was left behind. */
async function canary(lane: Lane): Promise<string | undefined> {
  const request = "GET /canary HTTP/1.1\r\nHost: shop.test\r\n\r\n";
  const { received } = await lane.run([request], (text) => finalsIn(text, ["GET"]) >= 1);
  if (received.endsWith("\r\n\r\nanswer to /canary")) return undefined;
  return `the next client got another's answer: ${JSON.stringify(received)}`;
}
