/**
 * Alertmanager's identity of an alert (prometheus/common `LabelSet.Fingerprint`): FNV-1a 64 over
 * the labels sorted by the bytes of their names. Empty labels do not count.
 */
export function fingerprint (labels: Record<string, string>): string {
  let hash = 0xcbf29ce484222325n
  const add = (bytes: Iterable<number>): void => { for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn }
  const entries = Object.entries(labels).filter(([, value]) => value !== '').map(([name, value]) => ({ name: Buffer.from(name), value: Buffer.from(value) }))
  // Byte order: UTF-16 order differs above U+FFFF.
  entries.sort((a, b) => Buffer.compare(a.name, b.name))
  for (const { name, value } of entries) {
    add(name)
    add([0xff])
    add(value)
    add([0xff])
  }
  return hash.toString(16).padStart(16, '0')
}
