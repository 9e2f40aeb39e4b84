import type { CertificateFacts } from '../../shared/types/case.ts'
import type { Look } from '../../shared/types/common.ts'
import { seen } from '../../shared/types/common.ts'
import { conditionOf } from '../objects.ts'
import { controllerOf, createdAt, millisOf, type CorrelateContext } from '../snapshot.ts'
import { annotationsOf, fields, nameOf, string, strings } from './fields.ts'
import { issuerRefIn, whyMissing } from './missing.ts'

/** The Certificate as it stands. */
export function certificateFacts (context: CorrelateContext): Look<CertificateFacts> {
  const { attempt: { certificate }, snapshot } = context
  if (certificate === undefined) return whyMissing(context, 'Certificate')
  const { metadata } = certificate
  const spec = fields(certificate.spec)
  const status = fields(certificate.status)
  const ready = conditionOf(certificate, 'Ready')
  const issuing = conditionOf(certificate, 'Issuing')
  const secretName = string(spec.secretName)
  const owner = controllerOf(certificate)
  const others = snapshot.byKind('Certificate', metadata.namespace)
    .filter(other => other.metadata.uid !== metadata.uid && secretName !== '' && string(fields(other.spec).secretName) === secretName)
    .map(other => other.metadata.name)
  const ref = nameOf(certificate)
  return seen({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    created: createdAt(certificate),
    dnsNames: strings(spec.dnsNames),
    ipAddresses: strings(spec.ipAddresses),
    ...string(spec.commonName) === '' ? {} : { commonName: string(spec.commonName) },
    secretName,
    issuerRef: issuerRefIn(certificate),
    ...ready === undefined ? {} : { ready },
    ...issuing === undefined ? {} : { issuing },
    ...times({ notAfter: status.notAfter, renewalTime: status.renewalTime, lastFailureTime: status.lastFailureTime }),
    ...typeof status.revision === 'number' ? { revision: status.revision } : {},
    failedIssuanceAttempts: typeof status.failedIssuanceAttempts === 'number' ? status.failedIssuanceAttempts : 0,
    sharesSecretWith: others,
    ...owner === undefined ? {} : { madeBy: `${owner.kind} ${metadata.namespace ?? ''}/${owner.name}` },
    ...string(spec.duration) === '' ? {} : { duration: string(spec.duration) },
    annotations: Object.fromEntries([...annotationsOf(certificate)].filter(([name]) => !name.startsWith('kubectl.kubernetes.io/'))),
    deleting: metadata.deletionTimestamp !== undefined,
    evidence: [
      ...[issuing, ready].flatMap(condition => condition === undefined
        ? []
        : [{ source: 'certificate' as const, ref, text: `${condition.type}=${condition.status} ${condition.reason ?? ''}: ${condition.message ?? ''}`.trim(), ...times({ time: condition.lastTransitionTime }) }]),
      ...others.length === 0 ? [] : [{ source: 'certificate' as const, ref, text: `secretName ${secretName} is also used by ${others.join(', ')}` }],
      ...issuing === undefined && ready === undefined && others.length === 0 ? [{ source: 'certificate' as const, ref, text: 'has no conditions' }] : []
    ]
  })
}

/** Times of the API as milliseconds; what is no time is left out. */
export function times<K extends string> (values: Record<K, unknown>): { [P in K]?: number } {
  const found: { [P in K]?: number } = {}
  for (const [name, value] of Object.entries(values) as [K, unknown][]) {
    const time = millisOf(value)
    if (time !== undefined) found[name] = time
  }
  return found
}
