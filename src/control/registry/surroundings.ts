// What an instance's process was given to live in: whoever runs something beside it, such as a
// check by a command, gives that the same.

export interface Surroundings {
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  /** The file it was told to touch; absent when it was told of no heartbeats, or of others. */
  readonly heartbeatFile?: string;
}
