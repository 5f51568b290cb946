// One real life of the shops: so many seconds of failures, of clients, and of looking.

import { Agent } from "node:http";
import { createPrng } from "../../src/core/base/prng.ts";
import { pause } from "../shared/system.ts";
import { Clients } from "./clients.ts";
import { type Life, timesIn } from "./life.ts";
import { Shops } from "./shops.ts";
import { Strikes } from "./strikes.ts";

/** Between two looks at who takes traffic. */
const lookMs = 50;
/** From the last start to the first failure. */
const settlesMs = 5_000;

export interface Measured {
  readonly life: Life;
  /** The file, for the simulation to play. */
  readonly file: string;
  readonly startsMs: readonly number[];
}

export async function measure(folder: string, lastsMs: number, seed: number): Promise<Measured> {
  const shops = await Shops.start(folder);
  try {
    return await live(shops, lastsMs, seed);
  } finally {
    await shops.stop();
  }
}

async function live(shops: Shops, lastsMs: number, seed: number): Promise<Measured> {
  const random = createPrng(seed);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  using clients = new Clients(shops.port, random.stream("clients"), agent);
  await pause(settlesMs);
  const before = { sent: clients.sent, lost: clients.lost };
  const instances = await shops.instances();
  using strikes = new Strikes(
    instances.map(({ id }) => id),
    random.stream("strikes"),
  );
  strikes.look(instances);
  const missing = await watch(shops, strikes, lastsMs);
  const [incidents, startsMs] = [await shops.incidents(), await shops.startsMs()];
  const life: Life = {
    missing,
    ...timesIn(incidents),
    strikes: strikes.count,
    unanswered: (clients.lost - before.lost) / (clients.sent - before.sent),
  };
  return { life, file: shops.file, startsMs };
}

/** The share of all instances' time in which they did not work, or took no traffic. */
async function watch(shops: Shops, strikes: Strikes, lastsMs: number): Promise<number> {
  const beganMs = performance.now();
  let [lookedMs, missingMs, timeMs] = [beganMs, 0, 0];
  while (lookedMs - beganMs < lastsMs) {
    await pause(lookMs);
    const instances = await shops.instances();
    const nowMs = performance.now();
    strikes.look(instances);
    const idle = instances.filter((one) => !strikes.works(one)).length;
    missingMs += idle * (nowMs - lookedMs);
    timeMs += instances.length * (nowMs - lookedMs);
    lookedMs = nowMs;
  }
  return missingMs / timeMs;
}
