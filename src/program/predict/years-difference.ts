// Where simulated years and the model differ most: part by part of what was lost, and in the times
// of incidents.
//
// The model has no account of which failure was upon a service; it says what would be gained
// without a cause. So causes and blames are gathered in parts that both know: failures of single
// instances are one, met or not. Parts of the model overlap: the largest gap is a place to look.
//
// Pure: a report in, text out.

import type { Blame } from "../../../sim/years/blame.ts";
import { sayDuration } from "../../core/base/duration.ts";
import type { Cause } from "../../core/predict/rates.ts";
import type { YearsReport } from "./years-report.ts";

export type Part = "machine" | "gateway" | "commonCause" | "instances" | "nobody" | "load";

export const partOfCause: Readonly<Record<Cause, Part>> = {
  crash: "instances",
  hang: "instances",
  gray: "instances",
  endpoint: "instances",
  control: "instances",
  commonCause: "commonCause",
  machine: "machine",
  zone: "machine",
  gateway: "gateway",
  gatewayWorker: "gateway",
};

const partOfBlame: Readonly<Record<Blame, Part>> = {
  machine: "machine",
  gateway: "gateway",
  commonCause: "commonCause",
  overlap: "instances",
  single: "instances",
  nobody: "nobody",
  load: "load",
};

const partWords: Readonly<Record<Part, string>> = {
  machine: "machines and zones that fail",
  gateway: "the gateway's own processes",
  commonCause: "one cause that ends all instances",
  instances: "failures of single instances and of control, that met or not",
  nobody: "comings and goings without any fault",
  load: "a load of more than those in traffic serve",
};

const timeWords = {
  detectMs: "t1, until it is found,",
  transferMs: "t2, until traffic moves,",
  recoverMs: "t3, until full strength,",
} as const;

interface Gap {
  readonly what: string;
  readonly hereMs: number;
  readonly modelMs: number;
}

/** Sentences: the part that differs most, and the time. */
export function sayDifference(report: YearsReport): string {
  const [part, time] = [largest(partGaps(report)), largest(timeGaps(report))];
  const beside = ({ hereMs, modelMs }: Gap, every: string): string =>
    `${sayMs(hereMs)}${every} here, ${sayMs(modelMs)} by the model`;
  const said = [];
  if (part !== undefined) {
    said.push(`The largest gap is in ${part.what}: ${beside(part, " a year")}.`);
  }
  if (time !== undefined) {
    said.push(`Of the times, ${time.what} differs most: ${beside(time, "")} on average.`);
  }
  return said.join(" ");
}

function partGaps({ blames, modelParts }: YearsReport): readonly Gap[] {
  return (Object.keys(partWords) as Part[]).map((part) => {
    const here = blames.filter(({ blame }) => partOfBlame[blame] === part);
    const model = modelParts.filter((one) => one.part === part);
    return { what: partWords[part], hereMs: yearly(here), modelMs: yearly(model) };
  });
}

function timeGaps({ modelTimes, ...report }: YearsReport): readonly Gap[] {
  if (modelTimes === null) return [];
  return (["detectMs", "transferMs", "recoverMs"] as const).flatMap((key): readonly Gap[] => {
    const hereMs = report[key]?.mean;
    if (hereMs === undefined) return [];
    return [{ what: timeWords[key], hereMs, modelMs: modelTimes[key] }];
  });
}

function yearly(all: readonly { readonly minutesPerYear: number }[]): number {
  return all.reduce((sum, { minutesPerYear }) => sum + minutesPerYear, 0) * 60_000;
}

/** Undefined where none is to speak of. */
function largest(gaps: readonly Gap[]): Gap | undefined {
  const sizeOf = ({ hereMs, modelMs }: Gap): number => Math.abs(hereMs - modelMs);
  const [most] = gaps.toSorted((a, b) => sizeOf(b) - sizeOf(a));
  return most === undefined || sizeOf(most) < 1 ? undefined : most;
}

function sayMs(ms: number): string {
  return ms === 0 ? "nothing" : ms < 1 ? "under 1 ms" : sayDuration(ms);
}
