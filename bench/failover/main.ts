// `npm run bench:failover`: what clients notice while things are killed, stopped, made slow or
// sick, reloaded, drained and deployed.
//
// The same open-loop load (400 requests a second, half on kept connections, a fifth POSTs) runs
// against Nines at its defaults and, where installed, HAProxy as set up and as tuned, and nginx.
// Each scenario (scenarios/) is one fault or change a second into the load. What is promised as
// a time is measured alone, scenario after scenario, then the peers are, beside each other; what is
// promised of Nines as a count runs in three lanes beside each other at the end.
//
// `--quick`: one round instead of three, shorter loads, the same figures. `--only=WORD`: only the
// scenarios whose name has it. `--no-peers`: Nines alone.

import { type Figure, figure, printFigures } from "../shared/figures.ts";
import { removeFolder, temporaryFolder } from "../shared/system.ts";
import { failed, times } from "./figures.ts";
import { measure } from "./measure.ts";
import { Nines } from "./nines.ts";
import { startPeer } from "./peers.ts";
import { compared, ninesOnly } from "./plan.ts";
import {
  type Contender,
  type Lane,
  type Outcome,
  peers,
  type Scenario,
  type SetUp,
} from "./scenario.ts";
import { failuresOf, longestGapMs, percentile, slowerThan } from "./traffic.ts";

interface Options {
  readonly quick: boolean;
  readonly only: string;
  readonly peers: boolean;
}

/** By "contender: scenario", one outcome a round. */
type Results = Map<string, Outcome[]>;

class Bench {
  readonly #options: Options;
  readonly #results: Results = new Map();
  readonly #running = new Set<Promise<Contender | undefined>>();
  #isEnding = false;

  constructor(options: Options) {
    this.#options = options;
  }

  async round(): Promise<void> {
    const lane = (name: Lane) =>
      this.#inTurn(
        "nines",
        this.#wanted<Nines>([...compared, ...ninesOnly]).filter((one) => one.lane === name),
        (folder, setUp) => Nines.start(folder, setUp),
      );
    await lane("timed");
    await Promise.all([lane("idle"), ...this.#eachPeer()]);
    await Promise.all([lane("first"), lane("second"), lane("third")]);
  }

  #eachPeer(): readonly Promise<void>[] {
    return (this.#options.peers ? peers : []).map((peer) =>
      this.#inTurn(peer, this.#wanted(compared), (folder, setUp) => startPeer(peer, folder, setUp)),
    );
  }

  #wanted<C extends Contender>(scenarios: readonly Scenario<C>[]): readonly Scenario<C>[] {
    return scenarios.filter(({ name }) => name.includes(this.#options.only));
  }

  /** One after another; those with the same set-up run on one started system. */
  async #inTurn<C extends Contender>(
    name: string,
    scenarios: readonly Scenario<C>[],
    begin: (folder: string, setUp: SetUp) => Promise<C | undefined>,
  ): Promise<void> {
    let last: Promise<unknown> = Promise.resolve();
    for (const setUp of new Set(scenarios.map((scenario) => scenario.setUp))) {
      if (this.#isEnding) return;
      const row = scenarios.filter((scenario) => scenario.setUp === setUp);
      const folder = temporaryFolder(name.replaceAll(" ", "-"));
      try {
        const starting = begin(folder, setUp);
        this.#running.add(starting);
        const contender = await starting;
        if (contender === undefined) return;
        await this.#onOne(contender, row);
        // The next one starts while this one stops.
        await last;
        last = this.#stopped(starting).then(() => removeUnlessKept(folder));
      } catch (error) {
        const names = row.map((scenario) => scenario.name).join(", ");
        console.log(`${name}: ${names}: ${String(error)}`);
        removeUnlessKept(folder);
      }
    }
    await last;
  }

  /** Stops what runs or starts, and starts nothing more. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    await Promise.all([...this.#running].map((starting) => this.#stopped(starting)));
  }

  /** A system that does not stop is told of. */
  async #stopped(starting: Promise<Contender | undefined>): Promise<void> {
    this.#running.delete(starting);
    try {
      await (await starting)?.stop();
    } catch (error) {
      console.log(`A contender does not stop: ${String(error)}`);
    }
  }

  async #onOne<C extends Contender>(contender: C, row: readonly Scenario<C>[]): Promise<void> {
    for (const scenario of row) {
      const key = `${contender.name}: ${scenario.name}`;
      try {
        const outcome = await measure(scenario, contender, this.#options);
        this.#results.set(key, [...(this.#results.get(key) ?? []), outcome]);
        if (outcome.answers.length > 0) printOutcome(key, outcome);
        if (contender instanceof Nines && process.env["NINES_BENCH_EVENTS"] !== undefined) {
          for (const { time, sentence } of await contender.events()) {
            console.log(`    ${Date.parse(time) - outcome.startedAtMs} ms  ${sentence}`);
          }
        }
      } catch (error) {
        console.log(`${key}: ${String(error)}`);
      }
    }
  }

  figures(): readonly Figure[] {
    const of = (key: string) => this.#results.get(key) ?? [];
    const own = this.#wanted<Nines>([...compared, ...ninesOnly]).flatMap((scenario) => {
      const outcomes = of(`nines: ${scenario.name}`);
      const told = scenario.durationMs === 0 ? [] : times(scenario.name, outcomes);
      return [...scenario.promises(outcomes), ...told];
    });
    const theirs = (this.#options.peers ? peers : []).flatMap((peer) =>
      this.#wanted<Nines>([...compared, ...ninesOnly]).flatMap((scenario): readonly Figure[] => {
        const prefix = `${peer}: ${scenario.name}`;
        const note = scenario.cannot?.[peer];
        if (note !== undefined) {
          return [figure({ name: `${prefix}: failed`, value: undefined, unit: "requests", note })];
        }
        if (!compared.some(({ name }) => name === scenario.name)) return [];
        const outcomes = of(prefix);
        const told = scenario.told?.(prefix, outcomes) ?? [];
        return [failed(prefix, outcomes), ...told, ...times(prefix, outcomes)];
      }),
    );
    return [...own, ...theirs];
  }
}

function removeUnlessKept(folder: string): void {
  if (process.env["NINES_BENCH_KEEP"] === undefined) removeFolder(folder);
}

function printOutcome(key: string, outcome: Outcome): void {
  const { answers } = outcome;
  const failures = failuresOf(answers);
  console.log(
    `${key.padEnd(40)} ${answers.length} requests, ${failures.length} failed, ` +
      `${slowerThan(answers, 100)} over 100 ms, ${slowerThan(answers, 200)} over 200 ms, ` +
      `p99 ${percentile(answers, 0.99).toFixed(1)} ms, ` +
      `longest gap ${longestGapMs(answers).toFixed(0)} ms`,
  );
  const kinds = new Map<string, number>();
  for (const { method, failure, kept } of failures) {
    const kind = `${method} ${failure} on a ${kept ? "kept" : "new"} connection`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  for (const [kind, count] of kinds) console.log(`    ${count} x ${kind}`);
}

async function main(words: readonly string[]): Promise<void> {
  const options: Options = {
    quick: words.includes("--quick"),
    only: words.find((word) => word.startsWith("--only="))?.slice("--only=".length) ?? "",
    peers: !words.includes("--no-peers"),
  };
  const bench = new Bench(options);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void bench.stop().then(() => process.exit(1)));
  }
  for (let round = 0; round < (options.quick ? 1 : 3); round++) await bench.round();
  printFigures("failover", bench.figures());
}

await main(process.argv.slice(2));
