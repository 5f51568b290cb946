// The long run: a million messages through the real engine. Some minutes on one core.

import assert from "node:assert/strict";
import { createEngine } from "../../src/gateway/engine/engine.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { fuzz } from "./fuzz.ts";

const MESSAGES = Number(process.env["FUZZ_MESSAGES"] ?? 1_000_000);

await testUntracked({
  [`${MESSAGES} messages: nothing is forwarded that is framed differently`]: async (tell) => {
    const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 32);
    const beganMs = performance.now();
    const limits = { messages: MESSAGES, durationMs: Infinity };
    const result = await fuzz({ create: createEngine, seed, ...limits });
    const seconds = (performance.now() - beganMs) / 1000;
    const rate = Math.round(result.messages / seconds);
    tell(
      `seed ${seed}: ${result.messages} messages, ${result.forwarded} forwarded, ${rate} a second`,
    );
    assert.ok(result.finding === undefined, result.finding);
  },
});
