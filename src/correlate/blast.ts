import type { BlastRadius } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { peelProblem } from './acme-problem.ts'
import { at } from './facts/fields.ts'
import { issuerRefIn } from './facts/missing.ts'
import { normalise } from './normalise.ts'
import { conditionOf, isFailure, reasonOf, stateOf } from './objects.ts'
import { compare, controllerOf, createdAt, millisOf, type CorrelateContext } from './snapshot.ts'

/** Another Certificate of the same issuer. `signature` is its failure with names taken out. */
export interface Sibling { namespace: string, name: string, failing: boolean, since?: Millis, signature?: string }

/** The other Certificates of the attempt's issuer, by namespace and name. */
export function siblingCertificates ({ snapshot, attempt: { issuerRef, certificate }, namespace }: CorrelateContext): Sibling[] {
  if (issuerRef === undefined) return []
  const failures = failuresByCertificate(snapshot.byKind('Order'), snapshot.byKind('Challenge'), snapshot.byUid)
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
export function blastRadius (context: CorrelateContext, siblings: readonly Sibling[] = siblingCertificates(context)): BlastRadius {
  const { attempt: { issuerRef, challenges, order } } = context
  const failing = siblings.filter(sibling => sibling.failing)
  const since = failing.map(sibling => sibling.since).filter(time => time !== undefined).sort((a, b) => a - b)[0]
  const own = new Set([...challenges.map(reasonOf), reasonOf(order)].filter(text => text !== '').map(signatureOf))
  return {
    issuer: { name: issuerRef?.name ?? '', total: siblings.length, failing: failing.length, ...since === undefined ? {} : { since } },
    others: [
      ...failing.map(({ namespace, name, signature }) => ({ namespace, certificate: name, same: signature !== undefined && own.has(signature) })),
      ...sameElsewhere(context, siblings, own)
    ].slice(0, 50)
  }
}

/** Certificates of other issuers that fail with the same words: then the issuer is not what they share. */
function sameElsewhere ({ snapshot, attempt: { certificate } }: CorrelateContext, siblings: readonly Sibling[], own: ReadonlySet<string>): BlastRadius['others'] {
  const counted = new Set(siblings.map(({ namespace, name }) => `${namespace}/${name}`))
  const failures = failuresByCertificate(snapshot.byKind('Order'), snapshot.byKind('Challenge'), snapshot.byUid)
  return snapshot.byKind('Certificate')
    .filter(({ metadata }) => metadata.uid !== certificate?.metadata.uid && !counted.has(`${metadata.namespace ?? ''}/${metadata.name}`) && own.has(failures.get(metadata.uid)?.signature ?? ''))
    .map(({ metadata }) => ({ namespace: metadata.namespace ?? '', certificate: metadata.name, same: true }))
}

function failuresByCertificate (orders: readonly KubeObject[], challenges: readonly KubeObject[], byUid: (uid: string | undefined) => KubeObject | undefined): Map<string, { since: Millis, signature?: string }> {
  const byOrder = new Map<string, KubeObject[]>()
  for (const challenge of challenges) {
    const uid = controllerOf(challenge, 'Order')?.uid
    if (uid !== undefined) byOrder.set(uid, [...byOrder.get(uid) ?? [], challenge])
  }
  const found = new Map<string, { since: Millis, created: Millis, failed: boolean, signature?: string }>()
  for (const order of orders) {
    const request = byUid(controllerOf(order, 'CertificateRequest')?.uid)
    const certificate = request === undefined ? undefined : controllerOf(request, 'Certificate')?.uid
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
function signatureOf (text: string): string {
  const problem = peelProblem(text)
  const words = problem === undefined ? normalise(text) : `${problem.type ?? ''} ${normalise(problem.detail)}`
  return words.replaceAll(/(?:[a-z0-9_-]+\.)+[a-z]{2,}/gi, '<name>').replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '<ip>').replaceAll(/\d+/g, '#').slice(0, 200)
}
