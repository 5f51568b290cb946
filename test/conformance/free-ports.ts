// The promises of ports/free-ports.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FreePorts } from "../../src/ports/free-ports.ts";

export function freePortsConformance(name: string, create: () => FreePorts): void {
  test(`${name}: each search finds another port, none of those taken`, async () => {
    const ports = create();
    const taken = new Set<number>();
    for (let count = 0; count < 20; count++) {
      const port = await ports.find(0, taken);
      assert.ok(Number.isInteger(port) && port > 1023 && port < 65_536);
      assert.ok(!taken.has(port));
      taken.add(port);
    }
  });

  test(`${name}: searches at the same time find different ports`, async () => {
    const ports = create();
    const none = new Set<number>();
    const found = await Promise.all(Array.from({ length: 10 }, () => ports.find(0, none)));
    assert.equal(new Set(found).size, found.length);
  });

  test(`${name}: the preferred port is kept while it is free and not taken`, async () => {
    const ports = create();
    const port = await ports.find(0, new Set());
    assert.equal(await ports.find(port, new Set()), port);
    assert.notEqual(await ports.find(port, new Set([port])), port);
  });
}
