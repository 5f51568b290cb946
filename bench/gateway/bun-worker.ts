// The gateway's engine on Bun, as a program: PORT, and TABLE, the file with the routing table of
// the Nines that is measured beside it. No links, no board: a worker's data path and nothing else.

import { randomBytes } from "node:crypto";
import { loadTable } from "../../src/gateway/process/table-file.ts";
import { createEngine } from "../../src/gateway/engine/engine.ts";
import { connectOnBun, listenOnBun } from "./bun-wire.ts";

const table = loadTable(process.env["TABLE"] ?? "");
if (table === undefined) throw new Error("there is no routing table");
const engine = createEngine({
  worker: 1,
  table,
  onNotice: () => undefined,
  stickyKey: () => randomBytes(32),
  connect: connectOnBun,
});
listenOnBun(Number(process.env["PORT"]), (wire) => engine.acceptHttp(wire));
