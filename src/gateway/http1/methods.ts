// What a gateway must know of a method: whether a request may be sent twice, and whether its answer
// has a body. Methods are case-sensitive; one that is not known may do anything.

export const methodTrait = { other: 0, idempotent: 1, head: 2 } as const;
export type MethodTrait = (typeof methodTrait)[keyof typeof methodTrait];

/** Idempotent by RFC 9110 section 9.2.2. */
const idempotent = ["GET", "PUT", "TRACE", "DELETE", "OPTIONS"].map((name) => Buffer.from(name));
const head = Buffer.from("HEAD");

export function methodTraitOf(bytes: Uint8Array, from: number, to: number): MethodTrait {
  for (let index = 0; index < idempotent.length; index++) {
    if (isSame(bytes, from, to, idempotent[index] as Buffer)) return methodTrait.idempotent;
  }
  return isSame(bytes, from, to, head) ? methodTrait.head : methodTrait.other;
}

function isSame(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[from + index] !== name[index]) return false;
  }
  return true;
}
