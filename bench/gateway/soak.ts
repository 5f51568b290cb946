// A long time under load, with clients that go away in the middle of their answers: what a worker
// holds must not grow. A short one runs as fast as it is answered; one of an hour at a steady rate,
// so that a machine can do something else beside it (where wrk is installed: load.ts).

import { connect } from "node:net";
import { type Figure, figure, median } from "../shared/figures.ts";
import { pause } from "../shared/system.ts";
import { startOrigin } from "./contenders.ts";
import { runLoad } from "./load.ts";
import { Nines } from "./nines.ts";
import { descriptors, residentBytes } from "./processes.ts";

const LARGE_BYTES = 1024 * 1024;
const ABORTERS = 8;
const ABORT_EVERY_MS = 10;
const LONG_SECONDS = 600;
const LONG_PER_SECOND = 2_000;
const LONG_ABORT_EVERY_MS = 200;
const SAMPLE_MS = 1000;
const MEMORY_BAR = 1.15;
const DESCRIPTORS_BAR = 4;
/** An idle connection to an instance is closed after 4 s. */
const IDLE_MS = 5000;

export async function measureSoak(options: {
  readonly folder: string;
  readonly seconds: number;
}): Promise<readonly Figure[]> {
  const { folder, seconds } = options;
  const origin = await startOrigin(folder, LARGE_BYTES);
  const nines = await Nines.start(folder, { instances: [origin.port] });
  try {
    const before = descriptors(nines.pid);
    const isLong = seconds >= LONG_SECONDS;
    const rate = isLong ? { perSecond: LONG_PER_SECOND } : {};
    const load = { port: nines.port, path: "/", connections: 16, seconds, ...rate };
    const sampling = sample(nines.pid, seconds);
    const everyMs = isLong ? LONG_ABORT_EVERY_MS : ABORT_EVERY_MS;
    const aborting = abort(nines.port, seconds, everyMs);
    const { requests, errors, lost } = await runLoad(load, folder);
    const aborted = await aborting;
    const samples = await sampling;
    await pause(IDLE_MS);
    const left = descriptors(nines.pid) - before;
    console.log(`  soak of ${seconds} s: ${requests} requests, ${aborted} answers cut by clients`);
    // The first third is for heap and code to find their size.
    const third = Math.floor(samples.length / 3);
    const growth = median(samples.slice(-third)) / median(samples.slice(third, -third));
    const name = `soak of ${seconds} s with client aborts:`;
    return [
      figure({ name: `${name} requests lost`, value: errors + lost, unit: "requests", bar: 0 }),
      figure({
        name: `${name} memory, last third over the one before`,
        value: growth,
        unit: "x",
        bar: MEMORY_BAR,
      }),
      figure({ name: `${name} descriptors left`, value: left, unit: "", bar: DESCRIPTORS_BAR }),
    ];
  } finally {
    await nines.stop();
    await origin.stop();
  }
}

async function sample(pid: number, seconds: number): Promise<readonly number[]> {
  const samples: number[] = [];
  const untilMs = performance.now() + seconds * 1000;
  while (performance.now() < untilMs) {
    await pause(SAMPLE_MS);
    samples.push(residentBytes(pid));
  }
  return samples;
}

/** Each goes away when the first bytes have come, most of them in the middle of a large answer. */
async function abort(port: number, seconds: number, everyMs: number): Promise<number> {
  const untilMs = performance.now() + seconds * 1000;
  let aborted = 0;
  const go = async (isAbrupt: boolean): Promise<void> => {
    while (performance.now() < untilMs) {
      await new Promise<void>((resolve) => {
        const socket = connect({ port, host: "127.0.0.1" });
        socket.on("error", () => undefined);
        socket.on("close", () => resolve());
        socket.write("GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        socket.once("data", () => (isAbrupt ? socket.resetAndDestroy() : socket.destroy()));
      });
      aborted++;
      await pause(everyMs);
    }
  };
  await Promise.all(Array.from({ length: ABORTERS }, (_, index) => go(index % 2 === 0)));
  return aborted;
}
