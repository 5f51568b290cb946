// What still runs, told from the state directory alone: for `nines status` without control.
//
// Records say which processes were started; whether they live is asked of the kernel by pid and
// start time. Numbers (requests, latencies) are control's to count, and are zero here.

import { existsSync } from "node:fs";
import { openBoard } from "../../gateway/process/board.ts";
import { identify, isRunning } from "../../runtime/process-identity.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { inspect, type RecordedInstance } from "../../state/inspect.ts";
import { readVersion } from "../version.ts";
import type { InstanceReport, ServiceReport, StatusReport, WorkerReport } from "./report.ts";

export function inspectState(state: StateDirectory): StatusReport {
  const { control, gateway, instances } = inspect(state, identify);
  const alive = control?.alive === true;
  const parent = gateway?.alive === true ? gateway : undefined;
  const workers = workersOf(state);
  return {
    nines: readVersion(),
    at: new Date().toISOString(),
    file: null,
    stateDirectory: state.path,
    control: {
      state: alive ? "not-answering" : "not-running",
      pid: alive ? control.identity.pid : null,
      term: control?.term ?? null,
      since: null,
    },
    gateway:
      parent === undefined && workers.length === 0
        ? null
        : {
            addresses: [],
            parent: parent === undefined ? null : { pid: parent.identity.pid, term: parent.term },
            workers,
            tableVersion: 0,
          },
    services: serviceReports(instances),
    backup: null,
    incidents: [],
  };
}

/** Each worker keeps a line about itself on the board, connections included. */
function workersOf(state: StateDirectory): readonly WorkerReport[] {
  // Looking makes nothing: where there never was a gateway there is no board.
  if (!existsSync(state.gatewayBoard)) return [];
  const board = openBoard(state.gatewayBoard);
  try {
    const lines = board.lines().filter(({ identity }) => isRunning(identity));
    return lines.map(({ worker, identity, open, draining }) => ({
      worker,
      pid: identity.pid,
      state: draining ? "draining" : "serving",
      connections: open,
      tableVersion: 0,
      residentBytes: 0,
      since: null,
    }));
  } finally {
    board[Symbol.dispose]();
  }
}

/** What of Nines still runs, by name and pid; this process is left out. */
export function whatRuns(state: StateDirectory): readonly string[] {
  const { control, keeper, gateway, backup, instances, damaged } = inspect(state, identify);
  const processes = [
    ...damaged.map((id) => ({ name: id, alive: true, pid: "unknown, its record is damaged" })),
    ...Object.entries({ control, keeper, gateway, backup }).map(([name, holder]) => {
      return { name, alive: holder?.alive === true, pid: holder?.identity.pid };
    }),
    // In the moment between two parents they are all that is left of the gateway.
    ...workersOf(state).map(({ worker, pid }) => ({ name: `worker ${worker}`, alive: true, pid })),
    ...instances.map(({ id, alive, kept }) => ({ name: id, alive, pid: kept.process.pid })),
  ];
  return processes
    .filter(({ alive, pid }) => alive && pid !== process.pid)
    .map(({ name, pid }) => `${name} (pid ${pid})`);
}

function serviceReports(instances: readonly RecordedInstance[]): readonly ServiceReport[] {
  const names = [...new Set(instances.map(({ kept }) => kept.service))];
  return names.map((name) => {
    const mine = instances.filter(({ kept }) => kept.service === name);
    return {
      name,
      kind: "command",
      mode: "active-active",
      primary: null,
      epoch: 0,
      maintenance: false,
      up: mine.filter(({ alive }) => alive).length,
      wanted: mine.length,
      requestsPerSecond: 0,
      errorsPerSecond: 0,
      p50Ms: null,
      p99Ms: null,
      errors: 0,
      retries: 0,
      queued: 0,
      concurrency: null,
      version: null,
      deploy: null,
      restarts: mine.reduce((sum, { kept }) => sum + kept.restarts, 0),
      instances: mine.map(instanceReport),
      removed: [],
    };
  });
}

function instanceReport({ id, kept, alive }: RecordedInstance): InstanceReport {
  return {
    id,
    state: alive ? "alive" : "ended",
    why: alive ? "its process lives; nobody checks it now" : "its process has ended",
    since: null,
    pid: alive ? kept.process.pid : null,
    address: `127.0.0.1:${kept.port}`,
    requestsPerSecond: 0,
    errors: 0,
    restarts: kept.restarts,
    version: null,
    share: 1,
    weight: 1,
    weightBy: "file",
    forced: null,
    agent: null,
    added: false,
  };
}
