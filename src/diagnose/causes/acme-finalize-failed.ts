import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** All names were validated; the CA then did not hand out the certificate, and no text says why in a way that another cause knows. */
export default defineCause({
  id: 'acme-finalize-failed',
  since: '0.1.0',
  stage: 'finalize',
  needs: [],
  wants: ['order'],
  title: '{acmeHost} validated the names of {certificate} and then refused or failed to issue',
  meaning: '{why} Before cert-manager 1.21 the CA\'s reason at this stage is lost; CAA, the account\'s plan, or a second finalize after a restart are the usual ones.',
  remedy: [
    { do: 'Read what the CA says of the order.', run: 'curl -sS {orderUrl}' },
    { do: 'Read what cert-manager logged while it finished the order.', run: 'kubectl -n {certManagerNamespace} logs deploy/cert-manager --since=2h' },
    { do: 'Check CAA of each name.', run: 'dig +short CAA {dnsName}' },
    { do: 'Start a new attempt; it is cheap, because the names are validated.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'ordernotready|not acceptable for finalization|order was not ready', confidence: 'likely' },
    { in: everywhere, match: 'certificate chain is (empty|too long|too big)|invalid certificate retrieved|failed to retrieve signed certificate|error retrieving preferred chain', confidence: 'proven' },
    { in: everywhere, match: 'error finalizing order: acme: order \\S* ?status: invalid', unless: 'problem:', confidence: 'likely' },
    { in: everywhere, match: 'failed to finalize order\\b|error finalizing order', unless: 'ordernotready|status: invalid|badcsr|csr|caa|ratelimit|serverinternal|sct embedding|authorizations for these', confidence: 'possible' }
  ],
  related: ['acme-csr-rejected', 'acme-caa-forbids-issuer'],
  // CAs that look at orders by hand or in batches take minutes.
  thresholds: { patienceSeconds: 900 },

  examine ({ hits, order, thresholds, case: { now } }) {
    const seen = valueIn(order)
    const blanks = { orderUrl: seen?.url ?? '<order URL>', why: 'The last step, finalize, failed.' }
    const [best, ...rest] = hits
    if (best !== undefined && best.rule.confidence !== 'possible') return { is: 'found', confidence: best.rule.confidence, blanks, because: [best, ...rest.slice(0, 3)] }
    const failed = seen?.state === 'invalid' || seen?.state === 'errored'
    const validated = seen !== undefined && seen.challenges.length > 0 && seen.challenges.length >= seen.authorizations.length && seen.challenges.every(({ state }) => state === 'valid')
    if (failed && validated) return { is: 'found', confidence: 'likely', blanks: { ...blanks, why: 'Every challenge is valid, and the order still ended in failure.' }, because: best === undefined ? ['order'] : [best, 'order'] }
    if (best !== undefined) return { is: 'found', confidence: 'possible', blanks, because: [best, ...rest.slice(0, 3)] }
    const unfinished = (seen?.state === 'ready' || seen?.state === 'processing') && now - seen.created > thresholds.patienceSeconds! * 1000
    if (unfinished) return { is: 'found', confidence: 'likely', blanks: { ...blanks, why: `The order stays ${seen.state}: it lacks only this last step.` }, because: ['order'] }
    return notApplicable
  }
})
