// Random: each instance is as likely as the next, whatever its weight.
//
// Stateless, so many workers that know nothing of each other spread as well as one. The longest of
// n queues grows as ln n / ln ln n (Mitzenmacher, "The Power of Two Choices", 2001): least-request
// is better wherever counting is possible.

import type { Balancer } from "./balancer.ts";

export function createRandom(random: () => number): Balancer {
  return {
    choose: (candidates, count) => candidates[Math.floor(random() * count)] as number,
    forget: () => {},
  };
}
