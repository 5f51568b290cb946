// Which services start before which: layers of a dependency graph (Kahn, 1962). A service starts
// when each that it depends on has one instance that is ready; stopping goes the other way round.
//
// One ready instance is enough, not all of `replicas.min`: a dependency that serves with one of
// three serves, and a dependent that waits for the other two would turn a part's failure into its
// own. Only starting waits. What runs is not ended because its dependency went away: it may well
// serve from its cache, and its own checks say whether it does.

import { assert } from "../base/assert.ts";

export interface OrderedService {
  readonly name: string;
  /** Names of services in the same list; the configuration refuses others, and cycles. */
  readonly dependsOn: readonly string[];
}

/** Names in layers: each depends only on earlier layers; within one in the order given. */
export function startLayers(services: readonly OrderedService[]): readonly (readonly string[])[] {
  const placed = new Set<string>();
  const layers: string[][] = [];
  let rest = services;
  while (rest.length > 0) {
    const free = rest.filter((service) => service.dependsOn.every((name) => placed.has(name)));
    assert(free.length > 0, "dependsOn names known services and has no cycle");
    const layer = free.map((service) => service.name);
    layers.push(layer);
    for (const name of layer) placed.add(name);
    rest = rest.filter((service) => !placed.has(service.name));
  }
  return layers;
}

/**
 * The first dependency that is not ready, in the order of the file; undefined when it may start.
 */
export function waitsFor(
  service: OrderedService,
  isReady: (name: string) => boolean,
): string | undefined {
  return service.dependsOn.find((name) => !isReady(name));
}
