// What is backed up: bytes that no program can make smaller, ten thousand small files, and logs.
// The first shows what cutting, hashing, encrypting and writing cost, the second what a file costs,
// the third what compression costs. Every line of the logs differs, as those of real programs do.

import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createPrng, type Random } from "../../src/core/base/prng.ts";

const mebibyte = 1_048_576;
const randomFileBytes = 64 * mebibyte;
const logFileBytes = 16 * mebibyte;
const filesInFolder = 100;
const smallBytesMax = 16_384;

export interface DataSize {
  readonly randomBytes: number;
  readonly smallFiles: number;
  readonly logBytes: number;
}

export const wholeSize: DataSize = {
  randomBytes: 1_024 * mebibyte,
  smallFiles: 10_000,
  logBytes: 256 * mebibyte,
};

export const quickSize: DataSize = {
  randomBytes: 256 * mebibyte,
  smallFiles: 2_500,
  logBytes: 64 * mebibyte,
};

/** Writes it below `folder`. How many bytes it is. */
export function makeData(folder: string, size: DataSize): number {
  const random = createPrng(1);
  return (
    makeRandom(join(folder, "random"), size.randomBytes) +
    makeSmall(join(folder, "small"), size.smallFiles, random) +
    makeLogs(join(folder, "logs"), size.logBytes, random)
  );
}

function makeRandom(folder: string, bytes: number): number {
  mkdirSync(folder, { recursive: true });
  for (let at = 0; at < bytes; at += randomFileBytes) {
    writeFileSync(join(folder, `${at / randomFileBytes}`), randomBytes(randomFileBytes));
  }
  return bytes;
}

function makeSmall(folder: string, files: number, random: Random): number {
  let bytes = 0;
  for (let file = 0; file < files; file++) {
    const inner = join(folder, `${Math.floor(file / filesInFolder)}`);
    if (file % filesInFolder === 0) mkdirSync(inner, { recursive: true });
    const length = 1 + random.below(smallBytesMax);
    writeFileSync(join(inner, `${file}`), randomBytes(length));
    bytes += length;
  }
  return bytes;
}

function makeLogs(folder: string, bytes: number, random: Random): number {
  mkdirSync(folder, { recursive: true });
  let made = 0;
  for (let number = 0; made < bytes; number++) {
    const file = join(folder, `${number}.log`);
    for (let written = 0; written < logFileBytes; ) {
      const lines = Array.from({ length: 4_096 }, () => line(random)).join("");
      appendFileSync(file, lines);
      written += lines.length;
      made += lines.length;
    }
  }
  return made;
}

const paths = ["/", "/carts", "/orders", "/items/search", "/health"] as const;
const methods = ["GET", "GET", "GET", "POST", "DELETE"] as const;

function line(random: Random): string {
  const said = {
    time: new Date(1_790_000_000_000 + random.below(1_000_000_000)).toISOString(),
    level: random.below(20) === 0 ? "warning" : "info",
    method: methods[random.below(methods.length)],
    path: `${paths[random.below(paths.length)]}?user=${random.below(1_000_000)}`,
    status: random.below(50) === 0 ? 503 : 200,
    tookMs: random.below(900) / 10,
    trace: random.below(2 ** 31).toString(16),
  };
  return `${JSON.stringify(said)}\n`;
}
