// The promises that every run is watched for.

import { adoption } from "./adoption.ts";
import type { CreateChecker } from "./checker.ts";
import { deadInstance } from "./dead-instance.ts";
import { detectionBound } from "./detection-bound.ts";
import { deploying } from "./deploying.ts";
import { doubling } from "./doubling.ts";
import { drained } from "./drained.ts";
import { ejection } from "./ejection.ts";
import { failbackHold } from "./failback-hold.ts";
import { flapBound } from "./flap-bound.ts";
import { incidentCover } from "./incident-cover.ts";
import { incidentTruth } from "./incident-truth.ts";
import { onePrimary } from "./one-primary.ts";
import { patience } from "./patience.ts";
import { plannedEnd } from "./planned-end.ts";
import { promotion } from "./promotion.ts";
import { readiness } from "./readiness.ts";
import { restartIntensity } from "./restart-intensity.ts";
import { rightInstance } from "./right-instance.ts";
import { standIn } from "./stand-in.ts";
import { startOrder } from "./start-order.ts";
import { traffic } from "./traffic.ts";

export const checkers: readonly CreateChecker[] = [
  deadInstance,
  readiness,
  drained,
  rightInstance,
  incidentCover,
  incidentTruth,
  traffic,
  ejection,
  doubling,
  deploying,
  adoption,
  patience,
  detectionBound,
  plannedEnd,
  startOrder,
  restartIntensity,
  onePrimary,
  promotion,
  standIn,
  failbackHold,
  flapBound,
];
