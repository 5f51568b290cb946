// How the command line speaks: plain sentences on standard output, errors on standard error as a
// sentence, its code and its remedy. Colours only where a person looks (a TTY without NO_COLOR).

import { NinesError } from "../../core/base/errors.ts";

export const exitCode = { done: 0, failed: 1, usage: 2, notRunning: 3 } as const;

export function usesColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (process.env["NO_COLOR"] ?? "") === "";
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints why a command failed; the exit code that goes with it. */
export function report(error: unknown): number {
  if (!(error instanceof NinesError)) {
    // A bug of ours: the stack is what whoever mends it needs.
    complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCode.failed;
  }
  complain(formatError(error));
  if (error.code === "NINES_NOT_RUNNING" || error.code === "NINES_STATE_NOT_FOUND") {
    return exitCode.notRunning;
  }
  return isMisuse(error.code) ? exitCode.usage : exitCode.failed;
}

/** What is not known of something that has a name. */
const notNames: readonly string[] = ["NINES_PLAN_UNKNOWN", "NINES_VERSION_UNKNOWN"];

/** The file is wrong, or a name on the command line is nobody's. */
function isMisuse(code: string): boolean {
  const isName = code.endsWith("_UNKNOWN") && !notNames.includes(code);
  return isName || code.startsWith("NINES_CONFIG");
}

export function formatError(error: NinesError): string {
  return `${error.message}\n${error.remedy} (${error.code})`;
}

/**
 * Our own output may lose its reader (`| head`, a closed terminal) at any time. That costs the words,
 * never the process: control must outlive its terminal.
 */
export function outliveTheTerminal(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}
