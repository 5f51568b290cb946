// A young generation that stays as small as it begins.
//
// The engine doubles the room for new objects each time as much as fits into it has outlived a
// collection, up to 16 MiB twice. A command that goes through ten thousand files gets there, though
// little of it lives long: 30 MiB for fewer collections of a millisecond. The flag that says how
// many times as large the room gets is read whenever it grows; but each new thread sets it to two
// again for all of them, so it is set once more when one has begun.

import { setFlagsFromString } from "node:v8";
import type { Worker } from "node:worker_threads";

export function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

/** The same, after a thread that has just been made has begun. */
export function keepYoungGenerationSmallBeside(thread: Worker): void {
  thread.once("online", keepYoungGenerationSmall);
}
