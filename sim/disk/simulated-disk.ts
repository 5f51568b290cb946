// The disk port, simulated: everything that ports/disk.ts lets a crash and a failing device do.
//
// The disk itself never crashes: at any time one takes images of it, each a disk of its own. An
// image after a power loss has, of all that was not durable, what `choose` picks; an image after a
// kill has everything, as the kernel still holds it, and a power loss may follow. `onStep` is told
// twice of each change, before it begins and when it is half done, and takes its images there: that
// is every point at which a crash makes a difference.
//
// Faults are set on the disk while it runs: no room, read-only, the n-th call failing once or from
// then on, flushes that lie, bits that turn, writes that answer only later. A failed flush is the
// kernel's: readers see the writes and the names, the device never gets them, and the next flush
// succeeds.

import { assert } from "../../src/core/base/assert.ts";
import {
  type Disk,
  type DiskAccess,
  DiskError,
  type DiskErrorKind,
  diskErrorKind,
  type DiskFile,
  type DiskFolder,
  type DiskLock,
  sectorBytes,
} from "../../src/ports/disk.ts";
import { type Choose, Content } from "./content.ts";

/** Sectors of removed files that the device still holds. */
const staleSectorsMax = 64;

interface NameChange {
  readonly made?: readonly [name: string, content: Content];
  readonly unmade?: readonly [name: string, content: Content];
}

interface FolderState {
  names: Map<string, Content>;
  durable: Map<string, Content>;
  changes: NameChange[];
  /** A flush has failed: what follows succeeds, and keeps nothing. */
  broken: boolean;
  locked: boolean;
}

export type Step = "before" | "during";

export interface Failure {
  /** Only of this operation: "write", "flush", "remove" … Default: of any. */
  readonly operation?: string;
  /** Calls that still succeed before it: 0 for the next. */
  afterCalls: number;
  readonly forever: boolean;
  readonly kind: DiskErrorKind;
}

export class SimulatedDisk implements Disk {
  /** Told of each change: "write web.log", "flush ." … */
  onStep: ((step: Step, what: string) => void) | undefined;
  capacityBytes = Number.POSITIVE_INFINITY;
  readOnly = false;
  /** Flushes and durable writes report success and keep nothing. */
  flushesLie = false;
  /** Durable writes answer by a promise, as on a slow device. */
  slowWrites = false;
  /** How long a change takes, but for durable writes on a fast device; then it begins. */
  pause: (() => Promise<void>) | undefined;
  failure: Failure | undefined;
  /** Changes so far, failed ones as well. */
  calls = 0;
  readonly #folders = new Map<string, FolderState>();
  #stale: Uint8Array[] = [];

  async openFolder(path: string, options: { readonly create: boolean }): Promise<DiskFolder> {
    let state = this.#folders.get(path);
    if (state === undefined) {
      if (!options.create) throw new DiskError("not-found", `cannot open ${path}: not there`);
      this.refuse("make", path);
      state = { names: new Map(), durable: new Map(), changes: [], broken: false, locked: false };
      this.#folders.set(path, state);
    }
    return new SimulatedFolder(this, path, state);
  }

  allocate(sizeBytes: number): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(sizeBytes);
  }

  soon(run: () => void): void {
    void Promise.resolve().then(run);
  }

  /** What a power loss at this moment leaves, as a disk that works and that nobody has open. */
  afterPowerLoss(choose: Choose, options: { readonly stale: boolean }): SimulatedDisk {
    const image = new SimulatedDisk();
    const stale = options.stale ? this.#stale : [];
    image.#stale = this.#stale.slice();
    for (const [path, state] of this.#folders) {
      const kept = applySome(state, choose);
      const names = new Map<string, Content>();
      const contents = new Map<Content, Content>();
      for (const [name, content] of kept) {
        const left = contents.get(content) ?? content.afterPowerLoss(choose, stale);
        contents.set(content, left);
        names.set(name, left);
      }
      image.#folders.set(path, {
        names,
        durable: new Map(names),
        changes: [],
        broken: false,
        locked: false,
      });
    }
    return image;
  }

  /** What the next process finds when all that had files open are killed. */
  afterKill(): SimulatedDisk {
    const image = new SimulatedDisk();
    image.#stale = this.#stale.slice();
    for (const [path, state] of this.#folders) {
      const copies = new Map<Content, Content>();
      const copyOf = (content: Content): Content => {
        const copy = copies.get(content) ?? content.copy();
        copies.set(content, copy);
        return copy;
      };
      const copyEntry = ([name, content]: readonly [string, Content]): [string, Content] => [
        name,
        copyOf(content),
      ];
      image.#folders.set(path, {
        names: new Map([...state.names].map(copyEntry)),
        durable: new Map([...state.durable].map(copyEntry)),
        changes: state.changes.map(({ made, unmade }) => ({
          ...(made === undefined ? {} : { made: copyEntry(made) }),
          ...(unmade === undefined ? {} : { unmade: copyEntry(unmade) }),
        })),
        broken: state.broken,
        locked: false,
      });
    }
    return image;
  }

  /** The file as it is read now, to look at or to rot. */
  content(folder: string, name: string): Content {
    const content = this.#folders.get(folder)?.names.get(name);
    assert(content !== undefined, `${folder}/${name} is there`);
    return content;
  }

  names(folder: string): readonly string[] {
    return [...(this.#folders.get(folder)?.names.keys() ?? [])].sort();
  }

  /** Puts a file there, durably, as if it had always been. */
  place(folder: string, name: string, bytes: Uint8Array): void {
    const content = new Content();
    content.write(bytes, 0);
    content.makeDurable();
    const state = this.#folders.get(folder);
    assert(state !== undefined, `${folder} is there`);
    state.names.set(name, content);
    state.durable.set(name, content);
  }

  /** Takes a file away, durably, as somebody's mistake does. */
  takeAway(folder: string, name: string): void {
    this.#folders.get(folder)?.names.delete(name);
    this.#folders.get(folder)?.durable.delete(name);
  }

  /** Throws what the set faults say of this change; else says that it begins. */
  refuse(operation: string, path: string): void {
    this.onStep?.("before", `${operation} ${path}`);
    this.calls++;
    if (this.readOnly) {
      throw new DiskError("read-only", `cannot ${operation} ${path}: read-only`);
    }
    const failure = this.failure;
    if (failure === undefined || (failure.operation ?? operation) !== operation) return;
    if (failure.afterCalls-- > 0) return;
    if (!failure.forever) this.failure = undefined;
    throw new DiskError(failure.kind, `cannot ${operation} ${path}: ${failure.kind}`);
  }

  freeBytes(): number {
    let used = 0;
    for (const { names } of this.#folders.values()) {
      for (const content of names.values()) {
        used += Math.ceil(content.sizeBytes / sectorBytes) * sectorBytes;
      }
    }
    return this.capacityBytes - used;
  }

  remember(removed: Content): void {
    for (const sector of removed.sectors) if (sector !== undefined) this.#stale.push(sector);
    this.#stale = this.#stale.slice(-staleSectorsMax);
  }
}

/** The folder's names when each change since its last flush is there or not, each for itself. */
function applySome(state: FolderState, choose: Choose): ReadonlyMap<string, Content> {
  const names = new Map(state.durable);
  for (const { made, unmade } of state.changes) {
    if (choose(2) === 0) continue;
    if (unmade !== undefined && names.get(unmade[0]) === unmade[1]) names.delete(unmade[0]);
    if (made !== undefined) names.set(made[0], made[1]);
  }
  return names;
}

class SimulatedFolder implements DiskFolder {
  readonly path: string;
  readonly #disk: SimulatedDisk;
  readonly #state: FolderState;

  constructor(disk: SimulatedDisk, path: string, state: FolderState) {
    this.#disk = disk;
    this.path = path;
    this.#state = state;
  }

  async list(): Promise<readonly string[]> {
    return [...this.#state.names.keys()].sort();
  }

  async create(name: string): Promise<DiskFile> {
    await this.#disk.pause?.();
    if (this.#state.names.has(name)) {
      throw new DiskError("exists", `cannot create ${name}: it is there`);
    }
    this.#disk.refuse("create", name);
    const content = new Content();
    this.#change({ made: [name, content] });
    this.#disk.onStep?.("during", `create ${name}`);
    return new SimulatedFile(this.#disk, name, content, "write");
  }

  async open(name: string, access: DiskAccess): Promise<DiskFile> {
    const content = this.#find("open", name);
    if (access !== "read" && this.#disk.readOnly) {
      throw new DiskError("read-only", `cannot open ${name}: read-only`);
    }
    return new SimulatedFile(this.#disk, name, content, access);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#disk.pause?.();
    const content = this.#find("rename", from);
    this.#disk.refuse("rename", `${from} to ${to}`);
    const replaced = this.#state.names.get(to);
    this.#change({ unmade: [from, content], made: [to, content] });
    if (replaced !== undefined) this.#disk.remember(replaced);
    this.#disk.onStep?.("during", `rename ${from} to ${to}`);
  }

  async remove(name: string): Promise<void> {
    await this.#disk.pause?.();
    const content = this.#find("remove", name);
    this.#disk.refuse("remove", name);
    this.#change({ unmade: [name, content] });
    this.#disk.remember(content);
    this.#disk.onStep?.("during", `remove ${name}`);
  }

  async flush(): Promise<void> {
    await this.#disk.pause?.();
    try {
      this.#disk.refuse("flush", this.path);
    } catch (error) {
      this.#state.broken = true;
      throw error;
    }
    if (this.#disk.flushesLie || this.#state.broken) return;
    this.#state.durable = new Map(this.#state.names);
    this.#state.changes = [];
  }

  async lock(): Promise<DiskLock | undefined> {
    this.#disk.refuse("lock", this.path);
    if (this.#state.locked) return undefined;
    this.#state.locked = true;
    let held = true;
    return {
      release: async () => {
        if (held) this.#state.locked = false;
        held = false;
      },
    };
  }

  async close(): Promise<void> {
    // Nothing is held for an open folder.
  }

  #find(operation: string, name: string): Content {
    const content = this.#state.names.get(name);
    if (content === undefined) {
      throw new DiskError("not-found", `cannot ${operation} ${name}: not there`);
    }
    return content;
  }

  #change(change: NameChange): void {
    this.#state.changes.push(change);
    if (change.unmade !== undefined) this.#state.names.delete(change.unmade[0]);
    if (change.made !== undefined) this.#state.names.set(change.made[0], change.made[1]);
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #name: string;
  readonly #content: Content;
  readonly #access: DiskAccess;

  constructor(disk: SimulatedDisk, name: string, content: Content, access: DiskAccess) {
    this.#disk = disk;
    this.#name = name;
    this.#content = content;
    this.#access = access;
  }

  async sizeBytes(): Promise<number> {
    return this.#content.sizeBytes;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    return this.#content.read(into, offset);
  }

  write(bytes: Uint8Array, offset: number): Promise<void> | undefined {
    assert(this.#access !== "read", "a file opened for reading is not written");
    if (this.#access === "write") return this.#writeBuffered(bytes, offset);
    if (this.#disk.slowWrites) return this.#writeDurableSlowly(bytes, offset);
    this.#writeDurable(bytes, offset);
    return undefined;
  }

  async flush(): Promise<void> {
    await this.#disk.pause?.();
    try {
      this.#disk.refuse("flush", this.#name);
    } catch (error) {
      this.#content.forgetPending();
      throw error;
    }
    if (!this.#disk.flushesLie) this.#content.makeDurable();
  }

  async truncate(sizeBytes: number): Promise<void> {
    assert(this.#access !== "read", "a file opened for reading is not cut");
    await this.#disk.pause?.();
    this.#disk.refuse("truncate", this.#name);
    this.#content.truncate(sizeBytes);
    this.#disk.onStep?.("during", `truncate ${this.#name}`);
  }

  async close(): Promise<void> {
    // Nothing is held for an open file.
  }

  async #writeBuffered(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#disk.pause?.();
    this.#change(bytes, offset);
  }

  async #writeDurableSlowly(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#disk.pause?.();
    this.#writeDurable(bytes, offset);
  }

  #writeDurable(bytes: Uint8Array, offset: number): void {
    this.#change(bytes, offset);
    if (this.#disk.flushesLie) return;
    this.#content.makeDurable({ offset, length: bytes.length });
  }

  #change(bytes: Uint8Array, offset: number): void {
    try {
      this.#disk.refuse("write", this.#name);
    } catch (error) {
      // The device failed half way: the cache has it all, and a power loss chooses.
      if (diskErrorKind(error) === "io") this.#content.write(bytes, offset);
      throw error;
    }
    this.#requireRoom(bytes, offset);
    this.#content.write(bytes, offset);
    this.#disk.onStep?.("during", `write ${this.#name}`);
  }

  /** What fits is written before the disk says that it is full, as kernels do. */
  #requireRoom(bytes: Uint8Array, offset: number): void {
    const grownBytes = offset + bytes.length - this.#content.sizeBytes;
    const freeBytes = Math.max(0, this.#disk.freeBytes());
    if (grownBytes <= freeBytes) return;
    const fits = bytes.length - grownBytes + freeBytes;
    if (fits > 0) this.#content.write(bytes.subarray(0, fits), offset);
    throw new DiskError("full", `cannot write ${this.#name}: no room`);
  }
}
