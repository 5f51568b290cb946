// What the formulas and the simulator say of themselves, where the right answer is known.
//
// A chain of 104,976 states with one repair crew for all, at least 10 transitions each and numbered
// at random, so that nothing is near the diagonal: solved until what flows into each state flows
// out again. The same generator at 1,944 states can be eliminated, which is exact, state by state.
// And two of three that each fail and come back by themselves: simulated, with control and its
// checks, and by the binomial sum.

import { cpuUsage, nextTick } from "node:process";
import { simulateYears } from "../../sim/years/simulate-years.ts";
import { exactly, twoOfThree } from "../../sim/years/two-of-three.ts";
import { sharedCrew } from "../../src/core/model/markov/shared-crew.ts";
import { steadyState } from "../../src/core/model/markov/steady-state.ts";
import { type Figure, figure } from "../shared/figures.ts";

const manyKinds = [2, 2, 2, 2, 2, 2, 2, 2, 3, 3];
const fewKinds = [2, 2, 2, 2, 2, 7];
const crew = 2;
/** How much rarer failures are than repairs: the last is the hardest for the solver. */
const failureRatios = [1e-6, 1e-3, 0.05];
const residualMax = 1e-10;
const secondsMax = 10;
const differenceMax = 1e-9;

export function largeChain(): readonly Figure[] {
  let [residual, seconds, states] = [0, 0, 0];
  for (const failureRatio of failureRatios) {
    const chain = sharedCrew(manyKinds, crew, failureRatio);
    const before = cpuUsage();
    const solved = steadyState(chain);
    seconds = Math.max(seconds, secondsSince(before));
    residual = Math.max(residual, solved.residual);
    states = chain.size;
  }
  const name = `chain of ${states.toLocaleString("en")} states`;
  const note = `the worst of failures ${failureRatios.join(", ")} times as often as repairs`;
  return [
    figure({ name: `${name}, residual`, value: residual, unit: "", bar: residualMax, note }),
    figure({ name: `${name}, solved in`, value: seconds, unit: "s of CPU", bar: secondsMax }),
    smallChain(),
  ];
}

function smallChain(): Figure {
  const chain = sharedCrew(fewKinds, crew, 1e-3);
  const exact = steadyState(chain, { method: "elimination" }).probabilities;
  const { probabilities } = steadyState(chain, { method: "multilevel" });
  let value = 0;
  for (const [state, p] of exact.entries()) {
    value = Math.max(value, Math.abs((probabilities[state] as number) / p - 1));
  }
  const name = `the same with ${chain.size.toLocaleString("en")} states, off elimination by`;
  return figure({ name, value, unit: "of a probability", bar: differenceMax });
}

/** By how much of its bound of 99 % the simulated unavailability is off the exact one. */
export async function agreement(years: number): Promise<Figure> {
  const [everyHours, repairHours] = [8_766, 168];
  const boundary = (): Promise<void> => new Promise((resolve) => nextTick(resolve));
  const before = cpuUsage();
  const subject = twoOfThree(everyHours, repairHours);
  const { services, faults } = await simulateYears({ ...subject, years, seed: 1, boundary });
  const seconds = secondsSince(before).toFixed(1);
  const down = services[0]?.down;
  const exact = exactly(everyHours, repairHours);
  if (down === undefined) throw new Error("one service was simulated");
  const reach = exact > down.value ? down.upper - down.value : down.value - down.lower;
  const [at, from, to] = [down.value, down.lower, down.upper].map((one) => one.toPrecision(4));
  const note = `exactly ${exact.toPrecision(4)}; simulated ${at}, ${from} to ${to}; ${faults} faults in ${seconds} s`;
  const name = `2 of 3 over ${years.toLocaleString("en")} years`;
  const value = Math.abs(exact - down.value) / reach;
  return figure({ name, value, unit: "of its bound", bar: 1, note });
}

function secondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = cpuUsage(before);
  return (user + system) / 1e6;
}
