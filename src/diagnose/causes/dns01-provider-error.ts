import { defineCause, notApplicable } from '../cause.ts'

/** The DNS provider's API fails in a way that no narrower cause names. */
export default defineCause({
  id: 'dns01-provider-error',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'The DNS provider\'s API failed',
  meaning: 'The provider (or the webhook in front of it) answered with an error that is neither about credentials nor about the zone: {text}',
  remedy: [
    { do: 'Read the whole error; since 1.20 the Event has it in full.', run: 'kubectl -n {namespace} describe challenge {challenge}' },
    'Look at the provider\'s status page; cert-manager tries again by itself.'
  ],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'has not been used in project|SERVICE_DISABLED|accessNotConfigured', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Time limit exceeded\\. Last error|change .{0,40}INSYNC', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'DNS update failed\\. Server replied: (?:SERVFAIL|FORMERR|NOTIMP)', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Error: (?:81057|81058|81053|1004|7003|7000):|record already exists', confidence: 'possible' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'edgedns: (?:failed to (?:create|retrieve|update)|Provider config creation failed|Error creating)|Error creating acme-dns client', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'while attempting to find Zones for domain \\S+ ?\\n? ?EOF|invalid character .{0,20} looking for beginning of value', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'did not succeed but no result provided|invalid payload response', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:status|code|error|http|response|googleapi: Error)[^a-z0-9]{0,12}(?:code )?5\\d\\d\\b|\\b50[0-4] (?:internal server error|bad gateway|service unavailable|gateway time-?out)|https?://\\S+: (?:400|409|422|5\\d\\d)\\b|code = (?:Unavailable|Internal|DeadlineExceeded|Unknown|Aborted)\\b|"(?:result|status)" ?: ?"(?:error|fail\\w*)"|InternalFailure|ServiceUnavailable:|Internal error occurred', unless: 'urn:ietf:params:acme|failed calling webhook|wrong status code|acme/|StatusCode: 4', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:status|code|error|http|response)[^a-z0-9]{0,12}(?:code )?4(?:00|09|22)\\b|42[0-9] unprocessable|InvalidChangeBatch|InvalidInput', unless: 'urn:ietf:params:acme|not permitted in zone|acme/|Invalid signature|wrong status code|number of zones', confidence: 'possible', when: { wrapper: ['present', 'cleanup', 'log'] } },
    // The provider's API itself cannot be reached; the ACME server's own host is another cause.
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:Get|Post|Put|Patch|Delete) "https?://[^"]+": (?:dial tcp|net/http|context deadline|EOF|read tcp|tls|x509|remote error)', unless: '/\\.well-known/|/directory"|error creating new order|new-order|new-nonce|/acme/|//[^/"]*acme|//[^/"]*\\.svc[:/]|/apis?/[a-z]+[./]|/api/v1/(?:namespaces|secrets|pods|services|events)|failed calling webhook|failed to (?:list|watch) \\*', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'dial tcp: lookup \\S+(?: on \\S+)?: ', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } },
    // Any other reason that a solver gives for not having made the record: no cause knows it better, and what was taken out says nothing.
    { in: ['challenge', 'event', 'log'], match: '\\w{3}.{6}', unless: '<redacted [^>]*error|wrong status code|(?:\\.\\.\\.|…)\\s*$|object has been modified|is forbidden: |waiting for |in a paused state|work queue|provider: ?$', confidence: 'possible', when: { wrapper: ['present'] } }
  ],

  examine ({ hits, identifier }) {
    const [best, ...rest] = hits
    // Without a known type the words may be about pods and routes.
    if (best === undefined || (best.rule.confidence === 'possible' && identifier.challengeType !== 'DNS-01')) return notApplicable
    return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: [best, ...rest.slice(0, 3)] }
  }
})
