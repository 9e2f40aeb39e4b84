import { isIP } from 'node:net'
import type { DnsLook, HttpHop, HttpLook, Observations, Vantage } from '../shared/types/observations.ts'

interface RecordRow { name: string, type: string, answer?: string[], ttl?: number, rcode?: string, ede?: number, text?: string, timeout?: true }

/** dns.yaml: every answer that came, under the view that gave it. Undefined when DNS was not asked. */
export function dnsFile ({ dns }: Observations): Record<string, unknown> | undefined {
  if (dns.length === 0) return undefined
  const resolvers = new Map<string, Map<string, RecordRow>>()
  const outside = new Map<string, Map<string, RecordRow>>()
  const rowsOf = (vantage: Vantage, server: string): Map<string, RecordRow> => {
    const [views, name] = vantage.startsWith('outside:') ? [outside, vantage.slice(8)] : [resolvers, vantage === 'authoritative' ? server.replace(/ \(.*\)$/, '') : vantage]
    const rows = views.get(name) ?? new Map<string, RecordRow>()
    views.set(name, rows)
    return rows
  }
  // Answers before silence: of several public resolvers one that spoke is enough.
  for (const look of dns.toSorted((a, b) => Number(a.look.is !== 'seen') - Number(b.look.is !== 'seen'))) {
    if (look.checkingDisabled !== true) addRows(rowsOf(look.vantage, look.server), look)
    const [, name, address] = /^(\S+) \(([^)]+)\)$/.exec(look.server) ?? []
    if (look.vantage === 'authoritative' && name !== undefined && address !== undefined && isIP(address) !== 0) {
      const type = isIP(address) === 4 ? 'A' : 'AAAA'
      addRow(rowsOf('public', ''), { name, type, answer: [address] })
    }
  }
  const plain = (views: typeof resolvers): Record<string, RecordRow[]> => Object.fromEntries([...views].filter(([, rows]) => rows.size > 0).sort(([a], [b]) => a < b ? -1 : 1).map(([name, rows]) => [name, [...rows.values()]]))
  return { resolvers: plain(resolvers), ...(outside.size === 0 ? {} : { outside: plain(outside) }) }
}

function addRow (rows: Map<string, RecordRow>, row: RecordRow): void {
  const key = `${row.name.toLowerCase()} ${row.type}`
  if (!rows.has(key)) rows.set(key, row)
}

function addRows (rows: Map<string, RecordRow>, { name, type, look, failure }: DnsLook): void {
  if (look.is !== 'seen') {
    if (failure === 'timeout') addRow(rows, { name, type, timeout: true })
    return
  }
  const { rcode, answers, authority, ede } = look.value
  const told = ede === undefined ? {} : { ede: ede.code, ...(ede.text === '' ? {} : { text: ede.text }) }
  const records = new Map<string, RecordRow>()
  for (const record of [...answers, ...authority.filter(({ type: kind }) => kind === 'SOA')]) {
    const key = `${record.name.toLowerCase()} ${record.type}`
    const row = records.get(key) ?? { name: record.name, type: record.type, answer: [], ttl: record.ttl }
    row.answer?.push(record.data)
    records.set(key, row)
  }
  for (const row of records.values()) addRow(rows, row)
  const end = answers.filter(record => record.type === 'CNAME').at(-1)?.data ?? name
  // NXDOMAIN is what a view answers for a name without records; it is written down where the view knows the name otherwise.
  if (!answers.some(record => record.type === type)) addRow(rows, { name: end, type, rcode, ...told })
}

interface Endpoint { to: string, from?: string[], behaviour?: string, tls?: Record<string, unknown>, requests?: Record<string, unknown>[] }

/** http.yaml: what each address and port did, by the place it was seen from. Undefined when nothing was dialled. */
export function httpFile ({ http }: Observations): { endpoints: Endpoint[] } | undefined {
  const endpoints = new Map<string, Endpoint>()
  for (const look of http) {
    if (look.look.is !== 'seen') continue
    for (const hop of look.look.value.hops) addHop(endpoints, look, hop)
  }
  return endpoints.size === 0 ? undefined : { endpoints: [...endpoints.values()] }
}

const behaviours: Partial<Record<string, string>> = { timeout: 'timeout', refused: 'refuse', reset: 'reset', closed: 'close', tls: 'tls-alert', unreachable: 'timeout' }

function addHop (endpoints: Map<string, Endpoint>, { vantage }: HttpLook, hop: HttpHop): void {
  if (hop.address === '' || hop.failure?.code === 'not-recorded' || hop.failure?.code === 'blocked') return
  const from = vantage === 'cluster' ? 'cluster' : vantage === 'public' ? 'internet' : vantage.replace(/^outside:/, '')
  const to = `${isIP(hop.address) === 6 ? `[${hop.address}]` : hop.address}:${hop.port}`
  const key = `${to} ${from}`
  const endpoint = endpoints.get(key) ?? { to, from: [from] }
  endpoints.set(key, endpoint)
  const behaviour = hop.failure === undefined || hop.status !== undefined ? undefined : behaviours[hop.failure.code]
  if (behaviour !== undefined && endpoint.requests === undefined) endpoint.behaviour = behaviour
  if (hop.tls !== undefined && endpoint.tls === undefined) {
    const { names, issuer, notBefore, notAfter, selfSigned } = hop.tls
    endpoint.tls = { names, issuer, selfSigned, ...time('notBefore', notBefore), ...time('notAfter', notAfter) }
  }
  if (hop.status === undefined) return
  const url = parse(hop.url)
  if (url === undefined) return
  delete endpoint.behaviour
  endpoint.requests ??= []
  const headers: Record<string, string> = { ...hop.headers, ...text('location', hop.location), ...text('server', hop.server), ...text('content-type', hop.contentType) }
  const request = { host: url.hostname.replace(/^\[|\]$/g, ''), path: `${url.pathname}${url.search}`, status: hop.status, ...(Object.keys(headers).length === 0 ? {} : { headers }), body: hop.body ?? '' }
  if (!endpoint.requests.some(other => other.host === request.host && other.path === request.path)) endpoint.requests.push(request)
}

const text = (key: string, value: string | undefined): Record<string, string> => value === undefined || value === '' ? {} : { [key]: value }
const time = (key: string, value: number | undefined): Record<string, string> => value === undefined ? {} : { [key]: new Date(value).toISOString() }
const parse = (url: string): URL | undefined => { try { return new URL(url) } catch { return undefined } }

/** acme.yaml: what the CA answered to plain GETs. Undefined when it was not asked or did not answer. */
export function acmeFile ({ acme }: Observations): Record<string, unknown> | undefined {
  const answered = acme.filter(({ look, url }) => look.is === 'seen' && /^https?:/.test(url))
  if (answered.length === 0) return undefined
  const directory = acme.find(({ kind }) => kind === 'directory')?.url
  const get = Object.fromEntries(answered.map(({ url, look }) => [url, look.is === 'seen' ? { status: look.value.status, body: look.value.body } : {}]))
  return { ...(directory === undefined ? {} : { directory }), get }
}
