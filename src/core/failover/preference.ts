// Whose turn it is: instances in the order in which they would be made primary.
//
// First those that the file's order names, in that order; then the others by their ordinal. Of
// those that share a place (several that the order does not name), the one that has been well for
// longest goes first: it is the least likely to be lost again, and its caches are the warmest.

export interface Preferable {
  readonly id: string;
  readonly ordinal: number;
  /** Since when it is well; undefined while it is not. */
  readonly wellSinceMs: number | undefined;
}

/** `order` as in the file; empty: by ordinal. */
export function byPreference<One extends Preferable>(
  instances: readonly One[],
  order: readonly string[],
): readonly One[] {
  const place = ({ id, ordinal }: One): number => {
    if (order.length === 0) return ordinal;
    const named = order.indexOf(id);
    return named < 0 ? order.length : named;
  };
  return [...instances].sort(
    (a, b) =>
      place(a) - place(b) ||
      (a.wellSinceMs ?? Infinity) - (b.wellSinceMs ?? Infinity) ||
      a.ordinal - b.ordinal,
  );
}
