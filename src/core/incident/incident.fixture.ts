// An incident as there are many: an instance killed under load, and what followed.

import { certainty, type Incident } from "./incident.ts";

export function killedInstance(fields: Partial<Incident> = {}): Incident {
  const startedMs = 5_000;
  const sign = "web-2 closed a connection before its answer was complete";
  const cause = "web-2 restarts in 200 ms: signal SIGKILL after 12 s";
  return {
    id: "3-1",
    service: "web",
    state: "closed",
    cause,
    causeCertainty: certainty.end,
    firstInstance: "web-2",
    instances: ["web-2"],
    out: {},
    startedMs,
    startedWallMs: Date.UTC(2026, 10, 21, 14, 3, 7, 812),
    detectedMs: startedMs + 3.2,
    transferredMs: startedMs + 7.2,
    recoveredMs: startedMs + 1_307.2,
    closedMs: startedMs + 11_310,
    lastSignMs: startedMs + 250,
    losses: { lost: 1, serverErrors: 0, slow: 2, worstMs: 288, requests: 431 },
    timeline: [
      { atMs: startedMs, kind: "sign", sentence: sign },
      { atMs: startedMs + 3.2, kind: "fault", sentence: cause },
      { atMs: startedMs + 7.2, kind: "transfer", sentence: "traffic goes to web-1, web-3" },
      { atMs: startedMs + 250, kind: "loss", sentence: "1 request lost, 2 slow" },
      { atMs: startedMs + 1_307.2, kind: "mended", sentence: "web-2 is ready: answered 200" },
      { atMs: startedMs + 1_307.2, kind: "recovery", sentence: "full strength after 1.3 s" },
    ],
    omitted: 0,
    notes: ["began within 3 ms of incident 3-2 of shop"],
    ...fields,
  };
}
