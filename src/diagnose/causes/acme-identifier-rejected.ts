import { defineCause } from '../cause.ts'
import { everywhere, ofOthers } from '../sources.ts'

/** The CA will never issue for this name, whatever the servers answer. */
export default defineCause({
  id: 'acme-identifier-rejected',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  title: '{acmeHost} does not issue for {dnsName}: the name is refused',
  meaning: 'The policy of the CA forbids the name: malformed, internal or reserved, a public suffix, blocked, or an IP address that is not allowed. Trying again does not help.',
  remedy: [
    { do: 'See the names that are asked for.', run: 'kubectl -n {namespace} get certificate {certificate} -o jsonpath="{.spec}"' },
    'Correct the name: letters, digits and hyphens only (no underscore), no empty label, a public top-level domain.',
    'For internal names use a private CA; for an IP address a profile that allows it.',
    { do: 'Change the names; that starts a new attempt by itself.', run: 'kubectl -n {namespace} edit certificate {certificate}', changes: true }
  ],
  texts: [
    { in: everywhere, when: { notWrapper: ofOthers }, match: 'forbidden by policy|policy forbids issuing|refuses to issue a certificate for this (domain|identifier)', confidence: 'proven' },
    { in: everywhere, match: 'does not end with a valid public suffix|is an icann tld|wildcard for an icann tld', unless: 'contact|e-?mail', confidence: 'proven' },
    { in: everywhere, match: 'domain name (contains|is longer|has more|needs at least|can not|cannot|ends in)|label in a reserved format|malformed punycode|more than 10 labels|at least one dot|two dots in a row|identifier value \\(name\\) is empty', unless: 'contact|e-?mail', confidence: 'proven' },
    { in: everywhere, match: 'does not end in a public suffix|name is blacklisted|invalid character in dns name|dns (name does not have enough|label is too long)|cannot issue for "', unless: 'profile', confidence: 'likely' },
    { in: everywhere, match: 'domain has a label|containing an illegal character|more than one wildcard|only permitted before the first dot|wildcard domain names are not supported', confidence: 'proven' },
    { in: everywhere, match: 'redundant with a wildcard|recursive on-demand', confidence: 'proven' },
    { in: everywhere, match: 'value is an ip address|does not permit (ip address|dns) identifiers|ip address is (invalid|in a reserved)|unsupported identifier|disabled this identifier type|invalid identifier type', unless: 'redirect', confidence: 'proven' },
    { in: everywhere, match: 'will not issue certificate for name|\\b(name|domain|identifier|san)\\b.{0,120}not allowed by (this|the) role\\b', unless: '\\brole policy\\b', confidence: 'proven' },
    { in: everywhere, match: 'error:unsupportedidentifier', confidence: 'proven' },
    { in: everywhere, match: '.', when: { problem: ['rejectedIdentifier', 'unsupportedIdentifier'] }, unless: 'did not match|keyauthorization does not match|profile|will not issue certificates for the identifier|(more than|at most|maximum( of)?|limit of|up to) \\d+|number of (identifiers|names|domains|sans)', confidence: 'likely' },
    // An account that is good for other names only, in any CA's words.
    { in: everywhere, match: '\\b(domain|identifier|name|fqdn)\\b.{0,80}\\b(not (been )?(allowed|permitted|authori[sz]ed|(pre-?)?approved|delegated|enabled|(pre-?)?validated|verified|covered)|not in the (list|set)|(is|are|been) (blocked|banned|blacklisted|denied|restricted))\\b', unless: 'profile|caa|csr|too many|more than|limit|deactivated|common name|key authorization', when: { wrapper: ['order-create'] }, confidence: 'likely' },
    { in: everywhere, match: '\\bnot (authori[sz]ed|allowed|permitted|entitled|approved|validated)\\b.{0,60}\\b(domain|identifier|fqdn)\\b|\\b(invalid|malformed|illegal|unsupported|disallowed) (domain|dns name|hostname|host name|identifier)\\b|\\b(domain|identifier|tld)\\b.{0,40}\\b(unsupported|illegal|not (a )?valid)\\b|unsupported tld', unless: 'profile|caa|csr|contact|e-?mail|common name|key identifier|not(before|after)|too many|more than|limit', when: { wrapper: ['order-create'] }, confidence: 'likely' },
    { in: everywhere, match: '\\bnot (allowed|permitted|authori[sz]ed|entitled) to (request|order|issue|obtain)\\b.{0,40} for |\\b(does|do|may|can) ?not (allow|permit|contain|issue( certificates)? for)\\b.{0,24}\\b(dns ?names?|domain|identifier|fqdn|wildcard)', unless: 'csr|caa|common ?name|too many|more than', when: { wrapper: ['order-create', 'order-finalize'] }, confidence: 'likely' },
    { in: everywhere, match: '\\binternal (name|domain|host)|\\breserved (name|domain|tld|label)|high[- ]risk|\\bwildcards?\\b|punycode|\\blabels?\\b|public suffix|\\btld\\b|(domains?|names) (under|in|ending|below) \\.?[a-z]|publicly trusted', unless: 'profile|caa|\\bcsr\\b|contact|e-?mail|too many|more than|temporarily prevented', when: { wrapper: ['order-create'], problem: ['malformed', 'unauthorized', 'rejectedIdentifier'] }, confidence: 'likely' },
    { in: everywhere, match: '\\b(domains?|identifiers?|host ?names?|fqdns?|dns names?)\\b', when: { wrapper: ['order-create'], problem: ['malformed', 'unauthorized'] }, unless: 'profile|caa|\\bcsr\\b|contact|e-?mail|too many|more than|exceed|limit|maximum|number of|up to|at most|count|\\bmay have\\b|validity|notafter|account (is|has|does|was)|deactivated|common ?name|key id|jws|redundant', confidence: 'likely' },
    { in: everywhere, match: '\\b(host ?name|domain|name|label|identifier)\\b.{0,40}(exceeds?|longer than|more than|at most) \\d+ (octets|bytes|characters)', when: { wrapper: ['order-create'] }, unless: 'common ?name', confidence: 'likely' },
    // step-ca says the same of a wrong key authorization.
    { in: everywhere, match: 'will not issue certificates for the identifier', confidence: 'possible' }
  ],
  related: ['acme-caa-forbids-issuer', 'acme-too-many-names']
})
