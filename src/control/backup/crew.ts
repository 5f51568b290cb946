// Work beside each other, bounded: what waits for disks and processors, and how it ends.
//
// A Limit says how much may be under way, in whatever it is counted (files, bytes); several crews
// may share one. A Crew is work of one purpose: it begins what it is given as soon as the limit
// lets it, and `done` waits for all of it. The first failure is thrown by whatever is called next,
// after which nothing more begins; what is under way is waited for all the same.

export class Limit {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when there is room for it: at once for who is alone, however heavy it is. */
  async take(weight: number): Promise<void> {
    while (this.#taken > 0 && this.#taken + weight > this.#most) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#taken += weight;
  }

  give(weight: number): void {
    this.#taken -= weight;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export class Crew {
  readonly #limit: Limit;
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  /** Begins the work; resolves when it has begun. Throws what earlier work has thrown. */
  async run(weight: number, work: () => Promise<void>): Promise<void> {
    this.#check();
    await this.#limit.take(weight);
    const ended = this.#finish(weight, work);
    this.#underWay.add(ended);
    void ended.then(() => this.#underWay.delete(ended));
  }

  /** All of it has ended. Throws the first failure. */
  async done(): Promise<void> {
    await this.settled();
    this.#check();
  }

  /** The same, failed or not. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #finish(weight: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#limit.give(weight);
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
