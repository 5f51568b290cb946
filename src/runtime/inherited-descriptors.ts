// Descriptors that our own starter left open in us: a shell's lock, a build tool's pipe. Every
// program that we start would hold them for as long as it lives, and so hold up whoever waits for
// their end.
//
// Node marks each descriptor it opens "close on exec"; what is not marked came from outside.
// Elsewhere than on Linux there is no telling, and nothing is closed.

import { closeSync, readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;

/** For control, once, before it starts anything: it needs none but the three standard ones. */
export function closeInheritedDescriptors(): void {
  if (process.platform !== "linux") return;
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor > 2 && isInherited(descriptor)) closeSync(descriptor);
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(
      readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"),
    )?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // The one that listed the folder is closed by now.
    return false;
  }
}
