// The versions of a service as `nines deploys --json` prints them and GET /v1/deploys answers: what
// the ledger says, and nothing of what a version is made of. Pure.

import type { Deploy } from "../../core/deploy/deploy.ts";
import type { Ledger, VersionOrigin } from "../../core/deploy/versions.ts";
import type { DeployReport } from "./report.ts";

export interface VersionReport {
  readonly version: number;
  readonly inForce: boolean;
  /** ISO 8601: when it was wanted first. */
  readonly at: string;
  readonly by: string;
  readonly how: VersionOrigin;
  /** What is not as in the version before it: names only, values may be secrets. */
  readonly changed: readonly string[];
  /** What came of its last deploy; "" while nothing did. */
  readonly outcome: string;
}

export interface DeploysReport {
  readonly service: string;
  readonly inForce: number;
  /** Oldest first. */
  readonly versions: readonly VersionReport[];
  /** The one under way, or the last one; null before the first. */
  readonly deploy: DeployReport | null;
}

export function deploysReport(service: string, ledger: Ledger): DeploysReport {
  return {
    service,
    inForce: ledger.inForce,
    versions: ledger.versions.map(({ number, wallMs, by, how, changed, outcome }) => {
      const at = new Date(wallMs).toISOString();
      return { version: number, inForce: number === ledger.inForce, at, by, how, changed, outcome };
    }),
    deploy: ledger.deploy === undefined ? null : deployReport(ledger.deploy),
  };
}

export function deployReport(deploy: Deploy): DeployReport {
  const { from, to, phase, step, settings, by, beganWallMs, why } = deploy;
  const since = new Date(beganWallMs).toISOString();
  return { from, to, phase, step, steps: settings.canary.length, by, since, why };
}
