// Quantities are read exactly or not at all, and what is printed reads back as the same.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  parseAddress,
  parseDuration,
  parsePercent,
  parseSize,
  printAddress,
  printDuration,
  printPercent,
  printSize,
} from "./units.ts";

const port = fc.integer({ min: 1, max: 65535 });

describe("durations", () => {
  it("are a number and a unit", () => {
    const cases: readonly [string, number | undefined][] = [
      ["500ms", 500],
      ["1s", 1000],
      ["1.5s", 1500],
      ["1.005s", 1005],
      ["2m", 120_000],
      ["0.25h", 900_000],
      ["7d", 604_800_000],
      ["0s", 0],
      ["5", undefined],
      ["", undefined],
      ["s", undefined],
      ["1 s", undefined],
      ["-1s", undefined],
      ["1e3s", undefined],
      [".5s", undefined],
      ["1S", undefined],
      ["1m30s", undefined],
    ];
    for (const [text, expected] of cases) assert.equal(parseDuration(text), expected, text);
  });

  it("that are no whole number of milliseconds are refused, not rounded", () => {
    assert.equal(parseDuration("0.0001s"), undefined);
    assert.equal(parseDuration("1.5ms"), undefined);
    assert.equal(parseDuration("99999999999999d"), undefined);
  });

  it("are printed as they would be written, and read back as the same", () => {
    assert.equal(printDuration(90_000), "90s");
    assert.equal(printDuration(120_000), "2m");
    assert.equal(printDuration(0), "0ms");
    fc.assert(
      fc.property(fc.maxSafeNat(), (ms) => {
        assert.equal(parseDuration(printDuration(ms)), ms);
      }),
    );
  });
});

describe("sizes", () => {
  it("tell 1024 from 1000", () => {
    assert.equal(parseSize("1KiB"), 1024);
    assert.equal(parseSize("1KB"), 1000);
    assert.equal(parseSize("1.5MiB"), 1_572_864);
    assert.equal(parseSize("2TiB"), 2 * 1024 ** 4);
    for (const text of ["1", "1K", "1G", "1Mi", "0.3B", "1kib", "KiB"]) {
      assert.equal(parseSize(text), undefined, text);
    }
  });

  it("are printed as they would be written, and read back as the same", () => {
    assert.equal(printSize(65536), "64KiB");
    assert.equal(printSize(100_000_000), "100000000B");
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        assert.equal(parseSize(printSize(bytes)), bytes);
      }),
    );
  });
});

describe("shares", () => {
  it("go from 0% to 100%", () => {
    assert.equal(parsePercent("60%"), 0.6);
    assert.equal(parsePercent("99.95%"), 0.9995);
    assert.equal(parsePercent("0%"), 0);
    assert.equal(parsePercent("100%"), 1);
    for (const text of ["101%", "60", "-1%", "%", "1e1%"]) {
      assert.equal(parsePercent(text), undefined, text);
    }
  });

  it("are printed without what binary fractions add", () => {
    assert.equal(printPercent(0.07), "7%");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (thousandths) => {
        const text = `${thousandths / 1000}%` as const;
        assert.equal(printPercent(parsePercent(text) ?? -1), text);
      }),
    );
  });
});

describe("addresses", () => {
  it("are a host and a port", () => {
    assert.deepEqual(parseAddress("10.0.0.7:80"), { host: "10.0.0.7", port: 80 });
    assert.deepEqual(parseAddress("Example.com:80"), { host: "example.com", port: 80 });
    assert.deepEqual(parseAddress("[FD00::1]:80"), { host: "fd00::1", port: 80 });
    assert.deepEqual(parseAddress(":80"), { host: "", port: 80 });
    const wrong = [
      "a",
      "a:",
      "a:0",
      "a:65536",
      "::1:80",
      "[::1]",
      "a b:80",
      "a:80/x",
      "http://a:80",
    ];
    for (const text of wrong) assert.equal(parseAddress(text), undefined, text);
  });

  it("are printed as they would be written, and read back as the same", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), port, (host, number) => {
        const address = { host: host.toLowerCase(), port: number };
        assert.deepEqual(parseAddress(printAddress(address)), address);
      }),
    );
  });
});
