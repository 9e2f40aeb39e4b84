import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The common name cannot be in an ACME certificate: no order is ever made. */
export default defineCause({
  id: 'certificate-common-name-invalid',
  since: '0.1.0',
  stage: 'request',
  needs: [],
  wants: ['certificate', 'issuer'],
  variants: ['too-long', 'not-in-dnsnames'],
  title: 'The common name of {certificate} {fault}',
  meaning: 'ACME needs the common name to be one of the DNS names or IP addresses, and at most 64 bytes long. cert-manager stops before it asks the CA.',
  remedy: [
    { do: 'See the common name beside the DNS names.', run: 'kubectl -n {namespace} get certificate {certificate} -o jsonpath="{.spec}"' },
    'Drop spec.commonName (or the annotation cert-manager.io/common-name), or add it to spec.dnsNames; a name longer than 64 bytes may stand in dnsNames only.',
    { do: 'Change it; that starts a new attempt by itself.', run: 'kubectl -n {namespace} edit certificate {certificate}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'commonname that is not present in the list of dnsnames', confidence: 'proven', variant: 'not-in-dnsnames' },
    { in: andObjects, match: 'common ?name: too long|common name may not be more than 64|cn was longer than 64|san short enough to fit in cn|common name.{0,30}(longer than|exceeds|more than) 64', confidence: 'proven', variant: 'too-long' }
  ],
  related: ['acme-csr-rejected'],

  examine ({ hits, certificate, issuer }) {
    const faults: Record<string, string> = { 'too-long': 'is longer than 64 bytes', 'not-in-dnsnames': 'is not among its DNS names' }
    const [best, ...rest] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, variant: best.rule.variant, blanks: { fault: faults[best.rule.variant ?? ''] ?? 'is refused' }, because: [best, ...rest.slice(0, 3)] }
    const seen = valueIn(certificate)
    if (seen === undefined || valueIn(issuer)?.acme === undefined) return notApplicable
    const name = seen.commonName ?? ''
    const variant = Buffer.byteLength(name) > 64 ? 'too-long' : name !== '' && ![...seen.dnsNames, ...seen.ipAddresses].includes(name) ? 'not-in-dnsnames' : undefined
    if (variant === undefined) return { is: 'ruled-out', by: ['certificate'], because: 'The common name is absent or one of the names.' }
    return { is: 'found', confidence: 'likely', variant, blanks: { fault: faults[variant]! }, because: ['certificate'] }
  }
})
