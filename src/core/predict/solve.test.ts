// What a service's unavailability is made of: against closed forms, against a judge that goes
// through all states of all parts, and where no figure may be given at all.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NinesError } from "../base/errors.ts";
import { chainOfNames } from "../model/markov/chain.ts";
import { steadyState } from "../model/markov/steady-state.ts";
import { kOfNAlike } from "../model/structure/redundancy.ts";
import { restartMs, silenceSeen } from "./delays.ts";
import {
  type Deployment,
  type Machine,
  type PredictedInstance,
  type PredictedService,
  placesOf,
} from "./deployment.ts";
import {
  exactly,
  lasting,
  machines,
  only,
  quietService,
  ratesFor,
  webOn,
} from "./predict.fixture.ts";
import { betweenPrimaries } from "./primary.ts";
import { type Cause, causes } from "./rates.ts";
import { type ServiceDown, solve, structureOf } from "./solve.ts";

function solved(deployment: Deployment, rates = ratesFor({ web: {} }), without?: Cause) {
  return solve(structureOf(deployment), rates, without)[0] as ServiceDown;
}

function near(actual: number, expected: number, relative = 1e-6): void {
  const difference = Math.abs(actual - expected);
  assert.ok(difference <= relative * Math.abs(expected), `${actual} is not ${expected}`);
}

function refused(code: string, run: () => unknown): void {
  assert.throws(run, (error) => error instanceof NinesError && error.code === code);
}

describe("a service on its own", () => {
  const crash = exactly(1 / 24);
  const rates = ratesFor({ web: { crash, start: lasting(60_000) } });
  const service = webOn(["a", "b", "c"]);
  const mendingHours =
    (10 + 50 + restartMs(service, { ...quietService, start: lasting(60_000) })) / 3_600_000;
  const lost = mendingHours / 24 / (1 + mendingHours / 24);

  it("is down for its crashes' rate times their mending, as one", () => {
    near(solved(only(webOn(["a"])), rates).down, lost);
  });

  it("is k of n when all fail by themselves", () => {
    for (const needed of [1, 2, 3]) {
      near(solved(only({ ...service, needed }), rates).down, kOfNAlike(needed, 3, lost), 1e-4);
    }
  });

  it("is never better than its common cause", () => {
    const beta = ratesFor({
      web: { crash, commonCause: exactly(0.1), start: lasting(60_000) },
    });
    const common = (0.1 * mendingHours) / 24;
    const { down } = solved(only(service), beta);
    assert.ok(down > 0.99 * common && down < 1.05 * common, `${down}, ${common}`);
    const more = solved(only(webOn(["a", "b", "c", "d", "e", "f"])), beta).down;
    assert.ok(more > 0.99 * common, "whatever is added");
  });

  it("fails by itself only as often as it does not fail with all others", () => {
    const rate = exactly(3);
    const own = (perHour: number) => {
      const mending = (perHour * (60 + 75 + 2_000)) / 3_600_000;
      return mending / (1 + mending);
    };
    const beta = ratesFor({ web: { crash: rate, commonCause: exactly(0.2) } });
    const common = (0.2 * 3 * 2_075) / 3_600_000;
    const together = 1 - (1 - own(0.8 * 3) ** 2) * (1 - common / (1 + common));
    near(solved(only(webOn(["a", "b"])), beta).down, together, 1e-6);
    near(solved(only(webOn(["a"])), beta).down, own(3), 1e-6);
  });

  it("is down with its machine, however many instances are on it", () => {
    const { down } = solved(
      only(webOn(["a", "a", "a"])),
      ratesFor({ web: { crash } }, { machine: exactly(1 / 1000) }),
    );
    near(down, 1.0005 / 1000 / (1 + 1.0005 / 1000), 1e-3);
  });

  it("loses requests that meet what nobody has noticed", () => {
    const hang = exactly(1);
    const half = { resentShare: 0.5, throughGateway: true };
    const one = solved(only(webOn(["a", "b"], half)), ratesFor({ web: { hang } }));
    const silent = silenceSeen(webOn(["a", "b"], half)) / 3_600_000;
    // While the other one works, which is lost as often.
    const mending = 36.075 / 3_600 + silent;
    near(one.unnoticed, ((silent / (1 + silent)) * 0.5) / (1 + mending), 1e-6);
    near(one.unavailability, one.down + one.unnoticed, 1e-12);
    const primary = webOn(["a", "b"], { ...half, mode: "primary-standby" });
    assert.ok(
      solved(only(primary), ratesFor({ web: { hang } })).unnoticed < 1e-9,
      "counted as down",
    );
  });

  it("is down, and not more than down, while its only instance fails unseen", () => {
    const gray = exactly(1 / 1_000);
    const alone = solved(only(webOn(["a"])), ratesFor({ web: { gray } }));
    assert.ok(alone.unnoticed < 1e-12, `${alone.unnoticed}`);
    const all = solved(only(webOn(["a", "b"], { needed: 2 })), ratesFor({ web: { gray } }));
    assert.ok(all.unnoticed < 1e-12, `${all.unnoticed}`);
    const spare = solved(only(webOn(["a", "b"])), ratesFor({ web: { gray } }));
    near(spare.unnoticed, 0.5 / 1_000, 2e-3);
  });

  it("loses those that meet a machine that is gone, where the gateway is not gone with it", () => {
    const machine = exactly(1 / 100);
    const through = webOn(["a", "b"], { throughGateway: true, resentShare: 0 });
    const lostOn = (...names: readonly string[]) => {
      const deployment = { ...only(through), gateway: { workers: 2, machines: names } };
      return solved(deployment, ratesFor({ web: {} }, { machine })).unnoticed;
    };
    const gone = silenceSeen(through) / 3_600_000 / 100;
    near(lostOn("a"), gone / 2, 0.02);
    near(lostOn("a", "b"), gone, 0.02);
  });

  it("of endpoints is down until their own keeper has mended them", () => {
    const instances = webOn(["a"]).instances.map((one) => ({ ...one, kind: "endpoint" as const }));
    const rates = ratesFor({ web: { endpoint: exactly(1 / 100), crash: exactly(1) } });
    const mending = (2_500 + 600_000 + 1_000) / 3_600_000 / 100;
    near(solved(only(webOn([], { instances })), rates).down, mending / (1 + mending));
  });

  it("tells the times of failures that Nines sees, and of no others", () => {
    const own = { crash: exactly(0.3), hang: exactly(0.1), gray: exactly(5) };
    const { times } = solved(only(webOn(["a", "b"])), ratesFor({ web: own }));
    near(times.perYear, 2 * 0.4 * 8_760, 1e-9);
    near(times.detectMs, (0.3 * 60 + 0.1 * 2_500) / 0.4, 1e-9);
    near(times.recoverMs, (0.3 * 2_075 + 0.1 * (30_000 + 4_000 + 2_075)) / 0.4, 1e-9);
  });

  it("is found out by its checks where no traffic tells", () => {
    // Half of an interval until a check meets it, its timeout, and two more of 500 ms each.
    assert.equal(silenceSeen(webOn(["a", "b"])), 1_000 + 500 + 2 * 500);
    assert.equal(silenceSeen(webOn(["a", "b"], { throughGateway: true })), 400);
  });
});

describe("more load than all places serve", () => {
  const queue = {
    loadPerSecond: 250,
    capacityPerInstance: 100,
    slotsPerInstance: 1,
    serviceTimeMs: 10,
  };

  it("leaves what is over unserved, whatever works", () => {
    const { overloaded, unavailability } = solved(only(webOn(["a", "b"], { queue })));
    near(overloaded, 1 - 2 / 2.5, 1e-9);
    near(unavailability, 1 - 2 / 2.5, 1e-9);
    assert.equal(solved(only(webOn(["a", "b", "c"], { queue }))).overloaded, 0);
  });

  it("is not served by those that stand by", () => {
    const standby = webOn(["a", "b", "c"], { queue, mode: "primary-standby" });
    near(solved(only(standby)).overloaded, 1 - 1 / 2.5, 1e-9);
  });
});

describe("a primary with those that stand by", () => {
  const failures = [{ perHour: 0.1, detectMs: 3_000, recoverMs: 20_000 }];

  it("is between two of them for as long as it takes to see and to move", () => {
    const between = betweenPrimaries({ standbys: 2, failures, transferMs: 100 });
    near(between, (0.1 * 3_100) / 3_600_000, 2e-3);
  });

  it("agrees with its chain written out by hand, for one standby", () => {
    const often = [{ perHour: 40, detectMs: 10_000, recoverMs: 80_000 }];
    const [moves, mended] = [3_600 / 11, 3_600 / 90];
    const { chain, states } = chainOfNames([
      { from: "serving, ready", to: "serving, alone", rate: 40 },
      { from: "serving, alone", to: "serving, ready", rate: mended },
      { from: "serving, ready", to: "failed, ready", rate: 40 },
      { from: "serving, alone", to: "failed, alone", rate: 40 },
      { from: "failed, ready", to: "failed, alone", rate: 40 },
      { from: "failed, alone", to: "failed, ready", rate: mended },
      { from: "failed, ready", to: "serving, alone", rate: moves },
      { from: "failed, alone", to: "vacant", rate: moves },
      { from: "vacant", to: "serving, alone", rate: 2 * mended },
    ]);
    const expected = steadyState(chain).probabilities[states.indexOf("failed, ready")] ?? 0;
    const between = betweenPrimaries({ standbys: 1, failures: often, transferMs: 1_000 });
    near(between, expected, 1e-9);
  });

  it("waits for its one instance where nobody stands by", () => {
    assert.equal(betweenPrimaries({ standbys: 0, failures, transferMs: 100 }), 0);
  });

  it("pays for failures that nobody sees: coverage", () => {
    const unseen = [
      { perHour: 0.09, detectMs: 3_000, recoverMs: 20_000 },
      { perHour: 0.01, detectMs: 600_000, recoverMs: 20_000 },
    ];
    const between = betweenPrimaries({ standbys: 1, failures: unseen, transferMs: 100 });
    near(between, (0.09 * 3_100 + 0.01 * 600_100) / 3_600_000, 5e-3);
  });

  it("takes as long to move where its machine or its zone fails", () => {
    const perHour = exactly(1 / 1_000);
    const rates = ratesFor({ web: {} }, { machine: perHour, zone: perHour });
    const moved = (2_500 + 30) / 3_600_000 / 1_000;
    const service = webOn(["a", "b"], { mode: "primary-standby" });
    const [a, b] = machines("a", "b") as [Machine, Machine];
    const bothDown = (q: number) => (q / (1 + q)) ** 2;
    const [machineDown, zoneDown] = [3_602 / 3_600_000, 7_202 / 3_600_000];
    const apart = { ...only(service), machines: [a, { ...b, zone: "other" }] };
    const lost = bothDown(machineDown + zoneDown);
    near(solved(apart, rates).down - lost, 2 * moved, 0.02);
    const sameZone = { ...only(service), machines: [a, b] };
    const without = solved(sameZone, rates, "machine").down;
    near(without, zoneDown / (1 + zoneDown), 1e-6);
    const failedOver = solved(sameZone, rates).down - without;
    near(failedOver - bothDown(machineDown), moved, 0.02);
    const together = only(webOn(["a", "a"], { mode: "primary-standby" }));
    const gone = 1 - 1 / (1 + machineDown) / (1 + zoneDown);
    near(solved(together, rates).down, gone, 1e-6);
  });

  it("is counted in the service's unavailability", () => {
    const rates = ratesFor({ web: { crash: exactly(0.1), hang: exactly(0.1) } });
    const service = webOn(["a", "b"], { mode: "primary-standby" });
    const silent = silenceSeen(service);
    assert.equal(silent, 2_500, "of a primary, its checks alone tell");
    near(solved(only(service), rates).down, (0.1 * 90 + 0.1 * (silent + 30)) / 3_600_000, 0.05);
  });
});

/** Whether the service serves, when these parts have failed: in plain words. */
function serves(deployment: Deployment, service: PredictedService, failed: Set<string>): boolean {
  const zoneOf = (machine: string) =>
    deployment.machines.find(({ name }) => name === machine)?.zone ?? "";
  const stands = (machine: string) =>
    !failed.has(`machine ${machine}`) && !failed.has(`zone ${zoneOf(machine)}`);
  const works = ({ id, machine }: PredictedInstance) =>
    stands(machine) && !failed.has(`instance ${id}`);
  if (failed.has(`common cause of ${service.name}`)) return false;
  const { gateway } = deployment;
  if (gateway !== undefined && service.throughGateway) {
    if (failed.has("gateway") || !gateway.machines.some(stands)) return false;
  }
  for (const name of service.dependsOn) {
    const other = deployment.services.find((one) => one.name === name) as PredictedService;
    if (!serves(deployment, other, failed)) return false;
  }
  const working = service.instances.filter(works);
  if (service.mode === "primary-standby") {
    return working.length > 0 && !failed.has(`between primaries of ${service.name}`);
  }
  const filled = placesOf(service).filter(
    (place) => works(place) || working.some(({ backupOf }) => backupOf === place.id),
  );
  const inTraffic = filled.length > 0 ? filled : working.filter(({ backup }) => backup);
  return inTraffic.length >= service.needed;
}

const machineNames = ["a", "b", "c"];

const anyService = (name: string, before: readonly string[]) =>
  fc
    .record({
      mode: fc.constantFrom("active-active", "primary-standby", "hot-standby"),
      places: fc.array(fc.constantFrom(...machineNames), { minLength: 1, maxLength: 4 }),
      backups: fc.nat(2),
      standIn: fc.boolean(),
      wanted: fc.integer({ min: 1, max: 3 }),
      throughGateway: fc.boolean(),
      dependsOn: fc.subarray([...before]),
    })
    .map(({ mode, places, backups, standIn, wanted, throughGateway, dependsOn }) => {
      const instances = places.map((machine, at): PredictedInstance => {
        const id = `${name}-${at + 1}`;
        const isLast = at > 0 && at === places.length - 1;
        const plain = { id, machine, kind: "process", backup: false } as const;
        if (mode === "hot-standby" && standIn && isLast) {
          return { ...plain, backupOf: `${name}-1` };
        }
        return { ...plain, backup: mode === "active-active" && at > 0 && at <= backups };
      });
      const service = { ...webOn([]), name, mode, instances, throughGateway, dependsOn };
      const needed = Math.min(wanted, placesOf(service).length);
      return { ...service, needed } satisfies PredictedService;
    });

const anyDeployment = fc
  .tuple(
    anyService("one", []),
    anyService("two", ["one"]),
    fc.array(fc.constantFrom("east", "west"), { minLength: 3, maxLength: 3 }),
    fc.option(fc.subarray(machineNames, { minLength: 1 }), { nil: undefined }),
  )
  .map(
    ([one, two, zones, gateway]): Deployment => ({
      services: [one, two],
      machines: machineNames.map((name, at) => ({ name, zone: zones[at] ?? "", isHost: true })),
      gateway: gateway === undefined ? undefined : { workers: 2, machines: gateway },
    }),
  );

describe("any deployment", () => {
  it("is down in the states in which a judge says so, and in no others", () => {
    fc.assert(
      fc.property(anyDeployment, fc.array(fc.nat(2 ** 24), { maxLength: 40 }), (any, draws) => {
        const { compiled } = structureOf(any);
        const names = compiled.events.map(({ name }) => name);
        const pairs = names.flatMap((_, one) =>
          names.map((__, other) => (1 << one) | (1 << other)),
        );
        for (const draw of [0, 2 ** 24 - 1, ...pairs, ...draws]) {
          const state = Float64Array.from(names, (_, at) => (draw >> at) & 1);
          const failed = new Set(names.filter((_, at) => state[at] === 1));
          for (const [at, service] of any.services.entries()) {
            const top = compiled.tops[at] as number;
            const down = compiled.diagrams.probability(top, state);
            assert.equal(down === 0, serves(any, service, failed), [...failed].join(", "));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  const someRates = fc
    .record({
      crash: fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
      hang: fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
      machine: fc.double({ min: 1e-6, max: 0.1, noNaN: true }),
      beta: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    .map(({ crash, hang, machine, beta }) => {
      const own = { crash: exactly(crash), hang: exactly(hang), commonCause: exactly(beta) };
      return ratesFor({ one: own, two: own }, { machine: exactly(machine) });
    });

  it("is never better for one failure more, nor worse for a cause that never happens", () => {
    fc.assert(
      fc.property(
        anyDeployment,
        someRates,
        fc.constantFrom(...causes),
        (deployment, rates, cause) => {
          const structure = structureOf(deployment);
          const all = solve(structure, rates);
          const fewer = solve(structure, rates, cause);
          const worse = solve(structure, { ...rates, machine: exactly(rates.machine.value * 2) });
          for (const [at, one] of all.entries()) {
            const { unavailability } = one;
            assert.ok(unavailability > 0 && unavailability < 1);
            // Fewer than needed of the others keep the backups out of the traffic.
            const service = deployment.services[at] as PredictedService;
            const isCoherent = service.instances.every(({ backup }) => !backup);
            const depends = service.dependsOn.length > 0;
            if (!isCoherent || depends) continue;
            assert.ok((fewer[at] as ServiceDown).unavailability <= unavailability * (1 + 1e-9));
            assert.ok((worse[at] as ServiceDown).unavailability >= unavailability * (1 - 1e-9));
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("no figure is given", () => {
  it("for a rate of zero, or none", () => {
    for (const value of [0, -1, Number.NaN, Infinity]) {
      const rates = ratesFor({ web: { crash: exactly(value) } });
      refused("NINES_MODEL_INPUT", () => solved(only(webOn(["a"])), rates));
    }
  });

  it("for instances that never come back or are never noticed", () => {
    const never = ratesFor({ web: { startFails: exactly(1) } });
    refused("NINES_MODEL_NEVER_RECOVERS", () => solved(only(webOn(["a"])), never));
    const blind = webOn(["a"], { checks: undefined });
    refused("NINES_MODEL_NEVER_RECOVERS", () => solved(only(blind)));
  });

  it("for what contradicts itself", () => {
    const web = webOn(["a", "b"]);
    const plain = only(web);
    const wrong: readonly Deployment[] = [
      { ...plain, services: [] },
      only({ ...web, needed: 3 }),
      only({ ...web, needed: 0 }),
      only({ ...web, dependsOn: ["web"] }),
      only({ ...web, dependsOn: ["nobody"] }),
      { ...plain, machines: machines("a") },
      { ...plain, gateway: { workers: 1, machines: ["z"] } },
      { ...plain, gateway: { workers: 1, machines: [] } },
    ];
    for (const deployment of wrong) {
      refused("NINES_PREDICT_CONTRADICTION", () => structureOf(deployment));
    }
    refused("NINES_PREDICT_CONTRADICTION", () => solved(plain, ratesFor({})));
  });

  it("for a model that is too large", () => {
    const places = Array.from({ length: 1_500 }, (_, at) => `machine-${at}`);
    refused("NINES_MODEL_TOO_LARGE", () => structureOf(only(webOn(places, { needed: 700 }))));
  });
});
