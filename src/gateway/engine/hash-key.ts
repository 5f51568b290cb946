// What a route hashes of a request (BalanceRule.hash), as 32 bits.
//
// A request without the header, cookie or query is led by its client's address, or all of them
// would go to one instance. Cookies are read as RFC 6265, section 4.2.1 writes them; of several
// with one name the first counts.

import { fnv1a32 } from "../../core/base/prng.ts";
import type { BalanceRule, HashedPart } from "../../core/route/table.ts";
import type { RequestHead } from "../http1/request-head.ts";

export function hashKeyOf(
  { part, name }: BalanceRule["hash"],
  bytes: Buffer,
  head: RequestHead,
  addressHash: number,
): number {
  if (part === "source") return addressHash;
  const hashed = textOf(part, name, bytes, head);
  return hashed === undefined || hashed === "" ? addressHash : fnv1a32(hashed);
}

function textOf(
  part: Exclude<HashedPart, "source">,
  name: string,
  bytes: Buffer,
  head: RequestHead,
): string | undefined {
  if (part === "header") return head.fields.find(bytes, name);
  if (part === "cookie") return cookieOf(head.fields.find(bytes, "cookie"), name);
  return targetPart(part, bytes, head);
}

function targetPart(part: "path" | "query", bytes: Buffer, head: RequestHead): string {
  const target = bytes.toString("latin1", head.pathFrom, head.pathTo);
  const mark = target.indexOf("?");
  if (mark < 0) return part === "path" ? target : "";
  return part === "path" ? target.slice(0, mark) : target.slice(mark + 1);
}

/** The value of the first cookie of that name. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
