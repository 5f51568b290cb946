// What the port promises is tested in test/conformance; here is what Linux, users, limits and
// killed controls add to it.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { NinesError } from "../core/base/errors.ts";
import type {
  ExitReport,
  ProcessIdentity,
  Processes,
  RunningProcess,
  StartRequest,
} from "../ports/processes.ts";
import { realWorld } from "../../test/conformance/world.ts";
import { createMemoryCgroups, type MemoryCgroups } from "./cgroups.ts";
import { closeInheritedDescriptors } from "./inherited-descriptors.ts";
import { identify, isRunning, readAllProcessStats, readProcessStat } from "./process-identity.ts";
import { createProcesses } from "./processes.ts";

closeInheritedDescriptors();
const needsLinux = process.platform === "linux" ? false : "reads /proc";
const needsRoot = process.geteuid?.() === 0 ? needsLinux : "only root may switch users";
const noCgroups: MemoryCgroups = { create: () => ({ refused: "none" }), find: () => undefined };
const probe = createMemoryCgroups(`test-${process.pid}`).create("probe", 64 * 1024 * 1024);
const needsCgroups = "refused" in probe ? `no memory cgroup: ${probe.refused}` : false;
if (!("refused" in probe)) probe.remove();

interface Bench {
  readonly folder: string;
  readonly processes: Processes;
  readonly log: () => string;
  readonly request: (command: readonly string[], more?: Partial<StartRequest>) => StartRequest;
  readonly start: (
    command: readonly string[],
    more?: Partial<StartRequest>,
  ) => Promise<RunningProcess>;
  readonly exitOf: (running: RunningProcess) => Promise<ExitReport>;
}

function openBench(context: TestContext, memoryCgroups?: MemoryCgroups): Bench {
  const folder = mkdtempSync(join(tmpdir(), "nines-processes-"));
  chmodSync(folder, 0o755);
  const owner = `test-${process.pid}`;
  const processes = createProcesses({ owner, ...(memoryCgroups && { memoryCgroups }) });
  const started: RunningProcess[] = [];
  const logFile = join(folder, "log");
  context.after(() => {
    for (const running of started) {
      running.signal("SIGKILL");
      running.release();
    }
    rmSync(folder, { recursive: true, force: true });
  });
  const request: Bench["request"] = (command, more) => ({
    command,
    workingDirectory: folder,
    environment: { PATH: process.env["PATH"] ?? "" },
    logFile,
    name: "web-1",
    ...more,
  });
  return {
    folder,
    processes,
    request,
    log: () => readFileSync(logFile, "utf8"),
    async start(command, more) {
      const running = await processes.start(request(command, more));
      started.push(running);
      return running;
    },
    exitOf: (running) => new Promise((resolve) => running.onExit(resolve)),
  };
}

/** Runs it to its end; what it printed. */
async function outputOf(
  bench: Bench,
  command: readonly string[],
  more?: Partial<StartRequest>,
): Promise<string> {
  const report = await bench.exitOf(await bench.start(command, more));
  assert.deepEqual(report, { kind: "exited", code: 0 }, bench.log());
  return bench.log();
}

/** None while one of them is being closed. */
function openFilesOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
  } catch {
    return [];
  }
}

function membersOf(session: number): readonly number[] {
  return readAllProcessStats()
    .filter((stat) => stat.session === session && stat.state !== "Z")
    .map(({ pid }) => pid);
}

test("a program has the environment that was asked for, and no other", async (t) => {
  const bench = openBench(t);
  const environment = {
    PATH: process.env["PATH"] ?? "",
    PORT: "12001",
    EMPTY: "",
    "spring.profile": "a b",
    "npm-x": "$HOME `id` \"'",
    LINES_OF: "one\ntwo\n",
    IFS: "x",
    PS1: "> ",
    ünïcode: "größe",
    WITH: "a=b=c",
  };
  const notes = { OLDPWD: "/elsewhere", SHLVL: "7", _: "/bin/x", PWD: "/elsewhere" };
  const print = "process.stdout.write(JSON.stringify(process.env))";
  const printed = await outputOf(bench, [process.execPath, "-e", print], {
    environment: { ...environment, ...notes },
  });
  const { SHLVL: _leftByBash, ...seen } = JSON.parse(printed) as Record<string, string>;
  assert.deepEqual(seen, { ...environment, PWD: bench.folder });
});

test("its arguments arrive untouched", async (t) => {
  const words = ["", " ", "a b", "$HOME", "`id`", "'", '"', "\\", "-n", "*", "a\nb"];
  const print = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
  const printed = await outputOf(openBench(t), [process.execPath, "-e", print, "--", ...words]);
  assert.deepEqual(JSON.parse(printed), words);
});

test("nothing ties it to us but the log file it writes to", { skip: needsLinux }, async (t) => {
  const bench = openBench(t);
  const { pid } = (await bench.start(["sleep", "60"])).identity;
  // What it waited at for its start is closed as it starts.
  await realWorld.until(() => openFilesOf(pid).length === 3, "three files are open");
  const log = join(bench.folder, "log");
  assert.deepEqual(openFilesOf(pid), ["/dev/null", log, log]);
  const stat = readProcessStat(pid);
  assert.deepEqual([stat?.processGroup, stat?.session], [pid, pid]);
  assert.equal(statSync(log).mode & 0o137, 0);
});

test("what our own starter left open does not reach it", { skip: needsLinux }, (t) => {
  const bench = openBench(t);
  const program = join(import.meta.dirname, "starter.fixture.js");
  const request = JSON.stringify(bench.request(["sleep", "60"]));
  const lock = openSync(join(bench.folder, "lock"), "w");
  const stdio = ["ignore", "pipe", "inherit", ...Array(17).fill("ignore"), lock] as const;
  const starter = spawnSync(process.execPath, [program, request, "running"], { stdio: [...stdio] });
  closeSync(lock);
  const { pid } = JSON.parse(String(starter.stdout)) as ProcessIdentity;
  t.after(() => process.kill(pid, "SIGKILL"));
  assert.deepEqual(readdirSync(`/proc/${pid}/fd`).sort(), ["0", "1", "2"]);
});

test("its output is appended to what is in the log", async (t) => {
  const bench = openBench(t);
  await outputOf(bench, ["sh", "-c", "echo first"]);
  assert.equal(await outputOf(bench, ["sh", "-c", "echo second >&2"]), "first\nsecond\n");
});

test("a start that cannot work is refused with its reason", async (t) => {
  const bench = openBench(t);
  const script = (name: string, text: string, mode: number): string => {
    writeFileSync(join(bench.folder, name), text, { mode });
    return join(bench.folder, name);
  };
  const cases: readonly (readonly [string, StartRequest, RegExp])[] = [
    ["NINES_PROCESS_NOT_FOUND", bench.request(["no-such-program"]), /not in PATH/],
    ["NINES_PROCESS_NOT_FOUND", bench.request(["./no-such"]), /no-such is not there/],
    [
      "NINES_PROCESS_NOT_FOUND",
      bench.request([script("no-interpreter", "#!/no/such/interpreter\n", 0o755)]),
      /no-interpreter" was not found/,
    ],
    [
      "NINES_PROCESS_NOT_ALLOWED",
      bench.request([script("plain", "#!/bin/sh\n", 0o644)]),
      /not executable/,
    ],
    [
      "NINES_PROCESS_START",
      bench.request(["true"], { workingDirectory: "/no/such/folder" }),
      /working directory \/no\/such\/folder is not there/,
    ],
    [
      "NINES_PROCESS_START",
      bench.request(["true"], { logFile: "/no/such/log" }),
      /web-1 could not be started: .*\/no\/such\/log/,
    ],
    [
      "NINES_PROCESS_START",
      bench.request(["true"], { openFiles: 2_000_000_000 }),
      /a limit of 2000000000 open files was refused/,
    ],
    ["NINES_PROCESS_NOT_ALLOWED", bench.request(["true"], { user: "no-such-user" }), /not known/],
    ["NINES_PROCESS_NOT_ALLOWED", bench.request(["true"], { user: "--help" }), /not a user's/],
  ];
  for (const [code, request, sentence] of cases) {
    let announced: ProcessIdentity | undefined;
    const announce = (identity: ProcessIdentity): void => {
      announced = identity;
    };
    await assert.rejects(bench.processes.start({ ...request, announce }), (error) => {
      assert.ok(error instanceof NinesError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, sentence);
      return true;
    });
    assert.ok(announced === undefined || !isRunning(announced), "and nothing is left of it");
  }
});

test("the limit of open files is the program's, and its exit code too", async (t) => {
  const bench = openBench(t);
  const running = await bench.start(["sh", "-c", "ulimit -n; exit 9"], { openFiles: 321 });
  assert.deepEqual(await bench.exitOf(running), { kind: "exited", code: 9 });
  assert.equal(bench.log(), "321\n");
});

test("it runs as its user, with that user's groups and home", { skip: needsRoot }, async (t) => {
  const bench = openBench(t);
  const script = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; ulimit -n";
  const environment = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/root" };
  const more = { user: "daemon", openFiles: 99, environment };
  const [uid, gid, groups, names, files] = (
    await outputOf(bench, ["sh", "-c", script], more)
  ).split("\n");
  assert.notEqual(uid, "0");
  assert.notEqual(gid, "0");
  assert.ok(!groups?.split(" ").includes("0"), "none of root's groups is left");
  assert.match(names ?? "", /^\/\S+ daemon daemon$/);
  assert.equal(files, "99");
});

test("what the file sets for HOME stands over the user's", { skip: needsRoot }, async (t) => {
  const environment = { PATH: process.env["PATH"] ?? "", HOME: "/srv/shop" };
  const more = { user: "daemon", environment };
  assert.equal(await outputOf(openBench(t), ["sh", "-c", "echo $HOME"], more), "/srv/shop\n");
});

function killedStarter(request: StartRequest, moment: string): Promise<ProcessIdentity> {
  const program = join(import.meta.dirname, "starter.fixture.js");
  const child = spawn(process.execPath, [program, JSON.stringify(request), moment]);
  let told = "";
  child.stdout.on("data", (bytes: Buffer) => {
    told += bytes.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("close", (_code, signal) => {
      if (signal === "SIGKILL") resolve(JSON.parse(told) as ProcessIdentity);
      else reject(new Error(`the starter was not killed: ${told}`));
    });
  });
}

test("a control killed before it released the program leaves none that runs", async (t) => {
  const bench = openBench(t);
  const mark = join(bench.folder, "it-ran");
  const identity = await killedStarter(bench.request(["touch", mark]), "announced");
  await realWorld.until(() => !isRunning(identity), "the gate has ended by itself");
  assert.equal(existsSync(mark), false);
});

test("a control killed after it leaves one that goes on, logs, and is adopted", async (t) => {
  const bench = openBench(t);
  const command = ["sh", "-c", "while :; do echo tick; sleep 0.01; done"];
  const identity = await killedStarter(bench.request(command), "running");
  const adopted = bench.processes.adopt(identity, "web-1");
  assert.ok(adopted);
  t.after(() => {
    adopted.signal("SIGKILL");
    adopted.release();
  });
  const before = bench.log().length;
  await realWorld.until(() => bench.log().length > before + 20, "it writes on");
  assert.equal(adopted.signal("SIGTERM"), true);
  assert.deepEqual(await bench.exitOf(adopted), { kind: "unknown" });
});

test("what a leader left behind while nobody watched is ended", { skip: needsLinux }, async (t) => {
  const bench = openBench(t);
  const environment = { PATH: process.env["PATH"] ?? "", NINES_INSTANCE: "web-1" };
  const more = { environment };
  const running = await bench.start(["sh", "-c", "sleep 60 & exec sleep 61"], more);
  const { identity } = running;
  await realWorld.until(() => membersOf(identity.pid).length === 2, "both run");
  running.release();
  process.kill(identity.pid, "SIGKILL");
  await realWorld.until(() => membersOf(identity.pid).length === 1, "the leader is gone");

  // Not what another instance's record would have us end.
  assert.equal(bench.processes.adopt(identity, "web-2"), undefined);
  const [left] = membersOf(identity.pid);
  assert.ok(left !== undefined);
  // Whoever was killed and has not yet ended has the signal waiting.
  assert.match(readFileSync(`/proc/${left}/status`, "utf8"), /^SigPnd:\t0+\nShdPnd:\t0+$/m);
  assert.equal(bench.processes.adopt(identity, "web-1"), undefined);
  await realWorld.until(() => membersOf(identity.pid).length === 0, "the rest is gone");
});

test("SIGKILL ends all of its session, groups of their own included", {
  skip: needsLinux,
}, async (t) => {
  const bench = openBench(t);
  // `timeout` makes itself a group of its own, as shells with job control do.
  const running = await bench.start([
    "sh",
    "-c",
    "timeout 60 sleep 60 & timeout 60 sleep 60 & wait",
  ]);
  const { pid } = running.identity;
  const groups = () =>
    new Set(readAllProcessStats().flatMap((s) => (s.session === pid ? [s.processGroup] : [])));
  await realWorld.until(() => membersOf(pid).length === 5 && groups().size === 3, "all run");
  running.signal("SIGKILL");
  await realWorld.until(() => membersOf(pid).length === 0, "all are gone");
  assert.equal(running.signal("SIGKILL"), false);
});

test("one that is stopped still hears SIGTERM", async (t) => {
  const bench = openBench(t);
  const running = await bench.start([
    "sh",
    "-c",
    "echo up; trap 'exit 7' TERM; while :; do sleep 0.01; done",
  ]);
  await realWorld.until(() => bench.log() === "up\n", "it runs");
  process.kill(-running.identity.pid, "SIGSTOP");
  assert.equal(running.signal("SIGTERM"), true);
  assert.deepEqual(await bench.exitOf(running), { kind: "exited", code: 7 });
});

test("what merely got the pid is neither adopted nor signalled", async (t) => {
  const bench = openBench(t);
  const { identity } = await bench.start(["sleep", "60"]);
  const earlier = { ...identity, startTime: identity.startTime.replace(/^\d+/, "1") };
  const otherBoot = { ...identity, startTime: identity.startTime.replace(/@.*/, "@00000000") };
  for (const wrong of [earlier, otherBoot]) {
    assert.equal(bench.processes.adopt(wrong, "web-1"), undefined);
  }
  assert.ok(isRunning(identity));
});

test("without a cgroup, resident memory is that of the whole group", async (t) => {
  const bench = openBench(t, noCgroups);
  const hog = "const hog = Buffer.alloc(90e6, 1); setInterval(() => hog, 1e6)";
  const script = `"${process.execPath}" -e '${hog}' & wait`;
  const running = await bench.start(["sh", "-c", script], { memoryBytes: 50_000_000 });
  assert.equal(running.memoryEnforced, false);
  await realWorld.until(() => (running.residentBytes() ?? 0) > 90e6, "its child's memory counts");
  assert.ok((running.residentBytes() ?? 0) < 400e6);
});

test("over its memory limit the kernel ends it, and the report says so", {
  skip: needsCgroups,
}, async (t) => {
  const bench = openBench(t);
  const limit = { memoryBytes: 80 * 1024 * 1024 };
  const hog = "const hogs = []; for (;;) hogs.push(Buffer.alloc(1e6, 1))";
  const running = await bench.start([process.execPath, "-e", hog], limit);
  assert.equal(running.memoryEnforced, true);
  const report = await bench.exitOf(running);
  assert.deepEqual(report, { kind: "signalled", signal: "SIGKILL", outOfMemory: true });

  const killed = await bench.start(["sleep", "60"], limit);
  killed.signal("SIGKILL");
  const innocent = { kind: "signalled", signal: "SIGKILL", outOfMemory: false };
  assert.deepEqual(await bench.exitOf(killed), innocent);
});

test("a cgroup goes with its instance, also when nobody watches", {
  skip: needsCgroups,
}, async (t) => {
  const bench = openBench(t);
  const limit = { memoryBytes: 64 * 1024 * 1024 };
  const running = await bench.start(["sh", "-c", "sleep 60 & exit 0"], limit);
  await bench.exitOf(running);
  const left = membersOf(running.identity.pid)[0] ?? 0;
  const cgroup = createMemoryCgroups(`test-${process.pid}`).find("web-1", left);
  assert.equal(cgroup?.has(left), true);
  running.signal("SIGKILL");
  running.release();
  await realWorld.until(() => cgroup?.exists() === false, "its cgroup is gone");
});

test("an adopted process keeps its limit; its cgroup goes when it ends", {
  skip: needsCgroups,
}, async (t) => {
  const bench = openBench(t);
  const limit = { memoryBytes: 64 * 1024 * 1024 };
  const first = await bench.start(["sh", "-c", "sleep 60 & wait"], limit);
  const { identity } = first;
  first.release();
  const adopted = bench.processes.adopt(identity, "web-1");
  t.after(() => adopted?.release());
  assert.equal(adopted?.memoryEnforced, true);
  assert.equal(bench.processes.adopt(identity, "web-2")?.memoryEnforced, false);
  const cgroup = createMemoryCgroups(`test-${process.pid}`).find("web-1", identity.pid);
  assert.equal(cgroup?.has(identity.pid), true);
  adopted?.signal("SIGKILL");
  await realWorld.until(() => cgroup?.exists() === false, "its cgroup is gone");
});

test("this process has an identity, and a pid that is none has not", () => {
  assert.equal(identify(process.pid)?.pid, process.pid);
  for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 30]) assert.equal(identify(pid), undefined);
});
