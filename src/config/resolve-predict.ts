// `predict` and `costs` as they are written, as the program uses them.

import type { Costs } from "../core/predict/costs.ts";
import {
  type CauseSaid,
  type RatesSaid,
  type ServiceRatesSaid,
  serviceCauses,
  sharedCauses,
} from "../core/predict/default-rates.ts";
import type { PredictConfig, ServicePredictionConfig } from "./config.ts";
import type { WrittenCosts, WrittenPredict } from "./predict-schema.ts";

/** The zone of machines of which none is said. */
export const onlyZone = "zone";

type WrittenRates = WrittenPredict["rates"];
type WrittenOf = WrittenPredict["services"][string];

export function resolvePredict(written: WrittenPredict): PredictConfig {
  return {
    machines: Object.entries(written.machines ?? {}).map(([name, { zone }]) => ({
      name,
      zone: zone ?? onlyZone,
    })),
    gateway: written.gateway ?? [],
    rates: resolveRates(written.rates),
    services: Object.fromEntries(
      Object.entries(written.services).map(([name, one]) => [name, resolveService(one)]),
    ),
  };
}

function resolveService(written: WrittenOf): ServicePredictionConfig {
  const { needed, machines, load, capacity, slots, serviceTime, resent, rates } = written;
  return {
    ...(needed === undefined ? {} : { needed }),
    machines: machines ?? [],
    ...(load === undefined ? {} : { loadPerSecond: load }),
    ...(capacity === undefined ? {} : { capacityPerInstance: capacity }),
    ...(slots === undefined ? {} : { slotsPerInstance: slots }),
    ...(serviceTime === undefined ? {} : { serviceTimeMs: serviceTime }),
    ...(resent === undefined ? {} : { resentShare: resent }),
    rates: resolveRates(rates),
  };
}

function resolveRates(written: Partial<WrittenRates>): RatesSaid {
  const said = [...serviceCauses, ...sharedCauses].flatMap((cause) => {
    const one = written[cause];
    return one === undefined ? [] : [[cause, resolveCause(one)] as const];
  });
  const { commonCause, startFails, start } = written;
  const chances: ServiceRatesSaid = {
    ...(commonCause === undefined ? {} : { commonCause }),
    ...(startFails === undefined ? {} : { startFails }),
    ...(start === undefined ? {} : { startMs: start }),
  };
  return { ...Object.fromEntries(said), ...chances };
}

function resolveCause(written: {
  readonly every?: number | undefined;
  readonly repair?: number | undefined;
}): CauseSaid {
  const { every, repair } = written;
  return {
    ...(every === undefined ? {} : { everyMs: every }),
    ...(repair === undefined ? {} : { repairMs: repair }),
  };
}

export function resolveCosts({ instance, machine, zone, check }: WrittenCosts): Costs {
  return {
    instanceMonthly: instance,
    machineMonthly: machine,
    zoneMonthly: zone,
    checkMonthly: check,
  };
}
