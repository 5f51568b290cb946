// An instance's agent: asked for one line, as HAProxy's agent-check asks.

export interface AgentQuestion {
  /** Sent as it is when the connection stands; empty: nothing. */
  readonly send: string;
  readonly timeoutMs: number;
}

export interface AgentAnswer {
  /** "refused": it said something that is no line. */
  readonly outcome: "said" | "refused" | "unreachable" | "late";
  /** Its line without the end, or why there is none. */
  readonly text: string;
}

export interface Agents {
  /** Always resolves, at most 50 ms after `timeoutMs`; a failure of any kind is an answer. */
  ask(
    target: { readonly host: string; readonly port: number },
    question: AgentQuestion,
  ): Promise<AgentAnswer>;
}

/** A longer line is refused; HAProxy reads as much as its buffer holds. */
export const AGENT_LINE_BYTES_MAX = 1024;
