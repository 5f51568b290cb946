// What a gateway process that starts may make of the table on disk: the latest promotion goes
// before an older table.
//
// A promotion is on disk before any worker hears of it. The table that tells of it comes after, and
// may be missing: the disk had no room for it, or who was to write it was killed. A worker that
// starts from the table before would send to the primary before, while its peers send to the new
// one. The promotion says who is right, and that its place was free when it was written: whoever
// was primary before gets nothing from those who heard of it (see failover-table.ts). So of such a
// service the promoted instance alone takes traffic. What cannot be read may name anybody: then
// nobody does, until control has spoken.
//
// Rejected: to remove a table that cannot be replaced. All services would then be without one, and
// a worker that starts could serve none.

import { NinesError } from "../base/errors.ts";
import type { RoutingTable, TableService } from "../route/table.ts";
import { type KeptFailover, readKeptFailover } from "./failover.ts";

const prefix = "failover/";

/** Where the latest promotion of a service is kept. */
export function promotionKey(service: string): string {
  return prefix + service;
}

/**
 * The table as the promotions that are kept want it, and a sentence for each service that it was
 * too old for. `read` is that of ports/records.ts.
 */
export function withPromotions(
  table: RoutingTable,
  read: (key: string) => unknown,
): { readonly table: RoutingTable; readonly says: readonly string[] } {
  const says: string[] = [];
  const services = table.services.map((service) => {
    if (service.mode !== "primary-standby") return service;
    const kept = readPromotion(service.name, read);
    if (kept === undefined || (kept !== "unreadable" && kept.epoch <= service.epoch)) {
      return service;
    }
    const primary = kept === "unreadable" ? undefined : kept.primary;
    const whom = primary === undefined ? "nobody" : `${primary} alone`;
    const why = primary === undefined ? "its latest promotion cannot be read" : "it was promoted";
    says.push(`the table on disk is too old for ${service.name}: ${whom} gets its traffic, ${why}`);
    const epoch = kept === "unreadable" ? service.epoch : kept.epoch;
    return { ...service, epoch, instances: withPrimary(service, primary) };
  });
  return { table: { ...table, services }, says };
}

function withPrimary(
  { instances }: TableService,
  primary: string | undefined,
): TableService["instances"] {
  return instances.map((one) => ({ ...one, verdict: one.id === primary ? "up" : "standby" }));
}

function readPromotion(
  service: string,
  read: (key: string) => unknown,
): KeptFailover | "unreadable" | undefined {
  let value: unknown;
  try {
    value = read(promotionKey(service));
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    return "unreadable";
  }
  return value === undefined ? undefined : (readKeptFailover(value) ?? "unreadable");
}
