// What a lifetime counts as lost, where the answer is known: of a service that nobody calls, and of
// one that comes back in part without any fault.

import assert from "node:assert/strict";
import { nextTick } from "node:process";
import { describe, it } from "node:test";
import { createPrng } from "../../src/core/base/prng.ts";
import type { Incident } from "../../src/core/incident/incident.ts";
import type { Rates, ServiceRates } from "../../src/core/predict/rates.ts";
import { drawPlan, makeConfig } from "../plan.ts";
import { subjectOf } from "./drawn.ts";
import { live, type Subject } from "./lifetime.ts";
import { twoOfThree } from "./two-of-three.ts";

const hourMs = 3_600_000;
const boundary = (): Promise<void> => new Promise((resolve) => nextTick(resolve));

async function sumsOf(subject: Subject, lastsMs: number) {
  const { ledgers } = await live({ ...subject, seed: 1, lastsMs, boundary });
  const [ledger] = ledgers;
  assert.ok(ledger !== undefined);
  return ledger.sums;
}

describe("a service behind a tcp listener", () => {
  it("is judged by its standing alone: it works or it does not", async () => {
    const { config, ...rest } = twoOfThree(500, 40);
    const { gateway } = config;
    assert.ok(gateway !== undefined);
    const listen = [{ host: "0.0.0.0", port: 6379, protocol: "tcp" as const, service: "cache" }];
    const tcp = { ...config, gateway: { ...gateway, routes: [], listen } };
    const sums = await sumsOf({ ...rest, config: tcp }, 8_760 * hourMs);
    assert.ok(sums.upMs > 0.9 * sums.timeMs && sums.upMs < sums.timeMs, "it goes up and down");
    assert.equal(sums.lostMs, 0);
    assert.equal(sums.unansweredMs, sums.byWorking.get(0) ?? 0);
  });
});

const never = { everyMs: 1e18 };
/** Nothing ever fails. */
const nothing = {
  crash: never,
  hang: never,
  gray: never,
  endpoint: never,
  machine: never,
  zone: never,
  gatewayWorker: never,
  gateway: never,
  control: never,
};

/** Two processes that end together and start again one after the other, minutes apart. */
function twoThatEndTogether(): Subject {
  const { config } = drawPlan(createPrng(1));
  const service = config.services.find((one) => one.kind === "command");
  assert.ok(service?.kind === "command" && config.gateway !== undefined);
  const replicas = { ...service.replicas, min: 2, max: 2 };
  const failover = { ...service.failover, mode: "active-active" as const };
  const startTimeoutMs = hourMs;
  const pair = { ...service, replicas, failover, startTimeoutMs, dependsOn: [] };
  const one = makeConfig([pair], { ...config.gateway, workers: 1 });
  const said = { ...nothing, crash: { everyMs: 24 * hourMs }, commonCause: 1, startFails: 0 };
  const subject = subjectOf(one, said);
  return { ...subject, rates: withStarts(subject.rates, 2 * 60_000) };
}

function withStarts(rates: Rates, meanMs: number): Rates {
  const source = { kind: "file", key: "start" } as const;
  const start: ServiceRates["start"] = { kind: "exponential", meanMs, source };
  const all = Object.entries(rates.services).map(([name, own]) => [name, { ...own, start }]);
  return { ...rates, services: Object.fromEntries(all) as Rates["services"] };
}

describe("a service that comes back in part, when its clients have gone", () => {
  it("is asked anew, and loses nothing by what was true while it was down", async () => {
    const sums = await sumsOf(twoThatEndTogether(), 60 * 24 * hourMs);
    const [none, half] = [0, 1].map((working) => sums.byWorking.get(working) ?? 0);
    assert.ok((none ?? 0) > 30 * 60_000 && (half ?? 0) > 30 * 60_000, "it was down, and half up");
    assert.ok(sums.lostMs < 0.05 * (half ?? 0), `${sums.lostMs} ms of ${half} ms`);
  });
});

describe("a zone that fails as often as it is mended", () => {
  it("is down for half of the time: what is down already does not fail again", async () => {
    const { config, deployment } = twoOfThree(1e12, 1);
    const zone = { everyMs: 10 * hourMs, repairMs: 10 * hourMs };
    const { rates } = subjectOf(config, { ...nothing, zone });
    const sums = await sumsOf({ config, deployment, rates }, 8_760 * hourMs);
    const share = (sums.byWorking.get(0) ?? 0) / sums.timeMs;
    assert.ok(share > 0.43 && share < 0.57, `${share}`);
  });
});

/** Two processes behind a check that only connects: what else is wrong with them, nobody asks. */
function pairThatOnlyConnects(said: Parameters<typeof subjectOf>[1]): Subject {
  const { config } = drawPlan(createPrng(1));
  const service = config.services.find((one) => one.kind === "command");
  assert.ok(service?.kind === "command" && config.gateway !== undefined);
  const replicas = { ...service.replicas, min: 2, max: 2 };
  const failover = { ...service.failover, mode: "active-active" as const };
  const { heartbeat: _, ...seldom } = { ...service.health, intervalMs: 5_000 };
  const health = { ...seldom, check: { kind: "tcp" as const } };
  const pair = { ...service, replicas, failover, health, dependsOn: [] };
  const one = makeConfig([pair], { ...config.gateway, workers: 1 });
  return subjectOf(one, { ...nothing, commonCause: 0, startFails: 0, ...said });
}

const quarterMs = 90 * 24 * hourMs;
const minutes = { everyMs: 100 * hourMs, repairMs: 10 * 60_000 };

describe("an instance that hung, where no check asks whether it answers", () => {
  const subject = pairThatOnlyConnects({ hang: minutes });

  it("has traffic again soon after it goes on: somebody calls until its workers take it", async () => {
    const longest = [0];
    const onIncident = ({ startedMs, recoveredMs = startedMs }: Incident): void => {
      longest.push(recoveredMs - startedMs);
    };
    await live({ ...subject, seed: 1, lastsMs: quarterMs, boundary, onIncident });
    assert.ok(longest.length > 5, "it hung");
    assert.ok(Math.max(...longest) < 3 * hourMs, `${Math.max(...longest)} ms`);
  });

  it("costs what was sent there before it was found out, and no share of what follows", async () => {
    const { lostMs, byWorking } = await sumsOf(subject, quarterMs);
    const hungMs = byWorking.get(1) ?? 0;
    assert.ok(hungMs > hourMs && lostMs < 0.001 * hungMs, `${lostMs} ms of ${hungMs} ms`);
  });
});

describe("an instance that answers wrongly, and passes its checks", () => {
  it("costs its share for as long as it does, though clients go home", async () => {
    const subject = pairThatOnlyConnects({ gray: minutes });
    const { lostMs, byWorking } = await sumsOf(subject, quarterMs);
    const share = lostMs / (byWorking.get(1) ?? 0);
    assert.ok(share > 0.4 && share < 0.6, `${share}`);
  });
});
