// What an instance's agent says, on the small world: each word of HAProxy's, what the data plane is
// told, and who may end it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { importPlanted, type PlantedFault } from "../../../test/planted.fixture.ts";
import type { EndpointService } from "../../config/config.ts";
import type { Control } from "../control.ts";
import { commandService, configOf, endpointService, World } from "../world.fixture.ts";

const [one, two] = ["10.0.0.1:80", "10.0.0.2:80"];
const [first, second] = [`cache-${one}`, `cache-${two}`];
const agentOfOne = "10.0.0.1:9";

function withAgent(send = ""): EndpointService {
  const cache = endpointService("cache", [one, two]);
  return { ...cache, health: { ...cache.health, agent: { port: 9, intervalMs: 2_000, send } } };
}

type Worlds = { readonly World: typeof World };

/** Both answer their checks; nobody's agent listens. */
async function started(worlds: Worlds = { World }): Promise<{ world: World; control: Control }> {
  const world = new worlds.World();
  world.answering.add(one);
  world.answering.add(two);
  const control = world.control();
  control.start(configOf([withAgent()]));
  await world.until(() => world.verdict(first) === "up" && world.verdict(second) === "up", 5_000);
  return { world, control };
}

/** The agent of the first says this from now on; the next question is answered. */
async function say(world: World, line: string): Promise<void> {
  world.agents.set(agentOfOne, line);
  await world.advance(2_500);
}

function told(world: World) {
  return world.tables.at(-1)?.services[0]?.instances ?? [];
}

test("an agent that cannot be asked changes nothing, and that is said once", async () => {
  const { world } = await started();
  await world.advance(30_000);
  assert.equal(world.verdict(first), "up");
  const said = world.sentences(first).filter((each) => each.includes("cannot be asked"));
  assert.deepEqual(said, [
    `${first}: its agent cannot be asked, what it said last holds: connection refused`,
  ]);
});

async function weighs(worlds: Worlds = { World }): Promise<void> {
  const { world, control } = await started(worlds);
  await say(world, "75%");
  assert.deepEqual(
    told(world).map(({ weight }) => weight),
    [75, 100],
  );
  control.weigh(first, { weight: 2 });
  await world.advance(0);
  assert.deepEqual(
    told(world).map(({ weight }) => weight),
    [200, 100],
    "an operator's word stands above the agent's",
  );
  control.weigh(first, undefined);
  await say(world, "0%");
  assert.equal(world.verdict(first), "draining");
  await say(world, "100%");
  assert.equal(world.verdict(first), "up");
}

test("a percentage is a share of the file's weight; none of it is a drain", () => weighs());

test("maxconn is the limit of this instance alone", async () => {
  const { world } = await started();
  await say(world, "maxconn:30");
  assert.deepEqual(
    told(world).map(({ maxConnections }) => maxConnections),
    [30, undefined],
  );
});

async function drains(worlds: Worlds = { World }): Promise<void> {
  const { world } = await started(worlds);
  await say(world, "drain");
  assert.equal(world.verdict(first), "draining");
  await say(world, "up 100%");
  assert.equal(world.verdict(first), "draining", "only ready ends it");
  world.agents.delete(agentOfOne);
  await world.advance(10_000);
  assert.equal(world.verdict(first), "draining", "it is gone, its word holds");
  await say(world, "ready");
  assert.equal(world.verdict(first), "up");
}

test("drain holds until the agent itself says ready", () => drains());

async function isNotChecked(worlds: Worlds = { World }): Promise<void> {
  const { world, control } = await started(worlds);
  await say(world, "maint");
  assert.equal(world.verdict(first), "draining");
  world.answering.delete(one);
  world.answering.delete(two);
  await world.until(() => world.verdict(second) === "failing", 10_000);
  assert.equal(control.registry.get(first)?.health, "unknown", "it was not checked");
  await say(world, "ready");
  assert.notEqual(world.verdict(first), "up", "nobody knows that it works");
  world.answering.add(one);
  await world.until(() => world.verdict(first) === "up", 10_000);
}

test("in maint nothing is checked; ready begins with a check", () => isNotChecked());

async function countsAsDown(worlds: Worlds = { World }): Promise<void> {
  for (const word of ["down", "fail", "stopped"]) {
    const { world } = await started(worlds);
    await say(world, `${word}#disk is full`);
    assert.equal(world.verdict(first), "failing");
    const why = `${first} is down: its agent says ${word} (disk is full)`;
    assert.ok(world.sentences(first).includes(why), world.sentences(first).join("\n"));
    await say(world, "ready 100%");
    assert.equal(world.verdict(first), "failing", "only up ends it");
    world.answering.delete(one);
    await world.advance(5_000);
    await say(world, "up");
    assert.equal(world.verdict(first), "failing", "its check fails now");
    world.answering.add(one);
    await world.until(() => world.verdict(first) === "up", 10_000);
  }
}

test("down, fail and stopped count as a failed check until the agent says up", () =>
  countsAsDown());

test("a line that is not understood changes nothing, and that is said once", async () => {
  const { world } = await started();
  await say(world, "drian 50%");
  await world.advance(20_000);
  assert.equal(world.verdict(first), "up");
  assert.equal(told(world)[0]?.weight, 100);
  const said = world.events.filter(({ kind }) => kind === "instance.agent-not-heard");
  const own = said.filter(({ instance }) => instance === first).map(({ sentence }) => sentence);
  assert.equal(own.length, 2, own.join("\n"));
  assert.match(own[1] ?? "", /is not understood and changes nothing: "drian" is no word/);
});

test("one that speaks of its load each second is quoted now and then, and always obeyed", async () => {
  const { world } = await started();
  for (let percent = 50; percent < 80; percent++) await say(world, `${percent}%`);
  assert.equal(told(world)[0]?.weight, 79);
  const quoted = world.events.filter(({ kind }) => kind === "instance.agent-said").length;
  assert.ok(quoted >= 5 && quoted <= 9, `${quoted} quotations in 75 s`);
});

test("one that babbles is quoted now and then, not with every word", async () => {
  const { world } = await started();
  for (let word = 0; word < 24; word++) await say(world, word % 2 === 0 ? `nonsense${word}` : "up");
  const quoted = world.events.filter(({ kind, instance }) => {
    return kind === "instance.agent-not-heard" && instance === first;
  });
  assert.ok(quoted.length >= 3 && quoted.length <= 8, `${quoted.length} quotations in 60 s`);
});

test("what it says reaches no terminal as it is", async () => {
  const { world, control } = await started();
  await say(world, "50% #\u001b[31m\u009b");
  assert.equal(control.registry.get(first)?.agentHeard?.text, "50% #?[31m?");
});

test("what is sent to it names the instance where it is asked to", async () => {
  const world = new World();
  world.control().start(configOf([withAgent("{service} {instance}\n")]));
  await world.advance(1_000);
  assert.deepEqual(world.agentsSent.slice(0, 2).sort(), [`cache ${first}\n`, `cache ${second}\n`]);
});

async function newControlWaits(worlds: Worlds = { World }): Promise<void> {
  const { world } = await started(worlds);
  await say(world, "drain");
  world.killControl();
  world.agentDelayMs = 1_500;
  const before = world.tables.length;
  world.control().start(configOf([withAgent()]));
  await world.advance(10_000);
  const since = world.tables.slice(before).flatMap(({ services }) => services[0]?.instances ?? []);
  const verdicts = new Set(since.filter(({ id }) => id === first).map(({ verdict }) => verdict));
  assert.ok(!verdicts.has("up"), [...verdicts].join());
  assert.equal(world.verdict(first), "draining");
}

test("a new control puts nobody in before it has asked the agent", () => newControlWaits());

test("an agent that the file names no more has said nothing", async () => {
  const { world, control } = await started();
  await say(world, "drain 10%");
  control.apply(configOf([endpointService("cache", [one, two])]));
  await world.until(() => world.verdict(first) === "up", 5_000);
  assert.deepEqual(
    told(world).map(({ weight }) => weight),
    [1, 1],
  );
});

test("a process that is started anew keeps its agent's orders, and not its word on the last one", async () => {
  const world = new World();
  const control = world.control();
  const web = commandService("web", { replicas: { min: 2, max: 2 } });
  const agent = { port: 9, intervalMs: 2_000, send: "" };
  control.start(configOf([{ ...web, health: { ...web.health, agent } }]));
  await world.until(() => world.verdict("web-2") === "up", 5_000);
  world.agents.set("127.0.0.1:9", "down drain");
  await world.until(() => control.registry.get("web-1")?.health === "down", 5_000);
  world.agents.clear();
  world.crash("web-1");
  await world.until(() => control.registry.get("web-1")?.health === "up", 10_000);
  assert.equal(world.verdict("web-1"), "draining");
});

const faults: readonly (PlantedFault & { readonly finder: (worlds: Worlds) => Promise<void> })[] = [
  {
    name: "an agent's drain is not looked at",
    file: "src/control/registry/verdict.js",
    find: "return draining || (agent !== undefined && isWithdrawn(agent));",
    replace: "return draining;",
    finder: drains,
  },
  {
    name: "an agent's weight does not reach the table",
    file: "src/control/routing/build-table.js",
    find: "agentPercent: agent?.weightPercent",
    replace: "agentPercent: agent && 100",
    finder: weighs,
  },
  {
    name: "checks go on in maint",
    file: "src/control/health/health.js",
    find: 'return agent?.administrative === "maint";',
    replace: "return false;",
    finder: isNotChecked,
  },
  {
    name: "an agent's down is nobody's failure",
    file: "src/control/health/agent-check.js",
    find: 'this.#state.operating === "up" ? "up" : "down"',
    replace: '"up"',
    finder: countsAsDown,
  },
  {
    name: "a new control knows its agents before it has asked them",
    file: "src/control/health/agent-check.js",
    find: 'this.#isKnown = record.phase === "starting";',
    replace: "this.#isKnown = true;",
    finder: newControlWaits,
  },
];

for (const { finder, ...fault } of faults) {
  test(`these tests find it when ${fault.name}`, async () => {
    await importPlanted<Worlds>("src/control/world.fixture.js", fault, async (module) => {
      await assert.rejects(finder(module), assert.AssertionError);
    });
  });
}
