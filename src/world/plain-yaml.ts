/**
 * The YAML that dumps of Kubernetes objects are made of (block mappings and sequences, plain,
 * quoted and block scalars), read about twenty times faster than by a whole YAML parser, which
 * takes half a second for a cluster of 300 kB. It reads a strict subset of YAML 1.2 (core
 * schema) and hands back a document (or, `undefined`, the stream) at the first sign of anything
 * else, so that the whole parser can take over; a test holds both to the same values.
 */
export function parsePlainDocuments (text: string): PlainDocument[] | undefined {
  if (text.includes('\r') || text.includes('\uFEFF')) return undefined
  try {
    return splitDocuments(text.split('\n')).map(({ lines, line }) => readDocument(lines, line))
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

/** One document: its value, or its text and first line (from 1) when it is more than plain. */
export type PlainDocument = { value: unknown } | { text: string, line: number }

function readDocument (lines: string[], line: number): PlainDocument {
  const text = lines.join('\n')
  // Space that is not a space bar's: what counts as white space differs between YAML and JavaScript.
  if (/[^\P{White_Space} \n]/u.test(text)) return { text, line }
  try {
    return { value: new Reader(lines).document() }
  } catch (error) {
    if (error instanceof NotPlain) return { text, line }
    throw error
  }
}

class NotPlain extends Error {}
const giveUp = (): never => { throw new NotPlain() }

function splitDocuments (lines: string[]): { lines: string[], line: number }[] {
  const documents: { lines: string[], line: number }[] = []
  let current: string[] = []
  let opened = false
  let line = 1
  const close = (next: number): void => {
    if (opened || current.some(holdsContent)) documents.push({ lines: current, line })
    current = []
    line = next
  }
  for (const [index, text] of lines.entries()) {
    if (text.startsWith('---')) {
      if (text.trimEnd() !== '---') giveUp()
      close(index + 2)
      opened = true
    } else {
      if (text.startsWith('...') || text.startsWith('%')) giveUp()
      current.push(text)
    }
  }
  close(0)
  return documents
}

const holdsContent = (line: string): boolean => /^ *[^ #]/.test(line)

const plainStart = /^[^\s\-?:,[\]{}#&*!|>'"%@`]|^[-?:][^\s,[\]{}]/
const keyPattern = /^(?:"((?:[^"\\])*)"|'((?:[^']|'')*)'|([^\s\-?:,[\]{}#&*!|>'"%@`](?:[^:#]|:(?=\S)|(?<=\S)#)*|[-?][^\s,[\]{}:#](?:[^:#]|:(?=\S)|(?<=\S)#)*)) *:(?: +(.*)|)$/

class Reader {
  private readonly lines: string[]
  private at = 0

  constructor (lines: string[]) {
    // Changed on the way: see sequence().
    this.lines = [...lines]
  }

  document (): unknown {
    const indent = this.nextIndent()
    if (indent < 0) return null
    const line = this.lines[this.at]!
    // A document that is one scalar is not what a dump has.
    if (!line.startsWith('- ', indent) && line.slice(indent) !== '-' && !keyPattern.test(line.slice(indent).trimEnd())) giveUp()
    const value = this.block(indent)
    if (this.nextIndent() >= 0) giveUp()
    return value
  }

  /** Skips blank and comment lines; the indentation of the next line with content, −1 at the end. */
  private nextIndent (): number {
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at]!
      let indent = 0
      while (line.charCodeAt(indent) === 32) indent++
      if (indent < line.length && line.charCodeAt(indent) !== 35) return indent
    }
    return -1
  }

  private block (indent: number): unknown {
    const line = this.lines[this.at]!
    return line[indent] === '-' && (line.length === indent + 1 || line[indent + 1] === ' ') ? this.sequence(indent) : this.mapping(indent)
  }

  private sequence (indent: number): unknown[] {
    const items: unknown[] = []
    for (let next = this.nextIndent(); next >= indent; next = this.nextIndent()) {
      const line = this.lines[this.at]!
      if (next !== indent) giveUp()
      if (line[indent] !== '-' || (line.length > indent + 1 && line[indent + 1] !== ' ')) {
        // The sequence of a mapping's value may stand at the mapping's own indentation.
        break
      }
      const rest = line.slice(indent + 1)
      const content = rest.trimStart()
      if (content === '' || content.startsWith('#')) {
        this.at++
        const deeper = this.nextIndent()
        items.push(deeper > indent ? this.block(deeper) : null)
        continue
      }
      const column = indent + 1 + rest.length - content.length
      if (content === '-' || content.startsWith('- ') || keyPattern.test(content.trimEnd())) {
        // What follows the dash is a block of its own whose first line begins here.
        this.lines[this.at] = ' '.repeat(column) + content
        items.push(this.block(column))
      } else {
        items.push(this.scalar(content, indent))
      }
    }
    return items
  }

  private mapping (indent: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    for (let next = this.nextIndent(); next >= indent; next = this.nextIndent()) {
      if (next !== indent) giveUp()
      const match = keyPattern.exec(this.lines[this.at]!.slice(indent).trimEnd()) ?? giveUp()
      const [, double, single, plain, rest = ''] = match
      const key = double ?? single?.replaceAll("''", "'") ?? plain!
      if (key.endsWith(' ')) giveUp()
      // A bare `null:` or `12:` is a key of another type, `<<` a merge.
      if (key === '__proto__' || key === '<<' || (plain !== undefined && typeof plainValue(key) !== 'string')) giveUp()
      if (rest !== '' && !rest.startsWith('#')) {
        map[key] = this.scalar(rest, indent)
        continue
      }
      this.at++
      const deeper = this.nextIndent()
      const dashes = deeper === indent && /^-(?: |$)/.test(this.lines[this.at]!.slice(indent))
      if (deeper > indent && !dashes) {
        const line = this.lines[this.at]!.slice(deeper).trimEnd()
        // A scalar on a line of its own.
        if (!/^-(?: |$)/.test(line) && !keyPattern.test(line)) giveUp()
      }
      map[key] = deeper > indent || dashes ? this.block(deeper) : null
    }
    return map
  }

  /** A scalar that begins on the current line with `first`; moves past it. `parent`: indentation of what it belongs to. */
  private scalar (first: string, parent: number): unknown {
    this.at++
    const start = first[0]!
    if (start === '|' || start === '>') return this.blockScalar(first, parent)
    if (start === '"' || start === "'") return this.quoted(first, start, parent)
    if (start === '{' || start === '[') return flow(first.trimEnd())
    if (!plainStart.test(first)) giveUp()
    const parts = [first.trimEnd(), ...this.continuation(parent)]
    for (const part of parts) if (/: |:$| #/.test(part)) giveUp()
    return parts.length === 1 ? plainValue(parts[0]!) : fold(parts)
  }

  /** Further lines of a plain or quoted scalar, trimmed; blank ones are ''. */
  private continuation (parent: number): string[] {
    const parts: string[] = []
    for (let ahead = this.at; ahead < this.lines.length; ahead++) {
      const line = this.lines[ahead]!
      const trimmed = line.trim()
      if (trimmed === '') continue
      const indent = line.length - line.trimStart().length
      if (indent <= parent) break
      if (trimmed.startsWith('#')) giveUp()
      for (; this.at < ahead; this.at++) parts.push('')
      parts.push(trimmed)
      this.at = ahead + 1
    }
    return parts
  }

  private quoted (first: string, quote: string, parent: number): string {
    const parts: string[] = []
    let piece = first.slice(1)
    for (;;) {
      const end = closing(piece, quote)
      if (end >= 0) {
        if (!/^ *(?: #.*)?$/.test(piece.slice(end + 1))) giveUp()
        parts.push(piece.slice(0, end))
        break
      }
      parts.push(piece)
      if (this.at >= this.lines.length) giveUp()
      const line = this.lines[this.at++]!
      if (line.trim() !== '' && line.length - line.trimStart().length <= parent) giveUp()
      piece = line
    }
    return quote === "'" ? foldQuoted(parts, false).replaceAll("''", "'") : unescape(foldQuoted(parts, true))
  }

  private blockScalar (header: string, parent: number): string {
    const [, style, chomp] = /^([|>])([-+]?)\s*$/.exec(header) ?? giveUp()
    const taken: string[] = []
    let indent = -1
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at]!
      const trimmed = line.trimStart()
      const own = line.length - trimmed.length
      if (trimmed === '') {
        // Blank lines longer than the text's own indentation are content, or an error.
        if (indent < 0 ? own > 0 : own > indent) { if (indent < 0) giveUp(); taken.push(line.slice(indent)) } else taken.push('')
        continue
      }
      if (indent < 0) {
        if (own <= parent) break
        indent = own
      }
      if (own < indent) break
      taken.push(line.slice(indent))
    }
    let last = taken.length
    while (last > 0 && taken[last - 1] === '') last--
    const lines = taken.slice(0, last)
    // Lines that begin with space are not folded: left to the whole parser.
    if (style === '>' && lines.some((line) => line.startsWith(' '))) giveUp()
    const body = style === '|' ? lines.join('\n') : fold(lines)
    if (chomp === '-') return body
    if (chomp === '+') return body + '\n'.repeat(taken.length - last + (lines.length > 0 ? 1 : 0) - (this.at >= this.lines.length && taken.length > last ? 1 : 0))
    return lines.length === 0 ? '' : `${body}\n`
  }
}

/** One line break between two lines is a space, n + 1 breaks are n. */
function fold (lines: string[]): string {
  let text = ''
  let breaks = 0
  for (const [index, line] of lines.entries()) {
    if (line === '') {
      breaks++
      continue
    }
    text += index === 0 ? '' : breaks > 0 ? '\n'.repeat(breaks) : ' '
    if (index === breaks && index > 0) text = '\n'.repeat(breaks)
    text += line
    breaks = 0
  }
  return text
}

function foldQuoted (parts: string[], escapes: boolean): string {
  if (parts.length === 1) return parts[0]!
  let text = parts[0]!
  let breaks = 0
  let joined = false
  const endsEscaped = (part: string): boolean => escapes && /(?:^|[^\\])(?:\\\\)*\\$/.test(part)
  const trimEnd = (part: string): string => {
    if (endsEscaped(part)) { joined = true; return part.slice(0, -1) }
    joined = false
    // A space that an escape protects stays.
    if (escapes && /\\ +$/.test(part)) giveUp()
    return part.replace(/ +$/, '')
  }
  text = trimEnd(text)
  for (const [index, part] of parts.entries()) {
    if (index === 0) continue
    const last = index === parts.length - 1
    const trimmed = part.replace(/^ +/, '')
    if (trimmed === '' && !last) {
      breaks++
      continue
    }
    text += breaks > 0 ? '\n'.repeat(breaks) : joined ? '' : ' '
    breaks = 0
    text += last ? trimmed : trimEnd(trimmed)
  }
  return text
}

function closing (text: string, quote: string): number {
  for (let index = 0; index < text.length; index++) {
    if (quote === '"' && text[index] === '\\') index++
    else if (text[index] === quote) {
      if (quote === "'" && text[index + 1] === "'") index++
      else return index
    }
  }
  return -1
}

const escapes: Record<string, string> = { 0: '\0', a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r', e: '\x1b', ' ': ' ', '"': '"', '/': '/', '\\': '\\', N: '\u0085', _: '\u00a0', L: '\u2028', P: '\u2029' }

function unescape (text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]|$))/g, (_whole, two?: string, four?: string, eight?: string, one?: string) => {
    const code = two ?? four ?? eight
    if (code !== undefined) return parseInt(code, 16) > 0x10ffff ? giveUp() : String.fromCodePoint(parseInt(code, 16))
    return Object.hasOwn(escapes, one!) ? escapes[one!]! : giveUp()
  })
}

/** `{}` and `[]`, and what is JSON on one line; other flow collections are rare in dumps. */
function flow (text: string): unknown {
  if (text === '{}') return {}
  if (text === '[]') return []
  if (text.includes('__proto__')) giveUp()
  try {
    return JSON.parse(text) as unknown
  } catch {
    return giveUp()
  }
}

/** The core schema's reading of a plain scalar. */
function plainValue (text: string): unknown {
  switch (text) {
    case '~': case 'null': case 'Null': case 'NULL': return null
    case 'true': case 'True': case 'TRUE': return true
    case 'false': case 'False': case 'FALSE': return false
  }
  const code = text.charCodeAt(0)
  // Only digits, signs and dots begin numbers.
  if ((code < 48 || code > 57) && code !== 43 && code !== 45 && code !== 46) return text
  if (/^[-+]?[0-9]+$/.test(text)) return Number(text)
  if (/^0o[0-7]+$|^0x[0-9a-fA-F]+$/.test(text)) return Number(text)
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text)
  if (/^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/.test(text)) return giveUp()
  return text
}
