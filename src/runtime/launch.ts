// From a request to a running program, by way of a gate.
//
//   spawn ── /bin/sh waits at the gate ── cgroup, announce ── "go" ── limits, user ── exec
//                │                                                     │
//                └ if we die: end of file, nothing ran                 └ if we die: it runs, known
//
// The gate is a shell with one extra descriptor, a socket to us, that it closes before the exec:
// the program depends on nothing of ours. Process id and start time stay the same through the exec,
// so what was announced is what runs. The shell also sets the limit of open files, for which Node
// has no call. It costs about 2 ms a start.
//
// A shell keeps no variables whose names it cannot spell ("a.b") and has some of its own: those go
// through `env`, and are readable in the process list for the moment between gate and exec. Its
// notes on itself (OLDPWD, SHLVL, _) mean nothing to a program and are left out.
// Rejected: SIGSTOP before exec (needs ptrace), writing the identity down after the start (a
// control killed in between leaves a process that nobody knows, and its successor starts a second
// one).

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { present } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import type { StartRequest } from "../ports/processes.ts";
import { findUser, type User } from "./users.ts";

const gateScript = `read -r go <&3 || exit 125
if [ -n "$1" ]; then ulimit -n "$1" 2>&3 || exit 125; fi
shift
unset OLDPWD SHLVL _
exec 3>&-
exec "$@"`;
const gate = ["/bin/sh", "-c", gateScript, "nines"] as const;
const shellNames = /^(IFS|OPTIND|OPTARG|PPID|PS[1-4]|MAIL|MAILPATH)$/;
const shellNotes = ["OLDPWD", "SHLVL", "_"] as const;
const pathWithoutAny = "/usr/local/bin:/usr/bin:/bin";
const logMode = 0o640;
const lookAgainMs = 2;
const startDeadlineMs = 5_000;

/** How to start a program, worked out before anything is started. */
export interface Launch {
  readonly request: StartRequest;
  readonly environment: Readonly<Record<string, string>>;
  /** What follows the gate: helpers that exec the next, then the program. */
  readonly command: readonly string[];
  /** The command lines that are seen before the program's own. */
  readonly preliminary: readonly string[];
  readonly runAs: { readonly uid?: number; readonly gid?: number };
}

/** Throws the NinesError that a look ahead can tell better than a failed exec. */
export function planLaunch(request: StartRequest): Launch {
  const { workingDirectory } = request;
  const program = present(request.command[0], "a command names a program");
  if (statSync(workingDirectory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw startError(request, `its working directory ${workingDirectory} is not there`);
  }
  const user = request.user === undefined ? undefined : findUser(request.user);
  const environment = environmentFor(request, user);
  findProgram(program, environment["PATH"], workingDirectory);

  const odd = Object.entries(environment).filter(([name]) => !survivesShell(name));
  const viaEnv = odd.length === 0 ? [] : ["env", ...odd.map(([name, value]) => `${name}=${value}`)];
  const { prefix: viaUser, runAs } = switchUser(user);
  return {
    request,
    environment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => survivesShell(name)),
    ),
    command: [...viaUser, ...viaEnv, ...request.command],
    preliminary: [gate, viaUser, viaEnv].filter((line) => line.length > 0).map(commandLine),
    runAs,
  };
}

export interface Launched {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Lets the program run; resolves when it does, rejects with a NinesError when it cannot. */
  readonly release: () => Promise<void>;
}

/** The gate, closed: a process of its own session that ends unless `release` is called. */
export async function spawnGate(launch: Launch): Promise<Launched> {
  const { request } = launch;
  let log: number | undefined;
  try {
    log = openSync(request.logFile, "a", logMode);
    const limit = request.openFiles === undefined ? "" : String(request.openFiles);
    const child = spawn(gate[0], [...gate.slice(1), limit, ...launch.command], {
      cwd: request.workingDirectory,
      env: launch.environment,
      detached: true,
      stdio: ["ignore", log, log, "pipe"],
      ...launch.runAs,
    });
    await spawned(child);
    const socket = present(child.stdio[3], "the gate has a socket") as Duplex;
    const pid = present(child.pid, "a spawned process has a pid");
    return { child, pid, release: () => release(launch, child, pid, socket) };
  } catch (cause) {
    throw startError(request, cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
}

async function release(
  launch: Launch,
  child: ChildProcess,
  pid: number,
  socket: Duplex,
): Promise<void> {
  const deadline = AbortSignal.timeout(startDeadlineMs);
  const complaint = await passGate(socket, deadline);
  if (complaint !== "") {
    const limit = launch.request.openFiles ?? "no";
    throw startError(launch.request, `a limit of ${limit} open files was refused (${complaint})`);
  }
  const ended = new Promise<number | undefined>((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    else if (child.signalCode !== null) resolve(undefined);
    else child.once("exit", (code) => resolve(code ?? undefined));
  });
  const ran = await Promise.race([ended, untilExec(pid, launch.preliminary, deadline)]);
  if (ran === "late") {
    throw startError(launch.request, `it did not get to run within ${startDeadlineMs} ms`);
  }
  // The gate exits with the shell's codes for an exec that failed.
  if (ran === 126 || ran === 127) throw execError(launch.request, ran);
}

/** Opens the gate; what it has to say before it closes the socket is a complaint. */
function passGate(socket: Duplex, deadline: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let complaint = "";
    deadline.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.on("data", (bytes: Buffer) => {
      if (complaint.length < 500) complaint += bytes.toString("utf8");
    });
    // A gate that ended early breaks the socket; its end is told as its exit.
    socket.on("error", () => resolve(complaint.trim()));
    socket.on("close", () => resolve(complaint.trim()));
    socket.end("go\n");
  });
}

/** Resolves when the process has become the program: its command line is none of the ways to it. */
async function untilExec(
  pid: number,
  preliminary: readonly string[],
  deadline: AbortSignal,
): Promise<"ran" | "late"> {
  while (!deadline.aborted) {
    const line = readCommandLine(pid);
    if (line === undefined) return "ran";
    if (line !== "" && !preliminary.some((before) => line.startsWith(before))) return "ran";
    if (line === "" && !stillThere(pid)) return "ran";
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return "late";
}

function stillThere(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined;
}

/** Undefined where there is no /proc: there the gate's word must do. */
function readCommandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return process.platform === "linux" ? "" : undefined;
  }
}

function commandLine(words: readonly string[]): string {
  return `${words.join("\0")}\0`;
}

function survivesShell(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !shellNames.test(name);
}

/** The request's, with the place and the user that it will find itself in. */
function environmentFor(
  request: StartRequest,
  user: User | undefined,
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {
    PATH: pathWithoutAny,
    ...request.environment,
    PWD: request.workingDirectory,
  };
  for (const name of shellNotes) delete environment[name];
  if (user === undefined) return environment;
  const own = { HOME: user.home, USER: user.name, LOGNAME: user.name };
  for (const [name, value] of Object.entries(own)) {
    // What the file sets on purpose stands; what merely came down from us does not.
    const inherited = environment[name] === process.env[name];
    if (inherited || environment[name] === undefined) environment[name] = value;
  }
  return environment;
}

/** Node drops root's groups for a child and gives it none: with more than one, setpriv must. */
export function switchUser(user: User | undefined): {
  readonly prefix: readonly string[];
  readonly runAs: Launch["runAs"];
} {
  if (user === undefined || user.uid === process.geteuid?.()) return { prefix: [], runAs: {} };
  const refuse = (why: string): NinesError =>
    new NinesError("NINES_PROCESS_NOT_ALLOWED", `Cannot run as user ${user.name}: ${why}.`);
  if (process.geteuid?.() !== 0) throw refuse("only root may switch users");
  const { uid, gid } = user;
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => isExecutable(path));
  if (setpriv !== undefined) {
    const ids = ["--reuid", `${uid}`, "--regid", `${gid}`, "--groups", user.groups.join(",")];
    return { prefix: [setpriv, ...ids, "--"], runAs: {} };
  }
  if (user.groups.some((group) => group !== gid)) {
    throw refuse("it has several groups, which needs setpriv (util-linux)");
  }
  return { prefix: [], runAs: { uid, gid } };
}

/** Throws unless the program can be found and run, as far as can be told from outside. */
function findProgram(program: string, path: string | undefined, workingDirectory: string): void {
  const places = program.includes("/")
    ? [resolve(workingDirectory, program)]
    : (path ?? pathWithoutAny).split(delimiter).map((folder) => join(folder || ".", program));
  const there = places.filter((place) => statSync(place, { throwIfNoEntry: false })?.isFile());
  if (there.some(isExecutable)) return;
  if (there.length > 0) {
    throw new NinesError("NINES_PROCESS_NOT_ALLOWED", `${there[0]} is not executable.`);
  }
  const where = program.includes("/") ? `${places[0]} is not there` : `${program} is not in PATH`;
  throw new NinesError("NINES_PROCESS_NOT_FOUND", `The program ${where}.`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function startError(request: StartRequest, why: string, cause?: unknown): NinesError {
  const sentence = `${request.name} could not be started: ${why.replace(/\.$/, "")}.`;
  return new NinesError("NINES_PROCESS_START", sentence, { cause });
}

/** What the gate's exit code says of an exec that failed. */
export function execError(request: StartRequest, code: 126 | 127): NinesError {
  const line = asWritten(request.command).slice(0, 200);
  const details = `its log says more: ${request.logFile}`;
  return code === 127
    ? new NinesError("NINES_PROCESS_NOT_FOUND", `"${line}" was not found; ${details}.`)
    : new NinesError("NINES_PROCESS_NOT_ALLOWED", `"${line}" may not be run; ${details}.`);
}

/** A line for the shell as the file has it: what was not found is in it, and is not the shell. */
function asWritten(command: readonly string[]): string {
  const [program, option, line] = command;
  const forShell = program === "/bin/sh" && option === "-c" && line !== undefined;
  return forShell ? line.replace(/^exec /, "") : command.join(" ");
}
