import type { ChainLink } from '../shared/types/case.ts'
import type { IssuerRef, KubeObject } from '../shared/types/kubernetes.ts'
import type { Observations } from '../shared/types/observations.ts'
import { annotationsOf, fields, string } from './facts/fields.ts'
import { conditionOf, isNamedAfter, orderInText, reasonOf, stateOf } from './objects.ts'
import { compare, controllerOf, createdAt, involvedObject, type AttemptObjects, type Snapshot } from './snapshot.ts'

/** The failing attempt with what is known of objects that are gone. */
export interface Chain extends AttemptObjects {
  namespace: string
  /** Names, also of objects that are gone. */
  certificateName?: string
  requestName?: string
  orderName?: string
  /** State and reason of the Order: its own, or what a condition of the request kept. */
  orderState?: string
  orderReason?: string
  /** Every Order of the same Certificate that is left, newest first; the current one included. */
  orders: KubeObject[]
  requests: KubeObject[]
  links: ChainLink[]
}

const certificateName = 'cert-manager.io/certificate-name'
const certificateRevision = 'cert-manager.io/certificate-revision'

/** Walks the chain from whichever end the subject names: up by controller owner and UID, down by ownership. */
export function walkChain (observations: Observations, snapshot: Snapshot): Chain {
  const { subject } = observations
  const namespace = subject.namespace ?? subject.hint.namespace ?? ''
  const start = startingPoint(observations, snapshot, namespace)
  let { challenge, order, request, certificate } = start

  order ??= challenge === undefined ? undefined : ownerOf(snapshot, challenge, 'Order')
  request ??= order === undefined ? undefined : ownerOf(snapshot, order, 'CertificateRequest')
  certificate ??= (request === undefined ? undefined : ownerOf(snapshot, request, 'Certificate')) ?? byAnnotation(snapshot, request ?? order) ?? byName(snapshot, namespace, request, order, start.names)

  const requests = certificate === undefined ? known(request) : requestsOf(snapshot, certificate)
  if (request !== undefined && !requests.includes(request)) requests.push(request)
  const orders = ordersOf(snapshot, certificate, requests)
  if (order !== undefined && !orders.includes(order)) orders.push(order)
  orders.sort(newestFirst)

  // An alert that names an Order means that attempt, unless it went well and a newer one did not.
  const named = order
  if (named === undefined || stateOf(named) === 'valid') {
    const current = currentRequest(certificate, requests)
    const lastGood = orders.find(candidate => stateOf(candidate) === 'valid')
    const better = orders.find(candidate => stateOf(candidate) !== 'valid' && (lastGood === undefined || createdAt(candidate) > createdAt(lastGood)))
    const ofCurrent = current === undefined ? undefined : orders.find(candidate => controllerOf(candidate, 'CertificateRequest')?.uid === current.metadata.uid)
    if (named === undefined && current !== undefined && start.request === undefined) {
      // A request without an Order is an attempt that stopped before the CA was asked.
      order = ofCurrent ?? (better !== undefined && createdAt(better) > createdAt(current) ? better : undefined)
      request = order === undefined ? current : ownerOf(snapshot, order, 'CertificateRequest') ?? current
    } else if (named === undefined && start.request !== undefined) order = orders.find(candidate => controllerOf(candidate, 'CertificateRequest')?.uid === start.request!.metadata.uid)
    else if (better !== undefined) {
      order = better
      request = ownerOf(snapshot, better, 'CertificateRequest')
    } else if (named === undefined && request === undefined) order = orders[0]
    if (order !== undefined && request === undefined) request = ownerOf(snapshot, order, 'CertificateRequest')
  }

  const challenges = challengesOf(snapshot, order, challenge)
  const told = orderInText([conditionOf(request, 'Ready')?.message, ...certificateSays(certificate)].find(message => orderInText(message ?? '').name !== undefined) ?? '')
  const orderName = order?.metadata.name ?? start.names.order ?? told.name
  const tells = told.name === orderName ? told : {}
  const chain: Chain = {
    namespace: order?.metadata.namespace ?? request?.metadata.namespace ?? certificate?.metadata.namespace ?? namespace,
    certificate, request, order, challenges, requests, orders,
    certificateName: certificate?.metadata.name ?? annotationsOf(request ?? order ?? empty).get(certificateName) ?? start.names.certificate,
    requestName: request?.metadata.name ?? (order === undefined ? undefined : controllerOf(order, 'CertificateRequest')?.name) ?? start.names.request,
    orderName,
    orderState: order === undefined ? tells.state : stateOf(order),
    orderReason: order === undefined ? tells.reason : reasonOf(order),
    issuerRef: issuerRefOf(order) ?? issuerRefOf(challenges[0]) ?? issuerRefOf(request) ?? issuerRefOf(certificate) ?? subjectIssuer(observations),
    links: []
  }
  chain.issuer = findIssuer(snapshot, chain.issuerRef, chain.namespace)
  chain.links = linksOf(chain, snapshot, start.names.challenge)
  return chain
}

const empty: KubeObject = { apiVersion: '', kind: '', metadata: { name: '', uid: '' } }
const known = (object: KubeObject | undefined): KubeObject[] => object === undefined ? [] : [object]
const newestFirst = (a: KubeObject, b: KubeObject): number => createdAt(b) - createdAt(a) || compare(a.metadata.name, b.metadata.name) || compare(a.metadata.uid, b.metadata.uid)

interface Start {
  challenge?: KubeObject
  order?: KubeObject
  request?: KubeObject
  certificate?: KubeObject
  names: { challenge?: string, order?: string, request?: string, certificate?: string }
}

function startingPoint ({ subject }: Observations, snapshot: Snapshot, namespace: string): Start {
  const { hint, tried } = subject
  // What the alert names and nobody finds any more still stands in the logs; a bare `name` was tried as every kind.
  const gone = tried.filter(({ hint: other, found }) => !found && (other.namespace ?? namespace) === namespace && tried.filter(({ hint: { name } }) => name === other.name).length === 1)
  const hinted = (kind: string): string | undefined => hint.kind === kind ? hint.name : gone.find(({ hint: other }) => other.kind === kind)?.hint.name
  const place = hint.namespace ?? namespace
  // What the label names decides the attempt; what collect found beside it only helps.
  const find = (kind: string, ref: { name: string, uid?: string } | undefined): KubeObject | undefined => {
    if (ref === undefined) return undefined
    const byUid = snapshot.byUid(ref.uid)
    return byUid ?? (ref.name === '' ? undefined : snapshot.find(kind, namespace, ref.name))
  }
  const challengeName = hinted('Challenge')
  const challenge = challengeName === undefined ? undefined : snapshot.find('Challenge', place, challengeName)
  const certificate = find('Certificate', subject.certificate)
  // Under a hint that names the Certificate (or less), the attempt is ours to choose.
  const names = {
    challenge: challengeName,
    order: hinted('Order') ?? subject.order?.name,
    request: hinted('CertificateRequest') ?? subject.request?.name,
    certificate: subject.certificate?.name ?? hinted('Certificate')
  }
  const byAttempt = ['Challenge', 'Order', 'CertificateRequest', 'Uid'].includes(hint.kind)
  const order = byAttempt || certificate === undefined ? find('Order', subject.order ?? (hint.kind === 'Order' && hint.name !== undefined ? { name: hint.name } : undefined)) : undefined
  const request = byAttempt || certificate === undefined ? find('CertificateRequest', subject.request) : undefined
  return { challenge, certificate: byAttempt && order !== undefined ? undefined : certificate, order, request: order === undefined ? request : undefined, names }
}

function ownerOf (snapshot: Snapshot, object: KubeObject, kind: string): KubeObject | undefined {
  const owner = controllerOf(object, kind)
  if (owner === undefined) return undefined
  const found = snapshot.byUid(owner.uid)
  return found?.kind === kind ? found : undefined
}

function byAnnotation (snapshot: Snapshot, object: KubeObject | undefined): KubeObject | undefined {
  const name = object === undefined ? undefined : annotationsOf(object).get(certificateName)
  return name === undefined ? undefined : snapshot.find('Certificate', object!.metadata.namespace, name)
}

/** Objects gone: `<certificate>-<revision>-<hash>` and longer names still begin with the Certificate's. */
function byName (snapshot: Snapshot, namespace: string, request: KubeObject | undefined, order: KubeObject | undefined, names: Start['names']): KubeObject | undefined {
  if (names.certificate !== undefined) return snapshot.find('Certificate', namespace, names.certificate)
  const name = request?.metadata.name ?? order?.metadata.name ?? names.request ?? names.order ?? names.challenge
  if (name === undefined) return undefined
  return snapshot.byKind('Certificate', namespace)
    .filter(({ metadata }) => name.startsWith(`${metadata.name.slice(0, 52)}-`) && /^[a-z0-9]{1,10}(?:-\d{1,10}){0,2}$/.test(name.slice(metadata.name.slice(0, 52).length + 1)))
    .sort((a, b) => b.metadata.name.length - a.metadata.name.length)[0]
}

function requestsOf (snapshot: Snapshot, certificate: KubeObject): KubeObject[] {
  const { uid, name, namespace } = certificate.metadata
  return snapshot.byKind('CertificateRequest', namespace).filter(request => {
    const owner = controllerOf(request, 'Certificate')
    return owner === undefined ? annotationsOf(request).get(certificateName) === name : owner.uid === uid
  }).sort(newestFirst)
}

/** cmctl's rule: the request whose revision follows the Certificate's; else the newest, unless it succeeded. */
function currentRequest (certificate: KubeObject | undefined, requests: readonly KubeObject[]): KubeObject | undefined {
  const revision = fields(certificate?.status).revision
  const wanted = String((typeof revision === 'number' ? revision : 0) + 1)
  const next = requests.find(request => annotationsOf(request).get(certificateRevision) === wanted)
  if (next !== undefined) return next
  const [newest] = requests
  return newest === undefined || conditionOf(newest, 'Ready')?.status === 'True' ? undefined : newest
}

function ordersOf (snapshot: Snapshot, certificate: KubeObject | undefined, requests: readonly KubeObject[]): KubeObject[] {
  const uids = new Set(requests.map(({ metadata }) => metadata.uid))
  const name = certificate?.metadata.name
  return snapshot.byKind('Order', certificate?.metadata.namespace ?? requests[0]?.metadata.namespace).filter(order => {
    const owner = controllerOf(order, 'CertificateRequest')
    if (owner !== undefined && uids.has(owner.uid)) return true
    // Its request is gone: the annotation outlives it.
    return name !== undefined && annotationsOf(order).get(certificateName) === name && (owner === undefined || snapshot.byUid(owner.uid) === undefined)
  })
}

function challengesOf (snapshot: Snapshot, order: KubeObject | undefined, challenge: KubeObject | undefined): KubeObject[] {
  if (order === undefined) {
    const owner = challenge === undefined ? undefined : controllerOf(challenge, 'Order')
    return owner === undefined ? known(challenge) : [...snapshot.ownedBy(owner.uid, 'Challenge')]
  }
  return [...snapshot.ownedBy(order.metadata.uid, 'Challenge')]
}

function certificateSays (certificate: KubeObject | undefined): (string | undefined)[] {
  const issuing = conditionOf(certificate, 'Issuing')
  return issuing?.status === 'False' ? [issuing.message] : []
}

function issuerRefOf (object: KubeObject | undefined): IssuerRef | undefined {
  const ref = fields(fields(object?.spec).issuerRef)
  const name = string(ref.name)
  return name === '' ? undefined : { name, kind: string(ref.kind) || 'Issuer', group: string(ref.group) || 'cert-manager.io' }
}

function subjectIssuer ({ subject }: Observations): IssuerRef | undefined {
  return subject.issuer === undefined ? undefined : { name: subject.issuer.name, kind: subject.issuer.kind, group: 'cert-manager.io' }
}

function findIssuer (snapshot: Snapshot, ref: IssuerRef | undefined, namespace: string): KubeObject | undefined {
  if (ref === undefined) return undefined
  return ref.kind === 'ClusterIssuer' ? snapshot.find('ClusterIssuer', undefined, ref.name) : snapshot.find(ref.kind ?? 'Issuer', namespace, ref.name)
}

function linksOf (chain: Chain, snapshot: Snapshot, challengeName: string | undefined): ChainLink[] {
  const { namespace, certificate, request, order, challenges, issuer, issuerRef } = chain
  const links: ChainLink[] = []
  const add = (kind: ChainLink['kind'], object: KubeObject | undefined, name: string | undefined, state: string | undefined, note?: string): void => {
    const more = { ...state === undefined ? {} : { state }, ...note === undefined ? {} : { note } }
    const place = kind === 'ClusterIssuer' ? {} : { namespace }
    if (object !== undefined) links.push({ kind, ...place, name: object.metadata.name, uid: object.metadata.uid, is: 'seen', ...more })
    else if (name !== undefined) links.push({ kind, ...place, name, is: snapshot.get(kind, place.namespace, name).is === 'absent' ? 'gone' : 'unavailable', ...more })
  }
  const ready = conditionOf(certificate, 'Ready')
  add('Certificate', certificate, chain.certificateName, ready === undefined ? undefined : `Ready=${ready.status} ${ready.reason ?? ''}`.trim())
  const requestReady = conditionOf(request, 'Ready')
  add('CertificateRequest', request, chain.requestName, requestReady === undefined ? undefined : `Ready=${requestReady.status} ${requestReady.reason ?? ''}`.trim())
  const signing = order === undefined ? undefined : controllerOf(order, 'CertificateSigningRequest')
  if (signing !== undefined) {
    const object = snapshot.find('CertificateSigningRequest', undefined, signing.name)
    links.push({ kind: 'CertificateSigningRequest', name: signing.name, uid: signing.uid, is: object !== undefined ? 'seen' : snapshot.get('CertificateSigningRequest', undefined, signing.name).is === 'absent' ? 'gone' : 'unavailable' })
  }
  add('Order', order, chain.orderName, chain.orderState, order === undefined ? (chain.orderReason ?? '') === '' ? undefined : chain.orderReason : reasonOf(order) === '' ? undefined : reasonOf(order))
  for (const challenge of challenges) add('Challenge', challenge, undefined, stateOf(challenge), string(fields(challenge.spec).dnsName))
  for (const { name, dnsName } of challengesThatWere(chain, snapshot, challengeName)) add('Challenge', undefined, name, undefined, dnsName)
  if (issuerRef !== undefined) add(issuerRef.kind === 'ClusterIssuer' ? 'ClusterIssuer' : 'Issuer', issuer, issuerRef.name, issuer === undefined ? undefined : `Ready=${conditionOf(issuer, 'Ready')?.status ?? 'unset'}`)
  return links
}

/** The Order's `Created` Events keep the names of Challenges that are gone; so does the alert. */
export function challengesThatWere (chain: Pick<Chain, 'order' | 'orderName' | 'namespace' | 'challenges'>, snapshot: Snapshot, fromAlert?: string): { name: string, dnsName?: string }[] {
  const { order, orderName, namespace, challenges } = chain
  const names = new Map<string, string | undefined>()
  if (orderName !== undefined) {
    for (const event of snapshot.eventsOf('Order', namespace, orderName, order?.metadata.uid)) {
      const created = /^Created Challenge resource "([^"]+)" for domain "([^"]*)"/.exec(string(event.message) || string(event.note))
      if (created !== null) names.set(created[1]!, created[2])
    }
    for (const event of snapshot.byKind('Event', namespace)) {
      const about = involvedObject(event)
      if (about.kind === 'Challenge' && isNamedAfter(about.name, orderName) && !names.has(about.name)) names.set(about.name, undefined)
    }
  }
  if (fromAlert !== undefined && !names.has(fromAlert) && (orderName === undefined || isNamedAfter(fromAlert, orderName))) names.set(fromAlert, undefined)
  return [...names].filter(([name]) => !challenges.some(({ metadata }) => metadata.name === name)).map(([name, dnsName]) => ({ name, dnsName })).sort((a, b) => compare(a.name, b.name))
}
