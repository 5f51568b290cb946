// Does with the real disk what a journal does, and says before each step what it does:
// `node disk-calls.fixture.js FOLDER LIST SLOW_ABOVE_MS`.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../src/runtime/disk.ts";

async function main([folder = "", list = "", slowAboveMs = ""]: readonly string[]) {
  const step = (what: string) => appendFileSync(list, `- ${what}\n`);
  const disk = createDisk({ slowAboveMs: Number(slowAboveMs) });
  step("make the folder");
  const opened = await disk.openFolder(join(folder, "a", "b"), { create: true });
  step("create, write, flush");
  const file = await opened.create("log.tmp");
  await file.write(new Uint8Array(1_000), 0);
  await file.flush();
  step("move, flush the folder");
  await opened.rename("log.tmp", "log");
  await opened.flush();
  step("write durably");
  const durable = await opened.open("log", "durable");
  await durable.write(disk.allocate(100), 0);
  step("write whole sectors durably");
  await durable.write(disk.allocate(1_024), 512);
  step("remove, flush the folder");
  await opened.remove("log");
  await opened.flush();
}

if (process.argv.length > 2) await main(process.argv.slice(2));
