// A line tells what its fields promise, is one line whatever a client sends, and holds no secret.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { AccessLogPolicy } from "../../core/route/table.ts";
import { Writer } from "../http1/writer.ts";
import { type AccessEntry, accessFields, LoggedHead, writeAccessLine } from "./access-line.ts";

const texts = {
  method: "GET",
  target: "/cart?token=s3cret",
  host: "shop.example.com",
  referer: "https://shop.example.com/?session=s3cret",
  userAgent: "curl/8",
};

/** As a client sends it: each character is a byte. */
function headOf(sent: Partial<typeof texts>, minorVersion = 1): LoggedHead {
  const { method, target, host, referer, userAgent } = { ...texts, ...sent };
  const taken = new LoggedHead();
  taken.minorVersion = minorVersion;
  for (const text of [method, target, host, referer, userAgent]) {
    const bytes = Buffer.from(text, "latin1");
    taken.add(bytes, 0, bytes.length);
  }
  return taken;
}

function accessLine(written: AccessEntry, policy: Pick<AccessLogPolicy, "format" | "query">) {
  const out = new Writer(64);
  let line = "";
  writeAccessLine(out, written, policy);
  out.flush({ write: (bytes) => (line = Buffer.from(bytes).toString()) !== "" });
  return line;
}

const head = headOf({});
const entry: AccessEntry = {
  head,
  client: "192.0.2.7",
  protocol: "http",
  wallMs: Date.UTC(2026, 10, 21, 9, 8, 7, 65),
  durationMs: 12.34567,
  waitedMs: 0.25,
  status: 200,
  receivedBytes: 120,
  sentBytes: 4_096,
  route: "/*",
  service: "shop",
  instance: "shop-2",
  tries: 1,
  why: undefined,
};
const read = (line: string) => JSON.parse(line) as Record<string, unknown>;

describe("a line as JSON", () => {
  it("has the documented fields in their order", () => {
    assert.deepEqual(
      Object.keys(read(accessLine(entry, { format: "json", query: false }))),
      Object.keys(accessFields),
    );
  });

  it("tells the request", () => {
    assert.deepEqual(read(accessLine(entry, { format: "json", query: false })), {
      at: "2026-11-21T09:08:07.065Z",
      client: "192.0.2.7",
      protocol: "HTTP/1.1",
      method: "GET",
      host: "shop.example.com",
      path: "/cart",
      status: 200,
      durationMs: 12.346,
      waitedMs: 0.25,
      receivedBytes: 120,
      sentBytes: 4096,
      route: "/*",
      service: "shop",
      instance: "shop-2",
      tries: 1,
      reason: null,
      state: "--",
      referer: "https://shop.example.com/",
      userAgent: "curl/8",
    });
  });

  it("tells why it ended otherwise, in our word and in HAProxy's", () => {
    const failed = { ...entry, status: 504, why: "ANSWER_TIMEOUT" } as const;
    const { status, reason, state } = read(accessLine(failed, { format: "json", query: false }));
    assert.deepEqual([status, reason, state], [504, "ANSWER_TIMEOUT", "sH"]);
  });

  it("says null of what is not known: a refused head, a tcp connection", () => {
    const refused = { ...entry, head: undefined, route: "", service: "", instance: "" };
    const line = read(accessLine(refused, { format: "json", query: false }));
    for (const name of ["method", "host", "path", "route", "service", "instance", "userAgent"]) {
      assert.equal(line[name], null, name);
    }
    const tcp = read(
      accessLine({ ...refused, protocol: "tcp", status: 0 }, { format: "json", query: false }),
    );
    assert.deepEqual([tcp["protocol"], tcp["status"]], ["tcp", null]);
  });
});

describe("names and addresses in a line", () => {
  const json = { format: "json", query: false } as const;

  it("are told as they are, an address also of IPv6, and null where none is known", () => {
    for (const client of ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "fe80::1%eth0"]) {
      assert.equal(read(accessLine({ ...entry, client }, json))["client"], client);
    }
    assert.equal(read(accessLine({ ...entry, client: "" }, json))["client"], null);
  });

  it("are no order to a terminal, as little as what clients send", () => {
    const route = "a\u001b[1m b\u007f c\u0085 d\u009b2J é €";
    const line = accessLine({ ...entry, route }, json);
    assert.doesNotMatch(line.slice(0, -1), /\p{Cc}/u);
    assert.equal(read(line)["route"], route);
  });

  it("are quoted once, from however many clients requests come", (context) => {
    accessLine(entry, json);
    const quoting = context.mock.method(JSON, "stringify");
    for (let index = 0; index < 3_000; index++) {
      accessLine({ ...entry, client: `198.51.${index >> 8}.${index & 255}` }, json);
    }
    assert.equal(quoting.mock.callCount(), 0);
  });
});

describe("a line in combined form", () => {
  it("is Apache's", () => {
    assert.equal(
      accessLine(entry, { format: "combined", query: false }),
      '192.0.2.7 - - [21/Nov/2026:09:08:07 +0000] "GET /cart HTTP/1.1" 200 4096 ' +
        '"https://shop.example.com/" "curl/8"\n',
    );
  });

  it("has nginx' 499 for a client that has gone, and 000 where nothing was answered", () => {
    const statusOf = (numbers: Partial<AccessEntry>) =>
      accessLine({ ...entry, ...numbers }, { format: "combined", query: false }).split(" ")[8];
    assert.equal(statusOf({ status: 0, why: "CLIENT_LEFT" }), "499");
    assert.equal(statusOf({ status: 0, why: "CUT" }), "000");
    assert.equal(statusOf({ status: 200, why: "CLIENT_LEFT_AMID" }), "200");
  });
});

describe("whatever a client sends", () => {
  const any = fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes).toString("latin1"));
  const sent = fc.record({ target: any, host: any, referer: any, userAgent: any });

  it("is one line, and reads back", () => {
    fc.assert(
      fc.property(sent, fc.constantFrom(0, 1), (one, minorVersion) => {
        const written = { ...entry, head: headOf(one, minorVersion) };
        for (const format of ["json", "combined"] as const) {
          const line = accessLine(written, { format, query: true });
          assert.equal(line.indexOf("\n"), line.length - 1, "no line of its own");
        }
        const json = read(accessLine(written, { format: "json", query: true }));
        const told = [json["path"], json["host"], json["referer"], json["userAgent"]];
        const { target, host, referer, userAgent } = one;
        assert.deepEqual(
          told.map((text) => text ?? ""),
          [target, host, referer, userAgent],
        );
        const combined = accessLine(written, { format: "combined", query: true });
        assert.equal(combined.split('"').length, 7, "no quotes but the line's own");
      }),
    );
  });

  it("leaves what we name and count as it is", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
    const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const microseconds = fc.nat({ max: 1e12 });
    fc.assert(
      fc.property(name, bytes, microseconds, (route, sentBytes, us) => {
        const written = { ...entry, route, sentBytes, durationMs: us / 1000 };
        const line = read(accessLine(written, { format: "json", query: true }));
        const told = [line["route"], line["sentBytes"], line["durationMs"]];
        assert.deepEqual(told, [route, sentBytes, us / 1000]);
      }),
    );
  });

  it("is no order to a terminal, and no line to who takes U+0085 for a line's end", () => {
    const userAgent = "a\u001b[1m b\u007f c\u0085 d\u009b2J";
    const written = { ...entry, head: headOf({ userAgent }) };
    for (const format of ["json", "combined"] as const) {
      const line = accessLine(written, { format, query: false });
      assert.doesNotMatch(line.slice(0, -1), /\p{Cc}/u, format);
    }
    const json = read(accessLine(written, { format: "json", query: false }));
    assert.equal(json["userAgent"], userAgent);
  });

  it("a query is told only where it is asked for", () => {
    for (const format of ["json", "combined"] as const) {
      assert.ok(!accessLine(entry, { format, query: false }).includes("s3cret"));
      assert.equal(accessLine(entry, { format, query: true }).split("s3cret").length, 3);
    }
  });

  it("is cut at a length", () => {
    const long = headOf({ target: `/${"x".repeat(1e6)}`, userAgent: "\x85".repeat(1e6) });
    for (const format of ["json", "combined"] as const) {
      assert.ok(accessLine({ ...entry, head: long }, { format, query: true }).length < 20_000);
    }
  });
});
