// The fault menu: everything that can go wrong in a run, each with the sentence that names it.
//
// A fault begins, and may say how it heals; the swarm (swarm.ts) decides which exist in a run, when
// they strike and for how long. Drills use the same names, so that a drill and a run read alike.
// Whoever adds a row here has added it to every run from then on.

import type { Random } from "../../src/core/base/prng.ts";
import type { Program } from "../world/program.ts";
import type { World } from "../world/world.ts";

export interface Strike {
  /** Whom it hit, for the trace. */
  readonly subject: string;
  /** Undoes it; absent when there is nothing to undo. */
  readonly heal?: () => void;
}

export interface Fault {
  readonly name: string;
  readonly sentence: string;
  /** How long it lasts, at least and at most; zero for what is over when it has happened. */
  readonly lastsMs: readonly [number, number];
  /** Begins it; undefined when there is nobody to hit now. */
  begin(world: World, random: Random): Strike | undefined;
}

/** The largest delay that `late` adds to a message; the checkers' bounds allow for it. */
export const LATE_MAX_MS = 200;

function one<T>(random: Random, from: readonly T[]): T | undefined {
  return from.length === 0 ? undefined : from[random.below(from.length)];
}

/** A program that runs and that nobody told to end. */
function victim(world: World, random: Random): Program | undefined {
  return one(
    random,
    world.machine.programs().filter((each) => each.toldToEndAtMs === undefined),
  );
}

/** Troubles an instance of a command service until healed. */
function ailing(
  world: World,
  random: Random,
  change: (world: World, id: string) => void,
  undo: (world: World, id: string) => void,
): Strike | undefined {
  const program = one(
    random,
    world.machine.programs().filter((each) => world.ownsInstance(each.id)),
  );
  if (program === undefined) return undefined;
  const { id } = program;
  const over = world.trouble.begin(id);
  change(world, id);
  return {
    subject: id,
    heal: () => {
      undo(world, id);
      over();
    },
  };
}

function cut(from: Set<string>, world: World, random: Random): Strike | undefined {
  const program = victim(world, random);
  if (program === undefined || from.has(program.id)) return undefined;
  const { id } = program;
  const over = world.trouble.begin(id);
  from.add(id);
  return {
    subject: id,
    heal: () => {
      from.delete(id);
      over();
    },
  };
}

/** Something about all wires at once. */
function everywhere(world: World, change: () => void, undo: () => void): Strike {
  const over = world.trouble.beginEverywhere();
  change();
  return {
    subject: "",
    heal: () => {
      undo();
      over();
    },
  };
}

export const faultMenu: readonly Fault[] = [
  {
    name: "crash",
    sentence: "An instance's process ends by itself.",
    lastsMs: [0, 0],
    begin(world, random) {
      const program = victim(world, random);
      program?.end({ kind: "signalled", signal: "SIGSEGV", outOfMemory: false });
      return program && { subject: program.id };
    },
  },
  {
    name: "crash-all",
    sentence: "All processes of one service end at once.",
    lastsMs: [0, 0],
    begin(world, random) {
      const service = one(random, world.file.services)?.name ?? "";
      const programs = world.machine.programs().filter((each) => each.id.startsWith(`${service}-`));
      for (const each of programs) each.end({ kind: "exited", code: 137 });
      return { subject: service };
    },
  },
  {
    name: "crash-at-start",
    sentence: "An instance ends shortly after each start, as with a wrong configuration.",
    lastsMs: [5_000, 90_000],
    begin: (world, random) =>
      ailing(
        world,
        random,
        (_, id) => {
          world.machine.ailment(id).endsAfterMs = 1 + random.below(400);
          for (const program of world.machine.live(id)) program.end({ kind: "exited", code: 1 });
        },
        (_, id) => {
          world.machine.ailment(id).endsAfterMs = undefined;
        },
      ),
  },
  {
    name: "flap",
    sentence: "An instance becomes ready, serves a few seconds, and ends, again and again.",
    lastsMs: [20_000, 90_000],
    begin: (world, random) =>
      ailing(
        world,
        random,
        (_, id) => {
          world.machine.ailment(id).endsAfterMs = 4000 + random.below(6000);
          for (const program of world.machine.live(id)) program.end({ kind: "exited", code: 1 });
        },
        (_, id) => {
          world.machine.ailment(id).endsAfterMs = undefined;
        },
      ),
  },
  {
    name: "no-exec",
    sentence: "An instance's program cannot be executed.",
    lastsMs: [5_000, 40_000],
    begin: (world, random) =>
      ailing(
        world,
        random,
        (_, id) => {
          world.machine.ailment(id).execFails = true;
          for (const program of world.machine.live(id)) program.end({ kind: "exited", code: 1 });
        },
        (_, id) => {
          world.machine.ailment(id).execFails = false;
        },
      ),
  },
  {
    name: "hang",
    sentence: "An instance's process is stopped: it accepts connections and answers none.",
    lastsMs: [500, 60_000],
    begin(world, random) {
      const program = victim(world, random);
      if (program === undefined || program.stoppedSinceMs !== undefined) return undefined;
      const over = world.trouble.begin(program.id);
      program.pause();
      return {
        subject: program.id,
        heal: () => {
          program.resume();
          over();
        },
      };
    },
  },
  {
    name: "slow",
    sentence: "An instance takes many times longer for everything.",
    lastsMs: [5_000, 60_000],
    begin: (world, random) =>
      ailing(
        world,
        random,
        (_, id) => {
          world.machine.ailment(id).slowBy = 10 * 4 ** random.below(4);
        },
        (_, id) => {
          world.machine.ailment(id).slowBy = 1;
        },
      ),
  },
  {
    name: "stubborn",
    sentence: "An instance ignores SIGTERM.",
    lastsMs: [20_000, 90_000],
    begin: (world, random) =>
      ailing(
        world,
        random,
        (_, id) => {
          world.machine.ailment(id).stubborn = true;
        },
        (_, id) => {
          world.machine.ailment(id).stubborn = false;
        },
      ),
  },
  {
    name: "leak",
    sentence: "An instance takes memory and never gives it back.",
    lastsMs: [20_000, 90_000],
    begin: (world, random) =>
      ailing(
        world,
        random,
        (_, id) => {
          world.machine.ailment(id).leakBytesPerSecond = (5 + random.below(50)) * 1024 * 1024;
        },
        (_, id) => {
          world.machine.ailment(id).leakBytesPerSecond = 0;
        },
      ),
  },
  {
    name: "partition-control-instance",
    sentence: "Control gets no answer from an instance that serves.",
    lastsMs: [1_000, 60_000],
    begin: (world, random) => cut(world.network.cutFromControl, world, random),
  },
  {
    name: "partition-worker-instance",
    sentence: "Workers get no answer from an instance that control reaches.",
    lastsMs: [1_000, 60_000],
    begin: (world, random) => cut(world.network.cutFromWorkers, world, random),
  },
  {
    name: "partition-control-worker",
    sentence: "A worker loses its link to control and cannot make another.",
    lastsMs: [1_000, 60_000],
    begin(world, random) {
      const worker = one(random, world.gateway.workers);
      if (worker === undefined) return undefined;
      world.gateway.cut(worker);
      return {
        subject: `worker-${worker.number}`,
        heal: () => world.network.cutWorkers.delete(worker.number),
      };
    },
  },
  {
    name: "link-break",
    sentence: "The link between control and a worker breaks; what was on its way is lost.",
    lastsMs: [0, 0],
    begin(world, random) {
      const worker = one(random, world.gateway.workers);
      if (worker !== undefined) world.gateway.unlink(worker, "broke");
      return worker && { subject: `worker-${worker.number}` };
    },
  },
  {
    name: "lost",
    sentence: "Some health checks get no answer.",
    lastsMs: [5_000, 60_000],
    begin: (world, random) =>
      everywhere(
        world,
        () => {
          world.network.probeLossRatio = 0.05 + random.ratio() * 0.4;
        },
        () => {
          world.network.probeLossRatio = 0;
        },
      ),
  },
  {
    name: "late",
    sentence: "Messages, check results and exit reports come late.",
    lastsMs: [5_000, 60_000],
    begin: (world, random) =>
      everywhere(
        world,
        () => {
          world.network.lateMs = LATE_MAX_MS * random.ratio();
        },
        () => {
          world.network.lateMs = 0;
        },
      ),
  },
  {
    name: "duplicated",
    sentence: "Tables and notices come twice.",
    lastsMs: [10_000, 90_000],
    begin(world, random) {
      const { network } = world;
      network.duplicateRatio = 0.1 + random.ratio() * 0.8;
      return { subject: "", heal: () => void (network.duplicateRatio = 0) };
    },
  },
  {
    name: "clock-drift",
    sentence: "The machine's clock runs a little fast or slow.",
    lastsMs: [20_000, 120_000],
    begin(world, random) {
      const rate = 0.95 + random.ratio() * 0.1;
      world.clock.drift(rate);
      return { subject: rate.toFixed(3), heal: () => world.clock.drift(1) };
    },
  },
  {
    name: "clock-step",
    sentence: "The wall clock jumps by up to a day, either way.",
    lastsMs: [0, 0],
    begin(world, random) {
      const byMs = Math.round((random.ratio() - 0.5) * 2 * 86_400_000);
      world.clock.stepWall(byMs);
      return { subject: `${byMs} ms` };
    },
  },
  {
    name: "control-kill",
    sentence: "Control is killed (-9) and started again later.",
    lastsMs: [200, 60_000],
    begin(world) {
      if (world.control?.gate.state === "ended") return undefined;
      world.killControl();
      return { subject: "control", heal: () => world.reviveControl() };
    },
  },
  {
    name: "control-kill-between",
    sentence: "Control is killed between two of its effects, a moment from now.",
    lastsMs: [500, 20_000],
    begin(world, random) {
      const { control } = world;
      if (control?.gate.state !== "running") return undefined;
      control.callsLeft = random.below(12);
      return {
        subject: "control",
        heal: () => {
          control.callsLeft = undefined;
          world.reviveControl();
        },
      };
    },
  },
  {
    name: "control-hang",
    sentence: "Control is stopped for a while and goes on as if nothing were.",
    lastsMs: [200, 40_000],
    begin(world) {
      if (!world.controlRuns()) return undefined;
      world.stopControl();
      return { subject: "control", heal: () => world.continueControl() };
    },
  },
  {
    name: "worker-kill",
    sentence: "A gateway worker is killed (-9).",
    lastsMs: [0, 0],
    begin(world, random) {
      const worker = one(random, world.gateway.workers);
      if (worker !== undefined) world.gateway.kill(worker);
      return worker && { subject: `worker-${worker.number}` };
    },
  },
  {
    name: "worker-hang",
    sentence: "A gateway worker is stopped.",
    lastsMs: [0, 0],
    begin(world, random) {
      const worker = one(random, world.gateway.serving());
      if (worker !== undefined) world.gateway.hang(worker);
      return worker && { subject: `worker-${worker.number}` };
    },
  },
  {
    name: "disk-full",
    sentence: "The state directory refuses writes.",
    lastsMs: [1_000, 30_000],
    begin(world) {
      world.files.refusing = true;
      return {
        subject: "",
        heal: () => {
          world.files.refusing = false;
          if (world.controlRuns()) world.gateway.keepTable();
        },
      };
    },
  },
  {
    name: "no-room-for-table",
    sentence: "The disk has room for small records, and none for the routing table.",
    lastsMs: [60_000, 300_000],
    begin(world) {
      world.gateway.tableRefused = true;
      return {
        subject: "",
        heal: () => {
          world.gateway.tableRefused = false;
          if (world.controlRuns()) world.gateway.keepTable();
        },
      };
    },
  },
];
