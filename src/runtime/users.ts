// Who a service runs as: a user's ids, groups and home, as the machine's own tools tell them, so
// that users of a directory service are found like those of /etc/passwd.

import { spawnSync } from "node:child_process";
import { NinesError } from "../core/base/errors.ts";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** All groups, the first one included. */
  readonly groups: readonly number[];
  readonly home: string;
}

const lookupDeadlineMs = 2_000;

/** Throws NINES_PROCESS_NOT_ALLOWED when there is no such user. */
export function findUser(nameOrId: string): User {
  const refuse = (why: string): NinesError =>
    new NinesError("NINES_PROCESS_NOT_ALLOWED", `User ${nameOrId} ${why}.`);
  // A leading dash would be an option of the tools below.
  if (!/^[A-Za-z0-9_][A-Za-z0-9._@-]*\$?$/.test(nameOrId)) throw refuse("is not a user's name");
  const uid = Number(lookUp("id", ["-u", nameOrId]) ?? Number.NaN);
  const gid = Number(lookUp("id", ["-g", nameOrId]) ?? Number.NaN);
  const groups = lookUp("id", ["-G", nameOrId])?.split(" ").map(Number);
  if (Number.isNaN(uid) || Number.isNaN(gid) || groups === undefined) throw refuse("is not known");
  const name = lookUp("id", ["-un", nameOrId]) ?? nameOrId;
  // getent is glibc's; where it is missing the shell still expands ~name.
  const home =
    lookUp("getent", ["passwd", name])?.split(":")[5] ??
    lookUp("/bin/sh", ["-c", `printf %s ~${name}`]) ??
    "/";
  return { name, uid, gid, groups, home: home.startsWith("/") ? home : "/" };
}

/** What the tool prints, or undefined when it fails or is not there. */
function lookUp(tool: string, toolArguments: readonly string[]): string | undefined {
  const answer = spawnSync(tool, toolArguments, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: lookupDeadlineMs,
  });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}
