import type { SiblingFacts } from '../../shared/types/case.ts'
import { absent, seen, unavailable, type Look } from '../../shared/types/common.ts'
import { siblingCertificates } from '../blast.ts'
import type { CorrelateContext } from '../snapshot.ts'

/** How the other Certificates of the same issuer fare. */
export function siblingFacts (context: CorrelateContext): Look<SiblingFacts> {
  const { snapshot, attempt: { issuerRef } } = context
  if (issuerRef === undefined) return absent
  const siblings = siblingCertificates(context)
  if (siblings.length === 0) {
    const listed = snapshot.list('Certificate', issuerRef.kind === 'ClusterIssuer' ? undefined : context.namespace)
    if (listed.is === 'unavailable') return unavailable(listed.why, listed.fix)
  }
  const failing = siblings.filter(sibling => sibling.failing)
  const names = failing.map(({ namespace, name }) => `${namespace}/${name}`)
  return seen({
    sameIssuer: { total: siblings.length, failing: failing.length, names },
    evidence: [{
      source: 'certificate',
      ref: `${issuerRef.kind ?? 'Issuer'} ${issuerRef.name}`,
      text: `${failing.length} of ${siblings.length} other certificates of this issuer fail${names.length === 0 ? '' : `: ${names.slice(0, 5).join(', ')}`}`
    }]
  })
}
