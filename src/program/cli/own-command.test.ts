// Folders as people have them, and the command that `nines init` finds in each.

import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ownCommand } from "./own-command.ts";

/** Each file with its text; a folder where there is none. */
type Files = Readonly<Record<string, string | undefined>>;

const packed = (scripts: unknown): Files => ({ "package.json": JSON.stringify({ scripts }) });

const cases: readonly (readonly [string, Files, string | undefined])[] = [
  ["nothing", {}, undefined],
  ["a plain start script", packed({ start: "node src/app.js --env=a" }), "node src/app.js --env=a"],
  ["one that a shell must read", packed({ start: "A=1 node server.js" }), "npm start"],
  ["one that YAML would read otherwise", packed({ start: "node a.js # web" }), "npm start"],
  ["one with a step before it", packed({ prestart: "tsc", start: "node a.js" }), "npm start"],
  ["both a script and a file", { ...packed({ start: "next start" }), "app.js": "" }, "npm start"],
  ["a script that starts Nines", packed({ start: "npx nines up" }), undefined],
  [
    "such a script and a file",
    { ...packed({ start: "./node_modules/.bin/nines up" }), "app.js": "" },
    "node app.js",
  ],
  ["a script of a like name", packed({ start: "node nines-shop.js" }), "node nines-shop.js"],
  ["a package without the script", { ...packed({ test: "x" }), "app.mjs": "" }, "node app.mjs"],
  ["a package that npm refuses", { "package.json": "{", "index.cjs": "" }, "node index.cjs"],
  ["a package that is null", { "package.json": "null" }, undefined],
  ["scripts that are none", packed(["node a.js"]), undefined],
  ["several files", { "index.js": "", "server.mjs": "" }, "node server.mjs"],
  ["a folder of that name", { "server.js": undefined }, undefined],
];

for (const [what, files, command] of cases) {
  test(`in a folder with ${what}: ${command ?? "no command"}`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "nines-own-"));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const [name, text] of Object.entries(files)) {
      if (text === undefined) mkdirSync(join(folder, name));
      else writeFileSync(join(folder, name), text);
    }
    assert.equal(ownCommand(folder), command);
  });
}
