// What an operator says of single instances, on the small world: each word takes effect, is kept
// across a control that is killed, says what it does, and ends by one word.

import assert from "node:assert/strict";
import { test } from "node:test";
import { plainFailover } from "../../core/failover/settings.ts";
import { importPlanted, type PlantedFault } from "../../../test/planted.fixture.ts";
import type { Control } from "../control.ts";
import { commandService, configOf, endpointService, World } from "../world.fixture.ts";

const addresses = ["10.0.0.1:80", "10.0.0.2:80"];
const cache = endpointService("cache", addresses);
const [one, two, three] = ["cache-10.0.0.1:80", "cache-10.0.0.2:80", "cache-10.0.0.3:80"];
const third = { host: "10.0.0.3", port: 80, weight: 4, backup: false, zone: "" };

type Worlds = { readonly World: typeof World };

/** Both endpoints answer, and so would a third. */
async function started(worlds: Worlds = { World }): Promise<{ world: World; control: Control }> {
  const world = new worlds.World();
  for (const address of [...addresses, "10.0.0.3:80"]) world.answering.add(address);
  const control = world.control();
  control.start(configOf([cache]));
  await world.until(() => world.verdict(two) === "up", 5_000);
  return { world, control };
}

/** The next control over the same disk, after `kill -9`. */
async function restarted(world: World, services = [cache]): Promise<Control> {
  world.killControl();
  const control = world.control();
  control.start(configOf(services));
  await world.advance(3_000);
  return control;
}

function weights(world: World): readonly (readonly [string, number])[] {
  const instances = world.tables.at(-1)?.services[0]?.instances ?? [];
  return instances.map(({ id, weight }) => [id, weight] as const);
}

test("a weight is an operator's until auto, and is kept", async () => {
  const { world, control } = await started();
  assert.match(control.weigh(two, { weight: 5 }), /has weight 5 instead of the file's 1: an op/);
  await world.advance(0);
  assert.deepEqual(weights(world), [
    [one, 1],
    [two, 5],
  ]);
  const next = await restarted(world);
  assert.deepEqual(weights(world)[1], [two, 5]);
  assert.match(next.weigh(two, undefined), /has the weight of the file again, 1/);
  await world.advance(0);
  assert.deepEqual(weights(world)[1], [two, 1]);
  assert.equal(world.events.filter(({ kind }) => kind === "instance.weighed").length, 2);
  await restarted(world);
  assert.deepEqual(weights(world)[1], [two, 1], "auto is kept as well");
});

test("half of a weight of one is half, because only the relation counts", async () => {
  const { world, control } = await started();
  assert.match(control.weigh(two, { percent: 50 }), /has weight 50% of the file's 1/);
  await world.advance(0);
  assert.deepEqual(
    weights(world).map(([, weight]) => weight),
    [100, 50],
  );
});

async function forcedDownIsKept(worlds: Worlds = { World }): Promise<void> {
  const { world, control } = await started(worlds);
  assert.match(control.force(one, "down"), /gets no traffic whatever its checks say/);
  await world.advance(0);
  assert.equal(world.verdict(one), "draining", "nobody tries it, not even without control");
  await world.advance(5_000);
  assert.equal(world.verdict(one), "draining");
  const next = await restarted(world);
  assert.equal(world.verdict(one), "draining");
  next.force(one, undefined);
  await world.advance(0);
  assert.equal(world.verdict(one), "up");
}

test("forced down gets nothing until auto, across a killed control", () => forcedDownIsKept());

test("forced up takes traffic while its checks fail, and is not restarted for them", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 2, max: 2 } })]));
  await world.until(() => world.verdict("web-2") === "up", 5_000);
  world.hung.add("web-2");
  await world.until(() => world.verdict("web-2") === "failing", 10_000);
  const before = control.registry.get("web-2")?.generation ?? 0;
  control.force("web-2", "up");
  await world.advance(0);
  assert.equal(world.verdict("web-2"), "up");
  assert.ok((control.registry.get("web-2")?.generation ?? 0) > before, "ejections are forgotten");
  await world.advance(120_000);
  assert.equal(world.starts("web-2").length, 1, "nobody restarted it");
  control.force("web-2", undefined);
  await world.advance(0);
  assert.equal(world.verdict("web-2"), "failing");
  await world.until(() => world.starts("web-2").length === 2, 120_000);
});

test("a primary that is forced down fails over, and nobody goes back to it by himself", async () => {
  const world = new World();
  const control = world.control();
  const failover = { ...plainFailover, mode: "primary-standby" } as const;
  control.start(configOf([commandService("db", { replicas: { min: 2, max: 2 }, failover })]));
  await world.until(() => world.verdict("db-2") === "standby", 5_000);
  await world.advance(500);
  control.force("db-1", "down");
  await world.until(() => world.verdict("db-2") === "up", 3_000);
  await world.advance(120_000);
  assert.equal(world.verdict("db-2"), "up");
  const why = world.sentences().find((each) => each.includes("db-2 is primary"));
  assert.match(why ?? "", /an operator forced it down/);
});

async function addedIsKept(worlds: Worlds = { World }): Promise<void> {
  const { world, control } = await started(worlds);
  const said = control.addEndpoint("cache", third);
  assert.match(
    said,
    /cache-10\.0\.0\.3:80 is one of 3 endpoints, weight 4, beside the file: an op/,
  );
  await world.until(() => world.verdict(three) === "up", 5_000);
  assert.ok(control.registry.get(three)?.added);
  const next = await restarted(world);
  assert.equal(world.verdict(three), "up");
  assert.deepEqual(weights(world)[2], [three, 4]);
  assert.match(next.removeEndpoint(three), /is no endpoint of cache any more, 2 are left/);
  await world.advance(0);
  assert.equal(world.verdict(three), undefined);
  await restarted(world);
  assert.equal(world.verdict(three), undefined);
}

test("an endpoint that is added is checked, weighed and kept, until it is removed", () =>
  addedIsKept());

test("an endpoint of the file that is removed stays out until it is added again", async () => {
  const { world, control } = await started();
  control.removeEndpoint(one);
  await world.advance(0);
  assert.equal(world.verdict(one), undefined);
  assert.deepEqual(control.removedEndpoints("cache"), [one]);
  const next = await restarted(world);
  assert.equal(world.verdict(one), undefined);
  const stays = next.apply(configOf([cache]));
  assert.match(stays.join(), /10\.0\.0\.1:80 stays out, an operator removed it/);
  const first = { ...third, host: "10.0.0.1" };
  assert.match(next.addEndpoint("cache", first), /one of 2 endpoints, as the file names it/);
  await world.until(() => world.verdict(one) === "up", 5_000);
  assert.deepEqual(weights(world)[0], [one, 1], "the file's weight, not the command's");
});

test("the file is the newer word on what it names itself, or names no more", async () => {
  const { world, control } = await started();
  control.addEndpoint("cache", third);
  control.removeEndpoint(one);
  const all = endpointService("cache", ["10.0.0.2:80", "10.0.0.3:80"]);
  assert.deepEqual(control.apply(configOf([all])), []);
  await world.advance(0);
  assert.deepEqual(weights(world)[1], [three, 1]);
  assert.equal(control.registry.get(three)?.added, false);
  control.apply(configOf([cache]));
  await world.until(() => world.verdict(one) === "up", 3_000);
  assert.equal(world.verdict(three), undefined);
});

test("what goes on beside a changed file is said with it", async () => {
  const { control } = await started();
  control.weigh(one, { percent: 10 });
  control.force(two, "up");
  control.addEndpoint("cache", third);
  const stays = control.apply(configOf([cache])).join(" ");
  for (const id of [one, two, three]) assert.ok(stays.includes(id), `${id} in ${stays}`);
  assert.deepEqual(control.apply(configOf([endpointService("other", addresses)])), []);
});

test("a drain outlasts that its endpoint goes and comes", async () => {
  const { world, control } = await started();
  control.drain(one);
  control.removeEndpoint(one);
  control.addEndpoint("cache", { ...third, host: "10.0.0.1" });
  await world.advance(3_000);
  assert.equal(world.verdict(one), "draining");
});

test("what cannot be done is refused and changes nothing", async () => {
  const { world, control } = await started();
  const unknown = { code: "NINES_TARGET_UNKNOWN" };
  assert.throws(() => control.weigh("cache-9", { weight: 1 }), unknown);
  assert.throws(() => control.force("cache-9", "up"), unknown);
  assert.throws(() => control.removeEndpoint("cache-9"), unknown);
  assert.throws(() => control.addEndpoint("web", third), { code: "NINES_SERVICE_UNKNOWN" });
  const twice = { code: "NINES_ENDPOINT_REFUSED", message: /is there already/ };
  assert.throws(() => control.addEndpoint("cache", { ...third, host: "10.0.0.2" }), twice);
  const told = world.tables.length;
  await world.advance(1_000);
  assert.equal(world.tables.length, told);
});

test("what Nines runs itself is scaled, not removed", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web")]));
  await world.advance(1_000);
  assert.throws(() => control.removeEndpoint("web-1"), {
    code: "NINES_ENDPOINT_REFUSED",
    message: /nines scale web/,
  });
});

async function refusedByTheDisk(worlds: Worlds = { World }): Promise<void> {
  const { world, control } = await started(worlds);
  world.diskRefuses = true;
  const written = { code: "NINES_STATE_WRITE" };
  assert.throws(() => control.force(one, "down"), written);
  assert.throws(() => control.weigh(one, { weight: 9 }), written);
  assert.throws(() => control.addEndpoint("cache", third), written);
  assert.throws(() => control.removeEndpoint(two), written);
  await world.advance(1_000);
  assert.deepEqual(weights(world), [
    [one, 1],
    [two, 1],
  ]);
  assert.equal(world.verdict(one), "up");
}

test("a word that the disk refuses takes no effect", () => refusedByTheDisk());

const steering = "src/control/steering/steering.js";
const verdict = "src/control/registry/verdict.js";
const words = "src/control/steering/steering-words.js";
const faults: readonly (PlantedFault & { readonly finder: (worlds: Worlds) => Promise<void> })[] = [
  {
    name: "workers may try whom a person forced down",
    file: verdict,
    find: 'isDrained(record) || record.steered?.forced === "down"',
    replace: "isDrained(record)",
    finder: forcedDownIsKept,
  },
  {
    name: "a control that comes back shows nobody as steered",
    file: steering,
    find: "if (before === undefined && after !== undefined)",
    replace: "if (false)",
    finder: forcedDownIsKept,
  },
  {
    name: "what an operator adds is not kept",
    file: words,
    find: "this.#words.keep({ ...this.now, ...words });",
    replace: "Object.assign(this.now, words);",
    finder: addedIsKept,
  },
  {
    name: "a word takes effect before it is kept",
    file: "src/control/registry/kept-word.js",
    find: "this.#records.write(this.#key, word);\n        this.#word = word;",
    replace: "this.#word = word; try { this.#records.write(this.#key, word); } catch {}",
    finder: refusedByTheDisk,
  },
];

for (const { finder, ...fault } of faults) {
  test(`these tests find it when ${fault.name}`, async () => {
    await importPlanted<Worlds>("src/control/world.fixture.js", fault, async (module) => {
      await assert.rejects(finder(module), assert.AssertionError);
    });
  });
}
