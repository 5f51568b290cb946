// Layers of dependencies.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type OrderedService, startLayers, waitsFor } from "./start-order.ts";

function service(name: string, ...dependsOn: readonly string[]): OrderedService {
  return { name, dependsOn };
}

test("what depends on nothing starts first, in the order of the file", () => {
  const services = [service("web", "api"), service("db"), service("api", "db"), service("mail")];
  assert.deepEqual(startLayers(services), [["db", "mail"], ["api"], ["web"]]);
});

test("a cycle never gets here, and ends the program if it does", () => {
  assert.throws(() => startLayers([service("a", "b"), service("b", "a")]), /no cycle/);
});

test("it waits for the first dependency that is not ready", () => {
  const web = service("web", "db", "cache");
  assert.equal(
    waitsFor(web, () => true),
    undefined,
  );
  assert.equal(
    waitsFor(web, (name) => name === "db"),
    "cache",
  );
  assert.equal(
    waitsFor(web, () => false),
    "db",
  );
});

test("every service is in one layer, after all that it depends on", () => {
  // An acyclic graph: each service depends only on some of those before it.
  const graph = fc
    .array(fc.array(fc.nat(20), { maxLength: 4 }), { maxLength: 20 })
    .map((rows) =>
      rows.map((row, index) =>
        service(`s${index}`, ...new Set(row.filter((to) => to < index).map((to) => `s${to}`))),
      ),
    );
  fc.assert(
    fc.property(graph, (services) => {
      const layers = startLayers(services);
      const layerOf = new Map(layers.flatMap((names, at) => names.map((name) => [name, at])));
      assert.equal(layers.flat().length, services.length);
      for (const { name, dependsOn } of services) {
        for (const on of dependsOn) assert.ok(Number(layerOf.get(on)) < Number(layerOf.get(name)));
      }
    }),
  );
});
