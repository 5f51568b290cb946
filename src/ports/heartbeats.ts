// Signs of life that instances give of themselves: by touching a file, or by a line to a socket.

export interface HeartbeatPlace {
  readonly instance: string;
  readonly everyMs: number;
  /** Absolute; it need not be there yet. */
  readonly file: string;
}

export interface Heartbeats {
  /** The variables by which an instance learns where and how often to give its signs. */
  environmentOf(place: HeartbeatPlace): Readonly<Record<string, string>>;
  /**
   * Calls `heard` for each sign that comes from now on, at most a tenth of `everyMs` after it was
   * given. What was given before does not count. One listener for an instance at a time.
   */
  listen(place: HeartbeatPlace, heard: () => void): Disposable;
}
