// How `npm test` speaks: one line a failure with its cause, one for each test or suite that took
// long, the name of each skipped test, and the runner's own closing counts. Thousands of passing
// lines would hide what matters.

/** Whoever waits sees that it goes on; whoever wants it faster, what to look at. */
const LONG_MS = 20_000;

export interface Counts {
  pass: number;
  fail: number;
  skipped: number;
  /** Something failed, whether or not it counts as a test of its own. */
  failed: boolean;
}

export interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly nesting?: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly message?: string;
    readonly details?: {
      readonly type?: string;
      readonly duration_ms?: number;
      readonly error?: Error & { cause?: unknown };
    };
  };
}

/** Says it as it comes, and adds it up in `counts`. */
export async function* report(
  events: AsyncIterable<TestEvent>,
  counts: Counts,
): AsyncGenerator<string> {
  const path: string[] = [];
  const skips: string[] = [];
  for await (const { type, data } of events) {
    if (type === "test:start") path[data.nesting ?? 0] = data.name ?? "";
    if (type === "test:stderr" || type === "test:stdout") {
      if (process.env["NINES_TEST_OUTPUT"] === "1") yield data.message ?? "";
      continue;
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    counts.failed ||= type === "test:fail";
    const name = [...path.slice(0, data.nesting ?? 0), data.name ?? ""].join(" > ");
    const tookMs = data.details?.duration_ms ?? 0;
    if (data.nesting === 0 && tookMs >= LONG_MS) {
      yield `· ${name}: ${Math.round(tookMs / 1_000)} s\n`;
    }
    if (data.skip !== undefined && data.skip !== false) {
      counts.skipped += 1;
      skips.push(
        typeof data.skip === "string" && data.skip !== "" ? `${name}: ${data.skip}` : name,
      );
    } else if (data.details?.type === "suite" && type === "test:pass") {
      continue;
    } else if (type === "test:pass") {
      counts.pass += 1;
    } else if (!isEcho(data.details?.error)) {
      counts.fail += 1;
      yield `✖ ${name}\n  ${data.file ?? ""}\n${indent(describe(data.details?.error))}\n`;
    }
  }
  for (const skip of skips) yield `﹣ skipped: ${skip}\n`;
  const total = counts.pass + counts.fail + counts.skipped;
  yield `ℹ tests ${total}\nℹ pass ${counts.pass}\nℹ fail ${counts.fail}\nℹ skipped ${counts.skipped}\n`;
  yield `${counts.pass} passed, ${counts.fail} failed, ${counts.skipped} skipped\n`;
}

/** A suite fails because a test in it failed, which has been told already. */
function isEcho(error: Error | undefined): boolean {
  return /\d+ subtests? failed/.test(error?.message ?? "");
}

function describe(error: (Error & { cause?: unknown }) | undefined): string {
  if (error === undefined) return "";
  const cause = error.cause;
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return typeof cause === "string" ? cause : (error.stack ?? error.message);
}

function indent(text: string): string {
  return text
    .split("\n")
    .slice(0, 40)
    .map((line) => `    ${line}`)
    .join("\n");
}
