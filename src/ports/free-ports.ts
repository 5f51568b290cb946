// TCP ports for instances to listen on.

export interface FreePorts {
  /**
   * A port on 127.0.0.1 that nobody listens on now: `preferred` if it is free (instances keep their
   * port across restarts, so that a worker with an old table still finds them), else one outside
   * the kernel's ephemeral range. Never one it gave out in this process before and that is in
   * `taken`. Rejects with NINES_PORT_NONE_FREE.
   */
  find(preferred: number, taken: ReadonlySet<number>): Promise<number>;
}
