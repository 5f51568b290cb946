// The orders of all instances: one state in one journal, which has one writer at a time, the keeper.
//
// Whichever instance takes the journal's lock first is the keeper; the others hand it their requests
// over a socket beside the journal. The lock of a process that dies is free at once, whatever killed
// it: the next instance that finds nobody at the socket takes the journal, reads the snapshot and the
// log after it (some milliseconds), and goes on. A request whose keeper died is asked again, which is
// harmless: an order carries the customer's own key, and a key that is known is not ordered twice.
import { mkdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { openCheckpointed } from "nines/journal";

/** A stopped keeper is killed and replaced within this; until then its requests wait. */
const deadlineMs = 12_000;
const attemptMs = 1_000;
const retryMs = 20;
const messageBytesMax = 1024 * 1024;
// Relative, because the name of a socket may have 107 bytes and folders have long ones.
const socket = "keeper.sock";

/** The orders, as a state machine: what it answers depends on the orders before, and nothing else. */
const machine = {
  empty: () => ({ orders: [], byKey: new Map() }),
  apply: (state, order) => {
    const known = state.byKey.get(order.key);
    if (known !== undefined) return { order: known, isNew: false };
    state.byKey.set(order.key, order);
    state.orders.push(order);
    return { order, isNew: true };
  },
  save: (state) => state.orders.slice(), // orders never change: a copy of the row is a snapshot
  load: (state, order) => void machine.apply(state, order),
};

export class Orders {
  #say;
  #book; // the checkpointed state, if this is the keeper
  #server;
  #taking;
  #count = 0;

  /** `dataFolder` is this instance's own; the orders lie beside it, where all instances find them. */
  constructor(dataFolder, say) {
    this.#say = say;
    const folder = join(dirname(dataFolder), "shop-orders");
    mkdirSync(folder, { recursive: true });
    process.chdir(folder);
  }

  /** Takes the journal if nobody has it. Throws when it cannot be read. */
  async start() {
    await this.#take();
  }

  /** Resolves when the order is on disk: with it, or with the one that had its key before. */
  place(order) {
    return this.#ask({ place: order }, deadlineMs);
  }

  find(key) {
    return this.#ask({ find: key }, deadlineMs);
  }

  latest(limit) {
    return this.#ask({ latest: limit }, deadlineMs);
  }

  /** How many; the last number that was heard while the keeper does not answer. */
  async count() {
    this.#count = await this.#ask({ count: true }, 250).catch(() => this.#count);
    return this.#count;
  }

  /** Lets go of the journal: another instance takes it over with its next request. */
  async close() {
    this.#server?.close();
    await this.#book?.close();
  }

  async #ask(request, patienceMs) {
    const endsAt = performance.now() + patienceMs;
    for (;;) {
      if (this.#book !== undefined) return this.#answer(request);
      try {
        return await send(request, Math.min(attemptMs, Math.max(1, endsAt - performance.now())));
      } catch (error) {
        if (!error.nobodyAnswered) throw error;
        if (performance.now() > endsAt) throw new Error("the keeper of the orders does not answer");
      }
      if (await this.#take()) continue;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  /** One attempt at a time; whether this instance is the keeper now. */
  #take() {
    this.#taking ??= this.#tryTake().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #tryTake() {
    const begunMs = performance.now();
    let book;
    try {
      book = await openCheckpointed("journal", machine, {
        segmentBytes: 1024 * 1024,
        checkpointChanges: 10_000,
      });
    } catch (error) {
      if (error.code === "NINES_JOURNAL_LOCKED") return false;
      throw error;
    }
    rmSync(socket, { force: true }); // of a keeper that is no more: we have its lock
    this.#book = book;
    this.#server = await listen((request) => this.#answer(request));
    const tookMs = Math.round(performance.now() - begunMs);
    this.#say(`keeps the orders: ${book.state.orders.length} read in ${tookMs} ms`);
    return true;
  }

  async #answer(request) {
    const { orders, byKey } = this.#book.state;
    if (request.find !== undefined) return byKey.get(request.find) ?? null;
    if (request.latest !== undefined) return orders.slice(-request.latest).reverse();
    if (request.place === undefined) return orders.length;
    try {
      return await this.#book.change(request.place);
    } catch (error) {
      // A full disk refuses this order. A failed write ends this keeper: what is on the disk is
      // known only to who opens the journal anew.
      if (this.#book.failure !== undefined) {
        this.#say(`the journal has failed: ${error.message}`);
        process.exit(1);
      }
      throw error;
    }
  }
}

/** One request a connection: a line of JSON each way. */
function listen(answer) {
  const server = createServer({ allowHalfOpen: true }, (peer) => {
    peer.on("error", () => peer.destroy()); // it asks again
    readLine(peer, (line) =>
      answer(JSON.parse(line)).then(
        (value) => peer.end(`${JSON.stringify({ value })}\n`),
        (error) => peer.end(`${JSON.stringify({ error: error.message })}\n`),
      ),
    );
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, () => resolve(server));
  });
}

function send(request, timeoutMs) {
  return new Promise((resolve, reject) => {
    const nobody = () =>
      reject(Object.assign(new Error("nobody answered"), { nobodyAnswered: true }));
    const peer = connect(socket, () => peer.end(`${JSON.stringify(request)}\n`));
    peer.setTimeout(timeoutMs, () => peer.destroy());
    peer.on("error", nobody);
    peer.on("close", nobody); // after an answer this says nothing any more
    readLine(peer, (line) => {
      const { value, error } = JSON.parse(line);
      if (error === undefined) resolve(value);
      else reject(new Error(error));
    });
  });
}

/** A whole line that the other side says before it ends; half a line is its death. */
function readLine(peer, take) {
  let text = "";
  peer.setEncoding("utf8");
  peer.on("data", (chunk) => {
    text += chunk;
    if (text.length > messageBytesMax) peer.destroy();
  });
  peer.on("end", () => text.endsWith("\n") && take(text));
}
