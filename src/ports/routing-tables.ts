// How control hands the data plane its orders: whole immutable tables, each newer than the last.

import type { RoutingTable } from "../core/route/table.ts";

export interface RoutingTables {
  /**
   * Makes this the table in force: kept on disk as the last good one, and sent to the gateway's
   * parent and every worker that is connected. Versions only grow; an older one is ignored.
   * Never waits and never throws: a gateway that is away reads the kept one when it is back.
   */
  publish(table: RoutingTable): void;
}
