const block = 512

/** Files as one archive in the pax format of POSIX tar, all under `root`; the same files and time give the same bytes. */
export function tarOf (files: ReadonlyMap<string, string>, { root, time }: { root: string, time: number }): Buffer {
  const parts: Buffer[] = []
  const seconds = Math.max(0, Math.floor(time / 1_000))
  const add = (path: string, type: string, content: Buffer): void => {
    parts.push(header(path, type, content.length, seconds), content, Buffer.alloc((block - content.length % block) % block))
  }
  for (const [path, content] of files) {
    const full = `${root}/${path}`
    // The old header has room for a hundred bytes; a record of its own takes the rest.
    if (Buffer.byteLength(full) > 100) add('long-path', 'x', Buffer.from(record('path', full)))
    add(full, '0', Buffer.from(content))
  }
  return Buffer.concat([...parts, Buffer.alloc(block * 2)])
}

function header (path: string, type: string, size: number, seconds: number): Buffer {
  const head = Buffer.alloc(block)
  const octal = (value: number, at: number, length: number): void => { head.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1') }
  head.write(Buffer.from(path).subarray(0, 100).toString('latin1'), 0, 'latin1')
  octal(0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(seconds, 136, 12)
  head.write(' '.repeat(8), 148, 'latin1')
  head.write(type, 156, 'latin1')
  head.write('ustar\u000000', 257, 'latin1')
  octal(head.reduce((sum, byte) => sum + byte, 0), 148, 7)
  return head
}

/** `<length> key=value\n`, where the length counts itself. */
function record (key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  if (String(length).length > String(rest).length) length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}
