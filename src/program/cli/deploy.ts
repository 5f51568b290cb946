// `nines deploy`, `rollback` and `deploys`. Waiting is looking twice a second: the deploy is
// control's and goes on whoever looks, so that Ctrl-C ends the looking alone, and a control that is
// replaced meanwhile is only a pause.

import { userInfo } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { callAdmin, isAway } from "../admin/client.ts";
import type { DeployResult } from "../admin/endpoints.ts";
import type { DeployReport } from "../status/report.ts";
import type { DeploysReport } from "../status/versions.ts";
import { adminPlace } from "./admin-place.ts";
import type { Actions, PlaceOptions, WaitOptions } from "./actions.ts";
import { APPLY_TIMEOUT_MS, ask, fileThere } from "./operate.ts";
import { complain, exitCode, say } from "./say.ts";

const LOOK_MS = 500;
const ANSWER_TIMEOUT_MS = 5_000;
/** A control that ended is started again by its keeper within seconds. */
const AWAY_MS = 60_000;

export const deploying: Pick<Actions, "deploy" | "rollback" | "deploys"> = {
  async deploy(service, options) {
    const body = {
      service,
      by: whoAsks(),
      replace: options.replace === true,
      ...(options.file === undefined ? {} : { file: fileThere(options.file, options) }),
      ...(options.canary === undefined ? {} : { canary: options.canary }),
    };
    const result = await ask(options, "/v1/deploy", body, APPLY_TIMEOUT_MS);
    return await followUp(result as DeployResult, options);
  },
  async rollback(service, options) {
    const version = options.to === undefined ? {} : { version: options.to };
    const result = await ask(options, "/v1/rollback", { service, by: whoAsks(), ...version });
    return await followUp(result as DeployResult, options);
  },
  async deploys(service, options) {
    const report = await look(service, options);
    say(options.json === true ? JSON.stringify(report, undefined, 2) : renderVersions(report));
    return exitCode.done;
  },
};

function whoAsks(): string {
  try {
    return (
      userInfo()
        .username.replace(/[^\w.@+-]/g, "-")
        .slice(0, 64) || "somebody"
    );
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`; // A user that no table of users names.
  }
}

async function followUp(result: DeployResult, options: WaitOptions): Promise<number> {
  const { service, version, from } = result;
  if (from === null) {
    say(`${service} is at version ${version} already; nothing has changed.`);
    return exitCode.done;
  }
  if (options.wait === false) {
    say(`${service} goes to version ${version}; \`nines deploys ${service}\` says how it goes.`);
    return exitCode.done;
  }
  let said = "";
  for (;;) {
    const report = await lookAgain(service, options);
    const { deploy } = report;
    if (deploy === null || !isMeant(deploy, version)) {
      complain(
        `${service}: something newer decides what runs; \`nines deploys ${service}\` says what.`,
      );
      return exitCode.failed;
    }
    if (deploy.why !== said) say(deploy.why);
    said = deploy.why;
    if (deploy.phase === "superseded" || deploy.phase === "stopped") return exitCode.failed;
    if (deploy.phase === "finished" || deploy.phase === "rolled-back") {
      return report.inForce === version ? exitCode.done : exitCode.failed;
    }
    await pause(LOOK_MS);
  }
}

/** A rollback of what is under way shows as the same deploy, on its way to where it came from. */
function isMeant({ from, to }: DeployReport, version: number): boolean {
  return from === version || to === version;
}

async function lookAgain(service: string, options: PlaceOptions): Promise<DeploysReport> {
  const untilMs = performance.now() + AWAY_MS;
  for (;;) {
    try {
      return await look(service, options);
    } catch (error) {
      if (!isAway(error) || performance.now() > untilMs) throw error;
      await pause(LOOK_MS);
    }
  }
}

async function look(service: string, options: PlaceOptions): Promise<DeploysReport> {
  const path = `/v1/deploys?service=${encodeURIComponent(service)}`;
  const timeoutMs = ANSWER_TIMEOUT_MS;
  const call = { ...adminPlace(options), method: "GET", path, timeoutMs } as const;
  return (await callAdmin(call)) as DeploysReport;
}

function renderVersions({ service, versions, deploy }: DeploysReport): string {
  const rows = versions
    .toReversed()
    .map(({ version, inForce, at, by, how, changed, outcome }) => [
      `${inForce ? "*" : " "} ${version}`,
      at.slice(0, 19).replace("T", " "),
      `${how} by ${by}`,
      changed.length === 0 ? "" : `${changed.join(", ")} changed`,
      outcome,
    ]);
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const moving =
    deploy !== null && !["finished", "rolled-back", "superseded"].includes(deploy.phase);
  return [...lines, ...(moving ? ["", deploy.why] : [`  (* is what ${service} runs)`])].join("\n");
}
