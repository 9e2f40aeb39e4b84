import type { BlastRadius } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { peelProblem } from './acme-problem.ts'
import { annotationsOf, at, fieldsList, string, strings } from './facts/fields.ts'
import { issuerRefIn } from './facts/missing.ts'
import { normalise } from './normalise.ts'
import { conditionOf, isFailure, reasonOf, stateOf } from './objects.ts'
import { compare, controllerOf, createdAt, millisOf, type CorrelateContext, type Snapshot } from './snapshot.ts'

/** Another Certificate of the same issuer. `signature` is its failure with names taken out. */
export interface Sibling { namespace: string, name: string, failing: boolean, since?: Millis, signature?: string }

/** The other Certificates of the attempt's issuer, by namespace and name. */
export function siblingCertificates ({ snapshot, attempt: { issuerRef, certificate }, namespace }: CorrelateContext): Sibling[] {
  if (issuerRef === undefined) return []
  const failures = failuresByCertificate(snapshot)
  return snapshot.byKind('Certificate')
    .filter(other => {
      if (other.metadata.uid === certificate?.metadata.uid) return false
      const ref = issuerRefIn(other)
      return ref.name === issuerRef.name && ref.kind === issuerRef.kind && (ref.kind === 'ClusterIssuer' || other.metadata.namespace === namespace)
    })
    .map(other => {
      const failure = failures.get(other.metadata.uid)
      const issuing = conditionOf(other, 'Issuing')
      const failedBefore = issuing?.status === 'False' && issuing.reason === 'Failed'
      const failing = failure !== undefined || failedBefore
      const since = failure?.since ?? millisOf(at(other.status, 'lastFailureTime')) ?? (failedBefore ? millisOf(issuing.lastTransitionTime) : undefined)
      return {
        namespace: other.metadata.namespace ?? '', name: other.metadata.name, failing,
        ...since === undefined ? {} : { since }, ...failure?.signature === undefined ? {} : { signature: failure.signature }
      }
    })
    .sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
}

/** What fails beside the attempt, with the same words or others. */
export function blastRadius (context: CorrelateContext, zone?: string): BlastRadius {
  const siblings = siblingCertificates(context)
  const { attempt: { issuerRef, challenges, order } } = context
  const failing = siblings.filter(sibling => sibling.failing)
  const since = failing.map(sibling => sibling.since).filter(time => time !== undefined).sort((a, b) => a - b)[0]
  const own = new Set([...challenges.map(reasonOf), reasonOf(order)].filter(text => text !== '').map(signatureOf))
  const groups = groupsOf(context, own, siblings, zone)
  return {
    issuer: { name: issuerRef?.name ?? '', total: siblings.length, failing: failing.length, ...since === undefined ? {} : { since } },
    ...groups.length === 0 ? {} : { groups },
    others: [
      ...failing.map(({ namespace, name, signature }) => ({ namespace, certificate: name, same: signature !== undefined && own.has(signature) })),
      ...sameElsewhere(context, siblings, own)
    ].slice(0, 50)
  }
}

type Group = NonNullable<BlastRadius['groups']>[number]

/** What else may be shared: the zone of the names, the ingress class, the Gateway. Class and Gateway are known of certificates that have Challenges now. */
function groupsOf (context: CorrelateContext, own: ReadonlySet<string>, siblings: readonly Sibling[], zone: string | undefined): Group[] {
  const { snapshot, attempt: { certificate, challenges, issuerRef }, identifiers } = context
  const failures = failuresByCertificate(snapshot)
  const others = snapshot.byKind('Certificate').filter(({ metadata }) => metadata.uid !== certificate?.metadata.uid)
  const doors = doorsByCertificate(snapshot)
  const group = (by: Group['by'], name: string, members: { failing: boolean, signature?: string, since?: Millis }[]): Group[] => {
    if (name === '' || members.length === 0) return []
    const failing = members.filter(member => member.failing)
    const since = failing.map(member => member.since).filter(time => time !== undefined).sort((a, b) => a - b)[0]
    return [{ by, name, total: members.length, failing: failing.length, same: failing.filter(({ signature }) => signature !== undefined && own.has(signature)).length, ...since === undefined ? {} : { since } }]
  }
  const sharing = (test: (other: KubeObject) => boolean): { failing: boolean, signature?: string, since?: Millis }[] =>
    others.filter(test).map(({ metadata: { uid } }) => ({ failing: failures.has(uid), ...failures.get(uid) }))

  const place = zone ?? identifiers.map(({ name, type }) => type === 'dns' ? name.split('.').slice(-2).join('.') : '').find(name => name.includes('.')) ?? ''
  const inZone = (name: string): boolean => name === place || name.endsWith(`.${place}`)
  const ours = [...new Set(challenges.flatMap(doorsOf))]
  return [
    ...group('issuer', issuerRef?.name ?? '', [...siblings]),
    ...group('zone', place, sharing(({ spec }) => strings(at(spec, 'dnsNames')).some(name => inZone(name.toLowerCase().replace(/^\*\./, ''))))),
    ...ours.flatMap(door => {
      const [by, name = ''] = door.split('\n') as [Group['by'], string?]
      return group(by, name, sharing(({ metadata }) => doors.get(metadata.uid)?.has(door) === true))
    })
  ]
}

/** `ingress class\nnginx`, `gateway\ninfra/public`: where the solver of a Challenge hangs. */
function doorsOf ({ spec, metadata }: KubeObject): string[] {
  const ingress = at(spec, 'solver', 'http01', 'ingress')
  const className = string(at(ingress, 'ingressClassName')) || string(at(ingress, 'class'))
  const parents = fieldsList(at(spec, 'solver', 'http01', 'gatewayHTTPRoute', 'parentRefs'))
  return [...className === '' ? [] : [`ingress class\n${className}`], ...parents.map(({ namespace, name }) => `gateway\n${string(namespace) || (metadata.namespace ?? '')}/${string(name)}`)]
}

function doorsByCertificate (snapshot: Snapshot): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const challenge of snapshot.byKind('Challenge')) {
    const order = snapshot.byUid(controllerOf(challenge, 'Order')?.uid)
    const certificate = order === undefined ? undefined : certificateOf(snapshot, order)
    if (certificate === undefined) continue
    found.set(certificate, new Set([...found.get(certificate) ?? [], ...doorsOf(challenge)]))
  }
  return found
}

/** Certificates of other issuers that fail with the same words: then the issuer is not what they share. */
function sameElsewhere ({ snapshot, attempt: { certificate } }: CorrelateContext, siblings: readonly Sibling[], own: ReadonlySet<string>): BlastRadius['others'] {
  const counted = new Set(siblings.map(({ namespace, name }) => `${namespace}/${name}`))
  const failures = failuresByCertificate(snapshot)
  return snapshot.byKind('Certificate')
    .filter(({ metadata }) => metadata.uid !== certificate?.metadata.uid && !counted.has(`${metadata.namespace ?? ''}/${metadata.name}`) && own.has(failures.get(metadata.uid)?.signature ?? ''))
    .map(({ metadata }) => ({ namespace: metadata.namespace ?? '', certificate: metadata.name, same: true }))
}

/** UID of the Certificate that an Order is for. Requests of other namespaces are not listed; the annotation names it as well. */
function certificateOf (snapshot: Snapshot, order: KubeObject): string | undefined {
  const request = snapshot.byUid(controllerOf(order, 'CertificateRequest')?.uid)
  const owner = request === undefined ? undefined : controllerOf(request, 'Certificate')?.uid
  const name = annotationsOf(order).get('cert-manager.io/certificate-name')
  return owner ?? (name === undefined ? undefined : snapshot.find('Certificate', order.metadata.namespace, name)?.metadata.uid)
}

function failuresByCertificate (snapshot: Snapshot): Map<string, { since: Millis, signature?: string }> {
  const byOrder = new Map<string, KubeObject[]>()
  for (const challenge of snapshot.byKind('Challenge')) {
    const uid = controllerOf(challenge, 'Order')?.uid
    if (uid !== undefined) byOrder.set(uid, [...byOrder.get(uid) ?? [], challenge])
  }
  const found = new Map<string, { since: Millis, created: Millis, failed: boolean, signature?: string }>()
  for (const order of snapshot.byKind('Order')) {
    const certificate = certificateOf(snapshot, order)
    if (certificate === undefined || (found.get(certificate)?.created ?? -1) > createdAt(order)) continue
    const own = byOrder.get(order.metadata.uid) ?? []
    const reasons = [reasonOf(order), ...own.filter(challenge => stateOf(challenge) !== 'valid').map(reasonOf)].filter(text => text !== '')
    const state = stateOf(order)
    // An Order that waits with words of complaint fails, too.
    const failed = isFailure(state) || own.some(challenge => isFailure(stateOf(challenge))) || (state !== 'valid' && reasons.length > 0)
    found.set(certificate, { since: millisOf(at(order.status, 'failureTime')) ?? createdAt(order), created: createdAt(order), failed, signature: reasons[0] === undefined ? undefined : signatureOf(reasons[0]) })
  }
  return new Map([...found].filter(([, { failed }]) => failed))
}

/** The failure with names, addresses and numbers taken out. */
export function signatureOf (text: string): string {
  const problem = peelProblem(text)
  const words = problem === undefined ? normalise(text) : `${problem.type ?? ''} ${normalise(problem.detail)}`
  return words.slice(0, 600).replaceAll(/(?:[a-z0-9_-]+\.)+[a-z]{2,}/gi, '<name>').replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '<ip>').replaceAll(/\d+/g, '#').slice(0, 200)
}
