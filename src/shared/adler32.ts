/** The checksum with which cert-manager labels solver objects: `http-domain` and `http-token` (util.go, hash/adler32). */
export function adler32 (text: string): number {
  let low = 1
  let high = 0
  for (const byte of new TextEncoder().encode(text)) {
    low = (low + byte) % 65_521
    high = (high + low) % 65_521
  }
  return high * 65_536 + low
}
