// The promises of a target, kept by each that there is: folders of a real and of a simulated disk,
// a bucket of our own strict store; of a server from npm in s3rver.long.test.ts.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createFolderTarget } from "../../src/control/backup/folder-target.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import { createClock } from "../../src/runtime/clock.ts";
import { createDisk } from "../../src/runtime/disk.ts";
import { createS3Target } from "../../src/runtime/s3-target.ts";
import { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { owner, startS3Store } from "../vault/s3-store.fixture.ts";
import { targetConformance } from "./target.ts";

const scratch = mkdtempSync(join(tmpdir(), "nines-targets-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let made = 0;

targetConformance("a folder", async (check) => {
  const path = join(scratch, `folder-${++made}`);
  mkdirSync(path);
  const target = createFolderTarget(createDisk(), { name: "disk", domain: "room", path });
  try {
    await check(target);
  } finally {
    await target.close();
  }
});

targetConformance("a simulated folder", async (check) => {
  const disk = new SimulatedDisk();
  await disk.openFolder("/vault", { create: true });
  await check(createFolderTarget(disk, { name: "disk", domain: "room", path: "/vault" }));
});

const common = {
  name: "cloud",
  domain: "cloud",
  clock: createClock({ keepAlive: true }),
  random: createPrng(1),
  timeoutMs: 30_000,
};

targetConformance("a bucket", async (check) => {
  await using store = await startS3Store();
  store.pageMax = 97;
  const { endpoint, bucket, region } = store;
  const place = { endpoint, bucket, region, virtualHost: false };
  const target = createS3Target({ ...common, place, prefix: "shop/a", credentials: owner });
  store.objects.set("shop/b/pack/0f", Uint8Array.of(1));
  await check(target);
});
