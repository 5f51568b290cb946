// The promises of ports/processes.ts: what is started depends on nobody, is known before it runs,
// and is found again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NinesError } from "../../src/core/base/errors.ts";
import type {
  ExitReport,
  ProcessIdentity,
  Processes,
  StartRequest,
} from "../../src/ports/processes.ts";
import type { World } from "./world.ts";

export interface ProcessesWorld extends World {
  /** As a control sees them; each call is another control. */
  control(): Processes;
  program(behaviour: Behaviour): StartRequest;
}

/** "serves" ends on SIGTERM; "is deaf" does not; "leaves a child" ends and its child goes on. */
export type Behaviour = "serves" | "is deaf" | "exits with 3" | "leaves a child" | "is missing";
type WithProcesses = (check: (world: ProcessesWorld) => Promise<void>) => Promise<void>;

export function processesConformance(name: string, withProcesses: WithProcesses): void {
  const promise = (what: string, check: (world: ProcessesWorld) => Promise<void>): void => {
    test(`${name}: ${what}`, () => withProcesses(check));
  };

  promise("a start is announced before the program runs, and runs as announced", async (world) => {
    const announced: ProcessIdentity[] = [];
    const announce = (identity: ProcessIdentity): void => void announced.push(identity);
    const running = await world.control().start({ ...world.program("serves"), announce });
    assert.deepEqual(announced, [running.identity]);
    assert.ok(world.control().adopt(running.identity, "web-1"));
    running.signal("SIGKILL");
  });

  promise("an announcement that fails cancels the start", async (world) => {
    let announced: ProcessIdentity | undefined;
    const announce = (identity: ProcessIdentity): void => {
      announced = identity;
      throw new Error("the disk is full");
    };
    const start = world.control().start({ ...world.program("serves"), announce });
    await assert.rejects(start, /the disk is full/);
    assert.ok(announced);
    assert.equal(world.control().adopt(announced, "web-1"), undefined);
  });

  promise("an exit is reported once, with its code, also to who asks late", async (world) => {
    const running = await world.control().start(world.program("exits with 3"));
    const reports: ExitReport[] = [];
    running.onExit((report) => void reports.push(report));
    await world.until(() => reports.length === 1, "the exit was reported");
    running.onExit((report) => void reports.push(report));
    await world.until(() => reports.length === 2, "the exit was reported again");
    const exited = { kind: "exited", code: 3 };
    assert.deepEqual(reports, [exited, exited]);
    assert.equal(running.signal("SIGTERM"), false);
    assert.equal(running.residentBytes(), undefined);
  });

  promise("SIGTERM asks, and what is deaf ends by SIGKILL", async (world) => {
    const processes = world.control();
    for (const [behaviour, signal] of [
      ["serves", "SIGTERM"],
      ["is deaf", "SIGKILL"],
    ] as const) {
      const running = await processes.start(world.program(behaviour));
      let ended = false;
      running.onExit(() => {
        ended = true;
      });
      assert.ok((running.residentBytes() ?? 0) > 0);
      assert.equal(running.signal("SIGTERM"), true);
      if (signal === "SIGKILL") assert.equal(running.signal("SIGKILL"), true);
      await world.until(() => ended, `what ${behaviour} has ended`);
    }
  });

  promise("another control adopts it, and hears of its end without its code", async (world) => {
    const first = await world.control().start(world.program("serves"));
    first.release();
    const adopted = world.control().adopt(first.identity, "web-1");
    assert.deepEqual(adopted?.identity, first.identity);
    const reports: ExitReport[] = [];
    adopted?.onExit((report) => void reports.push(report));
    assert.equal(adopted?.signal("SIGKILL"), true);
    await world.until(() => reports.length > 0, "the end was seen");
    assert.deepEqual(reports, [{ kind: "unknown" }]);
    assert.equal(world.control().adopt(first.identity, "web-1"), undefined);
  });

  promise("what has ended, or has another's pid, is not adopted", async (world) => {
    const running = await world.control().start(world.program("serves"));
    const { identity } = running;
    const older = { ...identity, startTime: `1${identity.startTime}` };
    assert.equal(world.control().adopt(older, "web-1"), undefined);
    assert.ok(world.control().adopt(identity, "web-1"), "and nobody ended it for that");
    running.signal("SIGKILL");
  });

  promise("what a program leaves behind is still reached after its exit", async (world) => {
    const running = await world.control().start(world.program("leaves a child"));
    let ended = false;
    running.onExit(() => {
      ended = true;
    });
    await world.until(() => ended, "the program has ended");
    assert.equal(running.signal("SIGKILL"), true);
    await world.until(() => !running.signal("SIGKILL"), "nothing is left");
  });

  promise("a program that is not there is refused by name", async (world) => {
    const start = world.control().start(world.program("is missing"));
    await assert.rejects(
      start,
      (error) => error instanceof NinesError && error.code === "NINES_PROCESS_NOT_FOUND",
    );
  });
}
