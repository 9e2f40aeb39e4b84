import type { RequestFacts } from '../../shared/types/case.ts'
import { seen, type Look } from '../../shared/types/common.ts'
import { conditionOf } from '../objects.ts'
import { createdAt, type CorrelateContext } from '../snapshot.ts'
import { times } from './certificate.ts'
import { annotationsOf, fields, nameOf } from './fields.ts'
import { issuerRefIn, whyMissing } from './missing.ts'

/** The CertificateRequest of the attempt. */
export function requestFacts (context: CorrelateContext): Look<RequestFacts> {
  const { attempt: { request } } = context
  if (request === undefined) return whyMissing(context, 'CertificateRequest')
  const { metadata } = request
  const revision = Number(annotationsOf(request).get('cert-manager.io/certificate-revision'))
  const conditions = { ready: conditionOf(request, 'Ready'), approved: conditionOf(request, 'Approved'), denied: conditionOf(request, 'Denied'), invalid: conditionOf(request, 'InvalidRequest') }
  const present = Object.values(conditions).filter(condition => condition !== undefined)
  const ref = nameOf(request)
  return seen({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    created: createdAt(request),
    ...Number.isInteger(revision) && revision > 0 ? { revision } : {},
    ...Object.fromEntries(Object.entries(conditions).filter(([, condition]) => condition !== undefined)),
    ...times({ failureTime: fields(request.status).failureTime }),
    issuerRef: issuerRefIn(request),
    evidence: present.length === 0
      ? [{ source: 'request' as const, ref, text: 'has no conditions' }]
      : present.map(({ type, status, reason, message, lastTransitionTime }) => ({ source: 'request' as const, ref, text: `${type}=${status} ${reason ?? ''}: ${message ?? ''}`.trim(), ...times({ time: lastTransitionTime }) }))
  })
}
