// Where the gateway's processes find each other in the state directory, and how they are started.

import type { GatewayPaths } from "../../gateway/process/paths.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { commandOf } from "./spawn.ts";

export function gatewayCommand(role: "parent" | "worker", state: StateDirectory) {
  return commandOf(`gateway-${role}`, [state.path]);
}

export function gatewayPaths(state: StateDirectory): GatewayPaths {
  return {
    tableFile: state.gatewayTable,
    boardFile: state.gatewayBoard,
    countersFile: state.gatewayCounters,
    stickyKeyFile: state.gatewayStickyKey,
    gatewaySocket: state.gatewaySocket,
    controlSocket: state.controlSocket,
    accessLogFile: state.accessLog,
    logFile: state.gatewayLog,
  };
}
