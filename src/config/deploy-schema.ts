// How a new version of a service comes, as it is written: `services.NAME.deploy`. What the words do
// is core/deploy.

import { z } from "zod";
import type { Amount } from "../core/deploy/settings.ts";
import { choice, duration, field, type Kind, part, scalar, unlike } from "./fields.ts";
import { parsePercent } from "./units.ts";

const amountKind: Kind = {
  accepts: "a number of instances from 0 to 1000, or a share of the replicas such as 25%",
  example: "1",
  json: { type: ["integer", "string"] },
};

const amount = scalar<number | `${number}%`, Amount>(amountKind, (written) => {
  if (typeof written === "number" && Number.isInteger(written) && written >= 0 && written <= 1000) {
    return { count: written };
  }
  const ratio = typeof written === "string" ? parsePercent(written) : undefined;
  return ratio !== undefined && ratio <= 1 ? { ratio } : unlike(amountKind, written);
});

const traffic = part("a share of the traffic above 0% and below 100%", "10%");

export const deploy = z.strictObject({
  maxSurge: field(amount.prefault(0), {
    meaning:
      "Instances beyond the replicas while a deploy lasts, all of the new version, each with a port " +
      "and a data folder of its own. They leave at its end. A share is rounded up.",
    source: "Kubernetes `maxSurge` (25% there); 0 here, for a service whose instances own data.",
    interaction: "Not 0 together with `maxUnavailable`.",
    see: ["services.NAME.deploy.maxUnavailable"],
  }),
  maxUnavailable: field(amount.prefault(1), {
    meaning:
      "Instances that may be missing because of a deploy. What is missing for other reasons counts, " +
      "too: a deploy waits for an instance that has failed. A share is rounded down.",
    source: "Kubernetes `maxUnavailable` of a StatefulSet.",
    interaction: "Not 0 together with `maxSurge`.",
    see: ["services.NAME.deploy.maxSurge"],
  }),
  minimumHealthy: field(duration("0s", "1h").prefault("5s"), {
    meaning: "A new instance counts, and the next one is replaced, once it has been up this long.",
    source:
      "Kubernetes `minReadySeconds` (0 there: a version that falls over after a second passes).",
  }),
  canary: field(z.array(traffic).max(10).prefault([]), {
    meaning:
      "Shares of the traffic that the new version gets first, growing. For each as few instances as " +
      "can take it are replaced, and chosen less often where they are too many.",
    default: "none: the instances are replaced one after another, each with its full share",
    see: ["services.NAME.deploy.stepTime"],
  }),
  stepTime: field(duration("1s", "1d").prefault("30s"), {
    meaning: "How long each canary step lasts, once its instances are well.",
    see: ["services.NAME.deploy.canary"],
  }),
  rollback: field(choice(["automatic", "manual"]).prefault("automatic"), {
    meaning:
      "What follows when a new instance ends, does not get ready, fails its checks or answers clearly " +
      "more errors than the old ones: back to the old version, or a stop for a person to decide.",
  }),
  deadline: field(duration("10s", "1d").prefault("10m"), {
    meaning: "A deploy that has made no progress for this long has failed.",
    source: "Kubernetes `progressDeadlineSeconds` (600).",
    interaction: "The time of a canary step does not count.",
  }),
});
