// A target whose calls all settle in time: a disk that hangs costs a run one wait, not its life.

import type { Clock } from "../../ports/clock.ts";
import { type Target, TargetError } from "../../ports/target.ts";

export function withDeadline(target: Target, clock: Clock, timeoutMs: number): Target {
  const limited = <T>(what: string, call: Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => {
        const sentence = `Target ${target.name} did not ${what} within ${timeoutMs / 1000} s`;
        reject(new TargetError("timeout", sentence));
      });
      call.then(resolve, reject).finally(() => timer[Symbol.dispose]());
    });
  return {
    name: target.name,
    domain: target.domain,
    isAppendOnly: target.isAppendOnly,
    put: (name, pieces) => limited(`put ${name}`, target.put(name, pieces)),
    read: (name, offset, length, allocate) =>
      limited(`read ${name}`, target.read(name, offset, length, allocate)),
    list: (kind, after) => limited(`list ${kind}`, target.list(kind, after)),
    remove: (name) => limited(`remove ${name}`, target.remove(name)),
    clean: () => limited("clean up", target.clean()),
    freeBytes: () => limited("say its room", target.freeBytes()),
    close: () => limited("close", target.close()),
  };
}
