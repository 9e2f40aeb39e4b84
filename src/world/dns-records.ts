import { isIP } from 'node:net'
import type { Answer, CaaData } from 'dns-packet'
import type { RecordRow } from './case-directory.ts'

/** A question's outcome in one view. `silent`: the case says that nobody answers. */
export type Resolution =
  | { silent: true }
  | { silent: false, rcode: string, answers: Answer[], authority: Answer[], ede?: { code: number, text: string } }

const defaultTtl = 300
const chainLimit = 16

/** What one listed resolver or name server knows. */
export class DnsView {
  readonly authoritative: boolean
  private readonly rows = new Map<string, RecordRow[]>()

  constructor (rows: readonly RecordRow[], authoritative: boolean) {
    this.authoritative = authoritative
    for (const row of rows) {
      const known = this.rows.get(row.name)
      if (known === undefined) this.rows.set(row.name, [row])
      else known.push(row)
    }
  }

  /** Answers as case-format.md says; CNAMEs are followed unless the server is authoritative. */
  resolve (asked: string, type: string): Resolution {
    const answers: Answer[] = []
    let name = asked
    for (let links = 0; links <= chainLimit; links++) {
      const step = this.step(name, type)
      if (step.is === 'silent') return { silent: true }
      answers.push(...step.answers)
      if (step.is === 'alias' && !this.authoritative) {
        name = step.target
        continue
      }
      const authority = step.is === 'end' && step.answers.length === 0 ? this.startOfAuthority(name) : []
      return { silent: false, rcode: step.is === 'end' ? step.rcode : 'NOERROR', answers, authority, ...(step.is === 'end' && step.ede ? { ede: step.ede } : {}) }
    }
    // A loop: what unbound and the rest say.
    return { silent: false, rcode: 'SERVFAIL', answers: [], authority: [] }
  }

  /** Addresses of a name, chains followed whatever the view. */
  addresses (name: string): string[] {
    return ['A', 'AAAA'].flatMap((type) => {
      const found = this.resolve(name, type)
      return found.silent ? [] : found.answers.flatMap((answer) => answer.type === type ? [String((answer as { data: unknown }).data)] : [])
    })
  }

  private step (name: string, type: string): { is: 'silent' } | { is: 'alias', target: string, answers: Answer[] } | { is: 'end', rcode: string, answers: Answer[], ede?: { code: number, text: string } } {
    const rows = this.find(name)
    const matching = rows?.filter((row) => row.type === undefined || row.type === type || type === 'ANY') ?? []
    const usable = matching.some((row) => row.answer.length > 0) ? matching.filter((row) => row.answer.length > 0) : matching
    const alias = type === 'CNAME' || usable.length > 0 ? undefined : rows?.find((row) => row.type === 'CNAME' && row.answer.length > 0)
    if (alias !== undefined) {
      const target = alias.answer[0]!.replace(/(?<=.)\.$/, '').toLowerCase()
      return { is: 'alias', target, answers: toAnswers(name, alias) }
    }
    const [first] = usable
    if (first === undefined) return { is: 'end', rcode: rows === undefined || rows.every((row) => row.rcode === 'NXDOMAIN') ? 'NXDOMAIN' : 'NOERROR', answers: [] }
    if (first.timeout) return { is: 'silent' }
    const said = usable.find((row) => row.ede !== undefined || row.text !== undefined)
    return {
      is: 'end',
      rcode: first.rcode ?? 'NOERROR',
      answers: usable.flatMap((row) => toAnswers(name, row)),
      ...(said === undefined ? {} : { ede: { code: said.ede ?? 0, text: said.text ?? '' } })
    }
  }

  /** Rows of the name itself, else of the wildcard at its closest encloser (RFC 4592). */
  private find (name: string): RecordRow[] | undefined {
    const own = this.rows.get(name)
    if (own !== undefined) return own
    for (let rest = parent(name); rest !== undefined; rest = parent(rest)) {
      const wildcard = this.rows.get(`*.${rest}`)
      if (wildcard !== undefined) return wildcard
      if (this.rows.has(rest)) return undefined
    }
    return undefined
  }

  private startOfAuthority (name: string): Answer[] {
    for (let rest: string | undefined = name; rest !== undefined; rest = parent(rest)) {
      const row = this.rows.get(rest)?.find(({ type, answer }) => type === 'SOA' && answer.length > 0)
      if (row !== undefined) return toAnswers(rest, row)
    }
    return []
  }
}

function parent (name: string): string | undefined {
  const dot = name.indexOf('.')
  return dot < 0 ? undefined : name.slice(dot + 1)
}

function toAnswers (name: string, row: RecordRow): Answer[] {
  if (row.type === undefined) return []
  const { type, ttl = defaultTtl } = row
  return row.answer.flatMap((text) => {
    const data = toData(type, text.trim())
    return data === undefined ? [] : [{ name, type, ttl, class: 'IN', data } as Answer]
  })
}

const bare = (name: string): string => name.length > 1 ? name.replace(/\.$/, '') : name

/** Presentation-format record data as dns-packet wants it; undefined when it cannot be read as that type. */
function toData (type: string, text: string): unknown {
  const words = text.split(/\s+/)
  switch (type) {
    case 'A': return isIP(text) === 4 ? text : undefined
    case 'AAAA': return isIP(text) === 6 ? text : undefined
    case 'CNAME': case 'NS': case 'PTR': case 'DNAME': return bare(text)
    case 'TXT': case 'SPF': return toStrings(text)
    case 'CAA': return toCaa(text)
    case 'MX': return { preference: Number(words[0]), exchange: bare(words[1] ?? '.') }
    case 'SRV': return { priority: Number(words[0]), weight: Number(words[1]), port: Number(words[2]), target: bare(words[3] ?? '.') }
    case 'DS': return { keyTag: Number(words[0]), algorithm: Number(words[1]), digestType: Number(words[2]), digest: Buffer.from(words.slice(3).join(''), 'hex') }
    case 'SOA': {
      const [mname = '.', rname = '.', serial, refresh, retry, expire, minimum] = words
      return { mname: bare(mname), rname: bare(rname), serial: Number(serial ?? 1), refresh: Number(refresh ?? 7200), retry: Number(retry ?? 900), expire: Number(expire ?? 1209600), minimum: Number(minimum ?? 300) }
    }
    // RFC 3597: any other type as `\# length hex`.
    default: return Buffer.from(/^\\#\s+\d+\s+(.*)$/.exec(text)?.[1]?.replaceAll(/\s/g, '') ?? '', 'hex')
  }
}

/** Quoted strings as they stand; text without quotes is one value, however long. */
function toStrings (text: string): Buffer[] {
  const quoted = text.startsWith('"') ? [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map((match) => match[1]!) : [text]
  const values = quoted.map((part) => unescape(part, text.startsWith('"')))
  return values.flatMap((value) => {
    const pieces: Buffer[] = []
    for (let at = 0; at < value.length || pieces.length === 0; at += 255) pieces.push(value.subarray(at, at + 255))
    return pieces
  })
}

function unescape (text: string, escaped: boolean): Buffer {
  if (!escaped || !text.includes('\\')) return Buffer.from(text)
  return Buffer.concat([...text.matchAll(/\\(\d{3})|\\(.)|([^\\]+)/gs)].map(([, code, one, plain]) => code === undefined ? Buffer.from(one ?? plain ?? '') : Buffer.from([Number(code) & 255])))
}

function toCaa (text: string): CaaData | undefined {
  const [, flags, tag, value = ''] = /^(\d+)\s+([A-Za-z0-9]+)(?:\s+(.*))?$/s.exec(text) ?? []
  if (flags === undefined || tag === undefined) return undefined
  const plain = value.startsWith('"') ? value.slice(1).replace(/"\s*$/, '').replaceAll(/\\(.)/g, '$1') : value
  return { flags: Number(flags) & 255, tag: tag as CaaData['tag'], value: plain }
}
