// One deploy, one step at a time: `stepDeploy(deploy, event, context)` finds the row of
// deploy-table.ts and returns the deploy after it and the sentence that says why. Pure: the loop
// that drives it (control/supervisor/rollout.ts) keeps the value on disk and one timer.

import { assert, present } from "../base/assert.ts";
import { sayDuration } from "../base/duration.ts";
import { sayPercent } from "../base/percent.ts";
import {
  type DeployDeadline,
  type DeployEventKind,
  type DeployGuard,
  deployImpossible,
  type DeployPhase,
  type DeployRow,
  type DeploySaying,
  deployTable,
  deployWithoutEffect,
} from "./deploy-table.ts";
import type { DeploySettings } from "./settings.ts";

/** What of a deploy is kept on disk. */
export interface Deploy {
  /** The version to go back to. */
  readonly from: number;
  readonly to: number;
  readonly phase: DeployPhase;
  /** Which of the canary steps; as many as there are: the step that wants all. */
  readonly step: number;
  readonly settings: DeploySettings;
  /** Who asked for it. */
  readonly by: string;
  /** By the wall clock: it outlives control, and the machine's boot. */
  readonly beganWallMs: number;
  /** Why it failed, was withdrawn or given up; "" before. */
  readonly cause: string;
  /** Why it is where it is: what was said last of it. */
  readonly why: string;
}

export type DeployEvent =
  | { readonly kind: "failed" | "withdrawn" | "overtaken"; readonly cause: string }
  | { readonly kind: Exclude<DeployEventKind, "failed" | "withdrawn" | "overtaken"> };

export interface DeployContext {
  readonly service: string;
  readonly nowMs: number;
  readonly wallMs: number;
  /** Of the phase that it is in; undefined without one. */
  readonly deadlineMs: number | undefined;
}

export interface DeployStep {
  readonly deploy: Deploy;
  readonly deadlineMs: number | undefined;
  readonly said:
    | { readonly kind: string; readonly level: DeploySaying["level"]; readonly sentence: string }
    | undefined;
}

export function isOver({ phase }: Deploy): boolean {
  return phase === "finished" || phase === "rolled-back" || phase === "superseded";
}

/** Whether what there is to be is the new version, as far as the step goes. */
export function goesForward({ phase }: Deploy): boolean {
  return phase === "rolling" || phase === "holding" || phase === "finishing";
}

export function stepDeploy(deploy: Deploy, event: DeployEvent, context: DeployContext): DeployStep {
  const pair = `${event.kind} while ${deploy.phase}`;
  assert(!deployImpossible[deploy.phase].includes(event.kind), `a deploy never sees ${pair}`);
  const { deadlineMs } = context;
  if (deployWithoutEffect[deploy.phase].includes(event.kind)) {
    return { deploy, deadlineMs, said: undefined };
  }
  const found = deployTable.find(
    (row) =>
      row.from === deploy.phase &&
      row.on === event.kind &&
      (row.when === undefined || guardHolds[row.when](deploy)),
  );
  const row = present(found, `a row for ${pair}`);
  const next = follow(deploy, event, row);
  const lastsMs = deadlineLastsMs(row.deadline, deploy.settings);
  const kept = row.deadline === "kept" ? deadlineMs : undefined;
  const said = row.says && {
    kind: row.says.kind,
    level: row.says.level,
    sentence: say(row, next, context),
  };
  return {
    deploy: said === undefined ? next : { ...next, why: said.sentence },
    deadlineMs: lastsMs === undefined ? kept : context.nowMs + lastsMs,
    said,
  };
}

const guardHolds: Readonly<Record<DeployGuard, (deploy: Deploy) => boolean>> = {
  "a canary step": ({ step, settings }) => step < settings.canary.length,
  "rolls back by itself": ({ settings }) => settings.rollback === "automatic",
};

function follow(deploy: Deploy, event: DeployEvent, row: DeployRow): Deploy {
  const patience = `no progress in ${sayDuration(deploy.settings.deadlineMs)}`;
  const late = event.kind === "time-over" && deploy.phase === "rolling";
  const cause = "cause" in event ? event.cause : late ? patience : deploy.cause;
  return { ...deploy, phase: row.to, step: deploy.step + (row.nextStep === true ? 1 : 0), cause };
}

function deadlineLastsMs(kind: DeployDeadline, settings: DeploySettings): number | undefined {
  switch (kind) {
    case "none":
    case "kept":
      return undefined;
    case "step time":
      return settings.stepTimeMs;
    case "progress":
      return settings.deadlineMs;
  }
}

function say(row: DeployRow, deploy: Deploy, { service, wallMs }: DeployContext): string {
  const { from, to, cause, settings, beganWallMs } = deploy;
  const step = row.nextStep === true ? deploy.step - 1 : deploy.step;
  const words: Readonly<Record<string, () => string>> = {
    service: () => service,
    from: () => String(from),
    to: () => String(to),
    cause: () => cause,
    // A wall clock that was put back must not stop a sentence.
    age: () => sayDuration(Math.max(0, wallMs - beganWallMs)),
    traffic: () => sayPercent(settings.canary[step] ?? 1),
    held: () => sayDuration(settings.stepTimeMs),
    patience: () => sayDuration(settings.deadlineMs),
  };
  return present(row.says, "a row that says something").sentence.replace(
    /\{(\w+)\}/g,
    (_match, word: string) => present(words[word], `a meaning of {${word}}`)(),
  );
}
