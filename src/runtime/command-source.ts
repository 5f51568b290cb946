// The output of a command as the source of a backup: a tree of one file.
//
// It counts only when the command has ended with code 0, within its time and its size: a dump that
// was cut off looks like a dump. So the end of the file is withheld until the code is known, and
// whatever else happens rejects the read, of which then no snapshot is made. The output is read as
// fast as it is taken and no faster; of the errors that it prints the last 4 KiB are kept. It leads
// a session of its own, and is killed with all that it started when it is late or given up.

import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { sayBytes } from "../core/base/bytes.ts";
import { sayDuration } from "../core/base/duration.ts";
import { NinesError } from "../core/base/errors.ts";
import type { SourceDriver, SourcePiece, SourceReader, TreeSource } from "../ports/tree-source.ts";

export interface CommandSourceOptions {
  readonly name: string;
  /** Program and arguments; nobody is told the arguments, which may hold a password. */
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** From its start to its end. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

/** Of the one file. */
export const outputName = "output";
const errorCharactersMax = 4_096;
const sentenceCharactersMax = 200;

export function createCommandSource(options: CommandSourceOptions): SourceDriver {
  return { begin: async () => new CommandTree(options) };
}

class CommandTree implements TreeSource {
  readonly name: string;
  readonly #options: CommandSourceOptions;
  #running: RunningCommand | undefined;

  constructor(options: CommandSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async list(path: readonly string[]) {
    if (path.length > 0) return undefined;
    const modifiedNs = BigInt(Date.now()) * 1_000_000n;
    const [userId, groupId] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    const entry = {
      name: outputName,
      kind: "file",
      facts: { mode: 0o600, userId, groupId, modifiedNs, attributes: [] },
      sizeBytes: 0,
      pointsTo: "",
      // It is run each time.
      fingerprint: "",
      sameFile: "",
    } as const;
    return { entries: [entry], left: [] };
  }

  async read([name]: readonly string[]): Promise<SourceReader | undefined> {
    if (name !== outputName) return undefined;
    this.#running = new RunningCommand(this.#options);
    return this.#running;
  }

  async confirm(): Promise<void> {
    if (this.#running?.hasEndedWell !== true) {
      throw failed(this.#options, "its output was not read to the end");
    }
  }

  notKept() {
    return [];
  }

  notMet() {
    return [];
  }

  async close(): Promise<void> {
    await this.#running?.close();
  }
}

class RunningCommand implements SourceReader {
  hasEndedWell = false;
  readonly #options: CommandSourceOptions;
  readonly #child: ChildProcess;
  readonly #output: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #ended: Promise<string | undefined>;
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  /** What of the last chunk was not taken yet. */
  #rest: Uint8Array = new Uint8Array();
  #bytes = 0;
  #errors = "";
  #isLate = false;

  constructor(options: CommandSourceOptions) {
    const { command, workingDirectory: cwd, environment: env, timeoutMs } = options;
    const [program = "", ...words] = command;
    this.#options = options;
    this.#child = spawn(program, words, {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#output = this.#child.stdout as Readable;
    this.#chunks = this.#output[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    this.#ended = endOf(this.#child);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-errorCharactersMax);
    });
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      killGroup(this.#child);
    }, timeoutMs);
  }

  async next(into: Uint8Array): Promise<SourcePiece> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return this.#end();
      this.#rest = value;
    }
    const length = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, length));
    this.#rest = this.#rest.subarray(length);
    this.#bytes += length;
    const { bytesMax } = this.#options;
    if (this.#bytes <= bytesMax) return { kind: "bytes", length };
    throw failed(this.#options, `it has printed more than ${sayBytes(bytesMax)} (\`maxSize\`)`);
  }

  /** The output has ended; the code comes with it or soon after. */
  async #end(): Promise<SourcePiece> {
    const wrong = await this.#ended;
    if (this.#isLate) {
      const allowed = sayDuration(this.#options.timeoutMs);
      throw failed(this.#options, `it did not end within ${allowed} (\`timeout\`)`);
    }
    if (wrong !== undefined) {
      const took = sayDuration(performance.now() - this.#startedMs);
      const said = this.#errors.trim().split("\n").at(-1)?.slice(0, sentenceCharactersMax) ?? "";
      const quoted = said === "" ? "" : `, saying ${JSON.stringify(said)}`;
      throw failed(this.#options, `${wrong} after ${took}${quoted}`);
    }
    this.hasEndedWell = true;
    return { kind: "end" };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    killGroup(this.#child);
    this.#output.destroy();
    this.#child.stderr?.destroy();
    await this.#ended;
  }
}

/** What was wrong with its end; undefined for code 0. */
function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`it could not be run (${error.message})`));
    child.once("exit", (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(code === null ? `it was ended by ${signal}` : `it ended with code ${code}`);
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}

function failed({ name }: CommandSourceOptions, why: string): NinesError {
  return new NinesError(
    "NINES_BACKUP_COMMAND",
    `The command of ${name} gives no snapshot: ${why}.`,
  );
}
