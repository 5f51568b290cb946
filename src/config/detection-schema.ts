// What the gateway's workers make of what they see themselves, as it is written:
// `services.NAME.detection`. What the words do is core/dispatch and core/detect, and their defaults
// are those of the routing table.

import { z } from "zod";
import { defaultDetection as usual } from "../core/route/table.ts";
import { duration, field, flag, integer, percent } from "./fields.ts";
import { printDuration, printPercent } from "./units.ts";

const share = percent("1%", "100%", "85%");

export const detection = z.strictObject({
  stall: field(flag().prefault(usual.stall), {
    meaning:
      "Whether an instance that falls silent while its peers answer is avoided, its waiting requests " +
      "are hedged, and it is ejected when that goes on.",
    interaction:
      "`false` leaves silence to `gateway.timeouts.response` and to the checks, and nothing is hedged.",
    source: "RFC 6298: longer than twice the smoothed time to an answer and four deviations.",
    see: ["gateway.hedge.budget"],
  }),
  consecutiveErrors: field(integer(0, 1_000_000).prefault(usual.consecutiveErrors), {
    meaning:
      "Errors in a row (5xx, broken connections, timeouts) that eject an instance whose peers gave at " +
      "least as many good answers meanwhile; or, of peers that were asked nothing, one that has a " +
      "usable backup of its own. `0` is never.",
    interaction:
      "From half of the way on, an error of a request that may be sent again is not shown to the " +
      "client. Whatever stands here, a refused or broken connection ejects at once, and so do three " +
      "requests in a row that went unanswered.",
    source: "Envoy `consecutive_5xx` (5), which does not ask the peers.",
    see: ["services.NAME.detection.maxEjected"],
  }),
  successRate: field(flag().prefault(usual.successRate), {
    meaning:
      "Whether an instance is ejected whose share of good answers lies more than 1.9 standard " +
      "deviations below the mean: among five and more that had 100 requests in 10 s each.",
    interaction: "Each worker counts what it sees itself.",
    source: "Envoy's success-rate ejection.",
    see: ["services.NAME.detection.consecutiveErrors"],
  }),
  failures: field(share.optional(), {
    meaning:
      "Share of errors that ejects an instance, however its peers do: where five and more had 50 " +
      "requests in 10 s each. It finds a half of the instances that is broken, which pulls the mean " +
      "that `successRate` goes by.",
    default: "none",
    interaction: "`maxEjected` holds as for the others.",
    source: "Envoy's failure-percentage ejection (85%, and not enforced unless asked for).",
    see: ["services.NAME.detection.successRate", "services.NAME.detection.maxEjected"],
  }),
  ejection: field(duration("10ms", "1h").prefault(printDuration(usual.ejectionBaseMs)), {
    meaning:
      "How long a first ejection lasts. Then one real request is the probe; each further ejection " +
      "within a minute, and each probe that fails, doubles it up to `ejectionMax`.",
    interaction: "A passed check ends it before.",
    source: "Linkerd's failure accrual (1 s, doubling); Envoy's begin with 30 s.",
    see: ["services.NAME.detection.ejectionMax"],
  }),
  ejectionMax: field(duration("10ms", "1d").prefault(printDuration(usual.ejectionMaxMs)), {
    meaning: "Longest ejection.",
    interaction: "At least `ejection`.",
    source: "Envoy's is 5 m; a probe costs one request, which another instance can answer.",
    see: ["services.NAME.detection.ejection"],
  }),
  maxEjected: field(percent().prefault(printPercent(usual.maxEjectedRatio)), {
    meaning:
      "Share of the instances that may be ejected at once, the candidate counted in. An instance that " +
      "refuses connections is ejected all the same.",
    interaction:
      "At 50%, one of two or three may be out, and the only instance of a service is not ejected for " +
      "errors. One whose checks fail counts as out. In `hot-standby` one that has a usable backup of its " +
      "own may always be ejected: the backup takes its place.",
    source:
      "Envoy `max_ejection_percent` (10%), which tests before it ejects and so goes one further.",
  }),
  panic: field(percent().prefault(printPercent(usual.panicRatio)), {
    meaning:
      "With this share of usable instances or less, ejected and failing ones are tried as well: better " +
      "some errors than to break those that are left.",
    interaction: "With `0%` that is when nobody is left.",
    source: "Envoy's panic threshold (50%).",
    see: ["services.NAME.detection.maxEjected"],
  }),
});

export type WrittenDetection = z.output<typeof detection>;
