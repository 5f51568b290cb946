// Sizes as people read them in a sentence: "512 B", "1.5 KiB", "256 MiB", "2 GiB".

import { assert } from "./assert.ts";

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function sayBytes(bytes: number): string {
  assert(bytes >= 0, "a size is not negative");
  let value = Math.round(bytes);
  let unit = 0;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 9.95 ? Math.round(value * 10) / 10 : Math.round(value)} ${units[unit]}`;
}
