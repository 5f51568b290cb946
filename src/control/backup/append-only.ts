// A target from which nothing is removed by this machine.
//
// Whoever takes a machine over has its credentials. If these cannot remove, the backups of before
// stay, and another machine, which is harder to reach, lets go what is old. The store's own rules
// must say so; this only keeps us from asking for what is refused, and makes the same of a folder.

import { type Target, TargetError } from "../../ports/target.ts";
import { passedOn } from "./passed-on.ts";

export function withoutRemoval(target: Target): Target {
  return passedOn(target, {
    isAppendOnly: true,
    remove: async (name) => {
      const what = `Target ${target.name} could not remove ${name}: it is append-only`;
      throw new TargetError("not-allowed", what);
    },
    clean: async () => {},
  });
}
