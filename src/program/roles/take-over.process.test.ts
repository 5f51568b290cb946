// Taking over from a control that is gone: only by who gets its office.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openStateDirectory } from "../../state/directory.ts";
import { officesOf } from "./offices.ts";
import { stopWithoutControl } from "./take-over.ts";

test("who does not get the office leaves the sockets of who holds it alone", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nines-take-over-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const state = openStateDirectory(join(folder, "state"));
  // This process is control: it holds the office and listens for the gateway.
  assert.equal(officesOf(state).control.claim(), 1);
  const server = createServer((socket) => socket.destroy());
  server.listen(state.controlSocket);
  await once(server, "listening");
  t.after(() => server.close());
  await assert.rejects(
    stopWithoutControl(state, () => undefined),
    /Somebody else \(pid \d+\) has become control/,
  );
  await once(connect(state.controlSocket), "connect");
});
