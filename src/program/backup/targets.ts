// The targets that a file names. A machine as a target will be one more case here: whatever keeps
// the promises of ports/target.ts (test/conformance/target.ts) is one.

import { statfs } from "node:fs/promises";
import type { BackupTargetConfig } from "../../config/config.ts";
import { withoutRemoval } from "../../control/backup/append-only.ts";
import { withDeadline } from "../../control/backup/deadline.ts";
import { createFolderTarget } from "../../control/backup/folder-target.ts";
import { answerMs } from "../../control/backup/world.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Disk } from "../../ports/disk.ts";
import type { Target } from "../../ports/target.ts";
import { createDisk } from "../../runtime/disk.ts";
import { createSystemRandom } from "../../runtime/random.ts";
import { readS3Credentials } from "./secrets.ts";

const timeoutMs = answerMs;
/**
 * A bucket's client ends its calls by itself, a list after two deadlines at most. What ends sooner
 * would take a bucket to which a put is slow for one that is dead, with all who read from it.
 */
const bucketNetMs = 2.5 * timeoutMs;

/** Throws NINES_VAULT_CREDENTIALS. Nothing is asked of a target yet. */
export async function createTargets(
  configs: readonly BackupTargetConfig[],
  clock: Clock,
): Promise<readonly Target[]> {
  const disk = createDisk();
  const callsAtOnce = callsAtOnceOf(configs.length);
  return Promise.all(
    configs.map(async (config) => {
      const target = await createTarget(config, disk, clock, callsAtOnce);
      return config.appendOnly ? withoutRemoval(target) : target;
    }),
  );
}

/**
 * All calls of all folders share the four threads of libuv's pool, and one that hangs keeps its
 * thread: one of two folders, or three of more, may hang and leave a thread to the others.
 */
function callsAtOnceOf(targets: number): number {
  return targets > 2 ? 1 : 2;
}

async function createTarget(
  config: BackupTargetConfig,
  disk: Disk,
  clock: Clock,
  callsAtOnce: number,
): Promise<Target> {
  const { name, domain, place } = config;
  if (place.kind === "folder") {
    const { path } = place;
    const freeBytes = async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    };
    const folder = createFolderTarget(disk, { name, domain, path, freeBytes });
    return withDeadline(folder, clock, timeoutMs, callsAtOnce);
  }
  const { prefix, credentialsFile } = place;
  const { createS3Target } = await import("../../runtime/s3-target.ts");
  const credentials = readS3Credentials(name, credentialsFile);
  const { random } = createSystemRandom();
  const about = { name, domain, place, prefix, credentials };
  return withDeadline(createS3Target({ ...about, clock, random, timeoutMs }), clock, bucketNetMs);
}
