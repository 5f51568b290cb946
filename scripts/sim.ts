// `npm run sim`: the simulator on the command line.
//
//   npm run sim -- --runs=1000          seeds 1 to 1000, after the regressions of sim/seeds
//   npm run sim -- --runs=50 --fresh    fifty seeds that nobody has tried
//   npm run sim -- --seed=123           one run; its trace when it fails, or with --trace
//   npm run sim -- --passing-over       whether passing over time changes anything; --hours=24
//   npm run sim -- --starvation         a machine short of CPU: who is blamed falsely; --hours=24
//   npm run sim -- --stories            the scenarios; --rewrite puts what happens into the files
//
// Exit code 0 when every promise held, 1 when one broke, 2 for words it does not know.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { campaign, printCampaign, printFailure } from "../sim/campaign.ts";
import { simulate, type RunOptions } from "../sim/run.ts";
import { playStory } from "../sim/scenarios/story.ts";
import { printStarvation, starve } from "../sim/starvation.ts";
import { regressions } from "../sim/seeds/regressions.ts";
import type { World } from "../sim/world/world.ts";
import { comparePassing } from "../sim/years/passing-over.ts";

const stories = join(import.meta.dirname, "..", "..", "sim", "scenarios");
const TRACE_LINES = 400;

function words() {
  try {
    return parseArgs({
      options: {
        runs: { type: "string", default: "100" },
        from: { type: "string", default: "1" },
        fresh: { type: "boolean", default: false },
        "skip-regressions": { type: "boolean", default: false },
        seed: { type: "string" },
        trace: { type: "boolean", default: false },
        lines: { type: "string", default: String(TRACE_LINES) },
        starvation: { type: "boolean", default: false },
        "passing-over": { type: "boolean", default: false },
        hours: { type: "string", default: "24" },
        stories: { type: "boolean", default: false },
        rewrite: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return process.exit(2);
  }
}

const values = words();

/** A promise that nobody awaits and that fails is a bug of the code under test. */
let watched: World | undefined;
process.on("unhandledRejection", (error) => watched?.loop.fail(error));
const options: RunOptions = {
  boundary: () => setImmediate(),
  onWorld: (world) => {
    watched = world;
  },
};

async function oneSeed(seed: number): Promise<number> {
  const result = await simulate(seed, options);
  if (result.failure !== undefined) {
    console.log(printFailure(result, Number(values.lines)));
    return 1;
  }
  if (values.trace) console.log(result.trace());
  console.log(`seed ${seed} kept every promise: ${result.events} events, ${result.checks} checks`);
  return 0;
}

async function manySeeds(): Promise<number> {
  const runs = Number(values.runs);
  const first = values.fresh ? Math.floor(Math.random() * 2 ** 31) : Number(values.from);
  const seeds = Array.from({ length: runs }, (_, index) => first + index);
  const known = values["skip-regressions"] ? [] : regressions.map((each) => each.seed);
  const begunMs = performance.now();
  const result = await campaign([...known, ...seeds], options);
  if (result.failed !== undefined) console.log(printFailure(result.failed, Number(values.lines)));
  console.log(printCampaign(result, performance.now() - begunMs));
  return result.failed === undefined ? 0 : 1;
}

async function starvation(): Promise<number> {
  const result = await starve(Number(values.seed ?? "1"), Number(values.hours), options);
  console.log(printStarvation(result));
  return result.falseVerdicts.length + result.falseEjections.length === 0 ? 0 : 1;
}

async function passingOver(): Promise<number> {
  const runs = Number(values.runs);
  const first = Number(values.seed ?? values.from);
  let passed = 0;
  for (let seed = first; seed < first + runs; seed++) {
    const result = await comparePassing(seed, Number(values.hours) * 3_600_000, options);
    passed += result.passed / runs;
    if (result.difference === undefined) continue;
    const [passing, living] = result.difference.map((line) => line.slice(0, 300));
    console.log(`seed ${seed} broke a promise when time was passed over`);
    console.log(`  passing-over: ${passing}\n  is otherwise: ${living}`);
    return 1;
  }
  console.log(
    `${runs} runs are the same when ${(100 * passed).toFixed(1)} % of their time is passed over`,
  );
  return 0;
}

async function allStories(): Promise<number> {
  let different = 0;
  for (const name of readdirSync(stories).filter((each) => each.endsWith(".txt"))) {
    const file = join(stories, name);
    const before = readFileSync(file, "utf8");
    const after = await playStory(before, options);
    if (after === before) continue;
    different++;
    console.log(`${name} ${values.rewrite ? "was rewritten" : "goes differently now"}`);
    if (values.rewrite) writeFileSync(file, after);
  }
  return values.rewrite || different === 0 ? 0 : 1;
}

if (values.stories) process.exitCode = await allStories();
else if (values["passing-over"]) process.exitCode = await passingOver();
else if (values.starvation) process.exitCode = await starvation();
else if (values.seed !== undefined) process.exitCode = await oneSeed(Number(values.seed));
else process.exitCode = await manySeeds();
