// Slow start: what part of its share an instance gets that has just begun to take traffic. Its
// caches are cold and its code is not compiled yet: all of it at once may break it again.
//
// Two forms, by what they are asked for. HAProxy's `slowstart` is a straight line from the minimum
// to all of it. Envoy's (docs, load_balancing/slow_start.rst) is
//
//   max(minimum, (t / length)^(1 / aggression))
//
// above 1 fast at first and slow at the end, below 1 the other way round. Both give everything from
// `length` on, and never less as time goes on. HAProxy also ramps the limit of connections; here the
// limit stands, since a share of the traffic is what bounds them.

import type { RampCurve } from "../route/table.ts";

export interface Ramp extends RampCurve {
  /** 0: no ramp. */
  readonly lengthMs: number;
}

/** In (0, 1]. */
export function rampShare(sinceMs: number, { lengthMs, minimum, aggression }: Ramp): number {
  if (sinceMs >= lengthMs) return 1;
  const passed = sinceMs / lengthMs;
  if (aggression === 0) return minimum + (1 - minimum) * passed;
  return Math.max(minimum, passed ** (1 / aggression));
}
