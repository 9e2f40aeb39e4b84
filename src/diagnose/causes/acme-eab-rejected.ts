import { defineCause } from '../cause.ts'
import { everywhere, withTheCa } from '../sources.ts'

/** The CA wants an account that it knows (external account binding) and does not accept what the issuer offers. */
export default defineCause({
  id: 'acme-eab-rejected',
  since: '0.1.0',
  stage: 'account',
  needs: [],
  title: '{acmeHost} rejects the external account binding of {issuerKind} {issuer}',
  meaning: 'The key id or HMAC key that binds the ACME account to the customer account is missing, wrong, expired, badly encoded or already used. No certificate of this issuer can be made.',
  remedy: [
    { do: 'See which key id and Secret the issuer names.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o jsonpath="{.spec.acme.externalAccountBinding}"' },
    'Make a new EAB credential at the CA (Google: valid for 7 days, production and test are apart; ZeroSSL and Sectigo: one account for each). ZeroSSL gives the same text when spec.acme.email is missing.',
    'Store the HMAC key in the Secret as the CA gave it: base64url without padding, not encoded a second time.',
    'A key that is already bound: restore the old account key Secret, or use the new credential with a new account key Secret.'
  ],
  texts: [
    { in: everywhere, match: 'externalaccountbinding|externalaccountrequired|external account binding (is |key )?(required|missing)|no external account binding', unless: 'awaiting|not recognized', confidence: 'proven' },
    { in: everywhere, match: 'not awaiting external account binding|external account .{0,60}already (been )?(bound|used)|\\beab (was|has been|is) already used|\\bkey .{0,40}already bound', confidence: 'proven' },
    { in: everywhere, match: 'key identifier was not recognized|unknown external account|references an? (unknown )?key|failed to verify eab|\\beab\\b.{0,30}(invalid|expired|unknown|revoked)|external account.{0,60}(invalid|expired|revoked|verification (failed|error))', confidence: 'proven' },
    { in: everywhere, match: 'external account binding (key )?(data|from secret)|failed to (decode|encode|find|get) external account binding|failed to encode external account', confidence: 'proven' },
    { in: ['issuer', 'event', 'log'], match: 'failed to register acme account:? ?.{0,20}secrets? "[^"]+" not found', confidence: 'proven' },
    { in: everywhere, match: 'access_denied.{0,10}invalid_key|access_denied_invalid_key', confidence: 'likely' },
    { in: everywhere, match: '\\bh?mac( key| secret)?\\b.{0,40}\\b(expired|invalid|revoked|unknown|wrong|disabled|mismatch|not (found|valid|active|recogni[sz]ed)|does not|failed)', when: { wrapper: withTheCa }, confidence: 'likely' },
    { in: everywhere, match: '\\binner jws\\b|\\bbinding\\b', when: { wrapper: ['account', 'issuer', 'order-create'], problem: ['malformed', 'unauthorized', 'externalAccountRequired'] }, confidence: 'likely' },
    // Whatever a CA says of the binding that did not work, as long as it does not speak of itself.
    { in: everywhere, match: '(\\beab\\b|external account).{0,80}(\\bnot\\b|fail|disabled|deactivated|inactive|expired|revoked|bound to|mismatch|unknown|wrong|incorrect|used up|exhausted)|(error|fail\\w*|unable|cannot|invalid|wrong|unknown|expired|mismatch|verif\\w+).{0,60}(\\beab\\b|external account)', unless: 'time[d]?[ -]?out|unavailable|database|connection|awaiting|deadline', when: { wrapper: withTheCa }, confidence: 'likely' }
  ],
  related: ['acme-account-invalid']
})
