import { defineCause, notApplicable } from '../cause.ts'
import { ofTxt, withTheCa } from '../sources.ts'

/** The zone's signatures do not validate, so validating resolvers (the CA's among them) refuse its answers. */
export default defineCause({
  id: 'dns01-dnssec-invalid',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: ['delegation'],
  title: 'DNSSEC of the zone of {dnsName} does not validate',
  meaning: 'A resolver that validates gets no answer, one that does not validate does: {proof}',
  remedy: [
    { do: 'See the chain of signatures.', run: 'dig +dnssec SOA {dnsName} @1.1.1.1; dig +cd SOA {dnsName} @1.1.1.1' },
    'Sign the zone again, or make the DS record at the registrar fit the keys (or remove it while you repair the zone).'
  ],
  related: ['dns01-nameserver-failing'],
  texts: [
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'looking up (?:TXT|A|AAAA|NS|SOA) for \\S+: DNSSEC: (?P<why>[\\w ]+)', when: { caa: false }, confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: ofTxt('chain of trust|\\bbogus\\b|DNSSEC\\b.{0,80}\\b(?:fail\\w*|invalid|bogus|broken|expired|error|missing)|(?:fail\\w*|invalid|bogus|broken|expired)\\b.{0,40}\\bDNSSEC|\\b(?:RRSIG|signature)s?\\b.{0,80}\\b(?:expired|missing|invalid|not yet valid|not be (?:validated|verified))|\\bDS (?:record|RR)s?\\b.{0,60}\\b(?:unsigned|not signed|no DNSKEY|mismatch)'), when: { caa: false, wrapper: withTheCa }, confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'DNSSEC (?:validation )?(?:failed|failure|bogus)|DNSSEC\\b.{0,20}\\b(?:RRSIG|signature)s?\\b.{0,120}\\b(?:expired|missing|invalid|not yet valid)\\b|DNSSEC Bogus|no valid RRSIG|RRSIGs? Missing', when: { caa: false }, confidence: 'likely' }
  ],

  examine ({ hits, delegation }) {
    const [best] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { proof: best.text.core }, because: delegation.is === 'seen' && delegation.value.dnssec === 'bogus' ? [best, 'delegation'] : [best] }
    if (delegation.is !== 'seen') return notApplicable
    const { dnssec, dnssecText } = delegation.value
    if (dnssec === 'ok' || dnssec === 'unsigned') return { is: 'ruled-out', by: ['delegation'], because: dnssec === 'ok' ? 'The zone validates.' : 'The zone is not signed.' }
    return dnssec === 'bogus' ? { is: 'found', confidence: 'likely', blanks: { proof: dnssecText ?? 'SERVFAIL with validation, an answer without.' }, because: ['delegation'] } : notApplicable
  }
})
