// What a starter says on the command line, the started one reads; nothing else is taken.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readLaunch, sayAddress } from "./launch.ts";

describe("the arguments of a gateway process", () => {
  it("name its term, its number and the descriptors that it inherits", () => {
    const args = "--term 5 --worker 3 --listener 0.0.0.0:8080=3 --listener [::1]:8443=4";
    assert.deepEqual(readLaunch(args.split(" ")), {
      term: 5,
      worker: 3,
      listeners: [
        { host: "0.0.0.0", port: 8080, fd: 3 },
        { host: "::1", port: 8443, fd: 4 },
      ],
    });
    assert.deepEqual(readLaunch([]), { term: 0, worker: 0, listeners: [] });
  });

  it("are refused when they say anything else", () => {
    for (const args of ["--term", "--term x", "--term -1", "--what 1", "--listener 8080=3"]) {
      assert.equal(readLaunch(args.split(" ")), undefined, args);
    }
    assert.equal(readLaunch(["--listener", "::1:8443=4"]), undefined);
    assert.equal(readLaunch(["__proto__", "1"]), undefined);
  });

  it("say an IPv6 address in brackets", () => {
    assert.equal(sayAddress({ host: "::", port: 80 }), "[::]:80");
  });
});
