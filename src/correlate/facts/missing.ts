import type { Absent, Unavailable } from '../../shared/types/common.ts'
import { absent, unavailable } from '../../shared/types/common.ts'
import type { IssuerRef, KubeObject } from '../../shared/types/kubernetes.ts'
import type { CorrelateContext } from '../snapshot.ts'
import { fields, string } from './fields.ts'

/** Why an object of the chain is not there: gone, or its list could not be read. */
export function whyMissing ({ snapshot, namespace }: CorrelateContext, kind: string): Absent | Unavailable {
  const listed = snapshot.list(kind, kind === 'ClusterIssuer' ? undefined : namespace === '' ? undefined : namespace)
  return listed.is === 'unavailable' ? unavailable(listed.why, listed.fix) : absent
}

/** `spec.issuerRef` with cert-manager's defaults filled in. */
export function issuerRefIn (object: KubeObject): IssuerRef {
  const ref = fields(fields(object.spec).issuerRef)
  return { name: string(ref.name), kind: string(ref.kind) || 'Issuer', group: string(ref.group) || 'cert-manager.io' }
}
