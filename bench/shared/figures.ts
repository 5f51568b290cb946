// What every bench ends with: a table for people, and as its last line one JSON object for
// programs. A figure that could not be measured is never left out: its value is null, it is not ok,
// and it says why.

export interface Figure {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  /** The promise, or null for a figure that is only told. */
  readonly bar: number | null;
  readonly better: "lower" | "higher";
  readonly ok: boolean;
  readonly note?: string;
}

interface Measured {
  readonly name: string;
  readonly value: number | undefined;
  readonly unit: string;
  readonly bar?: number;
  readonly better?: "lower" | "higher";
  readonly note?: string;
}

/** Judges a measurement by its bar; `undefined` is "not measured", and `note` must say why. */
export function figure(measured: Measured): Figure {
  const { name, value, unit, bar, better = "lower", note } = measured;
  const missing = value === undefined || !Number.isFinite(value);
  const kept =
    bar === undefined || (better === "lower" ? (value ?? 0) <= bar : (value ?? 0) >= bar);
  return {
    name,
    value: missing ? null : Number(value.toPrecision(4)),
    unit,
    bar: bar ?? null,
    better,
    ok: !missing && kept,
    ...(note === undefined ? {} : { note }),
  };
}

export function printFigures(bench: string, figures: readonly Figure[]): void {
  const width = Math.max(...figures.map(({ name }) => name.length));
  for (const { name, value, unit, bar, better, ok, note } of figures) {
    const promise = bar === null ? "" : `  ${better === "lower" ? "<=" : ">="} ${bar}`;
    const told = `${ok ? "ok " : "NOT"} ${name.padEnd(width)}  ${value ?? "-"} ${unit}${promise}`;
    console.log(note === undefined ? told : `${told}  (${note})`);
  }
  console.log(JSON.stringify({ bench, figures }));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
