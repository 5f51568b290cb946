// Who may act: at most one holder of a named office, each with a larger number than all before.
//
// The number is the term and the fencing token: whoever meets a larger one has been replaced and
// stops. Held by being alive (pid and start time), so `kill -9` frees it at once. Embedded on one
// machine: a file `term-N` made with O_EXCL; the largest N is the holder; N+1 may be claimed only
// when the holder of N is dead. Rejected: flock (Node has none), a lock file that is removed and
// made again (two takers can remove each other's).

import type { ProcessIdentity } from "./processes.ts";

export interface TermHolder {
  readonly term: number;
  readonly identity: ProcessIdentity;
  readonly alive: boolean;
}

export interface TermClaims {
  /** The newest holder, dead or alive; undefined when nobody ever held the office. */
  holder(): TermHolder | undefined;
  /**
   * Takes the next term if the newest holder is dead, or if it is `instead`'s term (a holder that
   * hands over on purpose names itself). Returns the term taken, or undefined when somebody else
   * lives or was quicker. Claimed for `identity` (ourselves by default).
   */
  claim(identity?: ProcessIdentity, instead?: number): number | undefined;
}
