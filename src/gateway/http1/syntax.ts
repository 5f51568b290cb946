// The alphabet of HTTP/1.1 (RFC 9110 section 5, RFC 9112): which byte may stand where, as one table
// lookup a byte. V8 looks up whatever a module imports at each use, so loops over bytes that every
// request runs hold tables in locals, and index instead of calling `at`. Stricter than the grammar
// nowhere, laxer nowhere but in the target, where browsers send characters that RFC 3986 wants
// encoded (`|`, `{`, `"`): any visible ASCII but '#' passes.

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const ASTERISK = 0x2a;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const UNDERSCORE = 0x5f;

function tableOf(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0));
}

const isAlphanumeric = (byte: number): boolean => /[0-9A-Za-z]/.test(String.fromCharCode(byte));
const among = (set: string) => (byte: number) =>
  isAlphanumeric(byte) || set.includes(String.fromCharCode(byte));

/** tchar: methods and field names. */
export const TOKEN = tableOf(among("!#$%&'*+-.^_`|~"));
/** field-vchar, obs-text, space and tab: all but control characters and DEL. */
export const FIELD_VALUE = tableOf((byte) => byte === TAB || (byte >= SPACE && byte !== 0x7f));
/** Visible ASCII but '#', which would begin a fragment. */
export const TARGET = tableOf((byte) => byte > SPACE && byte < 0x7f && byte !== 0x23);
/** uri-host without a port, and no address of IPv6. */
export const HOST_NAME = tableOf(among("-._~%!$&'()*+,;="));
/** uri-host and port, IPv6 brackets included (RFC 3986 section 3.2.2). No '@', '/', '?', '#'. */
export const HOST = tableOf(among("-._~%!$&'()*+,;=:[]"));

/** Value of a hexadecimal digit, or -1. */
export const HEX_VALUE = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(digit) ? -1 : digit;
});

/** ASCII upper case to lower case, everything else as it is. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

/** By position of a text, in which `d` is any digit: which bytes may stand there. */
export function positionsOf(text: string): readonly Uint8Array[] {
  return Array.from(text, (expected) =>
    tableOf((byte) => (expected === "d" ? isDigit(byte) : byte === expected.charCodeAt(0))),
  );
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= ZERO + 9;

/** Byte `index`, which the caller knows to be inside. */
export function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

/** Whether bytes [from, to) are `lowerCase` in any case of letters. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  from: number,
  to: number,
  lowerCase: string,
): boolean {
  if (to - from !== lowerCase.length) return false;
  const lower = LOWER;
  for (let index = 0; index < lowerCase.length; index++) {
    if (lower[bytes[from + index] as number] !== lowerCase.charCodeAt(index)) return false;
  }
  return true;
}
