import t from 'tap'
import type { Cause } from '../../src/diagnose/cause.ts'
import type { Case, Wrapper } from '../../src/shared/types/case.ts'
import type { Confidence } from '../../src/shared/types/diagnosis.ts'
import acmeAccountInvalid from '../../src/diagnose/causes/acme-account-invalid.ts'
import acmeAuthorizationExpired from '../../src/diagnose/causes/acme-authorization-expired.ts'
import acmeCaUnavailable from '../../src/diagnose/causes/acme-ca-unavailable.ts'
import acmeCaaForbidsIssuer from '../../src/diagnose/causes/acme-caa-forbids-issuer.ts'
import acmeCaaLookupFailed from '../../src/diagnose/causes/acme-caa-lookup-failed.ts'
import acmeContactInvalid from '../../src/diagnose/causes/acme-contact-invalid.ts'
import acmeCsrRejected from '../../src/diagnose/causes/acme-csr-rejected.ts'
import acmeEabRejected from '../../src/diagnose/causes/acme-eab-rejected.ts'
import acmeFinalizeFailed from '../../src/diagnose/causes/acme-finalize-failed.ts'
import acmeIdentifierPaused from '../../src/diagnose/causes/acme-identifier-paused.ts'
import acmeIdentifierRejected from '../../src/diagnose/causes/acme-identifier-rejected.ts'
import acmeProfileRejected from '../../src/diagnose/causes/acme-profile-rejected.ts'
import acmeRateLimited from '../../src/diagnose/causes/acme-rate-limited.ts'
import acmeSecondaryValidationFailed from '../../src/diagnose/causes/acme-secondary-validation-failed.ts'
import acmeServerUnreachable from '../../src/diagnose/causes/acme-server-unreachable.ts'
import acmeServerUntrusted from '../../src/diagnose/causes/acme-server-untrusted.ts'
import acmeTooManyNames from '../../src/diagnose/causes/acme-too-many-names.ts'
import clockSkew from '../../src/diagnose/causes/clock-skew.ts'
import { aCaa, aCase, aCertificate, aChallenge, aDirectory, anIssuer, anOrder, aText, examineAlone, failure } from '../support/builders.ts'

/** `proven timeout`, `ruled-out`, `not-applicable` or `cannot-tell`. */
type Answer = Confidence | `${Confidence} ${string}` | 'ruled-out' | 'not-applicable' | 'cannot-tell' | 'hint'
type Row = [title: string, cause: Cause, incident: Case, answer: Answer]

/** A case that holds one text. */
const says = (text: string, wrapper: Wrapper = 'order-create'): Case => aCase({ texts: [aText(text, { wrapper, source: wrapper === 'account' ? 'issuer' : wrapper === 'authorization' ? 'challenge' : 'order' })] })
const limited = (text: string): Case => says(`Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: ${text}`)
const accepted = anOrder({ authorizations: [{ identifier: 'shop.example.com', wildcard: false, initialState: 'pending', challengeTypes: ['http-01'], url: 'https://ca.example/authz/1' }] })
const withAccepted = aCase({ facts: { order: accepted } })
const directoryUrl = 'Get "https://acme-v02.api.letsencrypt.org/directory": '
const notReady = anIssuer({ ready: { type: 'Ready', status: 'False', reason: 'ErrRegisterACMEAccount', message: 'Failed to register ACME account' } })
const rejected = 'Failed to create Order: 400 urn:ietf:params:acme:error:rejectedIdentifier: Invalid identifiers requested :: Cannot issue for "a": '

const rows: Row[] = [
  ['the exact set of names is counted, in today\'s words', acmeRateLimited, limited('too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-25 01:29:08 UTC: see https://letsencrypt.org/docs/rate-limits/'), 'proven certificates-per-exact-set'],
  ['the exact set of names is counted, in old words', acmeRateLimited, limited('Error creating new order :: too many certificates already issued for exact set of domains: a.example: see https://letsencrypt.org/docs/rate-limits/'), 'proven certificates-per-exact-set'],
  ['the registered domain is counted', acmeRateLimited, limited('too many certificates (50) already issued for "example.com" in the last 168h0m0s'), 'proven certificates-per-registered-domain'],
  ['the registered domain is counted, in old words', acmeRateLimited, limited('Error creating new order :: too many certificates already issued for: sslip.io'), 'proven certificates-per-registered-domain'],
  ['failed validations are counted', acmeRateLimited, limited('too many failed authorizations (5) for "shop.example.com" in the last 1h0m0s'), 'proven failed-validations'],
  ['orders are counted', acmeRateLimited, limited('Error creating new order :: too many new orders recently: see https://letsencrypt.org/docs/rate-limits/'), 'proven new-orders-per-account'],
  ['new accounts are counted', acmeRateLimited, says('Failed to register ACME account: 429 urn:ietf:params:acme:error:rateLimited: too many new registrations (10) from this IP address in the last 3h0m0s', 'account'), 'proven new-accounts-per-ip'],
  ['a bare 429 is a limit on requests', acmeRateLimited, says('Failed to register ACME account: 429 : 429 Too Many Requests', 'account'), 'likely requests-per-second'],
  ['a 429 page of a web server is a limit on requests', acmeRateLimited, says('Failed to retrieve Order resource: 429 : <html>\r\n<head><title>429 Too Many Requests</title></head>', 'order-other'), 'likely requests-per-second'],
  ['another limit of an unknown CA is a limit', acmeRateLimited, aCase({ texts: [aText('429 urn:ietf:params:acme:error:rateLimited: quota of the plan used up', { wrapper: 'order-create', problem: { type: 'rateLimited', detail: 'quota of the plan used up', secondary: false, subproblems: [] } })] }), 'likely other'],
  ['"Service busy" is no limit although its type says so', acmeRateLimited, aCase({ texts: [aText('503 urn:ietf:params:acme:error:rateLimited: Service busy; retry later.', { problem: { type: 'rateLimited', detail: 'Service busy; retry later.', secondary: false, subproblems: [] } })] }), 'not-applicable'],
  ['a paused name is no limit although its type says so', acmeRateLimited, aCase({ texts: [aText('429 urn:ietf:params:acme:error:rateLimited: Your account is temporarily prevented from requesting certificates for a.example', { problem: { type: 'rateLimited', detail: '', secondary: false, subproblems: [] } })] }), 'not-applicable'],
  ['an accepted order rules a limit out', acmeRateLimited, withAccepted, 'ruled-out'],

  ['a paused name', acmeIdentifierPaused, limited('Your account is temporarily prevented from requesting certificates for shop.example.com and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=x'), 'proven'],
  ['no pause in a rate limit', acmeIdentifierPaused, limited('too many new orders (300) from this account'), 'not-applicable'],

  ['the CA is busy', acmeCaUnavailable, says('503 urn:ietf:params:acme:error:rateLimited: Service busy; retry later.'), 'proven'],
  ['the CA has an internal error', acmeCaUnavailable, says('error creating new order: 500 urn:ietf:params:acme:error:serverInternal: Error creating new order'), 'proven'],
  ['the CA cannot log certificates', acmeCaUnavailable, says('acme: order  status: invalid; problem: 500 urn:ietf:params:acme:error:serverInternal: Error finalizing order :: Unable to meet CA SCT embedding requirements', 'order-finalize'), 'proven'],
  ['a CA that wraps a refused key into serverInternal is not down', acmeCaUnavailable, says('500 urn:ietf:params:acme:error:serverInternal: failed to request certificate, {"errors":[{"code":"access_denied|access_denied_invalid_key"}]}'), 'not-applicable'],
  ['a CA that wraps a refused binding into serverInternal is not down', acmeCaUnavailable, says('500 urn:ietf:params:acme:error:serverInternal: error validating eab: key is bound to another account', 'account'), 'not-applicable'],
  ['a CA that wraps a refused duration into serverInternal is not down', acmeCaUnavailable, says('500 urn:ietf:params:acme:error:serverInternal: requested duration of 2160h0m0s is more than the authorized maximum certificate duration of 24h1m0s', 'order-finalize'), 'not-applicable'],
  ['a 503 page is its front server\'s', acmeCaUnavailable, says('error creating new order: 503 : <html>Service Unavailable</html>'), 'likely'],
  ['a 503 page that a forward proxy signs is hardly the CA\'s', acmeCaUnavailable, says('error creating new order: 503 : <html>The requested URL could not be retrieved. Generated by proxy01 (squid/5.7)</html>'), 'possible'],
  ['a directory that answers 502 now, while the issuer is not ready', acmeCaUnavailable, aCase({ facts: { issuer: notReady, directory: aDirectory({ reachable: false, status: 502 }) } }), 'likely'],
  ['a directory that answers 502 after the order was decided is a hint only', acmeCaUnavailable, aCase({ facts: { directory: aDirectory({ reachable: false, status: 502 }), order: accepted } }), 'hint'],
  ['a web page that is down for maintenance is not the CA', acmeCaUnavailable, aCase({ texts: [aText('unexpected response: we are down for maintenance', { wrapper: 'self-check' })] }), 'not-applicable'],
  ['a CA that has ended its service', acmeCaUnavailable, aCase({ facts: { issuer: anIssuer({ acme: { ...anIssuer().acme!, server: 'https://api.buypass.com/acme/directory' } }) } }), 'likely'],

  ['the ACME server\'s name is not resolved', acmeServerUnreachable, says(`Failed to register ACME account: ${directoryUrl}dial tcp: lookup acme-v02.api.letsencrypt.org on 10.96.0.10:53: no such host`, 'account'), 'proven dns'],
  ['a time-out without an address is one of DNS', acmeServerUnreachable, says(`Failed to verify ACME account: ${directoryUrl}dial tcp: i/o timeout`, 'account'), 'proven dns'],
  ['a lookup that times out over UDP is one of DNS', acmeServerUnreachable, says(`error creating new order: ${directoryUrl}dial tcp: lookup acme-v02.api.letsencrypt.org: read udp 10.0.0.1:5->10.96.0.10:53: i/o timeout`), 'proven dns'],
  ['nobody answers on 443', acmeServerUnreachable, says(`Failed to register ACME account: ${directoryUrl}dial tcp 198.51.100.130:443: i/o timeout`, 'account'), 'proven timeout'],
  ['the client gives up', acmeServerUnreachable, says(`error creating new order: ${directoryUrl}context deadline exceeded (Client.Timeout exceeded while awaiting headers)`), 'proven timeout'],
  ['the connection is refused', acmeServerUnreachable, says(`error creating new order: ${directoryUrl}dial tcp 203.0.113.1:443: connect: connection refused`), 'proven refused'],
  ['the proxy wants a login', acmeServerUnreachable, says(`Failed to register ACME account: ${directoryUrl}Proxy Authentication Required`, 'account'), 'proven proxy'],
  ['the proxy\'s own name is not resolved', acmeServerUnreachable, says(`Failed to register ACME account: ${directoryUrl}proxyconnect tcp: dial tcp: lookup proxy.corp.example on 10.96.0.10:53: no such host`, 'account'), 'proven proxy'],
  ['a forward proxy signs the page', acmeServerUnreachable, says('error creating new order: 503 : <html>The requested URL could not be retrieved. Generated by proxy01 (squid/5.7)</html>'), 'likely proxy'],
  ['a page that nobody signs', acmeServerUnreachable, says('error creating new order: 503 : <html>Service Unavailable</html>'), 'not-applicable'],
  ['the handshake does not end', acmeServerUnreachable, says(`Failed to register ACME account: ${directoryUrl}net/http: TLS handshake timeout`, 'account'), 'proven tls-handshake'],
  ['a CA that answers that its own back end refused was reached', acmeServerUnreachable, aCase({ facts: { issuer: anIssuer() }, texts: [aText('500 urn:ietf:params:acme:error:serverInternal: failed to sign: backend CA connection refused', { wrapper: 'order-finalize', source: 'order', problem: { type: 'serverInternal', detail: '', secondary: false, subproblems: [] } })] }), 'not-applicable'],
  ['a self-check that is refused is not about the CA', acmeServerUnreachable, aCase({ facts: { issuer: anIssuer() }, texts: [aText('failed to perform self check GET request \'http://shop.example.com/.well-known/acme-challenge/x\': dial tcp 203.0.113.10:80: connect: connection refused', { wrapper: 'self-check' })] }), 'not-applicable'],
  ['a DNS provider that times out is not the CA', acmeServerUnreachable, aCase({ facts: { issuer: anIssuer() }, texts: [aText('Error presenting challenge: Get "https://api.cloudflare.com/client/v4/zones": dial tcp 198.51.100.9:443: i/o timeout', { wrapper: 'present' })] }), 'not-applicable'],
  ['an admission webhook that is refused is not the CA', acmeServerUnreachable, says('Internal error occurred: failed calling webhook "webhook.cert-manager.io": Post "https://cert-manager-webhook.cert-manager.svc:443/validate": dial tcp 10.0.0.1:443: connect: connection refused', 'request'), 'not-applicable'],
  ['a directory that cannot be reached from here, with an issuer that is not ready', acmeServerUnreachable, aCase({ facts: { issuer: notReady, directory: aDirectory({ reachable: false, status: undefined, failure: { code: 'timeout', text: 'timeout' } }) } }), 'likely timeout'],
  ['a directory that nobody recorded says nothing', acmeServerUnreachable, aCase({ facts: { issuer: notReady, directory: aDirectory({ reachable: false, status: undefined, failure: { code: 'not-recorded', text: '' } }) } }), 'not-applicable'],
  ['an accepted order was transported', acmeServerUnreachable, withAccepted, 'ruled-out'],
  ['a directory that answers', acmeServerUnreachable, aCase({ facts: { directory: aDirectory() } }), 'ruled-out'],

  ['an unknown authority', acmeServerUntrusted, says('Failed to verify ACME account: Get "https://ca.corp.example/acme/directory": tls: failed to verify certificate: x509: certificate signed by unknown authority', 'account'), 'proven'],
  ['another name', acmeServerUntrusted, says(`Failed to register ACME account: ${directoryUrl}x509: certificate is valid for proxy.corp, not acme-v02.api.letsencrypt.org`, 'account'), 'proven'],
  ['an unknown authority of a DNS provider', acmeServerUntrusted, aCase({ facts: { issuer: anIssuer() }, texts: [aText('Post "https://pdns.corp.example/api": x509: certificate signed by unknown authority', { wrapper: 'present' })] }), 'not-applicable'],
  ['seen from here, with an issuer that is not ready', acmeServerUntrusted, aCase({ facts: { issuer: notReady, directory: aDirectory({ trusted: false }) } }), 'likely'],
  ['an accepted order was trusted', acmeServerUntrusted, withAccepted, 'ruled-out'],

  ['a deactivated account', acmeAccountInvalid, says('Failed to create Order: 403 urn:ietf:params:acme:error:unauthorized: Unable to validate JWS :: Account is not valid, has status "deactivated"'), 'proven'],
  ['an unknown account', acmeAccountInvalid, says('Failed to create Order: 400 urn:ietf:params:acme:error:accountDoesNotExist: Unable to validate JWS :: Account "https://ca/acct/1" not found'), 'proven'],
  ['the key of another environment', acmeAccountInvalid, says('Failed to create Order: 400 urn:ietf:params:acme:error:malformed: KeyID header contained an invalid account URL: "https://acme-staging-v02.api.letsencrypt.org/acme/acct/1"'), 'proven'],
  ['no money left', acmeAccountInvalid, says('Failed to create Order: 403 urn:ietf:params:acme:error:unauthorized: Not enough funds in the account to complete this request.'), 'proven'],
  ['the key Secret is not to be made', acmeAccountInvalid, says('Failed to verify ACME account: the ACME issuer config has \'disableAccountKeyGeneration\' set to true, but the secret was not found: secrets "key" not found', 'account'), 'proven'],
  ['an order refused as unauthorized for a policy', acmeAccountInvalid, aCase({ texts: [aText('Failed to create Order: 403 urn:ietf:params:acme:error:unauthorized: Order creation failed, because expiration of ACME linked policy instance', { wrapper: 'order-create', problem: { type: 'unauthorized', detail: '', secondary: false, subproblems: [] } })] }), 'likely'],
  ['a profile that the account may not use is another matter', acmeAccountInvalid, aCase({ texts: [aText('403 urn:ietf:params:acme:error:unauthorized: account ID 1 is not permitted to use certificate profile "x"', { wrapper: 'order-create', problem: { type: 'unauthorized', detail: '', secondary: false, subproblems: [] } })] }), 'not-applicable'],
  ['a validation that is unauthorized says nothing of the account', acmeAccountInvalid, aCase({ texts: [aText('acme: authorization error for a.example: 403 urn:ietf:params:acme:error:unauthorized: 203.0.113.1: Invalid response from http://a.example/: 404', { problem: { type: 'unauthorized', detail: '', secondary: false, subproblems: [] } })] }), 'not-applicable'],
  ['an account at a DNS provider is another one', acmeAccountInvalid, aCase({ texts: [aText('account credentials not found for domain chat.rowan.example', { wrapper: 'present' }), aText('re-queuing item due to error processing: Your account is disabled', { source: 'log' })] }), 'not-applicable'],
  ['an accepted order had a good account', acmeAccountInvalid, withAccepted, 'ruled-out'],

  ['binding is required', acmeEabRejected, says('Failed to register ACME account: 400 urn:ietf:params:acme:error:malformed: The request must include a value for the "externalAccountBinding" field', 'account'), 'proven'],
  ['binding was used already', acmeEabRejected, says('Failed to verify ACME account: 400 urn:ietf:params:acme:error:malformed: [External Account Binding] The account is not awaiting external account binding', 'account'), 'proven'],
  ['the key expired', acmeEabRejected, says('Failed to register ACME account: 403 urn:ietf:params:acme:error:unauthorized: Unknown external account binding (EAB) key. This may be due to the EAB key expiring which occurs 7 days after creation.', 'account'), 'proven'],
  ['the key cannot be decoded', acmeEabRejected, says('Failed to register ACME account: failed to decode external account binding key data: illegal base64 data at input byte 3', 'account'), 'proven'],
  ['the key Secret is missing', acmeEabRejected, says('Failed to register ACME account: secrets "eab" not found', 'account'), 'proven'],
  ['a DNS credentials Secret is missing', acmeEabRejected, says('failed to get secret "cloudflare": secrets "cloudflare" not found', 'issuer'), 'not-applicable'],

  ['an example address', acmeContactInvalid, says('Failed to register ACME account: 400 urn:ietf:params:acme:error:invalidContact: Error validating contact(s) :: contact email has forbidden domain "example.com"', 'account'), 'proven'],
  ['nothing about contacts', acmeContactInvalid, says('Failed to register ACME account: secrets "eab" not found', 'account'), 'not-applicable'],

  ['an internal name', acmeIdentifierRejected, says(`${rejected}Domain name does not end with a valid public suffix (TLD)`), 'proven'],
  ['an underscore', acmeIdentifierRejected, says(`${rejected}Domain name contains an invalid character`), 'proven'],
  ['a blocked name', acmeIdentifierRejected, says('400 urn:ietf:params:acme:error:rejectedIdentifier: Error creating new order :: Cannot issue for "a": The ACME server refuses to issue a certificate for this domain name, because it is forbidden by policy'), 'proven'],
  ['an address where none is allowed', acmeIdentifierRejected, says('400 urn:ietf:params:acme:error:rejectedIdentifier: Default profile does not permit IP address identifiers.'), 'proven'],
  ['a role that does not allow the name', acmeIdentifierRejected, says('400 urn:ietf:params:acme:error:rejectedIdentifier: role (web) will not issue certificate for name a.example'), 'proven'],
  ['a name that the account is not good for', acmeIdentifierRejected, says('403 urn:ietf:params:acme:error:unauthorized: this account is not authorized to request certificates for domain a.example'), 'likely'],
  ['a policy of the cluster that forbids a pod is not the CA\'s', acmeIdentifierRejected, aCase({ texts: [aText('pods "cm-acme-http-solver-abcde" is forbidden by policy', { wrapper: 'present' })] }), 'not-applicable'],
  ['a generic word of step-ca', acmeIdentifierRejected, says('acme: authorization error for a.example: 400 urn:ietf:params:acme:error:rejectedIdentifier: The server will not issue certificates for the identifier', 'authorization'), 'possible'],
  ['a contact with a bad domain is another matter', acmeIdentifierRejected, says('400 urn:ietf:params:acme:error:invalidContact: contact email "a@b.op" has invalid domain : Domain name does not end with a valid public suffix (TLD)', 'account'), 'not-applicable'],

  ['a weak key', acmeCsrRejected, says('Failed to finalize Order: 400 urn:ietf:params:acme:error:badCSR: Error finalizing order :: invalid public key in CSR: key size not supported: 1024', 'order-finalize'), 'proven'],
  ['other names than ordered', acmeCsrRejected, says('Failed to finalize Order: 403 urn:ietf:params:acme:error:unauthorized: Error finalizing order :: CSR does not specify same identifiers as Order', 'order-finalize'), 'proven'],
  ['nothing about the CSR', acmeCsrRejected, says('Failed to finalize Order: 403 urn:ietf:params:acme:error:orderNotReady: not ready', 'order-finalize'), 'not-applicable'],

  ['another CA is named', acmeCaaForbidsIssuer, says('acme: authorization error for m.bank.example: 403 urn:ietf:params:acme:error:caa: While processing CAA for m.bank.example: CAA record for bank.example prevents issuance', 'authorization'), 'proven'],
  ['at the end', acmeCaaForbidsIssuer, says('Failed to finalize Order: 403 urn:ietf:params:acme:error:caa: Error finalizing order :: rechecking caa: While processing CAA for a.example: CAA record for a.example prevents issuance', 'order-finalize'), 'proven'],
  ['a lookup that failed forbids nothing', acmeCaaForbidsIssuer, says('400 urn:ietf:params:acme:error:caa: rechecking caa: While processing CAA for a.example: DNS problem: SERVFAIL looking up CAA for example', 'authorization'), 'not-applicable'],
  ['seen in DNS, after a validation that ended without words', acmeCaaForbidsIssuer, aCase({ about: { caa: aCaa({ allows: false, foundAt: 'example.com', why: 'other-ca' }), challenge: aChallenge() } }), 'likely'],
  ['seen in DNS, and only the Certificate still says that the order ended', acmeCaaForbidsIssuer, aCase({ about: { caa: aCaa({ allows: false, foundAt: 'example.com', why: 'other-ca' }) }, facts: { certificate: aCertificate({ issuing: { type: 'Issuing', status: 'False', reason: 'Failed', message: 'Failed to wait for order resource "shop-tls-1-2881" to become ready: order is in "invalid" state: ' } }) } }), 'likely'],
  ['seen in DNS, and the order ended for a reason that it tells', acmeCaaForbidsIssuer, aCase({ about: { caa: aCaa({ allows: false, foundAt: 'example.com' }) }, facts: { certificate: aCertificate({ issuing: { type: 'Issuing', status: 'False', reason: 'Failed', message: 'Failed to wait for order resource "shop-tls-1-2881" to become ready: order is in "errored" state: Failed to create Order: 500 ' } }) } }), 'hint'],
  ['seen in DNS while the challenge still waits is a hint', acmeCaaForbidsIssuer, aCase({ about: { caa: aCaa({ allows: false, foundAt: 'example.com' }), challenge: aChallenge({ state: 'pending', asked: false }) } }), 'hint'],
  ['CAA allows', acmeCaaForbidsIssuer, aCase({ about: { caa: aCaa() } }), 'ruled-out'],

  ['SERVFAIL for CAA, in Boulder\'s words', acmeCaaLookupFailed, says('acme: authorization error for q.fabrikam.example: 400 urn:ietf:params:acme:error:dns: While processing CAA for q.fabrikam.example: DNS problem: SERVFAIL looking up CAA for fabrikam.example - the domain\'s nameservers may be malfunctioning', 'authorization'), 'proven'],
  ['DNSSEC of CAA, in another CA\'s words', acmeCaaLookupFailed, says('Failed to finalize Order: 400 urn:ietf:params:acme:error:dns: DNSSEC key fetches or checks failed when analyzing the CAA record response for lab.contoso.example.', 'order-finalize'), 'proven'],
  ['a time-out for the address is not one for CAA', acmeCaaLookupFailed, says('400 urn:ietf:params:acme:error:dns: DNS problem: query timed out looking up A for a.example', 'authorization'), 'not-applicable'],
  ['seen in DNS', acmeCaaLookupFailed, aCase({ about: { caa: aCaa({ allows: undefined, lookupFailed: { name: 'example.com', what: 'SERVFAIL' } }), challenge: aChallenge() } }), 'likely'],
  ['CAA is answered', acmeCaaLookupFailed, aCase({ about: { caa: aCaa() } }), 'ruled-out'],

  ['only remote vantage points failed', acmeSecondaryValidationFailed, says('acme: authorization error for a.example: 400 urn:ietf:params:acme:error:connection: During secondary validation: 203.0.113.1: Fetching http://a.example/: Timeout during connect (likely firewall problem)', 'authorization'), 'proven'],
  ['the remote ones are broken themselves', acmeSecondaryValidationFailed, says('500 urn:ietf:params:acme:error:serverInternal: During secondary validation: Secondary validation RPC failed', 'authorization'), 'not-applicable'],
  ['remote CAA is another matter', acmeSecondaryValidationFailed, says('400 urn:ietf:params:acme:error:caa: During secondary validation: While processing CAA for a.example: CAA record for a.example prevents issuance', 'authorization'), 'not-applicable'],

  ['too many names', acmeTooManyNames, aCase({ facts: { certificate: aCertificate() }, texts: [aText('400 urn:ietf:params:acme:error:malformed: Error creating new order :: Order cannot contain more than 100 identifiers', { wrapper: 'order-create' })] }), 'proven'],
  ['too many names, in words of another CA', acmeTooManyNames, aCase({ facts: { certificate: aCertificate() }, texts: [aText('400 urn:ietf:params:acme:error:malformed: Number of identifiers exceeds the limit of 25', { wrapper: 'order-create' })] }), 'likely'],
  ['a number of certificates is no number of names', acmeTooManyNames, aCase({ facts: { certificate: aCertificate() }, texts: [aText('429 urn:ietf:params:acme:error:rateLimited: limit of 50 certificates per registered domain reached', { wrapper: 'order-create' })] }), 'not-applicable'],
  ['too many names, in older words', acmeTooManyNames, aCase({ facts: { certificate: aCertificate() }, texts: [aText('400 urn:ietf:params:acme:error:malformed: Order cannot contain more than 100 DNS names', { wrapper: 'order-create' })] }), 'proven'],
  ['few names', acmeTooManyNames, limited('too many certificates (5) already issued for "a"'), 'not-applicable'],

  ['a profile that the CA has not', acmeProfileRejected, says('Failed to create Order: acme: certificate authority does not advertise a profile with name shortlived'), 'proven'],
  ['a profile that is not recognised', acmeProfileRejected, says('400 urn:ietf:params:acme:error:invalidProfile: profile name "x" not recognized'), 'proven'],
  ['a profile that is offered', acmeProfileRejected, aCase({ facts: { order: anOrder({ profile: 'tlsserver' }), directory: aDirectory({ profiles: ['classic', 'tlsserver'] }) } }), 'ruled-out'],
  ['no profile asked for', acmeProfileRejected, aCase({ facts: { order: anOrder(), directory: aDirectory() } }), 'not-applicable'],

  ['the authorization is not known any more', acmeAuthorizationExpired, says('404 urn:ietf:params:acme:error:malformed: Authorization not found', 'accept'), 'proven'],
  ['the authorization expired', acmeAuthorizationExpired, aCase({ texts: [aText('Error accepting challenge: 404 urn:ietf:params:acme:error:malformed: Expired authorization', { wrapper: 'accept' })] }), 'proven'],
  ['the challenge is called expired', acmeAuthorizationExpired, aCase({ about: { challenge: aChallenge({ state: 'expired' }) } }), 'likely'],
  ['it is called expired, nobody said why, and the Order was never told', acmeAuthorizationExpired, aCase({ about: { challenge: aChallenge({ state: 'expired' }) }, facts: { order: anOrder({ state: 'pending' }) } }), 'hint'],
  ['a proxy forbids the CA', acmeServerUnreachable, says(`error creating new order: ${directoryUrl}Forbidden`), 'likely proxy'],
  ['an old word for a name that is no public one', acmeIdentifierRejected, says('400 urn:acme:error:malformed: Error creating new authz :: Name does not end in a public suffix'), 'likely'],
  ['the order is expired', acmeAuthorizationExpired, aCase({ facts: { order: anOrder({ state: 'expired' }) } }), 'likely'],
  ['an invalid challenge is not expired', acmeAuthorizationExpired, aCase({ about: { challenge: aChallenge() } }), 'not-applicable'],

  ['all challenges valid, the order invalid', acmeFinalizeFailed, aCase({ facts: { order: anOrder({ challenges: [{ name: 'a', dnsName: 'shop.example.com', type: 'HTTP-01', state: 'valid', processing: false, presented: false, reason: '', created: failure }] }) } }), 'likely'],
  ['ready for half an hour and never finished', acmeFinalizeFailed, aCase({ facts: { order: anOrder({ state: 'ready', failureTime: undefined, created: failure - 30 * 60_000 }) } }), 'likely'],
  ['the CA still works on it', acmeFinalizeFailed, aCase({ facts: { order: anOrder({ state: 'processing', failureTime: undefined }) } }), 'not-applicable'],
  ['the chain is empty', acmeFinalizeFailed, says('Failed to retrieve signed certificate: acme: certificate chain is empty', 'order-finalize'), 'proven'],
  ['invalid without a reason', acmeFinalizeFailed, says('error finalizing order: acme: order https://acme.zerossl.com/v2/DV90/order/x status: invalid', 'order-finalize'), 'likely'],
  ['a challenge that failed', acmeFinalizeFailed, aCase({ facts: { order: anOrder({ challenges: [{ name: 'a', dnsName: 'shop.example.com', type: 'HTTP-01', state: 'invalid', processing: false, presented: false, reason: '', created: failure }] }) } }), 'not-applicable'],

  ['a certificate that is not yet valid', clockSkew, says(`Failed to register ACME account: ${directoryUrl}x509: certificate has expired or is not yet valid: current time 2019-01-01T00:00:00Z is before 2026-01-01T00:00:00Z`, 'account'), 'likely'],
  ['the same, and the CA\'s clock differs', clockSkew, aCase({ facts: { directory: aDirectory({ skewMs: 3_600_000 }) }, texts: [aText('x509: certificate has expired or is not yet valid: current time 2026-11-24T09:00:00Z is before 2026-11-24T10:00:00Z', { wrapper: 'account' })] }), 'proven'],
  ['expired, by a clock that is years ahead', clockSkew, says(`Failed to register ACME account: ${directoryUrl}x509: certificate has expired or is not yet valid: current time 2031-05-01T10:00:00Z is after 2026-12-30T23:59:59Z`, 'account'), 'likely'],
  ['expired, by a clock that is right', clockSkew, says(`Failed to register ACME account: ${directoryUrl}x509: certificate has expired or is not yet valid: current time 2026-11-24T10:00:00Z is after 2026-11-23T09:00:00Z`, 'account'), 'not-applicable'],
  ['a signature that is too old', clockSkew, aCase({ texts: [aText('api error SignatureDoesNotMatch: Signature expired: 20261124T090000Z is now earlier than 20261124T095500Z', { wrapper: 'present' })] }), 'proven'],
  ['a TSIG time that is off', clockSkew, aCase({ texts: [aText('DNS update failed: dns: bad time', { wrapper: 'present' })] }), 'proven'],
  ['a signature of DNSSEC is no clock', clockSkew, aCase({ texts: [aText('DNS problem: looking up TXT for _acme-challenge.shop.example.com: DNSSEC: Signature Expired', { wrapper: 'authorization' })] }), 'not-applicable'],
  ['only our clock differs: a hint', clockSkew, aCase({ facts: { directory: aDirectory({ skewMs: -900_000 }) } }), 'hint'],
  ['the clocks agree', clockSkew, aCase({ facts: { directory: aDirectory({ skewMs: 800 }) } }), 'ruled-out'],
  ['no clock to compare with', clockSkew, aCase(), 'not-applicable']
]

for (const [title, cause, incident, answer] of rows) {
  const { found, answer: given, diagnosis } = examineAlone(cause, incident)
  const told = found === undefined ? diagnosis.alsoFits.length > 0 ? 'hint' : given : `${found.confidence}${found.variant === undefined ? '' : ` ${found.variant}`}`
  t.equal(told, answer, `${cause.id}: ${title}`)
  if (found !== undefined) t.notMatch(`${found.summary} ${found.meaning}`, /[{}]|undefined|<(?!html)/, `${cause.id}: ${title}: the wording is whole`)
}

t.test('the end of a limit is told, and whether it has passed', async t => {
  const text = 'too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-24 '
  t.match(examineAlone(acmeRateLimited, limited(`${text}12:56:59 UTC`)).found?.meaning, /until 2026-11-24 12:56 UTC\./)
  t.match(examineAlone(acmeRateLimited, limited(`${text}09:56:59 UTC`)).found?.meaning, /has passed/)
})

t.test('the zone that forbids is named, not the name that was asked for', async t => {
  const { found } = examineAlone(acmeCaaForbidsIssuer, says('403 urn:ietf:params:acme:error:caa: While processing CAA for m.bank.example: CAA record for bank.example prevents issuance', 'authorization'))
  t.match(found?.summary, /CAA record at bank\.example /)
})
