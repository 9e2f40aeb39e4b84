import { defineCause, notApplicable } from '../cause.ts'
import { isAboutAcmeServer, valueIn } from '../reading.ts'
import { everywhere, forwardProxyPage, ofOthers, withTheCa } from '../sources.ts'

/** CAs that issue no more: an issuer that names one can never work again. */
const gone = /(^|\.)(buypass\.com|buypass\.no)$/

/** The CA itself is broken or overloaded; nothing in the cluster is at fault. */
/** An internal error that speaks of the request itself: some CAs refuse in this way. */
const refusal = 'access_denied|invalid_key|not enough funds|policy|dns names?\\b|\\bcsr\\b|(validat|verif)\\w+ eab|\\beab\\b.{0,30}(invalid|not |bound|expired)|external account (binding|key)|\\bduration\\b|notafter|\\bttl\\b|not (allowed|authori[sz]ed|permitted)'

export default defineCause({
  id: 'acme-ca-unavailable',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  wants: ['issuer', 'directory', 'order'],
  title: '{acmeHost} is unavailable or broken on its own side',
  meaning: '{state} cert-manager tries again by itself within half an hour for server errors, else at the next attempt.',
  remedy: [
    { do: 'Ask the CA whether it answers now.', run: 'curl -sS -i {acmeServer}' },
    'Look at the status page of the CA (Let\'s Encrypt: https://letsencrypt.status.io).',
    'Wait for the automatic retry; if it lasts, move the issuer to another CA.',
    { do: 'When the CA is well again, start a new attempt if the Order is already final.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'service busy', when: { notWrapper: ofOthers }, confidence: 'proven' },
    { in: everywhere, match: 'down for maintenance', when: { wrapper: withTheCa }, confidence: 'proven' },
    { in: everywhere, match: '\\b50\\d urn:(ietf:params:)?acme:error:', unless: `${refusal}|service busy`, confidence: 'proven' },
    { in: everywhere, match: 'could not communicate with va|secondary validation rpc failed|insufficient remote perspectives|sct embedding', confidence: 'proven' },
    { in: everywhere, match: '.', when: { problem: ['serverInternal'] }, unless: `${refusal}|could not communicate|rpc failed|sct embedding|maintenance`, confidence: 'likely' },
    { in: everywhere, match: 'server failure at resolver|networking error looking up', confidence: 'likely' },
    { in: everywhere, match: 'acme server fatal error', confidence: 'likely' },
    // No problem document: the CA's front server. Between here and it only who breaks TLS open could say so.
    { in: everywhere, match: '\\b5\\d\\d : ', when: { wrapper: withTheCa }, unless: forwardProxyPage, confidence: 'likely' },
    { in: everywhere, match: '\\b5\\d\\d : ', confidence: 'possible' }
  ],
  related: ['acme-server-unreachable'],

  examine ({ hits, issuer, directory, order }) {
    const about = valueIn(issuer)
    const server = about?.acme?.server ?? ''
    if (URL.canParse(server) && gone.test(new URL(server).hostname)) {
      return { is: 'found', confidence: 'likely', blanks: { state: 'This CA has ended its ACME service; the issuer needs another CA.' }, because: ['issuer'] }
    }
    const [best] = hits.filter(({ rule, text }) => rule.confidence !== 'possible' || isAboutAcmeServer(text, about))
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { state: 'The CA answered with an error of its own.' }, because: [best, ...hits.filter(hit => hit !== best).slice(0, 3)] }
    const { status } = valueIn(directory) ?? {}
    if (status === undefined || status < 500) return notApplicable
    const waiting = valueIn(order)?.state === '' || about?.ready?.status === 'False'
    return { is: 'found', confidence: waiting ? 'likely' : 'possible', blanks: { state: `The directory of the CA answers ${status} now.` }, because: ['directory'] }
  }
})
