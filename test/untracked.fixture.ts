// Tests whose work is done before the first test of the file begins.
//
// While tests run, node:test follows each promise that is made, through async hooks, to know whose
// a stray error is. Work that awaits millions of times takes three times as long for it, and until
// the first test is registered nothing is followed. So such work comes first, one body after the
// other, and each test then says what became of its own. It must be the first in its file, which
// must have a process to itself.
// Rejected: a worker thread for each body (closures do not go there).

import { test } from "node:test";

/** `tell` is for what `context.diagnostic` would have been told. */
type Body = (tell: (line: string) => void) => Promise<void>;

/** A test for each name. */
export async function testUntracked(bodies: Readonly<Record<string, Body>>): Promise<void> {
  const outcomes: [name: string, lines: readonly string[], judge: () => void][] = [];
  for (const [name, body] of Object.entries(bodies)) {
    const lines: string[] = [];
    const judge = await body((line) => void lines.push(line)).then(
      () => () => undefined,
      (error: unknown) => () => {
        throw error;
      },
    );
    outcomes.push([name, lines, judge]);
  }
  for (const [name, lines, judge] of outcomes) {
    test(name, (context) => {
      for (const line of lines) context.diagnostic(line);
      judge();
    });
  }
}
