// Memory cgroups as each kind of machine lays them out. The trees are made of plain files: they
// show what is written where; that the kernel obeys is shown in processes.process.test.ts, where it
// lets us.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type CgroupSources, createMemoryCgroups, type MemoryCgroup } from "./cgroups.ts";

const limitBytes = 64 * 1024 * 1024;

/** A folder with these files; a kernel would make them with each folder. */
function tree(context: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "nines-cgroups-"));
  context.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

function mount(id: number, type: "cgroup" | "cgroup2", root: string, at: string, options: string) {
  return `${id} 25 0:${id} ${root} ${at} rw,nosuid shared:9 - ${type} ${type} rw,${options}\n`;
}

function made(result: ReturnType<ReturnType<typeof createMemoryCgroups>["create"]>): MemoryCgroup {
  assert.ok(!("refused" in result), JSON.stringify(result));
  return result;
}

const filesOfV2 = {
  "cgroup.procs": "",
  "cgroup.subtree_control": "memory pids\n",
  "memory.max": "max\n",
  "memory.swap.max": "max\n",
  "memory.oom.group": "0\n",
  "memory.events": "low 0\noom 0\noom_kill 0\noom_group_kill 0\n",
};

function under(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]),
  );
}

function sourcesOfV2(root: string, ownCgroup: string): CgroupSources {
  return {
    mountInfo: mount(30, "cgroup2", "/", root, "nsdelegate"),
    ownCgroups: `0::${ownCgroup}\n`,
    cgroupsOf: () => `0::${ownCgroup}/nines/state/web-1\n`,
  };
}

test("version 2: memory and swap are limited, and the instance ends as a whole", (t) => {
  const root = tree(t, {
    ...under("app", filesOfV2),
    ...under("app/nines", { "cgroup.subtree_control": "" }),
    ...under("app/nines/state", { "cgroup.subtree_control": "" }),
    ...under("app/nines/state/web-1", filesOfV2),
  });
  const cgroups = createMemoryCgroups("state", sourcesOfV2(root, "/app"));
  const cgroup = made(cgroups.create("web-1", limitBytes));
  cgroup.add(4711);
  const read = (path: string): string => readFileSync(join(root, "app/nines/state", path), "utf8");
  // A plain file keeps the rest of its old text; what the kernel is told stands at its start.
  assert.match(read("web-1/memory.max"), /^67108864/);
  assert.match(read("web-1/memory.swap.max"), /^0/);
  assert.match(read("web-1/memory.oom.group"), /^1/);
  assert.equal(read("web-1/cgroup.procs"), "4711");
  assert.equal(read("cgroup.subtree_control"), "+memory");
  assert.ok(cgroup.has(4711));

  assert.equal(cgroup.outOfMemoryKills(), 0);
  const events = join(root, "app/nines/state/web-1/memory.events");
  writeFileSync(events, filesOfV2["memory.events"].replace("oom_kill 0", "oom_kill 2"));
  assert.equal(cgroup.outOfMemoryKills(), 2);
  assert.equal(cgroups.find("web-1", 4711)?.outOfMemoryKills(), 0, "an adopter counts from now");
  assert.equal(cgroups.find("web-2", 4711), undefined);
});

test("version 2: where our own level passes nothing on, one above it serves", (t) => {
  const { "cgroup.subtree_control": _mayNot, ...ofAScope } = filesOfV2;
  const root = tree(t, {
    ...under("slice", filesOfV2),
    ...under("slice/scope", ofAScope),
    ...under("slice/nines", { "cgroup.subtree_control": "memory" }),
    ...under("slice/nines/state", { "cgroup.subtree_control": "memory" }),
    ...under("slice/nines/state/web-1", filesOfV2),
  });
  const cgroups = createMemoryCgroups("state", sourcesOfV2(root, "/slice/scope"));
  made(cgroups.create("web-1", limitBytes)).add(4711);
  const procs = join(root, "slice/nines/state/web-1/cgroup.procs");
  assert.equal(readFileSync(procs, "utf8"), "4711");
  assert.ok(!existsSync(join(root, "slice/scope/nines")), "nothing is left where it did not work");
});

const filesOfV1 = {
  "cgroup.procs": "",
  "memory.limit_in_bytes": "9223372036854771712\n",
  "memory.memsw.limit_in_bytes": "9223372036854771712\n",
  "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
};

test("version 1: the hierarchy that has memory is taken, in a container the part it shows", (t) => {
  const root = tree(t, under("memory/nines/state/web-1", filesOfV1));
  const hierarchy = join(root, "memory");
  const sources: CgroupSources = {
    mountInfo:
      mount(30, "cgroup2", "/", join(root, "unified"), "nsdelegate") +
      mount(31, "cgroup", "/docker/abc", join(root, "cpu"), "cpu,cpuacct") +
      mount(32, "cgroup", "/docker/abc", hierarchy, "memory"),
    ownCgroups: "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n",
    cgroupsOf: () => "4:memory:/docker/abc/nines/state/web-1\n0::/\n",
  };
  const cgroups = createMemoryCgroups("state", sources);
  const cgroup = made(cgroups.create("web-1", limitBytes));
  const read = (name: string) => readFileSync(join(hierarchy, "nines/state/web-1", name), "utf8");
  assert.match(read("memory.limit_in_bytes"), /^67108864/);
  assert.match(read("memory.memsw.limit_in_bytes"), /^67108864/);
  assert.equal(cgroup.outOfMemoryKills(), 0, "kills of an earlier instance do not count");
  assert.ok(cgroups.find("web-1", 1));
});

test("where no cgroup can be had, it says why", () => {
  const refusals = [
    ["", ""],
    [mount(30, "cgroup2", "/", "/no/such/mount", "rw"), "0::/app\n"],
    [mount(31, "cgroup", "/", "/no/such/mount", "cpu"), "1:cpu:/\n"],
  ] as const;
  for (const [mountInfo, ownCgroups] of refusals) {
    const sources = { mountInfo, ownCgroups, cgroupsOf: () => "" };
    const result = createMemoryCgroups("state", sources).create("web-1", limitBytes);
    assert.ok("refused" in result && result.refused.length > 10);
  }
});
