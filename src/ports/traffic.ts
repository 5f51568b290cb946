// What the data plane reports back that control decides on.

export interface Traffic {
  /**
   * True when every connected worker has said that it follows table `version` or a later one and
   * has no request, tunnel or connection under way on the instance. True as well when no worker is
   * connected for 2 s: nobody can tell, and a stop must not wait for ever.
   */
  isIdle(instance: string, version: number): boolean;
  /**
   * The same for certain: true when every worker that lives, connected or not, has said so. A
   * worker that is stopped or that lost its way to us still holds an older table, and may send by
   * it; and one that starts now begins with the table on disk, which must be this one or later.
   * Otherwise true when no worker lives.
   */
  isFenced(instance: string, version: number): boolean;
  /**
   * What each instance of a service has answered, and how often that was an error (5xx, a
   * connection refused or broken, a timeout), by all workers since they started. May begin anew
   * with a new control.
   */
  counts(service: string): ReadonlyMap<string, AnswerCounts>;
}

export interface AnswerCounts {
  readonly requests: number;
  readonly errors: number;
}
