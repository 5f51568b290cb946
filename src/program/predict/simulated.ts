// The simulator as the program uses it: loaded only when somebody simulates, and run so that
// signals and progress get their turn.
//
// All promises of a simulated moment have run when `process.nextTick` calls back (Node empties the
// queue of promises first); that costs a tenth of a turn of the event loop, of which there is one
// every few hundred.

import { nextTick } from "node:process";
import { setImmediate } from "node:timers/promises";
import type { Config } from "../../config/config.ts";
import type { YearsResult } from "../../../sim/years/simulate-years.ts";
import type { Described } from "./describe.ts";

const crossingsPerTurn = 500;

export interface SimulateQuestion extends Described {
  readonly config: Config;
  readonly years: number;
  readonly seed: number;
  readonly confidence?: number;
  readonly onProgress?: (years: number) => void;
}

/** Lives through so many years of what is described; `config` and `deployment` say the same. */
export async function simulateFile(question: SimulateQuestion): Promise<YearsResult> {
  const { simulateYears } = await import("../../../sim/years/simulate-years.ts");
  return simulateYears({ ...question, boundary: createBoundary() });
}

/** One moment of one lifetime, as a trace. */
export async function replayFile(
  question: Described & { readonly config: Config; readonly seed: number; readonly atMs: number },
): Promise<string> {
  const { replay } = await import("../../../sim/years/simulate-years.ts");
  return replay({ ...question, boundary: createBoundary() });
}

function createBoundary(): () => Promise<void> {
  let crossings = 0;
  return () => {
    crossings++;
    if (crossings % crossingsPerTurn === 0) return setImmediate();
    return new Promise((resolve) => nextTick(resolve));
  };
}
