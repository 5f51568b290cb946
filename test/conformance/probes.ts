// The promises of ports/probe.ts: a check always has a result, and the result says why.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProbeRequest, Probes, ProbeTarget } from "../../src/ports/probe.ts";

export interface ProbesWorld {
  readonly probes: Probes;
  /** An instance that listens and answers so; "nobody" does not even listen. */
  instance(behaviour: "answers" | "is unwell" | "hangs" | "nobody"): Promise<ProbeTarget>;
}

type WithProbes = (check: (world: ProbesWorld) => Promise<void>) => Promise<void>;

const http: ProbeRequest = {
  kind: "http",
  timeoutMs: 200,
  path: "/healthz",
  host: "web",
  expectStatus: [[200, 299]],
};
const tcp: ProbeRequest = { kind: "tcp", timeoutMs: 200 };

export function probesConformance(name: string, withProbes: WithProbes): void {
  const cases = [
    ["answers", true, true],
    ["is unwell", false, true],
    ["hangs", false, true],
    ["nobody", false, false],
  ] as const;
  for (const [behaviour, passesHttp, passesTcp] of cases) {
    test(`${name}: an instance that ${behaviour}: every check is a result that says why`, () =>
      withProbes(async (world) => {
        const { probes } = world;
        const target = await world.instance(behaviour);
        const [byHttp, byTcp] = await Promise.all([
          probes.probe(target, http),
          probes.probe(target, tcp),
        ]);
        assert.equal(byHttp.passed, passesHttp, byHttp.detail);
        assert.equal(byTcp.passed, passesTcp, byTcp.detail);
        for (const { detail, latencyMs } of [byHttp, byTcp]) {
          assert.match(detail, /^[a-z].*[^.]$/);
          assert.ok(latencyMs >= 0);
        }
        if (behaviour === "hangs") assert.ok(byHttp.latencyMs >= 199);
        // Silence may be the observer's fault; an answer or a refusal is not.
        assert.equal(byHttp.silent === true, behaviour === "hangs");
        assert.equal(byTcp.silent, undefined);
      }));
  }
}
