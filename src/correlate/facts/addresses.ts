import { absent, seen } from '../../shared/types/common.ts'
import type { Look } from '../../shared/types/common.ts'
import { parseAddress, isDocumentation } from '../../shared/clients/guard.ts'
import type { AddressClass, AddressFacts, AddressView } from '../../shared/types/case.ts'
import type { DnsLook } from '../../shared/types/observations.ts'
import { ownedAddresses } from './addresses-owned.ts'
import { cnamesOf, dataOf, dnsEvidence, isAnswered, isPublicVantage, looksOf, whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'

type State = Exclude<AddressFacts['publicState'], 'mixed'>

/** A and AAAA of a name in every view, and whose addresses they are. */
export function addressesFacts (context: OutsideContext, identifier?: OutsideSeed): Look<AddressFacts> {
  if (identifier === undefined || identifier.type === 'ip') return absent
  const { observations } = context
  const looks = looksOf(observations, identifier.name, ['A', 'AAAA'])
  if (!looks.some(isAnswered)) return whyNothing(observations, looks, 'dns', 'no DNS look was made')

  const views = [...groupByServer(looks)].map(toView)
  const outside = views.filter((view) => isPublicVantage(view.vantage))
  const publicViews = outside.some((view) => view.rcode !== undefined) ? outside : [...outside, ...views.filter((view) => view.vantage === 'authoritative')]
  const inside = views.filter((view) => view.vantage === 'cluster')
  const owned = ownedAddresses(observations)
  const publicAddresses = unique(publicViews.flatMap(finalAddresses)).map((address) => {
    const byCname = publicViews.filter((view) => finalAddresses(view).includes(address)).flatMap((view) => view.cname).find((host) => owned.hosts.has(host))
    const ownedBy = owned.addresses.get(address) ?? (byCname === undefined ? undefined : owned.hosts.get(byCname))
    return { address, family: address.includes(':') ? 6 as const : 4 as const, class: addressClass(address), ...(ownedBy !== undefined && { ownedBy }) }
  })
  const clusterAddresses = unique(inside.flatMap(finalAddresses))
  const publicState = agreed(publicViews.map(stateOf))
  const clusterState = worst(inside.map(stateOf))
  return seen({
    views,
    publicAddresses,
    clusterAddresses,
    split: isSplit(publicState, clusterState, publicAddresses.map(({ address }) => address), clusterAddresses),
    publicState,
    clusterState,
    unresolvedHosts: [...owned.hosts.keys()].filter((host) => !observations.dns.some((look) => look.name === host && isAnswered(look) && finalAddresses(toView([host, [look]])).length > 0)),
    // A look that failed proves nothing; it is told under "could not see".
    evidence: looks.filter((look) => isAnswered(look) && (look.type === 'A' || dataOf(look, 'AAAA').length > 0)).map((look) => dnsEvidence(look))
  })
}

function groupByServer (looks: DnsLook[]): Map<string, DnsLook[]> {
  const groups = new Map<string, DnsLook[]>()
  for (const look of looks) {
    const key = `${look.vantage}\n${look.server}`
    groups.set(key, [...groups.get(key) ?? [], look])
  }
  return groups
}

function toView ([, looks]: [string, DnsLook[]]): AddressView {
  const answered = looks.filter(isAnswered)
  const rcodes = answered.map(({ look }) => look.value.rcode)
  const failure = looks.find((look) => look.failure !== undefined)?.failure
  const ede = answered.map(({ look }) => look.value.ede).find((found) => found !== undefined)
  return {
    vantage: looks[0]!.vantage,
    server: looks[0]!.server,
    a: unique(looks.flatMap((look) => dataOf(look, 'A'))),
    aaaa: unique(looks.flatMap((look) => dataOf(look, 'AAAA'))),
    cname: unique(looks.flatMap(cnamesOf)),
    ...(rcodes.length > 0 && { rcode: rcodes.find((rcode) => rcode !== 'NOERROR') ?? 'NOERROR' }),
    ...(failure !== undefined && { failure }),
    ...(ede !== undefined && { ede })
  }
}

const finalAddresses = (view: AddressView): string[] => [...view.a, ...view.aaaa]

function stateOf (view: AddressView): State {
  if (finalAddresses(view).length > 0) return 'ok'
  switch (view.rcode) {
    // A resolver that cannot be reached from here says nothing of the name, and silence says little.
    case undefined: return view.failure === 'timeout' ? 'timeout' : 'unknown'
    case 'NXDOMAIN': return 'nxdomain'
    case 'NOERROR': return 'nodata'
    case 'REFUSED': return 'refused'
    default: return 'servfail'
  }
}

/** One state when all that say something say the same; silence does not contradict. */
function agreed (states: State[]): AddressFacts['publicState'] {
  const telling = new Set(states.filter((state) => state !== 'unknown' && state !== 'timeout'))
  if (telling.size > 1) return 'mixed'
  return [...telling][0] ?? (states.includes('timeout') ? 'timeout' : 'unknown')
}

function worst (states: State[]): AddressFacts['clusterState'] {
  const order: State[] = ['ok', 'nxdomain', 'nodata', 'servfail', 'refused', 'timeout', 'unknown']
  return order.find((state) => states.includes(state)) ?? 'unknown'
}

/** Disjoint answers, or an answer on one side only. Different subsets of one set are round robin, not a split. */
function isSplit (outside: AddressFacts['publicState'], inside: AddressFacts['clusterState'], publicSet: string[], clusterSet: string[]): boolean {
  const empty = (state: string): boolean => state === 'nxdomain' || state === 'nodata'
  if ((outside === 'ok' && empty(inside)) || (empty(outside) && inside === 'ok')) return true
  return publicSet.length > 0 && clusterSet.length > 0 && !clusterSet.some((address) => publicSet.includes(address))
}

/** What kind of address it is; documentation addresses stand for public ones in recorded cases. */
export function addressClass (text: string): AddressClass {
  const address = parseAddress(text)
  if (address === undefined) return 'reserved'
  if (isDocumentation(text)) return 'public'
  switch (address.range()) {
    case 'unicast': return 'public'
    case 'private': return 'private'
    case 'loopback': return 'loopback'
    case 'linkLocal': return 'link-local'
    case 'carrierGradeNat': return 'cgnat'
    case 'uniqueLocal': return 'unique-local'
    default: return 'reserved'
  }
}

const unique = (values: string[]): string[] => [...new Set(values)]
