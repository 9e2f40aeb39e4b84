import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere, withTheCa } from '../sources.ts'

/** The order, authorization or challenge was no longer there at the CA when cert-manager came back to it. */
export default defineCause({
  id: 'acme-authorization-expired',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: ['challenge', 'order'],
  title: 'The order or authorization for {dnsName} expired at {acmeHost} before it was finished',
  meaning: 'The attempt took too long, or was finished elsewhere: the CA no longer knows it, or no longer lets it be completed. Something kept the challenge waiting before; cert-manager does not start over by itself.',
  remedy: [
    { do: 'See how long the attempt waited and for what.', run: 'kubectl -n {namespace} describe order,challenge' },
    { do: 'See whether cert-manager was down.', run: 'kubectl -n {certManagerNamespace} get pods' },
    { do: 'Start over: delete the old Order; a new attempt follows.', run: 'kubectl -n {namespace} delete order {order}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'expired authorization|(order|authori[sz]ation) .{0,40}is expired|\\border (has|had|was) (already )?expired|\\b(order|authori[sz]ation) expired\\b|error:expired\\b|no such (challenge|authorization|order)|no order for id|authorizations for these identifiers (not found|not valid|expired)', confidence: 'proven' },
    { in: everywhere, match: 'authorization has expired', when: { wrapper: withTheCa }, unless: 'expired authorization', confidence: 'proven' },
    { in: everywhere, match: 'authorization must be pending|(challenge|authorization) is (not|no longer) pending|authorization is (not pending|already)|authori[sz]ation .{0,40}(has been|was|is) (deactivated|revoked)', unless: 'approv', confidence: 'likely' },
    { in: everywhere, match: '\\b404 urn:(ietf:params:)?acme:error:\\w+: .{0,40}\\b(challenge|authori[sz]ation|order)\\b.{0,60}(not found|not exist|unknown|no longer)', when: { wrapper: withTheCa }, unless: 'account|no such|page not found', confidence: 'proven' },
    // What cert-manager asks for by its own URL and the CA cannot find was there once.
    { in: everywhere, match: '\\b4(04|10) urn:\\S+ .{0,80}\\b(order|authz|authori[sz]ation|challenge)\\b', when: { wrapper: ['order-other', 'accept', 'authorization', 'order-finalize'] }, unless: 'account|page not found|certificate', confidence: 'likely' },
    { in: ['challenge'], match: 'error:malformed', unless: 'expired authorization|no such |notbefore|redundant|must be pending|jws|contact', confidence: 'possible' }
  ],
  related: ['order-orphaned', 'cert-manager-queue-saturated'],

  examine ({ hits, challenge, order }) {
    const [best, ...rest] = hits
    if (best !== undefined && best.rule.confidence !== 'possible') return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: [best, ...rest.slice(0, 3)] }
    // cert-manager calls each `malformed` answer to a challenge "expired". Without any words of the CA, an Order that was never told is the better story.
    const untold = best === undefined && valueIn(order)?.state === 'pending'
    if (valueIn(challenge)?.state === 'expired' && untold) return { is: 'found', confidence: 'possible', blanks: {}, because: ['challenge'] }
    if (valueIn(challenge)?.state === 'expired') return { is: 'found', confidence: 'likely', blanks: {}, because: best === undefined ? ['challenge'] : ['challenge', best] }
    if (valueIn(order)?.state === 'expired') return { is: 'found', confidence: 'likely', blanks: {}, because: ['order'] }
    return notApplicable
  }
})
