// `nines plan`: the cheapest way to run a service that is available and quick enough. Nothing needs
// to run; a load test and incidents that were kept make it a better one.

import type { Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { sayPercent } from "../../core/base/percent.ts";
import { usualCosts } from "../../core/predict/costs.ts";
import { type Demand, fitOfQueue, neededFor } from "../../core/predict/demand.ts";
import type { Deployment, PredictedService } from "../../core/predict/deployment.ts";
import { type LoadFit, latencyMs } from "../../core/predict/load-fit.ts";
import { type PlanQuestion, type Planned, plan as findPlan } from "../../core/predict/plan.ts";
import type { Rates } from "../../core/predict/rates.ts";
import { type ServicePrediction, predict } from "../../core/predict/predict.ts";
import { changeInFile, withChoice, withLoad } from "../predict/changed-config.ts";
import { renderPlan } from "../predict/plan-account.ts";
import { type SimulatedReport, planReport } from "../predict/plan-report.ts";
import { simulateFile } from "../predict/simulated.ts";
import type { PlanOptions } from "./actions.ts";
import { describePlace } from "./model.ts";
import { createProgress } from "./simulate.ts";
import { exitCode } from "./say.ts";

export async function plan(named: string | undefined, options: PlanOptions): Promise<number> {
  const { deployment, rates, written, config } = await describePlace(named, options, (file) => {
    const { load } = options;
    return load === undefined ? file : withLoad(file, onlyOf(file, named), load);
  });
  const name = onlyOf(config, named);
  const service = deployment.services.find((one) => one.name === name);
  if (service === undefined) throw new NinesError("NINES_NAME_UNKNOWN", `${name} is no service.`);
  const demand = demandOf(service, options);
  const { needed } = demand;
  const question: PlanQuestion = {
    deployment,
    rates,
    costs: config.costs ?? usualCosts,
    service: name,
    needed,
    unavailabilityMax: 1 - options.target,
    bounds: {
      instancesMax: options.instances ?? instancesTried(needed),
      machinesMax: options.machines,
      zonesMax: options.zones,
      gatewaysMax: options.gateways ?? deployment.gateway?.machines.length ?? 1,
    },
  };
  const planned = findPlan(question);
  const prediction = predictionOf(question, planned);
  const { chosen, deployment: built } = planned;
  const why = whyNotSimulated(service, planned);
  const simulated =
    chosen === undefined || built === undefined || options.years === 0 || why !== undefined
      ? null
      : await simulatedFor({
          config: withChoice(config, name, chosen.choice),
          deployment: built,
          rates,
          service: name,
          years: options.years,
          seed: options.seed,
        });
  const report = planReport(planned, {
    service: name,
    unavailabilityMax: question.unavailabilityMax,
    loadPerSecond: demand.loadPerSecond ?? null,
    latency: options.latency ?? null,
    neededWhy: demand.why,
    interval: prediction?.unavailability ?? null,
    latencyMs: latencies(demand, planned, options.latency),
    simulated,
    change:
      chosen === undefined || built === undefined
        ? ""
        : changeInFile(written, name, {
            choice: chosen.choice,
            deployment: built,
            loadPerSecond: options.load,
          }),
    cautions: [
      ...(prediction?.cautions ?? []),
      ...cautionsOf(service, demand, planned),
      ...(why === undefined ? [] : [`it was not simulated: ${why}`]),
    ],
  });
  process.stdout.write(
    options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : renderPlan(report),
  );
  return chosen === undefined ? exitCode.failed : exitCode.done;
}

/** Twice the needed survive the loss of one of two zones. */
function instancesTried(needed: number): number {
  return Math.max(needed + 8, Math.min(2 * needed + 2, needed + 50));
}

/** The choice lives through years with the control that would run it. */
async function simulatedFor(asked: {
  readonly config: Config;
  readonly deployment: Deployment;
  readonly rates: Rates;
  readonly service: string;
  readonly years: number;
  readonly seed: number;
}): Promise<SimulatedReport | null> {
  const { years, seed } = asked;
  const progress = createProgress(years);
  const { services, confidence } = await simulateFile({ ...asked, onProgress: progress.done });
  progress.end();
  const found = services.find(({ name }) => name === asked.service);
  if (found === undefined) return null;
  return { years, seed, unavailability: found.unavailability, confidence };
}

/** What a file of today cannot say, no control of today can live through. */
function whyNotSimulated(
  { mode, instances }: PredictedService,
  { chosen }: Planned,
): string | undefined {
  if (chosen === undefined) return undefined;
  if (chosen.choice.gateways > 1) return "this version of Nines has one gateway";
  if (mode === "hot-standby") return "the file does not name the stand-ins yet";
  const isElsewhere = instances.every(({ kind }) => kind === "endpoint");
  return isElsewhere ? "the file does not have the endpoints yet" : undefined;
}

function onlyOf({ services }: Config, named: string | undefined): string {
  if (named !== undefined) return named;
  const [only, ...others] = services;
  if (only !== undefined && others.length === 0) return only.name;
  const names = services.map(({ name }) => name).join(", ");
  throw new NinesError("NINES_NAME_UNKNOWN", `Say for which service: ${names}.`);
}

interface Needs {
  readonly needed: number;
  readonly why: string;
  readonly loadPerSecond: number | undefined;
  readonly fit: LoadFit | undefined;
}

function demandOf(service: PredictedService, { load, latency }: PlanOptions): Needs {
  const { queue, name, needed } = service;
  if (queue === undefined) {
    if (load === undefined && latency === undefined) {
      const why = "the file says so, or says nothing of load and capacity";
      return { needed, why, loadPerSecond: undefined, fit: undefined };
    }
    const missing = load === undefined ? "the load (--load)" : "how much an instance serves";
    const how = `run \`nines load ${name}\`, or say predict.services.${name}.capacity`;
    throw new NinesError("NINES_PLAN_UNKNOWN", `Of ${name} ${missing} is not known: ${how}.`);
  }
  const fit = queue.fit ?? fitOfQueue(queue);
  const demand: Demand = { loadPerSecond: queue.loadPerSecond, latency };
  const found = neededFor(fit, demand);
  if (found.kind === "unreachable") {
    throw new NinesError("NINES_PREDICT_CONTRADICTION", `${found.why}.`);
  }
  const source = queue.fit === undefined ? "as the file says" : "as `nines load` measured";
  const [asked, each] = [queue.loadPerSecond, fit.capacityPerInstance].map((perSecond) => {
    return Math.round(perSecond).toLocaleString("en");
  });
  const quick =
    latency === undefined ? "" : `, ${sayPercent(latency.ratio)} within ${latency.limitMs} ms`;
  const why = `${asked} requests/s${quick}, and one serves ${each}/s, ${source}`;
  return { needed: found.instances, why, loadPerSecond: queue.loadPerSecond, fit };
}

function predictionOf({ rates, service }: PlanQuestion, { deployment }: Planned) {
  if (deployment === undefined) return undefined;
  const predictions: readonly ServicePrediction[] = predict(deployment, rates);
  return predictions.find(({ name }) => name === service);
}

function latencies(
  { fit, loadPerSecond, needed }: Needs,
  { chosen }: Planned,
  latency: Demand["latency"],
) {
  if (fit === undefined || loadPerSecond === undefined || latency === undefined) return null;
  if (chosen === undefined) return null;
  const within = (instances: number) => latencyMs(fit, latency.ratio, { loadPerSecond, instances });
  return { withAll: within(chosen.choice.instances), withNeeded: within(needed) };
}

function cautionsOf(
  { instances }: PredictedService,
  { fit }: Needs,
  { chosen }: Planned,
): readonly string[] {
  const cautions: string[] = [];
  if (fit !== undefined && !fit.isCapacityReached) {
    cautions.push("the load test did not reach an instance's capacity: fewer may be needed");
  }
  const isHere = instances.some(({ kind }) => kind === "process");
  if (isHere && chosen !== undefined && chosen.choice.machines > 1) {
    const machines = `${chosen.choice.machines} machines`;
    cautions.push(
      `this version of Nines runs its processes on one machine; ${machines} are a model`,
    );
  }
  return cautions;
}
