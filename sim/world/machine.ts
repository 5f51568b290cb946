// The machine's kernel: processes and ports. It has no control in it; programs outlive every one.

import { assert } from "../../src/core/base/assert.ts";
import { NinesError } from "../../src/core/base/errors.ts";
import type { Random } from "../../src/core/base/prng.ts";
import type { ProcessIdentity, StartRequest } from "../../src/ports/processes.ts";
import type { EventLoop } from "./event-loop.ts";
import { type Ailment, healthy, Program, type ProgramTraits } from "./program.ts";

/** Few pids, so that they are used again all the time: a pid alone says nothing. */
const PIDS = 48;

export interface MachineEvents {
  started(program: Program): void;
  changed(program: Program): void;
}

export class Machine {
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #traitsOf: (id: string) => ProgramTraits;
  readonly #events: MachineEvents;
  readonly #byPid = new Map<number, Program>();
  readonly #byId = new Map<string, Program[]>();
  readonly #lastAt = new Map<string, string>();
  readonly #ailments = new Map<string, Ailment>();
  readonly #endListeners = new Map<Program, Set<() => void>>();
  readonly #pids: number;
  #starts = 0;

  constructor(
    loop: EventLoop,
    random: Random,
    traitsOf: (id: string) => ProgramTraits,
    events: MachineEvents,
    pids = PIDS,
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#traitsOf = traitsOf;
    this.#events = events;
    this.#pids = pids;
  }

  /** What ails the instance, to read and to change. */
  ailment(id: string): Ailment {
    let ailment = this.#ailments.get(id);
    if (ailment === undefined) {
      ailment = healthy();
      this.#ailments.set(id, ailment);
    }
    return ailment;
  }

  healAll(): void {
    for (const ailment of this.#ailments.values()) Object.assign(ailment, healthy());
    for (const program of this.#byPid.values()) program.resume();
  }

  /** fork: a process that runs nothing yet, and ends with its maker if it is told nothing. */
  reserve(): ProcessIdentity {
    return { pid: this.#freePid(), startTime: String(++this.#starts) };
  }

  /** exec of what control asks for, in a reserved process. */
  exec(request: StartRequest, identity: ProcessIdentity): Program {
    const { PORT, NINES_INSTANCE } = request.environment;
    assert(NINES_INSTANCE !== undefined, "an instance is told its name");
    const port = Number(PORT);
    assert(Number.isInteger(port) && port > 0 && port < 65536, "an instance is told its port");
    if (this.ailment(NINES_INSTANCE).execFails) {
      throw new NinesError("NINES_PROCESS_START", `${NINES_INSTANCE}: too many processes`);
    }
    return this.run(NINES_INSTANCE, "127.0.0.1", port, identity, request.environment);
  }

  run(
    id: string,
    host: string,
    port: number,
    identity = this.reserve(),
    environment: Readonly<Record<string, string>> = {},
  ): Program {
    const ailment = this.ailment(id);
    const program: Program = new Program({
      id,
      identity,
      host,
      port,
      environment,
      traits: this.#traitsOf(id),
      // A port that somebody else holds ends the program at its start, as EADDRINUSE does.
      ailment: this.listener(host, port) === undefined ? ailment : { ...ailment, endsAfterMs: 5 },
      random: this.#random,
      loop: this.#loop,
      onChange: () => this.#changed(program),
    });
    this.#byPid.set(program.pid, program);
    this.#byId.set(id, [...this.live(id), program]);
    this.#lastAt.set(`${host}:${port}`, id);
    this.#events.started(program);
    return program;
  }

  /** The programs that run as this instance now; more than one is a broken promise. */
  live(id: string): readonly Program[] {
    return this.#byId.get(id) ?? [];
  }

  programs(): readonly Program[] {
    return [...this.#byPid.values()];
  }

  find(identity: ProcessIdentity): Program | undefined {
    const program = this.#byPid.get(identity.pid);
    return program?.startTime === identity.startTime ? program : undefined;
  }

  listener(host: string, port: number): Program | undefined {
    for (const program of this.#byPid.values()) {
      if (program.listening && program.port === port && program.host === host) return program;
    }
    return undefined;
  }

  /** The instance that runs, or ran last, at this address. */
  idAt(host: string, port: number): string | undefined {
    return this.#lastAt.get(`${host}:${port}`);
  }

  /** Whether any program was given this port, listening already or not. */
  holdsPort(port: number): boolean {
    for (const program of this.#byPid.values()) if (program.port === port) return true;
    return false;
  }

  onEnd(program: Program, run: () => void): Disposable {
    const listeners = this.#endListeners.get(program) ?? new Set();
    if (program.state === "ended") run();
    else this.#endListeners.set(program, listeners.add(run));
    return { [Symbol.dispose]: () => listeners.delete(run) };
  }

  #freePid(): number {
    for (let tries = 0; tries < 1000; tries++) {
      const pid = 1000 + this.#random.below(this.#pids);
      if (!this.#byPid.has(pid)) return pid;
    }
    throw new NinesError("NINES_PROCESS_START", "the machine has no process id left");
  }

  #changed(program: Program): void {
    if (program.state === "ended") {
      this.#byPid.delete(program.pid);
      this.#byId.set(
        program.id,
        this.live(program.id).filter((other) => other !== program),
      );
    }
    this.#events.changed(program);
    if (program.state !== "ended") return;
    const listeners = this.#endListeners.get(program);
    this.#endListeners.delete(program);
    for (const run of listeners ?? []) run();
  }
}
