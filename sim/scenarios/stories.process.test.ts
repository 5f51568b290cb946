// The stories go as they are written down. `npm run sim -- --stories --rewrite` writes them anew; read
// the difference before you keep it.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { playStory } from "./story.ts";

const folder = join(import.meta.dirname, "..", "..", "..", "sim", "scenarios");

describe("the stories", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".txt"))) {
    it(name.replace(/\.txt$/, "").replaceAll("-", " "), async () => {
      const written = readFileSync(join(folder, name), "utf8");
      const played = await playStory(written, { boundary: () => setImmediate() });
      assert.equal(played, written);
    });
  }
});
