// The vault as it is written: `backup`. Where it lies, who can read it, what goes in, how long it
// stays.

import { z } from "zod";
import {
  choice,
  duration,
  field,
  flag,
  integer,
  Refusal,
  scalar,
  serviceName,
  shown,
  size,
  text,
  word,
} from "./fields.ts";
import { type DurationText, durationPattern } from "./units.ts";

const path = text("the path of a file or folder", "/mnt/disk-a/vault", /^[^\0]{1,4096}$/);
const inner = text(
  "a path below the source, without / at its ends",
  "cache/pages",
  /^(?!\/)(?!.*\/$)(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\0]{1,4096}$/,
);

function placeName(): z.ZodType<string, string> {
  return text("a name of up to 60 letters, digits, -, _ and .", "disk-a", /^[\w.-]{1,60}$/);
}

/** Names of folders, with `*` for the one that is the subject's. */
const subjects = scalar<string, readonly string[]>(
  {
    accepts: "a path below the source in which one part is *",
    example: "people/*",
    json: { type: "string" },
  },
  (written) => {
    const parts = typeof written === "string" ? written.split("/") : [];
    const isPath = parts.length > 0 && parts.every((part) => !["", ".", ".."].includes(part));
    if (isPath && parts.filter((part) => part === "*").length === 1 && parts.at(-1) === "*") {
      return parts;
    }
    return new Refusal("must be a path below the source whose last part is *");
  },
);

const bucket = z.strictObject({
  endpoint: field(
    text(
      "http:// or https:// and a host, without a path",
      "https://s3.eu-central-1.amazonaws.com",
      /^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?$/,
    ),
    {
      meaning: "Where the store answers: AWS, MinIO, Ceph, R2, B2 or any other that speaks S3.",
      interaction: "What is sent is encrypted before; `https` also hides its names.",
    },
  ),
  bucket: field(
    text(
      "a bucket's name: 3 to 63 of a-z, 0-9, - and .",
      "backups",
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    ),
    { meaning: "The bucket. Nines makes none." },
  ),
  prefix: field(
    text(
      "words of letters, digits, -, _ and . with / between them",
      "shop/vault",
      /^(?!\.{1,2}(?:\/|$))(?!.*\/\.{1,2}(?:\/|$))(?:[\w.-]{1,100}(?:\/[\w.-]{1,100}){0,7})?$/,
    ).prefault(""),
    { meaning: "What the keys of all objects begin with.", default: "none: the whole bucket" },
  ),
  region: field(text("a region's name", "eu-central-1", /^[\w-]{1,40}$/).prefault("us-east-1"), {
    meaning: "The region that requests are signed for. Stores without regions take the default.",
  }),
  addressing: field(choice(["path", "virtual-host"]).optional(), {
    meaning: "Whether the bucket's name begins the path, or stands before the host's name.",
    default: "`virtual-host` at amazonaws.com, `path` elsewhere",
  }),
  credentialsFile: field(path.optional(), {
    meaning:
      "A file with `aws_access_key_id = …` and `aws_secret_access_key = …`, perhaps with " +
      "`aws_session_token = …`, each on a line.",
    default: "the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`",
    interaction: "It is refused when other users can read or change it.",
  }),
});

const target = z.strictObject({
  path: field(path.optional(), {
    meaning: "The folder that keeps the vault's objects: one on each disk, mount or machine.",
    default: "none; a target has either `path` or `s3`",
    interaction:
      "It must be there: Nines makes no folder where a mount is missing. Nothing else may be in it.",
  }),
  s3: field(bucket.optional(), {
    meaning: "The bucket of an S3-compatible store that keeps the vault's objects.",
    default: "none; a target has either `path` or `s3`",
  }),
  domain: field(placeName().optional(), {
    meaning: "What fails together: targets of one disk, machine or room have one name.",
    default: "the target's name: each fails by itself",
    see: ["backup.shareDomains"],
  }),
  retire: field(flag().prefault(false), {
    meaning: "Takes nothing new, and is emptied by `nines backup rebalance`.",
  }),
  appendOnly: field(flag().prefault(false), {
    meaning:
      "Nothing is removed there: this machine may only add, so that whoever takes it over destroys " +
      "no backup. Give it credentials that cannot delete.",
    interaction:
      "`prune` then only says what may go; a machine that may remove, with a file that has no " +
      "`appendOnly`, destroys it by a prune after `grace`. `key rotate` is refused.",
    see: ["backup.grace"],
  }),
});

const source = z.strictObject({
  path: field(path.optional(), {
    meaning: "The file or folder to back up, with all below it. Links are kept, not followed.",
    default: "none; a source has one of `path`, `command` and `journal`",
  }),
  command: field(word("pg_dump shop").optional(), {
    meaning:
      "A line for `/bin/sh` whose output is backed up, as the file `output`. Only when it ends with " +
      "code 0, within `timeout` and `maxSize`, there is a snapshot.",
    default: "none; a source has one of `path`, `command` and `journal`",
    interaction: "It runs in the folder of this file. The code of a pipe is that of its last part.",
  }),
  timeout: field(duration("1s", "7d").prefault("1h"), {
    meaning: "How long `command` may run.",
  }),
  maxSize: field(size("1B", "1000TiB").prefault("100GiB"), {
    meaning: "How much `command` may print.",
  }),
  journal: field(path.optional(), {
    meaning:
      "The folder of a journal (`nines/journal`), which may be written meanwhile: what was " +
      "acknowledged before the backup began is in the copy, and the copy opens.",
    default: "none; a source has one of `path`, `command` and `journal`",
    interaction: "A journal that is damaged gives no snapshot.",
  }),
  service: field(serviceName().optional(), {
    meaning: "Whose data it is: equal pieces are kept once within a service, under one key.",
    default: "the source's name",
  }),
  exclude: field(z.array(inner).max(256).prefault([]), {
    meaning: "Files and folders below it that are passed over.",
    interaction: "A run that does not meet one of them, or no folder of `subjects`, says so.",
  }),
  subjects: field(subjects.optional(), {
    meaning:
      "Folders that each belong to one subject: `people/*`. Each has a key of its own, so that " +
      "`nines backup erase` can destroy it alone, in all snapshots at once.",
    default: "none: the service's key for all",
    interaction: "Equal pieces of two subjects are kept twice, for one may be erased.",
    source: "NIST SP 800-88: destroying a key sanitises what it encrypts.",
  }),
});

/** How often a duty is done, or `off`. */
function interval(from: DurationText, example: DurationText): z.ZodType<number | "off", string> {
  const kind = duration(from, "3650d");
  return scalar<string, number | "off">(
    {
      accepts: `a duration from ${from} to 3650d, or off`,
      example,
      json: { type: "string", pattern: `${durationPattern.source}|^off$` },
    },
    (written) => {
      if (written === "off" || written === false) return "off";
      const read = kind.safeParse(written);
      if (read.success) return read.data;
      return new Refusal(`must be a duration from ${from} to 3650d, or off, not ${shown(written)}`);
    },
  );
}

const schedule = z.strictObject({
  run: field(interval("1s", "1d").prefault("1d"), {
    meaning:
      "How often `nines up` makes a snapshot of each source, from the start of one backup to that of " +
      "the next. What was missed while it did not run is made up for once, at its start.",
  }),
  look: field(interval("1s", "1h").prefault("1h"), {
    meaning:
      "How often it looks which snapshots could be restored: listings and folders are read, no files.",
    interaction: "What `staleAfter` is held against; done after each backup as well.",
    see: ["backup.staleAfter"],
  }),
  drill: field(interval("1s", "7d").prefault("7d"), {
    meaning:
      "How often the newest snapshot of each source is restored to a scratch place, read back and " +
      "compared, byte by byte. It takes the room and the time of a restore.",
    see: ["backup.drillFolder"],
  }),
  prune: field(interval("1s", "1d").prefault("1d"), {
    meaning: "How often it lets go what the keep rules do not keep.",
    see: ["backup.keep", "backup.grace"],
  }),
  scrub: field(interval("1s", "30d").prefault("30d"), {
    meaning:
      "Every shard is read, checked and mended once in so long. A round goes on where it was cut short.",
    interaction: "The larger the vault, the higher `scrubRate` must be to get round in time.",
    source: "MinIO's is off by default; rot that nobody looks for is found by the restore.",
    see: ["backup.schedule.scrubRate"],
  }),
  scrubRate: field(size("64KiB", "10GiB").prefault("8MiB"), {
    meaning: "A scrub reads no more than so much a second.",
  }),
});

const keepRules = z.strictObject({
  last: field(integer(1, 10_000).prefault(3), { meaning: "The newest so many snapshots." }),
  hourly: field(integer(0, 10_000).prefault(24), {
    meaning: "The newest snapshot of each of so many hours that have one.",
  }),
  daily: field(integer(0, 10_000).prefault(7), {
    meaning: "The newest snapshot of each of so many days (UTC) that have one.",
  }),
  weekly: field(integer(0, 10_000).prefault(4), {
    meaning: "The newest snapshot of each of so many weeks, from Monday (UTC), that have one.",
  }),
});

export const backup = z.strictObject({
  keyFile: field(path.optional(), {
    meaning:
      "The file with the master key: 64 hexadecimal digits, such as `openssl rand -hex 32` prints.",
    default: "required, unless `passphraseFile` or `keyCommand` is there",
    interaction:
      "Without it nothing in the vault can be read, by anybody: keep a copy elsewhere. It is " +
      "refused when other users can read or change it.",
  }),
  passphraseFile: field(path.optional(), {
    meaning: "The file with a passphrase from which the master key is made (scrypt, 128 MiB).",
    default: "none",
    see: ["backup.keyFile"],
  }),
  keyCommand: field(
    z
      .union([
        text("a line for /bin/sh", "pass show nines/backup", /\S/),
        z
          .array(text("text", "show", /^[^\0]+$/))
          .min(1)
          .max(256),
      ])
      .optional(),
    {
      meaning:
        "A command that prints the master key, 64 hexadecimal digits, on its standard output: a list " +
        "of program and arguments, or a line for `/bin/sh`. It runs in this file's folder and has a minute.",
      default: "none",
      interaction: "For a key that a password manager, a TPM or a key service keeps.",
      see: ["backup.keyFile"],
    },
  ),
  targets: field(z.record(placeName(), target), {
    meaning: "Where the vault lies, each place under its name.",
  }),
  copies: field(integer(2, 16).optional(), {
    meaning: "Each object is on so many targets, whole; all but one of them may be lost.",
    default: "2, unless `data` and `parity` are there",
  }),
  data: field(integer(1, 254).optional(), {
    meaning: "Each object is cut into so many shards, any so many of which give it back.",
    default: "none: whole copies",
    see: ["backup.parity"],
  }),
  parity: field(integer(1, 254).optional(), {
    meaning: "So many more shards are made: any so many targets may be lost (Reed-Solomon).",
    default: "none: whole copies",
    interaction: "`data: 4, parity: 2` needs six targets, and takes 1.5 times the room.",
    see: ["backup.data"],
  }),
  shareDomains: field(flag().prefault(false), {
    meaning:
      "Lets one failure domain, and even one target, take several shards of an object: it then " +
      "protects against rot, and not against the loss of that domain.",
  }),
  sources: field(z.record(placeName(), source), {
    meaning: "What is backed up, each under its name. Each run makes a snapshot of each.",
  }),
  keep: field(keepRules.prefault({}), {
    meaning: "Which snapshots `nines backup prune` keeps of each source; the newest always.",
  }),
  grace: field(duration("1h", "365d").prefault("1d"), {
    meaning: "What nobody needs is destroyed so long after a prune has condemned it.",
    interaction: "Longer than any backup takes, and than the clocks of its machines differ.",
  }),
  schedule: field(schedule.prefault({}), {
    meaning: "What `nines up` does by itself, one after the other, each in a process of its own.",
  }),
  staleAfter: field(duration("1s", "3650d").optional(), {
    meaning:
      "An alarm (event `backup.stale`, `nines status`, exit code 1 of `nines backup list`) when the " +
      "newest snapshot that can be restored is older than this, for whatever reason.",
    default: "twice `schedule.run`; none when that is off",
    interaction: "A snapshot is as old as its beginning.",
  }),
  drillFolder: field(path.optional(), {
    meaning: "Where drills restore to. What they make there is removed again, and nothing else is.",
    default: "the state directory",
    interaction: "It needs room for the largest source.",
  }),
  packSize: field(size("1MiB", "64MiB").prefault("16MiB"), {
    meaning: "Pieces of files are put together to objects of this size.",
  }),
});

export type WrittenBackup = z.output<typeof backup>;
