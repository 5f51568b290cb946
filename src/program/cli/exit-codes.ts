// What a command's exit code says, to a person and to a script.

export const exitCodes = [
  [0, "Done; for `status`, Nines runs here."],
  [1, "Failed; the message says what happened and what to do."],
  [2, "The command line, a name in it, or the configuration file is wrong; nothing was changed."],
  [3, "Nothing runs here: no control process for this file or state directory."],
] as const;

type ExitCode = (typeof exitCodes)[number][0];

/** Where a command's exit code says something of its own. */
export const exitCodeNotes: Readonly<Record<string, readonly (readonly [ExitCode, string])[]>> = {
  up: [[1, "with --detach: not everything is ready in time; it goes on in the background"]],
  down: [
    [0, "also when nothing ran"],
    [1, "something is left running, and is named"],
  ],
  status: [[3, "control does not run or does not answer; what is left is shown all the same"]],
  deploy: [[1, "the new version failed and all went back, or something else came in between"]],
  plan: [[1, "nothing within the bounds meets the target; what stands in the way is printed"]],
  check: [[2, "the file is wrong; what is wrong is printed"]],
  "backup run": [[1, "objects lack shards, for a target was away or full"]],
  "backup list": [
    [1, "a source has no snapshot that can be restored and is new enough, or a target is away"],
  ],
  "backup status": [[1, "a source is too old, an object cannot be read, or a target is away"]],
  "backup drill": [[1, "a snapshot cannot be restored as it was, or not until targets are back"]],
  "backup restore": [[1, "something is lost; the rest is restored"]],
  "backup verify": [[1, "something is lost, or a target is away or takes nothing"]],
  "backup scrub": [[1, "something is lost, or a target is away or takes nothing"]],
  "backup erase": [[1, "a copy of the key may be left on a target that is away"]],
  "journal verify": [[1, "something is damaged"]],
  "journal dump": [[1, "something is damaged; the rest is printed"]],
};
