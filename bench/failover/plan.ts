// All scenarios, in the order in which each lane runs them.

import type { Nines } from "./nines.ts";
import type { Scenario } from "./scenario.ts";
import { allSlower } from "./scenarios/all-slow.ts";
import { allCoresBusy } from "./scenarios/busy-machine.ts";
import { drain, reload } from "./scenarios/changes.ts";
import { deploy, failingDeploy } from "./scenarios/deploy.ts";
import { oneHangingNowAndThen, oneRefusingNowAndThen } from "./scenarios/flapping.ts";
import { instanceKilled } from "./scenarios/instance-killed.ts";
import { oneFailing, oneSlower } from "./scenarios/instance-sick.ts";
import { fastInstanceStopped, slowInstanceStopped } from "./scenarios/instance-stopped.ts";
import {
  connectionShare,
  controlKept,
  controlKilled,
  controlStopped,
  loggingWithoutControl,
  parentKilled,
  workerKilled,
  workerStopped,
} from "./scenarios/own-processes.ts";
import { primaryKilled, primaryStopped } from "./scenarios/primary-standby.ts";

/** Those in which the peers take part. */
export const compared: readonly Scenario[] = [
  instanceKilled,
  reload,
  drain,
  fastInstanceStopped,
  slowInstanceStopped,
  oneSlower,
  oneFailing,
  allSlower,
  primaryKilled,
  primaryStopped,
  oneHangingNowAndThen,
];

/** Those of which a peer has nothing to show, and one that would only make the run longer. */
export const ninesOnly: readonly Scenario<Nines>[] = [
  workerKilled,
  workerStopped,
  connectionShare,
  allCoresBusy,
  controlKilled,
  controlStopped,
  parentKilled,
  loggingWithoutControl,
  controlKept,
  oneRefusingNowAndThen,
  deploy,
  failingDeploy,
];
