// What shards and their content are read from and written to; the program's files, or a test's.

/** One shard's file. Calls may run side by side. */
export interface ShardFile {
  sizeBytes(): Promise<number>;
  /** Fills `into` from `offset` on; how many bytes it got, fewer only where the file ends. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Writes all of `bytes`, which stay as they are until it settles. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Cuts it off, or lengthens it with zeros. */
  truncate(sizeBytes: number): Promise<void>;
  /** All writes so far, and the size, are on the device when it resolves. */
  flush(): Promise<void>;
}

/** Content that comes; read to its end, once. */
export interface ContentSource {
  /** Fills the views, one after the other; how many bytes it got, fewer only at the end. */
  fill(views: readonly Uint8Array[]): Promise<number>;
}

/** Where content goes. */
export interface ContentSink {
  /** Writes all views, one after the other, at `offset`. */
  write(views: readonly Uint8Array[], offset: number): Promise<void>;
}

/** An AbortSignal is one. */
export interface Stoppable {
  throwIfAborted(): void;
}

export interface PassOptions {
  /** Asked before each stripe. */
  readonly signal?: Stoppable;
  /** Pieces begin in memory where devices can reach them. Default: false. */
  readonly aligned?: boolean;
}
