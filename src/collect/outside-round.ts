import { unavailable, seen } from '../shared/types/common.ts'
import type { Look } from '../shared/types/common.ts'
import type { AcmeLook, DnsLook, HttpLook, LookReport, Vantage } from '../shared/types/observations.ts'
import type { DnsQuestion } from '../shared/clients/dns-message.ts'
import type { OutsideClients } from './outside-clients.ts'
import type { OutsideFindings } from './outside-request.ts'

/** A question to one server. `report` groups looks into one row of the result. */
interface Ask extends DnsQuestion { vantage: Vantage, server: string, address?: string, report: string }

/**
 * One round of looks: what was found so far, and the means to look further. Looks of the last
 * `interval` are read again instead of made again; what hangs at the deadline is reported as such.
 */
export interface Round {
  clients: OutsideClients
  signal: AbortSignal
  ask (question: Ask): Promise<DnsLook>
  /** The first public resolver that answers. Undefined when none is configured. */
  askPublic (question: DnsQuestion, report: string): Promise<DnsLook | undefined>
  /** Every public resolver; DNS over HTTPS when none of them answers on port 53. */
  askAllPublic (question: DnsQuestion): Promise<DnsLook[]>
  /** Runs an HTTP, TLS or CA look under the round's limits and keeps it. */
  look<Found extends HttpLook | AcmeLook> (key: string, what: string, source: 'http' | 'tls' | 'acme', place: string, run: () => Promise<Found>): Promise<Found>
  /** The deadline came before the other side, asked at `began` (performance.now), had a fair chance to answer. */
  cutShort (began: number): boolean
  /** Looks that somebody else made (an outside probe), or that could not be made at all. */
  take (dns: DnsLook[], http: HttpLook[]): void
  note (report: LookReport): void
  findings (): OutsideFindings
}

/** A server that did not answer is asked last; the next one is tried when this one keeps silent for so long. */
const hedgeAfter = 400
const mostSockets = 256
const mostFetches = 48
/** Of the questions to one server and the fetches from one address: a silent one must not hold up the rest. */
const mostForOne = 32
const mostFromOne = 8
/** A server that let so many questions expire and answered none is silent; the rest are not asked. */
const silentAfter = 8

/** What nobody answered in so many milliseconds is silence, whatever ended the wait. */
const fairChance = 2000

/** Begins a round. */
export function beginRound (clients: OutsideClients, signal: AbortSignal): Round {
  const found = { dns: new Map<string, { look: DnsLook, report: string }>(), http: new Map<string, HttpLook>(), acme: new Map<string, AcmeLook>() }
  const reports: LookReport[] = []
  const running = new Map<string, { what: string, source: string }>()
  const answered = new Set<string>()
  const silentServers = new Set<string>()
  const heardOf = new Map<string, { answered: boolean, expired: number, why: string }>()
  const sockets = limiter(mostSockets)
  const fetches = limiter(mostFetches)
  const oneServer = limiters(mostForOne)
  const onePlace = limiters(mostFromOne)

  const recently = async <T>(key: string, run: () => Promise<T>): Promise<T> => {
    const now = clients.clock.now()
    const kept = clients.recent.get(key)
    if (kept !== undefined && now - kept.at < clients.interval) return await (kept.look as Promise<T>)
    const entry = { at: now, look: run() }
    clients.recent.set(key, entry)
    const result = await entry.look
    // What a deadline cut short says nothing about the other side.
    if (signal.aborted && clients.recent.get(key) === entry) clients.recent.delete(key)
    return result
  }

  const ask = async (question: Ask): Promise<DnsLook> => {
    const { vantage, server, address = server, report, name, type, checkingDisabled, overTcp } = question
    const key = ['dns', vantage, server, name, type, checkingDisabled === true, ...(overTcp === true ? ['tcp'] : [])].join('|')
    running.set(key, { what: report, source: 'dns' })
    const heard = heardOf.get(server) ?? { answered: false, expired: 0, why: '' }
    heardOf.set(server, heard)
    const look = await recently(key, () => oneServer(server, () => sockets(async (): Promise<DnsLook> => {
      const at = clients.clock.now()
      const common = { vantage, server, name, type, ...(checkingDisabled === true && { checkingDisabled }), ...(overTcp === true && { overTcp }), at }
      if (!heard.answered && heard.expired >= silentAfter) return { ...common, ms: 0, look: unavailable(heard.why), failure: 'timeout' }
      const reply = await clients.dns.ask(address, question, signal)
      if ('answer' in reply) {
        heard.answered = true
        return { ...common, ms: reply.ms, look: seen(reply.answer) }
      }
      if (reply.failure === 'timeout') { heard.expired++; heard.why = reply.why }
      return { ...common, ms: reply.ms, look: unavailable(signal.aborted ? `${reply.why} (the deadline of this look had come)` : reply.why), ...(reply.failure !== undefined && { failure: reply.failure }) }
    })))
    running.delete(key)
    // Two parts of a round may ask the same: the first one's row has it.
    if (!found.dns.has(key)) found.dns.set(key, { look, report })
    if (look.look.is === 'seen') answered.add(report)
    if (look.failure !== undefined) silentServers.add(server)
    return look
  }

  const askTwice = async (question: Ask): Promise<DnsLook> => {
    const look = await ask(question)
    // A validating resolver that fails with checking on and answers with checking off saw bad DNSSEC.
    if (look.look.is === 'seen' && look.look.value.rcode === 'SERVFAIL') await ask({ ...question, checkingDisabled: true })
    return look
  }

  const inTurn = async (servers: string[], question: DnsQuestion, report: string): Promise<DnsLook | undefined> => {
    const order = [...servers].sort((a, b) => Number(silentServers.has(a)) - Number(silentServers.has(b)))
    const asked: Promise<DnsLook>[] = []
    for (const server of order) {
      if (signal.aborted) break
      const look = askTwice({ ...question, vantage: 'public', server, report })
      asked.push(look)
      const first = await firstSeen(asked, hedgeAfter, signal)
      if (first !== undefined) return first
      silentServers.add(server)
    }
    return await firstSeen(asked) ?? await asked[0]
  }

  return {
    clients,
    signal,
    ask: askTwice,
    askPublic: (question, report) => inTurn([...clients.publicResolvers, ...clients.dohResolvers], question, report),
    async askAllPublic (question) {
      const all = (servers: string[]): Promise<DnsLook>[] =>
        servers.map((server) => askTwice({ ...question, vantage: 'public', server, report: `${question.type} ${question.name} at public ${server}` }))
      const asked = all(clients.publicResolvers)
      const heard = await firstSeen(asked, 2 * hedgeAfter, signal)
      return Promise.all(heard === undefined ? [...asked, ...all(clients.dohResolvers)] : asked)
    },
    async look (key, what, source, place, run) {
      running.set(key, { what, source })
      const look = await recently(key, () => onePlace(place, () => fetches(run)))
      running.delete(key)
      if (found.acme.has(key) || found.http.has(key)) return look
      if ('kind' in look) found.acme.set(key, look)
      else found.http.set(key, look)
      reports.push({ what, source, ms: 'ms' in look ? look.ms : 0, ...outcome(look.look) })
      return look
    },
    cutShort: (began) => signal.aborted && performance.now() - began < fairChance,
    take (dns, http) {
      for (const look of dns) found.dns.set(['dns', look.vantage, look.server, look.name, look.type, look.checkingDisabled === true].join('|'), { look, report: `records of ${look.name} from ${look.vantage}` })
      for (const look of http) found.http.set(['http', look.vantage, look.url, look.address].join('|'), look)
    },
    note: (report) => { reports.push(report) },
    findings: () => ({
      dns: [...found.dns].sort(byKey).map(([, { look }]) => look),
      http: [...found.http].sort(byKey).map(([, look]) => look),
      acme: [...found.acme].sort(byKey).map(([, look]) => look),
      looks: [
        ...grouped([...found.dns.values()]),
        ...reports,
        // A row that somebody answered misses nothing when a second server is still thinking.
        ...[...running.values()].filter(({ what, source }) => source !== 'dns' || !answered.has(what)).map(({ what, source }): LookReport => ({ what, source, is: 'unavailable', ms: 0, why: 'not answered before the deadline' }))
      ].sort((a, b) => a.what < b.what ? -1 : a.what > b.what ? 1 : 0)
    })
  }
}

function outcome (look: Look<unknown>): Pick<LookReport, 'is' | 'why' | 'fix'> {
  return look.is === 'unavailable' ? { is: 'unavailable', why: look.why, ...(look.fix !== undefined && { fix: look.fix }) } : { is: look.is }
}

/** One row for each group: seen when any look of it brought records, unavailable when none was answered. */
function grouped (looks: { look: DnsLook, report: string }[]): LookReport[] {
  const groups = new Map<string, DnsLook[]>()
  for (const { look, report } of looks) groups.set(report, [...groups.get(report) ?? [], look])
  return [...groups].map(([what, members]) => {
    const answered = members.filter((member) => member.look.is === 'seen')
    const withRecords = answered.some(({ look }) => look.is === 'seen' && look.value.answers.length > 0)
    const silent = members.find((member) => member.look.is === 'unavailable')?.look
    const is = withRecords ? 'seen' : answered.length > 0 ? 'absent' : 'unavailable'
    return { what, source: 'dns', ms: Math.max(...members.map(({ ms }) => ms)), is, ...(is === 'unavailable' && silent?.is === 'unavailable' && { why: silent.why }) }
  })
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => a < b ? -1 : a > b ? 1 : 0

/** At most `most` at a time; the rest wait in order. */
function limiter (most: number): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (run) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await run()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}

/** A limiter for each key. */
function limiters (most: number): <T>(key: string, run: () => Promise<T>) => Promise<T> {
  const each = new Map<string, ReturnType<typeof limiter>>()
  return (key, run) => {
    const limit = each.get(key) ?? limiter(most)
    each.set(key, limit)
    return limit(run)
  }
}

/** The first look that was answered; undefined when none was, or none within `ms`. */
export async function firstSeen (looks: readonly Promise<DnsLook>[], ms?: number, signal?: AbortSignal): Promise<DnsLook | undefined> {
  const any = Promise.any(looks.map(async (look) => {
    const made = await look
    if (made.look.is !== 'seen') throw new Error('not answered')
    return made
  })).catch(() => undefined)
  if (ms === undefined || signal === undefined) return await any
  const delay = afterDelay(ms, signal)
  const first = await Promise.race([any, delay.over])
  delay.callOff()
  return first
}

function afterDelay (ms: number, signal: AbortSignal): { over: Promise<undefined>, callOff: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const finish = (): void => {
    clearTimeout(timer)
    signal.removeEventListener('abort', finish)
    resolve(undefined)
  }
  const timer = setTimeout(finish, ms)
  if (signal.aborted) finish()
  else signal.addEventListener('abort', finish)
  return { over: promise, callOff: finish }
}
