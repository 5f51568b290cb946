// Where the gateway's processes meet, inside the state directory. Whoever composes them decides.

export interface GatewayPaths {
  /** The last good routing table. */
  readonly tableFile: string;
  /** See board.ts. */
  readonly boardFile: string;
  /** See steward/kept-counters.ts. */
  readonly countersFile: string;
  /** See sticky-key.ts. */
  readonly stickyKeyFile: string;
  /** Workers find their parent here. */
  readonly gatewaySocket: string;
  /** Parent and workers find control here. */
  readonly controlSocket: string;
  /** Requests are logged here, when they are, unless the table names another file. */
  readonly accessLogFile: string;
  /** Standard output and error of every gateway process are appended here. */
  readonly logFile: string;
}
