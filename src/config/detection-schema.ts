// What the gateway's workers make of what they see themselves, as it is written:
// `services.NAME.detection`. What the words do is core/dispatch and core/detect.

import { z } from "zod";
import { duration, field, flag, integer, percent } from "./fields.ts";

export const detection = z.strictObject({
  stall: field(flag().prefault(true), {
    meaning:
      "Whether an instance that falls silent while its peers answer is avoided, its waiting requests " +
      "are hedged, and it is ejected when that goes on.",
    interaction: "`false` leaves silence to `gateway.timeouts.response` and to the checks.",
    see: ["gateway.hedge.budget"],
  }),
  consecutiveErrors: field(integer(0, 1_000_000).prefault(5), {
    meaning:
      "Errors in a row (5xx, broken connections, timeouts) that eject an instance whose peers gave at " +
      "least as many good answers meanwhile. `0` is never.",
    source: "Envoy `consecutive_5xx` (5).",
  }),
  successRate: field(flag().prefault(true), {
    meaning:
      "Whether an instance is ejected whose share of good answers lies more than 1.9 standard " +
      "deviations below the mean: among five and more that had 100 requests in 10 s each.",
    source: "Envoy's success-rate ejection.",
  }),
  ejection: field(duration("10ms", "1h").prefault("1s"), {
    meaning:
      "How long a first ejection lasts. Then one real request is the probe; each further ejection " +
      "within a minute, and each probe that fails, doubles it up to `ejectionMax`.",
    source: "Linkerd's failure accrual (1 s, doubling).",
    see: ["services.NAME.detection.ejectionMax"],
  }),
  ejectionMax: field(duration("10ms", "1d").prefault("30s"), {
    meaning: "Longest ejection.",
    interaction: "At least `ejection`.",
    see: ["services.NAME.detection.ejection"],
  }),
  maxEjected: field(percent().prefault("50%"), {
    meaning:
      "Share of the instances that may be ejected at once, the candidate counted in. An instance that " +
      "refuses connections is ejected all the same.",
    source: "Envoy `max_ejection_percent`, which tests before it ejects and so goes one further.",
  }),
  panic: field(percent().prefault("0%"), {
    meaning:
      "With this share of usable instances or less, ejected and failing ones are tried as well: better " +
      "some errors than to break those that are left.",
    interaction: "With `0%` that is when nobody is left.",
    source: "Envoy's panic threshold (50 %).",
  }),
});

export type WrittenDetection = z.output<typeof detection>;
