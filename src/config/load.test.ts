// The loader as a whole: one file, one Config or all of its problems, whatever the file.
// Single messages are in test/golden/config.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { defineConfig, type NinesConfig } from "./define-config.ts";
import { initText } from "./init-text.ts";
import { type ParsedConfig, parseConfig } from "./load.ts";
import { printPath } from "./problems.ts";
import { fileInput } from "./written.fixture.ts";

const place = { file: "/srv/nines.yaml", cores: 4 };

function parseYaml(text: string): ParsedConfig {
  return parseConfig({ ...place, format: "yaml", text });
}

function parseValue(value: unknown): ParsedConfig {
  return parseConfig({ ...place, format: "javascript", value });
}

/** Lines and columns are those of a text, and so is the order; a program has none. */
function unplaced(parsed: ParsedConfig): unknown {
  const problems = parsed.ok ? parsed.warnings : parsed.problems;
  const said = problems.map(({ path, what }) => `${printPath(path)}: ${what}`).sort();
  return { config: parsed.ok && parsed.config, said };
}

describe("parseConfig", () => {
  it("gives the same Config for a file in YAML, in JSON, and as a program", () => {
    fc.assert(
      fc.property(fileInput, (written) => {
        const fromProgram = parseValue(written);
        assert.ok(fromProgram.ok, JSON.stringify(fromProgram));
        assert.deepEqual(unplaced(parseYaml(stringify(written))), unplaced(fromProgram));
        const text = JSON.stringify(written, undefined, 2);
        const fromJson = parseConfig({ ...place, format: "json", text });
        assert.deepEqual(unplaced(fromJson), unplaced(fromProgram));
      }),
    );
  });

  it("freezes the Config to the bottom", () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    fc.assert(
      fc.property(fileInput, (written) => {
        const parsed = parseValue(written);
        assert.ok(parsed.ok && frozen(parsed.config));
      }),
    );
  });

  it("leaves what a program exported as it was", () => {
    const written: NinesConfig = { services: { web: { command: ["node"], env: { A: "b" } } } };
    const before = structuredClone(written);
    assert.ok(parseValue(written).ok);
    assert.deepEqual(written, before);
    assert.ok(!Object.isFrozen(written.services?.["web"]?.env));
  });

  it("says every problem of a file at once, in the file's order", () => {
    const parsed = parseYaml(`services:
  web: { command: x, helth: y, dependsOn: apy }
  api: { replicas: { min: 2, max: 1 } }
gateway:
  listen: [{ address: 80 }, { address: ":80", protocol: tcp }]
  routes: [{ service: nobody }]
`);
    assert.ok(!parsed.ok);
    assert.deepEqual(
      parsed.problems.map(({ line, what }) => `${line}: ${what}`),
      [
        "2: unknown key",
        '2: names "apy", which is no service here',
        "3: has neither `command` nor `endpoints`",
        "3: is 2, more than max, which is 1",
        "5: 80 has no colon",
        "5: is a tcp listener without a service",
        '6: names "nobody", which is no service here',
      ],
    );
  });

  it("says no more than fifty", () => {
    const services = Array.from({ length: 200 }, (_, index) => `  s${index}: { comand: x }`);
    const parsed = parseYaml(`services:\n${services.join("\n")}\n`);
    assert.ok(!parsed.ok);
    assert.equal(parsed.problems.length, 50);
  });

  it("takes the number of cores for workers, at least one and at most 32", () => {
    const written = {
      services: { a: { command: "x" } },
      gateway: { listen: [{ address: ":80" }] },
    };
    const workersOn = (cores: number): number | undefined => {
      const parsed = parseConfig({ file: "/a", cores, format: "javascript", value: written });
      return parsed.ok ? parsed.config.gateway?.workers : undefined;
    };
    assert.equal(workersOn(3), 3);
    assert.equal(workersOn(0), 1);
    assert.equal(workersOn(192), 32);
  });

  for (const command of [undefined, "npm start"]) {
    it(`accepts what \`nines init\` writes for ${command ?? "an empty folder"}, without a warning`, () => {
      const parsed = parseYaml(initText(command));
      assert.ok(parsed.ok, JSON.stringify(parsed));
      assert.deepEqual(parsed.warnings, []);
      assert.equal(parsed.config.services.length, 1);
    });
  }

  it("accepts what `nines init` only suggests", () => {
    const suggested = initText("npm start")
      .split("\n")
      .slice(4)
      .map((line) => line.replace(/^( *)# ((?:  )*[\w-]+:)/, "$1$2"))
      .join("\n")
      .replace("dependsOn: [database]", "dependsOn: [search]");
    assert.ok(
      suggested.includes("\n      http: /healthz\n      timeout: 500ms") &&
        suggested.includes("\n  search:\n"),
    );
    const parsed = parseYaml(suggested);
    assert.ok(parsed.ok, JSON.stringify(parsed));
  });
});

describe("a file of junk", () => {
  const words = ["services", "web", "command", "health", "http", "interval", "replicas", "env"];
  const more = ["gateway", "listen", "address", "routes", "match", "headers", "endpoints", "tls"];
  const odd = ["__proto__", "constructor", "toString", "length", "", "0", "*"];
  const key = fc.constantFrom(...words, ...more, "service", "min", "dependsOn", ...odd);
  const leaf = fc.oneof(
    fc.constantFrom(
      "1s",
      "/",
      ":80",
      "a:1",
      "web",
      "60%",
      "1GiB",
      "tcp",
      1,
      0,
      -1,
      1.5,
      true,
      null,
    ),
    fc.string({ maxLength: 8 }),
    // A message quotes what was written, and "not NaN" would look like a slip of its own.
    fc.double({ noNaN: true }),
  );
  const { junk } = fc.letrec((tie) => ({
    junk: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      fc.array(tie("junk"), { maxLength: 3 }),
      fc.dictionary(key, tie("junk"), { maxKeys: 4, noNullPrototype: false }),
    ),
  }));

  /** Errors name a place in the text; the Config is there exactly when there are none. */
  function checkOutcome(parsed: ParsedConfig, hasLines: boolean): void {
    if (parsed.ok) return assert.ok(parsed.warnings.every(({ level }) => level === "warning"));
    assert.ok(parsed.problems.some(({ level }) => level === "error"));
    for (const { what, remedy, line } of parsed.problems) {
      assert.ok(what.length > 0 && remedy.length > 0);
      assert.ok(!/undefined|NaN|\[object/.test(what + remedy), what + remedy);
      if (hasLines) assert.ok((line ?? 0) >= 1, what);
    }
  }

  it("never throws, whatever its shape", () => {
    fc.assert(
      fc.property(junk, (value) => checkOutcome(parseValue(value), false)),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(junk, (value) => {
        const text = JSON.stringify(value);
        checkOutcome(parseConfig({ ...place, format: "json", text }), text.length < 1024 * 1024);
      }),
      { numRuns: 500 },
    );
  });

  it("never throws, whatever happens to a good file", () => {
    const good = initText(undefined);
    const edit = fc.record({
      at: fc.nat({ max: good.length }),
      cut: fc.nat({ max: 20 }),
      put: fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom("\n", ":", "- ", "{", "[", "&a ")),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
        const text = edits.reduce(
          (before, { at, cut, put }) => before.slice(0, at) + put + before.slice(at + cut),
          good,
        );
        checkOutcome(parseYaml(text), true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("defineConfig", () => {
  it("returns what it is given, and knows its types", () => {
    const config = defineConfig({
      services: {
        web: { command: "node server.js", health: { http: "/healthz", interval: "1s" } },
      },
      gateway: { listen: [{ address: ":8080" }], drain: "5s" },
    });
    assert.ok(parseValue(config).ok);
    // @ts-expect-error a duration has a unit
    defineConfig({ services: { web: { command: "x", stopGrace: "5" } } });
    // @ts-expect-error a key is spelt as it is
    defineConfig({ services: { web: { command: "x", helth: { http: "/" } } } });
    // @ts-expect-error a size is not a duration
    defineConfig({ services: { web: { command: "x", limits: { memory: "1s" } } } });
    // @ts-expect-error a way to balance is one of those there are
    defineConfig({ services: {}, gateway: { listen: [{ address: ":1" }], balance: "fair" } });
  });
});
