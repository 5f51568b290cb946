// The access log as it is written: `gateway.accessLog`. What a line may hold is decided in
// gateway/engine/access-line.ts; here is which requests get one, and where it goes.

import { z } from "zod";
import { accessFormats } from "../core/route/table.ts";
import { choice, field, flag, integer, percent, size, text } from "./fields.ts";

const path = text("the path of a file", "access.log", /^[^\0]{1,4096}$/);

export const accessLog = z.strictObject({
  file: field(path.optional(), {
    meaning: "Where the lines go, from this file's folder. Its folder is made when it is missing.",
    default: "`logs/access.log` in the state directory",
  }),
  format: field(choice(accessFormats).prefault("json"), {
    meaning:
      "`json`: an object a line, with route, instance, times and the reason of whatever went otherwise. " +
      "`combined`: Apache's and nginx' form, for programs that know no other.",
  }),
  sample: field(percent().prefault("100%"), {
    meaning:
      "Share of the requests that is logged, of those that went well. A request that did not (5xx, " +
      "refused, broken off) is always logged. `0%` logs only these.",
    source: "HAProxy `option dontlog-normal`.",
  }),
  query: field(flag().prefault(false), {
    meaning: "Whether the query is logged, of the path and of the Referer.",
    interaction:
      "Queries hold tokens more often than one thinks. Authorization and cookies are never logged.",
  }),
  rotateAt: field(size("64KiB", "1TiB").prefault("64MiB"), {
    meaning: "A larger file is renamed to `FILE.1`, and another one begun.",
    see: ["gateway.accessLog.keep"],
  }),
  keep: field(integer(0, 100).prefault(3), {
    meaning: "Renamed files that are kept; older ones are deleted.",
    interaction:
      "The log takes up to `rotateAt` x (`keep` + 1), and what one second adds. Where nobody can " +
      "rename, a file ends at twice `rotateAt`, or 64 MiB above it.",
    see: ["gateway.accessLog.rotateAt"],
  }),
});

export type WrittenAccessLog = z.output<typeof accessLog>;
