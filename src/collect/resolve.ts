import { isIP } from 'node:net'
import type { Millis, Look } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Subject, SubjectHint } from '../shared/types/observations.ts'
import { describeCandidates, failingCertificates, failingOrders, type Candidate } from './candidates.ts'
import { completeChain, type Chain } from './chain.ts'
import { conditionOf, created, failedStates, issuerRefOf, list, namesOf, ownerOf, sameIssuer, text } from './fields.ts'
import type { Gathering } from './gathering.ts'

export interface Resolved { subject: Subject, chain: Chain }

export interface ResolveRequest { hints: SubjectHint[], domains: string[], lint: string[], startsAt: Millis, now: Millis }

/** `Challenge` → the resource it is listed under. */
const resources = {
  Challenge: 'challenges.acme.cert-manager.io', Order: 'orders.acme.cert-manager.io',
  CertificateRequest: 'certificaterequests.cert-manager.io', Certificate: 'certificates.cert-manager.io'
} as const

/** What one hint led to; `why` says why to nothing. */
interface Answer { object?: KubeObject, why?: string, candidates?: Candidate[] }

/** Tries the hints in order against the cluster and walks from what was found to the whole chain. */
export async function resolveSubject (gathering: Gathering, request: ResolveRequest): Promise<Resolved> {
  const tried: Subject['tried'] = []
  let candidates: Candidate[] = []
  const fallback: SubjectHint = request.hints.find(({ kind }) => kind !== 'Scan') ?? request.hints[0] ?? { kind: 'Scan', from: 'no label names an object' }
  for (const hint of request.hints) {
    const answer = await follow(gathering, hint, request)
    tried.push({ hint, found: answer.object !== undefined, ...(answer.why === undefined ? {} : { why: answer.why }) })
    if (answer.candidates !== undefined && answer.candidates.length > 0) candidates = answer.candidates
    if (answer.object === undefined) continue
    const chain = await completeChain(gathering, answer.object)
    return { chain, subject: describe(hint, tried, chain, request, candidates) }
  }
  return { chain: { requests: [], orders: [], challenges: [] }, subject: unresolved(fallback, tried, request, candidates) }
}

async function follow (gathering: Gathering, hint: SubjectHint, request: ResolveRequest): Promise<Answer> {
  const { kind, namespace, name = '' } = hint
  switch (kind) {
    case 'Challenge': case 'Order': case 'CertificateRequest': case 'Certificate': return byName(gathering, kind, hint)
    case 'Uid': {
      for (const resource of Object.values(resources)) {
        const object = (await everything(gathering, resource, namespace)).find(({ metadata }) => metadata.uid === name)
        if (object !== undefined) return { object }
      }
      return { why: 'no object has this UID' }
    }
    case 'Domain': return byDomain(gathering, name, namespace)
    case 'Secret': {
      const certificates = await everything(gathering, resources.Certificate, namespace)
      return best(certificates.filter(certificate => text(certificate, 'spec', 'secretName') === name), 'no Certificate has this secretName')
    }
    case 'Ingress': return byIngress(gathering, name, namespace)
    case 'Issuer': case 'ClusterIssuer':
      // An object that was named and is gone is not replaced by one of another namespace that happens to fail.
      return scan(gathering, namespace ?? request.hints.find(isObject)?.namespace, request, object => issuerRefOf(object)?.name === name && issuerRefOf(object)?.kind === kind, true)
    case 'Host': {
      const issuers = [...await gathering.items('clusterissuers.cert-manager.io'), ...await gathering.items('issuers.cert-manager.io')]
        .filter(issuer => hostOf(text(issuer, 'spec', 'acme', 'server')) === name)
      if (issuers.length === 0) return { why: 'no issuer that can be seen uses this ACME server' }
      return scan(gathering, undefined, request, object => issuers.some(issuer => refersTo(object, issuer)), false)
    }
    case 'Scan': return scan(gathering, namespace, request, () => true, namespace !== undefined)
  }
}

const isObject = ({ kind, name }: SubjectHint): boolean => kind in resources && name !== undefined

/** A namespace's objects, or everybody's. */
const everything = (gathering: Gathering, resource: string, namespace: string | undefined): Promise<KubeObject[]> =>
  gathering.items(resource, namespace === undefined ? {} : { namespace })

async function byName (gathering: Gathering, kind: keyof typeof resources, { namespace, name = '', from }: SubjectHint): Promise<Answer> {
  if (from.startsWith('CertificateSigningRequest in ')) return bySigningRequest(gathering, name)
  const listed: Look<KubeObject[]> = await gathering.list(resources[kind], namespace === undefined ? {} : { namespace })
  const named = listed.is === 'seen' ? listed.value.filter(({ metadata }) => metadata.name === name) : []
  if (named.length > 0) return best(named, '')
  // cert-manager cuts prefixes at 52 characters, so a name taken from a name may be only the start.
  if (from.includes('prefix of') && name.length >= 45 && listed.is === 'seen') {
    const starting = listed.value.filter(({ metadata }) => metadata.name.startsWith(name))
    if (starting.length > 0) return best(starting, '')
  }
  if (kind === 'Certificate') {
    const left = await leftOf(gathering, name, namespace)
    if (left.object !== undefined) return left
  }
  if (listed.is === 'unavailable') {
    if (namespace === undefined) return { why: listed.why }
    const single = await gathering.get(resources[kind], namespace, name)
    return single.is === 'seen' ? { object: single.value } : { why: single.is === 'unavailable' ? single.why : `there is no ${kind} of this name` }
  }
  return { why: `there is no ${kind} of this name${namespace === undefined ? '' : ` in ${namespace}`}` }
}

/** What a Certificate that is gone or unreadable has made and left behind. */
async function leftOf (gathering: Gathering, certificate: string, namespace: string | undefined): Promise<Answer> {
  const [orders, requests] = await Promise.all([everything(gathering, resources.Order, namespace), everything(gathering, resources.CertificateRequest, namespace)])
  const isLeft = (object: KubeObject): boolean => object.metadata.annotations?.['cert-manager.io/certificate-name'] === certificate || ownerOf(object, 'Certificate')?.name === certificate
  const [order, request] = [best(orders.filter(isLeft), ''), best(requests.filter(isLeft), '')]
  return order.object === undefined ? request : order
}

/** Kubernetes' own kind of request: its Orders lie in the issuer's namespace and are owned by it (cert-manager, ExperimentalCertificateSigningRequestControllers). */
async function bySigningRequest (gathering: Gathering, name: string): Promise<Answer> {
  const orders = await gathering.items(resources.Order, { partial: true })
  return best(orders.filter(order => ownerOf(order, 'CertificateSigningRequest')?.name === name), 'no Order belongs to a CertificateSigningRequest of this name')
}

/** The name itself, its wildcard, or the wildcard that covers it; addresses as they are. */
export function covers (certified: string, domain: string): boolean {
  const [a, b] = [certified.toLowerCase(), domain.toLowerCase()]
  if (a === b) return true
  if (isIP(b) !== 0) return false
  const [plainA, plainB] = [a.replace(/^\*\./, ''), b.replace(/^\*\./, '')]
  return plainA === plainB || (a.startsWith('*.') && b.slice(b.indexOf('.') + 1) === plainA)
}

async function byDomain (gathering: Gathering, domain: string, namespace: string | undefined): Promise<Answer> {
  for (const place of namespace === undefined ? [undefined] : [namespace, undefined]) {
    const matching = async (resource: string): Promise<KubeObject[]> => (await everything(gathering, resource, place)).filter(object => namesOf(object).some(name => covers(name, domain)))
    const [certificates, orders, challenges] = await Promise.all([matching(resources.Certificate), matching(resources.Order), everything(gathering, resources.Challenge, place)])
    const exact = certificates.filter(certificate => namesOf(certificate).includes(domain))
    // A Certificate that covers the name but is fine is not what the alert means when another one fails.
    const found = [...exact.filter(fails), ...certificates.filter(fails)][0] ?? (orders.length === 0 ? exact[0] ?? certificates[0] : undefined)
    if (found !== undefined) return best(exact.includes(found) ? exact : certificates, '')
    if (orders.length > 0) return best(orders, '')
    const own = challenges.filter(challenge => covers(text(challenge, 'spec', 'dnsName'), domain))
    if (own.length > 0) return best(own, '')
    const ingresses = (await gathering.items('ingresses.networking.k8s.io', place === undefined ? { partial: true } : { namespace: place }))
      .filter(ingress => list(ingress, 'spec', 'rules').some(rule => covers(text(rule, 'host'), domain)))
    for (const ingress of ingresses) {
      const answer = await byIngress(gathering, ingress.metadata.name, ingress.metadata.namespace)
      if (answer.object !== undefined) return answer
    }
  }
  return { why: 'no Certificate, Order, Challenge or Ingress is for this name' }
}

async function byIngress (gathering: Gathering, name: string, namespace: string | undefined): Promise<Answer> {
  const ingress = (await gathering.items('ingresses.networking.k8s.io', namespace === undefined ? { partial: true } : { namespace })).find(({ metadata }) => metadata.name === name)
  if (ingress === undefined) return { why: 'there is no Ingress of this name' }
  const secrets = list(ingress, 'spec', 'tls').map(entry => text(entry, 'secretName')).filter(secret => secret !== '')
  const certificates = await gathering.items(resources.Certificate, { namespace: ingress.metadata.namespace })
  return best(certificates.filter(certificate => ownerOf(certificate, 'Ingress')?.name === name || secrets.includes(text(certificate, 'spec', 'secretName'))), 'no Certificate belongs to this Ingress')
}

/** No object was named: the failing order that fits best, or a Certificate that never got an order. */
async function scan (gathering: Gathering, namespace: string | undefined, { startsAt, now }: ResolveRequest, fits: (object: KubeObject) => boolean, withCertificates: boolean): Promise<Answer> {
  const [orders, challenges] = await Promise.all([everything(gathering, resources.Order, namespace), everything(gathering, resources.Challenge, namespace)])
  const candidates = failingOrders(orders.filter(fits), challenges, startsAt, now)
  if (candidates[0] !== undefined) return { object: candidates[0].order, candidates }
  if (withCertificates) {
    const [certificate] = failingCertificates((await everything(gathering, resources.Certificate, namespace)).filter(fits), startsAt, now)
    if (certificate !== undefined) return { object: certificate }
  }
  return { why: 'no order failed in the 24 hours before the alert, and none hangs' }
}

/** Of several objects of one name: the one that fails, else the newest. */
function best (objects: KubeObject[], why: string): Answer {
  const [object] = [...objects].sort((a, b) => Number(fails(b)) - Number(fails(a)) || created(b) - created(a))
  return object === undefined ? { why } : { object }
}

function fails (object: KubeObject): boolean {
  if (object.kind === 'Certificate') return conditionOf(object, 'Ready')?.status !== 'True' || text(object, 'status', 'lastFailureTime') !== '' || conditionOf(object, 'Issuing')?.status === 'True'
  const state = text(object, 'status', 'state')
  return object.kind === 'CertificateRequest' ? conditionOf(object, 'Ready')?.status !== 'True' : failedStates.has(state) || state !== 'valid'
}

const hostOf = (url: string): string => { try { return new URL(url).hostname } catch { return '' } }
const refersTo = (object: KubeObject, issuer: KubeObject): boolean => sameIssuer(object, { ...object, metadata: { ...object.metadata, namespace: issuer.kind === 'ClusterIssuer' ? object.metadata.namespace : issuer.metadata.namespace }, spec: { issuerRef: { name: issuer.metadata.name, kind: issuer.kind } } })

function describe (hint: SubjectHint, tried: Subject['tried'], chain: Chain, request: ResolveRequest, candidates: Candidate[]): Subject {
  const { certificate, request: certificateRequest, order } = chain
  const some = certificate ?? order ?? certificateRequest ?? chain.challenges[0]
  const ref = issuerRefOf(certificate) ?? issuerRefOf(order) ?? issuerRefOf(certificateRequest)
  const named = (object: KubeObject | undefined): { name: string, uid: string } | undefined => object === undefined ? undefined : { name: object.metadata.name, uid: object.metadata.uid }
  const namespace = some?.metadata.namespace
  // The Certificate may be gone or unreadable; its name stands on what it made.
  const certificateName = named(certificate) ?? (chain.certificateName === undefined ? undefined : { name: chain.certificateName })
  return {
    hint, tried, namespace,
    ...(certificateName === undefined ? {} : { certificate: certificateName }),
    ...(certificateRequest === undefined ? {} : { request: named(certificateRequest)! }),
    ...(order === undefined ? {} : { order: named(order)! }),
    ...(ref === undefined ? {} : { issuer: { kind: ref.kind, name: ref.name, ...(ref.kind === 'Issuer' && namespace !== undefined ? { namespace } : {}) } }),
    domains: request.domains, candidates: describeCandidates(candidates), lint: request.lint
  }
}

/** Nothing was found: what the labels said is all there is, and it is kept for the reader. */
function unresolved (hint: SubjectHint, tried: Subject['tried'], request: ResolveRequest, candidates: Candidate[]): Subject {
  const of = (kind: SubjectHint['kind']): { name: string } | undefined => {
    const found = request.hints.find(other => other.kind === kind && other.name !== undefined && !other.from.includes('any namespace'))
    // A bare `name` may be any of four kinds: only labels that say the kind count.
    return found?.name !== undefined && (found.from !== 'name' && !/\+ (exported_)?name$/.test(found.from)) ? { name: found.name } : undefined
  }
  const [certificate, request_, order] = [of('Certificate'), of('CertificateRequest'), of('Order')]
  return {
    hint, tried, ...(hint.namespace === undefined ? {} : { namespace: hint.namespace }),
    ...(certificate === undefined ? {} : { certificate }), ...(request_ === undefined ? {} : { request: request_ }), ...(order === undefined ? {} : { order }),
    domains: request.domains, candidates: describeCandidates(candidates), lint: request.lint
  }
}
