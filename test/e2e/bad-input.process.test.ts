// What people get wrong on the command line and in the file: each is told clearly.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createNines } from "./nines.fixture.ts";

describe("a wrong command line", () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["a command that is nearly one", ["stauts"], /Did you mean one of stats, status\?/],
    ["an option that is nearly one", ["up", "--detatch"], /Did you mean --detach\?/],
    ["a missing argument", ["scale", "web"], /missing required argument 'replicas'/],
    ["a number that is none", ["scale", "web", "many"], /whole number from 0 to 1000/],
    ["too many arguments", ["down", "now"], /too many arguments/],
  ];
  for (const [what, words, message] of cases) {
    it(`is told of ${what}, with exit code 2`, async (t) => {
      const nines = await createNines(t);
      const { code, stderr } = await nines.run(...words);
      assert.equal(code, 2);
      assert.match(stderr, message);
    });
  }

  it("asks for help before a command of any depth", async (t) => {
    const nines = await createNines(t);
    const [before, after, more, wrong, group, groupHelp] = await Promise.all([
      nines.run("help", "control", "restart"),
      nines.run("control", "restart", "--help"),
      nines.run("help", "restart", "web"),
      nines.run("help", "upp"),
      nines.run("backup"),
      nines.run("backup", "--help"),
    ]);
    assert.equal(group.code, 2);
    assert.equal(group.stderr, groupHelp.stdout, "a group alone teaches as well");
    assert.match(before.stdout, /^Usage: nines control restart /);
    assert.equal(before.stdout, after.stdout);
    assert.match(more.stdout, /^Usage: nines restart /, "it is not run");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /unknown command 'upp'\n\(Did you mean up\?\)/);
  });

  it("that takes -f for the file where it is --follow is told", async (t) => {
    const nines = await createNines(t);
    const { code, stderr } = await nines.run("events", "-f", "nines.yaml");
    assert.equal(code, 2);
    assert.match(stderr, /-f is --follow; --file names/);
  });

  it("without any word is the help, which teaches", async (t) => {
    const nines = await createNines(t);
    const { code, stdout } = await nines.run();
    assert.equal(code, 0);
    assert.match(stdout, /Examples:\n {2}\$ nines init && nines up/);
    assert.match(stdout, /Exit codes:/);
  });
});

describe("a wrong file", () => {
  it("that is not there", async (t) => {
    const nines = await createNines(t);
    const { code, stderr } = await nines.run("up", "-f", "other.yaml");
    assert.equal(code, 2);
    assert.match(
      stderr,
      /There is no file .*other\.yaml\.\n.*nines init.* \(NINES_CONFIG_NOT_FOUND\)/,
    );
  });

  it("that cannot be read", async (t) => {
    const nines = await createNines(t);
    mkdirSync(join(nines.folder, "folder.yaml"));
    const { code, stderr } = await nines.run("check", "-f", "folder.yaml");
    assert.equal(code, 2);
    assert.match(stderr, /cannot be read: .*NINES_CONFIG_UNREADABLE/s);
  });

  it("with several mistakes: all of them, each with its line", async (t) => {
    const nines = await createNines(t);
    nines.write({ replicas: "many", more: "    helth: {}" });
    const { code, stderr } = await nines.run("up");
    assert.equal(code, 2);
    assert.match(stderr, /nines\.yaml:5:\d+ .*services\.web\.replicas/);
    assert.match(stderr, /nines\.yaml:7:\d+ .*helth[^]*health/);
  });

  it("init writes one that runs as it is, once; check and schema agree", async (t) => {
    const nines = await createNines(t);
    const file = join(nines.folder, "new.yaml");
    const written = await nines.run("init", "-f", file);
    assert.equal(written.code, 0);
    const checked = await nines.run("check", "-f", file);
    assert.equal(checked.code, 0, checked.stderr);
    const again = await nines.run("init", "-f", file);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /NINES_FILE_EXISTS/);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(" :8080 ", ` 127.0.0.1:${nines.port} `));
    await nines.up("-f", file);
    const signal = AbortSignal.timeout(30_000);
    const answer = await fetch(`http://127.0.0.1:${nines.port}/`, { signal });
    assert.match(await answer.text(), /^web-[12]\n$/, "one of the two says who it is");
    const schema = JSON.parse((await nines.run("schema")).stdout) as { properties: object };
    assert.ok("services" in schema.properties);
  });

  it("that is a program is run, anew when it has changed", async (t) => {
    const nines = await createNines(t);
    const program = (replicas: number) => `export default {
      services: { web: { command: "node service.mjs", replicas: ${replicas} } },
      gateway: { listen: [{ address: "127.0.0.1:${nines.port}" }] } };`;
    const file = join(nines.folder, "nines.config.js");
    writeFileSync(file, program(1));
    await nines.up("-f", file);
    writeFileSync(file, program(2));
    const applied = await nines.run("apply", "-f", file);
    assert.equal(applied.code, 0, applied.stderr);
    await nines.untilStatus("two are up", ({ services }) => services[0]?.up === 2);
  });
});
