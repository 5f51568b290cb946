// A small vault for tests: folders of simulated disks as targets, trees as plain objects, a clock
// that stands still unless it is moved. Everything is random by a seed, and so the same each time.

import assert from "node:assert/strict";
import { createPrng } from "../../core/base/prng.ts";
import type { Bulk, VaultCrypto } from "../../core/vault/crypto.ts";
import type { EntryFacts } from "../../core/vault/entry.ts";
import type { HighWater } from "../../core/vault/high-water.ts";
import { sharedBytes } from "../../core/vault/memory.ts";
import { objectKinds, wholeKinds } from "../../core/vault/names.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { Content } from "../../core/vault/tree.ts";
import { bytesOf, byteStringOf } from "../../core/vault/wire.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventEntry } from "../../ports/events.ts";
import type { Target } from "../../ports/target.ts";
import type {
  KeptFile,
  PlaceWriter,
  PutFile,
  SmallFile,
  TreePath,
  TreePlace,
} from "../../ports/tree-place.ts";
import type { SourceEntry, SourcePiece, TreeSource } from "../../ports/tree-source.ts";
import { createVaultCrypto } from "../../runtime/vault-crypto.ts";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { createFolderTarget } from "./folder-target.ts";
import type { Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";
import type { LocalMark, VaultSettings, VaultWorld } from "./world.ts";

export const targetPath = "/vault";

/** A file by its bytes (latin1), a folder by what is in it. */
export interface TestTree {
  readonly [name: string]: string | TestTree;
}

export const testFacts: EntryFacts = {
  mode: 0o644,
  userId: 1000,
  groupId: 1000,
  modifiedNs: 1_700_000_000_000_000_001n,
  attributes: [],
};

export class TestClock implements Clock {
  nowMs = 1_800_000_000_000;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  after(): Disposable {
    return { [Symbol.dispose]: () => {} };
  }
}

export function seededCrypto(seed: number): VaultCrypto {
  const random = createPrng(seed);
  return {
    ...createVaultCrypto(),
    randomBytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
  };
}

export class MemoryMark implements LocalMark {
  kept: HighWater | undefined;

  read(): HighWater | undefined {
    return this.kept;
  }

  write(mark: HighWater): void {
    this.kept = mark;
  }
}

export const master: Uint8Array = new Uint8Array(32).fill(7);

export class TestWorld implements VaultWorld {
  readonly crypto: VaultCrypto;
  readonly clock: TestClock;
  readonly mark: MemoryMark;
  readonly holder = "test, pid 1";
  readonly host = "test";
  readonly disks: readonly SimulatedDisk[];
  readonly targets: readonly Target[];
  readonly recorded: EventEntry[] = [];
  readonly events = { record: (entry: EventEntry) => this.#record(entry) };

  constructor(
    disks: readonly SimulatedDisk[],
    seed: number,
    from?: { readonly clock: { readonly nowMs: number }; readonly mark: LocalMark },
    createTarget: typeof createFolderTarget = createFolderTarget,
  ) {
    this.crypto = seededCrypto(seed);
    this.disks = disks;
    this.clock = new TestClock();
    this.mark = new MemoryMark();
    if (from !== undefined) {
      this.clock.nowMs = from.clock.nowMs;
      this.mark.kept = from.mark.read();
    }
    this.targets = disks.map((disk, at) => {
      const letter = String.fromCharCode(97 + at);
      const options = { name: `disk-${letter}`, domain: `room-${letter}`, path: targetPath };
      return createTarget(disk, options);
    });
  }

  #record(entry: EventEntry): void {
    // Whatever reasons are put into it, it is one sentence.
    assert.match(entry.sentence, /[^.]\.$/);
    assert.doesNotMatch(entry.sentence, /\.[.;,:]/);
    this.recorded.push(entry);
  }
}

export async function newDisks(count: number): Promise<readonly SimulatedDisk[]> {
  const disks = Array.from({ length: count }, () => new SimulatedDisk());
  for (const disk of disks) await disk.openFolder(targetPath, { create: true });
  return disks;
}

export const settings: VaultSettings = {
  geometry: { codec: "rs-vand", dataShards: 2, parityShards: 1 },
  shareDomains: false,
  retiring: [],
  chunks: { minBytes: 64, averageBytes: 256, maxBytes: 1_024 },
  packBytes: 4_096,
  graceMs: 3_600_000,
};

export class TestSource implements TreeSource {
  readonly name: string;
  tree: TestTree;
  /** Files that were read, in order. */
  readonly reads: string[] = [];

  constructor(name: string, tree: TestTree) {
    this.name = name;
    this.tree = tree;
  }

  async list(path: readonly string[]) {
    const folder = this.#find(path);
    if (folder === undefined || typeof folder === "string") return undefined;
    const entries = Object.keys(folder)
      .sort()
      .map((name) => entryOf(name, folder[name] ?? ""));
    return { entries, left: [] };
  }

  async read(path: readonly string[]) {
    const file = this.#find(path);
    if (typeof file !== "string") return undefined;
    this.reads.push(path.join("/"));
    return contentOf(bytesOf(file), 700);
  }

  async confirm(): Promise<void> {}

  notKept() {
    return [];
  }

  notMet(): readonly string[] {
    return [];
  }

  async close(): Promise<void> {}

  #find(path: readonly string[]): string | TestTree | undefined {
    let found: string | TestTree | undefined = this.tree;
    for (const name of path) found = typeof found === "object" ? found[name] : undefined;
    return found;
  }
}

function entryOf(name: string, node: string | TestTree): SourceEntry {
  const isFile = typeof node === "string";
  const sizeBytes = isFile ? node.length : 0;
  const fingerprint = isFile ? `${sizeBytes} ${hash(node)}` : "";
  const kind = isFile ? "file" : "folder";
  return { name, kind, facts: testFacts, sizeBytes, pointsTo: "", fingerprint, sameFile: "" };
}

function hash(text: string): string {
  return Buffer.from(createVaultCrypto().sha256(bytesOf(text))).toString("hex");
}

/** Bytes that cannot be deflated, the same for the same seed. */
export function noise(seed: number, length: number): string {
  const random = createPrng(seed);
  return byteStringOf(Uint8Array.from({ length }, () => random.below(256)));
}

/**
 * What a snapshot gives back, as the tree it was made of. Subjects are in their places again, but
 * for those that have no key.
 */
export async function treeOf(vault: Vault, snapshot: Snapshot): Promise<TestTree> {
  return folderOf(vault, new VaultReader(vault), snapshot.root);
}

async function folderOf(vault: Vault, reader: VaultReader, folder: Content): Promise<TestTree> {
  const tree: Record<string, string | TestTree> = {};
  const inner = (content: Content) => folderOf(vault, reader, content);
  for await (const entry of reader.entries(folder)) {
    if (entry.kind === "subject") {
      if (vault.keys.find(entry.domainId) === undefined) continue;
      Object.assign(tree, await inner(entry.content));
    } else if (entry.kind === "folder") tree[entry.name] = await inner(entry.content);
    else tree[entry.name] = await fileOf(reader, entry.content);
  }
  return Object.fromEntries(Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function fileOf(reader: VaultReader, content: Content): Promise<string> {
  let text = "";
  for await (const segment of reader.segments(content)) {
    if (segment.kind === "hole") text += "\0".repeat(segment.length);
    else text += byteStringOf(await reader.chunk(segment.name));
  }
  return text;
}

/** The files of all shards on a simulated target, as `kind/leaf`. */
export function shardFiles(disk: SimulatedDisk): readonly string[] {
  return objectKinds.flatMap((kind) => filesOf(disk, kind));
}

/** Whatever a vault has put on a simulated target. */
export function allFiles(disk: SimulatedDisk): readonly string[] {
  return [...objectKinds, ...wholeKinds].flatMap((kind) => filesOf(disk, kind));
}

export function filesOf(disk: SimulatedDisk, kind: string): readonly string[] {
  const digits = kind === "pack" ? [..."0123456789abcdef"].map((digit) => `/${digit}`) : [""];
  return digits.flatMap((digit) =>
    disk.names(`${targetPath}/${kind}${digit}`).map((name) => `${kind}/${name}`),
  );
}

/** Turns a bit of a file of a target, for good. */
export function flip(disk: SimulatedDisk, file: string, offset: number): void {
  const { folder, leaf } = diskPlaceOf(file);
  disk.content(folder, leaf).flipBit(offset, offset % 8);
}

export function diskPlaceOf(file: string): { readonly folder: string; readonly leaf: string } {
  const [kind = "", leaf = ""] = file.split("/");
  const digit = kind === "pack" ? `/${leaf[0]}` : "";
  return { folder: `${targetPath}/${kind}${digit}`, leaf };
}

/** A file in memory, as a restore writes it: `whole` is given what it holds at its end. */
export function memoryFile(
  sizeBytes: number,
  whole: (bytes: Uint8Array, facts: EntryFacts) => void,
  bulk: Pick<Bulk, "open"> = createVaultCrypto().bulk,
): PlaceWriter {
  const file = new Uint8Array(sizeBytes);
  return {
    write: async (chunk, offset) => {
      const plain = sharedBytes(chunk.plainBytes);
      const isRight = await bulk.open(chunk, plain);
      if (isRight) file.set(plain, offset);
      return isRight;
    },
    finish: async (facts) => whole(file, facts),
    abandon: async () => {},
  };
}

/** A place in memory, where nothing is yet: whoever extends it says what becomes of a file. */
export abstract class TestPlace implements TreePlace {
  abstract openFile(path: TreePath, sizeBytes: number): Promise<PlaceWriter>;
  abstract makeFolder(path: TreePath): Promise<void>;
  abstract finishFolder(path: TreePath, facts: EntryFacts): Promise<void>;
  abstract linkSame(path: TreePath, first: TreePath): Promise<void>;
  abstract makeLink(path: TreePath, pointsTo: string, facts: EntryFacts): Promise<void>;

  async findFinished(_: TreePath, files: readonly KeptFile[]): Promise<readonly boolean[]> {
    return files.map(() => false);
  }

  async putFiles(folder: TreePath, files: readonly SmallFile[]): Promise<readonly PutFile[]> {
    const put: PutFile[] = [];
    for (const { name, facts, chunk } of files) {
      const writer = await this.openFile([...folder, name], chunk?.plainBytes ?? 0);
      const isRight = chunk === undefined || (await writer.write(chunk, 0));
      await (isRight ? writer.finish(facts) : writer.abandon());
      put.push(isRight ? "made" : "wrong");
    }
    return put;
  }

  async close(): Promise<void> {}

  leftOut(): readonly string[] {
    return [];
  }
}

/** Files by their names, in no folders. */
export class MemoryPlace extends TestPlace {
  readonly files = new Map<string, string>();
  readonly #bulk: Pick<Bulk, "open">;

  constructor(bulk: Pick<Bulk, "open"> = createVaultCrypto().bulk) {
    super();
    this.#bulk = bulk;
  }

  async openFile([name = ""]: TreePath, sizeBytes: number): Promise<PlaceWriter> {
    const whole = (bytes: Uint8Array) => void this.files.set(name, byteStringOf(bytes));
    return memoryFile(sizeBytes, whole, this.#bulk);
  }

  async makeFolder(): Promise<void> {}
  async finishFolder(): Promise<void> {}
  async linkSame(): Promise<void> {}
  async makeLink(): Promise<void> {}
}

/** The bytes, at most so many at a time. */
export function contentOf(bytes: Uint8Array, pieceBytes: number) {
  let at = 0;
  const next = async (into: Uint8Array): Promise<SourcePiece> => {
    if (at === bytes.length) return { kind: "end" };
    const length = Math.min(into.length, bytes.length - at, pieceBytes);
    into.set(bytes.subarray(at, at + length));
    at += length;
    return { kind: "bytes", length };
  };
  return { next, close: async () => {} };
}
