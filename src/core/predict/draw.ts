// Rates and mean times as they might be: each drawn between its bounds, from a stream of its own
// name.
//
// The logarithm is taken as normal, with the bounds at 5 % and 95 %. An assumption is one opinion:
// where it stands in for several services, it is drawn once for all of them. Draw i of two
// deployments is the same, so that their difference is not lost in the spread of the rates.

import type { Random } from "../base/prng.ts";
import { normalQuantile } from "../model/numeric/quantiles.ts";
import { meanOf } from "./default-rates.ts";
import { drawNormal } from "./durations.ts";
import type { Duration, Rates, ServiceRates, Uncertain } from "./rates.ts";

const z95 = normalQuantile(0.95);
const chanceMax = 0.99;

export function drawRates(rates: Rates, random: Random): Rates {
  const draw = (name: string, one: Uncertain, max = Infinity): Uncertain => {
    const stream = random.stream(one.source.kind === "default" ? (name.split(" ")[0] ?? "") : name);
    return { ...one, value: Math.min(max, drawBetween(one, stream)) };
  };
  const drawTime = (name: string, one: Duration): Duration => {
    return { ...one, meanMs: draw(name, meanOf(one)).value };
  };
  const services = Object.entries(rates.services).map(([name, one]): [string, ServiceRates] => [
    name,
    {
      crash: draw(`crash ${name}`, one.crash),
      hang: draw(`hang ${name}`, one.hang),
      gray: draw(`gray ${name}`, one.gray),
      endpoint: draw(`endpoint ${name}`, one.endpoint),
      commonCause: draw(`commonCause ${name}`, one.commonCause, chanceMax),
      startFails: draw(`startFails ${name}`, one.startFails, chanceMax),
      start: drawTime(`start ${name}`, one.start),
      hangRepair: drawTime(`hangRepair ${name}`, one.hangRepair),
      endpointRepair: drawTime(`endpointRepair ${name}`, one.endpointRepair),
      grayRepair: drawTime(`grayRepair ${name}`, one.grayRepair),
    },
  ]);
  return {
    services: Object.fromEntries(services),
    machine: draw("machine", rates.machine),
    machineRepair: drawTime("machineRepair", rates.machineRepair),
    zone: draw("zone", rates.zone),
    zoneRepair: drawTime("zoneRepair", rates.zoneRepair),
    gatewayWorker: draw("gatewayWorker", rates.gatewayWorker),
    gateway: draw("gateway", rates.gateway),
    control: draw("control", rates.control),
    controlRepair: drawTime("controlRepair", rates.controlRepair),
  };
}

function drawBetween({ value, lower, upper }: Uncertain, random: Random): number {
  if (!(lower > 0 && upper > lower)) return value;
  const sigma = Math.log(upper / lower) / (2 * z95);
  return Math.sqrt(lower * upper) * Math.exp(sigma * drawNormal(random));
}
