// Checks by a command: it runs as the instance's user, in its environment, and ends with code 0
// when the instance is well. What it printed last says why.
//
// It leads a session of its own, so that at its deadline it is killed with all that it started; and
// also when it ended and left something behind. Its output is kept to the last 4 KiB.

import { type ChildProcess, spawn } from "node:child_process";
import type { ProbeRequest, ProbeResult } from "../ports/probe.ts";
import { switchUser } from "./launch.ts";
import { findUser, type User } from "./users.ts";

const outputCharactersMax = 4_096;
const sentenceCharactersMax = 160;
/** Output may come a moment after the end; what a daemon holds open is not waited for. */
const outputGraceMs = 20;
/** Looking a user up starts processes: not for each check. */
const userAgeMsMax = 60_000;

type CommandRequest = Extract<ProbeRequest, { readonly kind: "command" }>;

export function createCommandProbe(): (request: CommandRequest) => Promise<ProbeResult> {
  const users = new Map<string, { readonly user: User; readonly foundAtMs: number }>();

  function userOf(name: string | undefined): User | undefined {
    if (name === undefined) return undefined;
    const known = users.get(name);
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.foundAtMs < userAgeMsMax) return known.user;
    const user = findUser(name);
    users.set(name, { user, foundAtMs: nowMs });
    return user;
  }

  return async (request) => {
    const startedAtMs = performance.now();
    const result = await run(request, () => userOf(request.user));
    return { ...result, latencyMs: performance.now() - startedAtMs };
  };
}

type Outcome = Omit<ProbeResult, "latencyMs">;

function run(request: CommandRequest, user: () => User | undefined): Promise<Outcome> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = start(request, user());
    } catch (error) {
      return resolve(notRun(error));
    }
    const output = lastLine(child);
    let done = false;
    const timer = setTimeout(() => {
      const detail = `its check command did not end in ${request.timeoutMs} ms`;
      finish({ passed: false, detail, silent: true });
    }, request.timeoutMs);

    function finish(outcome: Outcome): void {
      if (done) return;
      done = true;
      clearTimeout(timer);
      killGroup(child.pid);
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      resolve(outcome);
    }

    child.once("error", (error) => finish(notRun(error)));
    child.once("exit", (code, signal) => {
      const judged = (): void => finish(judge(code, signal, output()));
      child.once("close", judged);
      setTimeout(judged, outputGraceMs);
    });
  });
}

function start(request: CommandRequest, user: User | undefined): ChildProcess {
  const { prefix, runAs } = switchUser(user);
  const [program = "", ...words] = [...prefix, ...request.command];
  return spawn(program, words, {
    cwd: request.workingDirectory,
    env: request.environment,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...runAs,
  });
}

function notRun(error: unknown): Outcome {
  const why = error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
  return { passed: false, detail: `its check command could not be run: ${why}` };
}

function judge(code: number | null, signal: NodeJS.Signals | null, said: string): Outcome {
  const end = code === null ? `was ended by ${signal ?? "a signal"}` : `ended with code ${code}`;
  const quoted = said === "" ? "" : `, saying ${JSON.stringify(said)}`;
  return { passed: code === 0, detail: `its check command ${end}${quoted}` };
}

/** The last line of what it has printed, whenever asked. */
function lastLine(child: ChildProcess): () => string {
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      printed = (printed + text).slice(-outputCharactersMax);
    });
  }
  return () => {
    const lines = printed.split("\n").filter((line) => line.trim() !== "");
    return (lines.at(-1) ?? "").trim().slice(0, sentenceCharactersMax);
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left of it.
  }
}
