// Whether deflate is worth trying: whether the bytes of a sample are uneven.
//
// Intuition: what is compressed or encrypted has all 256 values equally often, and nothing is
// gained by deflating it; text, logs and tables have not. The entropy of a sample of 4 KiB tells
// them apart in ten microseconds; deflating the sample tells it in a hundred. What repeats only in
// long, even blocks is missed, which equal chunks mostly catch.

const sampleBytes = 4_096;
/** Fewer tell nothing, and are deflated quickly. */
const sampleBytesLeast = 512;
/** Bits a byte. Even bytes show 8 of them but for what chance takes, base64 6, text about 5. */
const missingBits = 0.15;

/** False: deflating `bytes` gains nothing. */
export function mayShrink(bytes: Uint8Array): boolean {
  if (bytes.length < sampleBytesLeast) return true;
  const sampled = Math.min(sampleBytes, bytes.length);
  const start = Math.floor((bytes.length - sampled) / 2);
  const counts = new Uint16Array(256);
  for (let at = start; at < start + sampled; at++) {
    const byte = bytes[at] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
  let bits = 0;
  for (const count of counts) {
    if (count > 0) bits -= (count / sampled) * Math.log2(count / sampled);
  }
  // What chance takes (Miller and Madow, 1955): half a nat of the sample for each possible value.
  const byChance = 255 / (2 * Math.LN2 * sampled);
  return bits < 8 - byChance - missingBits;
}
