// Whether deflate is worth trying: whether the bytes of a sample are uneven.
//
// Intuition: what is compressed or encrypted has all 256 values equally often, and nothing is
// gained by deflating it; text, logs and tables have not. The entropy of a sample of 4 KiB tells
// them apart in ten microseconds; deflating the sample tells it in a hundred. What repeats only in
// long, even blocks is missed, which equal chunks mostly catch.

const sampleBytes = 4_096;
/** Bits a byte. A sample of even bytes shows 7.95, base64 6, text about 5. */
const evenBits = 7.8;

/** False: deflating `bytes` gains nothing. */
export function mayShrink(bytes: Uint8Array): boolean {
  // What is short is tried: too few bytes tell nothing, and it is quick.
  if (bytes.length < sampleBytes) return true;
  const start = Math.floor((bytes.length - sampleBytes) / 2);
  const counts = new Uint16Array(256);
  for (let at = start; at < start + sampleBytes; at++) {
    const byte = bytes[at] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
  let bits = 0;
  for (const count of counts) {
    if (count > 0) bits -= (count / sampleBytes) * Math.log2(count / sampleBytes);
  }
  return bits < evenBits;
}
