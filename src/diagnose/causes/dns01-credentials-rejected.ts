import { defineCause } from '../cause.ts'

/** The DNS provider was reached and does not accept the credentials themselves. */
export default defineCause({
  id: 'dns01-credentials-rejected',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'the DNS provider refuses the credentials of the solver',
  meaning: 'The DNS provider was reached and does not accept the credentials that the solver of {issuerKind} {issuer} uses: {text}',
  remedy: [
    { do: 'See which credentials the solver names.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o jsonpath=\'{.spec.acme.solvers}\'' },
    'Make new credentials at the provider and put them into the Secret that the solver names, without a newline at the end and not encoded twice.',
    { do: 'Then let cert-manager try again.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  related: ['dns01-permission-denied', 'dns01-secret-missing'],
  texts: [
    // Cloudflare
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Error: 9109: Invalid access token|Error: 6003: Invalid request headers|6003\\b.{0,40}Invalid request headers|Error: (?:6111|9103|9106|6103|1001):|Invalid format for (?:X-Auth-Key|Authorization) header|Unknown X-Auth-Key|Cloudflare API (?:key|token) is invalid|no Cloudflare credential has been given', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Error: 10000: Authentication error', unless: 'POST "?/zones/[^"]+/dns_records', confidence: 'proven' },
    // Amazon
    { in: ['challenge', 'event', 'log', 'alert'], match: 'InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidIdentityToken|ExpiredToken|IncompleteSignature|security token included in the request is (?:invalid|expired)|only one of access and secret key was provided|role must be set when web identity token is set', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'could not find default credentials|no EC2 IMDS role found|failed to refresh cached credentials|NoCredentialProviders|failed to retrieve credentials|get identity: get credentials|WebIdentityErr: ', confidence: 'likely' },
    // Azure
    { in: ['challenge', 'event', 'log', 'alert'], match: 'AADSTS(?:7000215|7000222|7000112|700016|700027|700082|700024|90002|50034|50057)|ClientSecretCredential authentication failed|InvalidAuthenticationToken|invalid_client', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'AADSTS70021|AADSTS700(?:213|211|212)|No matching federated identity record|no default identity is assigned|(?:WorkloadIdentity|ManagedIdentity|DefaultAzure)Credential[^.]{0,40}(?:authentication failed|failed to acquire a token)|Identity not found|adal: Refresh request failed', unless: 'Multiple user assigned', confidence: 'likely' },
    // Google
    { in: ['challenge', 'event', 'log', 'alert'], match: 'oauth2: (?:cannot fetch token|"?invalid_grant)|invalid_grant|Invalid JWT Signature|ACCESS_TOKEN_EXPIRED|Request had invalid authentication credentials|googleapi: Error 401|Unable to get Google Cloud client', confidence: 'likely' },
    // DigitalOcean, Akamai and the webhook solvers
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Unable to authenticate you|The signature does not match|invalid authorization (?:client|access) token|AuthFailure\\.(?:Secret|Signature|Token|InvalidSecret|InvalidAuthorization)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Invalid signature|This credential (?:does not exist|is not valid)|Invalid ApplicationKey|InvalidAccessKeyId|InvalidAccessKeySecret|invalid authentication credentials|UNABLE_TO_AUTHENTICATE|Malformed (?:JWT|api ?key)|(?:api|application|access|secret|consumer|auth(?:entication|orization)?)[ _-]?(?:key|token|secret|header)(?: id)? (?:(?:is|was|has|has been) )?(?:invalid|not valid|not found|incorrect|expired|revoked|in wrong format)|invalid (?:(?:api|access|auth)[ _-]?)?(?:key|token)\\b|(?:unable to|failed to|cannot|can\'t|could ?n[o\']t) (?:log ?in|authenticate|sign in)\\b|error while logging in|denied authentication|authentication[._](?:access_)?denied|NotAuthenticated|(?:wrong|bad|invalid|incorrect) (?:credentials?|password|username|login)|authentication (?:failed|failure|required|error)', unless: 'TSIG|BADKEY|dns: bad auth|Error: 10000|record.{0,80}10000: Authentication|Proxy Authentication|Multiple user assigned|": (?:dial tcp|tls: |x509|EOF|context deadline|net/http)|the request due to an error|admission webhook|in (?:the )?secret\\b', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'self-check', 'object', 'alert'] } },
    // A newline at the end of the token, or what a remote procedure call says.
    { in: ['challenge', 'event', 'log', 'alert'], match: 'invalid header field value|code = Unauthenticated|\\b(?:token|password|credentials?) (?:(?:is|are|was) )?(?:invalid|not valid|incorrect|wrong|expired|revoked)', unless: 'external account|TSIG', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'object', 'alert'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:status|code|error|http|response)[^a-z0-9]{0,12}(?:code |error )?401\\b|\\b401 \\(request|\\[401\\]|\\b401 ?:? unauthori[sz]ed|unauthori[sz]ed', unless: '\\b403\\b|urn:ietf:params:acme|urn:acme|authorization error|wrong status code|prevented the request from succeeding|not authorized to perform|unauthorized to access requested resource|\\bIP\\b|white-?list|allow-?list', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } },
    // Words that any provider may choose, where only a solver speaks.
    { in: ['challenge', 'event', 'log', 'alert'], match: '\\b(?:credentials?|api ?key|token|password|signature)\\b[\\w ]{0,24}\\b(?:rejected|refused|invalid|wrong|incorrect|expired|revoked|mismatch|not recogni[sz]ed|not accepted|no longer valid|denied)\\b|\\bbad ?auth\\b|\\b(?:credentials?|key|token|password|signature)\\b[\\w ]{0,24}\\b(?:not|n\'t)\\b[\\w ]{0,12}\\b(?:match\\w*|correct|recogni[sz]ed|known|accepted|valid)\\b|failed (?:to )?authenticat|\\b(?:invalid|incorrect|wrong|bad) auth(?:entication|-id)?\\b|\\bAUTH(?:ENTICATION|ORI[SZ]ATION)?_(?:ERROR|FAIL\\w*|INVALID)\\b|AuthenticationFailed|\\b(?:wrong|bad|invalid|incorrect|expired|rejected|mismatched)\\b[\\w ]{0,30}\\b(?:credentials?|(?:api|secret|access|auth\\w*) ?key|token|password|signature|login)\\b|\\blog[ -]?in\\b[\\w ]{0,12}\\b(?:failed|failure|denied|refused|error)\\b|failed log[ -]?ins?\\b|account (?:has been |is |was )?(?:locked|suspended|disabled|blocked|deactivated)|api ?key (?:is )?missing|(?:verify|check) (?:your|the)\\b[\\w ]{0,24}\\b(?:credentials?|key|token|secret|password)\\b|\\b(?:key|token|password|secret|number|login|user ?name)\\b[\\w ]{0,24}\\b(?:do|does) not (?:belong|fit|match)|\\b(?:credentials?|key|token|password|session|login)\\b.{0,30}\\b(?:deactivated|revoked|expired|deleted)\\b|\\blog ?in again\\b|\\b(?:HMAC|signature)\\b[\\w ]{0,16}\\b(?:fail\\w*|mismatch|wrong|invalid)\\b|unauthenticated|\\b401\\b|\\b(?:2FA|MFA|two-?factor|OTP|one-time (?:password|code|pin))\\b|(?:key|token|secret|password|credential\\w*)\\b.{0,60}\\billegal base64|illegal base64\\b.{0,60}(?:key|token|secret|password|credential)', unless: '\\bscopes?\\b|permission|privilege|\\brights\\b|\\bIP\\b|white-?list|allow-?list|in (?:the )?(?:\\w+ )?secret\\b|admission webhook|TSIG|dns: bad|csr|external account|": (?:dial tcp|tls: |x509|EOF|context deadline)', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } }
  ]
})
