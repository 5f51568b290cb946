// The ways to read an object from some of its shards, when others may have been made up.
//
// Whoever can write a shard can give it the sum that belongs to it, so that nothing says which of
// several is the liar but what they make together. Any k shards make the object; one way to read it
// is one choice of k, the one with the fewest suspects first: data shards are read as they are, and
// each that is left out is replaced by parity. With p of the shards there, there are C(p, k) ways,
// each comes once: 15 of 4 + 2, 1,001 of 10 + 4.
//
// Rejected: to correct errors as the code could without knowing where they are, which finds half as
// many of them.

/**
 * Choices of `dataShards` of the shards that are there, after the first: that one is what a reader
 * takes by itself, the lowest numbers.
 */
export function* otherReadings(
  there: readonly number[],
  dataShards: number,
): Generator<readonly number[]> {
  const data = there.filter((shard) => shard < dataShards);
  const parity = there.filter((shard) => shard >= dataShards);
  let isFirst = true;
  for (let out = 0; out <= data.length; out++) {
    const replaced = dataShards - data.length + out;
    for (const kept of choices(data, data.length - out)) {
      for (const added of choices(parity, replaced)) {
        if (!isFirst) yield [...kept, ...added];
        isFirst = false;
      }
    }
  }
}

/** Each choice of so many, in their order. */
export function* choices<T>(from: readonly T[], size: number, at = 0): Generator<readonly T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let first = at; first <= from.length - size; first++) {
    for (const rest of choices(from, size - 1, first + 1)) yield [from[first] as T, ...rest];
  }
}
