// The model that most services need: n instances of which k must be up, a repair crew, and a
// failover that does not always work.
//
// A failure that is *covered* interrupts for a short reconfiguration; one that is not interrupts
// until somebody restarts things by hand. Both are down time although enough instances are up,
// and usually more of it than all double failures together: with two instances of MTTF 5,000 h
// and coverage 0.9, 88 % (Heimann, Mittal, Trivedi 1990, 2.4-2.5, which this generalises to k of
// n). Nothing else fails and nothing is repaired during a reconfiguration or a manual restart; a
// failure that leaves fewer than k needs no failover, it is down at once.

import { requireCount, requireProbability, requireRate, requireSize } from "../checks.ts";
import { type Chain, exploreChain } from "./chain.ts";
import { type SteadyState, steadyState } from "./steady-state.ts";
import { type UpAndDown, upAndDown } from "./up-and-down.ts";

export interface RedundantServiceOptions {
  readonly instances: number;
  /** How many must be up. */
  readonly needed: number;
  /** Of one instance that is up. */
  readonly failureRate: number;
  /** Of one crew: 1 / the mean time to repair or restart an instance. */
  readonly repairRate: number;
  /** How many are repaired at once; all by default. */
  readonly crews?: number;
  /** Without it, a failover takes no time and always works. */
  readonly failover?: {
    /** The probability that a failure is handled automatically. */
    readonly coverage: number;
    /** 1 / the mean time of an automatic failover. */
    readonly reconfigurationRate: number;
    /** 1 / the mean time until somebody has brought the service back by hand. */
    readonly manualRate: number;
  };
}

export interface RedundantService extends UpAndDown {
  /** Fractions of time, which sum to the unavailability. */
  readonly because: {
    readonly reconfiguration: number;
    readonly uncovered: number;
    readonly tooFewInstances: number;
  };
  readonly chain: Chain;
  readonly states: readonly ServiceState[];
  readonly solved: SteadyState;
}

export interface ServiceState {
  readonly failed: number;
  readonly phase: "normal" | "reconfiguring" | "uncovered";
}

const instancesMax = 1_000;

export function redundantService(options: RedundantServiceOptions): RedundantService {
  check(options);
  const { chain, states } = exploreChain<ServiceState>({
    first: { failed: 0, phase: "normal" },
    key: ({ failed, phase }) => `${failed} failed, ${phase}`,
    next: (state) => transitionsOf(state, options),
  });
  const { instances, needed } = options;
  const enough = ({ failed }: ServiceState) => instances - failed >= needed;
  const isUp = (state: ServiceState) => state.phase === "normal" && enough(state);
  const solved = steadyState(chain);
  const fraction = (counts: (state: ServiceState) => boolean) =>
    states.reduce(
      (sum, state, at) => sum + (counts(state) ? (solved.probabilities[at] as number) : 0),
      0,
    );
  return {
    ...upAndDown(chain, (at) => isUp(states[at] as ServiceState), solved),
    because: {
      reconfiguration: fraction(({ phase }) => phase === "reconfiguring"),
      uncovered: fraction(({ phase }) => phase === "uncovered"),
      tooFewInstances: fraction((state) => state.phase === "normal" && !enough(state)),
    },
    chain,
    states,
    solved,
  };
}

function check(options: RedundantServiceOptions): void {
  requireCount(options.instances, "the number of instances", 1);
  requireSize(options.instances, instancesMax, "the number of instances");
  requireCount(options.needed, "the number of instances needed", 1, options.instances);
  requireRate(options.failureRate, "the failure rate");
  requireRate(options.repairRate, "the repair rate");
  requireCount(options.crews ?? options.instances, "the number of repair crews", 1);
  if (options.failover === undefined) return;
  requireProbability(options.failover.coverage, "the coverage");
  requireRate(options.failover.reconfigurationRate, "the reconfiguration rate");
  requireRate(options.failover.manualRate, "the rate of manual restarts");
}

function* transitionsOf(
  { failed, phase }: ServiceState,
  options: RedundantServiceOptions,
): Generator<{ readonly to: ServiceState; readonly rate: number }> {
  const { instances, needed, failureRate, repairRate, failover } = options;
  const normal = (count: number): ServiceState => ({ failed: count, phase: "normal" });
  if (failover !== undefined && phase !== "normal") {
    const { reconfigurationRate, manualRate } = failover;
    yield {
      to: normal(failed),
      rate: phase === "reconfiguring" ? reconfigurationRate : manualRate,
    };
    return;
  }
  if (failed > 0) {
    yield {
      to: normal(failed - 1),
      rate: Math.min(failed, options.crews ?? instances) * repairRate,
    };
  }
  if (failed === instances) return;
  const rate = (instances - failed) * failureRate;
  if (failover === undefined || instances - failed - 1 < needed) {
    yield { to: normal(failed + 1), rate };
    return;
  }
  const { coverage } = failover;
  if (coverage > 0)
    yield { to: { failed: failed + 1, phase: "reconfiguring" }, rate: rate * coverage };
  if (coverage < 1)
    yield { to: { failed: failed + 1, phase: "uncovered" }, rate: rate * (1 - coverage) };
}
