// An instance's life: the table is complete, its examples read as a story, its bounds hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bornLife,
  hasProcess,
  killAgainMs,
  type Life,
  type LifeEvent,
  type LifeSettings,
  type Step,
  shortDrainMs,
  step,
} from "./lifecycle.ts";
import {
  type EventKind,
  eventKinds,
  impossible,
  lifecycle,
  withoutEffect,
} from "./lifecycle-table.ts";
import { type Phase, phases } from "./phase.ts";

const settings: LifeSettings = {
  startTimeoutMs: 30_000,
  stopGraceMs: 5_000,
  drainMs: 10_000,
  restart: {
    backoffMs: 200,
    backoffMaxMs: 30_000,
    resetAfterMs: 10_000,
    crashLoopCount: 5,
    crashLoopWithinMs: 60_000,
    unhealthyAfterMs: 8_000,
  },
};

/** An event of each kind, with what it carries. */
function eventOf(kind: EventKind, nowMs = 0): LifeEvent {
  if (kind === "adopted") return { kind, pid: 7, startedAtMs: nowMs, readyAtMs: nowMs };
  if (kind === "launched") return { kind, pid: 7, port: 20_001 };
  if (kind === "may-start" || kind === "healthy" || kind === "idle" || kind === "deadline") {
    return { kind };
  }
  return { kind, cause: `cause of ${kind}` };
}

/** A life that is driven by hand: each event says when it comes. */
class Driven {
  life: Life;
  nowMs: number;
  last: Step | undefined;
  readonly settings: LifeSettings;

  constructor(own: Partial<LifeSettings> = {}, nowMs = 1_000) {
    this.nowMs = nowMs;
    this.settings = { ...settings, ...own };
    this.life = bornLife(nowMs);
  }

  tell(event: LifeEvent | EventKind, afterMs = 0): this {
    this.nowMs += afterMs;
    const told = typeof event === "string" ? eventOf(event, this.nowMs) : event;
    const { nowMs } = this;
    this.last = step(this.life, told, {
      instance: "web-1",
      nowMs,
      settings: this.settings,
      ratio: 0.5,
    });
    this.life = this.last.life;
    return this;
  }

  running(): this {
    return this.tell("may-start").tell("launched").tell("healthy", 500);
  }

  get sentence(): string | undefined {
    return this.last?.said?.sentence;
  }

  get waitMs(): number | undefined {
    return this.life.deadlineMs === undefined ? undefined : this.life.deadlineMs - this.nowMs;
  }
}

test("every pair of phase and event is decided, once", () => {
  for (const phase of phases) {
    for (const kind of eventKinds) {
      const rows = lifecycle.filter((row) => row.from === phase && row.on === kind);
      const said = [
        rows.length > 0,
        withoutEffect[phase].includes(kind),
        impossible[phase].includes(kind),
      ];
      assert.equal(said.filter(Boolean).length, 1, `${phase} on ${kind}`);
      const [last] = rows.slice(-1);
      assert.equal(
        last?.when,
        undefined,
        `${phase} on ${kind} ends with a row for all other cases`,
      );
      const guards = rows.map((row) => row.when);
      assert.equal(new Set(guards).size, guards.length, `${phase} on ${kind} asks each once`);
    }
  }
});

test("an impossible pair ends the program, one without effect changes nothing", () => {
  for (const phase of phases) {
    const life = { ...bornLife(0), phase };
    const tell = (kind: EventKind): Step =>
      step(life, eventOf(kind), { instance: "web-1", nowMs: 0, settings, ratio: 0 });
    for (const kind of impossible[phase]) assert.throws(() => tell(kind), /invariant broken/);
    for (const kind of withoutEffect[phase]) {
      const { life: after, commands, said } = tell(kind);
      assert.equal(after, life);
      assert.deepEqual({ commands, said }, { commands: [], said: undefined });
    }
  }
});

test("a process is only ever asked for out of `waiting`, and `waiting` never has one", () => {
  for (const row of lifecycle) {
    assert.equal(row.commands.includes("launch"), row.to === "launching", row.from);
    if (row.to === "launching") assert.equal(row.from, "waiting");
    const ends = row.on === "ended" || row.on === "launch-failed";
    if (row.to === "waiting") assert.ok(ends || !hasProcess(row.from), `${row.from} on ${row.on}`);
    if (!hasProcess(row.to)) assert.ok(ends || !hasProcess(row.from), `${row.from} on ${row.on}`);
  }
});

test("each sentence can be said", () => {
  for (const row of lifecycle) {
    const life: Life = {
      ...bornLife(0),
      phase: row.from,
      next:
        row.when === "to start again" ? "start" : row.when === "not wanted" ? "nothing" : "retry",
      startedAtMs: hasProcess(row.from) ? 0 : undefined,
      cause: "an old cause",
    };
    const said = step(life, eventOf(row.on), {
      instance: "web-1",
      nowMs: 90_000,
      settings: { ...settings, drainMs: row.when === "a data plane serves it" ? 1 : 0 },
      ratio: 0,
    }).said;
    if (said === undefined) continue;
    assert.match(said.sentence, /^web-1 /);
    assert.doesNotMatch(said.sentence, /[{}?]|undefined|NaN/);
  }
});

test("it is ready when its checks pass, and says how long that took", () => {
  const web = new Driven().running();
  assert.equal(web.life.phase, "running");
  assert.equal(web.sentence, "web-1 is ready 500 ms after its start");
  assert.equal(web.waitMs, undefined);
});

test("a start that takes too long is ended and tried again after a backoff", () => {
  const web = new Driven().tell("may-start").tell("launched");
  assert.equal(web.waitMs, settings.startTimeoutMs);
  web.tell({ kind: "deadline", cause: "connection refused" }, settings.startTimeoutMs);
  assert.deepEqual(web.last?.commands, ["terminate"]);
  assert.equal(
    web.sentence,
    "web-1 is told to end and restarted: not ready 30 s after its start, connection refused",
  );
  web.tell({ kind: "ended", cause: "exit code 0" }, 10);
  assert.equal(web.life.phase, "backoff");
  assert.equal(web.sentence, "web-1 restarts in 150 ms: it was not ready in time (exit code 0)");
});

test("restarts wait twice as long each time, and briefly again once it stayed up", () => {
  const web = new Driven({ restart: { ...settings.restart, crashLoopCount: 100 } });
  const waits: (number | undefined)[] = [];
  for (let failure = 0; failure < 10; failure++) {
    web.tell("may-start").tell("launched").tell("ended", 50);
    waits.push(web.waitMs);
    web.tell("deadline", web.waitMs ?? 0);
  }
  // Half to all of 200, 400, 800, ... up to 30,000; the draw is in the middle.
  const whole = [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000];
  assert.deepEqual(
    waits,
    whole.map((ms) => ms * 0.75),
  );
  web.running().tell("ended", settings.restart.resetAfterMs);
  assert.equal(web.waitMs, 150);
});

test("five ends within a minute are a crash loop, held back and said, until it stays up", () => {
  const web = new Driven();
  for (let failure = 1; failure <= 5; failure++) {
    web.tell("may-start").tell("launched").tell({ kind: "ended", cause: "exit code 3" }, 100);
    assert.equal(web.life.phase, failure < 5 ? "backoff" : "crash-loop", `failure ${failure}`);
    if (failure < 5) web.tell("deadline", web.waitMs ?? 0);
  }
  assert.equal(web.waitMs, 22_500);
  assert.equal(
    web.sentence,
    "web-1 is in a crash loop, held back for 23 s: ended 5 times within 1 min, the last: " +
      "exit code 3 after 100 ms",
  );
  // Held back for so long that its ends lie far apart: still the same loop.
  for (let failure = 6; failure < 12; failure++) {
    web.tell("deadline", 60_000).tell("may-start").tell("launched").tell("ended", 100);
    assert.equal(web.life.phase, "crash-loop");
  }
  web.tell("deadline", 60_000).running().tell("ended", settings.restart.resetAfterMs);
  assert.equal(web.life.phase, "backoff");
});

test("ends before it stayed up for long are paid off: they make no crash loop later", () => {
  const web = new Driven();
  for (let failure = 1; failure <= 4; failure++) {
    web
      .tell("may-start")
      .tell("launched")
      .tell("ended", 10)
      .tell("deadline", web.waitMs ?? 0);
  }
  web.running().tell("ended", settings.restart.resetAfterMs);
  assert.ok(web.nowMs < 60_000);
  assert.equal(web.life.phase, "backoff");
});

test("a program that cannot be started is retried like one that ends", () => {
  const web = new Driven().tell("may-start");
  web.tell({ kind: "launch-failed", cause: "the program nod is not there" });
  assert.equal(web.sentence, "web-1 restarts in 150 ms: the program nod is not there");
});

test("a planned end drains first, then SIGTERM, then SIGKILL until it is gone", () => {
  const web = new Driven().running().tell({ kind: "replace", cause: "its command changed" });
  assert.equal(web.life.phase, "draining");
  assert.deepEqual(web.last?.commands, []);
  assert.equal(web.waitMs, settings.drainMs);
  web.tell("idle", 300);
  assert.deepEqual(web.last?.commands, ["terminate"]);
  assert.equal(web.waitMs, settings.stopGraceMs);
  web.tell("deadline", settings.stopGraceMs);
  assert.deepEqual(web.last?.commands, ["kill"]);
  assert.equal(web.sentence, "web-1 is killed: it did not end within 5 s");
  web.tell("deadline", killAgainMs);
  assert.deepEqual(web.last?.commands, ["kill"]);
  web.tell({ kind: "ended", cause: "ended by SIGKILL" });
  assert.equal(web.life.phase, "waiting");
  assert.equal(
    web.sentence,
    "web-1 ended and starts again: its command changed (ended by SIGKILL)",
  );
  assert.equal(web.life.failures, 0, "nothing failed");
});

test("a drain that takes too long is not waited for", () => {
  const web = new Driven().running().tell("stop").tell("deadline", settings.drainMs);
  assert.deepEqual(web.last?.commands, ["terminate"]);
  assert.match(web.sentence ?? "", /requests still under way after 10 s/);
});

test("where no data plane serves it, there is nothing to drain", () => {
  const web = new Driven({ drainMs: 0 }).running().tell("stop");
  assert.equal(web.life.phase, "stopping");
  assert.deepEqual(web.last?.commands, ["terminate"]);
});

test("told to end while it is launched: the process is ended as soon as it is there", () => {
  const web = new Driven().tell("may-start").tell("stop");
  assert.equal(web.life.phase, "stopping");
  assert.equal(web.waitMs, undefined);
  web.tell("launched");
  assert.deepEqual(web.last?.commands, ["terminate"]);
  assert.equal(web.waitMs, settings.stopGraceMs);
  assert.equal(web.tell("ended").life.phase, "stopped");
  const failed = new Driven().tell("may-start").tell("stop").tell("launch-failed");
  assert.equal(failed.life.phase, "stopped");
});

test("wanted again while it ends: it starts again, whatever it was to do before", () => {
  const web = new Driven().running().tell("stop").tell("wanted").tell("idle").tell("ended");
  assert.equal(web.life.phase, "waiting");
  const other = new Driven().running().tell("stop").tell("idle").tell("wanted").tell("ended");
  assert.equal(other.life.phase, "waiting");
  const gone = new Driven().running().tell("stop").tell("idle").tell("ended");
  assert.equal(gone.tell("wanted").life.phase, "waiting");
});

test("checks that fail for long restart it; one that pass in between end the wait", () => {
  const web = new Driven().running();
  web.tell({ kind: "unhealthy", cause: "its checks fail: no answer in 500 ms" });
  assert.equal(web.waitMs, 8_000);
  web.tell("healthy", 7_999);
  assert.equal(web.waitMs, undefined);
  web.tell({ kind: "unhealthy", cause: "its checks fail: no answer in 500 ms" });
  web.tell("deadline", 8_000);
  assert.deepEqual(web.last?.commands, ["terminate"]);
  assert.match(web.sentence ?? "", /its process runs, but its checks fail: no answer in 500 ms/);
  assert.equal(web.tell("ended").life.phase, "backoff");
  const never = { ...settings.restart, unhealthyAfterMs: 0 };
  assert.equal(new Driven({ restart: never }).running().tell("unhealthy").waitMs, undefined);
});

test("past its memory limit it drains briefly, then restarts with the reason", () => {
  const web = new Driven().running();
  web.tell({ kind: "over-memory", cause: "it uses 300 MiB of its 256 MiB of memory" });
  assert.equal(web.waitMs, shortDrainMs);
  web.tell("deadline", shortDrainMs).tell({ kind: "ended", cause: "exit code 0" });
  assert.equal(
    web.sentence,
    "web-1 restarts in 150 ms: it uses 300 MiB of its 256 MiB of memory (exit code 0)",
  );
});

test("an adopted process goes on where it was", () => {
  const web = new Driven();
  web.tell({ kind: "adopted", pid: 4711, startedAtMs: 1_000, readyAtMs: 1_500 }, 60_000);
  assert.equal(web.life.phase, "running");
  assert.equal(
    web.sentence,
    "web-1 adopted: pid 4711 has run for 1 min; its exit code will be unknown",
  );
  const young = new Driven();
  young.tell({ kind: "adopted", pid: 4711, startedAtMs: 1_000, readyAtMs: undefined });
  assert.equal(young.life.phase, "starting");
  assert.equal(young.waitMs, settings.startTimeoutMs);
});

const anyEvents = fc.array(fc.tuple(fc.constantFrom(...eventKinds), fc.nat(20_000)), {
  maxLength: 200,
});

/** What can come in this phase: no loop sends the others. */
function possible(phase: Phase, kind: EventKind, life: Life): boolean {
  if (impossible[phase].includes(kind)) return false;
  return kind !== "deadline" || life.deadlineMs !== undefined;
}

test("however it fails, starts in a window stay within the restart intensity", () => {
  const { backoffMaxMs, crashLoopCount, crashLoopWithinMs, resetAfterMs } = settings.restart;
  // Until it is a loop, as many as make one; after that, one in half of the longest backoff.
  const most = crashLoopCount + Math.ceil(crashLoopWithinMs / (backoffMaxMs / 2));
  const uptime = fc.nat(resetAfterMs - 1);
  fc.assert(
    fc.property(fc.array(fc.tuple(uptime, fc.boolean()), { maxLength: 60 }), (lives) => {
      const web = new Driven();
      const starts: number[] = [];
      for (const [upMs, getsReady] of lives) {
        web.tell("may-start").tell("launched");
        starts.push(web.nowMs);
        if (getsReady) web.tell("healthy");
        web.tell("ended", upMs);
        const recent = starts.filter((atMs) => web.nowMs - atMs < crashLoopWithinMs);
        assert.ok(recent.length <= most, `${recent.length} starts in a window`);
        web.tell("deadline", web.waitMs ?? assert.fail("a failure is followed by a wait"));
      }
    }),
  );
});

test("whatever happened before, a stop ends it: by its own will or by SIGKILL", () => {
  fc.assert(
    fc.property(anyEvents, fc.boolean(), (events, obeys) => {
      const web = new Driven();
      for (const [kind, afterMs] of events) {
        if (possible(web.life.phase, kind, web.life)) web.tell(kind, afterMs);
      }
      web.tell("stop");
      for (let turns = 0; turns < 10 && web.life.phase !== "stopped"; turns++) {
        const commands = web.last?.commands ?? [];
        if (web.life.phase === "stopping" && web.life.startedAtMs === undefined)
          web.tell("launched");
        else if (commands.includes("kill") || (obeys && commands.includes("terminate"))) {
          web.tell("ended");
        } else web.tell("deadline", web.waitMs ?? assert.fail("it waits for nothing"));
      }
      assert.equal(web.life.phase, "stopped");
    }),
  );
});
