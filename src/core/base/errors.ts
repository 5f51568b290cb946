// What the world does wrong, in one catalogue. Every failure that a person or a program can meet
// has a stable code, a sentence that says what happened, a remedy, and whether trying again can
// help. Match on `code`, never on the message. A retired code is never used again.
// docs/reference/errors.md is generated from this table and a test compares them. Shape after
// undici (codes) and Fastify (a "how to solve" column that a test keeps complete).

export interface ErrorEntry {
  /** What it means, one sentence for the docs. */
  readonly meaning: string;
  /** What the reader does about it, an imperative sentence. */
  readonly remedy: string;
  /** Whether the same call may succeed later without a change. */
  readonly retriable: boolean;
}

function entry(meaning: string, remedy: string, retriable = false): ErrorEntry {
  return { meaning, remedy, retriable };
}

export const errorCatalogue = {
  NINES_CONFIG_NOT_FOUND: entry(
    "The configuration file is not there.",
    "Name it with -f FILE, or write one with `nines init`.",
  ),
  NINES_CONFIG_UNREADABLE: entry(
    "The configuration file cannot be read.",
    "Check the file's permissions and that it is a file.",
  ),
  NINES_CONFIG_SYNTAX: entry(
    "The configuration file is not valid YAML, JSON or JavaScript.",
    "Mend the line that the message names.",
  ),
  NINES_CONFIG_INVALID: entry(
    "The configuration file says something that Nines cannot do.",
    "Mend each line that the message names; `nines schema` prints what is allowed.",
  ),
  NINES_PROCESS_NOT_FOUND: entry(
    "The program of a service's command is not there.",
    "Check the command's spelling and the PATH that Nines was started with.",
  ),
  NINES_PROCESS_NOT_ALLOWED: entry(
    "The program may not be run, or not as the user that was asked for.",
    "Check the program's permissions; run Nines as root to run a service as another user.",
  ),
  NINES_PROCESS_START: entry(
    "The program could not be started.",
    "Mend what the message names; Nines tries again after the backoff.",
    true,
  ),
  NINES_SERVICE_UNKNOWN: entry(
    "The file has no service of this name that Nines runs.",
    "Take a name that `nines status` lists; endpoints are run by somebody else.",
  ),
  NINES_TARGET_UNKNOWN: entry(
    "There is no service or instance of this name that Nines could do this to.",
    "Take a name that `nines status` lists.",
  ),
  NINES_SCALE_RANGE: entry(
    "The number of instances is outside the service's `replicas`.",
    "Take a number within `replicas`, or widen it in the file and apply that.",
  ),
  NINES_ENDPOINT_REFUSED: entry(
    "An endpoint cannot be added or removed at run time as asked.",
    "Do what the message says; `nines status` lists the endpoints that there are.",
  ),
  NINES_PORT_NONE_FREE: entry(
    "No free port was found for an instance.",
    "End programs that hold ports below the kernel's ephemeral range.",
    true,
  ),
  NINES_GATEWAY_PORT_TAKEN: entry(
    "A port that the gateway is to listen on is taken by another program.",
    "End that program (`ss -ltnp` names it), or listen on another port.",
    true,
  ),
  NINES_GATEWAY_LISTEN: entry(
    "The gateway cannot listen on an address.",
    "Check that the address is this machine's; ports below 1024 need root.",
    true,
  ),
  NINES_GATEWAY_NOT_SERVING: entry(
    "The gateway's processes did not begin to serve in time.",
    "Read logs/gateway.log in the state directory; it says why they end.",
    true,
  ),
  NINES_STATE_NOT_FOUND: entry(
    "There is no state directory here: nothing was started from it.",
    "Start with `nines up`, or name the right one with --state-dir.",
  ),
  NINES_STATE_OWNER: entry(
    "The state directory belongs to another user, or others may write to it.",
    "Take another directory with --state-dir, or mend its owner and mode (0700).",
  ),
  NINES_STATE_FOREIGN: entry(
    "The directory holds files and is not a state directory of Nines.",
    "Name an empty or a missing directory with --state-dir.",
  ),
  NINES_STATE_NEWER: entry(
    "The state directory was written by a newer version of Nines.",
    "Upgrade Nines, or name another directory with --state-dir.",
  ),
  NINES_STATE_CORRUPT: entry(
    "A file of the state directory is torn or was changed by something else.",
    "Remove the file that the message names; what it recorded is forgotten.",
  ),
  NINES_STATE_WRITE: entry(
    "The disk refused a write to the state directory; the old value still stands.",
    "Make room on the disk, or mend what the message names.",
    true,
  ),
  NINES_NOT_RUNNING: entry(
    "No control process runs for this file or state directory.",
    "Start it with `nines up`, or name the right one with -f FILE or --state-dir DIR.",
  ),
  NINES_CONTROL_NOT_ANSWERING: entry(
    "The control process lives but did not answer in time: it is stopped, hung or overloaded.",
    "Look at the machine's load; `nines down` then `nines up` replaces it.",
    true,
  ),
  NINES_CONTROL_STOPPING: entry(
    "Control is stopping everything and takes no orders any more.",
    "Wait until it has ended, then start it again with `nines up`.",
  ),
  NINES_CONTROL_OTHER_FILE: entry(
    "Control runs for this state directory already, and follows another file.",
    "Give this file a directory of its own with --state-dir, or change over with `nines apply -f FILE`.",
  ),
  NINES_UP_FAILED: entry(
    "The detached start ended before everything was ready.",
    "Read the message and `nines events`; run `nines up` in the foreground to watch it.",
  ),
  NINES_DOWN_INCOMPLETE: entry(
    "Something that Nines started still runs after everything was told to end.",
    "End the processes that the message names by hand; they may wait for a broken disk.",
    true,
  ),
  NINES_LOG_UNKNOWN: entry(
    "No instance or service of this name has ever written a log here.",
    "Name one that the message lists, or none for all.",
  ),
  NINES_FILE_EXISTS: entry(
    "The file to write is already there, and is left as it is.",
    "Name another with -f FILE, or remove it first.",
  ),
  NINES_ADMIN_REQUEST: entry(
    "The admin API does not know what was asked, or the request is not well formed.",
    "Compare it with docs/reference/admin-api.md.",
  ),
  NINES_DEPLOY_UNDER_WAY: entry(
    "A deploy of the service is under way, and another one, or the file, wants something else.",
    "Wait for it (`nines deploys SERVICE`), turn it round (`nines rollback SERVICE`), or give " +
      "`nines deploy` the option --replace.",
    true,
  ),
  NINES_DEPLOY_ENDPOINTS: entry(
    "The service consists of endpoints, which Nines does not start.",
    "Deploy it where it runs; `nines drain INSTANCE` takes an endpoint out of the traffic meanwhile.",
  ),
  NINES_DEPLOY_CANARY: entry(
    "The service has one instance that takes all traffic, so that no share of it can be tried.",
    "Deploy without canary steps: the standbys come first, then the primary hands its place over.",
  ),
  NINES_VERSION_UNKNOWN: entry(
    "The service has no such version, or what it was made of is no longer known.",
    "`nines deploys SERVICE` lists the versions that are.",
  ),
  NINES_ADMIN_UNREACHABLE: entry(
    "The admin API's address cannot be reached; whether a Nines runs there is not known.",
    "Look at the address, the name's DNS, and the network and firewalls between.",
    true,
  ),
  NINES_ADMIN_FOREIGN: entry(
    "What answers at the admin API's address is not a Nines that can be trusted or understood.",
    "Look at the address, at http or https in it, and at the certificate of what answers there.",
  ),
  NINES_ADMIN_TOKEN: entry(
    "The request came over TCP without a token that the admin API knows.",
    "Send `Authorization: Bearer TOKEN` with the token of `admin.tokenFile`.",
  ),
  NINES_ADMIN_READ_ONLY: entry(
    "The token of the request may look, and not change anything.",
    "Send the token of `admin.tokenFile` instead of that of `admin.readTokenFile`.",
  ),
  NINES_ADMIN_TOKEN_FILE: entry(
    "A token's file cannot be read, is not private, or holds no proper token.",
    "Write `openssl rand -hex 32` into it, and give it mode 0600.",
  ),
  NINES_JOURNAL_NOT_FOUND: entry("There is no journal in the folder.", "Name the right folder."),
  NINES_JOURNAL_FOREIGN: entry(
    "The journal's folder holds a file that is not one of its own.",
    "Name another folder, or move the file that the message names elsewhere.",
  ),
  NINES_JOURNAL_NEWER: entry(
    "The journal was written by a newer version of Nines.",
    "Upgrade Nines; this version has left everything as it was.",
  ),
  NINES_JOURNAL_OLDER: entry(
    "The journal was written by an earlier version of Nines, in a format that is no longer read.",
    "Read it with that version (`nines journal dump`), and begin a new journal elsewhere.",
  ),
  NINES_JOURNAL_LOCKED: entry(
    "Another writer has the journal open.",
    "Close it there, or end that process; its hold ends with it.",
    true,
  ),
  NINES_JOURNAL_ROT: entry(
    "A file of the journal has changed since it was written, or is missing.",
    "Restore the file from a copy, or see what `nines journal repair` would save.",
  ),
  NINES_JOURNAL_DISK: entry(
    "The disk refused to let the journal be opened, read or compacted.",
    "Mend what the message names: space, permissions, a read-only mount, a failing device.",
    true,
  ),
  NINES_JOURNAL_FAILED: entry(
    "A write to the journal failed, and nothing is acknowledged any more.",
    "Mend the disk, then start anew: opening finds out what is there.",
  ),
  NINES_JOURNAL_FULL: entry(
    "There is no room on the disk for the journal's next segment; the record was not taken.",
    "Make room; appends go on by themselves.",
    true,
  ),
  NINES_JOURNAL_BUSY: entry(
    "More waits for the disk than the journal may hold; the record was not taken.",
    "Send less at a time, or raise `queueBytes`.",
    true,
  ),
  NINES_JOURNAL_RECORD_SIZE: entry(
    "The record is larger than the journal takes.",
    "Split it, or open the journal with larger segments.",
  ),
  NINES_JOURNAL_COMPACTED: entry(
    "The records that were asked for are no longer in the log.",
    "Start from the newest snapshot; it holds their effects.",
  ),
  NINES_JOURNAL_SNAPSHOT: entry(
    "The snapshot was not written; the earlier ones and the log stand.",
    "Make room on the disk, or mend what the message names, and take it again.",
    true,
  ),
  NINES_JOURNAL_APPLY: entry(
    "A change is in the journal, and the application's `apply` threw on it.",
    "Mend `apply`, then start anew: no change is lost.",
  ),
  NINES_INCIDENT_UNKNOWN: entry(
    "There is no incident with this id, or it is older than what is kept.",
    "`nines incidents` lists the latest; `--last 10000` all that are kept.",
  ),
  NINES_FAILOVER_MODE: entry(
    "The service has no primary that could be moved: its mode is another.",
    "Write `failover: { mode: primary-standby }` in the file if it is to have one.",
  ),
  NINES_FAILOVER_REFUSED: entry(
    "The primary cannot be moved there now, or not so; nothing has changed.",
    "`nines explain failover SERVICE` says who is fit, and what is under way.",
    true,
  ),
  NINES_JOURNAL_CLOSED: entry("The journal was closed.", "Open it again to go on."),
  NINES_ERASURE_GEOMETRY: entry(
    "Shards of such a number or size cannot be.",
    "Take 1 to 254 data shards, 1 or more parity shards, 255 in all, and what the message names.",
  ),
  NINES_ERASURE_LOST: entry(
    "More shards are lost than there is parity for.",
    "Bring back shards from elsewhere until as many as there are data shards are there.",
  ),
  NINES_ERASURE_MEMORY: entry(
    "There is no memory for a stripe.",
    "Take smaller shards, or fewer stripes at once.",
    true,
  ),
  NINES_ERASURE_SET: entry(
    "These files are no set of shards.",
    "Name the files that were written together; as many as there are data shards must be whole.",
  ),
  NINES_MODEL_INPUT: entry(
    "A number given to a model is outside the range in which the model means anything.",
    "Mend the number that the message names; docs/reference/model.md has each range.",
  ),
  NINES_MODEL_DATA: entry(
    "There are too few observations to estimate what was asked for.",
    "Observe longer, or use a bound that holds without failures (`fitExponential`).",
  ),
  NINES_MODEL_NEVER_RECOVERS: entry(
    "The chain has states that are left for ever, so it has no steady state.",
    "Add the repair or restart that the message misses, or ask for the mean time to absorption.",
  ),
  NINES_MODEL_NEVER_ENDS: entry(
    "The chain can get to where no final state is reached, so the mean time to one is infinite.",
    "Add the transition that the message misses, or name more final states.",
  ),
  NINES_MODEL_TOO_LARGE: entry(
    "The model needs more memory or time than it may take.",
    "Lump equal parts into counts, or raise the limit that the message names.",
  ),
  NINES_MODEL_NOT_CONVERGED: entry(
    "The iteration ended before the result was as exact as promised; none is given.",
    "Check that no rate is absurdly far from the others, or lump the model.",
  ),
  NINES_PLAN_UNKNOWN: entry(
    "A plan was asked for of which too little is known.",
    "Measure or say what the message names, and ask again.",
  ),
  NINES_LOAD_RANGE: entry(
    "A load test's rates make no steps that can be run.",
    "Choose --from, --to, --step and --duration so that load grows and a step has fewer requests.",
  ),
  NINES_LOAD_TARGET: entry(
    "A load test's requests would not reach the service.",
    "Choose --path and --method so that a route leads there, or --direct for its instances.",
  ),
  NINES_PREDICT_CONTRADICTION: entry(
    "What is to be predicted cannot be: one part of the description contradicts another.",
    "Mend what the message names in `predict`, or in the services that it speaks of.",
  ),
  NINES_VAULT_NOT_FOUND: entry(
    "There is no vault on the targets.",
    "Name the right targets, or make a first backup with `nines backup run`.",
  ),
  NINES_VAULT_KEY: entry(
    "The master key is not the one of this vault.",
    "Name the key with which the vault was made; without it nothing in it can be read.",
  ),
  NINES_VAULT_FOREIGN: entry(
    "A target holds another vault.",
    "Give each vault targets of its own.",
  ),
  NINES_VAULT_VERSION: entry(
    "The vault was written by another version of Nines.",
    "Use the version that wrote it, or a newer one; this one has left everything as it was.",
  ),
  NINES_VAULT_DAMAGED: entry(
    "Something in the vault is not what it must be, though its bytes are whole.",
    "Run `nines backup verify`; restore an older snapshot, or leave out what the message names.",
  ),
  NINES_VAULT_LOST: entry(
    "More shards of an object are lost than there is parity for.",
    "Bring back a target that holds some; `nines backup verify` lists what is lost with it.",
  ),
  NINES_VAULT_TARGETS: entry(
    "Too few targets can be reached or have room.",
    "Mend what the message names; the vault heals by itself once the targets are back.",
    true,
  ),
  NINES_VAULT_ROLLED_BACK: entry(
    "All targets answer, and the newest snapshot that this machine knows of cannot be read there.",
    "Look who put old ones there. To accept them, and keys of the erased, remove `vault-mark.json`.",
  ),
  NINES_VAULT_BUSY: entry(
    "Another process works on the vault, and both together would not be safe.",
    "Wait until it has ended; its lease ends by itself seven minutes after its death.",
    true,
  ),
  NINES_VAULT_ERASED: entry(
    "The subject was erased: its key is destroyed, and what it sealed cannot be read by anybody.",
    "Nothing can be done; this was asked for.",
  ),
  NINES_VAULT_FULL: entry(
    "The vault holds more than this version takes.",
    "Split the sources over two vaults.",
  ),
  NINES_VAULT_KEY_FILE: entry(
    "The file with the vault's key or passphrase cannot be used.",
    "Write `openssl rand -hex 32` into it, and give it mode 0600.",
  ),
  NINES_VAULT_KEY_COMMAND: entry(
    "The command that gives the vault's master key has not given one.",
    "Run it by hand: it must end with code 0 and print 64 hexadecimal digits, within a minute.",
  ),
  NINES_VAULT_CREDENTIALS: entry(
    "A target's credentials cannot be used.",
    "Write them into a file of mode 0600 and name it as `credentialsFile`, or set AWS_ACCESS_KEY_ID.",
  ),
  NINES_VAULT_MARK: entry(
    "What this machine remembers of its vault is damaged.",
    "Look whether the vault is as new as it should be, then remove the file.",
  ),
  NINES_BACKUP_NONE: entry(
    "There is no configuration file with a `backup`.",
    "Write one into nines.yaml, or name another file with -f; docs/reference/backup.md has more.",
  ),
  NINES_BACKUP_SOURCE: entry(
    "What was to be backed up is not there, or cannot be read at all.",
    "Check the source's path and permissions; the snapshots that there are stand.",
  ),
  NINES_BACKUP_CHANGED: entry(
    "What was backed up changed so much meanwhile that what was read does not belong together.",
    "It is tried again a few times by itself; back up at a quieter time if that does not help.",
    true,
  ),
  NINES_BACKUP_COMMAND: entry(
    "The command whose output was to be backed up has failed, so that there is no snapshot of it.",
    "Run it by hand; the message has its last words. The snapshots that there are stand.",
  ),
  NINES_RESTORE_PLACE: entry(
    "The place to restore to has what would be changed, leads elsewhere, is full, or refuses.",
    "Name a new folder; or make room, or let it be written to, and go on there with `--resume`.",
  ),
  NINES_BACKUP_STOPPED: entry(
    "A duty of the vault was asked to end before it was done.",
    "Nothing needs to be done: the next one goes on with what it has brought.",
    true,
  ),
  NINES_DRILL_ROOM: entry(
    "There is no room to restore a snapshot for a drill.",
    "Make room, name another place by `backup.drillFolder`, or write `drill: off`.",
  ),
  NINES_SNAPSHOT_UNKNOWN: entry(
    "There is no such snapshot, or none at that time.",
    "`nines backup list` shows those that there are.",
  ),
  NINES_SNAPSHOT_KEPT: entry(
    "The newest snapshot of a vault is never let go: it is what going back in time is found by.",
    "Name older ones, or make a newer one first with `nines backup run`.",
  ),
  NINES_BACKUP_UNKNOWN: entry(
    "The file's `backup` has no source or target of this name.",
    "Take a name that stands there under `sources`, or under `targets`.",
  ),
  NINES_PATH_UNKNOWN: entry(
    "The snapshot has nothing at this path.",
    "`nines backup browse SNAPSHOT [FOLDER]` shows what is there; paths begin below the source.",
  ),
  NINES_NAME_UNKNOWN: entry(
    "The file has no service of this name.",
    "Take one of those that the message names; they stand in the file under `services`.",
  ),
  NINES_SUBJECT_UNKNOWN: entry(
    "The vault has no subject of this name, and never had: no snapshot holds anything of it.",
    "Name the service of the source, then the folder that `subjects` makes a subject, as it is spelled.",
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** A failure of the world, as it is thrown, logged, printed and sent over the admin API. */
export class NinesError extends Error {
  override readonly name = "NinesError";
  readonly code: ErrorCode;

  /** `what` is one sentence with the particulars (which file, which port, which instance). */
  constructor(code: ErrorCode, what: string, options?: { readonly cause?: unknown }) {
    super(what, options);
    this.code = code;
  }

  get remedy(): string {
    return errorCatalogue[this.code].remedy;
  }

  get retriable(): boolean {
    return errorCatalogue[this.code].retriable;
  }
}
