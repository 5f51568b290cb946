// The same life simulated, many times over: the real control loops, detectors and dispatcher under
// a clock of their own, with the file, the rates and the measured times of starts.

import { live } from "../../sim/years/lifetime.ts";
import { type Incident, timesOf } from "../../src/core/incident/incident.ts";
import type { Rates, ServiceRates } from "../../src/core/predict/rates.ts";
import { loadConfigFile } from "../../src/program/config-file.ts";
import { describeFile, nothingKnown } from "../../src/program/predict/describe.ts";
import { type Life, timesIn } from "./life.ts";

export interface SimulateOptions {
  readonly file: string;
  /** Of the first life; others follow. Lives of other rounds are other lives. */
  readonly firstSeed: number;
  readonly lives: number;
  readonly lastsMs: number;
  readonly startsMs: readonly number[];
}

export async function simulate(options: SimulateOptions): Promise<readonly Life[]> {
  const { config } = await loadConfigFile(options.file);
  const { deployment, rates } = describeFile(config, nothingKnown);
  const subject = { config, deployment, rates: withStarts(rates, options.startsMs) };
  const lives: Life[] = [];
  const { firstSeed } = options;
  for (let seed = firstSeed; seed < firstSeed + options.lives; seed++) {
    const incidents = new Map<string, Incident>();
    const lifetime = await live({
      ...subject,
      seed,
      lastsMs: options.lastsMs,
      passesOver: false,
      boundary: () => new Promise((resolve) => setImmediate(resolve)),
      onWorld: (world) =>
        world.watchers.push({
          incidentChanged: (incident) => void incidents.set(incident.id, incident),
        }),
    });
    let [missingMs, timeMs, unansweredMs] = [0, 0, 0];
    for (const { sums, service } of lifetime.ledgers) {
      const places = service.instances.length;
      for (const [working, ms] of sums.byWorking) missingMs += (places - working) * ms;
      timeMs += sums.timeMs;
      unansweredMs += sums.unansweredMs;
    }
    const places = deployment.services[0]?.instances.length ?? 1;
    lives.push({
      missing: missingMs / (places * timeMs),
      ...timesIn([...incidents.values()].map(timesOf)),
      strikes: lifetime.strikes,
      unanswered: unansweredMs / timeMs,
    });
  }
  return lives;
}

/** Starts vary as they were measured to. */
function withStarts(rates: Rates, startsMs: readonly number[]): Rates {
  const count = startsMs.length;
  const meanMs = startsMs.reduce((sum, ms) => sum + ms, 0) / count;
  const squares = startsMs.reduce((sum, ms) => sum + (ms - meanMs) ** 2, 0);
  const variation = Math.max(0.01, Math.sqrt(squares / (count - 1)) / meanMs);
  const source = { kind: "measured", events: count, hours: 0 } as const;
  const start: ServiceRates["start"] = { kind: "lognormal", meanMs, variation, source };
  const services = Object.entries(rates.services).map(([name, one]) => [name, { ...one, start }]);
  return { ...rates, services: Object.fromEntries(services) as Rates["services"] };
}
