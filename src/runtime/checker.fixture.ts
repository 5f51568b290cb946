// One health check in a process of its own, which is stopped in the middle of it. The busy wait
// after the question keeps the answer unread until the signal has come.

import { writeSync } from "node:fs";
import { createProbes } from "./probes.ts";

const port = Number(process.argv[2]);
const asked = createProbes().probe(
  { host: "127.0.0.1", port },
  { kind: "http", timeoutMs: 300, path: "/", host: "web", expectStatus: [[200, 200]] },
);
writeSync(1, "asking\n");
const until = performance.now() + 150;
while (performance.now() < until);
const { passed, detail } = await asked;
writeSync(1, `${passed ? "passed" : "failed"}: ${detail}\n`);
