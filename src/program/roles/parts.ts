// The parts that control is made of, in the order they depend on each other. Everything that
// reaches the world is chosen here and nowhere else; the simulator has a list of its own.

import { randomBytes } from "node:crypto";
import { VaultDuties } from "../../control/backup/duties.ts";
import { type Control, type ControlPorts, createControl } from "../../control/control.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Random } from "../../core/base/prng.ts";
import { openSteward, type Steward } from "../../gateway/steward/steward.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Processes } from "../../ports/processes.ts";
import type { Records } from "../../ports/records.ts";
import { createClock } from "../../runtime/clock.ts";
import { createDisk } from "../../runtime/disk.ts";
import { createEventLog, type EventLog, type RecordedEvent } from "../../runtime/event-log.ts";
import { createFreePorts } from "../../runtime/free-ports.ts";
import { openHeartbeats } from "../../runtime/heartbeats.ts";
import { closeInheritedDescriptors } from "../../runtime/inherited-descriptors.ts";
import { createLogRotation, type LogRotation } from "../../runtime/log-rotation.ts";
import { createAgents } from "../../runtime/agents.ts";
import { createProbes } from "../../runtime/probes.ts";
import { identify } from "../../runtime/process-identity.ts";
import { createProcesses } from "../../runtime/processes.ts";
import { createSystemRandom } from "../../runtime/random.ts";
import { findUser } from "../../runtime/users.ts";
import { createHistory, type DiskHistory } from "../../state/history.ts";
import type { FolderOwner, StateDirectory } from "../../state/directory.ts";
import { createRecords } from "../../state/records.ts";
import { createDutyPrograms } from "../backup/duty-programs.ts";
import { readVersion } from "../version.ts";
import { gatewayCommand, gatewayPaths } from "./gateway-places.ts";
import { type Offices, officesOf } from "./offices.ts";

export interface Parts {
  readonly state: StateDirectory;
  readonly version: string;
  readonly offices: Offices;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventLog;
  readonly history: DiskHistory;
  readonly records: Records;
  readonly processes: Processes;
  readonly heartbeats: Disposable;
  readonly logRotation: LogRotation;
  readonly steward: Steward;
  readonly control: Control;
  readonly vaultDuties: VaultDuties;
}

export interface AssembleOptions {
  readonly state: StateDirectory;
  readonly print: (event: RecordedEvent) => void;
}

export async function assemble({ state, print }: AssembleOptions): Promise<Parts> {
  closeInheritedDescriptors();
  const version = readVersion();
  const offices = officesOf(state);
  const clock = createClock();
  const { random } = createSystemRandom();
  const events = createEventLog({ file: state.eventLog, clock, print });
  const records = createRecords(state.records);
  const processes = createProcesses({ owner: state.id });
  const environment = ownEnvironment();
  const heartbeats = await openHeartbeats({
    socket: state.heartbeatSocket,
    secret: heartbeatSecret(records),
  });
  const logRotation = createLogRotation({ clock, events });
  const history = createHistory({ folder: state.history, disk: createDisk(), clock, events });
  // The gateway may have something to say before there is a control.
  let noted: Control["noted"] = () => undefined;
  const steward = await openSteward({
    version,
    clock,
    claims: offices.gateway,
    identify,
    paths: gatewayPaths(state),
    parentCommand: gatewayCommand("parent", state),
    events: {
      record(entry) {
        events.record(entry);
        noted(entry);
      },
    },
    onObservation: (observation) => control.observe(observation),
  });
  const control = createControl({
    term: offices.control.holder()?.term ?? 0,
    clock,
    random: random.stream("control"),
    processes,
    ...howInstancesAreAsked(),
    heartbeats,
    records,
    events,
    routingTables: steward,
    traffic: steward,
    workerReports: steward,
    history,
    freePorts: createFreePorts(random.stream("ports")),
    baseEnvironment: environment,
    logFileOf: (instance) => state.logFileOf(instance),
    dataFolderOf: (instance, user) => state.dataFolderOf(instance, ownerOf(user)),
  });
  noted = (entry) => control.noted(entry);
  const programs = createDutyPrograms(state, environment);
  const vaultDuties = new VaultDuties({ clock, events, records, processes, programs });
  return {
    state,
    version,
    offices,
    clock,
    random,
    events,
    history,
    records,
    processes,
    heartbeats,
    logRotation,
    steward,
    control,
    vaultDuties,
  };
}

function ownerOf(user: string | undefined): FolderOwner | undefined {
  return user === undefined ? undefined : findUser(user);
}

const secretKey = "heartbeat/secret";

/**
 * The same for every control of this state directory. Where it cannot be kept, the tokens of
 * instances that outlive this control are refused by the next; their files still count.
 */
function heartbeatSecret(records: Records): Uint8Array {
  const secret = randomBytes(32);
  try {
    const kept = records.read(secretKey);
    if (typeof kept === "string" && /^[0-9a-f]{64}$/.test(kept)) return Buffer.from(kept, "hex");
    records.write(secretKey, secret.toString("hex"));
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
  }
  return secret;
}

/** What every instance inherits; ours alone stays with us. */
function ownEnvironment(): Readonly<Record<string, string>> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith("NINES_")) inherited[name] = value;
  }
  return inherited;
}

function howInstancesAreAsked(): Pick<ControlPorts, "probes" | "agents"> {
  return { probes: createProbes(), agents: createAgents() };
}
