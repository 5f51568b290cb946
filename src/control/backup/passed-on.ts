// A target with some of its calls in other hands.

import type { Target } from "../../ports/target.ts";

/** All else goes to `target` itself, of whatever class it is. */
export function passedOn(target: Target, calls: Partial<Target>): Target {
  return {
    name: target.name,
    domain: target.domain,
    isAppendOnly: target.isAppendOnly,
    put: (name, pieces) => target.put(name, pieces),
    read: (name, offset, length, allocate) => target.read(name, offset, length, allocate),
    list: (kind, after) => target.list(kind, after),
    remove: (name) => target.remove(name),
    clean: () => target.clean(),
    freeBytes: () => target.freeBytes(),
    close: () => target.close(),
    ...calls,
  };
}
