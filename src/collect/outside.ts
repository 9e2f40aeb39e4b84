import type { Clock } from '../shared/types/common.ts'
import type { DnsLook, HttpLook } from '../shared/types/observations.ts'
import type { OutsideProbe } from '../shared/clients/outside-probe.ts'
import { parseAddress } from '../shared/clients/guard.ts'
import { askTheCa } from './collectors/acme.ts'
import { climbCaa, lookAtZone, lookUpTxt, resolveBriefly, resolveName, resolveOwnHosts } from './collectors/dns.ts'
import { findZone } from './collectors/dns-zone.ts'
import { challengePath, probeChallenge } from './collectors/http.ts'
import { seeServedCertificate } from './collectors/tls.ts'
import type { OutsideClients } from './outside-clients.ts'
import type { OutsideFindings, OutsideIdentifier, OutsideRequest } from './outside-request.ts'
import { beginRound } from './outside-round.ts'
import type { Round } from './outside-round.ts'

export { buildOutsideClients } from './outside-clients.ts'
export { inProcessProbe } from './outside-vantage.ts'
export type { OutsideClients, OutsideClientsOptions,  } from './outside-clients.ts'
export type { OutsideFindings, OutsideIdentifier, OutsideRequest } from './outside-request.ts'

/** An order has at most 100 names. */
const mostIdentifiers = 100
/** So many are looked at from every side, failing ones first; of the rest one look of each kind must do. */
const mostClosely = 12
/** Time for looks to notice that their signal has gone off and to say so themselves. */
const grace = 50

/**
 * Asks DNS, the web, the CA and the outside probes about every identifier, in parallel until
 * `signal` goes off. Never throws; what could not be looked at is in the findings with its reason.
 */
export async function lookOutside (request: OutsideRequest, clients: OutsideClients, clock: Clock, signal: AbortSignal): Promise<OutsideFindings> {
  if (!clients.enabled) return switchedOff(request)
  const round = beginRound({ ...clients, clock }, signal)
  const looks = Promise.allSettled([
    askTheCa(round, request),
    lookAtNames(round, request)
  ])
  await Promise.race([looks, deadline(signal)])
  return round.findings()
}

async function lookAtNames (round: Round, request: OutsideRequest): Promise<void> {
  // A load balancer's host name makes its public addresses known as ours; a private one behind a name
  // that anybody may have written into a status is no reason to go there.
  const guard = round.clients.guard.owning(request.clusterAddresses)
  const zones = new Map<string, ReturnType<typeof findZone>>()
  const failingFirst = request.identifiers.toSorted((one, other) => Number(one.passed === true) - Number(other.passed === true)).slice(0, mostIdentifiers)
  const large = failingFirst.length > mostClosely
  await Promise.all([resolveOwnHosts(round, request.clusterHostnames ?? []), ...failingFirst.map(async (identifier, index) => {
    const name = identifier.name.toLowerCase().replace(/\.$/, '')
    const plain = { ...identifier, name }
    if (name === '' || (large && identifier.passed === true)) return
    const scope = { request, guard, zones, brief: index >= mostClosely }
    await Promise.allSettled(identifier.type === 'ip' ? lookAtAddress(round, plain, guard) : lookAtName(round, plain, scope))
  })])
  if (large) round.note({ what: `a close look at all ${request.identifiers.length} names`, source: 'dns', is: 'unavailable', ms: 0, why: `only the first ${mostClosely} names of a large order are looked at from every resolver, server and probe, failing ones first` })
}

/** What the names of one order share. `brief`: one look of each kind must do. */
interface Scope { request: OutsideRequest, guard: OutsideClients['guard'], zones: Map<string, ReturnType<typeof findZone>>, brief: boolean }

function lookAtAddress (round: Round, identifier: OutsideIdentifier, guard: OutsideClients['guard']): Promise<unknown>[] {
  const address = parseAddress(identifier.name)?.toString()
  return address === undefined ? [] : [probeChallenge(round, identifier, [address], guard), seeServedCertificate(round, identifier, [address], guard)]
}

function lookAtName (round: Round, identifier: OutsideIdentifier, { request, guard, zones, brief }: Scope): Promise<unknown>[] {
  const { name, challengeType } = identifier
  const zone = zones.get(name) ?? findZone(round, name, brief)
  zones.set(name, zone)
  const overHttp = challengeType !== 'DNS-01' && !identifier.wildcard
  const { probes } = round.clients
  const always = [
    climbCaa(round, name, zone),
    lookAtZone(round, identifier, zone, brief),
    challengeType === 'HTTP-01' ? undefined : lookUpTxt(round, identifier, request, zone, brief)
  ]
  if (brief) return [...always, overHttp ? resolveBriefly(round, name).then((addresses) => probeChallenge(round, identifier, addresses, guard)) : undefined].filter((look) => look !== undefined)

  const addresses = resolveName(round, name)
  return [
    ...always,
    // What a slow resolver adds is looked at when it comes; what is known by then is not looked at twice.
    ...[addresses.early, addresses.all].map(async (part) => {
      const { cluster, public: outside } = await part
      await Promise.all([
        overHttp ? probeChallenge(round, identifier, [...new Set([...cluster, ...outside])], guard) : undefined,
        seeServedCertificate(round, identifier, [...outside, ...cluster], guard)
      ])
    }),
    overHttp ? askOutsideProbes(round, identifier) : undefined,
    ...(challengeType === 'HTTP-01' ? [] : probes.map((probe) => askProbeForTxt(round, identifier, probe)))
  ].filter((look) => look !== undefined)
}

async function askOutsideProbes (round: Round, identifier: OutsideIdentifier): Promise<void> {
  const { probes } = round.clients
  if (probes.length === 0) {
    round.note({
      what: `http ${identifier.name} from outside`,
      source: 'http outside',
      is: 'unavailable',
      ms: 0,
      why: 'no outside probe is configured',
      fix: 'run `acme-triage probe` outside the cluster and list it under probes.outside'
    })
    return
  }
  await Promise.all(probes.map((probe) => askOutsideProbe(round, identifier, probe)))
}

async function askOutsideProbe (round: Round, identifier: OutsideIdentifier, probe: OutsideProbe): Promise<void> {
  const what = `http ${identifier.name} from outside:${probe.name}`
  const began = performance.now()
  const answer = await probe.http01({ name: identifier.name, path: challengePath(identifier.token) }, round.signal)
  const ms = Math.round(performance.now() - began)
  if ('why' in answer) return round.note({ what, source: 'http outside', is: 'unavailable', ms, why: answer.why, ...(answer.fix !== undefined && { fix: answer.fix }) })

  // The probe does not know the key and is not told it: the comparison is made here.
  const vantage = `outside:${probe.name}` as const
  const http = answer.http.map((look): HttpLook => ({ ...look, vantage, ...servedBy(look, identifier.key) }))
  round.take(answer.dns.map((look): DnsLook => ({ ...look, vantage })), http)
  const silent = http.find(({ look }) => look.is === 'unavailable')?.look
  const saw = http.some(({ look }) => look.is === 'seen')
  round.note({ what, source: 'http outside', ms, is: saw ? 'seen' : silent === undefined ? 'absent' : 'unavailable', ...(!saw && silent?.is === 'unavailable' && { why: silent.why }) })
}

/** What resolvers elsewhere hand out: a CA looks from there, too. */
async function askProbeForTxt (round: Round, identifier: OutsideIdentifier, probe: OutsideProbe): Promise<void> {
  const began = performance.now()
  const name = `_acme-challenge.${identifier.name}`
  const answer = await probe.records({ name, types: ['TXT'] }, round.signal)
  const vantage = `outside:${probe.name}` as const
  if ('why' in answer) return round.note({ what: `TXT ${name} from ${vantage}`, source: 'dns', is: 'unavailable', ms: Math.round(performance.now() - began), why: answer.why, ...(answer.fix !== undefined && { fix: answer.fix }) })
  round.take(answer.dns.map((look): DnsLook => ({ ...look, vantage })), [])
}

function servedBy (look: HttpLook, key: string | undefined): Pick<HttpLook, 'served'> {
  const last = look.look.is === 'seen' ? look.look.value.hops.at(-1) : undefined
  if (key === undefined || last?.status !== 200 || last.body === undefined) return {}
  return { served: last.body.trimEnd() === key }
}

function switchedOff (request: OutsideRequest): OutsideFindings {
  const row = (what: string, source: string) => ({ what, source, is: 'unavailable' as const, ms: 0, why: 'probes are switched off', fix: 'set probes.enabled (ACME_TRIAGE_PROBES=on)' })
  return {
    dns: [],
    http: [],
    acme: [],
    looks: [
      ...request.identifiers.flatMap(({ name }) => [row(`DNS of ${name}`, 'dns'), row(`http ${name}`, 'http'), row(`http ${name} from outside`, 'http outside'), row(`certificate of ${name}`, 'tls')]),
      ...(request.acme === undefined ? [] : [row(`the CA ${request.acme.server}`, 'acme')])
    ]
  }
}

function deadline (signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const after = (): void => { setTimeout(resolve, grace).unref() }
    if (signal.aborted) after()
    else signal.addEventListener('abort', after, { once: true })
  })
}
