import { defineCause } from '../cause.ts'
import { everywhere } from '../sources.ts'

/** Validation passed, and then the CA refused the signing request: its key, names or extensions. */
export default defineCause({
  id: 'acme-csr-rejected',
  since: '0.1.0',
  stage: 'finalize',
  needs: [],
  title: '{acmeHost} refuses the signing request of {certificate}',
  meaning: 'The names were validated; the CA does not accept the CSR: key type or size, an extra e-mail or URI, a name that differs from the order, or the account key used again.',
  remedy: [
    { do: 'See the key settings and extra fields of the Certificate.', run: 'kubectl -n {namespace} get certificate {certificate} -o yaml' },
    'Public CAs take RSA 2048, 3072, 4096 and ECDSA P-256, P-384; no emailAddresses, no uris, no must-staple.',
    'If the Certificate was edited while the order ran, the next attempt heals it.',
    { do: 'Change the Certificate; that starts a new attempt by itself.', run: 'kubectl -n {namespace} edit certificate {certificate}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'error:badcsr', confidence: 'proven' },
    { in: everywhere, match: '.', when: { problem: ['badCSR'] }, confidence: 'proven' },
    { in: everywhere, match: 'invalid public key in csr|public key must be different than account key|signature algorithm not supported|invalid signature on csr', confidence: 'proven' },
    { in: everywhere, match: 'key size not supported|(ecdsa )?curve .{1,40} not allowed|public key is forbidden|key divisible by', when: { wrapper: ['order-finalize', 'log', 'request', 'certificate'] }, unless: 'signing key', confidence: 'proven' },
    { in: everywhere, match: 'csr does not specify same identifiers|mismatch on number of|missing order dns|csr.{0,60}(do(es)? not match|differ)', confidence: 'proven' },
    { in: everywhere, match: 'csr contains|must-staple|error parsing certificate request|unable to parse csr|at least one identifier is required', unless: 'common ?name', confidence: 'proven' },
    { in: everywhere, match: '\\b(unauthori[sz]ed|missing|unexpected|extra|additional) (dns )?names?\\b', when: { wrapper: ['order-finalize'] }, confidence: 'likely' },
    { in: everywhere, match: '.', when: { wrapper: ['order-finalize'], problem: ['badPublicKey'] }, unless: '\\bjws\\b|signing key', confidence: 'proven' },
    { in: everywhere, match: '\\b(public |private )?key( type| size| length| usage)?\\b|\\b(identifiers?|subject|extensions?|sans?|template|curve|signature algorithm|pkcs ?#?10|subjectaltname|cn)\\b', when: { wrapper: ['order-finalize'], problem: ['malformed', 'unauthorized'] }, unless: 'caa|authori[sz]ations?\\b|account|\\bjws\\b|expired|limit|\\bnonce\\b|common ?name|duration|validity|notafter|not ready|order.s status', confidence: 'likely' },
    // Any other complaint about the request itself, where nothing but the request is handed in.
    { in: everywhere, match: '\\b(csr|certificate (signing )?request)\\b.{0,60}\\b(invalid|weak|not (be|part of|in the|included|allowed|supported|valid|permitted|acceptable)|rejected|must|mismatch|unsupported|malformed|wrong|(do(es)?|did|can) ?not \\w+)\\b', unless: 'badcsr|caa|common ?name.{0,40}(long|64|exceed)|duration|not(after|before)|denied by|approv', when: { wrapper: ['order-finalize'] }, confidence: 'likely' }
  ],
  related: ['certificate-common-name-invalid', 'acme-finalize-failed']
})
