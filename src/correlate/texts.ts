import type { Text } from '../shared/types/case.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { peelWrapper } from './acme-problem.ts'
import { aboutOf, isOwnName, namesIn, type Scope } from './attempt-scope.ts'
import { at, fields, fieldsList, nameOf, string, strings } from './facts/fields.ts'
import { solverObjects, statusAddresses } from './facts/solver-objects.ts'
import { LogAttribution, type SolverOwner, type Words } from './log-attribution.ts'
import { isNoise, stageOfMessage, wordsOf } from './log-message.ts'
import type { LogRecord } from './log-grammars/record.ts'
import { normalise } from './normalise.ts'
import { reasonOf } from './objects.ts'
import { controllerOf, type CorrelateContext, type Snapshot } from './snapshot.ts'
import { attemptOfEvent, eventRef, plainEvent, severityOf, stageOfEvent, type PlainEvent } from './texts/events.ts'
import { addChainTexts, addObjectTexts, addRecorded, addSigningRequest } from './texts/objects.ts'
import { addAlertTexts, addCaTexts } from './texts/outside.ts'
import { TextShelf } from './texts/shelf.ts'

/** Every text that bears on the attempt, peeled, tied to identifiers, folded, in a fixed order. */
export function collectTexts (context: CorrelateContext, scope: Scope, records: readonly LogRecord[]): Text[] {
  const { snapshot, observations } = context
  const shelf = new TextShelf()
  addChainTexts(shelf, scope)
  const solvers = solversOf(scope, snapshot)
  for (const { objects, about } of solvers) addObjectTexts(shelf, objects, about)
  addRelatedObjects(shelf, scope, snapshot, solvers.flatMap(({ objects }) => objects))
  addRecorded(shelf, observations.recorded, scope)
  addCaTexts(shelf, observations.acme, scope)
  addAlertTexts(shelf, observations, scope)

  const solverNames = ownersOfSolvers(snapshot, solvers)
  const words = saidBy(scope, snapshot)
  const attribution = new LogAttribution(scope, records, words, solverNames)
  addEvents(shelf, scope, snapshot, solvers, attribution)
  addLogs(shelf, scope, records, attribution, solvers)
  return shelf.done()
}

interface Solvers { about: string[], objects: KubeObject[] }

function solversOf ({ chain, namespace, seeds }: Scope, snapshot: Snapshot): Solvers[] {
  const known = chain.challenges.map(challenge => {
    const { namespace: place = '', uid } = challenge.metadata
    const dnsName = string(at(challenge.spec, 'dnsName'))
    return { about: [aboutOf(seeds, challenge)], objects: solverObjects(snapshot, { namespace: place, uid, dnsName, token: string(at(challenge.spec, 'token')) }) }
  })
  // The Challenge cannot be read, or is gone while its solver still stands.
  const unread = seeds.filter(({ name, challenge, challengeType }) => name !== '' && challenge === undefined && challengeType !== 'DNS-01')
    .map(({ name, authorization }) => ({ about: [name], objects: solverObjects(snapshot, { namespace, uid: '', dnsName: name, token: authorization?.tokens?.[0] ?? '' }) }))
  return [...known, ...unread]
}

/** Gateways that a solver route or the solver's own parentRefs lead to, and API services of the DNS webhooks in use. */
function addRelatedObjects (shelf: TextShelf, scope: Scope, snapshot: Snapshot, solvers: readonly KubeObject[]): void {
  const gateways = new Set<KubeObject>()
  const addGateway = (parent: Record<string, unknown>): void => {
    const found = snapshot.find(string(parent.kind) || 'Gateway', string(parent.namespace) || scope.namespace, string(parent.name))
    if (found !== undefined) gateways.add(found)
  }
  for (const route of solvers) if (route.kind === 'HTTPRoute') for (const parent of fieldsList(at(route.spec, 'parentRefs'))) addGateway(parent)
  for (const { spec } of scope.chain.challenges) for (const parent of fieldsList(at(spec, 'solver', 'http01', 'gatewayHTTPRoute', 'parentRefs'))) addGateway(parent)
  addObjectTexts(shelf, [...gateways], [])
  const signing = scope.chain.order === undefined ? undefined : controllerOf(scope.chain.order, 'CertificateSigningRequest')
  const asked = signing === undefined ? undefined : snapshot.byUid(signing.uid) ?? snapshot.find('CertificateSigningRequest', undefined, signing.name)
  if (asked !== undefined) addSigningRequest(shelf, asked, scope.now)
  // OpenShift makes a Route of the solver's Ingress; it is the Route that its routers turn away.
  addObjectTexts(shelf, solvers.flatMap(({ metadata: { uid } }) => snapshot.ownedBy(uid, 'Route')), [])
  // Routes of a controller's own kind for the same host: whether it takes them says who may have the host.
  addObjectTexts(shelf, [...snapshot.byKind('HTTPProxy'), ...snapshot.byKind('VirtualServer')].filter(({ spec }) => scope.names.has((string(at(spec, 'virtualhost', 'fqdn')) || string(at(spec, 'host'))).toLowerCase())), [], 'standing')
  addObjectTexts(shelf, snapshot.byKind('APIService').filter(({ spec }) => scope.webhookGroups.has(string(fields(spec).group))), [], 'standing')
}

/** Whose solver object a name is, as far as owners tell. */
function ownersOfSolvers (snapshot: Snapshot, solvers: readonly Solvers[]): Map<string, SolverOwner> {
  const names = new Map<string, SolverOwner>()
  for (const kind of ['Pod', 'Service', 'Ingress', 'HTTPRoute']) {
    for (const { metadata: { name } } of snapshot.byKind(kind)) if (name.startsWith('cm-acme-http-solver-')) names.set(name, 'other')
  }
  for (const { about, objects } of solvers) for (const { metadata: { name } } of objects) names.set(name, about)
  return names
}

/** Words that objects say of themselves, normalised: a log line without keys may repeat them. */
function saidBy (scope: Scope, snapshot: Snapshot): Words {
  const own = new Map<string, string[]>()
  const other = new Set<string>()
  const ownStarts: [string, string[]][] = []
  const otherStarts: string[] = []
  const hear = (text: string, mine: boolean, about: string[]): void => {
    const core = normalise(peelWrapper(text).core)
    if (core.length < 12) return
    // cert-manager takes the rest of an SDK's error out of a status, not out of its log.
    const start = /^(.{20,}?)[\s,:]*<redacted /.exec(core)?.[1]
    if (start !== undefined && mine) ownStarts.push([start, about])
    else if (start !== undefined) otherStarts.push(start)
    if (mine) own.set(core, [...new Set([...own.get(core) ?? [], ...about])])
    else other.add(core)
  }
  for (const challenge of snapshot.byKind('Challenge')) hear(reasonOf(challenge), scope.chain.challenges.includes(challenge), [string(fields(challenge.spec).dnsName).toLowerCase()])
  for (const order of snapshot.byKind('Order')) hear(reasonOf(order), order === scope.chain.order, [])
  for (const event of snapshot.byKind('Event')) {
    if (event.type !== 'Warning') continue
    const { kind, namespace, name, message } = plainEvent(event)
    if (kind !== 'Challenge' && kind !== 'Order' && kind !== 'CertificateRequest') continue
    const mine = scope.own.get(`${namespace ?? ''}/${name}`)
    hear(message, mine !== undefined, mine ?? [])
  }
  return { own, other, ownStarts, otherStarts }
}

function addEvents (shelf: TextShelf, scope: Scope, snapshot: Snapshot, solvers: readonly Solvers[], attribution: LogAttribution): void {
  const { chain } = scope
  const uids = new Set([chain.certificate, chain.request, chain.order, ...chain.challenges].map(object => object?.metadata.uid ?? ''))
  const bySolver = new Map(solvers.flatMap(({ objects, about }) => objects.map(object => [`${object.kind}/${object.metadata.name}`, about] as const)))
  const related = relatedRefs(scope, snapshot)
  for (const object of snapshot.byKind('Event')) {
    const event = plainEvent(object)
    if (isAudit(event)) continue
    const add = (about: readonly string[], attempt: Text['attempt'], objectKind?: string): void => shelf.add({
      source: 'event', ref: eventRef(event), text: objectKind === undefined && !isToldByReason(event) ? event.message : withReason(event), inner: event.message, attempt, about: about.filter(name => isOwnName(scope, name)), fallback: stageOfEvent(event), severity: severityOf(event),
      count: event.count, ...event.first === undefined ? {} : { first: event.first }, ...event.last === undefined ? {} : { last: event.last, time: event.last }, fold: true, ...objectKind === undefined ? {} : { objectKind }
    })
    if (chainKinds.has(event.kind)) {
      const place = `${event.namespace ?? ''}/${event.name}`
      const isIssuer = event.kind === 'Issuer' || event.kind === 'ClusterIssuer'
      const about = isIssuer ? scope.issuer === (event.kind === 'ClusterIssuer' ? event.name : place) ? [] : undefined : scope.own.get(place) ?? scope.earlier.get(place)
      if (about === undefined) continue
      const attempt = !isIssuer && !scope.own.has(place) ? 'earlier' : attemptOfEvent(event, scope, uids)
      if (attempt !== undefined) add(about, attempt)
      continue
    }
    const own = bySolver.get(`${event.kind}/${event.name}`) ?? goneSolver(event, scope, attribution)
    if (own !== undefined) add(own, 'current', event.kind)
    else if (event.type === 'Warning' && related.has(`${event.kind} ${event.namespace ?? ''}/${event.name}`)) add(namesIn(scope, event.message).own, 'standing', event.kind)
  }
}

/** What scheduler, kubelet and load balancers call it is often said in the reason alone. */
const withReason = ({ reason, message, type }: PlainEvent): string => type !== 'Warning' || reason === '' || message.includes(reason) ? message : `${reason}: ${message}`

/** A Certificate's failures to write have a reason of their own; what failed before that is told by the message. */
const isToldByReason = ({ kind, reason }: PlainEvent): boolean => kind === 'Certificate' && !/^(Request)?Failed$/.test(reason)

/** What a policy engine in audit mode would have refused is there all the same. */
const isAudit = ({ reason, message }: PlainEvent): boolean => reason === 'PolicyViolation' && !/block|denied|denies/i.test(message)

const chainKinds = new Set(['Certificate', 'CertificateRequest', 'Order', 'Challenge', 'Issuer', 'ClusterIssuer'])

/** Events of a solver object outlive it by an hour: whose it was, the log or the lack of any other candidate tells. */
function goneSolver ({ kind, namespace, name, last }: PlainEvent, scope: Scope, attribution: LogAttribution): string[] | undefined {
  if (!name.startsWith('cm-acme-http-solver-') || namespace !== scope.namespace || !['Pod', 'Service', 'Ingress', 'HTTPRoute'].includes(kind)) return undefined
  if (last !== undefined && (last < scope.start || last >= scope.end)) return undefined
  const owner = attribution.solverOwner(name)
  if (owner !== undefined) return owner === 'other' ? undefined : owner
  return attribution.sharesNamespace ? undefined : []
}

/** Ingresses, Gateways and the like that serve the attempt's names or made the Certificate. */
function relatedRefs (scope: Scope, snapshot: Snapshot): Set<string> {
  const refs = new Set<string>()
  const owner = scope.chain.certificate === undefined ? undefined : controllerOf(scope.chain.certificate)
  if (owner !== undefined) refs.add(`${owner.kind} ${scope.namespace}/${owner.name}`)
  for (const ingress of snapshot.byKind('Ingress')) {
    if (fieldsList(at(ingress.spec, 'rules')).some(({ host }) => scope.names.has(string(host).toLowerCase())) || fieldsList(at(ingress.spec, 'tls')).some(({ hosts }) => strings(hosts).some(host => scope.names.has(host.toLowerCase())))) {
      refs.add(`Ingress ${ingress.metadata.namespace ?? ''}/${ingress.metadata.name}`)
    }
  }
  // The door that the name leads through, when its load balancer was never made.
  for (const service of snapshot.byKind('Service')) {
    if (at(service.spec, 'type') === 'LoadBalancer' && service.metadata.namespace !== scope.namespace && statusAddresses(service).length === 0) refs.add(nameOf(service))
  }
  for (const { spec } of scope.chain.challenges) {
    for (const parent of fieldsList(at(spec, 'solver', 'http01', 'gatewayHTTPRoute', 'parentRefs'))) refs.add(`Gateway ${string(parent.namespace) || scope.namespace}/${string(parent.name)}`)
  }
  return refs
}

/** The solver's own words with what it was asked for: which Host and path reached it is the whole story. */
function solverWords (record: LogRecord): string {
  const asked = ['host', 'expected_host', 'path', 'base_path'].flatMap(key => record.fields.has(key) ? [`${key}="${record.fields.get(key)!}"`] : [])
  return [wordsOf(record), ...asked].join(' ')
}

/** What a Pod says about its own watches of the Kubernetes API; which right it lacks there is worth knowing. */
const ownWatch = /failed to (?:list|watch) \*(?!.* is forbidden: )/i

/** Whether an attempt needs what a watch did not get, the line does not tell. */
const anyWatch = /failed to (?:list|watch) \*/i

function addLogs (shelf: TextShelf, scope: Scope, records: readonly LogRecord[], attribution: LogAttribution, solvers: readonly Solvers[]): void {
  const pods = new Map(solvers.flatMap(({ objects, about }) => objects.filter(({ kind }) => kind === 'Pod').map(pod => [nameOf(pod), about] as const)))
  for (const record of records) {
    const { from, level, time } = record
    const ref = `log ${from.namespace}/${from.pod}`
    const put = (about: readonly string[], attempt: Text['attempt'], severity: Text['severity'], guessed = false): void => shelf.add({
      source: 'log', ref, text: from.role === 'solver' ? solverWords(record) : wordsOf(record), inner: record.err ?? record.message, about, attempt, severity, guessed, fallback: stageOfMessage(record), fold: true, ...time === undefined ? {} : { time, first: time, last: time }
    })
    if (from.role === 'controller') {
      const tie = attribution.tie(record)
      if (tie !== undefined) put(tie.about, tie.attempt, level === 'info' || level === 'unknown' ? 'info' : level === 'warning' ? 'warning' : 'error', tie.by === 'fits' || (tie.by === 'controller' && anyWatch.test(record.raw)))
      continue
    }
    const names = namesIn(scope, record.raw)
    const mentions = names.own.length > 0 || [...scope.tokens].some(token => record.raw.includes(token))
    if (from.role === 'solver') {
      const about = pods.get(`Pod ${from.namespace}/${from.pod}`) ?? (mentions ? names.own : undefined)
      if (about !== undefined) put(about, 'current', level === 'info' ? 'info' : 'error')
    } else if (from.role === 'dns-webhook') {
      // A provider's webhook serves every zone: only what names ours, or names nothing at a bad level, counts.
      if (scope.webhookGroups.size > 0 && (mentions || (!names.other && level !== 'info' && time !== undefined && time >= scope.start)) && !isNoise(record) && !ownWatch.test(record.raw)) put(names.own, 'current', level === 'info' ? 'info' : 'error', !mentions)
    } else if (from.role === 'ingress') {
      if (mentions && record.raw.includes('/.well-known/acme-challenge/')) put(names.own, 'current', 'info')
    } else if (mentions && (level === 'error' || level === 'fatal')) put(names.own, 'current', 'error')
  }
}
