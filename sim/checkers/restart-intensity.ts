// Restarts stay within the intensity: each start after an end of the instance's own waits at least
// half of the doubled backoff, and a crash loop at least half of the longest.
//
// An oracle of its own: it counts failures in a row by the true times, not by what control
// remembers. Excused: a control that started between two ends may have forgotten the failures
// before it, once.

import { serviceOf, type World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

interface Past {
  failuresInRow: number;
  endsMs: number[];
  startedMs: number;
  endedMs: number;
  incarnation: number;
}

/** The clock may run 5 % fast, and a report is never early. */
const SLACK = 0.94;

export function restartIntensity(world: World): Checker {
  const name = "restart-intensity";
  const pasts = new Map<string, Past>();
  return {
    name,
    promise: "restarts wait for their backoff, and a crash loop for the longest",
    programChanged(program) {
      const config = world.service(serviceOf(program.id));
      if (program.state !== "ended" || config?.kind !== "command") return;
      // A control that is stopped hears of the end later, and cannot tell how long it was up.
      if (program.toldToEndAtMs !== undefined || !world.controlRuns()) {
        pasts.delete(program.id);
        return;
      }
      const { nowMs } = world.loop;
      const { resetAfterMs, crashLoopCount, crashLoopWithinMs } = config.restart;
      const before = pasts.get(program.id);
      const known = before?.incarnation === world.incarnations ? before : undefined;
      const upMs = nowMs - (program.readyAtMs ?? nowMs);
      // Up for so long, it has paid off its past.
      const recovered = upMs >= resetAfterMs * SLACK;
      pasts.set(program.id, {
        failuresInRow: recovered ? 1 : (known?.failuresInRow ?? 0) + 1,
        endsMs: [...(recovered ? [] : (known?.endsMs ?? [])), nowMs]
          .filter((endMs) => nowMs - endMs <= crashLoopWithinMs * SLACK)
          .slice(-crashLoopCount),
        startedMs: program.startedAtMs,
        endedMs: nowMs,
        incarnation: world.incarnations,
      });
    },
    programStarted(program) {
      world.checks++;
      const config = world.service(serviceOf(program.id));
      const past = pasts.get(program.id);
      if (past === undefined || config?.kind !== "command" || !world.controlRuns()) return;
      // A person's restart waits for nothing, and what it replaces is forgiven.
      const asked =
        world.operator.mayEnd(program.id, past.startedMs) ||
        world.operator.askedAtMs(program.id) >= past.endedMs;
      if (asked) pasts.delete(program.id);
      if (asked || past.incarnation !== world.incarnations) return;
      const { backoffMs, backoffMaxMs, crashLoopCount } = config.restart;
      const looping = past.endsMs.length >= crashLoopCount;
      const doubledMs = Math.min(backoffMaxMs, backoffMs * 2 ** (past.failuresInRow - 1));
      const leastMs = ((looping ? backoffMaxMs : doubledMs) / 2) * SLACK;
      const waitedMs = world.loop.nowMs - past.endedMs;
      if (waitedMs >= leastMs) return;
      world.violated(
        name,
        `${program.id} restarted ${waitedMs.toFixed(0)} ms after its failure ` +
          `${past.failuresInRow} in a row; ${leastMs.toFixed(0)} ms is the least`,
      );
    },
  };
}
