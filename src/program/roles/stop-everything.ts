// The end of everything: the gateway drains and frees its ports, then the instances end in reverse
// order of dependsOn. Bounded: ten seconds in all, whatever the file says of graces, and at once
// when hurried. What is left by then is killed, each process checked by pid and start time first.

import { openBoard } from "../../gateway/process/board.ts";
import { identify } from "../../runtime/process-identity.ts";
import { inspect } from "../../state/inspect.ts";
import { signalExactly } from "./offices.ts";
import type { Parts } from "./parts.ts";

/** In all, less a margin for the kills and for ending ourselves. */
const STOP_MS_MAX = 9_000;
/** Of these the gateway's requests get at most this; the instances want some, too. */
const DRAIN_MS_MAX = 4_000;

/** A duty of the vault looks up after each file and each object. */
const DUTY_MS_MAX = 5_000;
/** From SIGKILL until control has seen it. */
const KILLED_MS = 1000;

export interface StopOptions {
  /** What the file says that requests under way may take. */
  readonly drainMs: number;
  /** Aborted by who cannot wait. */
  readonly hurried: AbortSignal;
  /** Called when the gateway has ended and before the instances do. */
  readonly onGatewayEnded?: () => void;
}

/** Resolves when nothing that Nines started is left. */
export async function stopEverything(parts: Parts, options: StopOptions): Promise<void> {
  const { clock, control, steward, vaultDuties } = parts;
  const endsMs = clock.monotonicMs() + STOP_MS_MAX;
  const leftMs = () => Math.max(0, endsMs - clock.monotonicMs());
  const within = (work: Promise<void>) => firstOf(work, leftMs(), options.hurried);
  endKeeper(parts);
  const dutyEnded = vaultDuties.stop(DUTY_MS_MAX);
  const drainMs = Math.min(options.drainMs, DRAIN_MS_MAX);
  if (!(await within(steward.stop(drainMs)))) killGateway(parts);
  options.onGatewayEnded?.();
  const instancesEnded = Promise.all([control.stop(leftMs()), dutyEnded]).then(() => undefined);
  if (await within(instancesEnded)) return;
  killInstances(parts);
  await firstOf(instancesEnded, KILLED_MS, new AbortController().signal);
}

/** Nobody shall start control again. */
export function endKeeper({ offices }: Pick<Parts, "offices">): void {
  const keeper = offices.keeper.holder();
  if (keeper?.alive === true) signalExactly(keeper.identity, "SIGKILL");
}

/** Parent first: it would replace the workers. */
export function killGateway({ offices, state }: Pick<Parts, "offices" | "state">): void {
  const parent = offices.gateway.holder();
  if (parent?.alive === true) signalExactly(parent.identity, "SIGKILL");
  const board = openBoard(state.gatewayBoard);
  for (const { identity } of board.lines()) signalExactly(identity, "SIGKILL");
  board[Symbol.dispose]();
}

function killInstances({ processes, state }: Parts): void {
  for (const { id, kept } of inspect(state, identify).instances) {
    processes.adopt(kept.process, id)?.signal("SIGKILL");
  }
}

/** Whether the work was done in time and nobody hurried us. */
async function firstOf(
  work: Promise<void>,
  withinMs: number,
  hurried: AbortSignal,
): Promise<boolean> {
  if (hurried.aborted || withinMs <= 0) {
    work.catch(() => undefined);
    return false;
  }
  let give: (inTime: false) => void = () => undefined;
  const late = new Promise<false>((resolve) => {
    give = resolve;
  });
  const timer = setTimeout(() => give(false), withinMs);
  const onHurry = () => give(false);
  hurried.addEventListener("abort", onHurry, { once: true });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
    hurried.removeEventListener("abort", onHurry);
  }
}
