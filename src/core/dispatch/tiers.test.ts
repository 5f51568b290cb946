// What of the tiers no choice shows: when choosing is cheap again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Algorithms } from "../balance/algorithms.ts";
import { StallDetector } from "../detect/stall.ts";
import { defaultDetection, type InstanceVerdict, straightRamp } from "../route/table.ts";
import { Ejections } from "./ejections.ts";
import { Slots } from "./slots.ts";
import { Tiers } from "./tiers.ts";

const rules = {
  mode: "active-active",
  panicRatio: 0,
  overProvision: 0,
  maxConnections: 0,
  ramp: { lengthMs: 10_000, ...straightRamp },
  zones: undefined,
  isSubset: false,
  controlAlive: true,
} as const;

function partialUntilMs(verdict: InstanceVerdict, share: number): number {
  const slots = new Slots((slot) => tiers.forget(slot));
  const none = new Algorithms(slots, () => 0);
  const tiers = new Tiers(slots, new Ejections(defaultDetection), new StallDetector(), rules, none);
  const entry = { id: "web-1", host: "::1", port: 1, weight: 1, backup: false, generation: 1 };
  const list = (now: InstanceVerdict): void => {
    const instance = { ...entry, share, verdict: now };
    const slot = slots.find(instance) ?? slots.lend(instance);
    slots.list(slot, instance, 0);
    slots.pair([instance]);
    tiers.touchAll();
  };
  list(verdict);
  tiers.refresh(0);
  list("up");
  tiers.refresh(1_000);
  return tiers.partialUntilMs;
}

test("shares are looked at until the last ramp ends, and for as long as there is a canary", () => {
  assert.equal(partialUntilMs("up", 1), -Infinity);
  assert.equal(partialUntilMs("down", 1), 11_000);
  assert.equal(partialUntilMs("up", 0.1), Infinity);
});
