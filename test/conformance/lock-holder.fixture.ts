// A process that holds a folder's lock until it is killed: `node lock-holder.fixture.js FOLDER`.

import { createDisk } from "../../src/runtime/disk.ts";

const path = process.argv[2];
if (path !== undefined) {
  const folder = await createDisk().openFolder(path, { create: true });
  const lock = await folder.lock();
  process.stdout.write(lock === undefined ? "somebody else holds it\n" : "holds it\n");
  setInterval(() => undefined, 1_000);
}
