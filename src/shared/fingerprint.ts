const prime = 0x100000001b3n
const mask = 0xffffffffffffffffn

/**
 * Alertmanager's fingerprint of a label set: FNV-1a over name, 0xFF, value, 0xFF of each label
 * that is not empty, sorted by name in byte order (prometheus/common `LabelSet.Fingerprint`).
 */
export function fingerprint (labels: Record<string, string>): string {
  let hash = 0xcbf29ce484222325n
  const add = (bytes: Iterable<number>) => { for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * prime) & mask }
  const entries = Object.entries(labels).filter(([, value]) => value !== '').map(([name, value]) => ({ name: Buffer.from(name), value }))
  // Not the order of JavaScript strings: that differs above U+FFFF.
  for (const { name, value } of entries.sort((left, right) => Buffer.compare(left.name, right.name))) {
    add(name)
    add([0xff])
    add(Buffer.from(value))
    add([0xff])
  }
  return hash.toString(16).padStart(16, '0')
}
