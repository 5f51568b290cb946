// A bank of a hundred accounts that survives `kill -9` and power loss, in one process and no database.
//
//   node examples/accounts/accounts.mjs [FOLDER]
//
// It moves money at random until it is ended, and says how many transfers were acknowledged. End it as
// rudely as you like and start it again: no acknowledged transfer is lost, none is done by half, and
// the sum of all accounts is what it was. FOLDER (default: accounts-journal) holds a snapshot and the
// log after it; `nines journal verify FOLDER` checks them, `nines journal dump FOLDER` prints them.
import { CopyOnWriteMap, openCheckpointed } from "nines/journal";

const accounts = 100;
const openingCents = 10_000;
const transfersAtOnce = 64;

// The whole bank. `apply` is the only code that moves money; what it returns is the answer to the
// change, and a transfer that is refused today is refused again when it is replayed.
const bank = {
  empty() {
    const state = { cents: new CopyOnWriteMap(), count: 0 };
    for (let id = 0; id < accounts; id++) state.cents.set(id, openingCents);
    return state;
  },
  apply(state, { from, to, cents }) {
    state.count += 1;
    if (state.cents.get(from) < cents) return { refused: "not enough money" };
    state.cents.set(from, state.cents.get(from) - cents);
    state.cents.set(to, state.cents.get(to) + cents);
    return { count: state.count };
  },
  // The accounts of this moment, read while transfers go on.
  save(state) {
    const { count } = state;
    const frozen = state.cents.freeze();
    return (function* () {
      yield { count };
      yield* frozen;
    })();
  },
  load(state, item) {
    if (Array.isArray(item)) state.cents.set(...item);
    else state.count = item.count;
  },
};

const begunMs = performance.now();
const book = await openCheckpointed(process.argv[2] ?? "accounts-journal", bank, {
  checkpointChanges: 50_000,
  onCheckpoint: (outcome) => {
    if (outcome instanceof Error) console.log(`no checkpoint: ${outcome.message}`);
    else console.log(`checkpoint through transfer ${outcome.through}`);
  },
});

function sum() {
  return [...book.state.cents.values()].reduce((total, cents) => total + cents, 0);
}

const { snapshotThrough, replayed } = book.restored;
const tookMs = Math.round(performance.now() - begunMs);
console.log(
  `${book.state.count} transfers found in ${tookMs} ms: ${snapshotThrough} in the snapshot, ` +
    `${replayed} in the log; the accounts hold ${sum()} cents`,
);

let stopping = false;
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => (stopping = true));

function pick(limit) {
  return Math.floor(Math.random() * limit);
}

async function move() {
  while (!stopping) {
    const transfer = { from: pick(accounts), to: pick(accounts), cents: pick(5_000) };
    const answer = await book.change(transfer); // on disk, or it rejects
    if (answer.count % 5_000 === 0) console.log(`${answer.count} transfers acknowledged`);
  }
}

try {
  await Promise.all(Array.from({ length: transfersAtOnce }, move));
} finally {
  await book.close();
}
console.log(`${book.state.count} transfers; the accounts hold ${sum()} cents`);
