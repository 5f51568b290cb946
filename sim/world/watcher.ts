// What the checkers hear of the world, at the moment it happens. A watcher that is told of a broken
// promise says so by `World.violated`; it never changes anything.

import type { Outcome } from "../../src/core/dispatch/dispatcher.ts";
import type { Incident } from "../../src/core/incident/incident.ts";
import type { Observation } from "../../src/control/control.ts";
import type { EventEntry } from "../../src/ports/events.ts";
import type { RoutingTable } from "../../src/core/route/table.ts";
import type { RequestEnd } from "./client-request.ts";
import type { Program } from "./program.ts";
import type { Worker } from "./worker.ts";

export interface Attempt {
  readonly worker: Worker;
  readonly service: string;
  /** The instance that the worker chose, by its table. */
  readonly instance: string;
  /** Not the request's first. */
  readonly isRetry: boolean;
  /** Who really listens there. */
  readonly program: Program | undefined;
}

export interface Watcher {
  programStarted?(program: Program): void;
  /** Ready, stopped, going on, or ended. */
  programChanged?(program: Program): void;
  /** By control, and nobody else. */
  programSignalled?(program: Program, signal: "SIGTERM" | "SIGKILL"): void;
  attempted?(attempt: Attempt): void;
  attemptEnded?(worker: Worker, instance: string, result: Outcome, beganMs: number): void;
  requestEnded?(worker: Worker, request: RequestEnd): void;
  /** Control has kept an incident that has moved on. */
  incidentChanged?(incident: Incident): void;
  /** An event of control, as a person reads it. */
  recorded?(entry: EventEntry): void;
  /** What a worker has to say of an instance, whether control hears it or not. */
  noticed?(worker: Worker, notice: Observation): void;
  /** A worker follows another table, or learned that control is there or gone. */
  followed?(worker: Worker): void;
  /** By the control that runs. */
  published?(table: RoutingTable): void;
  /** A line for the trace: something has happened. */
  noted?(): void;
  /** Every 250 ms of true time. */
  looked?(): void;
}
