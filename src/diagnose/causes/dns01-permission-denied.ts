import { defineCause, notApplicable } from '../cause.ts'

/** The provider knows who asks and says that this identity may not do it. */
export default defineCause({
  id: 'dns01-permission-denied',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['delegation'],
  variants: ['assume-role', 'zone-read', 'record-write'],
  title: 'The DNS credentials lack a permission at the provider',
  meaning: 'The credentials of the solver are valid, and the provider refuses what they ask for: {text}',
  remedy: [
    { do: 'See which credentials and role the solver names.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o jsonpath=\'{.spec.acme.solvers}\'' },
    'Grant the action that the text names. Route 53 needs route53:ListHostedZonesByName, route53:ChangeResourceRecordSets and route53:GetChange; Cloudflare needs Zone.Zone:Read and Zone.DNS:Edit; Azure needs DNS Zone Contributor; Google needs dns.admin or its parts.',
    { do: 'Then let cert-manager try again.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  related: ['dns01-credentials-rejected', 'dns01-zone-not-found'],
  texts: [
    // Amazon
    { in: ['challenge', 'event', 'log', 'alert'], match: 'sts:AssumeRole|unable to assume role.{0,400}(?:AccessDenied|not authorized)', unless: 'InvalidIdentityToken|ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch|no EC2 IMDS|web identity token is set', confidence: 'proven', variant: 'assume-role' },
    // Not every failure to take on the role is a refusal: the service may not have been reached, or have had enough.
    { in: ['challenge', 'event', 'log', 'alert'], match: 'unable to assume role', unless: 'AccessDenied|not authorized|InvalidIdentityToken|ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch|no EC2 IMDS|web identity token is set|request send failed|StatusCode: (?:0|5\\d\\d)\\b|Throttling|Rate exceeded|ValidationError|dial tcp|failed to resolve service endpoint', confidence: 'likely', variant: 'assume-role' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'not authorized to perform:? route53:(?:ListHostedZones|GetHostedZone|ListResourceRecordSets)|ListHostedZonesByName,.{0,200}AccessDenied', confidence: 'proven', variant: 'zone-read' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'not authorized to perform:? route53:(?:ChangeResourceRecordSets|GetChange)|ChangeResourceRecordSets,.{0,200}AccessDenied|failed to query Route 53 change status', unless: 'Throttling|Rate exceeded', confidence: 'proven', variant: 'record-write' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:api error )?AccessDenied(?:Exception)?:|not authorized to perform', unless: 'sts:AssumeRole|unable to assume role|route53:(?:List|Get|Change)', confidence: 'likely' },
    // Cloudflare
    { in: ['challenge', 'event', 'log', 'alert'], match: 'requires permission .{0,80}zone\\.list|Error: 9109: (?:Unauthorized|Cannot)|Error: 0: Actor', confidence: 'proven', variant: 'zone-read' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:POST|PUT|PATCH|DELETE) "?/zones/[^"]+/dns_records.{0,80}Error: (?:10000|9109)|\\b(?:create|add|update|edit|delete|remove)\\b[\\w ]{0,24}\\brecord\\b.{0,80}\\b10000: Authentication error', confidence: 'proven', variant: 'record-write' },
    // Azure
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:PUT|PATCH|DELETE|POST) https://management\\.[\\w.]+/.{0,400}AuthorizationFailed|does not have authorization to perform action .{0,20}Microsoft\\.Network/dnsZones/TXT/write', confidence: 'proven', variant: 'record-write' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'GET https://management\\.[\\w.]+/.{0,400}AuthorizationFailed|does not have authorization to perform action .{0,20}Microsoft\\.Network/dnsZones/read', confidence: 'proven', variant: 'zone-read' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'AuthorizationFailed|does not have authorization to perform action', unless: '(?:PUT|PATCH|DELETE|POST|GET) https://management|Microsoft\\.Network/dnsZones/(?:TXT/write|read)', confidence: 'proven' },
    // Google
    { in: ['challenge', 'event', 'log', 'alert'], match: 'iam\\.serviceAccounts\\.getAccessToken|Unable to generate access token', confidence: 'proven', variant: 'assume-role' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'googleapi: Error 403', unless: 'has not been used in project|SERVICE_DISABLED|rateLimitExceeded|quota', confidence: 'proven' },
    // Webhook solvers and the rest
    { in: ['challenge', 'event', 'log', 'alert'], match: 'This call has not been granted|ACCESS_DENIED|Authenticated user is not allowed|insufficient (?:permissions?|scope|privileges?|rights)|Forbidden\\.RAM|NoPermission|User not authorized to operate|UnauthorizedOperation|permission denied for (?:zone|domain)|not permitted to (?:access|manage|modify)|(?:you are|token is|key is|user is|account is) not (?:authori[sz]ed|allowed|permitted) to (?:perform|access|use|operate|manage|create|modify)', confidence: 'proven', when: { wrapper: ['present', 'cleanup', 'log', 'object', 'alert'] } },
    // Some providers say so of a zone that the account simply does not have.
    { in: ['challenge', 'event', 'log', 'alert'], match: 'User has no access', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log', 'object', 'alert'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'only allows read access|token_readonly|read-only (?:token|key|(?:for|to|with) (?:this|the|your))|only allowed to perform GET', confidence: 'proven', variant: 'record-write', when: { wrapper: ['present', 'cleanup', 'log', 'object', 'alert'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:status|code|error|http|response)[^a-z0-9]{0,12}(?:code |error )?403\\b|\\b403 forbidden|\\[403\\]|NotAuthorizedOrNotFound|code = PermissionDenied|(?:permission|access) denied\\b|Invalid request IP|not opted in to API|(?:white|allow)-?listed IP|IP (?:address )?(?:\\S+ )?(?:is )?not (?:white|allow)[ -]?listed|is not authorized to access this resource', unless: 'open /|unable to read file|urn:ietf:params:acme|urn:acme|authorization error|wrong status code|googleapi|management\\.azure|AccessDenied|system:serviceaccount|<html', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '\\bforbidden\\b|\\b403\\b|(?:\\bnot have|n\'t have|\\blacks?|lacking|missing|insufficient|without)\\b[\\w ]{0,24}\\b(?:permissions?|rights?|privileges?|scopes?)\\b|(?:operation|action|request) (?:is )?(?:not permitted|not allowed|denied)|\\bno\\b[\\w ]{0,16}\\b(?:permissions?|privileges?|rights|(?:write|read|update|edit|admin\\w*) access)\\b|polic(?:y|ies) (?:does not|doesn\'t|do not|don\'t) allow|authori[sz]ation error|unauthori[sz]ed IP|\\bnot (?:privileged|entitled|eligible)\\b|\\bno access to\\b|\\bnot have access\\b|\\b(?:key|user|account|token|client|role)\\b[\\w ]{0,12}\\b(?:not|n\'t|cannot)\\b[\\w ]{0,8}\\b(?:permitted|allowed|allow|authori[sz]ed|access)\\b|\\b(?:not|n\'t|cannot)\\b.{0,24}\\bfrom (?:your|this) (?:IP|address)|\\b(?:invalid|wrong|missing)\\b[\\w ]{0,12}\\bscopes?\\b|\\bIP\\b.{0,40}\\bnot (?:authori[sz]ed|allowed|permitted|white-?listed|allow-?listed|(?:in|within|on)\\b.{0,20}\\b(?:range|list))|\\b(?:api|access)\\b[\\w ]{0,24}\\b(?:disabled|not enabled|not activated|has not been enabled|turned off)\\b|\\b(?:need\\w*|require[sd]?|without|no|upgrade|inactive|expired)\\b[\\w ]{0,24}\\b(?:subscription|paid plan|plan|licen[cs]e)\\b|\\b(?:subscription|plan|licen[cs]e)\\b[\\w ]{0,24}\\b(?:required|needed|expired|inactive|not include\\w*|does not)\\b|payment required|\\boverdue\\b|\\bunpaid\\b|outstanding (?:invoice|balance)|insufficient (?:funds|credit|balance)|\\b(?:access|client|address|IP)\\b[\\w ]{0,16}\\b(?:blocked|banned|barred)\\b|\\b(?:may|must) not (?:add|create|write|modify|update|delete|edit|change|manage)\\b|\\brole\\b.{0,30}\\b(?:may|can|must|is|does) ?(?:not|n\'t)\\b', unless: 'open /|unable to read file|is forbidden: |admission webhook|system:serviceaccount|<html|rate|throttl|quota|has not been used in project|SERVICE_DISABLED|InvalidClientTokenId|SignatureDoesNotMatch|InvalidSignature|InvalidIdentityToken|ExpiredToken|operation not permitted$|\\b(?:while|until)\\b|in progress|\\b404\\b|parent was not found', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } }
  ],

  examine ({ hits, delegation }) {
    const [best, ...rest] = hits
    if (best === undefined) return notApplicable
    // A zone that only the cluster's resolver knows: nobody holds rights on it at the provider.
    const { clusterZone, publicZone } = delegation.is === 'seen' ? delegation.value : {}
    if (clusterZone !== undefined && publicZone !== undefined && clusterZone !== publicZone && best.text.whole.toLowerCase().includes(clusterZone)) {
      return { is: 'found', confidence: 'possible', variant: best.rule.variant, blanks: {}, because: [best, 'delegation'] }
    }
    return { is: 'found', confidence: best.rule.confidence, variant: best.rule.variant, blanks: {}, because: [best, ...rest.slice(0, 2)] }
  }
})
