// There are never two processes of one instance: they would share a port, a data folder, a name.
// No excuse: control may be killed between any two of its effects.

import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

export function doubling(world: World): Checker {
  const name = "doubling";
  return {
    name,
    promise: "an instance never has two processes",
    programStarted(program) {
      world.checks++;
      const live = world.machine.live(program.id);
      if (live.length <= 1) return;
      const pids = live.map((each) => each.pid).join(" and ");
      world.violated(name, `${program.id} runs as pids ${pids}`);
    },
  };
}
