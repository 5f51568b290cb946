// What a file says of its vault is the same however it is read: here, on a thread, or from what was
// kept of it.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadConfigFile } from "../config-file.ts";
import { readConfig } from "./read-config.ts";

function textOf(packSize: string): string {
  const backup = {
    keyFile: "key",
    targets: { a: { path: "a" }, b: { path: "b" } },
    copies: 2,
    sources: { data: { path: "data" } },
    packSize,
  };
  return JSON.stringify({ services: { shop: { command: "sleep 1" } }, backup });
}

/** A folder with these files; it is the state directory as well. */
function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const keptIn = (folder: string) => join(folder, "read-config.json");

describe("what a file says of its vault", () => {
  it("comes to the same on a thread, and from what was kept", async (t) => {
    const files = {
      "nines.yaml": textOf("2MiB"),
      "nines.json": textOf("4MiB"),
      "nines.config.mjs": `export default ${textOf("8MiB")};\n`,
    };
    const folder = folderOf(t, files);
    for (const name of Object.keys(files)) {
      const file = join(folder, name);
      const { backup } = (await loadConfigFile(file)).config;
      for (let time = 0; time < 2; time++) {
        const reading = readConfig(file, folder);
        assert.deepEqual(await reading.done(), { backup, warnings: "" });
        await reading.keep();
      }
    }
    assert(!readFileSync(keptIn(folder), "utf8").includes("sleep"), "services stay out of it");
  });

  it("is taken from what was kept as long as the file is as it was, and nobody else could", async (t) => {
    const folder = folderOf(t, { "nines.yaml": textOf("2MiB") });
    const file = join(folder, "nines.yaml");
    const packBytes = async () => (await readConfig(file, folder).done()).backup?.packBytes;
    await readConfig(file, folder).keep();
    assert.equal(await packBytes(), 2_097_152);
    const kept = readFileSync(keptIn(folder), "utf8");
    writeFileSync(keptIn(folder), kept.replace("2097152", "3"));
    assert.equal(await packBytes(), 3);
    chmodSync(keptIn(folder), 0o644);
    assert.equal(await packBytes(), 2_097_152);
    chmodSync(keptIn(folder), 0o600);
    writeFileSync(file, textOf("4MiB"));
    assert.equal(await packBytes(), 4_194_304);
    writeFileSync(file, textOf("2MiB"));
    writeFileSync(keptIn(folder), kept.slice(0, -9));
    assert.equal(await packBytes(), 2_097_152);
  });

  it("is not kept of a file that changed while it was read", async (t) => {
    const folder = folderOf(t, { "nines.yaml": textOf("2MiB") });
    const file = join(folder, "nines.yaml");
    const reading = readConfig(file, folder);
    await reading.done();
    writeFileSync(file, textOf("4MiB"));
    await reading.keep();
    assert(!existsSync(keptIn(folder)));
  });

  it("is refused in the words of `nines check`", async (t) => {
    const folder = folderOf(t, { "nines.yaml": "services: { shop: { comand: sleep 1 } }\n" });
    for (const name of ["nines.yaml", "missing.yaml", "missing.mjs"]) {
      const file = join(folder, name);
      const here: unknown = await loadConfigFile(file).catch((error: unknown) => error);
      assert(here instanceof Error && "code" in here);
      const { message } = here;
      const { code } = here;
      await assert.rejects(readConfig(file, folder).done(), { name: "NinesError", code, message });
    }
  });
});
