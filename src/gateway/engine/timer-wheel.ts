// Deadlines for many connections at the price of a field write.
//
// A wheel of slots, one for each tick; a timer hangs in the slot of its deadline, or of the
// revolution's same slot when it is further away (Varghese and Lauck, 1987, scheme 6). Connections
// move their deadlines with every message and nearly never reach one: so a later deadline only
// changes the timer's field, and the timer moves when the wheel comes by. A timer never fires
// early, and at most two ticks late. Time comes in; the wheel has no clock.
//
// Rejected: setTimeout a connection (a list move and an object for each change), socket.setTimeout
// (one for each socket, restarted by each read).

export class Timer {
  /** Infinity while it is off. */
  deadlineMs = Infinity;
  readonly fire: (nowMs: number) => void;
  /** The wheel's own. */
  tick = Infinity;
  next: Timer | undefined = undefined;
  previous: Timer | undefined = undefined;

  constructor(fire: (nowMs: number) => void) {
    this.fire = fire;
  }

  /** Off, though it may still hang in the wheel. */
  stop(): void {
    this.deadlineMs = Infinity;
  }
}

export class TimerWheel {
  readonly #tickMs: number;
  readonly #slots: (Timer | undefined)[];
  readonly #due: Timer[] = [];
  /** The last tick that was handled. */
  #tick: number;

  constructor(options: {
    readonly tickMs: number;
    readonly slots: number;
    readonly nowMs: number;
  }) {
    this.#tickMs = options.tickMs;
    this.#slots = Array.from({ length: options.slots }, () => undefined);
    this.#tick = Math.floor(options.nowMs / options.tickMs);
  }

  /** Sets or moves the deadline. */
  schedule(timer: Timer, deadlineMs: number): void {
    timer.deadlineMs = deadlineMs;
    const tick = Math.ceil(deadlineMs / this.#tickMs);
    if (timer.tick <= tick) return;
    if (timer.tick !== Infinity) this.#unhang(timer);
    this.#hang(timer, deadlineMs);
  }

  /** Takes the timer out, for good or until it is scheduled again. */
  remove(timer: Timer): void {
    timer.deadlineMs = Infinity;
    if (timer.tick !== Infinity) this.#unhang(timer);
  }

  /** Fires what is due. Timers may be scheduled and removed meanwhile. */
  advance(nowMs: number): void {
    const last = Math.floor(nowMs / this.#tickMs);
    // After a long pause each slot still needs one visit only.
    this.#tick = Math.max(this.#tick, last - this.#slots.length);
    while (this.#tick < last) {
      this.#tick++;
      this.#visit(this.#tick % this.#slots.length, nowMs);
    }
  }

  #visit(slot: number, nowMs: number): void {
    const due = this.#due;
    for (let timer = this.#slots[slot]; timer !== undefined; ) {
      const next: Timer | undefined = timer.next;
      if (timer.deadlineMs <= nowMs) {
        this.#unhang(timer);
        due.push(timer);
      } else if (Math.ceil(timer.deadlineMs / this.#tickMs) > this.#tick) {
        this.#unhang(timer);
        if (timer.deadlineMs !== Infinity) this.#hang(timer, timer.deadlineMs);
      }
      timer = next;
    }
    // Whatever one of them does to another is seen: it is looked at again at its turn.
    for (const timer of due) {
      if (timer.deadlineMs > nowMs) continue;
      this.remove(timer);
      timer.fire(nowMs);
    }
    due.length = 0;
  }

  #hang(timer: Timer, deadlineMs: number): void {
    timer.tick = Math.max(Math.ceil(deadlineMs / this.#tickMs), this.#tick + 1);
    const slot = timer.tick % this.#slots.length;
    const first = this.#slots[slot];
    timer.previous = undefined;
    timer.next = first;
    if (first !== undefined) first.previous = timer;
    this.#slots[slot] = timer;
  }

  #unhang(timer: Timer): void {
    if (timer.previous !== undefined) timer.previous.next = timer.next;
    else this.#slots[timer.tick % this.#slots.length] = timer.next;
    if (timer.next !== undefined) timer.next.previous = timer.previous;
    timer.next = undefined;
    timer.previous = undefined;
    timer.tick = Infinity;
  }
}
