// Whether what a client owes comes fast enough: the slow-body and slow-read attacks' end.
//
// An idle timeout is no answer to a byte every now and then, and a fixed one for the whole ends
// honest large bodies on thin lines. So the average counts, over the time for which the client is
// the one that is waited for, after a grace: whoever has sent much may pause long, whoever sends
// nearly nothing holds on for the grace and no more. After Kestrel's MinRequestBodyDataRate and
// Apache's mod_reqtimeout (MinRate).

/** Kestrel's; a lost packet or two are repaired within it. */
export const PACE_GRACE_MS = 5_000;

export class Pace {
  /** Since when the client is waited for; NaN: it is not. */
  #sinceMs = Number.NaN;
  #fromBytes = 0;

  /** The client owes nothing at present. */
  rest(): void {
    this.#sinceMs = Number.NaN;
  }

  /** `bytes`: all that has come from the beginning, or has been taken. Asked every second or so. */
  isTooSlow(nowMs: number, bytes: number, minimumRate: number): boolean {
    if (Number.isNaN(this.#sinceMs)) {
      this.#sinceMs = nowMs;
      this.#fromBytes = bytes;
    }
    const forMs = nowMs - this.#sinceMs;
    return forMs >= PACE_GRACE_MS && (bytes - this.#fromBytes) * 1000 < minimumRate * forMs;
  }
}
