// What the answers of the admin API are made of: zod schemas that are the TypeScript types as well,
// so that the OpenAPI document and the code that builds the answers have one source.
//
// No answer is parsed before it is sent: the compiler has checked it, and a test validates the real
// ones against the document. Objects are open to readers ("fields may be added").

import { z } from "zod";

/** An object whose fields nobody changes. */
export function shape<Fields extends z.core.$ZodLooseShape>(fields: Fields) {
  return z.object(fields).readonly();
}

export function list<Item extends z.core.SomeType>(item: Item) {
  return z.array(item).readonly();
}

/** A number that counts something. */
export function count(meaning: string) {
  return z.int().min(0).describe(meaning);
}

/** A time as ISO 8601 in UTC. */
export function time(meaning: string) {
  return z.string().describe(`${meaning}; ISO 8601 in UTC`);
}

/** True where two types are the same, optional and read-only fields included. */
export type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
