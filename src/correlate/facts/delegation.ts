import { absent, seen } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import type { DelegationFacts } from '../../shared/types/case.ts'
import type { DnsLook, Observations } from '../../shared/types/observations.ts'
import { dataOf, dnsEvidence, isAnswered, looksOf, wasRecorded, whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'

/** Who serves the zone, whether they do, and whether parent, child and DNSSEC agree. */
export function delegationFacts (context: OutsideContext, identifier?: OutsideSeed): Look<DelegationFacts> {
  if (identifier === undefined || identifier.type === 'ip' || identifier.name === '') return absent
  const { observations } = context
  const labels = identifier.name.split('.')
  const names = labels.map((_, index) => labels.slice(index).join('.'))
  const publicLooks = names.flatMap((name) => looksOf(observations, name, ['SOA', 'NS'])).filter((look) => look.vantage === 'public')
  if (!publicLooks.some(isAnswered)) return whyNothing(observations, publicLooks, 'dns', 'no DNS look was made')

  const zone = names.find((name) => publicLooks.some((look) => look.name === name && ownsRecords(look)))
  const clusterLooks = names.flatMap((name) => looksOf(observations, name, ['SOA'])).filter((look) => look.vantage === 'cluster')
  const clusterZone = names.find((name) => clusterLooks.some((look) => look.name === name && ownsRecords(look)))
  const soas = zone === undefined ? [] : looksOf(observations, zone, ['SOA']).filter((look) => look.vantage === 'authoritative')
  // What cannot be reached from here at all, or may not be asked, says nothing of the server.
  const nameServers = soas.filter(({ failure }) => failure !== 'unreachable' && failure !== 'blocked').map((look) => toNameServer(look, strictOf(observations, look)))
  const own = new Set(soas.map(({ server }) => server))
  const nsLooks = zone === undefined ? [] : looksOf(observations, zone, ['NS']).filter((look) => look.vantage === 'authoritative')
  const clusterPrimary = clusterZone === undefined || clusterZone !== zone ? undefined : strangePrimary(clusterLooks, [...publicLooks, ...soas, ...nsLooks], zone)
  const dnssec = dnssecOf(observations, names, zone)
  return seen({
    ...(zone !== undefined && { zone, publicZone: zone }),
    ...(clusterZone !== undefined && { clusterZone }),
    ...(clusterPrimary !== undefined && { clusterPrimary }),
    nameServers: merge(nameServers),
    parentNs: sorted(nsLooks.filter(({ server }) => !own.has(server)).flatMap((look) => referredNs(look, zone!))),
    childNs: sorted(nsLooks.filter(({ server }) => own.has(server)).flatMap((look) => dataOf(look, 'NS'))),
    registeredDomainState: registeredState(observations, names, publicLooks, zone, nameServers),
    ...dnssec,
    evidence: [...publicLooks.filter((look) => look.name === zone || zone === undefined), ...(clusterZone === zone ? [] : clusterLooks.filter((look) => look.name === clusterZone)), ...soas].map((look) => dnsEvidence(look))
  })
}

const ownsRecords = (look: DnsLook): boolean => isAnswered(look) && look.look.value.answers.some((record) => record.name === look.name && (record.type === 'SOA' || record.type === 'NS'))

/** Two providers may serve one zone, each under a primary of its own; a primary that is none of the world's servers belongs to another zone. */
function strangePrimary (clusterLooks: readonly DnsLook[], worldLooks: readonly DnsLook[], zone: string): string | undefined {
  const ofZone = (looks: readonly DnsLook[], type: 'SOA' | 'NS'): string[] => looks.filter((look) => look.name === zone).flatMap((look) => dataOf(look, type)).map((data) => data.split(' ')[0]!)
  const world = [...ofZone(worldLooks, 'SOA'), ...ofZone(worldLooks, 'NS')]
  return world.length === 0 ? undefined : ofZone(clusterLooks, 'SOA').find((primary) => !world.includes(primary))
}

/** The same question to the same server, asked over TCP and in mixed case. */
function strictOf (observations: Observations, { server, name }: DnsLook): DnsLook | undefined {
  return observations.dns.find((look) => look.overTcp === true && look.server === server && look.name === name && wasRecorded(look))
}

/** `ns1.provider.example (203.0.113.53)`; without an address when none is known. */
function toNameServer (look: DnsLook, strict: DnsLook | undefined): DelegationFacts['nameServers'][number] {
  const [, name = look.server, address] = /^(\S+)(?: \((\S+)\))?$/.exec(look.server) ?? []
  const serial = Number(dataOf(look, 'SOA')[0]?.split(' ')[2])
  const answers = isAnswered(look)
  return {
    name,
    addresses: address === undefined ? [] : [address],
    answers,
    // It answers, and not as one that has the zone.
    lame: isAnswered(look) && !(look.look.value.rcode === 'NOERROR' && look.look.value.aa && dataOf(look, 'SOA').length > 0),
    ...(!answers && look.look.is === 'unavailable' && { failure: look.look.why }),
    ...(!Number.isNaN(serial) && { serial }),
    // A question that was cut short tells nothing; neither does TCP that our own side does not let out.
    ...(strict !== undefined && (isAnswered(strict) || strict.failure === 'refused' || strict.failure === 'timeout') && { tcp: isAnswered(strict) }),
    ...(strict !== undefined && isAnswered(strict) && strict.look.value.caseChanged === true && { caseChanged: true })
  }
}

/** One row for each server name: it answers when any of its addresses does (a pod may have no IPv6). */
function merge (servers: DelegationFacts['nameServers']): DelegationFacts['nameServers'] {
  const byName = new Map<string, DelegationFacts['nameServers'][number]>()
  for (const server of servers) {
    const known = byName.get(server.name)
    if (known === undefined) byName.set(server.name, server)
    else {
      const better = known.answers && !known.lame ? known : server.answers ? server : known
      byName.set(server.name, { ...better, addresses: [...known.addresses, ...server.addresses] })
    }
  }
  return [...byName.values()]
}

function referredNs (look: DnsLook, zone: string): string[] {
  if (!isAnswered(look)) return []
  const { answers, authority } = look.look.value
  return [...answers, ...authority].filter((record) => record.type === 'NS' && record.name === zone).map((record) => record.data)
}

function registeredState (observations: Observations, names: string[], publicLooks: DnsLook[], zone: string | undefined, nameServers: DelegationFacts['nameServers']): DelegationFacts['registeredDomainState'] {
  if (zone !== undefined && zone.includes('.')) {
    const heard = nameServers.filter((server) => server.answers)
    return heard.length > 0 && heard.every((server) => server.lame) ? 'lame' : 'ok'
  }
  // No zone below the top-level domain: the name must be gone itself before its domain is called gone
  // (below NXDOMAIN there is nothing, RFC 8020; a resolver that knows the name refutes its parent's NXDOMAIN).
  const domain = names.findLast((name) => name.includes('.'))
  const state = (name: string | undefined): string | undefined => name === undefined ? undefined : rcodesOf(publicLooks, name)[0]
  const ownRcodes = new Set(looksOf(observations, names[0]!, ['A', 'AAAA', 'CAA']).filter((look) => look.vantage === 'public').filter(isAnswered).map(({ look }) => look.value.rcode))
  if (state(domain) === 'NXDOMAIN' && !ownRcodes.has('NOERROR')) return 'nxdomain'
  if (state(domain) === 'SERVFAIL' && !ownRcodes.has('NOERROR')) return 'servfail'
  return 'unknown'
}

const rcodesOf = (looks: DnsLook[], name: string): string[] => looks.filter((look) => look.name === name).filter(isAnswered).map(({ look }) => look.value.rcode)

/** Extended errors (RFC 8914) that say "DNSSEC": 1, 2, 5 to 12. */
const dnssecErrors = new Set([1, 2, 5, 6, 7, 8, 9, 10, 11, 12])

/** Checking disabled answers where checking failed, or the resolver says it outright. */
function dnssecOf (observations: Observations, names: string[], zone: string | undefined): Pick<DelegationFacts, 'dnssec' | 'dnssecText'> {
  const own = observations.dns.filter((look) => look.vantage === 'public' && wasRecorded(look) && (names.includes(look.name) || look.name === `_acme-challenge.${names[0]}`))
  for (const look of own.filter(isAnswered)) {
    const { rcode, ede } = look.look.value
    if (look.checkingDisabled === true || rcode !== 'SERVFAIL') continue
    if (ede !== undefined && dnssecErrors.has(ede.code)) return { dnssec: 'bogus', dnssecText: `extended error ${ede.code}${ede.text === '' ? '' : `: ${ede.text}`}` }
    const unchecked = own.find((other) => other.checkingDisabled === true && other.server === look.server && other.name === look.name && other.type === look.type)
    if (unchecked !== undefined && isAnswered(unchecked) && unchecked.look.value.rcode !== 'SERVFAIL') {
      return { dnssec: 'bogus', dnssecText: `${look.type} ${look.name} fails at ${look.server} with checking on and answers with checking off` }
    }
  }
  const ds = own.find((look) => look.type === 'DS' && look.name === zone && isAnswered(look))
  if (ds === undefined) return { dnssec: 'unknown' }
  if (dataOf(ds, 'DS').length === 0) return { dnssec: isAnswered(ds) && ['NOERROR', 'NXDOMAIN'].includes(ds.look.value.rcode) ? 'unsigned' : 'unknown' }
  return { dnssec: own.some((look) => isAnswered(look) && look.look.value.ad) ? 'ok' : 'unknown' }
}

const sorted = (values: string[]): string[] => [...new Set(values)].sort()
