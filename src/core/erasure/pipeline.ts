// Reading, computing and writing at the same time, in as much memory as was given.
//
// Slots are used in turn: while one is computed on, the next one is being filled and those before
// are being written. Reads are asked for one after the other, in order, so a source that can only
// be read forwards will do. A slot is filled again only when what was in it is out: that bounds the
// memory, and slows reading down to the speed of writing.
//
// Whatever fails, nothing is under way any more when it returns: buffers and files are free then.

import { assert, present } from "../base/assert.ts";

export interface Steps<Slot, Item> {
  /** Fills the slot with number `number`; undefined when there is no more. */
  read(slot: Slot, number: number): Promise<Item | undefined>;
  work(slot: Slot, item: Item): void;
  /** The slot stays as it is until this settles. */
  write(slot: Slot, item: Item): Promise<void>;
}

export async function runPipeline<Slot, Item>(
  slots: readonly Slot[],
  steps: Steps<Slot, Item>,
): Promise<void> {
  assert(slots.length > 1, "one slot is read into while another is written from");
  const slot = (number: number): Slot =>
    present(slots[number % slots.length], "a slot for each number");
  const written: Promise<void>[] = slots.map(() => Promise.resolve());
  let reading = steps.read(slot(0), 0);
  try {
    for (let number = 0; ; number++) {
      const item = await reading;
      if (item === undefined) break;
      const next = number + 1;
      await written[next % slots.length];
      reading = quiet(steps.read(slot(next), next));
      steps.work(slot(number), item);
      written[number % slots.length] = quiet(steps.write(slot(number), item));
    }
    await Promise.all(written);
  } finally {
    await Promise.allSettled([reading, ...written]);
  }
}

/** It is waited for later: until then its failure is nobody's surprise. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
