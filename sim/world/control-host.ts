// Where control runs: one incarnation after another over the same machine and the same state files.
//
// Each incarnation gets ports of its own. When it is killed they go dead with it: nothing that it
// waited for ever comes, and no call of it has an effect any more, which is how a run can end it
// between any two of its effects. (Its code runs on to the end of the task, like a ghost: throwing
// at the point of death was rejected, since code that catches errors would react to it.)

import { NinesError } from "../../src/core/base/errors.ts";
import type { Random } from "../../src/core/base/prng.ts";
import type { RoutingTable } from "../../src/core/route/table.ts";
import type { Incident } from "../../src/core/incident/incident.ts";
import type { WorkerStats } from "../../src/core/measure/gateway-stats.ts";
import type { Config } from "../../src/config/config.ts";
import { type Control, type ControlPorts, createControl } from "../../src/control/control.ts";
import type { EventEntry } from "../../src/ports/events.ts";
import type { FreePorts } from "../../src/ports/free-ports.ts";
import type { Heartbeats } from "../../src/ports/heartbeats.ts";
import type { History } from "../../src/ports/history.ts";
import type { Agents } from "../../src/ports/agents.ts";
import type { ProbeResult, Probes } from "../../src/ports/probe.ts";
import type { Processes, RunningProcess, StartRequest } from "../../src/ports/processes.ts";
import type { Recurring } from "../../src/ports/recurring.ts";
import type { WorkerReports } from "../../src/ports/worker-reports.ts";
import type { AnswerCounts } from "../../src/ports/traffic.ts";
import type { EventLoop } from "./event-loop.ts";
import { Gate } from "./gate.ts";
import type { MachineClock } from "./machine-clock.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";
import { probe } from "./probe.ts";
import type { Program } from "./program.ts";
import type { StateFiles } from "./state-files.ts";

export interface ControlWorld {
  readonly loop: EventLoop;
  readonly clock: MachineClock;
  readonly machine: Machine;
  readonly network: Network;
  readonly files: StateFiles;
  readonly random: Random;
  controlRandom(number: number): Random;
  /** See WorldOptions.calm: the kernel enforces memory limits, and checks take their mean time. */
  readonly isCalm: boolean;
  /** A table was published by the incarnation that runs. */
  published(table: RoutingTable): void;
  isIdle(instance: string, version: number): boolean;
  isFenced(instance: string, version: number): boolean;
  counts(service: string): ReadonlyMap<string, AnswerCounts>;
  recorded(entry: EventEntry): void;
  /** Incidents that any incarnation has kept. */
  readonly history: Map<string, Incident>;
  incidentChanged(incident: Incident): void;
  linkedWorkers(): readonly number[];
  signalled(program: Program, signal: "SIGTERM" | "SIGKILL"): void;
  /** The incarnation ended, by a kill from outside or at one of its own calls. */
  ended(): void;
}

/** A system where a port is free or is not. */
const PORT_FIRST = 20_000;
const PORT_LAST = 29_999;

export class Incarnation {
  readonly number: number;
  readonly gate: Gate;
  /** Ends at its nth call from now; undefined: does not. */
  callsLeft: number | undefined;
  control: Control | undefined;
  readonly #reportListeners = new Set<(stats: WorkerStats) => void>();
  readonly #world: ControlWorld;

  constructor(number: number, world: ControlWorld) {
    this.number = number;
    this.#world = world;
    // Calm or not, what uses promises here is what the ports return; but that `stop` has ended.
    this.gate = new Gate(world.loop, !world.isCalm);
  }

  start(config: Config): void {
    this.enter(() => {
      this.control = createControl(this.#ports());
      this.control.start(config);
    });
  }

  /** Runs code of control. What a ghost throws is nobody's business. */
  enter(run: () => void): void {
    this.gate.enter(() => {
      try {
        run();
      } catch (error) {
        if (!this.#dead()) throw error;
      }
    });
  }

  kill(): void {
    if (this.#dead()) return;
    this.gate.end();
    this.#world.ended();
  }

  #dead(): boolean {
    return this.gate.state === "ended";
  }

  /**
   * Before and after each effect: the points where a kill makes a difference. False: it is dead.
   */
  #touch(): boolean {
    if (this.callsLeft !== undefined && this.callsLeft-- <= 0) this.kill();
    return !this.#dead();
  }

  #ports(): ControlPorts {
    const { clock, files } = this.#world;
    return {
      term: this.number,
      clock: clock.for(this),
      random: this.#world.controlRandom(this.number),
      processes: this.#processes(),
      probes: this.#probes(),
      agents: this.#agents(),
      records: files.for(() => this.#touch()),
      events: {
        record: (entry) => {
          if (!this.#dead()) this.#world.recorded(entry);
        },
      },
      routingTables: {
        publish: (table) => {
          if (!this.#touch()) return;
          // Through a socket nothing is shared; years of tables are trusted not to be changed.
          const copy = (): RoutingTable => JSON.parse(JSON.stringify(table)) as RoutingTable;
          this.#world.published(this.#world.isCalm ? table : copy());
        },
      },
      traffic: {
        isIdle: (instance, version) => this.#world.isIdle(instance, version),
        isFenced: (instance, version) => this.#world.isFenced(instance, version),
        counts: (service) => this.#world.counts(service),
      },
      heartbeats: this.#heartbeats(),
      workerReports: this.#workerReports(),
      history: this.#history(),
      freePorts: this.#freePorts(),
      baseEnvironment: { PATH: "/usr/bin" },
      logFileOf: (instance) => `/state/logs/${instance}.log`,
      dataFolderOf: (instance) => `/state/data/${instance}`,
    };
  }

  /** A result of the world, `delayMs` from now, if this incarnation lives to see it. */
  #later<T>(delayMs: number, result: () => T): Promise<T> {
    this.#world.loop.settle();
    return new Promise((resolve, reject) => {
      const deliver = (): void => {
        this.#world.loop.settle();
        try {
          resolve(result());
        } catch (error) {
          reject(error as Error);
        }
      };
      this.#world.loop.after(delayMs, () => this.gate.enter(deliver));
    });
  }

  #processes(): Processes {
    const { machine, network } = this.#world;
    return {
      start: (request) => {
        const started = this.#exec(request);
        return this.#later(1 + network.delayMs(), () => {
          if (started instanceof Error) throw started;
          return this.#running(started, false);
        });
      },
      adopt: (identity) => {
        const program = machine.find(identity);
        return program === undefined ? undefined : this.#running(program, true);
      },
    };
  }

  /** The started program, or why there is none. */
  #exec(request: StartRequest): Program | Error {
    const { machine } = this.#world;
    const killed = new Error("control was killed");
    if (!this.#touch()) return killed;
    try {
      const identity = machine.reserve();
      // The kernel has made the process; it runs the program only when its maker says so.
      request.announce?.(identity);
      if (!this.#touch()) return killed;
      const program = machine.exec(request, identity);
      this.#touch();
      return program;
    } catch (error) {
      return error as Error;
    }
  }

  #running(program: Program, adopted: boolean): RunningProcess {
    const { machine, loop } = this.#world;
    const watches: Disposable[] = [];
    return {
      identity: { pid: program.pid, startTime: program.startTime },
      memoryEnforced: this.#world.isCalm,
      onExit: (listener) => {
        let released = false;
        const watch = machine.onEnd(program, () => {
          const report = adopted ? { kind: "unknown" as const } : program.report;
          loop.after(this.#exitDelayMs(adopted), () => {
            if (report !== undefined && !released) this.enter(() => listener(report));
          });
        });
        watches.push(watch, { [Symbol.dispose]: () => (released = true) });
      },
      signal: (signal) => this.#touch() && this.#signal(program, signal),
      residentBytes: () => (program.state === "ended" ? undefined : program.residentBytes),
      release: () => {
        for (const watch of watches) watch[Symbol.dispose]();
      },
    };
  }

  /** The kernel tells a parent at once; an adopted process is watched every 250 ms. */
  #exitDelayMs(adopted: boolean): number {
    const { network, random } = this.#world;
    return network.delayMs() + (adopted ? random.ratio() * 250 : 0);
  }

  #signal(program: Program, signal: "SIGTERM" | "SIGKILL"): boolean {
    if (program.state === "ended") return false;
    this.#world.signalled(program, signal);
    if (signal === "SIGTERM") program.terminate();
    else program.end({ kind: "signalled", signal, outOfMemory: false });
    return true;
  }

  #probes(): Probes {
    return {
      probe: (target, request, recurring) => {
        return new Promise((resolve) => {
          const done = (result: ProbeResult): void =>
            this.gate.enter(() => {
              this.#world.loop.settle();
              resolve(result);
            });
          probe(this.#world, target, request, done, recurring);
        });
      },
    };
  }

  /** No agent runs in a simulated world: what one says is nobody's failure. */
  #agents(): Agents {
    return { ask: async () => ({ outcome: "unreachable", text: "no agent is simulated" }) };
  }

  /**
   * As on a socket: what comes while control is stopped waits for it. A program that is stopped
   * gives one sign when it goes on, however long that took.
   */
  #heartbeats(): Heartbeats {
    const { machine, network, loop } = this.#world;
    return {
      environmentOf: () => ({}),
      listen: ({ instance, everyMs }, heard) => {
        let listening = true;
        let tickedMs = 0;
        const held = new Set<Program>();
        const recurring: Recurring = {
          atRest: () => ({ everyMs: everyMs / 2, agoMs: loop.nowMs - tickedMs }),
          passedOver: (byMs) => void (tickedMs += byMs),
        };
        const deliver = (): void => {
          if (network.cutFromControl.has(instance)) return;
          loop.after(network.delayMs(), () => {
            this.enter(() => {
              if (listening) heard();
            });
          });
        };
        const tick = (): void => {
          if (!listening || this.#dead()) return;
          tickedMs = loop.nowMs;
          loop.after(everyMs / 2, tick, recurring);
          for (const program of machine.live(instance)) {
            if (held.has(program)) continue;
            held.add(program);
            program.ask((status) => {
              held.delete(program);
              if (status === 200) deliver();
            });
          }
        };
        loop.after(0, tick);
        return { [Symbol.dispose]: () => void (listening = false) };
      },
    };
  }

  #workerReports(): WorkerReports {
    return {
      onReport: (listener) => {
        const enter = (stats: WorkerStats): void => this.enter(() => listener(stats));
        this.#reportListeners.add(enter);
        return { [Symbol.dispose]: () => void this.#reportListeners.delete(enter) };
      },
      linkedWorkers: () => this.#world.linkedWorkers(),
    };
  }

  /** A worker's report has come. */
  reported(stats: WorkerStats): void {
    for (const listener of this.#reportListeners) listener(stats);
  }

  /** The journal under it has suites of its own: here it keeps what it is given. */
  #history(): History {
    const { history } = this.#world;
    return {
      keep: (incident) => {
        if (this.#dead()) return;
        history.set(incident.id, incident);
        this.#world.incidentChanged(incident);
      },
      incidents: () => [...history.values()],
      whenRestored: (run) => {
        const kept = [...history.values()];
        this.#world.loop.after(1, () => this.enter(() => run(kept)));
      },
    };
  }

  #freePorts(): FreePorts {
    const { machine } = this.#world;
    const given = new Set<number>();
    const free = (port: number, taken: ReadonlySet<number>): boolean =>
      !taken.has(port) && !machine.holdsPort(port);
    return {
      find: (preferred, taken) =>
        this.#later(0.2, () => {
          if (preferred > 0 && free(preferred, taken)) return preferred;
          for (let port = PORT_FIRST; port <= PORT_LAST; port++) {
            if (!free(port, taken) || given.has(port)) continue;
            given.add(port);
            return port;
          }
          throw new NinesError("NINES_PORT_NONE_FREE", "no port is left");
        }),
    };
  }
}
