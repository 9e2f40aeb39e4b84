import { defineCause } from '../cause.ts'

/** The account of the provider has no zone for the name, or the walk up the tree found a name that is no zone there. */
export default defineCause({
  id: 'dns01-zone-not-found',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['txt', 'delegation', 'challenge'],
  title: 'The DNS provider\'s account has no zone for {dnsName}',
  meaning: 'The record cannot be written because no zone for the name was found: {text}',
  remedy: [
    { do: 'See where the zone begins, as the cluster and the world see it.', run: 'dig +noall +authority SOA _acme-challenge.{dnsName} @1.1.1.1' },
    'Use credentials of the account that holds the zone, or name it in the solver (hostedZoneID, hostedZoneName, project, zoneName).',
    'If the cluster\'s resolver shows a zone that the provider does not have, set --dns01-recursive-nameservers to public resolvers.'
  ],
  related: ['dns01-permission-denied', 'dns01-wrong-hosted-zone', 'dns01-split-horizon'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'zone \\S* ?not found in Route ?53|NoSuchHostedZone', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Found no Zones for domain', confidence: 'likely' },
    // cert-manager writes "not found in AzureDNS" whatever went wrong; what comes after `Err:` decides.
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Zone \\S+ not found in AzureDNS|ParentResourceNotFound|ResourceGroupNotFound', unless: '<redacted ', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Zone \\S+ not found in AzureDNS.{0,300}<redacted Azure SDK error: azcore', confidence: 'possible' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'ERROR CODE: ResourceNotFound', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'No matching (?:\\w+ )?(?:domain|zone) found for (?:domain|zone)|managedZone\' resource named', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'The resource you (?:were looking for|requested|were accessing) could not be found', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'failed to determine hosted domain', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Could not find the SOA record in the DNS tree|Could not determine the zone for|could not find the start of authority', unless: '(?:but got|response code) \\W*(?:SERVFAIL|REFUSED|NOTIMP|FORMERR)', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:unable|failed|cannot|could not|couldn\'t) (?:to )?(?:find|determine|locate|identify|match|detect|discover)[\\w ]{0,30}(?:hosted )?(?:zone|domain)|parent (?:\\w+ )?(?:\'[^\']*\' )?(?:was |is )?not found|parse (?:host|domain|zone)[\\w/ ]{0,12} (?:out of|from)|wrong number of zones|This service does not exist|(?:domain|zone)[\\w ."\'`:-]{0,80} (?:was |is )?(?:not found|does(?: not|n\'t) exist|not exists?|not known|unknown)|InvalidDomainName\\.NoExist|fqdn \\S+ is not part of|UNKNOWN_DOMAIN|code = NotFound|no (?:such|matching|public) (?:hosted )?(?:zone|domain)|no (?:\\w+ )?(?:zones?|domains?) (?:was |were |is )?(?:found|configured|defined)|Unknown (?:zone|domain)|NOT_FOUND', unless: 'urn:ietf:params:acme|solver configuration|check that a DNS record exists|not found in Route ?53|not found in AzureDNS|no such host|Route 53 hosted zone ID: (?:operation|AccessDenied|InvalidClientTokenId|Throttling|failed|NoCredential|SignatureDoesNotMatch|ExpiredToken|RequestError|WebIdentityErr)|secrets? \\S+ (?:not found|is forbidden)|in secret|from secret|TSIG|resource name may not be empty|x509: |tls: |context (?:deadline|canceled)|timed? ?out\\b|connection re(?:set|fused)|\\b50[0-4]\\b|but got \\W*(?:SERVFAIL|REFUSED|NOTIMP|FORMERR)|\\b(?:function|method|module|endpoint|command)\\b', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log', 'object', 'alert'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '\\b404\\b.{0,80}/(?:zones?|domains?|dns-?zones)/|/(?:zones?|domains?|dns-?zones)/.{0,80}\\b404\\b', unless: 'management\\.azure|/dns_records|zones/\\S+/records', confidence: 'likely', when: { wrapper: ['present', 'log'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '\\b(?:zone|domain)\\b.{0,80}\\b(?:not (?:registered|managed|hosted|owned|configured) (?:by|in|with|for)|missing|could not be (?:located|found)|does not belong|(?:is )?not (?:associated|registered|linked|connected) (?:with|to|in) (?:this|your|the) account)\\b|not (?:managed|hosted|registered|owned) (?:by|in|with) (?:this|your|the) account|\\b(?:zone|domain) missing\\b|\\bnot an? (?:\\w+ )?(?:zone|domain) (?:of|in|at)\\b|\\b(?:zone|domain) (?:lookup|search|query)\\b.{0,30}\\b(?:nothing|no (?:match|result)\\w*|empty)\\b|\\b(?:domain|zone)s?\\b.{0,60}\\bnot\\b[\\w ]{0,20}\\bin\\b[\\w ]{0,12}\\b(?:account|project|folder|membership|team|organi[sz]ation|subscription|tenant)\\b|\\bno\\b[\\w ]{0,20}\\b(?:domain|zone)s?\\b[\\w ]{0,12}\\bin\\b|(?:\\bnot|n\'t) (?:own|manage|host|control)\\b[\\w ]{0,24}\\b(?:domain|zone)\\b|NoDataOfDomain|\\b(?:0|zero) (?:hosted |managed )?(?:zones|domains)\\b|\\bnohost\\b|expected 1 (?:zone|domain),? (?:but )?got 0|\\binvalid[ _](?:domain|zone)(?:[ _]name)?(?:["`.,;:)\\]]|$)|(?:not|n\'t) us(?:e|es|ing)\\b.{0,24}\\b(?:our|the|these) (?:name ?servers?|dns)|\\bno (?:hosted |managed |dns )?(?:zone|domain)s?(?: object| entry| item)? (?:match\\w*|contain\\w*|covers?|for)\\b|dns-?zones?/\\S+ .{0,60}not found|\\(2303\\)|(?:domain|zone)\\w*\\W.{0,80}\\b404\\b.{0,20}not found', unless: 'secret|permission|scope|/dns_records|zones/\\S+/records|x509: |tls: |\\b5\\d\\d\\b|database', confidence: 'likely', when: { wrapper: ['present', 'cleanup'] } },
    // A provider's 404 is hardly about anything but the zone; `failed to get zone:` may be followed by anything.
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:status|code|error|http|response)[^a-z0-9]{0,12}(?:code |error )?404\\b|\\[404\\]|(?:unable|failed|cannot|could not) to (?:get|retrieve|resolve)[\\w ]{0,30}(?:zone|domain)', unless: 'urn:ietf:params:acme|acme-challenge/|404 : |secret|https?://[^/\\s"]+(?:/api)?(?:/v\\d+)?/?"', confidence: 'possible', when: { wrapper: ['present'] } }
  ],

  examine ({ hits, txt, delegation }) {
    const [best, ...rest] = hits
    if (best === undefined) return { is: 'not-applicable' }
    // Follow writes under the target of a CNAME: then the delegation, not the account, is at fault.
    const target = txt.is === 'seen' ? txt.value.cname?.at(-1) : undefined
    const walked = target !== undefined && best.text.whole.toLowerCase().includes(target.toLowerCase().replace(/\.$/, ''))
    if (walked) return { is: 'found', confidence: 'possible', blanks: {}, because: [best, 'txt'] }
    // A zone that only the cluster's resolver knows: the walk went astray, and the account is not to blame.
    const { clusterZone, publicZone } = delegation.is === 'seen' ? delegation.value : {}
    if (clusterZone !== undefined && publicZone !== undefined && clusterZone !== publicZone && best.text.whole.toLowerCase().includes(clusterZone)) return { is: 'found', confidence: 'possible', blanks: {}, because: [best, 'delegation'] }
    if (delegation.is === 'seen' && delegation.value.registeredDomainState === 'nxdomain') return { is: 'found', confidence: 'possible', blanks: {}, because: [best, 'delegation'] }
    return { is: 'found', confidence: best.rule.confidence, blanks: {}, because: [best, ...rest.slice(0, 2)] }
  }
})
