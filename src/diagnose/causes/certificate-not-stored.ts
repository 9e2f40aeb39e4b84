import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** Words of admission that do not say what they refused. */
const atTheDoor = 'denied the request|denied request|failed calling webhook'

/** The CA issued; the result cannot be written into its Secret. ACME did its part. */
export default defineCause({
  id: 'certificate-not-stored',
  since: '0.1.0',
  stage: 'storage',
  needs: [],
  wants: ['order', 'certificate'],
  title: 'The certificate was issued, but cannot be written to Secret {secret}',
  meaning: 'The Secret is refused: {why}. Each retry may spend another certificate of the CA\'s limits.',
  remedy: [
    { do: 'See the events of the Certificate.', run: 'kubectl -n {namespace} describe certificate {certificate}' },
    { do: 'See whether cert-manager may write Secrets here.', run: 'kubectl auth can-i update secrets -n {namespace} --as=system:serviceaccount:{certManagerNamespace}:cert-manager' },
    'Remove `immutable: true` or the quota that is full, give the keystore its password Secret, or repair the RBAC of cert-manager.',
    { do: 'Then let it write again.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'keystorepasswordsecretnotfound|(keystore|pkcs ?#?12|jks).{0,80}(password|secret).{0,80}(not found|missing|empty|no data)|failed to (fetch|get) .{0,30}keystore', confidence: 'proven' },
    { in: andObjects, match: 'secret "[^"]+" is invalid: |fail\\w* to add .{0,40} to secret\\b|field is immutable when .?immutable.? is set', confidence: 'proven' },
    { in: andObjects, match: '(error|fail\\w*)( to)? (encod|generat|creat|writ|build)\\w* .{0,24}(keystore|pkcs ?#?12|jks)\\b', unless: 'not found|missing|empty', confidence: 'proven' },
    { in: andObjects, match: 'fail\\w* to (apply|create|update|patch|write|store) secret \\S+:', unless: 'object has been modified|timed? ?out|deadline|connection|etcdserver: (leader|request timed)|too many requests|rate limiter|internal error|unable to handle|being terminated', confidence: 'proven' },
    { in: andObjects, match: 'secrets "[^"]+" is forbidden: (exceeded quota|user )|secrets is forbidden: user', confidence: 'likely' },
    { in: andObjects, match: 'etcdserver: request is too large|pem data was larger than the maximum|(must have at most|may not be more than) 1048576 bytes|certificate .{0,40}exceeds (the )?(maximum|max) size', confidence: 'likely' },
    { in: andObjects, match: atTheDoor, unless: 'webhook\\.cert-manager\\.io|cm-acme-http-solver|being terminated', confidence: 'possible' }
  ],
  related: ['cert-manager-rbac-denied'],

  examine ({ hits, order, certificate }) {
    const seen = valueIn(order)
    const issued = seen?.state === 'valid' || seen?.hasCertificate === true
    // Of an issued order only the Secret is left to write.
    const writing = issued && valueIn(certificate)?.issuing?.status === 'True'
    const [best, ...rest] = hits.filter(({ rule, text }) => rule.match !== atTheDoor || (writing && text.attempt !== 'earlier'))
    if (best === undefined) return notApplicable
    // Without an issued order the same words stop something earlier.
    if (!issued && (seen !== undefined || best.rule.confidence !== 'proven')) return notApplicable
    const text = best.text.whole.toLowerCase()
    const why = /keystore|jks|pkcs/.test(text) ? 'the keystore password is missing' : text.includes('immutable') ? 'it is immutable' : text.includes('quota') ? 'the quota of the namespace is full' : text.includes('forbidden') ? 'cert-manager may not write it' : text.includes('denied the request') ? 'an admission policy denies it' : 'the API does not accept it'
    return { is: 'found', confidence: issued && best.rule.match !== atTheDoor ? 'proven' : 'likely', blanks: { why, secret: valueIn(certificate)?.secretName ?? '<secret>' }, because: seen === undefined ? [best, ...rest.slice(0, 3)] : [best, 'order'] }
  }
})
