// A service that sheds is told of once when it begins and once when it is over, whatever happens
// in between; a few that are shed by chance are no news.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { quietService, quietWorker, type WorkerStats } from "../../core/measure/gateway-stats.ts";
import { SheddingNews } from "./shedding-news.ts";

function report(worker: number, requests: number, shed: number): WorkerStats {
  const concurrency = { limit: 12, waiting: 0, baselineMs: 50 };
  const counts = { name: "/", service: "web", requests, answers: [], latency: [], latencySumMs: 0 };
  const web = { ...quietService, name: "web", requests, concurrency };
  const routes = [{ ...counts, failures: { OVERLOADED: shed } }];
  return { ...quietWorker, worker, pid: worker, routes, services: [web] };
}

/** Two workers that report once a second; what each counted in it, as [requests, shed]. */
function tell(
  seconds: readonly (readonly [number, number])[],
  limitOf: (nowMs: number) => number = () => 24,
): readonly string[] {
  const news = new SheddingNews(0);
  const said: string[] = [];
  const before = new Map<number, WorkerStats>();
  const total = { requests: 1_000, shed: 900 };
  for (const worker of [1, 2]) {
    const first = report(worker, total.requests, total.shed);
    news.heard(undefined, first);
    before.set(worker, first);
  }
  for (const [second, [requests, shed]] of seconds.entries()) {
    total.requests += requests;
    total.shed += shed;
    for (const worker of [1, 2]) {
      const next = report(worker, total.requests, total.shed);
      news.heard(before.get(worker), next);
      before.set(worker, next);
    }
    const nowMs = (second + 1) * 1_000;
    for (const { kind, sentence } of news.look(nowMs, () => limitOf(nowMs)))
      said.push(`${kind}: ${sentence}`);
  }
  return said;
}

const times = <T>(count: number, value: T): readonly T[] =>
  Array.from({ length: count }, () => value);

describe("shedding", () => {
  test("is told when it begins and when it is over, with all that it was", () => {
    const calm = [100, 0] as const;
    const edge = [100, 2] as const;
    const over = [200, 120] as const;
    const seconds = [...times(3, calm), over, over, ...times(5, edge), over, ...times(20, edge)];
    assert.deepEqual(tell(seconds), [
      "gateway.shedding-began: web sheds: of 400 requests in 1 s 240 were answered 503 " +
        "OVERLOADED; it is found to bear 24 at once",
      "gateway.shedding-ended: web sheds no more, for 10 s now: of 4200 requests in 18 s 780 " +
        "were answered 503 OVERLOADED; it is found to bear 24 at once",
    ]);
  });

  test("of a few by chance is no news, of a few among few is", () => {
    assert.deepEqual(tell(times(60, [100, 3] as const)), []);
    assert.match(
      tell(times(30, [2, 1] as const)).join("\n"),
      /of 40 requests in 10 s 20 were answered 503 OVERLOADED/,
    );
  });

  test("is over, too, while no worker is there to say what the service bears", () => {
    const seconds = [[200, 120], ...times(20, [0, 0] as const)] as const;
    const said = tell(seconds, (nowMs) => (nowMs > 1_000 ? 0 : 24));
    assert.equal(said.length, 2);
    assert.match(said[0] ?? "", /OVERLOADED; it is found to bear 24 at once$/);
    assert.match(said[1] ?? "", /of 400 requests in \d+ s 240 were answered 503 OVERLOADED$/);
  });

  test("is over, too, when nobody asks any more", () => {
    const said = tell([[200, 120], ...times(20, [0, 0] as const)]);
    assert.match(said.join("\n"), /began.*\n.*ended: web sheds no more, for 10 s now: of 400/);
  });
});
