import { defineCause, notApplicable } from '../cause.ts'
import { acceptedByCa, retryAfter, utc, valueIn } from '../reading.ts'
import { everywhere, usedUp } from '../sources.ts'

/** What each limit counts, in words. */
const limits: Record<string, string> = {
  'certificates-per-registered-domain': 'too many certificates for the registered domain',
  'certificates-per-exact-set': 'too many certificates for exactly these names',
  'new-orders-per-account': 'too many new orders from this account',
  'failed-validations': 'too many failed validations of this name',
  'new-accounts-per-ip': 'too many new accounts from this address',
  'consecutive-failed-validations': 'too many failed validations in a row',
  'requests-per-second': 'too many requests in a short time',
  other: 'a limit of the CA'
}
const named = 'too many certificates|too many failed authorizations|too many new orders|too many (new )?registrations|service busy|temporarily prevented|consecutive|\\bpaused\\b|unpause'

/**
 * The CA refuses to work for a while. Only the CA's own text counts: a full history on our side
 * proves nothing, because limits are shared with others.
 */
export default defineCause({
  id: 'acme-rate-limited',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  wants: ['order'],
  variants: Object.keys(limits),
  title: '{acmeHost} refuses {dnsName} for a rate limit: {limit}',
  meaning: 'The CA does not accept more of this kind until {until}. Trying again before that spends more of the limit and changes nothing.',
  remedy: [
    { do: 'See what keeps asking: many revisions, requests or orders of one name are a loop.', run: 'kubectl get certificaterequest,order -A --sort-by=.metadata.creationTimestamp' },
    'Find what failed or was re-issued before the limit: a failed validation, a deleted Secret, two owners of one Secret, preview environments. That is what to repair.',
    'Use the staging server of the CA until issuance works.',
    { do: 'After {until}, start one new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'too many certificates.{0,40}exact set', confidence: 'proven', variant: 'certificates-per-exact-set' },
    { in: everywhere, match: 'too many certificates.{0,12} already issued', unless: 'exact set', confidence: 'proven', variant: 'certificates-per-registered-domain' },
    { in: everywhere, match: 'too many failed authorizations', confidence: 'proven', variant: 'failed-validations' },
    { in: everywhere, match: 'too many new orders', confidence: 'proven', variant: 'new-orders-per-account' },
    { in: everywhere, match: 'too many (new )?registrations', confidence: 'proven', variant: 'new-accounts-per-ip' },
    { in: everywhere, match: 'consecutive (failed )?(authorization|validation)', when: { problem: ['rateLimited'] }, unless: 'temporarily prevented', confidence: 'proven', variant: 'consecutive-failed-validations' },
    { in: everywhere, match: 'too many currently pending authorizations|too many override request', confidence: 'proven', variant: 'other' },
    // An answer without a problem document: the CA's web server counts requests, not orders.
    { in: everywhere, match: '\\b429 : |\\b429 urn:ietf:params:acme:error:ratelimited: .{0,120}(rate limit|too many requests|requests (in|per|within|every|/)|requests? quota)', confidence: 'likely', variant: 'requests-per-second' },
    { in: everywhere, match: usedUp, when: { wrapper: ['order-create', 'order-finalize'], problem: ['unauthorized', 'malformed'] }, unless: '\\bsans?\\b|identifiers|\\bnames\\b|duration|validity', confidence: 'likely', variant: 'other' },
    { in: everywhere, match: '.', when: { problem: ['rateLimited'] }, unless: named, confidence: 'likely', variant: 'other' }
  ],
  related: ['acme-identifier-paused', 'certificate-duplicate-secret'],

  examine ({ hits, order, case: { now } }) {
    const [best] = hits
    if (best === undefined) return acceptedByCa(valueIn(order)) ? { is: 'ruled-out', by: ['order'], because: 'The CA accepted the order.' } : notApplicable
    const end = hits.map(({ text }) => retryAfter(text)).find(time => time !== undefined)
    const variant = best.rule.variant ?? 'other'
    const until = end === undefined ? 'a time that the CA did not say' : end < now ? `${utc(end)}, which has passed` : utc(end)
    return { is: 'found', confidence: best.rule.confidence, variant, blanks: { limit: limits[variant] ?? variant, until }, because: [best, ...hits.slice(1, 4)] }
  }
})
