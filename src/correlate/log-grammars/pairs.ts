/** `key=value` pairs as klog and its text logger print them, read in one pass. */
export interface Pairs { fields: Map<string, string>, cut: boolean }

/**
 * Reads pairs from `at` on. A value is a Go-quoted string, a block `<` LF TAB line… LF ` >`, JSON
 * in brackets, or a bare word. The key may be quoted (klogr). A value that never ends is kept
 * as far as it goes.
 */
export function readPairs (text: string, at = 0): Pairs {
  const fields = new Map<string, string>()
  let cut = false
  const key = /(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_][\w.\-/]*))=/y
  let here = at
  for (;;) {
    // By hand, once: a search that begins anew at each blank would read a long run of them over and over.
    while (here < text.length && /\s/.test(text[here]!)) here++
    if (here >= text.length) break
    key.lastIndex = here
    const match = key.exec(text)
    if (match === null) {
      // Something that is no pair: step over one word.
      const next = text.indexOf(' ', here + 1)
      if (next < 0) break
      here = next
      continue
    }
    const value = readValue(text, key.lastIndex)
    const name = match[1] ?? match[2]!
    fields.set(name, value.text)
    cut ||= value.cut
    here = value.end
  }
  return { fields, cut }
}

interface Value { text: string, end: number, cut: boolean }

function readValue (text: string, at: number): Value {
  const first = text[at]
  if (first === '"') return readQuoted(text, at)
  if (first === '<' && text[at + 1] === '\n') return readBlock(text, at)
  if (first === '[' || first === '{') return readBracketed(text, at)
  const space = text.indexOf(' ', at)
  const end = space < 0 ? text.length : space
  return { text: text.slice(at, end), end, cut: false }
}

/** A Go string literal that begins at `at`. */
export function readQuoted (text: string, at: number): Value {
  let end = at + 1
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  const cut = end >= text.length
  return { text: unquote(text.slice(at + 1, Math.min(end, text.length))), end: Math.min(end + 1, text.length), cut }
}

function readBlock (text: string, at: number): Value {
  const close = text.indexOf('\n >', at)
  const body = text.slice(at + 2, close < 0 ? text.length : close)
  return { text: body.split('\n').map(line => line.startsWith('\t') ? line.slice(1) : line).join('\n'), end: close < 0 ? text.length : close + 3, cut: close < 0 }
}

function readBracketed (text: string, at: number): Value {
  let depth = 0
  let here = at
  for (; here < text.length; here++) {
    const char = text[here]
    if (char === '"') here = readQuoted(text, here).end - 1
    else if (char === '[' || char === '{') depth++
    else if ((char === ']' || char === '}') && --depth === 0) { here++; break }
  }
  return { text: text.slice(at, here), end: here, cut: depth !== 0 }
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', "'": "'", a: '\u0007', b: '\b', f: '\f', v: '\v' }

/** Go's escapes; `\x` of bytes above 127 is left as it stands. */
export function unquote (text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-7][0-9a-fA-F])|(.)|$)/gs, (whole, short: string | undefined, long: string | undefined, byte: string | undefined, char: string | undefined) => {
    if (char !== undefined) return escapes[char] ?? whole
    const code = Number.parseInt(short ?? long ?? byte ?? '', 16)
    return Number.isNaN(code) || code > 0x10_FFFF ? whole : String.fromCodePoint(code)
  })
}
