import type { DnsLook } from '../../shared/types/observations.ts'
import type { OutsideIdentifier, OutsideRequest } from '../outside-request.ts'
import { firstSeen } from '../outside-round.ts'
import type { Round } from '../outside-round.ts'
import { ancestors, cnameChain, dataOf } from './dns-names.ts'
import { askAuthoritative, checkDelegation, findZone } from './dns-zone.ts'
import type { Zone } from './dns-zone.ts'

/** The label that no zone has: an answer to it comes from a wildcard. */
const controlLabel = 'acme-triage-wildcard-check'

/** Final addresses of a name, in the views that matter to whoever connects. */
export interface Resolved { cluster: string[], public: string[] }

/** Long enough for a resolver that answers at all. */
const patience = 800

/**
 * A and AAAA of the name at the cluster's resolvers and the public ones. `early` has what the
 * first to answer said, so that nothing waits for a resolver that is silent; `all` has the rest.
 */
export function resolveName (round: Round, name: string): { early: Promise<Resolved>, all: Promise<Resolved> } {
  const views = (['A', 'AAAA'] as const).map((type) => {
    const inside = askCluster(round, name, type)
    const outside = round.askAllPublic({ name, type })
    const firstOutside = round.askPublic({ name, type }, `${type} ${name} at public resolvers`)
    const some = (looks: (DnsLook | undefined)[]): string[] => looks.flatMap((look) => dataOf(look, type))
    return {
      early: async () => ({ cluster: some([await firstSeen(inside, patience, round.signal)]), public: some([await firstOutside]) }),
      all: async () => ({ cluster: some(await Promise.all(inside)), public: some(await outside) })
    }
  })
  const join = async (parts: Promise<Resolved>[]): Promise<Resolved> => {
    const [a, aaaa] = await Promise.all(parts)
    return { cluster: unique([...a!.cluster, ...aaaa!.cluster]), public: unique([...a!.public, ...aaaa!.public]) }
  }
  return { early: join(views.map((view) => view.early())), all: join(views.map((view) => view.all())) }
}

/** One resolver on each side: for the many names of a large order. */
export async function resolveBriefly (round: Round, name: string): Promise<string[]> {
  const looks = await Promise.all((['A', 'AAAA'] as const).flatMap((type) => [
    ...askCluster(round, name, type).slice(0, 1), round.askPublic({ name, type }, `${type} ${name} at public resolvers`)
  ].map(async (look) => dataOf(await look, type))))
  return unique(looks.flat())
}

/** What `_acme-challenge` answers everywhere, the target of a CNAME included. `brief`: at one resolver and every authoritative server. */
export async function lookUpTxt (round: Round, identifier: OutsideIdentifier, request: OutsideRequest, zone: Promise<Zone | undefined>, brief: boolean): Promise<void> {
  const name = `_acme-challenge.${identifier.name}`
  if (brief) {
    const [first] = await Promise.all([
      round.askPublic({ name, type: 'TXT' }, `TXT ${name} at public resolvers`),
      zone.then((cut) => cut === undefined ? [] : askAuthoritative(round, cut, name, 'TXT'))
    ])
    return await followCname(round, name, first === undefined ? [] : [first])
  }
  const [seenBy] = await Promise.all([
    round.askAllPublic({ name, type: 'TXT' }),
    Promise.all(askCluster(round, name, 'TXT', request.recursiveNameservers)),
    walkAsTheController(round, name, request.recursiveNameservers),
    round.askPublic({ name: `${controlLabel}.${identifier.name}`, type: 'TXT' }, `wildcard TXT of ${identifier.name}`),
    zone.then(async (cut) => {
      if (cut === undefined) return
      await Promise.all([
        askAuthoritative(round, cut, name, 'TXT'),
        // A zone's name typed twice: the commonest slip where a panel appends it by itself.
        cut.name === identifier.name || name.endsWith(`.${cut.name}`) ? round.askPublic({ name: `${name}.${cut.name}`, type: 'TXT' }, `doubled TXT of ${identifier.name}`) : undefined
      ])
    })
  ])
  await followCname(round, name, seenBy)
}

/** cert-manager finds the zone by SOA questions to the cluster's resolver: an internal view of it leads it astray. */
async function walkAsTheController (round: Round, name: string, more: readonly string[] = []): Promise<void> {
  const server = more[0] ?? round.clients.clusterResolvers[0]
  if (server === undefined) return
  await Promise.all(ancestors(name).map((candidate) => round.ask({ vantage: 'cluster', server, name: candidate, type: 'SOA', report: `zone of ${name} at cluster ${server}` })))
}

/** A delegated challenge is answered by another zone's servers: what they say is what counts. */
async function followCname (round: Round, name: string, looks: DnsLook[]): Promise<void> {
  const target = looks.map((look) => cnameChain(look, name).at(-1)).find((last) => last !== undefined)
  if (target === undefined) return
  const zone = await findZone(round, target)
  if (zone === undefined) return
  await Promise.all([askAuthoritative(round, zone, target, 'TXT'), askAuthoritative(round, zone, zone.name, 'SOA')])
}

/**
 * CAA of the name and every name above it, as a CA asks: all at once, closest set wins later. Where no
 * resolver has an answer, the zone's own servers are asked: some answer A and nothing else.
 */
export async function climbCaa (round: Round, name: string, zone: Promise<Zone | undefined>): Promise<void> {
  await Promise.all(ancestors(name).map(async (candidate) => {
    const look = await round.askPublic({ name: candidate, type: 'CAA' }, `CAA of ${name}`)
    if (look?.look.is === 'seen' && ['NOERROR', 'NXDOMAIN'].includes(look.look.value.rcode)) return
    const cut = await zone
    if (cut !== undefined && (candidate === cut.name || candidate.endsWith(`.${cut.name}`))) await askAuthoritative(round, cut, candidate, 'CAA')
  }))
}

/** The zone's servers and whether they agree; for HTTP-01 their own A and AAAA too (`brief`: of two of them). */
export async function lookAtZone (round: Round, identifier: OutsideIdentifier, zone: Promise<Zone | undefined>, brief: boolean): Promise<void> {
  const cut = await zone
  if (cut === undefined) return
  const asked = brief ? { ...cut, servers: cut.servers.slice(0, 2).map((server) => ({ ...server, addresses: server.addresses.slice(0, 1) })) } : cut
  await Promise.all([
    checkDelegation(round, cut),
    ...(identifier.challengeType === 'DNS-01' ? [] : (['A', 'AAAA'] as const).map((type) => askAuthoritative(round, asked, identifier.name, type)))
  ])
}

/** Host names of this cluster's load balancers, so that their addresses are known as ours. */
export async function resolveOwnHosts (round: Round, hosts: readonly string[]): Promise<void> {
  await Promise.all(hosts.slice(0, 20).flatMap((name) => (['A', 'AAAA'] as const).map((type) =>
    round.askPublic({ name: name.toLowerCase().replace(/\.$/, ''), type }, `addresses of load balancer ${name}`))))
}

function askCluster (round: Round, name: string, type: 'A' | 'AAAA' | 'TXT', more: readonly string[] = []): Promise<DnsLook>[] {
  // Two replicas of one resolver say the same; the third in resolv.conf is never asked by libc either.
  const servers = unique([...round.clients.clusterResolvers.slice(0, 2), ...more.slice(0, 4)])
  return servers.map((server) => round.ask({ vantage: 'cluster', server, name, type, report: `${type} ${name} at cluster ${server}` }))
}

const unique = (list: string[]): string[] => [...new Set(list)]
