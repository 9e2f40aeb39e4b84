import { defineCause } from '../cause.ts'
import { everywhere, ofOthers, withTheCa } from '../sources.ts'

/** The order holds more names than the CA, or its profile, puts into one certificate. */
export default defineCause({
  id: 'acme-too-many-names',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  wants: ['certificate'],
  title: '{acmeHost} refuses {count} names in one certificate',
  meaning: 'The CA limits how many names one order may hold (Let\'s Encrypt: 100, with the profiles tlsserver and shortlived 25). Nothing was validated.',
  remedy: [
    { do: 'Count the names.', run: 'kubectl -n {namespace} get certificate {certificate} -o jsonpath="{.spec.dnsNames}"' },
    'Split the Certificate, or use a wildcard with DNS-01; another profile may allow more.',
    { do: 'Change the names; that starts a new attempt by itself.', run: 'kubectl -n {namespace} edit certificate {certificate}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'cannot contain more than \\d+ (dns )?(identifiers|names|domains)|too many (dns |domain )?(identifiers|names|domains|sans?)\\b', when: { notWrapper: ofOthers }, confidence: 'proven' },
    { in: everywhere, match: 'cumulative length of all identifier|identifier count is not at minimum|(maximum|max) (number|count) of (identifiers|names|sans|domains)', confidence: 'proven' },
    { in: everywhere, match: '(more than|at most|maximum( of)?|limit( of)?|up to|exceeds) \\d+ (dns |domain |host ?)?(identifiers|names|domains|sans|subject)\\b|\\b(sans?|names?|domains?|identifiers?) count\\b|(number|count|amount) of (dns |domain |host ?)?(identifiers|names|domains|sans)\\b[\\w ():]{0,24}(exceed|greater|above|larger|limit|too (high|large|many))', when: { wrapper: withTheCa }, unless: 'certificates (per|for)|per (week|day|hour)', confidence: 'likely' }
  ],
  examine ({ hits, certificate }) {
    const [best, ...rest] = hits
    if (best === undefined) return { is: 'not-applicable' }
    const names = certificate.is === 'seen' ? String(certificate.value.dnsNames.length + certificate.value.ipAddresses.length) : 'that many'
    return { is: 'found', confidence: best.rule.confidence, blanks: { count: names }, because: [best, ...rest.slice(0, 3)] }
  }
})
