// One health check of one instance: a question to the network with a deadline.

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
    };

export interface ProbeResult {
  readonly passed: boolean;
  /** Why, as it goes into the sentence: "answered 200", "connection refused", … */
  readonly detail: string;
  readonly latencyMs: number;
}

export interface Probes {
  /** Always resolves, at most 50 ms after `timeoutMs`; a failure of any kind is a result. */
  probe(target: ProbeTarget, request: ProbeRequest): Promise<ProbeResult>;
}
