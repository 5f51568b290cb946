// "Say why": each state change is one event with one sentence, the same in the log, the CLI, the
// API.

export type EventLevel = "info" | "warning" | "error";

export interface EventEntry {
  /** Stable kind, "noun.verb-past": instance.started, instance.ready, gateway.worker-replaced, … */
  readonly kind: string;
  readonly level: EventLevel;
  /** One sentence with its cause: "web-2 restarts in 200 ms: exit code 1 after 12 s". */
  readonly sentence: string;
  readonly service?: string;
  readonly instance?: string;
}

export interface Events {
  /** Never throws and never waits: a full disk costs the entry, not the decision. */
  record(entry: EventEntry): void;
}
