import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** Two owners write one Secret; each sees the other's certificate as wrong and has it issued again. */
export default defineCause({
  id: 'certificate-duplicate-secret',
  since: '0.1.0',
  stage: 'request',
  needs: [],
  wants: ['certificate'],
  title: '{certificate} and {other} use the same Secret {secret}',
  meaning: 'Each of them replaces the certificate of the other, so it is issued again and again, or never issued at all (cert-manager 1.14 and later let only the oldest work). Rate limits follow.',
  remedy: [
    { do: 'See which Certificates name which Secret.', run: 'kubectl -n {namespace} get certificate -o custom-columns="NAME:.metadata.name,SECRET:.spec.secretName,OWNER:.metadata.ownerReferences[*].kind"' },
    'Give each Certificate a Secret of its own; keep either the Ingress annotation or the Certificate, not both.',
    { do: 'Change secretName of one of them (and where it is mounted), or delete the superfluous Certificate.', run: 'kubectl -n {namespace} edit certificate {certificate}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'refers to the same secret as other certificates|secret name must only appear in a single tls entry', confidence: 'proven' },
    { in: andObjects, match: 'secret was issued for "(?P<other>[^"]+)"', confidence: 'likely' },
    { in: andObjects, match: 'secret was previously issued by .{1,80}|public key that does not match the', confidence: 'possible' }
  ],
  related: ['acme-rate-limited'],

  examine ({ hits, certificate }) {
    const seen = valueIn(certificate)
    const shares = seen?.sharesSecretWith ?? []
    const [best, ...rest] = hits.filter(({ groups }) => groups.other === undefined || groups.other !== seen?.name)
    const other = shares.join(', ') || best?.groups.other || 'another Certificate'
    const blanks = { other, secret: seen?.secretName ?? '<secret>' }
    if (best !== undefined && (best.rule.confidence !== 'possible' || shares.length > 0)) {
      const because = shares.length > 0 ? [best, 'certificate'] as const : [best, ...rest.slice(0, 3)] as const
      return { is: 'found', confidence: best.rule.confidence === 'possible' ? 'likely' : best.rule.confidence, blanks, because: [...because] }
    }
    if (shares.length > 0) return { is: 'found', confidence: 'likely', blanks, because: ['certificate'] }
    if (best !== undefined) return { is: 'found', confidence: 'possible', blanks, because: [best] }
    return seen === undefined ? notApplicable : { is: 'ruled-out', by: ['certificate'], because: `No other Certificate of the namespace uses Secret ${seen.secretName}.` }
  }
})
