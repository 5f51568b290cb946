// Health checks as they are really made: over a socket, by gRPC, or by running a command.

import type { Probes } from "../ports/probe.ts";
import { createCommandProbe } from "./command-probe.ts";
import { probeGrpc } from "./grpc-probe.ts";
import { probeSocket } from "./socket-probe.ts";

export function createProbes(): Probes {
  const probeCommand = createCommandProbe();
  return {
    probe(target, request) {
      switch (request.kind) {
        case "tcp":
        case "http":
          return probeSocket(target, request);
        case "grpc":
          return probeGrpc(target, request);
        case "command":
          return probeCommand(request);
      }
    },
  };
}
