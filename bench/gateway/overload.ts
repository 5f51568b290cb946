// Three times as many requests as a service can do: what it still gets done, how long what is
// important waits, and how soon all is as before when that ends.
//
// The service is ours, so that its capacity is known: so many requests at a time, in the order they
// came, each for as long as a timer takes on this machine. The load is open: who is not answered
// does not hold back the next one, and an answer after a second is of no use to anybody any more.
// One request in ten is of high priority.

import { Agent, createServer, request as ask } from "node:http";
import { type Figure, figure } from "../shared/figures.ts";
import { Nines } from "./nines.ts";

const SLOTS = 8;
const SERVICE_MS = 50;
/** If timers were exact. */
const CAPACITY = (1000 * SLOTS) / SERVICE_MS;
const OVERLOAD = 3;
const GOODPUT_BAR = 0.9;
const PATIENCE_MS = 1000;
const HIGH_RATIO = 0.1;
const SECONDS_MIN = 3;
/** Nobody is shed for so long: it is over. */
const QUIET_MS = 200;

interface Answer {
  readonly atMs: number;
  readonly tookMs: number;
  readonly status: number;
  readonly isHigh: boolean;
}

interface Service {
  readonly port: number;
  /** Requests that it can do in a second, by how long each has really taken. */
  capacity(): number;
  stop(): void;
}

/** Works on SLOTS requests at a time. */
async function startService(): Promise<Service> {
  const waiting: (() => void)[] = [];
  let busy = 0;
  let worked = 0;
  let workedMs = 0;
  const server = createServer((_request, response) => {
    const work = (): void => {
      busy++;
      const beganMs = performance.now();
      setTimeout(() => {
        busy--;
        worked++;
        workedMs += performance.now() - beganMs;
        response.end("ok");
        waiting.shift()?.();
      }, SERVICE_MS);
    };
    if (busy < SLOTS) work();
    else waiting.push(work);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    capacity: () => (1000 * SLOTS * worked) / workedMs,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

class Clients {
  readonly answers: Answer[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1024 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Asks at random moments, so often on average, and waits for nobody. */
  async ask(perSecond: number, seconds: number): Promise<readonly Answer[]> {
    const from = this.answers.length;
    const untilMs = performance.now() + seconds * 1000;
    let nextMs = performance.now();
    await new Promise<void>((resolve) => {
      const turn = (): void => {
        const nowMs = performance.now();
        if (nowMs >= untilMs) return resolve();
        // Who was away himself does not catch up with all that he has missed.
        nextMs = Math.max(nextMs, nowMs - 50);
        for (; nextMs <= nowMs; nextMs -= (Math.log(1 - Math.random()) * 1000) / perSecond) {
          this.#one(Math.random() < HIGH_RATIO);
        }
        setTimeout(turn, 1);
      };
      turn();
    });
    return this.answers.slice(from);
  }

  #one(isHigh: boolean): void {
    const beganMs = performance.now();
    const path = isHigh ? "/high" : "/";
    const ended = (status: number): void => {
      const atMs = performance.now();
      this.answers.push({ atMs, tookMs: atMs - beganMs, status, isHigh });
    };
    const to = { host: "127.0.0.1", port: this.#port, path, agent: this.#agent };
    const asked = ask({ ...to, timeout: 5_000 }, (response) => {
      response.resume();
      response.on("end", () => ended(response.statusCode ?? 0));
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => ended(0));
    asked.end();
  }

  close(): void {
    this.#agent.destroy();
  }
}

const isGood = ({ status, tookMs }: Answer): boolean => status === 200 && tookMs <= PATIENCE_MS;

/** Of high priority; in milliseconds. */
function p99Ms(answers: readonly Answer[]): number {
  const good = answers.filter((answer) => answer.isHigh && answer.status === 200);
  const sorted = good.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

export async function measureOverload(options: {
  readonly folder: string;
  readonly seconds: number;
}): Promise<readonly Figure[]> {
  const { folder } = options;
  const seconds = Math.max(options.seconds, SECONDS_MIN);
  console.log(`overload: ${OVERLOAD} times what a service does that does ${CAPACITY}/s`);
  const service = await startService();
  const nines = await Nines.start(folder, {
    instances: [service.port],
    shedding: true,
    health: "{ tcp: true }",
  });
  const clients = new Clients(nines.port);
  try {
    const calm = await clients.ask(CAPACITY / 2, seconds);
    const began = performance.now();
    // What is found out in the first second counts as well.
    const during = await clients.ask(CAPACITY * OVERLOAD, 2 * seconds);
    const endedMs = performance.now();
    const forSeconds = (endedMs - began) / 1000;
    const after = await clients.ask(CAPACITY / 2, seconds);
    const goodput = during.filter(isGood).length / forSeconds / service.capacity();
    const high = during.filter(({ isHigh }) => isHigh);
    const lost = high.filter((answer) => !isGood(answer)).length;
    const recoveryMs = recovered(after, endedMs) - endedMs;
    const [quietMs, busyMs] = [p99Ms(calm), p99Ms(during)];
    console.log(
      `  ${during.length} answers, ${during.filter(isGood).length} good; ` +
        `high: ${lost} of ${high.length} lost, 99 % within ${busyMs.toFixed(0)} ms ` +
        `(${quietMs.toFixed(0)} ms at half load)`,
    );
    const name = "overload at three times capacity";
    return [
      figure({
        name: `${name}: goodput`,
        value: goodput,
        unit: "of capacity",
        bar: GOODPUT_BAR,
        better: "higher",
      }),
      figure({ name: `${name}: high priority that is lost`, value: lost / high.length, unit: "" }),
      figure({ name: `${name}: p99 of high priority`, value: busyMs, unit: "ms" }),
      figure({ name: "half load: p99 of high priority", value: quietMs, unit: "ms" }),
      figure({ name: `${name}: until nobody is shed afterwards`, value: recoveryMs, unit: "ms" }),
    ];
  } finally {
    clients.close();
    await nines.stop();
    service.stop();
  }
}

/** From when on all are answered well, for QUIET_MS at least. */
function recovered(after: readonly Answer[], endedMs: number): number {
  let sinceMs = endedMs;
  for (const answer of after) {
    if (answer.atMs - sinceMs >= QUIET_MS) break;
    if (!isGood(answer)) sinceMs = answer.atMs;
  }
  return sinceMs;
}
