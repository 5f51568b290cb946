// How many connections a worker may take for the descriptors that it has.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { affordableConnections } from "./descriptors.ts";

const header = "Limit                     Soft Limit           Hard Limit           Units\n";
const openFiles = (soft: string) => `${header}Max open files            ${soft} 4096 files\n`;

describe("connections that descriptors suffice for", () => {
  it("are two descriptors each, after what the process needs itself", () => {
    assert.equal(affordableConnections(openFiles("1024                ")), 464);
  });

  it("are at least one, and unbounded where the machine sets or tells no bound", () => {
    assert.equal(affordableConnections(openFiles("20                  ")), 1);
    assert.equal(affordableConnections(openFiles("unlimited           ")), Infinity);
    assert.equal(affordableConnections(""), Infinity);
  });

  it("are known on this machine", () => {
    assert.ok(affordableConnections() >= 1);
  });
});
