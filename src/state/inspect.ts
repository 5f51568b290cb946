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
  readonly instances: readonly RecordedInstance[];
  /** Records that are torn or not ours; each is a sentence that names its file. */
  readonly problems: readonly string[];
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
  const problems: string[] = [];
  const records = createRecords(directory.records);

  function holder(folder: string): TermHolder | undefined {
    return createTermClaims({ folder, identify }).holder();
  }

  function instance(key: string): readonly RecordedInstance[] {
    try {
      const kept = readKeptInstance(records.read(key));
      // Removed between the two looks: it has ended.
      if (kept === undefined) return [];
      const alive = identify(kept.process.pid)?.startTime === kept.process.startTime;
      return [{ id: key.slice(keptInstances.length), kept, alive }];
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      problems.push(error.message);
      return [];
    }
  }

  return {
    control: holder(directory.controlTerms),
    keeper: holder(directory.keeperTerms),
    gateway: holder(directory.gatewayTerms),
    instances: records.list(keptInstances).flatMap(instance),
    problems,
  };
}
