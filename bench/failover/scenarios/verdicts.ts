// Whom Nines has blamed, by its own events; a peer does not tell.

import { Nines } from "../nines.ts";
import type { Contender } from "../scenario.ts";

const blaming: readonly string[] = ["gateway.instance-ejected", "instance.down"];

/** When each verdict against an instance came since the start, by the wall clock. */
async function verdictsAtMs(contender: Contender): Promise<readonly number[]> {
  if (!(contender instanceof Nines)) return [];
  const against = (await contender.events()).filter(({ kind }) => blaming.includes(kind));
  return against.map(({ time }) => Date.parse(time));
}

/** How many there were. */
export async function blamed(contender: Contender): Promise<number> {
  return (await verdictsAtMs(contender)).length;
}

/** From a fault to the first one; NaN when there was none. */
export async function foundOutMs(contender: Contender, faultAtMs: number): Promise<number> {
  const later = (await verdictsAtMs(contender)).filter((atMs) => atMs >= faultAtMs);
  return later.length === 0 ? Number.NaN : Math.min(...later) - faultAtMs;
}
