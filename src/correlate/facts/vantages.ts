import type { AddressFacts, CaRecordFacts, DelegationFacts, ProbeFacts, TxtFacts, VantageDifference, VantageRow, VantageTable } from '../../shared/types/case.ts'
import type { Look } from '../../shared/types/common.ts'
import { describeOutcome } from './probes.ts'

/** The facts of one identifier that a table of vantages is made from. */
export interface VantageFacts {
  addresses: Look<AddressFacts>
  txt: Look<TxtFacts>
  delegation: Look<DelegationFacts>
  probeFromCluster: Look<ProbeFacts>
  probeFromOutside: Look<ProbeFacts>
  caRecord: Look<CaRecordFacts>
}

/**
 * Every vantage side by side (cluster, outside probes, the CA, each resolver and authoritative
 * server), and how they differ. Undefined when nobody saw anything.
 */
export function vantageTable (facts: VantageFacts): VantageTable | undefined {
  const seen = [...addressRows(facts), ...txtRows(facts)]
  const ca = caRow(facts)
  if (seen.length + ca.length === 0) return undefined
  const [addresses, answer] = (['addresses', 'answer'] as const).map((part) => mostCommon(seen.map((row) => row[part]).filter((text) => text !== '')))
  const like = (text: string, common: string | undefined): boolean => text === '' || common === undefined || text === common
  return {
    rows: [
      ...seen.map((row) => ({ ...row, agrees: like(row.addresses, addresses) && like(row.answer, answer) })),
      // The CA names the address that it used, of perhaps several, and answers in words of its own.
      ...ca.map((row) => ({ ...row, agrees: row.addresses === '' || addresses === undefined || row.addresses.split(', ').every((one) => addresses.split(', ').includes(one)) }))
    ],
    differences: differencesOf(facts)
  }
}

const value = <T>(look: Look<T>): T | undefined => look.is === 'seen' ? look.value : undefined

function addressRows (facts: VantageFacts): VantageRow[] {
  const probes = [...value(facts.probeFromCluster)?.perAddress ?? [], ...value(facts.probeFromOutside)?.perAddress ?? []]
  return (value(facts.addresses)?.views ?? []).map((view) => {
    const addresses = [...view.a, ...view.aaaa]
    const met = probes.filter((probe) => probe.vantage === view.vantage && (addresses.length === 0 || addresses.includes(probe.address)))
    return {
      vantage: view.vantage === 'public' || view.vantage === 'authoritative' || view.vantage === 'cluster' ? `${view.vantage} ${view.server}` : view.vantage,
      addresses: addresses.length > 0 ? addresses.join(', ') : view.rcode === 'NOERROR' ? 'no address' : view.rcode ?? view.failure ?? 'no answer',
      answer: met.map((probe) => addresses.length > 1 ? `${probe.address}: ${describeOutcome(probe)}` : describeOutcome(probe)).join('; '),
      agrees: true
    }
  })
}

function txtRows ({ txt }: VantageFacts): VantageRow[] {
  return (value(txt)?.servers ?? []).map((server) => ({
    vantage: `${server.vantage} ${server.server}`,
    addresses: '',
    answer: server.hasExpected ? 'has the expected TXT' : server.values.length > 0 ? `${server.values.length} other TXT` : server.rcode === 'NOERROR' ? 'no TXT' : server.rcode ?? server.failure ?? 'no answer',
    agrees: true
  }))
}

function caRow ({ caRecord }: VantageFacts): VantageRow[] {
  const record = value(caRecord)
  if (record === undefined) return []
  return [{
    vantage: 'the CA',
    addresses: [...new Set(record.hops.map((hop) => hop.addressUsed).filter((address) => address !== ''))].join(', '),
    answer: record.problem?.detail ?? record.status,
    agrees: true
  }]
}

function differencesOf (facts: VantageFacts): VantageTable['differences'] {
  const found: VantageTable['differences'] = []
  const say = (kind: VantageDifference, text: string): void => { found.push({ kind, text }) }
  const addresses = value(facts.addresses)
  const inside = value(facts.probeFromCluster)
  const outside = value(facts.probeFromOutside)
  const served = (probe: { outcome: string }): boolean => probe.outcome === 'token-served'

  if (addresses?.split === true) say('split-horizon', `the cluster ${resolved(addresses.clusterAddresses, addresses.clusterState)}, the internet ${resolved(addresses.publicAddresses.map(({ address }) => address), addresses.publicState)}`)
  if (inside !== undefined && outside !== undefined && served(outside) && !served(inside) && addresses?.split !== true) say('hairpin', `${inside.address} serves the token to the outside and not to the cluster (${met(inside)})`)
  if (outside !== undefined) {
    const good = outside.perAddress.filter(served)
    const bad = outside.perAddress.filter((probe) => !served(probe))
    const worse = bad.find((probe) => good.some((other) => other.address === probe.address))
    if (worse !== undefined) say('geo-block', `${worse.address} serves the token to ${good.map(({ vantage }) => vantage).join(', ')} and not to ${worse.vantage} (${describeOutcome(worse)})`)
  }
  const oneFamily = [outside, inside].find((probes) => probes !== undefined && probes.perAddress.some((probe) => probe.family === 6) && probes.perAddress.some((probe) => probe.family === 4))
  if (oneFamily !== undefined) {
    const [four, six] = ([4, 6] as const).map((family) => oneFamily.perAddress.filter((probe) => probe.family === family && probe.outcome !== 'unreachable'))
    if (six!.some((probe) => !served(probe)) && four!.length > 0 && four!.every(served)) say('ipv6-only', `only IPv6 fails: ${describeOutcome(six!.find((probe) => !served(probe))!)}`)
  }
  const txt = value(facts.txt)
  if (txt?.state === 'partial') say('partial-propagation', `${txt.servers.filter((server) => server.vantage === 'authoritative' && server.hasExpected).length} of ${txt.servers.filter((server) => server.vantage === 'authoritative').length} authoritative servers have the expected TXT`)
  const authoritative = new Set((addresses?.views ?? []).filter((view) => view.vantage === 'authoritative' && view.rcode !== undefined).map((view) => [...view.a, ...view.aaaa].sort().join(', ')))
  if (authoritative.size > 1) say('partial-propagation', `the authoritative servers disagree: ${[...authoritative].map((set) => set || 'no address').join(' / ')}`)
  if (value(facts.caRecord)?.addressChanged === true) say('address-changed', 'your DNS now gives another address than the CA used')
  const delegation = value(facts.delegation)
  if (delegation?.dnssec === 'bogus') say('dnssec', `DNSSEC validation fails${delegation.dnssecText === undefined ? '' : `: ${delegation.dnssecText}`}`)
  if (delegation !== undefined) found.push(...serverDifferences(delegation))
  return found
}

/** Parent against child, and servers of one zone that do not behave alike. */
function serverDifferences ({ zone = 'the zone', parentNs, childNs, nameServers }: DelegationFacts): VantageTable['differences'] {
  const only = (some: string[], others: string[]): string => some.filter((name) => !others.includes(name)).join(', ')
  const differences: string[] = []
  if (parentNs.length > 0 && childNs.length > 0) {
    const [above, below] = [only(parentNs, childNs), only(childNs, parentNs)]
    if (above !== '' || below !== '') differences.push(`the parent delegates ${zone} ${above === '' ? 'to fewer servers' : `also to ${above}, which the zone itself does not name`}${below === '' ? '' : `; the zone also names ${below}`}`)
  }
  const udpOnly = nameServers.filter(({ tcp }) => tcp === false)
  // When TCP reaches none of them, it may be our own side that lets no TCP out.
  if (udpOnly.length > 0 && nameServers.some(({ tcp }) => tcp === true)) differences.push(`${udpOnly.map(({ name }) => name).join(', ')} answers over UDP and not over TCP, which a CA needs for long answers`)
  const changing = nameServers.filter(({ caseChanged }) => caseChanged === true)
  if (changing.length > 0) differences.push(`${changing.map(({ name }) => name).join(', ')} does not repeat the letters of a question as they were asked, which CAs' resolvers check`)
  return differences.map((text) => ({ kind: 'delegation', text }))
}

const stateWords: Record<AddressFacts['publicState'], string> = {
  ok: 'gets an answer', nxdomain: 'is told that the name does not exist', nodata: 'finds no address', servfail: 'gets a server failure', refused: 'is refused',
  timeout: 'gets no answer', mixed: 'gets answers that differ', unknown: 'could not be asked'
}
const resolved = (addresses: string[], state: AddressFacts['publicState']): string => addresses.length > 0 ? `resolves to ${addresses.join(', ')}` : stateWords[state]
const met = (probe: ProbeFacts): string => {
  const worst = probe.perAddress.find(({ address, outcome }) => address === probe.address && outcome === probe.outcome)
  return worst === undefined ? probe.outcome : describeOutcome(worst)
}

function mostCommon (values: string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const entry of values) counts.set(entry, (counts.get(entry) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0]
}
