// The agent of one instance: asked at an interval, one question at a time, with a little jitter.
// core/steer reads its line and says what holds after it; this file holds the timer.
//
// It is a signal that says "up" until its agent says "down", and "unknown" before the first answer
// of an instance that ran before: until then it keeps what the data plane was told of it. An agent
// that cannot be asked is no failure. Its orders (drain, weight) outlast the process that it stands
// beside, its word on how that process is does not: evidence counts for the process that gave it.

import type { AgentConfig } from "../../config/config.ts";
import type { Random } from "../../core/base/prng.ts";
import { type AgentLine, printable, readAgentLine } from "../../core/steer/agent-line.ts";
import { type AgentState, followAgent, silentAgent } from "../../core/steer/agent-state.ts";
import type { AgentAnswer, Agents } from "../../ports/agents.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { AgentHeard, InstanceRecord } from "../registry/registry.ts";
import { jitterShare } from "./active-check.ts";

export interface AgentPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: Agents;
}

/** What one answer came to. */
export interface AgentNews {
  readonly before: AgentState;
  readonly state: AgentState;
  readonly heard: AgentHeard;
}

export class AgentCheck implements Disposable {
  readonly #ports: AgentPorts;
  readonly #settings: AgentConfig;
  readonly #record: () => InstanceRecord | undefined;
  readonly #tell: (news: AgentNews) => void;
  #state: AgentState;
  #isKnown: boolean;
  #timer: Timer | undefined;
  #ended = false;

  constructor(
    ports: AgentPorts,
    settings: AgentConfig,
    record: InstanceRecord,
    firstDelayMs: number,
    current: () => InstanceRecord | undefined,
    tell: (news: AgentNews) => void,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#record = current;
    this.#tell = tell;
    this.#state = { ...(record.agent ?? silentAgent), operating: "up" };
    this.#isKnown = record.phase === "starting";
    this.#askIn(firstDelayMs);
  }

  get state(): AgentState {
    return this.#state;
  }

  get verdict(): "unknown" | "up" | "down" {
    if (!this.#isKnown) return "unknown";
    return this.#state.operating === "up" ? "up" : "down";
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }

  #askIn(delayMs: number): void {
    this.#timer = this.#ports.clock.after(delayMs, () => this.#ask());
  }

  #ask(): void {
    const record = this.#record();
    if (this.#ended || record === undefined) return;
    const { port, intervalMs: timeoutMs } = this.#settings;
    const { id, service, host } = record;
    const names = { "{instance}": id, "{service}": service } as const;
    const send = this.#settings.send.replaceAll(
      /\{instance\}|\{service\}/g,
      (name) => names[name as keyof typeof names],
    );
    const beganMs = this.#ports.clock.monotonicMs();
    void this.#ports.agents
      .ask({ host, port }, { send, timeoutMs })
      .then((answer) => this.#answered(answer, beganMs));
  }

  #answered(answer: AgentAnswer, beganMs: number): void {
    if (this.#ended) return;
    const { clock, random } = this.#ports;
    const reading = answer.outcome === "said" ? readAgentLine(answer.text) : undefined;
    const before = this.#state;
    const heard = heardOf(answer, reading);
    if (reading !== undefined && !("refused" in reading)) {
      this.#state = followAgent(before, reading);
    }
    this.#isKnown = true;
    const jitter = 1 + jitterShare * (2 * random.ratio() - 1);
    const nextMs = beganMs + jitter * this.#settings.intervalMs;
    this.#askIn(Math.max(0, nextMs - clock.monotonicMs()));
    this.#tell({ before, state: this.#state, heard });
  }
}

function heardOf(
  answer: AgentAnswer,
  reading: AgentLine | { readonly refused: string } | undefined,
): AgentHeard {
  if (reading === undefined || !("refused" in reading)) {
    return { outcome: answer.outcome, text: printable(answer.text) };
  }
  return { outcome: "refused", text: reading.refused };
}
