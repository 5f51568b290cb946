// A target whose calls all settle in time: a disk that hangs costs a run one wait, not its life.
//
// Who has once not answered within the deadline is asked nothing more: whoever waits for it then,
// and whoever comes later, is refused at once with the same words. A run has targets of its own, so
// the next one asks again. The deadline is waited for in two halves: a process that stood still
// finds timers due before answers that are there, and would take everybody for hung.
//
// Who asks more at once than it may waits for its turn, and its time begins then: of what a system
// holds for calls that hang, such as the threads of a pool, one target takes no more than its part.
//
// Rejected: asking again after a pause. A mount whose server is away hangs for as long as that is,
// and each question would cost a deadline more.

import type { Clock } from "../../ports/clock.ts";
import { type Target, TargetError } from "../../ports/target.ts";
import { Limit } from "./crew.ts";

export function withDeadline(
  target: Target,
  clock: Clock,
  timeoutMs: number,
  callsAtOnce = Number.POSITIVE_INFINITY,
): Target {
  const room = new Limit(callsAtOnce);
  const waiting = new Set<(error: TargetError) => void>();
  let silence: TargetError | undefined;
  const fallSilent = (what: string) => {
    const sentence = `Target ${target.name} did not ${what} within ${timeoutMs / 1000} s`;
    silence ??= new TargetError("timeout", sentence);
    for (const reject of waiting) reject(silence);
  };
  const inTurn = async <T>(what: string, begin: () => Promise<T>): Promise<T> => {
    await room.take(1);
    try {
      if (silence !== undefined) throw silence;
      let timer = clock.after(timeoutMs / 2, () => {
        timer = clock.after(timeoutMs / 2, () => fallSilent(what));
      });
      try {
        return await begin();
      } finally {
        timer[Symbol.dispose]();
      }
    } finally {
      room.give(1);
    }
  };
  const limited = <T>(what: string, begin: () => Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (silence !== undefined) return reject(silence);
      waiting.add(reject);
      inTurn(what, begin)
        .then(resolve, reject)
        .finally(() => waiting.delete(reject));
    });
  return {
    name: target.name,
    domain: target.domain,
    isAppendOnly: target.isAppendOnly,
    put: (name, pieces) => limited(`put ${name}`, () => target.put(name, pieces)),
    read: (name, offset, length, allocate) =>
      limited(`read ${name}`, () => target.read(name, offset, length, allocate)),
    list: (kind, after) => limited(`list ${kind}`, () => target.list(kind, after)),
    remove: (name) => limited(`remove ${name}`, () => target.remove(name)),
    clean: () => limited("clean up", () => target.clean()),
    freeBytes: () => limited("say its room", () => target.freeBytes()),
    // Who answers nothing more is closed without being waited for.
    close: () => {
      const closing = target.close();
      closing.catch(() => {});
      return limited("close", () => closing);
    },
  };
}
