// How an instance of a `command` is run, as it is written: `services.NAME.env`, `limits`, `restart`
// and `logs`. What the words do is core/supervise, core/guard and control/supervisor.

import { z } from "zod";
import {
  asText,
  duration,
  field,
  integer,
  type Kind,
  Refusal,
  scalar,
  size,
  text,
  unlike,
} from "./fields.ts";

const environmentKind: Kind = {
  accepts: "text or a number",
  example: '"production"',
  verbatim: true,
  json: { type: ["string", "number", "boolean"] },
};

export const environmentValue = scalar<string | number | boolean, string>(
  environmentKind,
  (written) => {
    if (written === null) return new Refusal("has no value", 'Write "" for an empty one.');
    if (typeof written === "boolean") return String(written);
    return typeof written === "string" || typeof written === "number"
      ? asText(written)
      : unlike(environmentKind, written);
  },
);

export const environmentName = text(
  "a name of letters, digits and _, no digit first",
  "LOG_LEVEL",
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  (written) =>
    ["PORT", "HOST"].includes(written) || written.startsWith("NINES_")
      ? new Refusal(
          "is set by Nines for each instance",
          "Choose another name; `port` says where PORT starts.",
        )
      : undefined,
);

export const limits = z.strictObject({
  memory: field(size("4MiB", "16TiB").optional(), {
    meaning:
      "Memory of one instance, with its child processes. Held by a cgroup (version 1 or 2) where " +
      "Nines may make one; otherwise resident memory is sampled, and an instance above the limit " +
      "is restarted with that as the reason.",
    default: "no limit",
  }),
  openFiles: field(integer(16, 10_000_000).optional(), {
    meaning: "Open files and sockets of one process of an instance (`ulimit -n`).",
    default: "what the user that runs Nines has",
    interaction: "`maxConnections` needs at least as many.",
    see: ["services.NAME.maxConnections"],
  }),
});

export const restart = z.strictObject({
  backoff: field(duration("10ms", "1h").prefault("100ms"), {
    meaning:
      "Wait before an instance that ended is started again. It doubles with every further end, " +
      "with jitter, up to `backoffMax`.",
    source: "systemd `RestartSec` (100 ms), and Kubernetes for the doubling.",
    see: ["services.NAME.restart.backoffMax", "services.NAME.restart.resetAfter"],
  }),
  backoffMax: field(duration("10ms", "1d").prefault("30s"), {
    meaning: "Longest wait before a restart, and the wait of a crash loop.",
    interaction: "Not below `backoff`.",
    see: ["services.NAME.restart.backoff", "services.NAME.restart.crashLoopCount"],
  }),
  resetAfter: field(duration("1s", "7d").prefault("1m"), {
    meaning: "An instance that stayed up this long starts from `backoff` again at its next end.",
    see: ["services.NAME.restart.backoff"],
  }),
  crashLoopCount: field(integer(2, 1000).prefault(5), {
    meaning:
      "This many ends within `crashLoopWithin` are called a crash loop: the instance is held back " +
      "at `backoffMax` from then on, and status and events say so with the last exit code.",
    source: "systemd `StartLimitBurst`; systemd then gives up, Nines goes on trying.",
    see: ["services.NAME.restart.crashLoopWithin"],
  }),
  crashLoopWithin: field(duration("1s", "1d").prefault("1m"), {
    meaning: "See `crashLoopCount`.",
    see: ["services.NAME.restart.crashLoopCount"],
  }),
  unhealthyAfter: field(duration("0s", "1d").prefault("30s"), {
    meaning:
      "An instance whose process runs while its checks fail this long is ended and started again. " +
      "`0s` is never.",
    interaction: "Counts from the moment the instance is down, so `health.fall` comes first.",
    source: "The liveness probe of Kubernetes, three periods of 10 s.",
    see: ["services.NAME.health.fall"],
  }),
});

export const logs = z.strictObject({
  rotateAt: field(size("64KiB", "1TiB").prefault("16MiB"), {
    meaning:
      "A log file larger than this is copied to `INSTANCE.log.1` and emptied. What the instance " +
      "writes between the copy's end and the emptying is lost: some milliseconds of output. An " +
      "instance writes to its file directly, so that it never waits for Nines or depends on it.",
    see: ["services.NAME.logs.keep"],
  }),
  keep: field(integer(0, 100).prefault(3), {
    meaning: "Rotated files that are kept for each instance; older ones are deleted.",
    interaction:
      "An instance's logs take up to `rotateAt` x (`keep` + 1), and what one second adds.",
    see: ["services.NAME.logs.rotateAt"],
  }),
});
