// A disk that is full after a few kilobytes: a tmpfs of its own. Making one needs root and a system
// that lets it mount; where it does not, the tests that need it say so and are skipped.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly folder: string;
  readonly unmount: () => void;
}

/** Undefined where none can be made. */
export function mountSmallDisk(bytes: number): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), "nines-small-disk-"));
  const options = `size=${bytes},mode=0700`;
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  if (mounted.status !== 0) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return {
    folder,
    unmount() {
      // Lazily: a program that still writes to it must not leave it behind.
      spawnSync("umount", ["-l", folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const noSmallDisk = "a full disk: no tmpfs can be mounted here (needs root)";
