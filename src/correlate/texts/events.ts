import type { Text, Wrapper } from '../../shared/types/case.ts'
import type { Millis } from '../../shared/types/common.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { attemptAt, type Scope } from '../attempt-scope.ts'
import { fields, string } from '../facts/fields.ts'
import { refOf } from '../objects.ts'
import { involvedObject, millisOf } from '../snapshot.ts'

/** An Event of either API in one shape. */
export interface PlainEvent {
  kind: string
  namespace?: string
  name: string
  uid: string
  type: string
  reason: string
  message: string
  count: number
  first?: Millis
  last?: Millis
}

/** `core/v1` and `events.k8s.io/v1`, with series or count. */
export function plainEvent (event: KubeObject): PlainEvent {
  const about = involvedObject(event)
  const series = fields(event.series)
  const count = Number(event.count ?? event.deprecatedCount ?? 1)
  const eventTime = millisOf(event.eventTime)
  const first = millisOf(event.firstTimestamp) ?? millisOf(event.deprecatedFirstTimestamp) ?? eventTime ?? millisOf(event.metadata.creationTimestamp)
  const last = millisOf(series.lastObservedTime) ?? millisOf(event.lastTimestamp) ?? millisOf(event.deprecatedLastTimestamp) ?? eventTime ?? first
  return {
    kind: about.kind, ...about.namespace === undefined ? {} : { namespace: about.namespace }, name: about.name, uid: about.uid,
    type: string(event.type), reason: string(event.reason), message: string(event.message) || string(event.note),
    count: Math.max(1, typeof series.count === 'number' ? series.count : 0, Number.isFinite(count) ? count : 1),
    ...first === undefined ? {} : { first }, ...last === undefined ? {} : { last }
  }
}

/** `event Challenge shop/web-tls-1-2-3 PresentError`. */
export const eventRef = ({ kind, namespace, name, reason }: PlainEvent): string => `Event ${reason} of ${refOf(kind, namespace, name)}`

/** The stage that an Event's reason belongs to, when its message has no wrapper. */
export function stageOfEvent ({ reason, kind }: PlainEvent): Wrapper {
  switch (reason) {
    case 'PresentError': return 'present'
    case 'CleanUpError': return 'cleanup'
    case 'Solver': return 'solver-selection'
    case 'ErrInitIssuer': case 'ErrVerifyACMEAccount': return 'issuer'
    case 'ErrRegisterACMEAccount': case 'ErrUpdateACMEAccount': return 'account'
  }
  switch (kind) {
    case 'CertificateRequest': return 'request'
    case 'Certificate': return 'certificate'
    case 'Issuer': case 'ClusterIssuer': return 'issuer'
    case 'Challenge': return reason === 'Failed' ? 'authorization' : 'object'
    default: return 'object'
  }
}

/** Which attempt an Event tells of; an issuer's are over once it is ready. */
export function attemptOfEvent (event: PlainEvent, scope: Scope, uids: ReadonlySet<string>): Text['attempt'] | undefined {
  const { kind, uid, name, last } = event
  if (kind === 'Issuer' || kind === 'ClusterIssuer') return scope.issuerReadySince !== undefined && (last ?? 0) < scope.issuerReadySince ? 'earlier' : 'standing'
  if (kind === 'Certificate') return attemptAt(scope, last)
  if (uid === '' || uids.has(uid)) return attemptAt(scope, last)
  // An object that is gone is known by its name alone; one that was made anew under that name is another.
  const { order, request, challenges } = scope.chain
  const madeAnew = [order, request, ...challenges].some(object => object?.kind === kind && object.metadata.name === name)
  return madeAnew ? 'earlier' : attemptAt(scope, last)
}

export const severityOf = ({ type }: PlainEvent): Text['severity'] => type === 'Warning' ? 'warning' : 'info'
