// A process that wants an office: tries until it gets it, tells the term and who else it saw alive
// in it, and dies the hard way. Arguments: the office's folder, the file to tell in.

import { appendFileSync, readFileSync } from "node:fs";
import type { ProcessIdentity } from "../ports/processes.ts";
import { createTermClaims } from "./term-claims.ts";

const [folder = "", told = ""] = process.argv.slice(2);

function identify(pid: number): ProcessIdentity | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const ended = fields[0] === "Z" || fields[0] === "X";
    return ended ? undefined : { pid, startTime: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

const self = identify(process.pid);
if (self === undefined) throw new Error("no /proc");
const claims = createTermClaims({ folder, self, identify });
appendFileSync(told, `ready ${process.pid}\n`);

function attempt(): void {
  const term = claims.claim();
  if (term === undefined) {
    setImmediate(attempt);
    return;
  }
  const before = readFileSync(told, "utf8").matchAll(/^won \d+ (\d+) (\d+) /gm);
  const alive = [...before].filter(([, pid, start]) => identify(Number(pid))?.startTime === start);
  const holds = claims.holder()?.term === term ? "holds" : "lost";
  appendFileSync(told, `won ${term} ${process.pid} ${self?.startTime} ${holds} ${alive.length}\n`);
  process.kill(process.pid, "SIGKILL");
}

attempt();
