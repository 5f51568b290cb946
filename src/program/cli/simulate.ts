// `nines simulate`: years of the file in minutes, with the loops that would run it. Nothing needs
// to run; what fails how often is what `nines model` takes for it.

import { sayDuration } from "../../core/base/duration.ts";
import { sayPercent } from "../../core/base/percent.ts";
import { predict } from "../../core/predict/predict.ts";
import { renderYears } from "../predict/years-account.ts";
import { yearsReport } from "../predict/years-report.ts";
import { replayFile, simulateFile } from "../predict/simulated.ts";
import type { SimulateOptions } from "./actions.ts";
import { describePlace } from "./model.ts";
import { exitCode, say } from "./say.ts";

export async function simulate(
  service: string | undefined,
  options: SimulateOptions,
): Promise<number> {
  const described = await describePlace(service, options);
  const { years, seed } = options;
  if (options.replay !== undefined) {
    const trace = await replayFile({ ...described, ...options.replay });
    const { seed: lived, atMs } = options.replay;
    const quiet =
      `Nothing happened in the life of seed ${lived} around ${sayDuration(atMs)} of it: ` +
      "`nines simulate` without --replay names moments at which something did.";
    say(trace.trim() === "" ? quiet : trace);
    return exitCode.done;
  }
  const progress = createProgress(years);
  const result = await simulateFile({ ...described, years, seed, onProgress: progress.done });
  progress.end();
  const models = predict(described.deployment, described.rates);
  const reports = yearsReport(result, models, described.deployment.gateway).filter(
    (one) => one.service === (service ?? one.service),
  );
  process.stdout.write(
    options.json === true ? `${JSON.stringify(reports, undefined, 2)}\n` : renderYears(reports),
  );
  return exitCode.done;
}

/** One line that says how far it is, where a person looks. */
export function createProgress(years: number) {
  const { stderr } = process;
  if (!stderr.isTTY) return { done: () => undefined, end: () => undefined };
  return {
    done: (sofar: number) => {
      const whole = Math.round(sofar).toLocaleString("en");
      stderr.write(`\r${whole} years, ${sayPercent(sofar / years)}   `);
    },
    end: () => void stderr.write("\r\u001b[K"),
  };
}
