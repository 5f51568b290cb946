// The access log from table to table: opened when one asks for it, and kept open while its file
// stays.

import type { AccessLogPolicy } from "../../core/route/table.ts";
import type { EngineOptions } from "../contract.ts";
import { AccessLog } from "./access-log.ts";
import { LineFile } from "./line-file.ts";

/** A busy second may add so much before the file is renamed; past it, nobody does. */
const OVERRUN_BYTES = 64 * 1024 * 1024;

export interface KeptLogOptions {
  readonly place: EngineOptions["accessLog"];
  readonly nowMs: () => number;
  readonly random: () => number;
}

export class KeptLog {
  readonly #options: KeptLogOptions;
  #log: AccessLog | undefined = undefined;
  /** By files that are closed. */
  #written = 0;
  #dropped = 0;

  constructor(options: KeptLogOptions) {
    this.#options = options;
  }

  /** Lines since this worker started. */
  get written(): number {
    return this.#written + (this.#log?.file.written ?? 0);
  }

  get dropped(): number {
    return this.#dropped + (this.#log?.file.dropped ?? 0);
  }

  /** The log that the policy asks for; undefined when nothing is to be logged. */
  follow(policy: AccessLogPolicy | undefined): AccessLog | undefined {
    const before = this.#log;
    const stays = policy !== undefined && before !== undefined && isSame(before.policy, policy);
    if (before !== undefined && !stays) void this.#leave(before);
    const file = stays ? before.file : this.#open(policy);
    const isOn = policy !== undefined && file !== undefined;
    this.#log = isOn ? new AccessLog(policy, file, this.#options.random) : undefined;
    return this.#log;
  }

  flush(): void {
    this.#log?.file.flush();
  }

  /** Resolves when what was logged is written, or given up. */
  async close(): Promise<void> {
    await this.#log?.file.close();
  }

  async #leave({ file }: AccessLog): Promise<void> {
    const { written, dropped } = file;
    this.#written += written;
    this.#dropped += dropped;
    await file.close();
    // What was still waiting.
    this.#written += file.written - written;
    this.#dropped += file.dropped - dropped;
  }

  #open(policy: AccessLogPolicy | undefined): LineFile | undefined {
    const { place, nowMs } = this.#options;
    if (policy === undefined || place === undefined) return undefined;
    const path = policy.file ?? place.defaultFile;
    const bytesMax = policy.rotateBytes + Math.max(policy.rotateBytes, OVERRUN_BYTES);
    return new LineFile({ path, bytesMax, nowMs, say: place.say });
  }
}

function isSame(a: AccessLogPolicy, b: AccessLogPolicy): boolean {
  return a.file === b.file && a.rotateBytes === b.rotateBytes;
}
