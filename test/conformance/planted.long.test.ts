// For each promise of the runtime and the state directory, a fault that breaks it, and the test
// that finds the fault: a copy of the built code with one change, in which that test must fail.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

interface Planted {
  readonly fault: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Which test finds it, by file and a part of its name. */
  readonly test: readonly [file: string, name: string];
}

const suite = "test/conformance/real.process.test.js";
const processTests = "src/runtime/processes.process.test.js";
const diskTests = "test/conformance/disk.process.test.js";
const diskCalls = "test/conformance/disk-calls.process.test.js";
const rotationTests = "src/runtime/log-rotation.process.test.js";

const faults: readonly Planted[] = [
  {
    fault: "timers fire when Node's do",
    file: "src/runtime/clock.js",
    find: "if (monotonicMs() < dueMs)",
    replace: "if (false)",
    test: ["src/runtime/clock.test.js", "fires early is put off again"],
  },
  {
    fault: "a pid is identity enough",
    file: "src/runtime/process-identity.js",
    find: "?.startTime === identity.startTime",
    replace: "!== undefined",
    test: [processTests, "merely got the pid"],
  },
  {
    fault: "a zombie counts as running",
    file: "src/runtime/process-identity.js",
    find: 'stat.state !== "Z" && ',
    replace: "",
    test: ["src/runtime/process-identity.process.test.js", "a zombie does not"],
  },
  {
    fault: "the name of a program ends at its first parenthesis",
    file: "src/runtime/process-identity.js",
    find: 'text.lastIndexOf(")")',
    replace: 'text.indexOf(")")',
    test: ["src/runtime/process-identity.process.test.js", "whatever the program calls itself"],
  },
  {
    fault: "the gate does not wait for the word",
    file: "src/runtime/launch.js",
    find: "read -r go <&3 || exit 125",
    replace: ":",
    test: [processTests, "killed before it released"],
  },
  {
    fault: "the gate's socket stays open in the program",
    file: "src/runtime/launch.js",
    find: "exec 3>&-",
    replace: ":",
    test: [processTests, "nothing ties it to us"],
  },
  {
    fault: "the shell's own variables are not carried past it",
    file: "src/runtime/launch.js",
    find: "!survivesShell(name)",
    replace: "false",
    test: [processTests, "has the environment that was asked for"],
  },
  {
    fault: "only the leader is signalled",
    file: "src/runtime/process-group.js",
    find: "send(-identity.pid, signal)",
    replace: "send(identity.pid, signal)",
    test: [suite, "what a program leaves behind"],
  },
  {
    fault: "leftovers are ended without proof of whose they are",
    file: "src/runtime/process-group.js",
    find: "environmentOf(stat.pid).includes(`NINES_INSTANCE=${instance}`)",
    replace: "true",
    test: [processTests, "left behind while nobody watched"],
  },
  {
    fault: "memory is that of the leader alone",
    file: "src/runtime/process-group.js",
    find: "stat.session === identity.pid &&",
    replace: "stat.pid === identity.pid &&",
    test: [processTests, "that of the whole group"],
  },
  {
    fault: "kills for want of memory are not looked at",
    file: "src/runtime/processes.js",
    find: "?? 0) > 0",
    replace: "?? 0) > 1e9",
    test: [processTests, "over its memory limit"],
  },
  {
    fault: "each byte puts the deadline of a check off",
    file: "src/runtime/socket-probe.js",
    find: 'stage = "answering";',
    replace: 'stage = "answering"; timer.refresh();',
    test: ["src/runtime/socket-probe.process.test.js", "a byte now and then"],
  },
  {
    fault: "a stall of ours is the instance's fault",
    file: "src/runtime/socket-probe.js",
    find: "if (heldUp)",
    replace: "if (false)",
    test: ["src/runtime/socket-probe.process.test.js", "does not blame the instance"],
  },
  {
    fault: "what a check command started lives on",
    file: "src/runtime/command-probe.js",
    find: "killGroup(child.pid);",
    replace: "",
    test: ["src/runtime/command-probe.process.test.js", "killed with all that it started"],
  },
  {
    fault: "any token is a sign of life",
    file: "src/runtime/heartbeats.js",
    find: "if (!equal(token, tokenOf(instance)))",
    replace: 'if (token === "")',
    test: ["src/runtime/heartbeats.process.test.js", "a line with name and token"],
  },
  {
    fault: "a call that gRPC refused passes by its body",
    file: "src/runtime/grpc-probe.js",
    find: 'if (grpcStatus !== "0")',
    replace: "if (false)",
    test: ["src/runtime/grpc-probe.process.test.js", "does not know the health service"],
  },
  {
    fault: "ports are given out twice",
    file: "src/runtime/free-ports.js",
    find: "next = (next + 1) % ports",
    replace: "void ports",
    test: [suite, "searches at the same time"],
  },
  {
    fault: "a log is cut before its newest lines are copied",
    file: "src/runtime/log-rotation.js",
    find: "atLineEnd = bytes[read - 1] === newline",
    replace: "break",
    test: [rotationTests, "a large file is copied whole"],
  },
  {
    fault: "an unfinished rotation is overwritten",
    file: "src/runtime/log-rotation.js",
    find: "if (sizeOf(log.file + rotatingSuffix) > 0)",
    replace: "if (false)",
    test: [rotationTests, "killed in the middle loses nothing"],
  },
  {
    fault: "a follower does not notice rotations",
    file: "src/runtime/log-follower.js",
    find: "now !== undefined && now !== rotation",
    replace: "false",
    test: ["src/runtime/log-follower.process.test.js", "across rotations"],
  },
  {
    fault: "a taker does not look again after its claim",
    file: "src/state/term-claims.js",
    find: "largestTerm(options.folder) !== term",
    replace: "false",
    test: ["src/state/term-claims.process.test.js", "held up does not hold"],
  },
  {
    fault: "a claim overwrites the one that was quicker",
    file: "src/state/files.js",
    find: "linkSync(temporary, path)",
    replace: "(renameSync(temporary, path), writeFileSync(temporary, content))",
    test: ["src/state/term-claims.process.test.js", "twenty race"],
  },
  {
    fault: "a living holder is replaced",
    file: "src/state/term-claims.js",
    find: "before?.alive === true",
    replace: "false",
    test: [suite, "while the holder lives"],
  },
  {
    fault: "records are written in place",
    file: "src/state/files.js",
    find: "renameSync(temporary, path);",
    replace: "writeFileSync(path, ''); writeFileSync(path, content);",
    test: ["src/state/records.process.test.js", "killed at any point"],
  },
  {
    fault: "a record's sum is not looked at",
    file: "src/state/records.js",
    find: "if (!whole)",
    replace: "if (false)",
    test: ["src/state/records.process.test.js", "a torn, changed or foreign file"],
  },
  {
    fault: "a folder that others may write to is trusted",
    file: "src/state/directory.js",
    find: "(found.mode & 0o022) !== 0",
    replace: "false",
    test: ["src/state/directory.test.js", "others may write to"],
  },
  {
    fault: "a durable write does not wait for the device",
    file: "src/runtime/disk.js",
    find: "constants.O_RDWR | constants.O_DSYNC",
    replace: "constants.O_RDWR",
    test: [diskCalls, "asks the kernel"],
  },
  {
    fault: "a file's flush asks nobody",
    file: "src/runtime/disk-file.js",
    find: "handle.datasync()",
    replace: "Promise.resolve()",
    test: [diskCalls, "asks the kernel"],
  },
  {
    fault: "a folder's flush asks nobody",
    file: "src/runtime/disk.js",
    find: "() => this.#handle.sync()",
    replace: "async () => undefined",
    test: [diskCalls, "asks the kernel"],
  },
  {
    fault: "the parents of a new folder are not flushed",
    file: "src/runtime/disk.js",
    find: "await flushFolder(dirname(made));",
    replace: "",
    test: [diskCalls, "asks the kernel"],
  },
  {
    fault: "a folder's holder is not asked whether it lives",
    file: "src/runtime/disk-lock.js",
    find: "before > 0 && (await answers(holder))",
    replace: "false",
    test: [diskTests, "one holder"],
  },
  {
    fault: "a taker of a folder does not look again after its link",
    file: "src/runtime/disk-lock.js",
    find: "(await largest(path)) !== next",
    replace: "false",
    test: [diskTests, "held up does not hold"],
  },
  {
    fault: "a folder is not let go",
    file: "src/runtime/disk-lock.js",
    find: "release: () => close(server)",
    replace: "release: async () => undefined",
    test: [diskTests, "one holder"],
  },
  {
    fault: "a file is closed under the thread that writes to it",
    file: "src/runtime/disk-file.js",
    find: "await Promise.allSettled(pending);",
    replace: "",
    test: [diskTests, "still writing"],
  },
  {
    fault: "moving the bytes counts as the device's latency",
    file: "src/runtime/disk-writer.js",
    find: "elapsedMs - bytes / transferBytesPerMs",
    replace: "elapsedMs",
    test: [diskTests, "a device is slow"],
  },
];

const built = join(import.meta.dirname, "..", "..");
const copy = mkdtempSync(join(tmpdir(), "nines-planted-"));
after(() => rmSync(copy, { recursive: true, force: true }));
// A fault often shows as something that never happens: that is soon believed here.
const patience = join("test", "conformance", "world.js");
writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
symlinkSync(join(built, "..", "node_modules"), join(copy, "node_modules"));
for (const part of ["src/core", "src/ports", "src/runtime", "src/state", "src/sdk", "test"]) {
  cpSync(join(built, part), join(copy, part), { recursive: true });
}
cpSync(
  join(built, "..", "test", "conformance", "disk-calls.c"),
  join(copy, "test", "conformance", "disk-calls.c"),
);

change(patience, "realPatienceMs = 15_000", "realPatienceMs = 2_500");

/** Changes one place of a file in the copy; what undoes it. */
function change(file: string, find: string, replace: string): () => void {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  assert.equal(text.split(find).length, 2, `"${find}" stands once in ${file}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  return () => writeFileSync(path, text);
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** The names of the tests that failed. */
  readonly names: string;
}

function run(files: readonly string[], names: readonly string[]): Outcome {
  const patterns = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const environment = { ...process.env };
  // Else the inner run reports to the outer one.
  delete environment["NODE_TEST_CONTEXT"];
  const words = ["--test", "--test-reporter=tap", `--test-name-pattern=${patterns.join("|")}`];
  const paths = files.map((file) => join(copy, file));
  const result = spawnSync(process.execPath, [...words, ...paths], {
    encoding: "utf8",
    env: environment,
    timeout: 60_000,
  });
  // What never ends has found something as well.
  if (result.error !== undefined) return { passed: 0, failed: 1, names: result.error.message };
  const count = (word: string): number =>
    Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(result.stdout)?.[1] ?? 0);
  const failures = result.stdout.match(/^ *not ok .*$/gm) ?? [];
  return { passed: count("pass"), failed: count("fail"), names: failures.join("\n") };
}

test("without a fault all these tests pass", () => {
  const files = [...new Set(faults.map(({ test: [file] }) => file))];
  const names = faults.map(({ test: [, name] }) => name);
  const { passed, failed, names: failures } = run(files, names);
  assert.equal(failed, 0, failures);
  assert.ok(passed >= files.length);
});

for (const {
  fault,
  file,
  find,
  replace,
  test: [testFile, name],
} of faults) {
  test(`found: ${fault}`, (t) => {
    const undo = change(file, find, replace);
    try {
      const { passed, failed } = run([testFile], [name]);
      if (passed + failed === 0) return t.skip(`"${name}" does not run on this machine`);
      assert.ok(failed > 0, `"${name}" did not find it`);
    } finally {
      undo();
    }
  });
}
