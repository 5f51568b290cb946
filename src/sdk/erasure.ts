// `nines/erasure`: parity and Reed-Solomon over shards of bytes, for applications. The stripe is pure
// computation and reaches nothing, so this is its outside and nothing more.

export { NinesError } from "../core/base/errors.ts";
export {
  type ErasureCodec,
  erasureCodecs,
  Stripe,
  type StripeOptions,
  shardBytesMax,
  shardsMax,
} from "../core/erasure/stripe.ts";
