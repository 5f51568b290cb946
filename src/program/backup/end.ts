// How a process ends that has worked on a vault, one of whose folders may hang.
//
// Nothing but a kill ends a process that has a thread with a disk that does not answer
// (gateway/process/host.ts), and who is killed has no exit code: so it is said in words, after all
// that was printed has left. Where no disk owes anything, this is an ordinary end.

import { setTimeout as pause } from "node:timers/promises";
import { exitNow, isOwedByDisk } from "../../gateway/process/host.ts";
import { complain } from "../cli/say.ts";

/** A call that was not waited for, and is none that hangs, ends within this. */
const stragglersMs = 1_000;
const lookEveryMs = 10;

export async function endBackup(code: number): Promise<never> {
  for (let waitedMs = 0; isOwedByDisk() && waitedMs < stragglersMs; waitedMs += lookEveryMs) {
    await pause(lookEveryMs);
  }
  if (!isOwedByDisk()) process.exit(code);
  const what = "A disk still owes an answer, and no process can end before it has it";
  complain(`${what}: this one kills itself. Its work is over, and its exit code was ${code}.`);
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  return exitNow(code);
}

/** What was written has left, or will never. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}
