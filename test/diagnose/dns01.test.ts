import t from 'tap'
import { aCase, aChallenge, aController, aDelegation, aNetworkPolicy, anAddresses, aText, aTxt, anIdentifier, examineAlone, noLook } from '../support/builders.ts'
import type { IdentifierFact, FactMap, SharedFact, TxtFacts, Wrapper } from '../../src/shared/types/case.ts'
import type { Look, Source } from '../../src/shared/types/common.ts'
import type { Cause } from '../../src/diagnose/cause.ts'

type Facts<K extends keyof FactMap> = { [F in K]?: FactMap[F] | Look<FactMap[F]> }
interface Row {
  it: string
  text?: string
  source?: Source
  wrapper?: Wrapper
  objectKind?: string
  about?: Facts<IdentifierFact>
  shared?: Facts<SharedFact>
  answer: 'found' | 'ruled-out' | 'cannot-tell' | 'not-applicable'
  confidence?: string
  variant?: string
}

const presented = aChallenge({ type: 'DNS-01', state: 'pending', presented: true, processing: true, asked: false, solver: 'cloudflare', key: 'expected', solverConfig: { cloudflare: {} } })
const presenting = { ...presented, presented: false }
const gone = { ...presented, state: 'invalid', presented: false, asked: true }
const server = (vantage: TxtFacts['servers'][number]['vantage'], name: string, values: string[], over: Partial<TxtFacts['servers'][number]> = {}): TxtFacts['servers'][number] =>
  ({ vantage, server: name, values, hasExpected: values.includes('expected'), rcode: values.length > 0 ? 'NOERROR' : 'NXDOMAIN', ...over })
const other = 'lPxQ0sYb2nV7u4Wk9ZtR1cXe6aJh3mGf8dBoUyTiMNA'

/** Each cause: found, each way to be ruled out, not applicable, cannot tell where it can happen. */
const tables: Record<string, Row[]> = {
  'dns01-secret-missing': [
    { it: 'understands a webhook that it never met', text: 'key api-key missing in secret cert-manager/bunny', answer: 'found', confidence: 'proven' },
    { it: 'finds a Secret that the built-in solver cannot get', text: 'error getting cloudflare secret: secrets "cloudflare-api-token" not found', answer: 'found', confidence: 'proven' },
    { it: 'finds a key that is not in the Secret', text: 'specified key "tokn" not found in secret shop/cloudflare', answer: 'found', confidence: 'proven' },
    { it: 'finds what the issuer says since 1.21', text: 'failed to get secret "cloudflare-api-token": secrets "cloudflare-api-token" not found', source: 'issuer', wrapper: 'issuer', answer: 'found', confidence: 'proven' },
    { it: 'finds a webhook\'s words', text: 'unable to init client `cert-manager`; key not found "public" in secret \'cert-manager/ionos-secret\'', answer: 'found', confidence: 'proven' },
    { it: 'leaves a Secret that may not be read to RBAC', text: 'error getting hetzner secret: secrets "hetzner" is forbidden: User "system:serviceaccount:cert-manager:hetzner" cannot get resource "secrets"', answer: 'not-applicable' },
    { it: 'leaves the EAB Secret to the account', text: 'failed to get External Account Binding key from secret: secrets "eab" not found', source: 'issuer', wrapper: 'account', answer: 'not-applicable' }
  ],
  'dns01-credentials-rejected': [
    { it: 'knows a refused login of Azure by the kind of the error that was taken out', text: '<redacted Azure SDK error: azidentity.AuthenticationFailedError: see events and logs for details>', answer: 'found', confidence: 'proven' },
    { it: 'understands a log-in that fails at a provider that it never met', text: 'login failed, check username and customer number', answer: 'found', confidence: 'likely' },
    { it: 'leaves a log-in that no connection reached to the provider', text: 'unable to log in: Post "https://api.provider.example/rpc": EOF', answer: 'not-applicable' },
    { it: 'leaves an address that is not on the list to permissions', text: 'this IP is not whitelisted for this key: request failed with 401', answer: 'not-applicable' },
    { it: 'understands a provider that it never met', text: 'the supplied API credentials were rejected', answer: 'found', confidence: 'likely' },
    { it: 'reads a remote procedure call', text: 'rpc error: code = Unauthenticated desc = The token is invalid', answer: 'found', confidence: 'proven' },
    { it: 'finds the newline at the end of a token', text: 'net/http: invalid header field value "Bearer abc\\n" for key Authorization', answer: 'found', confidence: 'proven' },
    { it: 'leaves a caller that the webhook turns away to the webhook', text: 'Unable to authenticate the request: x509: certificate has expired or is not yet valid', answer: 'not-applicable' },
    { it: 'leaves the words of an admission webhook alone', text: 'admission webhook "policy.example" denied the request: invalid token annotation', answer: 'not-applicable' },
    { it: 'finds a key that is not known, in many words', text: 'Get hosted zone. error: SDK.ServerError ErrorCode: InvalidAccessKeyId.NotFound Message: Specified access key is not found.', answer: 'found', confidence: 'proven' },
    { it: 'prefers what a 403 says to its number', text: 'OVH API call failed: GET /domain/zone/example.com/status - HTTP Error 403: "This application key is invalid"', answer: 'found', confidence: 'proven' },
    { it: 'leaves a log-in that fails for TLS to the provider', text: 'unable to login to netcup API: Post "https://ccp.netcup.net/run": tls: failed to verify certificate: x509: certificate signed by unknown authority', answer: 'not-applicable' },
    { it: 'finds Cloudflare\'s bad token', text: 'while querying the Cloudflare API for GET "/zones?name=example.com" Error: 9109: Invalid access token', answer: 'found', confidence: 'proven' },
    { it: 'finds Amazon\'s unknown key', text: 'operation error Route 53: ListHostedZonesByName, https response error StatusCode: 403, api error InvalidClientTokenId: The security token included in the request is invalid.', answer: 'found', confidence: 'proven' },
    { it: 'finds an expired Azure secret', text: 'ClientSecretCredential authentication failed. AADSTS7000222: The provided client secret keys for app are expired.', answer: 'found', confidence: 'proven' },
    { it: 'finds OVH\'s signature', text: 'OVH API call failed: GET /domain/zone/example.com/status - Error 400: "Invalid signature"', answer: 'found', confidence: 'proven' },
    { it: 'finds a plain 401 of any provider, as likely', text: 'unexpected response: status code 401 from https://api.provider.example/zones', answer: 'found', confidence: 'likely' },
    { it: 'leaves a refused record write to permissions', text: 'while querying the Cloudflare API for POST "/zones/0123/dns_records" Error: 10000: Authentication error', answer: 'not-applicable' },
    { it: 'leaves the CA\'s own unauthorized alone', text: 'acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:unauthorized: Incorrect TXT record', wrapper: 'authorization', answer: 'not-applicable' }
  ],
  'dns01-permission-denied': [
    { it: 'understands a key that is not permitted something', text: 'key is not permitted to update host _acme-challenge.example.com', answer: 'found', confidence: 'likely' },
    { it: 'understands an address that is not on a list', text: 'this IP is not whitelisted for this key: request failed with 401', answer: 'found', confidence: 'likely' },
    { it: 'takes what is not allowed for a while as no matter of rights', text: 'request not allowed while zone transfer is running', answer: 'not-applicable' },
    { it: 'takes a 404 as no matter of rights', text: '404 Not Found: the action is not allowed, a parent was not found', answer: 'not-applicable' },
    { it: 'understands a provider that it never met', text: 'you don\'t have permission to edit this zone', answer: 'found', confidence: 'likely' },
    { it: 'reads a remote procedure call', text: 'rpc error: code = PermissionDenied desc = Permission denied to folder', answer: 'found', confidence: 'likely' },
    { it: 'finds a token that may only read', text: 'failed to add record: token only allows read access (token_readonly, 9c1)', answer: 'found', confidence: 'proven' },
    { it: 'takes a bare 403 as likely', text: 'Unable to check the TXT record: ### Unexpected HTTP status: 403', answer: 'found', confidence: 'likely' },
    { it: 'finds a role that may not be assumed', text: 'unable to assume role: AccessDenied: User: arn:aws:sts::111122223333:assumed-role/x is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/dns', answer: 'found', confidence: 'proven', variant: 'assume-role' },
    { it: 'finds the missing zone listing', text: 'api error AccessDenied: User: arn:aws:iam::1:user/x is not authorized to perform: route53:ListHostedZonesByName because no identity-based policy allows it', answer: 'found', confidence: 'proven', variant: 'zone-read' },
    { it: 'finds the missing write', text: 'failed to change Route 53 record set: operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 403, api error AccessDenied: no', answer: 'found', confidence: 'proven', variant: 'record-write' },
    { it: 'finds Cloudflare\'s refused record', text: 'while querying the Cloudflare API for POST "/zones/0123/dns_records" Error: 10000: Authentication error', answer: 'found', variant: 'record-write' },
    { it: 'finds Google\'s workload identity without binding', text: 'Received 403 `Unable to generate access token; IAM returned 403 Forbidden: Permission \'iam.serviceAccounts.getAccessToken\' denied', answer: 'found', variant: 'assume-role' },
    { it: 'leaves an API that is switched off to the provider', text: 'googleapi: Error 403: Cloud DNS API has not been used in project 1 before or it is disabled., SERVICE_DISABLED', answer: 'not-applicable' },
    { it: 'leaves a bad identity token to credentials', text: 'unable to assume role with web identity: operation error STS: AssumeRoleWithWebIdentity, api error InvalidIdentityToken: no OpenIDConnect provider found', answer: 'not-applicable' }
  ],
  'dns01-ambient-credentials-disabled': [
    { it: 'finds the older words of Azure', text: 'ClientID is not set but neither `--cluster-issuer-ambient-credentials` nor `--issuer-ambient-credentials` are set.', answer: 'found', confidence: 'proven' },
    { it: 'finds empty credentials', text: 'error instantiating route53 challenge solver: unable to construct route53 provider: empty credentials; perhaps you meant to enable ambient credentials?', answer: 'found', confidence: 'proven' },
    { it: 'finds Azure\'s wording', text: 'ClientID was omitted without providing one of `--cluster-issuer-ambient-credentials` or `--issuer-ambient-credentials`.', answer: 'found', confidence: 'proven' },
    { it: 'says nothing of other texts', text: 'AccessDenied', answer: 'not-applicable' }
  ],
  'dns01-zone-not-found': [
    { it: 'believes Azure\'s wrapper only as far as what follows was not taken out', text: 'Zone example.com not found in AzureDNS for domain _acme-challenge.shop.example.com. Err: <redacted Azure SDK error: azcore.ResponseError: see events and logs for details>', answer: 'found', confidence: 'possible' },
    { it: 'leaves a refused login behind Azure\'s wrapper alone', text: 'Zone example.com not found in AzureDNS for domain _acme-challenge.shop.example.com. Err: <redacted Azure SDK error: azidentity.AuthenticationFailedError: see events and logs for details>', answer: 'not-applicable' },
    { it: 'understands a provider that does not have the domain', text: 'the domain name is not in your account', answer: 'found', confidence: 'likely' },
    { it: 'leaves a server that fails inside to the provider', text: 'error 500: database error while reading zone example.com: record table missing', answer: 'not-applicable' },
    { it: 'leaves an API that is not trusted to the provider', text: 'Put "https://pdns.corp.example/api/v1/servers/localhost/zones": tls: failed to verify certificate: x509: certificate signed by unknown authority', answer: 'not-applicable' },
    { it: 'understands a provider that it never met', text: 'example.com is not managed by this account', answer: 'found', confidence: 'likely' },
    { it: 'reads a missing domain behind its records', text: 'GET https://api.digitalocean.com/v2/domains/sub.example.com/records?type=TXT: 404 (request "5c") Resource not found', answer: 'found', confidence: 'likely' },
    { it: 'steps back when only the cluster knows the zone', text: 'GET https://api.digitalocean.com/v2/domains/sub.example.com/records?type=TXT: 404 (request "5c") Resource not found', about: { delegation: aDelegation({ clusterZone: 'sub.example.com', publicZone: 'example.com' }) }, answer: 'found', confidence: 'possible' },
    { it: 'is not led astray by a Secret in front', text: 'unable to get secret `cert-manager`; unable to find hetzner dns zone with: example.com.', answer: 'found', confidence: 'likely' },
    { it: 'does not take each failed look for the zone for its absence', text: 'failed to get zone: limit of 3600 requests per hour reached (rate_limit_exceeded, 4f)', answer: 'found', confidence: 'possible' },
    { it: 'takes a missing parent for a missing zone', text: 'AdmConDataNotFoundError: The action is not allowed. A parent was not found.', answer: 'found', confidence: 'likely' },
    { it: 'finds Route 53 without the zone', text: 'failed to determine Route 53 hosted zone ID: zone  not found in Route 53 for domain _acme-challenge.shop.example.com.', answer: 'found', confidence: 'proven' },
    { it: 'takes Cloudflare\'s text as likely, since a missing right gives it too', text: 'Found no Zones for domain _acme-challenge.shop.example.com. (neither in the sub-domain nor in the SLD)', answer: 'found', confidence: 'likely' },
    { it: 'stays possible when the text names the target of a CNAME', text: 'Found no Zones for domain target.cloud.example. (neither in the sub-domain nor in the SLD)', about: { txt: aTxt({ cname: ['target.cloud.example'] }) }, answer: 'found', confidence: 'possible' },
    { it: 'leaves the CA\'s NXDOMAIN alone', text: '400 urn:ietf:params:acme:error:dns: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.shop.example.com - check that a DNS record exists for this domain', wrapper: 'authorization', answer: 'not-applicable' }
  ],
  'dns01-wrong-hosted-zone': [
    { it: 'takes none found for no second zone', text: 'found 0 zones for example.com. in the account', answer: 'not-applicable' },
    { it: 'finds a name that the zone does not hold', text: 'api error InvalidChangeBatch: [RRSet with DNS name _acme-challenge.shop.example.com. is not permitted in zone example.net.]', answer: 'found', confidence: 'likely' },
    { it: 'finds a record that only the cluster sees', about: { challenge: presented, txt: aTxt({ servers: [server('cluster', '10.96.0.10', ['expected']), server('authoritative', 'ns1', [])] }) }, answer: 'found', confidence: 'likely' },
    { it: 'is ruled out by the record in the public zone', about: { challenge: presented, txt: aTxt({ servers: [server('cluster', '10.96.0.10', ['expected']), server('authoritative', 'ns1', ['expected'])] }) }, answer: 'ruled-out' },
    { it: 'does not judge without the DNS', about: { challenge: presented, txt: noLook() }, answer: 'not-applicable' }
  ],
  'dns01-provider-config-invalid': [
    { it: 'finds two kinds of credentials at once', text: 'API key and API token secret references are both present', answer: 'found', confidence: 'proven' },
    { it: 'leaves a missing Secret alone', text: 'error instantiating cloudflare challenge solver: error getting cloudflare secret: required secret not found', answer: 'not-applicable' }
  ],
  'dns01-provider-throttled': [
    { it: 'understands a provider that it never met', text: 'API call quota reached', answer: 'found', confidence: 'likely' },
    { it: 'finds a limit behind a failed look for the zone', text: 'failed to get zone: limit of 3600 requests per hour reached (rate_limit_exceeded, 4f)', answer: 'found', confidence: 'proven' },
    { it: 'finds a throttled request', text: '{"detail":"Request was throttled. Expected available in 5 seconds."}', answer: 'found', confidence: 'proven' },
    { it: 'finds Amazon\'s throttling', text: 'operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 400, api error Throttling: Rate exceeded', answer: 'found', confidence: 'proven' },
    { it: 'finds Cloudflare\'s', text: 'GET "/zones?name=example.com" Error: 971: Please wait and consider throttling your request speed', answer: 'found', confidence: 'proven' },
    { it: 'leaves the CA\'s rate limit alone', text: '429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued', answer: 'not-applicable' }
  ],
  'dns01-provider-error': [
    { it: 'finds a broken connection to an API whose URL names the challenge', text: 'Get "https://api.cloudflare.com/client/v4/zones?name=_acme-challenge.shop.example.com": remote error: tls: handshake failure', answer: 'found', confidence: 'likely' },
    { it: 'takes a reason that no other cause knows as possible', text: 'expected array of Record, got: map[string]interface {}{}', answer: 'found', confidence: 'possible' },
    { it: 'makes nothing of words that were taken out', text: '<redacted AWS SDK error: http.ResponseError: see events and logs for details>', answer: 'not-applicable' },
    { it: 'finds a server error of the provider', text: 'API call failed: status code 503 from https://api.provider.example', answer: 'found', confidence: 'likely' },
    { it: 'finds an API that is switched off', text: 'googleapi: Error 403: Cloud DNS API has not been used in project 1, SERVICE_DISABLED', answer: 'found', confidence: 'proven' },
    { it: 'leaves an HTTP-01 status alone', text: 'wrong status code \'503\', expected \'200\'', answer: 'not-applicable' }
  ],
  'dns01-webhook-unavailable': [
    { it: 'finds the API without the resource, in bare words', text: 'the server could not find the requested resource', source: 'event', answer: 'found', confidence: 'likely' },
    { it: 'leaves the same words of a built-in solver alone', text: 'the server could not find the requested resource', about: { challenge: presenting }, answer: 'not-applicable' },
    { it: 'finds a webhook that takes too long', text: 'the server was unable to return a response in the time allotted, but may still be processing the request (post desec.acme.example.org)', answer: 'found', confidence: 'likely' },
    { it: 'finds an APIService that is not Available', text: 'the server is currently unable to handle the request (post hetzner.acme.example.org)', answer: 'found', confidence: 'proven' },
    { it: 'finds a solver that is not registered', text: 'the server could not find the requested resource (post hetzner.acme.example.org)', answer: 'found', confidence: 'proven' },
    { it: 'finds it from the APIService alone', about: { challenge: { ...presenting, solver: 'webhook', solverConfig: { webhook: { groupName: 'acme.example.org' } } } }, shared: { controller: aController({ apiServices: [{ group: 'acme.example.org/v1alpha1', available: false, reason: 'MissingEndpoints' }] }) }, answer: 'found', confidence: 'likely' },
    { it: 'is ruled out by an Available APIService', about: { challenge: { ...presenting, solver: 'webhook', solverConfig: { webhook: { groupName: 'acme.example.org' } } } }, shared: { controller: aController({ apiServices: [{ group: 'acme.example.org/v1alpha1', available: true }] }) }, answer: 'ruled-out' },
    { it: 'says nothing of other solvers', about: { challenge: presenting }, answer: 'not-applicable' }
  ],
  'dns01-webhook-forbidden': [
    { it: 'finds a webhook that may not ask the API who calls it', text: 'an error on the server ("Internal Server Error: "/apis/acme.example.org/v1alpha1/ovh": Unauthorized") has prevented the request from succeeding (post ovh.acme.example.org)', answer: 'found', confidence: 'proven', variant: 'service-account' },
    { it: 'finds a webhook of any name that may not read its Secret', text: 'failed to get secret: secrets "ovh" is forbidden: User "system:serviceaccount:cert-manager:cm-ovh" cannot get resource "secrets" in API group "" in the namespace "shop"', answer: 'found', confidence: 'proven', variant: 'secret-reader' },
    { it: 'leaves the controller\'s own account to its RBAC', text: 'secrets "ovh" is forbidden: User "system:serviceaccount:cert-manager:platform" cannot get resource "secrets" in API group "" in the namespace "shop"', shared: { controller: aController({ serviceAccount: 'platform' }) }, answer: 'not-applicable' },
    { it: 'finds a binding that names another account', text: 'ovh.acme.example.org is forbidden: User "system:serviceaccount:cert-manager:platform" cannot create resource "ovh" in API group "acme.example.org" at the cluster scope', shared: { controller: aController({ apiServices: [{ group: 'acme.example.org/v1alpha1', available: true }] }) }, answer: 'found', confidence: 'proven', variant: 'service-account' },
    { it: 'finds a group name that nobody registered', text: 'ovh.acme.exmaple.org is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot create resource "ovh" in API group "acme.exmaple.org" at the cluster scope', shared: { controller: aController({ apiServices: [{ group: 'acme.example.org/v1alpha1', available: true }] }) }, answer: 'found', variant: 'group-name' },
    { it: 'finds a webhook that may not read its Secret', text: 'secrets "hetzner" is forbidden: User "system:serviceaccount:cert-manager:cert-manager-webhook-hetzner" cannot get resource "secrets" in API group "" in the namespace "shop"', answer: 'found', variant: 'secret-reader' },
    { it: 'leaves cert-manager\'s own objects to its RBAC', text: 'challenges.acme.cert-manager.io is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot create resource "challenges" in API group "acme.cert-manager.io" at the cluster scope', answer: 'not-applicable' }
  ],
  'dns01-webhook-config-invalid': [
    { it: 'understands a webhook that it never met', text: 'unsupported apiVersion in solver config', about: { challenge: { ...presenting, solver: 'webhook' } }, answer: 'found', confidence: 'likely' },
    { it: 'finds a Secret without a name', text: 'failed reading secret "cert-manager/": resource name may not be empty', about: { challenge: { ...presenting, solver: 'webhook' } }, answer: 'found', confidence: 'likely' },
    { it: 'leaves built-in solvers to their own configuration', text: 'projectID is required', about: { challenge: presenting }, answer: 'not-applicable' },
    { it: 'finds a config that cannot be decoded', text: 'error decoding solver config: json: cannot unmarshal string into Go struct field', answer: 'found', confidence: 'proven' },
    { it: 'finds an empty zone name in the webhook\'s log', text: 'unable to find id for zone name ``; wrong number of zones in response 3 must be exactly = 1', source: 'log', wrapper: 'log', answer: 'found', confidence: 'likely' },
    { it: 'leaves a missing Secret alone', text: 'secret hetzner not found', answer: 'not-applicable' }
  ],
  'dns01-update-refused': [
    { it: 'finds a key that does not fit', text: 'DNS update failed: dns: bad authentication', answer: 'found', confidence: 'proven' },
    { it: 'finds a refusal by policy', text: 'DNS update failed. Server replied: REFUSED', answer: 'found', confidence: 'proven' },
    { it: 'leaves a server error to the provider', text: 'DNS update failed. Server replied: SERVFAIL', answer: 'not-applicable' }
  ],
  'dns01-acmedns-not-registered': [
    { it: 'finds a domain without account', text: 'account credentials not found for domain shop.example.com', answer: 'found', confidence: 'proven' },
    { it: 'finds the missing CNAME', about: { challenge: { ...presented, solver: 'acmeDNS' }, txt: aTxt({ state: 'none' }) }, answer: 'found', confidence: 'likely' },
    { it: 'is ruled out by a CNAME', about: { challenge: { ...presented, solver: 'acmeDNS' }, txt: aTxt({ cname: ['d420.acme-dns.example'] }) }, answer: 'ruled-out' },
    { it: 'says nothing of other solvers', about: { challenge: presented, txt: aTxt() }, answer: 'not-applicable' }
  ],
  'dns01-not-propagated': [
    { it: 'reads other CAs', text: 'error looking up TXT records for domain "shop.example.com": lookup _acme-challenge.shop.example.com on 10.96.0.10:53: no such host', wrapper: 'authorization', answer: 'found', confidence: 'likely' },
    { it: 'proves a server that lags behind', text: 'DNS record for "shop.example.com" not yet propagated', wrapper: 'self-check', about: { challenge: presented, txt: aTxt({ state: 'partial', servers: [server('authoritative', 'ns1', ['expected']), server('authoritative', 'ns2', [])] }) }, answer: 'found', confidence: 'proven', variant: 'partial' },
    { it: 'takes a record at no server as likely', text: 'DNS record for "shop.example.com" not yet propagated', wrapper: 'self-check', about: { challenge: presented, txt: aTxt({ servers: [server('authoritative', 'ns1', []), server('authoritative', 'ns2', [])] }) }, answer: 'found', confidence: 'likely', variant: 'none' },
    { it: 'believes the CA after the record was taken away', text: 'No TXT record found at _acme-challenge.shop.example.com', wrapper: 'authorization', about: { challenge: gone, txt: aTxt({ servers: [server('authoritative', 'ns1', [])] }) }, answer: 'found', confidence: 'likely' },
    { it: 'is ruled out when every server has it', text: 'DNS record for "shop.example.com" not yet propagated', wrapper: 'self-check', about: { challenge: presented, txt: aTxt({ state: 'everywhere', servers: [server('authoritative', 'ns1', ['expected'])] }) }, answer: 'ruled-out' },
    { it: 'is ruled out by other values', text: 'DNS record for "shop.example.com" not yet propagated', wrapper: 'self-check', about: { challenge: presented, txt: aTxt({ state: 'other-values', foreignDigests: [other], servers: [server('authoritative', 'ns1', [other])] }) }, answer: 'ruled-out' },
    { it: 'is only possible when DNS cannot be asked', text: 'DNS record for "shop.example.com" not yet propagated', wrapper: 'self-check', about: { challenge: presented, txt: noLook('no DNS') }, answer: 'found', confidence: 'possible' },
    { it: 'does not take the absence after the failure for a cause', about: { challenge: gone, txt: aTxt({ servers: [server('authoritative', 'ns1', [])] }) }, answer: 'not-applicable' }
  ],
  'dns01-split-horizon': [
    { it: 'knows the name servers of private Route 53 zones', text: 'NS ns-512.awsdns-00.net.:53 returned REFUSED for _acme-challenge.shop.example.com.', wrapper: 'self-check', answer: 'found', confidence: 'likely' },
    { it: 'says nothing of public ones', text: 'NS ns-1021.awsdns-63.net.:53 returned REFUSED for _acme-challenge.shop.example.com.', wrapper: 'self-check', answer: 'not-applicable' },
    { it: 'finds an internal zone', about: { challenge: presenting, delegation: aDelegation({ clusterZone: 'corp.example.com', publicZone: 'example.com' }) }, answer: 'found', confidence: 'likely' },
    { it: 'finds a resolver with a value of its own', about: { challenge: presented, txt: aTxt({ servers: [server('cluster', '10.96.0.10', [other]), server('authoritative', 'ns1', ['expected'])] }) }, answer: 'found', confidence: 'likely' },
    { it: 'is only possible when the record is merely missing inside', about: { challenge: presented, txt: aTxt({ servers: [server('cluster', '10.96.0.10', []), server('authoritative', 'ns1', ['expected'])] }) }, answer: 'found', confidence: 'possible' },
    { it: 'is likely when the addresses differ as well', about: { challenge: presented, addresses: anAddresses({ split: true }), txt: aTxt({ servers: [server('cluster', '10.96.0.10', []), server('public', '1.1.1.1', ['expected'])] }) }, answer: 'found', confidence: 'likely' },
    { it: 'is ruled out by equal answers', about: { challenge: presented, txt: aTxt({ servers: [server('cluster', '10.96.0.10', ['expected']), server('authoritative', 'ns1', ['expected'])] }) }, answer: 'ruled-out' },
    { it: 'says nothing once the CA has judged', about: { challenge: gone, delegation: aDelegation({ clusterZone: 'corp.example.com', publicZone: 'example.com' }) }, answer: 'not-applicable' }
  ],
  'dns01-nameserver-unreachable': [
    { it: 'finds a closed port 53', text: 'dial tcp 203.0.113.86:53: i/o timeout', wrapper: 'self-check', answer: 'found', confidence: 'proven' },
    { it: 'cites the policy that closes it', text: 'read udp 10.0.0.5:40000->203.0.113.86:53: i/o timeout', wrapper: 'self-check', about: { networkPolicy: aNetworkPolicy({ controllerEgress: { verdict: 'blocked', ports: [53], policies: ['cert-manager/deny'], why: 'no rule' } }) }, answer: 'found' },
    { it: 'leaves a failed look-up of the CA alone', text: 'Get "https://acme-v02.api.letsencrypt.org/directory": dial tcp: lookup acme-v02.api.letsencrypt.org on 10.96.0.10:53: no such host', source: 'log', wrapper: 'log', answer: 'not-applicable' }
  ],
  'dns01-nameserver-failing': [
    { it: 'finds a server that fails', text: 'NS ns1.example.net.:53 returned SERVFAIL for _acme-challenge.shop.example.com.', wrapper: 'self-check', answer: 'found', confidence: 'proven' },
    { it: 'steps back when DNSSEC is broken', text: 'NS ns1.example.net.:53 returned SERVFAIL for _acme-challenge.shop.example.com.', wrapper: 'self-check', about: { delegation: aDelegation({ dnssec: 'bogus' }) }, answer: 'found', confidence: 'possible' },
    { it: 'says nothing of an absent record', text: 'NXDOMAIN looking up TXT for _acme-challenge.shop.example.com', answer: 'not-applicable' }
  ],
  'dns01-dnssec-invalid': [
    { it: 'finds the CA\'s extended error', text: 'DNS problem: looking up TXT for _acme-challenge.shop.example.com: DNSSEC: Bogus', answer: 'found', confidence: 'proven' },
    { it: 'finds a zone that answers only unvalidated', about: { delegation: aDelegation({ dnssec: 'bogus', dnssecText: 'SERVFAIL, EDE 6' }) }, answer: 'found', confidence: 'likely' },
    { it: 'is ruled out by an unsigned zone', about: { delegation: aDelegation({ dnssec: 'unsigned' }) }, answer: 'ruled-out' },
    { it: 'says nothing when it was not checked', about: { delegation: aDelegation({ dnssec: 'unknown' }) }, answer: 'not-applicable' }
  ],
  'dns01-cname-delegation-broken': [
    { it: 'finds a chain without end', text: 'Found recursive CNAME record to "a.example." when looking up "b.example."', answer: 'found', confidence: 'proven' },
    { it: 'finds a solver that does not follow', about: { challenge: presented, txt: aTxt({ cname: ['x.acme.example'] }) }, answer: 'found', confidence: 'likely' },
    { it: 'finds a zone walk that ended at the target', text: 'Found no Zones for domain x.cloud.example.', about: { challenge: presenting, txt: aTxt({ cname: ['x.cloud.example'], wildcardAnswer: true }) }, answer: 'found', confidence: 'likely' },
    { it: 'finds a record of another name that the zone does not hold', text: 'InvalidChangeBatch: [RRSet with DNS name lb.us-east-1.elb.amazonaws.com. is not permitted in zone example.com.]', answer: 'found', confidence: 'likely' },
    { it: 'leaves the challenge\'s own name to the zone', text: 'InvalidChangeBatch: [RRSet with DNS name _acme-challenge.shop.example.com. is not permitted in zone example.net.]', answer: 'not-applicable' },
    { it: 'is ruled out where there is no CNAME', about: { challenge: presented, txt: aTxt() }, answer: 'ruled-out' },
    { it: 'says nothing when the record is served', about: { challenge: presented, txt: aTxt({ state: 'everywhere', cname: ['x.acme.example'] }) }, answer: 'not-applicable' }
  ],
  'dns01-stale-txt-record': [
    { it: 'believes the CA', text: `Incorrect TXT record "${other}" found at _acme-challenge.shop.example.com`, answer: 'found', confidence: 'proven' },
    { it: 'sees that many are left over', text: `Incorrect TXT record "${other}" (and 11 more) found at _acme-challenge.shop.example.com`, answer: 'found', variant: 'leftover' },
    { it: 'finds other values at every server', about: { challenge: presented, txt: aTxt({ state: 'other-values', foreignDigests: [other], servers: [server('authoritative', 'ns1', [other])] }) }, answer: 'found', confidence: 'likely' },
    { it: 'finds a remembered absence', about: { challenge: presented, txt: aTxt({ state: 'partial', servers: [server('authoritative', 'ns1', ['expected']), server('public', '1.1.1.1', [], { negativeTtl: 300 })] }) }, answer: 'found', confidence: 'possible', variant: 'negative-cache' },
    { it: 'is ruled out when every server has the right one', about: { challenge: presented, txt: aTxt({ state: 'everywhere', servers: [server('authoritative', 'ns1', ['expected'])] }) }, answer: 'ruled-out' },
    { it: 'says nothing before the record is presented', about: { challenge: presenting, txt: aTxt({ state: 'other-values', foreignDigests: [other] }) }, answer: 'not-applicable' }
  ],
  'dns01-search-domain-hijack': [
    { it: 'finds a zone walk that left the real tree', text: 'Could not determine the zone for "_acme-challenge.shop.example.com.svc.cluster.local."', answer: 'found', confidence: 'likely' },
    { it: 'leaves the resolver\'s own name in a text alone', text: 'Post "https://hook.svc.cluster.local": dial tcp: lookup hook on 10.96.0.10:53: no such host', answer: 'not-applicable' }
  ]
}

for (const [id, rows] of Object.entries(tables)) {
  const { default: cause } = await import(`../../src/diagnose/causes/${id}.ts`) as { default: Cause }
  t.test(id, t => {
    for (const { it, text, source = 'challenge', wrapper = 'present', objectKind, about = {}, shared = {}, answer, confidence, variant } of rows) {
      const incident = aCase({
        identifiers: [anIdentifier({ challengeType: 'DNS-01', state: 'pending', facts: about })],
        facts: shared,
        texts: text === undefined ? [] : [aText(text, { source, wrapper, objectKind })]
      })
      const result = examineAlone(cause, incident)
      // A guess from facts alone is not shown as the cause, only below it.
      const found = result.found ?? result.diagnosis.alsoFits[0]
      t.equal(found === undefined ? result.answer : 'found', answer, it)
      if (confidence !== undefined) t.equal(found?.confidence, confidence, `${it}: confidence`)
      if (variant !== undefined) t.equal(found?.variant, variant, `${it}: variant`)
      if (found !== undefined) t.notMatch(found.summary, /[{}]/, `${it}: no blank is left in the summary`)
    }
    t.end()
  })
  t.test(`${id} does not speak of an HTTP-01 challenge`, t => {
    const [row] = rows.filter(({ text }) => text !== undefined)
    const incident = aCase({ texts: row?.text === undefined ? [] : [aText(row.text, { wrapper: 'present' })] })
    t.equal(examineAlone(cause, incident).answer, 'not-applicable')
    t.end()
  })
}
