// The gateway's two processes, put together. Their parts are in src/gateway; what they take from
// the state directory, and how one starts the other, is decided here.

import { createEngine } from "../../gateway/engine/engine.ts";
import { runParent } from "../../gateway/parent/parent.ts";
import { exitNow } from "../../gateway/process/host.ts";
import { type Launch, readLaunch } from "../../gateway/process/launch.ts";
import { runWorker } from "../../gateway/worker/worker.ts";
import { present } from "../../core/base/assert.ts";
import { createClock } from "../../runtime/clock.ts";
import { identify } from "../../runtime/process-identity.ts";
import { findStateDirectory } from "../../state/directory.ts";
import { createRecords } from "../../state/records.ts";
import { readVersion } from "../version.ts";
import { gatewayCommand, gatewayPaths } from "./gateway-places.ts";
import { officesOf } from "./offices.ts";

export async function runGatewayParent(words: readonly string[]): Promise<number> {
  const { state, ...common } = commonParts(words);
  await runParent({ ...common, workerCommand: gatewayCommand("worker", state) });
  return exitNow(0);
}

export async function runGatewayWorker(words: readonly string[]): Promise<number> {
  const { state, ...common } = commonParts(words);
  const parentCommand = gatewayCommand("parent", state);
  const records = createRecords(state.records);
  await runWorker({ ...common, parentCommand, records, createEngine });
  return exitNow(0);
}

/** The words are the state directory, and then what one gateway process tells another. */
function commonParts([path = "", ...words]: readonly string[]) {
  const state = findStateDirectory(path);
  const launch: Launch = present(readLaunch(words), "a gateway process starts with its launch");
  const offices = officesOf(state);
  return {
    state,
    launch,
    identity: offices.self,
    claims: offices.gateway,
    version: readVersion(),
    clock: createClock(),
    identify,
    paths: gatewayPaths(state),
  };
}
