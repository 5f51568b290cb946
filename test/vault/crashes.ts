// Crashes at every point of a vault's life, each followed by a start that is judged (life.ts).
//
// The disks change at their steps, so the points are: before each change of any disk, and half way
// through it. At each point an image of all disks is taken, as one power loss leaves them, each
// disk for itself, or as a kill does. The vault is opened on the image and must hold what was
// promised at that moment; now and then it goes on with a backup, and is judged again.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import { sample } from "../../sim/disk/choices.ts";
import type { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { BrokenPromise } from "../broken-promise.ts";
import { judge, type Known, Life, type Operations } from "./life.ts";

export interface CrashOptions {
  readonly seed: number;
  readonly steps: number;
  /** Of all points, one in so many is tried. */
  readonly stride: number;
}

export interface CrashCount {
  /** Steps of the disks. */
  readonly points: number;
  /** Images that were judged. */
  readonly crashes: number;
}

interface Image {
  readonly disks: readonly SimulatedDisk[];
  readonly known: Known;
  readonly what: string;
}

/** Runs the life of a seed with its crashes. Throws BrokenPromise. */
export async function crashEverywhere(
  operations: Operations,
  { seed, steps, stride }: CrashOptions,
): Promise<CrashCount> {
  const random = createPrng(seed).stream("crashes");
  const life = await Life.begin(operations, seed);
  const images: Image[] = [];
  let points = 0;
  for (const [at, disk] of life.world.disks.entries()) {
    disk.onStep = (step, what) => {
      if (points++ % stride !== 0) return;
      const disks = life.world.disks.map((each) => each.afterKill());
      images.push({ disks, known: life.known(), what: `${step} ${what} on disk ${at}` });
    };
  }
  let crashes = 0;
  for (let step = 0; step < steps; step++) {
    const done = await labelled(`seed ${seed}, step ${step}`, () => life.step());
    for (const image of images.splice(0)) {
      const where = `seed ${seed}, step ${step} (${done}), ${image.what}`;
      await labelled(where, () => crashAt(operations, image, random));
      crashes++;
    }
  }
  return { points, crashes };
}

async function crashAt(operations: Operations, image: Image, random: Random): Promise<void> {
  const isKill = random.below(4) === 0;
  const choose = sample(random);
  const left = isKill
    ? image.disks
    : image.disks.map((disk) => disk.afterPowerLoss(choose, { stale: true }));
  await judge(operations, left, image.known, random.below(2 ** 31), random.below(6) === 0);
}

async function labelled<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const message = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    throw new BrokenPromise(`${what}: ${message}`, { cause });
  }
}
