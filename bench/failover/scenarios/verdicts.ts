// Whom Nines has blamed, by its own events.

import { type Contender } from "../scenario.ts";
import { Nines } from "../nines.ts";

const blaming: readonly string[] = ["instance.ejected", "instance.down", "failover.started"];

/** How many verdicts against an instance there were since the start; a peer does not tell. */
export async function blamed(contender: Contender): Promise<Readonly<Record<string, number>>> {
  if (!(contender instanceof Nines)) return {};
  const against = (await contender.events()).filter(({ kind }) => blaming.includes(kind));
  for (const { sentence } of against) console.log(`    ${sentence}`);
  return { blamed: against.length };
}
