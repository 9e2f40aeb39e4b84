import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Observations } from '../shared/types/observations.ts'
import { challengesThatWere, type Chain } from './chain.ts'
import { at, fields, fieldsList, labelsOf, string, strings, type Fields } from './facts/fields.ts'
import { chooseSolver } from './facts/solver-picker.ts'
import { ingressWithoutCertificate } from './identifiers.ts'
import { authorizationsOf, isNamedAfter, stateOf } from './objects.ts'
import { createdAt, millisOf, type IdentifierSeed, type Snapshot } from './snapshot.ts'

/** What makes a text belong to the attempt: names, tokens, URLs, and its stretch of time. */
export interface Scope {
  chain: Chain
  seeds: readonly IdentifierSeed[]
  namespace: string
  /** Nothing that was said before belongs to this attempt. 0 when unknown. */
  start: Millis
  /** When the next attempt of the same Certificate began. */
  end: Millis
  now: Millis
  /** `ns/name` of the attempt's objects, also of those that are gone → identifiers they concern. */
  own: Map<string, string[]>
  /** `ns/name` of objects of other attempts of the same Certificate → identifiers. */
  earlier: Map<string, string[]>
  /** `ns/name` or `name` of the issuer. */
  issuer?: string
  tokens: Set<string>
  urls: string[]
  /** Secrets of the namespace that the Certificate writes or reads. */
  secrets: Set<string>
  /** Kinds of keystore (`jks`, `pkcs12`) that of all Certificates only the attempt's own asks for. */
  keystores: Set<string>
  /** Names of the attempt, lower case, without `*.`. */
  names: Set<string>
  /** Names that other certificates ask for. */
  otherNames: Set<string>
  acmeHost?: string
  /** API groups of the DNS webhooks that the attempt uses. */
  webhookGroups: Set<string>
  /** The alert names an Ingress whose Certificate could not even be made. */
  refused: boolean
  /** No other Challenge in the cluster is waiting, as far as it was seen. */
  alone: boolean
  /** Built-in DNS solvers that of all waiting Challenges only the attempt's own use. */
  aloneWith: ReadonlySet<string>
  /** The Order has ended and left no Challenge: nothing asks a solver on its behalf any more. */
  ended: boolean
  /** What failed before is healed: the issuer is ready since then. */
  issuerReadySince?: Millis
}

/** The API server's times have whole seconds. */
const slack = 2_000

/** Lays out what belongs to the attempt. */
export function scopeOf (chain: Chain, seeds: readonly IdentifierSeed[], snapshot: Snapshot, observations: Observations): Scope {
  const { namespace, order, request, challenges, orders, issuer, issuerRef } = chain
  const own = new Map<string, string[]>()
  const put = (map: Map<string, string[]>, name: string | undefined, about: string[]): void => {
    if (name !== undefined && name !== '') map.set(`${namespace}/${name}`, about)
  }
  put(own, chain.certificateName, [])
  put(own, chain.requestName, [])
  put(own, chain.orderName, [])
  put(own, ingressWithoutCertificate(observations)?.metadata.name, [])
  for (const challenge of challenges) put(own, challenge.metadata.name, [aboutOf(seeds, challenge)])
  for (const { name, dnsName } of challengesThatWere(chain, snapshot)) put(own, name, dnsName === undefined ? [] : [dnsName.replace(/^\*\./, '')])

  const earlier = new Map<string, string[]>()
  for (const other of orders) {
    if (other === order) continue
    if (!own.has(`${namespace}/${other.metadata.name}`)) put(earlier, other.metadata.name, [])
    for (const challenge of snapshot.ownedBy(other.metadata.uid, 'Challenge')) if (!own.has(`${namespace}/${challenge.metadata.name}`)) put(earlier, challenge.metadata.name, [dnsNameOf(challenge)])
  }
  for (const other of chain.requests) if (!own.has(`${namespace}/${other.metadata.name}`)) put(earlier, other.metadata.name, [])

  const names = new Set(seeds.map(({ name }) => name).filter(name => name !== ''))
  const ready = fieldsList(at(issuer?.status, 'conditions')).find(({ type, status }) => type === 'Ready' && status === 'True')
  const made = [request, order].filter(object => object !== undefined).map(createdAt).filter(time => time > 0)
  const skew = clockDifference(chain, snapshot)
  const solvers = solversOf(chain, seeds)
  const next = orders.filter(other => order !== undefined && other !== order && createdAt(other) > createdAt(order)).map(createdAt)
  return {
    chain, seeds, namespace, own, earlier, names,
    start: made.length === 0 ? 0 : Math.min(...made) - slack + skew,
    end: next.length === 0 ? Number.MAX_SAFE_INTEGER : Math.min(...next) - slack + skew,
    now: observations.now,
    ...issuerRef === undefined ? {} : { issuer: issuerRef.kind === 'ClusterIssuer' ? issuerRef.name : `${namespace}/${issuerRef.name}` },
    tokens: new Set([...challenges.map(({ spec }) => string(fields(spec).token)), ...authorizationsOf(order).flatMap(({ tokens }) => tokens)].filter(token => token.length > 8)),
    urls: [string(at(order?.status, 'url')), string(at(order?.status, 'finalizeURL')), ...authorizationsOf(order).map(({ url }) => url), ...challenges.flatMap(({ spec }) => [string(fields(spec).url), string(fields(spec).authorizationURL)])].filter(url => url.length > 12),
    secrets: secretsOf(chain),
    keystores: keystoresAlone(chain, snapshot),
    otherNames: otherNamesOf(snapshot, names),
    ...acmeHostOf(issuer),
    webhookGroups: new Set(solvers.map(solver => string(at(solver, 'dns01', 'webhook', 'groupName'))).filter(group => group !== '')),
    refused: ingressWithoutCertificate(observations) !== undefined,
    alone: isAlone(snapshot, chain),
    ended: challenges.length === 0 && ['valid', 'invalid', 'errored', 'expired'].includes(chain.orderState ?? ''),
    aloneWith: solversAlone(snapshot, chain, solvers),
    issuerReadySince: millisOf(ready?.lastTransitionTime)
  }
}

/** The name that a Challenge is about; `*.` in front when the apex is asked for as well, so that the two are told apart. */
export function aboutOf (seeds: readonly IdentifierSeed[], challenge: KubeObject): string {
  const name = dnsNameOf(challenge)
  return fields(challenge.spec).wildcard === true && seeds.some(seed => seed.name === name && !seed.wildcard) ? `*.${name}` : name
}

/** Is it one of the attempt's names, as `aboutOf` writes them? */
export const isOwnName = ({ names }: Pick<Scope, 'names'>, name: string): boolean => names.has(name.replace(/^\*\./, ''))

const dnsNameOf = ({ spec }: KubeObject): string => string(fields(spec).dnsName).toLowerCase()

/**
 * The controller's clock minus the API server's: the Event `OrderCreated` has the one, the Order's
 * creation the other. Small differences are the time between the two.
 */
function clockDifference ({ request, order }: Chain, snapshot: Snapshot): Millis {
  if (request === undefined || order === undefined || createdAt(order) === 0) return 0
  const told = snapshot.eventsOf('CertificateRequest', request.metadata.namespace, request.metadata.name, request.metadata.uid)
    .filter(event => string(event.reason) === 'OrderCreated' && (string(event.message) || string(event.note)).includes(order.metadata.name))
    .map(event => millisOf(event.firstTimestamp) ?? millisOf(event.eventTime))
    .filter(time => time !== undefined)
  const difference = told.length === 0 ? 0 : Math.min(...told) - createdAt(order)
  return Math.abs(difference) <= 5_000 || Math.abs(difference) > 12 * 3_600_000 ? 0 : difference
}

function secretsOf ({ certificate }: Chain): Set<string> {
  const { secretName, keystores } = fields(certificate?.spec)
  const passwords = Object.values(fields(keystores)).map(store => string(at(store, 'passwordSecretRef', 'name')))
  return new Set([string(secretName), ...passwords].filter(name => name !== ''))
}

function keystoresAlone ({ certificate }: Chain, snapshot: Snapshot): Set<string> {
  const asked = (object: KubeObject | undefined): string[] => Object.keys(fields(fields(object?.spec).keystores))
  const others = new Set(snapshot.byKind('Certificate').filter(other => other !== certificate).flatMap(asked))
  return new Set(asked(certificate).filter(kind => !others.has(kind)))
}

function acmeHostOf (issuer: KubeObject | undefined): { acmeHost?: string } {
  const server = string(at(issuer?.spec, 'acme', 'server'))
  return URL.canParse(server) ? { acmeHost: new URL(server).hostname.toLowerCase() } : {}
}

function otherNamesOf (snapshot: Snapshot, own: ReadonlySet<string>): Set<string> {
  const found = new Set<string>()
  const add = (name: string): void => {
    const plain = name.replace(/^\*\./, '').toLowerCase()
    if (plain.includes('.') && !own.has(plain)) found.add(plain)
  }
  for (const { spec } of snapshot.byKind('Certificate')) for (const name of strings(fields(spec).dnsNames)) add(name)
  for (const { spec } of snapshot.byKind('Order')) for (const name of strings(fields(spec).dnsNames)) add(name)
  for (const { spec } of snapshot.byKind('Challenge')) add(string(fields(spec).dnsName))
  return found
}

function isAlone (snapshot: Snapshot, chain: Chain): boolean {
  const waiting = waitingIn(snapshot)
  return waiting.every(challenge => chain.challenges.includes(challenge)) && (waiting.length > 0 || waitsWithoutChallenge(snapshot, chain))
}

/** A pending Order whose Challenge was deleted waits as well; it must be known that no other Order does so. */
const waitsWithoutChallenge = (snapshot: Snapshot, { challenges, order, orderState }: Chain): boolean =>
  challenges.length === 0 && orderState === 'pending' && snapshot.list('Challenge').is === 'seen' && snapshot.list('Order').is === 'seen' &&
  snapshot.byKind('Order').every(other => other === order || stateOf(other) !== 'pending' || snapshot.ownedBy(other.metadata.uid, 'Challenge').length > 0)

/** None when the Challenges could not be listed: then nobody knows who else waits. */
const waitingIn = (snapshot: Snapshot): KubeObject[] =>
  snapshot.list('Challenge').is !== 'seen' ? [] : snapshot.byKind('Challenge').filter(waits => !['valid', 'invalid', 'errored', 'expired'].includes(stateOf(waits)))

/** The solvers of the attempt's Challenges; where these are gone, those that the issuer has for its names. */
function solversOf ({ challenges, issuer, order }: Chain, seeds: readonly IdentifierSeed[]): Fields[] {
  if (challenges.length > 0) return challenges.map(({ spec }) => fields(at(spec, 'solver')))
  const offered = fieldsList(at(issuer?.spec, 'acme', 'solvers'))
  const picked = seeds.flatMap(({ name, wildcard, authorization }) => {
    const { chosen } = chooseSolver({ name, wildcard, solvers: offered, labels: order === undefined ? new Map() : labelsOf(order), offered: authorization?.challengeTypes ?? [], ref: '' })
    return chosen === undefined ? [] : [offered[chosen]!]
  })
  return picked.length > 0 ? picked : offered
}

function solversAlone (snapshot: Snapshot, chain: Chain, solvers: readonly Fields[]): Set<string> {
  const { challenges: own } = chain
  const waiting = waitingIn(snapshot)
  const named = (solver: unknown): string[] => Object.keys(fields(at(solver, 'dns01')))
  const others = new Set(waiting.filter(challenge => !own.includes(challenge)).flatMap(({ spec }) => named(at(spec, 'solver'))))
  const mine = waitsWithoutChallenge(snapshot, chain) ? solvers.flatMap(named) : waiting.filter(challenge => own.includes(challenge)).flatMap(({ spec }) => named(at(spec, 'solver')))
  return new Set(mine.filter(solver => !others.has(solver)))
}

/** Which attempt a moment belongs to, for objects whose names every attempt uses again. */
export function attemptAt ({ start, end }: Scope, time: Millis | undefined): 'current' | 'earlier' {
  return time === undefined || (time >= start && time < end) ? 'current' : 'earlier'
}

/** Whose object this is, by place and name: of the attempt, of an earlier one of the same Certificate, or somebody else's. */
export function ownerOfName (scope: Scope, place: string, time: Millis | undefined): { attempt: 'current' | 'earlier', about: string[] } | 'other' {
  const own = scope.own.get(place)
  if (own !== undefined) return { attempt: attemptAt(scope, time), about: own }
  const earlier = scope.earlier.get(place)
  if (earlier !== undefined) return { attempt: 'earlier', about: earlier }
  const [namespace, name = ''] = place.split('/', 2)
  if (namespace !== scope.namespace) return 'other'
  // An Order that could not be made already has the name of its request.
  if (scope.chain.orderName === undefined && scope.chain.requestName !== undefined && isNamedAfter(name, scope.chain.requestName)) return { attempt: attemptAt(scope, time), about: [] }
  // A Challenge that is gone still carries its Order's name.
  if (scope.chain.orderName !== undefined && isNamedAfter(name, scope.chain.orderName)) return { attempt: attemptAt(scope, time), about: [] }
  if (scope.chain.orders.some(order => isNamedAfter(name, order.metadata.name))) return { attempt: 'earlier', about: [] }
  // Nothing is left of the attempt but the Certificate: its Orders and Challenges were `<name>-<revision>-<hash>`.
  const { certificateName, requestName, orderName } = scope.chain
  if (certificateName !== undefined && requestName === undefined && orderName === undefined && name.startsWith(`${certificateName}-`) && /^(?:\d{1,6}|[a-z0-9]{5})(?:-\d{6,10}){1,2}$/.test(name.slice(certificateName.length + 1))) return { attempt: attemptAt(scope, time), about: [] }
  return 'other'
}

/** The attempt's names that stand in a text as whole names, and whether it speaks of somebody else's. */
export function namesIn (scope: Pick<Scope, 'names' | 'otherNames'>, text: string): { own: string[], other: boolean } {
  const own = new Set<string>()
  let other = false
  // Azure's addresses give the zone first and the record within it after.
  const said = text.toLowerCase().replaceAll(/dnszones\/([a-z0-9.-]+)\/txt\/([a-z0-9_.*-]+)/g, '$2.$1')
  for (const [host] of said.matchAll(/[a-z0-9_*-]+(?:\.[a-z0-9_-]+)+|\b[0-9a-f]*:[0-9a-f:]{2,}\b/g)) {
    const plain = host.replace(/^(?:_acme-challenge|\*)\./, '')
    if (scope.names.has(plain)) own.add(plain)
    else if (scope.otherNames.has(plain)) other = true
  }
  return { own: [...own], other }
}
