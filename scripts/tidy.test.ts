// Each rule of tidy is shown to bite on a planted offence, and to let the same tree pass without
// it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tidy } from "./tidy.ts";

const architecture = `# Architecture

| folder | may import |
|---|---|
| \`src/core/base\` | nothing |
| \`src/core/route\` | \`src/core/base\` |
| \`src/gateway\` | \`src/core\`, \`node:*\` |
`;

const clean: Record<string, string> = {
  "ARCHITECTURE.md": architecture,
  "src/core/base/assert.ts": "// Invariants.\nexport const a = 1;\n",
  "src/core/route/table.ts":
    '// Routes.\nimport { a } from "../base/assert.ts";\nexport const b = a;\n',
  "src/gateway/main.ts":
    '// main.js\nimport { b } from "../core/route/table.ts";\nimport "node:net";\nexport { b };\n',
};

function messages(changes: Record<string, string>): string[] {
  return tidy(new Map(Object.entries({ ...clean, ...changes }))).map(
    ({ file, message }) => `${file} ${message}`,
  );
}

describe("tidy", () => {
  it("lets a tree pass that keeps the table", () => {
    assert.deepEqual(messages({}), []);
  });

  it("refuses an upward import", () => {
    const found = messages({
      "src/core/base/assert.ts":
        '// Up.\nimport type { b } from "../route/table.ts";\nexport type A = typeof b;\n',
    });
    assert.match(found.join("\n"), /src\/core\/base may not import src\/core\/route\/table\.ts/);
  });

  it("refuses a package that the table does not grant", () => {
    const found = messages({
      "src/core/base/assert.ts": '// Out.\nimport "node:fs";\nexport const a = 1;\n',
    });
    assert.match(found.join("\n"), /may not import node:fs/);
  });

  it("refuses a cycle of values", () => {
    const found = messages({
      "src/gateway/main.ts": '// main.js\nimport { c } from "./other.ts";\nexport const b = c;\n',
      "src/gateway/other.ts": '// Other.\nimport { b } from "./main.ts";\nexport const c = b;\n',
    });
    assert.match(
      found.join("\n"),
      /import cycle: src\/gateway\/main\.ts -> src\/gateway\/other\.ts/,
    );
  });

  it("refuses a file that nothing reaches", () => {
    const found = messages({ "src/gateway/lost.ts": "// Lost.\nexport const d = 1;\n" });
    assert.deepEqual(found, ["src/gateway/lost.ts is imported and started by nobody"]);
  });

  it("refuses a file without its idea, a Date in a pure floor, and a wide line", () => {
    const found = messages({
      "src/core/base/assert.ts": `export const a = +new Date();\n${"x".repeat(101)};\n`,
    });
    assert.equal(found.length, 3);
  });

  it("refuses a link that leads nowhere and a second title", () => {
    const found = messages({ "README.md": "# One\n\n# Two\n\n[there](docs/none.md)\n" });
    assert.equal(found.length, 2);
  });

  it("refuses a lockfile with an install script, a host, or a loose version", () => {
    const found = messages({
      "package.json": '{ "dependencies": { "left": "^1.0.0" } }',
      "package-lock.json":
        '{ "a": { "hasInstallScript": true, "resolved": "https://host/x.tgz" } }',
    });
    assert.equal(found.length, 3);
  });
});
