// One health check of one instance: a question with a deadline, over the network or by a command.

import type { Recurring } from "./recurring.ts";

export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
}

export type ProbeRequest =
  | { readonly kind: "tcp"; readonly timeoutMs: number }
  | {
      readonly kind: "http";
      readonly timeoutMs: number;
      readonly path: string;
      /** Value of the Host header. */
      readonly host: string;
      /** Inclusive ranges of status codes that pass. */
      readonly expectStatus: readonly (readonly [number, number])[];
      /** Text that the first 64 KiB of the body must have in them, in UTF-8. */
      readonly expectBody?: string;
    }
  | {
      /** grpc.health.v1.Health/Check over plain HTTP/2. */
      readonly kind: "grpc";
      readonly timeoutMs: number;
      /** Empty: the server as a whole. */
      readonly service: string;
    }
  | ({ readonly kind: "command"; readonly timeoutMs: number } & ProbeCommand);

/** A command passes by ending with code 0. At its deadline it is killed with all it started. */
export interface ProbeCommand {
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** The whole environment: nothing is inherited beyond it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** Why, as it goes into the sentence: "answered 200", "connection refused", … */
  readonly detail: string;
  readonly latencyMs: number;
  /**
   * Nothing came in time, or we lacked the means to ask: whether the instance or its observer is to
   * blame is open. A refusal or a wrong answer did come, and is not silence.
   */
  readonly silent?: true;
}

export interface Probes {
  /**
   * Always resolves, at most 50 ms after `timeoutMs`; a failure of any kind is a result.
   * `recurring`: whose turn this is (ports/recurring.ts).
   */
  probe(target: ProbeTarget, request: ProbeRequest, recurring?: Recurring): Promise<ProbeResult>;
}
