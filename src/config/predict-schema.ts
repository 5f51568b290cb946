// What `nines model`, `nines simulate` and `nines plan` are told beside what the file says anyway:
// `predict` and `costs`. Nothing here changes what runs. The assumptions that stand in for what is
// not said are core/predict/default-rates.ts.

import { z } from "zod";
import { usualCosts } from "../core/predict/costs.ts";
import { assumed, assumedChances, assumedStart } from "../core/predict/default-rates.ts";
import { duration, field, integer, number, percent, text } from "./fields.ts";
import { printDuration, printPercent } from "./units.ts";

const day = 86_400_000;

function machineName(): z.ZodType<string, string> {
  return text("a name of up to 60 letters, digits, -, _, . and :", "east-1", /^[\w.:-]{1,60}$/);
}

type CauseName = keyof typeof assumed;

const every = (cause: CauseName, meaning: string) =>
  field(duration("1s", "36500d").optional(), {
    meaning,
    default: `${printDuration(assumed[cause].everyDays * day)}, or what was measured`,
    source: assumed[cause].reason,
  });

const repair = (cause: CauseName, meaning: string) =>
  field(duration("1ms", "365d").optional(), {
    meaning,
    default: printDuration(assumed[cause].repair?.meanMs ?? 0),
    source: assumed[cause].repair?.reason ?? "",
  });

const causeMap = <Shape extends z.ZodRawShape>(shape: Shape, meaning: string) =>
  field(z.strictObject(shape).optional(), { meaning, default: "what is assumed, or was measured" });

const serviceRates = {
  crash: causeMap(
    { every: every("crash", "How often one process ends by itself, on average.") },
    "Processes that end.",
  ),
  hang: causeMap(
    {
      every: every("hang", "How often one instance runs and answers nothing, on average."),
      repair: repair("hang", "How long that lasts where Nines does not restart the instance."),
    },
    "Instances that hang: their checks fail.",
  ),
  gray: causeMap(
    {
      every: every("gray", "How often one instance passes its checks and fails its requests."),
      repair: repair("gray", "Until a person has seen and ended it."),
    },
    "Failures that the checks do not see.",
  ),
  endpoint: causeMap(
    {
      every: every("endpoint", "How often one endpoint is gone, its machine's failures apart."),
      repair: repair("endpoint", "Until whoever keeps it has brought it back."),
    },
    "Endpoints that are gone.",
  ),
  commonCause: field(percent().optional(), {
    meaning:
      "Beta: of a process's ends, the share that takes all others of its service along: a request " +
      "that kills, a leak, a full disk.",
    default: printPercent(assumedChances.commonCause.value),
    source: assumedChances.commonCause.reason,
    interaction: "`0%` claims that instances fail independently, and is said to be a claim.",
  }),
  startFails: field(percent().optional(), {
    meaning: "The share of starts that fail and are tried again after the backoff.",
    default: printPercent(assumedChances.startFails.value),
    source: assumedChances.startFails.reason,
    interaction: "Below 100%.",
  }),
  start: field(duration("1ms", "1h").optional(), {
    meaning: "From the start of a process to its first passed check.",
    default: `${printDuration(assumedStart.meanMs)}, or what was measured`,
    source: assumedStart.reason,
  }),
} as const;

const sharedRates = {
  machine: causeMap(
    {
      every: every("machine", "How often one machine fails, with all that is on it."),
      repair: repair("machine", "Until it is back."),
    },
    "Machines that fail.",
  ),
  zone: causeMap(
    {
      every: every("zone", "How often one zone fails, with all of its machines."),
      repair: repair("zone", "Until it is back."),
    },
    "Zones that fail.",
  ),
  gatewayWorker: causeMap(
    { every: every("gatewayWorker", "How often one worker of the gateway ends.") },
    "Workers of the gateway.",
  ),
  gateway: causeMap(
    { every: every("gateway", "How often all processes of the gateway end at once.") },
    "The whole gateway.",
  ),
  control: causeMap(
    {
      every: every("control", "How often control ends."),
      repair: repair("control", "Until it is started again, by systemd for example."),
    },
    "Control; without it traffic goes on and nothing is restarted.",
  ),
} as const;

const perSecond = (meaning: string, entry: { readonly interaction?: string } = {}) =>
  field(number(0.001, 10_000_000).optional(), { meaning, default: "not known", ...entry });

const servicePrediction = z.strictObject({
  needed: field(integer(1, 1000).optional(), {
    meaning:
      "How many instances must work in traffic for the service to count as up. With fewer it is " +
      "down, as if nobody was there.",
    default: "what `load` takes at `capacity`; 1 where these are not known",
  }),
  machines: field(z.array(machineName()).min(1).max(1000).optional(), {
    meaning: "The machine of each instance, in their order; from the beginning again when it ends.",
    default:
      "processes are spread over `predict.machines`, neighbours in different zones; an endpoint's " +
      "machine is its host, in its `zone`",
    see: ["predict.machines"],
  }),
  load: perSecond("Requests a second that the service gets, all clients together."),
  capacity: perSecond("Requests a second that one instance serves at most.", {
    interaction: "What `nines load` measured stands in for it.",
  }),
  slots: field(integer(1, 100_000).optional(), {
    meaning: "Requests that one instance serves at once.",
    default: "`capacity` times `serviceTime`, at least 1",
  }),
  serviceTime: field(duration("1ms", "1h").optional(), {
    meaning: "How long a request takes that does not wait, on average.",
    default: "`slots` divided by `capacity`",
  }),
  resent: field(percent().optional(), {
    meaning:
      "Of requests that meet a failed instance, the share that may be sent to another one: GETs and " +
      "the like.",
    default: "90% where requests are retried, else 0%",
    source: "RFC 9110, 9.2.2; most traffic reads.",
    see: ["gateway.retry.attempts"],
  }),
  rates: field(z.strictObject(serviceRates).prefault({}), {
    meaning:
      "How often this service's instances fail; what is not said is that of `predict.rates`.",
  }),
});

export const predict = z.strictObject({
  machines: field(
    z
      .record(
        machineName(),
        z.strictObject({
          zone: field(machineName().optional(), {
            meaning: "The zone that it is in, and fails with.",
            default: "one zone for all that say nothing",
          }),
        }),
      )
      .optional(),
    {
      meaning:
        "Machines over which the instances would be spread. This version of Nines runs all its " +
        "processes on one machine; with more of them here, the models say what more would buy.",
      default: "one machine, on which everything is that is no endpoint",
      see: ["predict.services.NAME.machines"],
    },
  ),
  gateway: field(z.array(machineName()).min(1).max(100).optional(), {
    meaning:
      "Machines that would have a gateway, of which clients use any. This version has one gateway.",
    default: "the first of `predict.machines`",
    see: ["predict.machines"],
  }),
  rates: field(z.strictObject({ ...serviceRates, ...sharedRates }).prefault({}), {
    meaning:
      "How often things fail, of one machine or one instance each, written as the mean time between " +
      "two failures. What never fails cannot be written: that something has not happened yet does " +
      "not make it impossible.",
  }),
  services: field(z.record(text("a service's name", "web", /\S/), servicePrediction).prefault({}), {
    meaning: "What holds for one service.",
  }),
});

const cost = (meaning: string, usual: number, interaction?: string) =>
  field(number(0, 1_000_000_000).prefault(usual), {
    meaning,
    ...(interaction === undefined ? {} : { interaction }),
  });

export const costs = z.strictObject({
  instance: cost("What one more instance costs a month.", usualCosts.instanceMonthly),
  machine: cost(
    "What one more machine costs a month.",
    usualCosts.machineMonthly,
    "In any currency: only the sums are compared.",
  ),
  zone: cost("What one more zone costs a month, beside its machines.", usualCosts.zoneMonthly),
  check: cost("What one check a second costs a month.", usualCosts.checkMonthly),
});

export type WrittenPredict = z.output<typeof predict>;
export type WrittenCosts = z.output<typeof costs>;
