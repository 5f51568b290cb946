// What the state directory says of processes, for `nines status` and `nines down` when no control
// is there to ask. It only looks: nothing is claimed, made or removed.

import { NinesError } from "../core/base/errors.ts";
import {
  type KeptInstance,
  keptInstances,
  readKeptInstance,
} from "../core/supervise/kept-instance.ts";
import type { ProcessIdentity } from "../ports/processes.ts";
import type { TermHolder } from "../ports/term-claims.ts";
import type { StateDirectory } from "./directory.ts";
import { createRecords } from "./records.ts";
import { createTermClaims } from "./term-claims.ts";

export interface StateView {
  /** The newest holder of each office, dead or alive; undefined when there never was one. */
  readonly control: TermHolder | undefined;
  readonly keeper: TermHolder | undefined;
  readonly gateway: TermHolder | undefined;
  /** Of a duty of the vault. */
  readonly backup: TermHolder | undefined;
  readonly instances: readonly RecordedInstance[];
  /** Instances whose records are torn or not ours: whether one has a process, nobody wrote down. */
  readonly damaged: readonly string[];
}

export interface RecordedInstance {
  readonly id: string;
  readonly kept: KeptInstance;
  /** Its process runs now. */
  readonly alive: boolean;
}

export function inspect(
  directory: StateDirectory,
  identify: (pid: number) => ProcessIdentity | undefined,
): StateView {
  const damaged: string[] = [];
  const records = createRecords(directory.records);

  function holder(folder: string): TermHolder | undefined {
    return createTermClaims({ folder, identify }).holder();
  }

  function instance(key: string): readonly RecordedInstance[] {
    const id = key.slice(keptInstances.length);
    const value = read(key);
    // Removed between the two looks: it has ended.
    if (value === undefined) return [];
    const kept = readKeptInstance(value);
    if (kept === undefined) {
      damaged.push(id);
      return [];
    }
    const alive = identify(kept.process.pid)?.startTime === kept.process.startTime;
    return [{ id, kept, alive }];
  }

  function read(key: string): unknown {
    try {
      return records.read(key);
    } catch (error) {
      if (error instanceof NinesError) return "not what was written";
      throw error;
    }
  }

  return {
    control: holder(directory.controlTerms),
    keeper: holder(directory.keeperTerms),
    gateway: holder(directory.gatewayTerms),
    backup: holder(directory.backup),
    instances: records.list(keptInstances).flatMap(instance),
    damaged,
  };
}
