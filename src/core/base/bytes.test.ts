// Sizes in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sayBytes } from "./bytes.ts";

test("a size is said in the unit that fits it", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [512, "512 B"],
    [1_024, "1 KiB"],
    [1_536, "1.5 KiB"],
    [268_435_456, "256 MiB"],
    [300_000_000, "286 MiB"],
    [2 ** 30 - 1, "1 GiB"],
    [2 ** 50, "1024 TiB"],
  ];
  for (const [bytes, said] of cases) assert.equal(sayBytes(bytes), said);
});
