// A file read on a thread says the same as one read here.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadConfigApart, startReader } from "./config-apart.ts";
import { loadConfigFile } from "./config-file.ts";

const targets = "{ a: { path: a }, b: { path: b } }";
const sources = "{ data: { path: data } }";
const backup = `{ keyFile: key, targets: ${targets}, copies: 2, sources: ${sources} }`;

const texts = {
  "nines.yaml": "services: { shop: { command: sleep 1 } }\n",
  "nines.conf": `services: { shop: { command: sleep 1 } }\nbackup: ${backup}\n`,
  "nines.json": '{ "services": { "shop": { "command": "sleep 2" } } }\n',
  "nines.config.mjs": 'export default { services: { shop: { command: "sleep 3" } } };\n',
};

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe("a file read on a thread", () => {
  it("comes to the same, on a thread that was there before or not", async (t) => {
    const folder = folderOf(t, texts);
    for (const name of Object.keys(texts)) {
      const file = join(folder, name);
      const here = await loadConfigFile(file);
      assert.deepEqual(await loadConfigApart(file), here);
      startReader();
      assert.deepEqual(await loadConfigApart(file), here);
    }
  });

  it("is refused in the same words", async (t) => {
    const folder = folderOf(t, { "nines.yaml": "services: { shop: { comand: sleep 1 } }\n" });
    for (const name of ["nines.yaml", "missing.yaml", "missing.mjs"]) {
      const file = join(folder, name);
      const here: unknown = await loadConfigFile(file).catch((error: unknown) => error);
      assert(here instanceof Error && "code" in here);
      startReader();
      const { message } = here;
      await assert.rejects(loadConfigApart(file), { name: "NinesError", code: here.code, message });
    }
  });

  it("is read by one file, which finds no module but Node's own and tells whose code it has", () => {
    const text = readFileSync(join(import.meta.dirname, "config-thread.bundle.js"), "utf8");
    const imported = Array.from(text.matchAll(/^import .*?"([^"]+)";$/gm), ([, name]) => name);
    assert.ok(imported.includes("node:worker_threads"));
    assert.deepEqual(
      imported.filter((name) => !name?.startsWith("node:")),
      [],
    );
    for (const name of ["yaml", "zod"]) assert.match(text, new RegExp(`parts.*from ${name}:`, "i"));
  });
});
