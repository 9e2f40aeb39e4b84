import { isIP } from 'node:net'
import type { DnsType, HttpLook } from '../shared/types/observations.ts'
import { walk } from '../shared/clients/http-probe.ts'
import type { Http01Answer, OutsideProbe, RecordsAnswer } from '../shared/clients/outside-probe.ts'
import { dnsName } from '../shared/clients/dns-message.ts'
import { dataOf } from './collectors/dns-names.ts'
import { httpLook } from './collectors/http.ts'
import type { OutsideClients } from './outside-clients.ts'
import { beginRound } from './outside-round.ts'
import type { Round } from './outside-round.ts'

const mostAddresses = 6
/** Two public resolvers: what one of them caches wrongly must not speak for a whole vantage. */
const mostResolvers = 2

/** The only path that a probe asks for: `/.well-known/acme-challenge/<base64url>`. */
const challengePathPattern = '^/\\.well-known/acme-challenge/[A-Za-z0-9_-]{1,256}$'

/** Answers "what does the HTTP-01 path of this name look like from here", for one name and nothing else. */
export async function answerHttp01 (clients: OutsideClients, question: { name: string, path: string }, signal: AbortSignal): Promise<Http01Answer> {
  const round = beginRound(asProbe(clients), signal)
  const at = clients.clock.now()
  const literal = isIP(question.name) !== 0
  const name = literal ? question.name : dnsName(question.name)
  if (name === undefined || !new RegExp(challengePathPattern).test(question.path)) return { at, dns: [], http: [] }

  const addresses = literal ? [name] : await resolve(round, name)
  const url = `http://${isIP(name) === 6 ? `[${name}]` : name}${question.path}`
  const http = await Promise.all(addresses.slice(0, mostAddresses).map((address) =>
    round.look<HttpLook>(['http', 'outside', url, address].join('|'), `http ${name} at ${address}`, 'http', `${address}:80`, async () => {
      const began = performance.now()
      const { hops } = await walk(clients.http, { url, address, guard: clients.guard, resolve: (host) => resolve(round, host), signal })
      return httpLook({ vantage: 'outside:self', purpose: 'challenge', dnsName: name, url, address, at, ms: Math.round(performance.now() - began) }, hops, round.cutShort(began))
    })))
  return { at, dns: round.findings().dns.filter((look) => look.name === name), http }
}

/** Answers "which records has this name", as public resolvers near this probe say. */
export async function answerRecords (clients: OutsideClients, question: { name: string, types: DnsType[] }, signal: AbortSignal): Promise<RecordsAnswer> {
  const round = beginRound(asProbe(clients), signal)
  const at = clients.clock.now()
  const name = dnsName(question.name)
  if (name !== undefined) await Promise.all(question.types.map((type) => round.askAllPublic({ name, type })))
  return { at, dns: round.findings().dns }
}

/** A probe without a network in between: what replay sets up for each recorded vantage. */
export function inProcessProbe (name: string, clients: OutsideClients): OutsideProbe {
  return {
    name,
    http01: (question, signal) => answerHttp01(clients, question, signal),
    records: (question, signal) => answerRecords(clients, question, signal)
  }
}

const asProbe = (clients: OutsideClients): OutsideClients => ({ ...clients, publicResolvers: clients.publicResolvers.slice(0, mostResolvers) })

async function resolve (round: Round, name: string): Promise<string[]> {
  const looks = await Promise.all((['A', 'AAAA'] as const).map(async (type) => (await round.askAllPublic({ name, type })).flatMap((look) => dataOf(look, type))))
  return [...new Set(looks.flat())]
}
