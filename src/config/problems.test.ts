// How problems are worded, and how a slip of the keys is recognised.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  editDistance,
  formatProblems,
  nearest,
  type Problem,
  printPath,
  problemsJson,
} from "./problems.ts";

const unknown: Problem = {
  level: "error",
  path: ["services", "web", "helth"],
  line: 7,
  column: 5,
  what: "unknown key",
  remedy: 'Did you mean "health"?',
};
const later: Problem = {
  level: "warning",
  path: ["services", "web", "scale"],
  what: "is not acted on by this version",
  remedy: "Keep it for a later version.",
};

describe("what nines check prints", () => {
  it("says where, what, and what to do, and counts at the end", () => {
    assert.equal(
      formatProblems("nines.yaml", [unknown, later]),
      `nines.yaml:7:5  services.web.helth: unknown key
    Did you mean "health"?
nines.yaml  warning: services.web.scale: is not acted on by this version
    Keep it for a later version.

1 problem, 1 warning. \`nines schema\` prints what is allowed.
`,
    );
  });

  it("says nothing when nothing is wrong", () => {
    assert.equal(formatProblems("nines.yaml", []), "");
  });

  it("has a form for programs, where a file with warnings only is fine", () => {
    assert.deepEqual(problemsJson("nines.yaml", [unknown]), {
      file: "nines.yaml",
      ok: false,
      problems: [{ ...unknown, path: "services.web.helth" }],
    });
    assert.equal(problemsJson("nines.yaml", [later])["ok"], true);
  });

  it("quotes names that would not read as one", () => {
    assert.equal(printPath(["gateway", "routes", 0, "match"]), "gateway.routes[0].match");
    assert.equal(printPath(["services", "a b\nc"]), 'services."a b\\nc"');
  });
});

describe("the nearest known word", () => {
  const known = ["health", "replicas", "command", "env", "limits", "restart"];

  it("is found behind the usual slips", () => {
    const slips: readonly [string, string][] = [
      ["helth", "health"],
      ["heatlh", "health"],
      ["replica", "replicas"],
      ["Replicas", "replicas"],
      ["comand", "command"],
      ["envs", "env"],
      ["limit", "limits"],
    ];
    for (const [written, meant] of slips) assert.equal(nearest(written, known), meant);
  });

  it("is nothing when none is close", () => {
    assert.equal(nearest("colour", known), undefined);
    assert.equal(nearest("", known), undefined);
    assert.equal(nearest("x".repeat(100_000), known), undefined);
  });

  it("has a distance that counts the slips", () => {
    assert.equal(editDistance("", "abc"), 3);
    assert.equal(editDistance("abc", "abc"), 0);
    assert.equal(editDistance("heatlh", "health"), 1);
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
        assert.equal(editDistance(a, b) === 0, a === b);
      }),
    );
    fc.assert(
      fc.property(word, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (a, at, letter) => {
        const cut = at % (a.length + 1);
        assert.equal(editDistance(a, a.slice(0, cut) + letter + a.slice(cut)), letter.length);
      }),
    );
  });
});
