import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Subject } from '../shared/types/observations.ts'
import { conditionOf, created, failedStates, ownerOf, text, time } from './fields.ts'

/** A certificate that is issued for the first time needs a minute or two: younger pending orders are no failures. */
const patience = 120_000
const day = 86_400_000

/** An order that may be what an alert without a name means. */
export interface Candidate { order: KubeObject, rank: number, failureTime?: Millis }

/** Orders that failed inside the day before the alert, or hang; best first. */
export function failingOrders (orders: KubeObject[], challenges: KubeObject[], startsAt: Millis, now: Millis): Candidate[] {
  const byOrder = new Map<string, KubeObject[]>()
  for (const challenge of challenges) {
    const owner = ownerOf(challenge, 'Order')
    if (owner !== undefined) byOrder.set(owner.uid, [...byOrder.get(owner.uid) ?? [], challenge])
  }
  const found: Candidate[] = []
  for (const order of orders) {
    const state = text(order, 'status', 'state')
    const failureTime = time(text(order, 'status', 'failureTime'))
    const own = byOrder.get(order.metadata.uid) ?? []
    if (failedStates.has(state)) {
      const when = failureTime ?? created(order)
      if (when > startsAt - day && when <= now) found.push({ order, failureTime, rank: 0 })
    } else if (state !== 'valid' && now - created(order) > patience) {
      // Challenges that are final, or say what they wait for, are worse than an order that is only slow.
      const stuck = own.some(challenge => failedStates.has(text(challenge, 'status', 'state')))
      const complaining = own.some(challenge => text(challenge, 'status', 'reason') !== '')
      found.push({ order, rank: stuck ? 0 : complaining ? 1 : 2 })
    }
  }
  const nearness = ({ order, failureTime }: Candidate): number => Math.abs((failureTime ?? created(order)) - startsAt)
  return found.sort((a, b) => a.rank - b.rank || nearness(a) - nearness(b) || compareNames(a.order, b.order))
}

/** Certificates that never got as far as an order: the issuer is missing, the request is refused. */
export function failingCertificates (certificates: KubeObject[], startsAt: Millis, now: Millis): KubeObject[] {
  return certificates.filter(certificate => {
    if (now - created(certificate) < patience) return false
    const issuing = conditionOf(certificate, 'Issuing')
    const failed = time(text(certificate, 'status', 'lastFailureTime'))
    // A renewal fails while Ready still says True: what hangs in Issuing counts.
    const hangs = issuing?.status === 'True' && now - (time(issuing.lastTransitionTime) ?? 0) > patience
    return hangs || (failed !== undefined && failed > startsAt - day && conditionOf(certificate, 'Ready')?.status === 'False')
  }).sort((a, b) => (time(text(b, 'status', 'lastFailureTime')) ?? 0) - (time(text(a, 'status', 'lastFailureTime')) ?? 0) || compareNames(a, b))
}

/** For the reader: which orders the alert may mean. */
export function describeCandidates (candidates: Candidate[]): Subject['candidates'] {
  return candidates.slice(0, 20).map(({ order, failureTime }) => {
    const certificate = order.metadata.annotations?.['cert-manager.io/certificate-name']
    return {
      namespace: order.metadata.namespace ?? '', order: order.metadata.name, state: text(order, 'status', 'state'),
      ...(certificate === undefined ? {} : { certificate }), ...(failureTime === undefined ? {} : { failureTime })
    }
  })
}

const compareNames = (a: KubeObject, b: KubeObject): number => {
  const [left, right] = [`${a.metadata.namespace ?? ''}/${a.metadata.name}`, `${b.metadata.namespace ?? ''}/${b.metadata.name}`]
  return left < right ? -1 : left > right ? 1 : 0
}
