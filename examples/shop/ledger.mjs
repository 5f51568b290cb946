// The orders of all instances: one append-only file, one JSON line an order.
//
// O_APPEND makes each write land whole at the end, whoever else writes; fsync makes it last. Each
// instance reads on from where it stopped, so that it sees the others' orders. A torn last line (power
// loss in the middle of a write) has no newline or does not parse: it was never confirmed, and the
// next order starts on a fresh line.
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

export class Ledger {
  #file;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #orders = [];
  #byKey = new Map();

  /** `dataFolder` is this instance's own; the ledger lies beside it, where all instances find it. */
  constructor(dataFolder) {
    const folder = join(dirname(dataFolder), "shop-ledger");
    mkdirSync(folder, { recursive: true });
    this.#file = openSync(join(folder, "orders.jsonl"), "a+");
    const parent = openSync(folder, "r");
    fsyncSync(parent); // the file's name must survive as well
    closeSync(parent);
    this.#readOn();
  }

  find(key) {
    this.#readOn();
    return this.#byKey.get(key);
  }

  count() {
    this.#readOn();
    return this.#orders.length;
  }

  latest(limit) {
    this.#readOn();
    return this.#orders.slice(-limit).reverse();
  }

  append(order) {
    const torn = this.#rest.length > 0 ? "\n" : "";
    writeSync(this.#file, `${torn}${JSON.stringify(order)}\n`);
    fsyncSync(this.#file);
  }

  #readOn() {
    const chunk = Buffer.alloc(64 * 1024);
    for (;;) {
      const bytes = readSync(this.#file, chunk, 0, chunk.length, this.#offset);
      if (bytes === 0) return;
      this.#offset += bytes;
      this.#take(Buffer.concat([this.#rest, chunk.subarray(0, bytes)]));
    }
  }

  #take(data) {
    const end = data.lastIndexOf(10) + 1;
    this.#rest = data.subarray(end);
    for (const line of data.subarray(0, end).toString().split("\n")) {
      if (line === "") continue;
      try {
        const order = JSON.parse(line);
        if (this.#byKey.has(order.key)) continue; // two instances took the same key at once
        this.#byKey.set(order.key, order);
        this.#orders.push(order);
      } catch {
        // The torn end of a write that was never confirmed.
      }
    }
  }
}
