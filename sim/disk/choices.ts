// Ways to choose what a crash leaves: all of them where they are few, a fair spread where not.

import { assert } from "../../src/core/base/assert.ts";
import type { Random } from "../../src/core/base/prng.ts";
import type { Choose } from "./content.ts";

/**
 * A `Choose` for each outcome, depth first, at most `limit` of them: use each for one crash before
 * taking the next, for what it was asked tells which come after it.
 */
export function* enumerate(limit: number): Generator<Choose> {
  let taken: number[] = [];
  let ways: number[] = [];
  for (let outcome = 0; outcome < limit; outcome++) {
    let asked = 0;
    yield (count) => {
      const index = asked++;
      if (index === taken.length) taken.push(0);
      ways[index] = count;
      const choice = taken[index] ?? 0;
      assert(choice < count, "the same choices lead to the same questions");
      return choice;
    };
    ways = ways.slice(0, taken.length);
    while (taken.length > 0 && (taken.at(-1) ?? 0) + 1 >= (ways[taken.length - 1] ?? 0)) {
      taken.pop();
    }
    if (taken.length === 0) return;
    taken = taken.with(-1, (taken.at(-1) ?? 0) + 1);
  }
}

/** Mostly the oldest, mostly the newest, or an even mixture: each crash leans its own way. */
export function sample(random: Random): Choose {
  const leanings = [0, 0.1, 0.5, 0.9, 1];
  const newest = leanings[random.below(leanings.length)] ?? 0.5;
  return (ways) => {
    if (random.ratio() < newest) return ways - 1;
    return ways <= 1 ? 0 : random.below(ways - 1);
  };
}
