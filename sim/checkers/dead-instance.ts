// No request goes to an instance known dead for longer than the bound.
//
// Known dead means: its process has ended, or answers nobody, for longer than control needs to see
// it (at once for an end, by checks for silence), and the worker was in touch with control all the
// time. A worker that is out of touch may try: it has nobody to ask, and one real request is how it
// asks. So may one that has nobody else, or too few: it tries whoever fails his checks, rather than
// refuse (panic). A stopped program passes a tcp check, since its kernel accepts: such a service
// asked for no more.

import type { Attempt } from "../world/watcher.ts";
import type { World } from "../world/world.ts";
import { type Checker, detectMs, FOLLOW_MS } from "./checker.ts";
import { isPanic } from "./panic.ts";

export function deadInstance(world: World): Checker {
  const name = "dead-instance";
  const endedAtMs = new Map<string, number>();

  function checkEnded(attempt: Attempt, inTouchMs: number): void {
    const endedMs = endedAtMs.get(attempt.instance);
    if (endedMs === undefined || attempt.program !== undefined) return;
    const owned = world.ownsInstance(attempt.instance);
    const boundMs = owned ? FOLLOW_MS : detectMs(world, attempt.service);
    const deadMs = world.loop.nowMs - endedMs;
    if (Math.min(deadMs, inTouchMs) <= boundMs) return;
    world.violated(
      name,
      `worker-${attempt.worker.number} tried ${attempt.instance}, dead for ${deadMs.toFixed(0)} ms`,
    );
  }

  function checkSilent(attempt: Attempt, inTouchMs: number): void {
    const sinceMs = attempt.program?.stoppedSinceMs;
    if (sinceMs === undefined) return;
    const health = world.service(attempt.service)?.health;
    if (health?.check.kind !== "http") return;
    const silentMs = world.loop.nowMs - sinceMs;
    if (Math.min(silentMs, inTouchMs) <= detectMs(world, attempt.service)) return;
    world.violated(
      name,
      `worker-${attempt.worker.number} tried ${attempt.instance}, silent for ${silentMs.toFixed(0)} ms`,
    );
  }

  /** Whether it could have asked another one that is not known to be in trouble. */
  function hadAnother({ worker, service }: Attempt): boolean {
    const ejected = worker.ejected();
    const listed = worker.table?.services.find((each) => each.name === service)?.instances ?? [];
    return listed.some(({ id, verdict }) => verdict === "up" && !ejected.includes(id));
  }

  return {
    name,
    promise: "no request goes to an instance known dead for longer than the bound",
    programStarted: (program) => void endedAtMs.delete(program.id),
    programChanged(program) {
      if (program.state === "ended") endedAtMs.set(program.id, world.loop.nowMs);
    },
    attempted(attempt) {
      world.checks++;
      const inTouchMs = world.inTouchForMs(attempt.worker);
      if (inTouchMs <= FOLLOW_MS) return;
      const { worker, service } = attempt;
      const mayTry = !hadAnother(attempt) || isPanic(worker, service);
      if (isFailing(attempt) && mayTry) return;
      checkEnded(attempt, inTouchMs);
      checkSilent(attempt, inTouchMs);
    },
  };
}

function isFailing({ worker, service, instance }: Attempt): boolean {
  const listed = worker.table?.services.find((each) => each.name === service)?.instances ?? [];
  return listed.some(({ id, verdict }) => id === instance && verdict === "failing");
}
