// `npm run bench:predict`: does what is predicted happen?
//
// Eight copies of examples/shop run for real while their instances are killed and stopped at
// random, from seeds, at rates that are known: some hundreds of thousands of times those of real
// failures, since nobody waits a month for a bench. The same lives are simulated many times over
// with these rates. What was measured must lie where the simulated lives say the next one would
// lie, in five figures of each round jointly with 99 % (band.ts); and the band must be narrow
// enough to be worth something.
//
// What is measured is the time without an instance, not without a service: at rates at which a
// service is down for a share of minutes that can be measured well, little else would happen.
//
// Beside it: what the formulas and the simulator say where the right answer is known (claims.ts),
// and how many years are simulated in a minute (speed.ts).
//
// `--quick`: one life of three minutes instead of three, fewer simulated ones, and fewer years.
// `--known`: only what is known, without any real life; there is time for a thousand years then.

import { type Figure, figure, printFigures } from "../shared/figures.ts";
import { removeFolder, temporaryFolder } from "../shared/system.ts";
import { agreement, largeChain } from "./claims.ts";
import { type Band, bandOf, halfWidthRatio, isWithin } from "./band.ts";
import type { Life } from "./life.ts";
import { measure } from "./measured.ts";
import { simulate } from "./simulated.ts";
import { speed } from "./speed.ts";

const quick = process.argv.includes("--quick");
const onlyKnown = process.argv.includes("--known");
const lastsMs = 180_000;
const rounds = onlyKnown ? 0 : quick ? 1 : 3;
const lives = quick ? 40 : 150;
const firstSeed = 7;
const halfWidthMax = 0.4;
const yearsTimed = quick && !onlyKnown ? 200 : 1_000;
const yearsAgreed = quick ? 500 : 10_000;

interface Compared {
  readonly key: "missing" | "detectMs" | "transferMs" | "recoverMs" | "unanswered";
  readonly name: string;
  readonly unit: string;
  /** Of what differs by factors from life to life; such values, and smaller ones, are the same. */
  readonly tooSmall?: number;
}

const compared: readonly Compared[] = [
  { key: "missing", name: "time without an instance", unit: "share" },
  { key: "detectMs", name: "t1, until detected", unit: "ms", tooSmall: 1 },
  { key: "transferMs", name: "t2, until traffic is elsewhere", unit: "ms", tooSmall: 1 },
  { key: "recoverMs", name: "t3, until full strength", unit: "ms", tooSmall: 1 },
  { key: "unanswered", name: "requests not answered", unit: "share", tooSmall: 1e-4 },
];

async function round(seed: number, at: number): Promise<readonly Figure[]> {
  const folder = temporaryFolder("predict");
  try {
    const { life, file, startsMs } = await measure(folder, lastsMs, seed);
    const simulated = await simulate({ file, firstSeed: 1 + at * lives, lives, lastsMs, startsMs });
    return judge(life, simulated, seed);
  } finally {
    removeFolder(folder);
  }
}

function judge(life: Life, simulated: readonly Life[], seed: number): readonly Figure[] {
  const figures: Figure[] = [];
  for (const { key, name, unit, tooSmall } of compared) {
    const values = simulated.map((one) => one[key]);
    const band = bandOf(values, compared.length * rounds, tooSmall);
    figures.push(outside(`${name}, seed ${seed}`, life[key], unit, band));
    if (key !== "missing") continue;
    const half = halfWidthRatio(band);
    const width = { name: `half of its band, seed ${seed}`, value: half, unit: "share" };
    figures.push(figure({ ...width, bar: halfWidthMax }));
  }
  const seen = { name: `failures, seed ${seed}`, value: life.strikes, unit: "failures" };
  return [...figures, figure({ ...seen, note: `in ${life.incidents} incidents` })];
}

/** A value is right within its band; the figure is by how much of the band's half it is off. */
function outside(name: string, value: number, unit: string, band: Band): Figure {
  const [low, expected, high] = [band.lower, band.expected, band.upper].map(short);
  const note = `${short(value)} ${unit}; simulated ${expected}, band ${low} to ${high}`;
  const isAbove = value > band.expected;
  const reach = isAbove ? band.upper - band.expected : band.expected - band.lower;
  const off = Math.abs(value - band.expected) / reach;
  const told = figure({ name, value: off, unit: "of its band", bar: 1, note });
  return { ...told, ok: told.ok && isWithin(value, band) };
}

function short(value: number): number {
  return Number(value.toPrecision(3));
}

const figures: Figure[] = [];
for (let at = 0; at < rounds; at++) figures.push(...(await round(firstSeed + at, at)));
figures.push(...largeChain(), await agreement(yearsAgreed), await speed(yearsTimed));
printFigures("predict", figures);
if (figures.some(({ ok }) => !ok)) process.exitCode = 1;
