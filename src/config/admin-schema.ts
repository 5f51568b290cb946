// The admin API as it is written: `admin`. Without it the API is on its unix socket only.

import { z } from "zod";
import { field, flag, text } from "./fields.ts";
import { listenOn } from "./gateway-schema.ts";

const path = text("the path of a file", "admin.token", /^[^\0]{1,4096}$/);
const hostName = text("a host name without port", "nines.example.com", /^[a-z0-9_.-]{1,253}$/i);

/** What is proposed is what nobody else can reach. */
const adminAddress = listenOn(
  {
    accepts: "an address such as 127.0.0.1:9190 or [::1]:9190",
    example: '"127.0.0.1:9190"',
    json: { type: "string", pattern: "^.*:\\d{1,5}$" },
  },
  (port) => `Write "127.0.0.1:${port}", which this machine alone can reach.`,
  (port) => `Write an IP address of this machine, such as "127.0.0.1:${port}".`,
);

export const admin = z.strictObject({
  listen: field(adminAddress, {
    meaning:
      "Where the admin API listens beside its unix socket, as plain HTTP: `127.0.0.1:9190`. Every " +
      "request needs a token.",
    interaction: "An address that is not of this machine alone needs `allowRemote`.",
    see: ["admin.tokenFile", "admin.allowRemote"],
  }),
  tokenFile: field(path, {
    meaning:
      "The file with the token that may do everything: one word of 32 characters or more, such as " +
      "`openssl rand -hex 32` prints.",
    interaction:
      "It is refused when other users can read or change it. It is read again at each apply.",
  }),
  readTokenFile: field(path.optional(), {
    meaning: "The file with a token that may only look: for Prometheus, for a dashboard.",
    default: "none",
    see: ["admin.tokenFile"],
  }),
  allowRemote: field(flag().prefault(false), {
    meaning: "Listens also where other machines can reach it.",
    interaction:
      "The token crosses the network as it is: take a network of your own, or a TLS proxy before it.",
    source: "etcd and Docker refuse or warn of a plain TCP socket for the same reason.",
  }),
  hosts: field(
    z
      .array(hostName.transform((name) => name.toLowerCase()))
      .max(16)
      .prefault([]),
    {
      meaning: "Names by which it may be asked, beside addresses and localhost.",
      interaction: "Any other name in Host is refused: DNS rebinding brings one.",
    },
  ),
});

export type WrittenAdmin = z.output<typeof admin>;
