// Quantities as people write them: `500ms`, `64KiB`, `60%`, `127.0.0.1:8080`.
//
// A number never stands alone: whether `timeout: 30` means seconds or milliseconds is guessed wrong
// by half of all readers, so a unit is always asked for. Parsing is exact: a text that is no whole
// number of milliseconds or bytes is refused, not rounded, and what is printed parses to itself.
// Rejected: sums of units (`1m30s`), since `90s` says the same; `1K` and `1G`, since they mean 1000
// to some tools and 1024 to others.

type DurationUnit = "ms" | "s" | "m" | "h" | "d";
type SizeUnit = "B" | "KB" | "MB" | "GB" | "KiB" | "MiB" | "GiB" | "TiB";

/** `500ms`, `1.5s`, `2m`, `1h`, `1d`. */
export type DurationText = `${number}${DurationUnit}`;
/** `64KiB`, `1GiB`, `10MB`, `512B`. */
export type SizeText = `${number}${SizeUnit}`;
/** `60%`, `99.95%`. */
export type PercentText = `${number}%`;

const millisecondsIn: Readonly<Record<DurationUnit, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

const binaryBytesIn = { TiB: 1024 ** 4, GiB: 1024 ** 3, MiB: 1024 ** 2, KiB: 1024, B: 1 } as const;

const bytesIn: Readonly<Record<SizeUnit, number>> = {
  ...binaryBytesIn,
  GB: 1000 ** 3,
  MB: 1000 ** 2,
  KB: 1000,
};

export const durationPattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
export const sizePattern = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB|TiB)$/;
export const percentPattern = /^(\d+(?:\.\d+)?)%$/;

/** Milliseconds, or undefined when the text is not a duration in whole ones. */
export function parseDuration(text: string): number | undefined {
  return quantity(durationPattern.exec(text), millisecondsIn);
}

/** The shortest exact text: 90000 is `90s`, since it is no whole number of minutes. */
export function printDuration(milliseconds: number): DurationText {
  return print(milliseconds, millisecondsIn, "ms");
}

/** Bytes, or undefined when the text is not a size in whole ones. */
export function parseSize(text: string): number | undefined {
  return quantity(sizePattern.exec(text), bytesIn);
}

export function printSize(bytes: number): SizeText {
  return print(bytes, binaryBytesIn, "B");
}

/** A share of one (`60%` is 0.6), or undefined when the text is none or over 100%. */
export function parsePercent(text: string, ratioMax = 1): number | undefined {
  const digits = percentPattern.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const ratio = Number(digits) / 100;
  return ratio <= ratioMax ? ratio : undefined;
}

export function printPercent(ratio: number): PercentText {
  // Ten decimals hide what binary fractions add: 0.07 * 100 is 7.000000000000001.
  return `${Number((ratio * 100).toFixed(10))}%`;
}

export interface Address {
  /** Without brackets; empty when only a port was written. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `1.2.3.4:80`, `[::1]:80` or `:80`; undefined when the text is none of them. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65535) return undefined;
  return { host: (match[1] ?? match[2] ?? "").toLowerCase(), port };
}

export function printAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function quantity<Unit extends string>(
  match: RegExpExecArray | null,
  factors: Readonly<Record<Unit, number>>,
): number | undefined {
  if (match === null) return undefined;
  const [whole = "", fraction = ""] = (match[1] ?? "").split(".");
  // In integers, since 1.005 * 1000 is not 1005 in binary fractions.
  const scaled = Number(whole + fraction) * factors[match[2] as Unit];
  const value = scaled / 10 ** fraction.length;
  return Number.isSafeInteger(scaled) && Number.isInteger(value) ? value : undefined;
}

function print<Unit extends string>(
  value: number,
  factors: Readonly<Record<Unit, number>>,
  smallest: Unit,
): `${number}${Unit}` {
  const units = Object.keys(factors) as Unit[];
  const unit =
    value === 0 ? smallest : (units.find((one) => value % factors[one] === 0) ?? smallest);
  return `${value / factors[unit]}${unit}`;
}
