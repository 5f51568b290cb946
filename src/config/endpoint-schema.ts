// An instance that runs elsewhere, as it is written: `services.NAME.endpoints[]`.

import { z } from "zod";
import { LEVELS_MAX } from "../core/route/table.ts";
import { field, flag, integer, type Kind, Refusal, scalar, unlike, word } from "./fields.ts";
import { type Address, parseAddress } from "./units.ts";

const endpointAddressKind: Kind = {
  accepts: '"host:port"',
  example: '"10.0.0.7:8080" or "[::1]:8080"',
  json: { type: "string", pattern: "^.+:\\d{1,5}$" },
};

const endpointAddress = scalar<string, Address>(endpointAddressKind, (written) => {
  const address = typeof written === "string" ? parseAddress(written) : undefined;
  if (address !== undefined && address.host !== "") return address;
  if (typeof written === "string" && /^[A-Za-z0-9._-]+$/.test(written)) {
    return new Refusal(`"${written}" has no port`, `Write "${written}:8080", with the right port.`);
  }
  return unlike(endpointAddressKind, written);
});

export const endpoint = z.union([
  endpointAddress.transform((address) => ({
    address,
    weight: 1,
    backup: false,
    priority: undefined,
    zone: "",
  })),
  z.strictObject({
    address: field(endpointAddress, { meaning: '`"host:port"`; IPv6 addresses in brackets.' }),
    weight: field(integer(1, 256).prefault(1), {
      meaning: "Share of the traffic, relative to the other endpoints' weights.",
      interaction:
        "`round-robin`, `random` and `first` pass over it; the other ways to balance follow it.",
      see: ["gateway.routes[].balance"],
    }),
    backup: field(flag().prefault(false), {
      meaning: "Gets traffic only while no other endpoint of the service can.",
      source: "HAProxy `backup`.",
      interaction: "The same as `priority: 1`.",
      see: ["services.NAME.endpoints[].priority"],
    }),
    priority: field(integer(0, LEVELS_MAX - 1).optional(), {
      meaning:
        "The level that it belongs to. Traffic goes to level 0; to the next one when nobody of it can " +
        "take any, or, with `overProvisioning`, as much of it as the level cannot carry.",
      default: "0; 1 for a `backup`",
      source: "Envoy's priority levels.",
      see: ["services.NAME.overProvisioning"],
    }),
    zone: field(word("east").optional(), {
      meaning: "Where it runs.",
      see: ["gateway.zone"],
      default: "none",
    }),
  }),
]);
