import { absent, seen, unavailable } from '../../shared/types/common.ts'
import type { Evidence, Look } from '../../shared/types/common.ts'
import type { ProbeFacts, ProbeOutcome } from '../../shared/types/case.ts'
import type { ConnectFailure, HttpHop, HttpLook } from '../../shared/types/observations.ts'
import { addressesFacts } from './addresses.ts'
import { field, text, whyNothing } from './outside-looks.ts'
import type { OutsideContext, OutsideSeed } from './outside-looks.ts'
import { bodyKind, cdnOf } from './probes-body.ts'

type PerAddress = ProbeFacts['perAddress'][number]

/** What the cluster's own pods meet on the challenge path: what the self check meets, too. */
export function probeFromClusterFacts (context: OutsideContext, identifier?: OutsideSeed): Look<ProbeFacts> {
  if (!isOverHttp(identifier)) return absent
  const looks = looksFrom(context, identifier, (vantage) => vantage === 'cluster')
  const every = looks.flatMap((look) => outcomeOf(look, identifier))
  // The self check goes where the cluster's DNS leads; the public addresses stand in when that is unknown.
  const addresses = addressesFacts(context, identifier)
  const inside = addresses.is === 'seen' ? addresses.value.clusterAddresses : []
  const own = every.filter(({ address }) => inside.includes(address))
  return toFacts(context, identifier, looks, every, inside.length > 0 ? own : every, 'the challenge path was not asked for from the cluster')
}

/** What outside probes meet. Never guessed from the cluster: without a probe it is simply not known. */
export function probeFromOutsideFacts (context: OutsideContext, identifier?: OutsideSeed): Look<ProbeFacts> {
  if (!isOverHttp(identifier)) return absent
  const looks = looksFrom(context, identifier, (vantage) => vantage.startsWith('outside:'))
  if (looks.length === 0) {
    const row = context.observations.looks.find(({ source, is, what }) => source === 'http outside' && is === 'unavailable' && what.includes(identifier.name))
    return unavailable(row?.why ?? 'no outside probe is configured', row?.fix ?? 'run `acme-triage probe` outside the cluster and list it under probes.outside')
  }
  const every = looks.flatMap((look) => outcomeOf(look, identifier))
  return toFacts(context, identifier, looks, every, every, 'no outside probe answered')
}

const isOverHttp = (identifier: OutsideSeed | undefined): identifier is OutsideSeed =>
  identifier !== undefined && identifier.challengeType !== 'DNS-01' && !identifier.wildcard

function looksFrom ({ observations }: OutsideContext, { name }: OutsideSeed, wanted: (vantage: string) => boolean): HttpLook[] {
  return observations.http.filter((look) => look.purpose === 'challenge' && look.dnsName === name && wanted(look.vantage))
}

/** How bad an end is for a CA that happens to choose this address; the worst one decides. */
const worstFirst: readonly ProbeOutcome[] = [
  'timeout', 'refused', 'unreachable', 'reset', 'closed', 'tls-failed', 'redirect-invalid', 'status', 'other-token', 'wrong-body', 'empty-body', 'other', 'blocked', 'token-served'
]

function toFacts (context: OutsideContext, identifier: OutsideSeed, looks: HttpLook[], every: PerAddress[], deciding: PerAddress[], otherwise: string): Look<ProbeFacts> {
  const telling = withoutMissingIpv6(deciding.filter(({ outcome }) => outcome !== 'not-recorded'))
  const worst = worstFirst.map((outcome) => telling.find((entry) => entry.outcome === outcome)).find((entry) => entry !== undefined)
  if (worst === undefined) {
    const silent = every.find(({ outcome }) => outcome === 'not-recorded')?.failure
    return silent === undefined ? whyNothing(context.observations, looks, 'http', otherwise) : unavailable(silent.text)
  }
  const perAddress = every.filter(({ outcome }) => outcome !== 'not-recorded')
  const cdn = cdnOf(perAddress.flatMap(({ hops }) => hops))
  return seen({
    outcome: worst.outcome,
    address: worst.address,
    ...(worst.status !== undefined && { status: worst.status }),
    ...(worst.bodyKind !== undefined && { bodyKind: worst.bodyKind }),
    tokenAsked: looks.some(({ url }) => tokenOf(identifier) !== undefined && url.endsWith(`/${tokenOf(identifier)}`)),
    redirectedToHttps: telling.some(({ hops }) => goesToHttps(hops[0])),
    perAddress,
    ...(cdn !== undefined && { cdn }),
    evidence: perAddress.map((entry) => evidenceOf(entry, identifier))
  })
}

/** "Network unreachable" on IPv6 beside a working IPv4 says that this vantage has no IPv6, and nothing of the address. */
function withoutMissingIpv6 (entries: PerAddress[]): PerAddress[] {
  const rest = entries.filter(({ family, outcome }) => !(family === 6 && outcome === 'unreachable'))
  return rest.length > 0 ? rest : entries
}

const tokenOf = ({ challenge }: OutsideSeed): string | undefined => text(field(challenge?.spec, 'token'))

function outcomeOf (look: HttpLook, identifier: OutsideSeed): PerAddress[] {
  const hops = look.look.is === 'seen' ? look.look.value.hops : []
  const last = hops.at(-1)
  if (last === undefined) return []
  const kind = bodyKind(last, look.served)
  return [{
    vantage: look.vantage,
    address: look.address,
    family: look.address.includes(':') ? 6 : 4,
    outcome: toOutcome(last, look, identifier, kind),
    ...(last.status !== undefined && { status: last.status }),
    ...(kind !== undefined && { bodyKind: kind }),
    hops,
    ...(last.failure !== undefined && { failure: last.failure })
  }]
}

const byFailure: Record<ConnectFailure, ProbeOutcome> = {
  timeout: 'timeout', refused: 'refused', reset: 'reset', closed: 'closed', unreachable: 'unreachable', tls: 'tls-failed',
  blocked: 'blocked', 'not-recorded': 'not-recorded', other: 'other', redirect: 'redirect-invalid'
}

function toOutcome (last: HttpHop, look: HttpLook, identifier: OutsideSeed, kind: PerAddress['bodyKind']): ProbeOutcome {
  if (look.served === true) return 'token-served'
  if (last.failure !== undefined) return byFailure[last.failure.code]
  if (last.status !== 200) return 'status'
  if (kind === 'empty') return 'empty-body'
  if (kind !== 'other-key-authorization') return 'wrong-body'
  const token = tokenOf(identifier)
  // The key is unknown (the Challenge is gone or hides it): the right token is the best that can be told.
  const keyKnown = look.served !== undefined
  return !keyKnown && token !== undefined && last.body?.startsWith(`${token}.`) === true ? 'token-served' : 'other-token'
}

function goesToHttps (first: HttpHop | undefined): boolean {
  return first?.status !== undefined && first.status >= 300 && first.status < 400 && /^https:/i.test(first.location ?? '')
}

function evidenceOf (entry: PerAddress, { name }: OutsideSeed): Evidence {
  const way = entry.hops.length > 1 ? ` after ${entry.hops.length - 1} redirect${entry.hops.length > 2 ? 's' : ''} to ${entry.hops.at(-1)!.url}` : ''
  return { source: 'http', ref: `http ${name} at ${entry.address} from ${entry.vantage}`, text: `${describeOutcome(entry)}${way}` }
}

/** One end of a walk in a few words. */
export function describeOutcome ({ outcome, status, bodyKind: kind, failure }: Pick<PerAddress, 'outcome' | 'status' | 'bodyKind' | 'failure'>): string {
  if (outcome === 'token-served') return 'the token is served'
  if (failure !== undefined) return status === undefined ? failure.text : `${status}, then: ${failure.text}`
  const page = kind === undefined || kind === 'other' || kind === 'html' ? '' : ` (${kind.replaceAll('-', ' ')})`
  switch (outcome) {
    case 'empty-body': return `${status} with an empty body`
    case 'other-token': return `${status} with another key authorization`
    case 'wrong-body': return `${status} with another body${page}`
    default: return `status ${status}${page}`
  }
}
