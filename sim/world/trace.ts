// What happened, one line a transition, in fixed columns: true time in seconds, who, about whom,
// what. Kept as values and printed only when somebody wants to read them.

export interface TraceLine {
  readonly timeMs: number;
  /** control-3, worker-2, web-1, fault, client, world */
  readonly actor: string;
  /** The instance or service it is about; may be empty. */
  readonly subject: string;
  readonly what: string;
}

/** The newest lines are worth most: a violation is at the end. */
const LINES_MAX = 20_000;

export class Trace {
  readonly #lines: TraceLine[] = [];
  #dropped = 0;

  add(timeMs: number, actor: string, subject: string, what: string): void {
    if (this.#lines.length >= 2 * LINES_MAX) {
      this.#lines.splice(0, LINES_MAX);
      this.#dropped += LINES_MAX;
    }
    this.#lines.push({ timeMs, actor, subject, what });
  }

  get lines(): readonly TraceLine[] {
    return this.#lines;
  }

  /** What happened between two true times, of what is kept. */
  printBetween(fromMs: number, untilMs: number): string {
    const shown = this.#lines.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= untilMs);
    return shown.map(printLine).join("\n");
  }

  /** The last `count` lines as text. */
  print(count = LINES_MAX): string {
    const shown = this.#lines.slice(-count);
    const hidden = this.#dropped + this.#lines.length - shown.length;
    const head = hidden > 0 ? [`… ${hidden} earlier lines`] : [];
    return [...head, ...shown.map(printLine)].join("\n");
  }
}

export function printLine(line: TraceLine): string {
  const seconds = (line.timeMs / 1000).toFixed(3).padStart(9);
  const text = `${seconds}  ${line.actor.padEnd(10)}  ${line.subject.padEnd(12)}  ${line.what}`;
  return text.trimEnd();
}
