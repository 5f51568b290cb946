// What a service would do now, in sentences: for `nines explain failover SERVICE`.

import { sayDuration } from "../base/duration.ts";
import {
  candidateOf,
  type FailoverRules,
  type FailoverState,
  type Situation,
  sayEpoch,
} from "./failover.ts";

export function explainFailover(
  service: string,
  state: FailoverState,
  situation: Situation,
  rules: FailoverRules,
): readonly string[] {
  const { fit, preferred, maintenance, nowMs } = situation;
  const others = fit.filter((id) => id !== state.primary);
  const next = candidateOf(state, situation);
  const sentences = [nowOf(service, state, nowMs)];
  sentences.push(`It prefers ${preferred ?? "nobody, it has no instances"}.`);
  sentences.push(
    others.length === 0
      ? "Nobody else is fit: were the primary lost, requests would wait for it."
      : `Fit besides, in this order: ${others.join(", ")}.`,
  );
  if (maintenance) {
    sentences.push("In maintenance: nobody takes over by itself; `nines failover` moves it.");
  } else if (next !== undefined && state.phase !== "vacant") {
    sentences.push(
      `When its process ends, ${next} is promoted at once.`,
      `When it runs and its checks fail, it is cut off first${lastResort(situation, rules)}.`,
    );
  }
  sentences.push(failbackOf(state, situation, rules));
  return sentences;
}

function nowOf(service: string, state: FailoverState, nowMs: number): string {
  const { phase, primary, successor, deadlineMs, cause, epoch } = state;
  const within = deadlineMs === undefined ? "" : sayDuration(Math.max(0, deadlineMs - nowMs));
  switch (phase) {
    case "vacant":
      return `${service} has no primary: the last was ${primary ?? "nobody"}.`;
    case "serving":
      return `${primary} is primary of ${service} (epoch ${sayEpoch(epoch)}): ${cause}.`;
    case "holding":
      return `${primary} is primary of ${service}; ${successor} gets its place back in ${within}, if it stays well.`;
    case "switching":
      return `${primary} hands ${service} over to ${successor}, within ${within}: ${cause}.`;
    case "fencing":
      return `${primary ?? "Every instance"} of ${service} is cut off, ${within} are left: ${cause}.`;
  }
}

function lastResort({ killable }: Situation, { unfenced, fenceMs }: FailoverRules): string {
  if (killable && fenceMs === 0) return ", and killed";
  const late = `; if a worker has not said so within ${sayDuration(fenceMs)}, `;
  if (killable) return `${late}it is killed`;
  return (
    late + (unfenced === "promote" ? "another is promoted all the same" : "that is waited for")
  );
}

function failbackOf(
  state: FailoverState,
  { preferred }: Situation,
  { failback, minimumHealthyMs }: FailoverRules,
): string {
  if (state.pinned) return "An operator chose this primary: `nines failback` ends that.";
  if (failback === "manual") return `Only \`nines failback\` gives ${preferred} its place back.`;
  const hold = sayDuration(minimumHealthyMs);
  return `A preferred one that lost its place gets it back when it has been well for ${hold}.`;
}
