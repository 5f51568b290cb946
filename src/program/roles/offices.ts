// The offices of one state directory: control, the gateway's parent, control's keeper, and the
// vault's duty. Each has at most one holder (ports/term-claims.ts).

import { present } from "../../core/base/assert.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import { identify } from "../../runtime/process-identity.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { createTermClaims } from "../../state/term-claims.ts";

export interface Offices {
  readonly self: ProcessIdentity;
  readonly control: TermClaims;
  readonly gateway: TermClaims;
  readonly keeper: TermClaims;
  /** Of the one duty of the vault that is under way. */
  readonly backup: TermClaims;
}

export function officesOf(state: StateDirectory): Offices {
  const self = present(identify(process.pid), "this process runs");
  const office = (folder: string) => createTermClaims({ folder, self, identify });
  return {
    self,
    control: office(state.controlTerms),
    gateway: office(state.gatewayTerms),
    keeper: office(state.keeperTerms),
    backup: office(state.backup),
  };
}

/** Signals exactly this process, never one that merely got its pid; false when it is gone. */
export function signalExactly(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (identify(identity.pid)?.startTime !== identity.startTime) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}
