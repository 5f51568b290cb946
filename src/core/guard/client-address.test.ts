// One subscriber is one, however an address is written.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressGroup } from "./client-address.ts";

test("IPv4 by address, IPv6 by network", () => {
  assert.equal(addressGroup("192.0.2.7"), "192.0.2.7");
  assert.equal(addressGroup("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(addressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(addressGroup("2001:db8:1:2::1"), "2001:db8:1:2::/64");
  assert.equal(addressGroup("2001:db8::1"), "2001:db8:0:0::/64");
  assert.equal(addressGroup("::1"), "0:0:0:0::/64");
  assert.equal(addressGroup("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(addressGroup("1:2:3:4:5:6:7::"), "1:2:3:4::/64");
});

const group = fc.integer({ min: 0, max: 0xffff });

test("two addresses are one exactly when their first four groups are", () => {
  const eight = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(eight, eight, fc.boolean(), (first, second, sameNetwork) => {
      const other = sameNetwork ? [...first.slice(0, 4), ...second.slice(4)] : second;
      const equal = first.slice(0, 4).join() === other.slice(0, 4).join();
      assert.equal(addressGroup(written(first)) === addressGroup(written(other)), equal);
    }),
  );
});

/** As a socket writes it: the longest run of zeros left out. */
function written(groups: readonly number[]): string {
  const text = groups.map((one) => one.toString(16)).join(":");
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}
