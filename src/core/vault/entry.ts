// What is kept of a file, a folder or a link beside its content.
//
// Names are bytes, as kernels keep them: a string with one character a byte (latin1), so that a
// name that is not UTF-8 comes back as it was, and so that names sort by their bytes. People write
// and read them otherwise: `readName` takes what they write, in a file or a command, and `sayName`
// gives what they read; what is said can be written again, whatever the bytes.

import { bytesOf, hexOf, textOf, utf8Of } from "./wire.ts";

/** One character a byte. Never "", ".", "..", and without "/" and the zero byte. */
export type ByteName = string;

export interface ExtendedAttribute {
  readonly name: ByteName;
  readonly value: Uint8Array;
}

/** What is kept of an entry beside its name and content. */
export interface EntryFacts {
  /** Permission bits with setuid, setgid and sticky: 12 bits. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Since 1970, in nanoseconds of 64 bits; may be negative. */
  readonly modifiedNs: bigint;
  readonly attributes: readonly ExtendedAttribute[];
}

export type EntryKind = "file" | "folder" | "link";

const escape = /\\x([0-9a-f]{2})/g;
/** What is no text of one line that reads forwards, and what would be read as an escape's start. */
const unsayable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]|\\(?=x[0-9a-f]{2})/gu;
const unsayableBytes = /[^ -~]|\\(?=x[0-9a-f]{2})/g;

/** A name, or a path of names, as people read it: UTF-8, and `\x0a` for what cannot be shown. */
export function sayName(path: ByteName): string {
  return path.split("/").map(sayPart).join("/");
}

/** A name, or a path, as people write it. */
export function readName(said: string): ByteName {
  return utf8Of(said).replaceAll(escape, (_, digits: string) => {
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}

function sayPart(name: ByteName): string {
  const text = textOf(name);
  if (text === undefined) return name.replaceAll(unsayableBytes, escapesOf);
  return text.replaceAll(unsayable, (character) => escapesOf(utf8Of(character)));
}

function escapesOf(bytes: string): string {
  return hexOf(bytesOf(bytes)).replaceAll(/../g, "\\x$&");
}

/** A time as it can be kept, from 1677 to 2262: file systems know later ones. */
export function keptTimeNs(timeNs: bigint): bigint {
  const isKept = BigInt.asIntN(64, timeNs) === timeNs;
  if (isKept) return timeNs;
  return timeNs > 0n ? 2n ** 63n - 1n : -(2n ** 63n);
}
