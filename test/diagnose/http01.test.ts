import t from 'tap'
import type { AddressFacts, ChallengeFacts, IdentifierFact, FactMap, ProbeFacts, RouteClaim, RoutingFacts, SolverFacts, Text } from '../../src/shared/types/case.ts'
import type { Confidence } from '../../src/shared/types/diagnosis.ts'
import type { Cause } from '../../src/diagnose/cause.ts'
import { aCase, aCaRecord, aChallenge, aController, aNetworkPolicy, anAddresses, anIssuer, aProbe, aRouting, aSolver, aText, anOrder, examineAlone, noLook } from '../support/builders.ts'

type About = { [K in IdentifierFact]?: FactMap[K] | ReturnType<typeof noLook> }
type Answer = 'found' | 'ruled-out' | 'cannot-tell' | 'not-applicable'
interface Row { title: string, answer: Answer, confidence?: Confidence, variant?: string, about?: About, texts?: Text[], shared?: Parameters<typeof aCase>[0] }

const url = 'http://shop.example.com/.well-known/acme-challenge/token'
/** As it stands while cert-manager checks for itself. */
const pending = (over: Partial<ChallengeFacts> = {}) => aChallenge({ state: 'pending', presented: true, processing: true, asked: false, ...over })
const saysCa = (detail: string, type = 'connection', over: { ip?: string, secondary?: boolean } = {}): Text =>
  aText(detail, { problem: { type, detail, secondary: over.secondary ?? false, subproblems: [], ...over.ip === undefined ? {} : { ip: over.ip, family: over.ip.includes(':') ? 6 : 4 } } })
const checks = (core: string): Text => aText(`Waiting for HTTP-01 challenge propagation: ${core}`, { wrapper: 'self-check', core })
const get = (error: string): Text => checks(`failed to perform self check GET request '${url}': Get "${url}": ${error}`)
const present = (core: string): Text => aText(core, { wrapper: 'present', core })
const aClaim = (over: Partial<RouteClaim> = {}): RouteClaim => ({ kind: 'Ingress', namespace: 'shop', name: 'web', host: 'shop.example.com', path: '/', pathType: 'Prefix', className: 'nginx', solver: false, wins: false, why: 'has the address 203.0.113.10', ownership: 'owned', controller: 'ingress-nginx', addresses: ['203.0.113.10'], settings: [], tls: true, ...over })
const theSolver = (over: Partial<RouteClaim> = {}): RouteClaim => aClaim({ name: 'cm-acme-http-solver-abcde', path: '/.well-known/acme-challenge/token', pathType: 'Exact', solver: true, wins: true, ...over })
const routing = (...claims: RouteClaim[]): RoutingFacts => aRouting({ claims })
const hinted = (kind: NonNullable<RoutingFacts['hints']>[number]['kind'], ...claims: RouteClaim[]): RoutingFacts => aRouting({ claims, hints: [{ kind, where: 'ConfigMap door/config', value: 'on' }], controllers: ['Deployment door/controller'] })
/** The load balancer is to write PROXY headers, and nothing tells the controller. */
const sentHeader = (): RoutingFacts => aRouting({ hints: [{ kind: 'proxy-protocol', where: 'Service door/controller', value: 'enable-proxy-protocol: true' }], controllers: ['Deployment door/controller'] })
const foreign = (): AddressFacts => anAddresses({ publicAddresses: [{ address: '198.51.100.7', family: 4, class: 'public' }], clusterAddresses: ['198.51.100.7'] })
const dualStack = (): AddressFacts => anAddresses({ publicAddresses: [{ address: '203.0.113.10', family: 4, class: 'public', ownedBy: 'Service a/b' }, { address: '2001:db8::9', family: 6, class: 'public' }] })
const status = (code: number, over: Partial<ProbeFacts> = {}): ProbeFacts => aProbe({ outcome: 'status', status: code, ...over })
/** 404 from both addresses of a dual stack, IPv6 by a server of that name. */
const twoServers = (six: string): ProbeFacts => status(404, { perAddress: [['203.0.113.10', 4, 'nginx'] as const, ['2001:db8::9', 6, six] as const].map(([address, family, server]) => ({ vantage: 'outside:a', address, family, outcome: 'status', status: 404, hops: [{ url, address, port: 80, ms: 5, status: 404, server }] })) })
const aPod = (over: Partial<SolverFacts['pods'][number]> = {}): SolverFacts => aSolver({ pods: [{ name: 'cm-acme-http-solver-abcde', phase: 'Running', ready: true, node: 'n', restarts: 0, labels: {}, ...over }] })
const podEvent = (text: string): Text => aText(text, { source: 'event', ref: 'Event Failed of Pod shop/cm-acme-http-solver-abcde', wrapper: 'object', objectKind: 'Pod' })
const aRoute = (reason: string, accepted: 'True' | 'False' = 'False'): SolverFacts => aSolver({ routes: [{ name: 'r', parents: reason === '' ? [{ ref: 'Gateway infra/public', conditions: [] }] : [{ ref: 'Gateway infra/public', accepted: { type: 'Accepted', status: accepted, reason, message: 'm' }, conditions: [{ type: 'Accepted', status: accepted, reason }] }] }] })
const aGateway = (listeners: RoutingFacts['gateways'][number]['listeners']): RoutingFacts => aRouting({ gateways: [{ namespace: 'infra', name: 'public', className: 'eg', addresses: [], listeners, conditions: [] }] })
const blocked = () => aNetworkPolicy({ solverIngress: { verdict: 'blocked', policies: ['shop/deny'], why: 'shop/deny selects the solver Pod' } })
const fenced = () => aNetworkPolicy({ controllerEgress: { verdict: 'blocked', ports: [80], policies: ['cert-manager/egress'], why: 'no port 80' } })
const served = aProbe()

const table: Record<string, Row[]> = {
  'http01-dns-record-missing': [
    { title: 'the CA found no record', answer: 'found', confidence: 'proven', texts: [saysCa('DNS problem: NXDOMAIN looking up A for shop.example.com - check that a DNS record exists for this domain', 'dns')] },
    { title: 'the CA\'s words for none or only reserved ones', answer: 'found', confidence: 'likely', texts: [saysCa('no valid A records found for shop.example.com; no valid AAAA records found for shop.example.com', 'dns')] },
    { title: 'the CA\'s older words, and public DNS is empty', answer: 'found', confidence: 'proven', about: { addresses: anAddresses({ publicState: 'nodata', publicAddresses: [] }) }, texts: [saysCa('No valid IP addresses found for shop.example.com', 'dns')] },
    { title: 'by now there is a record', answer: 'found', confidence: 'likely', about: { addresses: anAddresses() }, texts: [saysCa('DNS problem: NXDOMAIN looking up A for shop.example.com', 'dns')] },
    { title: 'public DNS says NXDOMAIN before the CA is asked', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses({ publicState: 'nxdomain', publicAddresses: [] }) } },
    { title: 'public DNS could not be asked', answer: 'found', confidence: 'possible', about: { challenge: pending(), addresses: noLook() }, texts: [get('dial tcp: lookup shop.example.com on 10.96.0.10:53: no such host')] },
    { title: 'all addresses are private ones', answer: 'ruled-out', about: { addresses: anAddresses({ publicAddresses: [{ address: '10.0.0.8', family: 4, class: 'private' }] }) }, texts: [saysCa('no valid A records found for shop.example.com', 'dns')] },
    { title: 'there is a record', answer: 'ruled-out', about: { addresses: anAddresses() } },
    { title: 'a remote vantage point alone does not count', answer: 'not-applicable', texts: [saysCa('DNS problem: NXDOMAIN looking up A for shop.example.com', 'dns', { secondary: true })] },
    { title: 'nothing is known', answer: 'not-applicable' }
  ],
  'http01-dns-private-address': [
    { title: 'the CA leaves it out', answer: 'found', confidence: 'proven', about: { addresses: anAddresses({ publicAddresses: [{ address: '10.0.0.8', family: 4, class: 'private' }] }) }, texts: [saysCa('no valid A records found for shop.example.com; no valid AAAA records found for shop.example.com', 'dns')] },
    { title: 'before the CA is asked', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses({ publicAddresses: [{ address: '10.0.0.8', family: 4, class: 'private' }] }) } },
    { title: 'one of two is public', answer: 'found', confidence: 'possible', about: { addresses: anAddresses({ publicAddresses: [{ address: '10.0.0.8', family: 4, class: 'private' }, { address: '203.0.113.10', family: 4, class: 'public' }] }) } },
    { title: 'a private CA may reach it', answer: 'not-applicable', about: { addresses: anAddresses({ publicAddresses: [{ address: '10.0.0.8', family: 4, class: 'private' }] }) }, shared: { facts: { issuer: anIssuer({ acme: { ...anIssuer().acme!, server: 'https://ca.corp.example/acme/directory' } }) } } },
    { title: 'a public address', answer: 'ruled-out', about: { addresses: anAddresses() } },
    { title: 'DNS could not be asked', answer: 'cannot-tell', about: { addresses: noLook() } }
  ],
  'http01-dns-points-elsewhere': [
    { title: 'the address is a content network\'s', answer: 'ruled-out', about: { addresses: anAddresses({ publicAddresses: [{ address: '104.16.1.1', family: 4, class: 'public' }], clusterAddresses: ['104.16.1.1'] }), routing: routing(theSolver()) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '104.16.1.1' })] },
    { title: 'the solver is gone, and the site of its class has another address', answer: 'found', confidence: 'likely', about: { addresses: anAddresses({ publicAddresses: [{ address: '203.0.113.90', family: 4, class: 'public', ownedBy: 'Service mesh/gateway' }], clusterAddresses: ['203.0.113.90'] }), routing: routing(theSolver({ addresses: [] }), aClaim({ addresses: ['203.0.113.10'] })) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '203.0.113.90' })] },
    { title: 'the CA met another server', answer: 'found', confidence: 'likely', about: { addresses: foreign(), routing: routing(theSolver()) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '198.51.100.7' })] },
    { title: 'the solver is on another address of the cluster', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses({ publicAddresses: [{ address: '203.0.113.36', family: 4, class: 'public', ownedBy: 'Gateway shop/external' }] }), routing: routing(theSolver()) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'of the cluster\'s load balancer only the name is known', answer: 'found', confidence: 'possible', about: { addresses: { ...foreign(), unresolvedHosts: ['web.elb.example'] }, routing: aRouting({ clusterAddresses: [{ address: 'web.elb.example', owner: 'Service door/controller' }] }) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '198.51.100.7' })] },
    { title: 'the load balancer\'s name has other addresses', answer: 'found', confidence: 'likely', about: { addresses: foreign(), routing: aRouting({ clusterAddresses: [{ address: 'web.elb.example', owner: 'Service door/controller' }] }) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '198.51.100.7' })] },
    { title: 'only the IPv6 address leads elsewhere', answer: 'found', confidence: 'possible', about: { challenge: pending(), addresses: dualStack(), routing: routing(theSolver()), probeFromOutside: aProbe({ outcome: 'refused', address: '2001:db8::9' }) } },
    { title: 'nothing failed yet', answer: 'found', confidence: 'possible', about: { addresses: foreign(), routing: routing(theSolver()) } },
    { title: 'the address is ours', answer: 'ruled-out', about: { addresses: anAddresses(), routing: routing(theSolver()) } },
    { title: 'the token is served from outside', answer: 'ruled-out', about: { addresses: foreign(), routing: routing(theSolver()), probeFromOutside: served } },
    { title: 'a CDN\'s address is nobody\'s', answer: 'ruled-out', about: { addresses: foreign(), routing: routing(theSolver()), probeFromOutside: status(522, { cdn: 'cloudflare' }) } },
    { title: 'the cluster does not know its own public address', answer: 'cannot-tell', about: { addresses: foreign(), routing: aRouting({ clusterAddresses: [{ address: '10.0.0.4', owner: 'Node a' }] }) }, texts: [saysCa('Connection refused')] },
    { title: 'no address at all', answer: 'not-applicable', about: { addresses: anAddresses({ publicAddresses: [] }), routing: routing() } },
    { title: 'DNS could not be asked, and the CA met an address that is not the cluster\'s', answer: 'found', confidence: 'likely', about: { addresses: noLook(), routing: routing(theSolver()) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '198.51.100.7' })] },
    { title: 'DNS could not be asked, and the CA was sent to another site', answer: 'cannot-tell', about: { addresses: noLook(), routing: routing(theSolver()) }, texts: [saysCa('Invalid response from https://home.example.net/: 404', 'unauthorized', { ip: '198.51.100.7' })] },
    { title: 'DNS could not be asked, and the CA met the cluster', answer: 'cannot-tell', about: { addresses: noLook(), routing: routing(theSolver()) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '203.0.113.10' })] },
    { title: 'DNS could not be asked, and the load balancer is known by name alone', answer: 'cannot-tell', about: { addresses: noLook(), routing: aRouting({ claims: [theSolver()], clusterAddresses: [{ address: 'k8s.elb.example', owner: 'Service a/b' }] }) }, texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized', { ip: '198.51.100.7' })] },
    { title: 'routing could not be seen', answer: 'cannot-tell', about: { addresses: foreign(), routing: noLook() } }
  ],
  'http01-dns-ipv6-broken': [
    { title: 'the CA failed on IPv6 and IPv4 serves', answer: 'found', confidence: 'proven', about: { addresses: dualStack(), probeFromOutside: aProbe({ outcome: 'timeout', perAddress: [{ vantage: 'outside:a', address: '203.0.113.10', family: 4, outcome: 'token-served', hops: [] }] }) }, texts: [saysCa(`2001:db8::9: Fetching ${url}: Timeout during connect (likely firewall problem)`, 'connection', { ip: '2001:db8::9' })] },
    { title: 'the CA failed on IPv6', answer: 'found', confidence: 'likely', about: { addresses: dualStack() }, texts: [saysCa(`2001:db8::9: Fetching ${url}: Connection refused`, 'connection', { ip: '2001:db8::9' })] },
    { title: 'Boulder before 2022', answer: 'found', confidence: 'likely', texts: [saysCa(`Invalid response from ${url} [2001:db8::9]: 404`, 'unauthorized')] },
    { title: 'the record names IPv6, the words do not', answer: 'found', confidence: 'likely', about: { addresses: dualStack(), caRecord: aCaRecord({ hops: [{ url, hostname: 'shop.example.com', port: '80', addressUsed: '2001:db8::9', addressesResolved: [] }] }) }, texts: [saysCa('Timeout during connect (likely firewall problem)')] },
    { title: 'nothing was said, and another server sits at the IPv6 address', answer: 'found', confidence: 'likely', about: { addresses: dualStack(), probeFromOutside: twoServers('lighttpd') }, shared: { facts: { order: anOrder() } } },
    { title: 'the same server at both addresses', answer: 'not-applicable', about: { addresses: dualStack(), probeFromOutside: twoServers('nginx') }, shared: { facts: { order: anOrder() } } },
    { title: 'another server at the IPv6 address of an order that goes on', answer: 'not-applicable', about: { addresses: dualStack(), probeFromOutside: twoServers('lighttpd') }, shared: { facts: { order: anOrder({ state: 'pending' }) } } },
    { title: 'IPv6 serves', answer: 'ruled-out', about: { addresses: dualStack(), probeFromOutside: aProbe({ perAddress: [{ vantage: 'outside:a', address: '2001:db8::9', family: 6, outcome: 'token-served', hops: [] }] }) } },
    { title: 'there is no AAAA record', answer: 'not-applicable', about: { addresses: anAddresses() }, texts: [saysCa('203.0.113.10: Connection refused', 'connection', { ip: '203.0.113.10' })] },
    { title: 'a name with IPv6 only is another story', answer: 'not-applicable', about: { addresses: anAddresses({ publicAddresses: [{ address: '2001:db8::9', family: 6, class: 'public' }] }) }, texts: [saysCa(`2001:db8::9: Fetching ${url}: Connection refused`, 'connection', { ip: '2001:db8::9' })] }
  ],
  'http01-dns-resolution-failed': [
    { title: 'SERVFAIL', answer: 'found', confidence: 'proven', texts: [saysCa('DNS problem: SERVFAIL looking up A for shop.example.com - the domain\'s nameservers may be malfunctioning', 'dns')] },
    { title: 'an extended error takes the rcode\'s place', answer: 'found', confidence: 'proven', texts: [saysCa('DNS problem: looking up A for shop.example.com: DNSSEC: Bogus', 'dns')] },
    { title: 'a time-out may pass', answer: 'found', confidence: 'likely', texts: [saysCa('DNS problem: query timed out looking up A for shop.example.com', 'dns')] },
    { title: 'our own public look says SERVFAIL', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses({ publicState: 'servfail', publicAddresses: [] }) } },
    { title: 'it resolves', answer: 'ruled-out', about: { addresses: anAddresses() } },
    { title: 'the CA connected', answer: 'ruled-out', about: { addresses: anAddresses({ publicState: 'servfail', publicAddresses: [] }) }, texts: [saysCa('Connection refused')] },
    { title: 'TXT and CAA are other causes', answer: 'not-applicable', texts: [saysCa('DNS problem: SERVFAIL looking up TXT for _acme-challenge.shop.example.com', 'dns')] }
  ],
  'http01-port80-blocked': [
    { title: 'after a redirect it is port 443', answer: 'not-applicable', texts: [saysCa('Fetching https://shop.example.com/x: Timeout during connect (likely firewall problem)')] },
    { title: 'the CA timed out on our address', answer: 'found', confidence: 'proven', variant: 'timeout', about: { addresses: anAddresses() }, texts: [saysCa(`203.0.113.10: Fetching ${url}: Timeout during connect (likely firewall problem)`, 'connection', { ip: '203.0.113.10' })] },
    { title: 'refused, and nobody knows whose address it is', answer: 'found', confidence: 'likely', variant: 'refused', texts: [saysCa(`203.0.113.10: Fetching ${url}: Connection refused`, 'connection', { ip: '203.0.113.10' })] },
    { title: 'Pebble\'s words', answer: 'found', confidence: 'likely', variant: 'refused', texts: [saysCa(`Get "http://shop.example.com:80/x": dial tcp 203.0.113.92:80: connect: connection refused`)] },
    { title: 'step-ca says little', answer: 'found', confidence: 'possible', texts: [saysCa('The server could not connect to validation target')] },
    { title: 'from outside nobody answers', answer: 'found', confidence: 'likely', variant: 'timeout', about: { challenge: pending(), addresses: anAddresses(), probeFromOutside: aProbe({ outcome: 'timeout' }) }, texts: [get('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')] },
    { title: 'from inside alone it is only possible', answer: 'found', confidence: 'possible', about: { challenge: pending(), probeFromOutside: noLook() }, texts: [get('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')] },
    { title: 'the load balancer has no port 80', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: hinted('no-port-80') }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'the token is served from outside', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'only IPv6 failed', answer: 'ruled-out', about: { addresses: dualStack() }, texts: [saysCa(`2001:db8::9: Fetching ${url}: Connection refused`, 'connection', { ip: '2001:db8::9' })] },
    { title: 'an admission webhook that refuses connections is something else', answer: 'not-applicable', about: { challenge: pending({ presented: false }) }, texts: [present('failed calling webhook "x": dial tcp 10.96.0.9:443: connect: connection refused')] },
    { title: 'a remote vantage point alone', answer: 'not-applicable', texts: [saysCa('During secondary validation: Timeout during connect', 'connection', { secondary: true })] }
  ],
  'http01-connection-filtered': [
    { title: 'reset', answer: 'found', confidence: 'likely', texts: [saysCa(`203.0.113.10: Fetching ${url}: Connection reset by peer`)] },
    { title: 'the catch-all', answer: 'found', confidence: 'possible', texts: [saysCa(`Fetching ${url}: Error getting validation data`)] },
    { title: 'cut from outside before the CA is asked', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: aProbe({ outcome: 'reset' }) } },
    { title: 'served from outside', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'only the self-check is reset', answer: 'not-applicable', about: { challenge: pending() }, texts: [get('read: connection reset by peer')] }
  ],
  'http01-redirected-to-https': [
    { title: 'the CA was sent to a closed 443', answer: 'found', confidence: 'likely', texts: [saysCa('Fetching https://shop.example.com/x: Timeout during connect (likely firewall problem)')] },
    { title: 'the CA got 404 over TLS', answer: 'found', confidence: 'likely', texts: [saysCa('Invalid response from https://shop.example.com/.well-known/acme-challenge/token: 404', 'unauthorized')] },
    { title: 'the CA got 404 from the sister site', answer: 'found', confidence: 'likely', texts: [saysCa('Invalid response from https://www.shop.example.com/.well-known/acme-challenge/token: 404', 'unauthorized')] },
    { title: 'the CA got 404 from another site', answer: 'not-applicable', texts: [saysCa('Invalid response from https://home.example.net/: 404', 'unauthorized')] },
    { title: 'the CA got 404 without TLS', answer: 'not-applicable', texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized')] },
    { title: 'Kong wants an upgrade', answer: 'found', confidence: 'likely', about: { challenge: pending() }, texts: [checks("wrong status code '426', expected '200'")] },
    { title: 'TLS to a plain port', answer: 'found', confidence: 'proven', texts: [saysCa('Server only speaks HTTP, not TLS', 'malformed')] },
    { title: 'the self-check fails in the handshake', answer: 'found', confidence: 'likely', about: { challenge: pending() }, texts: [get('remote error: tls: unrecognized name')] },
    { title: 'a probe was led to HTTPS and found 404 there', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromCluster: status(404, { redirectedToHttps: true }) } },
    { title: 'the controller enforces HTTPS and says 404', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: hinted('force-https', theSolver()) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'the redirect leads to the right answer', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: aProbe({ redirectedToHttps: true }) } },
    { title: 'no redirect, no TLS', answer: 'not-applicable', about: { challenge: pending() }, texts: [checks("wrong status code '503', expected '200'")] }
  ],
  'http01-redirect-invalid': [
    { title: 'a loop', answer: 'found', confidence: 'proven', texts: [saysCa('Redirect loop detected')] },
    { title: 'a port', answer: 'found', confidence: 'proven', texts: [saysCa('Invalid port in redirect target. Only ports 80 and 443 are supported, not 8443')] },
    { title: 'too many for the self-check', answer: 'found', confidence: 'proven', about: { challenge: pending() }, texts: [get('stopped after 10 redirects')] },
    { title: 'the CA ended at another site', answer: 'found', confidence: 'likely', texts: [saysCa('Invalid response from https://home.example.net/: 404', 'unauthorized')] },
    { title: 'the sister site is no other site', answer: 'not-applicable', texts: [saysCa('Invalid response from https://www.shop.example.com/: 404', 'unauthorized')] },
    { title: 'our own walk', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: aProbe({ outcome: 'redirect-invalid' }) } },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'nothing redirects', answer: 'not-applicable' }
  ],
  'http01-auth-on-path': [
    { title: 'a client certificate is wanted', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(aClaim({ settings: [{ effect: 'client-certificate', field: 'nginx.ingress.kubernetes.io/auth-tls-secret', value: 'shop/ca' }] })) }, texts: [checks("wrong status code '400', expected '200'")] },
    { title: 'a 400 without such a demand', answer: 'not-applicable', about: { challenge: pending() }, texts: [checks("wrong status code '400', expected '200'")] },
    { title: '401 to the CA', answer: 'found', confidence: 'proven', texts: [saysCa(`203.0.113.10: Invalid response from ${url}: 401`, 'unauthorized')] },
    { title: '403 to the CA', answer: 'found', confidence: 'likely', texts: [saysCa(`203.0.113.10: Invalid response from ${url}: 403`, 'unauthorized')] },
    { title: '403 by a CDN', answer: 'found', confidence: 'possible', about: { probeFromOutside: status(403, { cdn: 'cloudflare' }) }, texts: [saysCa(`203.0.113.10: Invalid response from ${url}: 403`, 'unauthorized')] },
    { title: '401 to the self-check', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(aClaim({ settings: [{ effect: 'auth', field: 'auth-url', value: 'x' }] })) }, texts: [checks("wrong status code '401', expected '200'")] },
    { title: 'a login page', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: aProbe({ outcome: 'wrong-body', status: 200, bodyKind: 'login-page' }) } },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'another status', answer: 'not-applicable', texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized')] }
  ],
  'http01-cdn-interferes': [
    { title: 'the address is Cloudflare\'s', answer: 'found', confidence: 'likely', about: { addresses: anAddresses({ publicAddresses: [{ address: '104.16.1.1', family: 4, class: 'public' }] }) }, texts: [saysCa(`Invalid response from ${url}: 403`, 'unauthorized', { ip: '104.16.1.1' })] },
    { title: '522', answer: 'found', confidence: 'proven', texts: [saysCa(`Invalid response from ${url}: 522`, 'unauthorized')] },
    { title: 'a challenge page', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: status(403, { bodyKind: 'cdn-challenge', cdn: 'cloudflare' }) } },
    { title: 'a 404 that may be the origin\'s', answer: 'found', confidence: 'possible', about: { challenge: pending(), probeFromOutside: status(404, { cdn: 'cloudflare' }) } },
    { title: 'served through the CDN', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: aProbe({ cdn: 'cloudflare' }) } },
    { title: 'no CDN', answer: 'not-applicable', about: { challenge: pending(), probeFromOutside: status(404) } }
  ],
  'http01-other-backend-answers': [
    { title: 'the 403 is the problem document\'s, the 404 the server\'s', answer: 'found', confidence: 'likely', texts: [aText(`Error accepting authorization: acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:unauthorized: 203.0.113.10: Invalid response from ${url}: 404`, { wrapper: 'authorization', problem: { status: 403, type: 'unauthorized', detail: `Invalid response from ${url}: 404`, secondary: false, subproblems: [] } })] },
    { title: 'a server\'s own 403 is no foreign page', answer: 'not-applicable', texts: [saysCa(`Invalid response from ${url}: 403`, 'unauthorized')] },
    { title: '404 to the CA', answer: 'found', confidence: 'likely', texts: [saysCa(`203.0.113.10: Invalid response from ${url}: 404`, 'unauthorized')] },
    { title: 'plain HTTP on a TLS port, said by the page and seen', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: status(400, { bodyKind: 'tls-on-80' }) }, texts: [checks("wrong status code '400', expected '200'")] },
    { title: 'a page to the CA', answer: 'found', confidence: 'likely', texts: [saysCa(`203.0.113.10: Invalid response from ${url}: "<!DOCTYPE html><html>"`, 'unauthorized')] },
    { title: 'a page to the self-check', answer: 'found', confidence: 'likely', about: { challenge: pending() }, texts: [checks('did not get expected response when querying endpoint, expected "token.thumbprint" but got: <!doctype html><html lang... (truncated)')] },
    { title: 'a bare 404 to the self-check', answer: 'found', confidence: 'possible', about: { challenge: pending() }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'a 404 that we see, too', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromCluster: status(404) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'a 404 after the challenge is over means nothing', answer: 'not-applicable', about: { challenge: aChallenge(), probeFromCluster: status(404) } },
    { title: 'a 404 before anything was presented means nothing', answer: 'not-applicable', about: { challenge: pending({ presented: false }), probeFromOutside: status(404) } },
    { title: 'served from outside', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: '401 is a login', answer: 'not-applicable', texts: [saysCa(`Invalid response from ${url}: 401`, 'unauthorized')] }
  ],
  'http01-host-or-path-rewritten': [
    { title: 'the solver saw another host', answer: 'found', confidence: 'likely', about: { challenge: pending() }, texts: [aText('invalid host', { source: 'log', ref: 'log shop/cm-acme-http-solver-abcde', severity: 'info' })] },
    { title: 'the same words of another program', answer: 'not-applicable', about: { challenge: pending() }, texts: [aText('invalid host', { source: 'log', ref: 'log cert-manager/cert-manager-1' })] },
    { title: 'a rewriting annotation where the answer is wrong', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(aClaim({ wins: true, settings: [{ effect: 'rewrite', field: 'rewrite-target', value: '/' }] })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'nothing rewrites', answer: 'not-applicable', about: { challenge: pending(), routing: routing(theSolver()) }, texts: [checks("wrong status code '404', expected '200'")] }
  ],
  'http01-backend-error': [
    { title: '503 to the CA', answer: 'found', confidence: 'proven', texts: [saysCa(`Invalid response from ${url}: 503`, 'unauthorized')] },
    { title: '502 to the self-check', answer: 'found', confidence: 'likely', about: { challenge: pending() }, texts: [checks("wrong status code '502', expected '200'")] },
    { title: 'and its Service does not exist', answer: 'found', confidence: 'proven', about: { challenge: pending(), routing: routing(theSolver({ backend: 'gone', backendState: 'service-missing' })) }, texts: [checks("wrong status code '503', expected '200'")] },
    { title: 'a slow server', answer: 'found', confidence: 'likely', texts: [saysCa('Timeout during read (your server may be slow or overloaded)')] },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'a 404 is no gateway error', answer: 'not-applicable', texts: [saysCa(`Invalid response from ${url}: 404`, 'unauthorized')] }
  ],
  'http01-token-mismatch': [
    { title: 'the CA says so in its older words', answer: 'found', confidence: 'proven', texts: [saysCa('The key authorization file from the server did not match this challenge "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI" != "aaaXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"', 'unauthorized')] },
    { title: 'another key authorization to the CA', answer: 'found', confidence: 'proven', texts: [saysCa(`The key authorization file from the server did not match this challenge. Expected "${'a'.repeat(43)}.${'b'.repeat(43)}" (got "${'a'.repeat(43)}.${'c'.repeat(43)}")`, 'unauthorized')] },
    { title: 'another token to the self-check', answer: 'found', confidence: 'likely', about: { challenge: pending() }, texts: [checks(`did not get expected response when querying endpoint, expected "x" but got: ${'a'.repeat(24)}... (truncated)`)] },
    { title: 'seen by our own request', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: aProbe({ outcome: 'other-token' }) } },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'a page is no token', answer: 'not-applicable', about: { challenge: pending() }, texts: [checks('did not get expected response when querying endpoint, expected "x" but got: <!doctype html><html lang... (truncated)')] }
  ],
  'http01-ingress-class-mismatch': [
    { title: 'nobody owns it, and the answer is foreign', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(theSolver({ ownership: 'unowned', wins: false, addresses: [], why: 'has no class' })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'nobody owns it, but the CA was asked', answer: 'found', confidence: 'possible', about: { challenge: { ...pending(), presented: true, asked: true }, routing: routing(theSolver({ ownership: 'unowned', wins: false, addresses: [], why: 'has no class' })) }, texts: [checks("wrong status code '404', expected '200'"), aText('Error accepting authorization: acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:unauthorized: 203.0.113.10: Invalid response from http://shop.example.com/.well-known/acme-challenge/x: 404', { source: 'challenge', wrapper: 'authorization' })] },
    { title: 'nobody owns it, but the port is closed', answer: 'found', confidence: 'possible', about: { challenge: pending(), routing: routing(theSolver({ ownership: 'unowned', addresses: [] })) }, texts: [get('dial tcp 203.0.113.10:80: connect: connection refused')] },
    { title: 'the site is of another class, at another address', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(theSolver({ className: undefined, addresses: ['10.1.0.20'] }), aClaim({ className: 'public' })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'a controller owns it', answer: 'ruled-out', about: { challenge: pending(), routing: routing(theSolver()) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'the token is served', answer: 'ruled-out', about: { challenge: pending(), routing: routing(theSolver({ ownership: 'unowned' })), probeFromOutside: served } },
    { title: 'ownership is not known', answer: 'cannot-tell', about: { challenge: pending(), routing: routing(theSolver({ ownership: 'unknown', addresses: [] })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'an HTTPRoute has no class', answer: 'not-applicable', about: { challenge: pending(), routing: routing(theSolver({ kind: 'HTTPRoute', ownership: 'unowned' })) } }
  ],
  'http01-ingress-host-conflict': [
    { title: 'a Route is not admitted', answer: 'found', confidence: 'proven', texts: [aText('router default Admitted=False HostAlreadyClaimed: a route in another namespace holds shop.example.com', { source: 'object', ref: 'Route shop/cm-acme-http-solver-abcde-x', wrapper: 'object', objectKind: 'Route' })] },
    { title: 'the controller says so', answer: 'found', confidence: 'proven', about: { challenge: pending(), routing: routing(theSolver()) }, texts: [aText('All hosts are taken by other resources', { source: 'event', wrapper: 'object', objectKind: 'Ingress' })] },
    { title: 'another Ingress wins the path', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(aClaim({ wins: true }), theSolver({ wins: false })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'the webhook names the owner', answer: 'found', confidence: 'likely', texts: [present('admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: host "shop.example.com" and path "/.well-known/acme-challenge/token" is already defined in ingress web/site')] },
    { title: 'the solver wins', answer: 'ruled-out', about: { challenge: pending(), routing: routing(theSolver()) } },
    { title: 'nobody serves the solver: another story', answer: 'not-applicable', about: { challenge: pending(), routing: routing(aClaim({ wins: true }), theSolver({ wins: false, ownership: 'unowned' })) }, texts: [checks("wrong status code '404', expected '200'")] }
  ],
  'http01-ingress-rejected': [
    { title: 'the controller\'s webhook refuses', answer: 'found', confidence: 'proven', variant: 'controller-webhook', texts: [present('admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: x')] },
    { title: 'the controller\'s webhook cannot be called', answer: 'found', confidence: 'proven', variant: 'controller-webhook', texts: [present('Internal error occurred: failed calling webhook "vingress.elbv2.k8s.aws": failed to call webhook: connection refused')] },
    { title: 'a policy of the API server', answer: 'found', confidence: 'proven', variant: 'policy', texts: [present('ingresses.networking.k8s.io "cm-acme-http-solver-x" is forbidden: ValidatingAdmissionPolicy \'a\' with binding \'b\' denied request: c')] },
    { title: 'a policy engine that speaks of Ingresses', answer: 'found', confidence: 'proven', variant: 'policy', texts: [present('admission webhook "validation.gatekeeper.sh" denied the request: [ingresshttpsonly] Ingress must be https. tls configuration is required')] },
    { title: 'the schema', answer: 'found', confidence: 'proven', variant: 'schema', texts: [present('Ingress.networking.k8s.io "cm-acme-http-solver-x" is invalid: spec.rules[0].host: Invalid value')] },
    { title: 'a policy engine that speaks of containers', answer: 'not-applicable', texts: [present('admission webhook "validation.gatekeeper.sh" denied the request: Container acmesolver is not allowed')] },
    { title: 'missing rights are another cause', answer: 'not-applicable', texts: [present('ingresses.networking.k8s.io is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot create resource "ingresses" in API group "networking.k8s.io"')] },
    { title: 'an issued order makes no Ingress any more', answer: 'not-applicable', shared: { facts: { order: anOrder({ state: 'valid' }) } }, texts: [present('admission webhook "validation.gatekeeper.sh" denied the request: tls configuration is required')] },
    { title: 'the Ingress is there', answer: 'ruled-out', about: { solver: aSolver({ ingresses: [{ name: 'i', addresses: [] }] }) } }
  ],
  'http01-path-type-unsupported': [
    { title: 'OpenShift makes no Route of it', answer: 'found', confidence: 'proven', texts: [aText('IncompleteIngressToRouteRules: Exact path type is not implemented', { source: 'event', ref: 'Event IncompleteIngressToRouteRules of Ingress shop/cm-acme-http-solver-abcde', wrapper: 'object', objectKind: 'Ingress' })] },
    { title: 'refused by the webhook', answer: 'found', confidence: 'proven', texts: [present('ingress contains invalid paths: path /.well-known/acme-challenge/a.b cannot be used with pathType Exact')] },
    { title: 'Cilium prefers the Prefix', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: routing(aClaim({ wins: true, controller: 'cilium' }), theSolver({ wins: false, controller: 'cilium', pathType: 'ImplementationSpecific' })) }, texts: [checks('did not get expected response when querying endpoint, expected "x" but got: <!doctype html><html lang... (truncated)')] },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'nginx serves both kinds', answer: 'not-applicable', about: { challenge: pending(), routing: routing(theSolver({ pathType: 'ImplementationSpecific' })) } }
  ],
  'http01-load-balancer-not-synced': [
    { title: 'the controller\'s Event', answer: 'found', confidence: 'proven', about: { challenge: pending() }, texts: [aText('Error during sync: error running load balancer syncing routine: x does not exist', { source: 'event', wrapper: 'object', objectKind: 'Ingress' })] },
    { title: 'each Ingress has an address of its own, and this one none', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: hinted('address-per-ingress', theSolver({ addresses: [] })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'its address is another than the name\'s', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses(), routing: hinted('address-per-ingress', theSolver({ addresses: ['203.0.113.77'] })) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'the controller is down', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: hinted('controller-down', theSolver()) }, texts: [get('dial tcp 203.0.113.10:80: connect: connection refused')] },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served } },
    { title: 'an ordinary 404', answer: 'not-applicable', about: { challenge: pending(), routing: routing(theSolver()) }, texts: [checks("wrong status code '404', expected '200'")] }
  ],
  'http01-gateway-listener-missing': [
    { title: 'the Gateway says so', answer: 'found', confidence: 'proven', about: { challenge: pending(), solver: aRoute('NoMatchingListenerHostname') } },
    { title: 'only 443', answer: 'found', confidence: 'likely', about: { challenge: pending(), solver: aRoute('Accepted', 'True'), routing: aGateway([{ name: 'https', port: 443, protocol: 'HTTPS', conditions: [] }]) } },
    { title: 'port 80 for another host', answer: 'found', confidence: 'likely', about: { challenge: pending(), solver: aRoute('Accepted', 'True'), routing: aGateway([{ name: 'http', port: 80, protocol: 'HTTP', hostname: '*.other.example', conditions: [] }]) } },
    { title: 'port 8000 may be mapped', answer: 'found', confidence: 'possible', about: { challenge: pending(), solver: aRoute('Accepted', 'True'), routing: aGateway([{ name: 'web', port: 8000, protocol: 'HTTP', conditions: [] }]) } },
    { title: 'it listens', answer: 'ruled-out', about: { challenge: pending(), solver: aRoute('Accepted', 'True'), routing: aGateway([{ name: 'http', port: 80, protocol: 'HTTP', hostname: '*.example.com', conditions: [] }]) } },
    { title: 'no Gateway is involved', answer: 'not-applicable', about: { challenge: pending(), routing: routing(theSolver()) } }
  ],
  'http01-route-not-accepted': [
    { title: 'not allowed', answer: 'found', confidence: 'proven', about: { challenge: pending(), solver: aRoute('NotAllowedByListeners') } },
    { title: 'no answer', answer: 'found', confidence: 'likely', about: { challenge: pending(), solver: aRoute('') } },
    { title: 'no answer, but seconds old', answer: 'cannot-tell', about: { challenge: pending({ created: Date.UTC(2026, 10, 24, 10, 4, 55) }), solver: aRoute('') } },
    { title: 'the API refuses it', answer: 'found', confidence: 'proven', texts: [present('HTTPRoute.gateway.networking.k8s.io "cm-acme-http-solver-x" is invalid: spec.parentRefs: Invalid value')] },
    { title: 'accepted', answer: 'ruled-out', about: { challenge: pending(), solver: aRoute('Accepted', 'True') } },
    { title: 'the listener is the noun', answer: 'not-applicable', about: { challenge: pending(), solver: aRoute('NoMatchingListenerHostname') } },
    { title: 'no route', answer: 'not-applicable', about: { challenge: pending(), solver: aSolver() } }
  ],
  'http01-gateway-api-disabled': [
    { title: 'cert-manager says so', answer: 'found', confidence: 'proven', texts: [present('couldn\'t Present challenge shop/ch: gateway api is not enabled')] },
    { title: 'its flags say so', answer: 'found', confidence: 'likely', about: { challenge: pending({ solver: 'gatewayHTTPRoute' }) }, shared: { facts: { controller: aController({ gatewayApiEnabled: false }) } } },
    { title: 'it is on', answer: 'ruled-out', about: { challenge: pending({ solver: 'gatewayHTTPRoute' }) }, shared: { facts: { controller: aController({ gatewayApiEnabled: true }) } } },
    { title: 'an Ingress solver at work needs no watch of routes', answer: 'not-applicable', about: { challenge: pending() }, texts: [aText('Failed to watch *v1.HTTPRoute: failed to list *v1.HTTPRoute: the server could not find the requested resource (get httproutes.gateway.networking.k8s.io)', { source: 'log' })] },
    { title: 'an Ingress solver needs none', answer: 'not-applicable', about: { challenge: pending() }, shared: { facts: { controller: aController({ gatewayApiEnabled: false }) } } }
  ],
  'http01-solver-pod-rejected': [
    { title: 'a webhook for Pods cannot be called', answer: 'found', confidence: 'proven', variant: 'policy', texts: [present('Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": dial tcp 10.96.4.5:443: connect: connection refused')] },
    { title: 'quota', answer: 'found', confidence: 'proven', variant: 'quota', texts: [present('pods "cm-acme-http-solver-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1')] },
    { title: 'a quota that wants limits', answer: 'found', confidence: 'proven', variant: 'quota', texts: [present('pods "cm-acme-http-solver-x" is forbidden: failed quota: q: must specify limits.cpu')] },
    { title: 'limits', answer: 'found', confidence: 'proven', variant: 'limit-range', texts: [present('pods "cm-acme-http-solver-x" is forbidden: [minimum cpu usage per Container is 100m, but request is 10m]')] },
    { title: 'Pod security', answer: 'found', confidence: 'proven', variant: 'pod-security', texts: [present('pods "cm-acme-http-solver-x" is forbidden: violates PodSecurity "restricted:latest": x')] },
    { title: 'OpenShift', answer: 'found', confidence: 'proven', variant: 'pod-security', texts: [present('pods "cm-acme-http-solver-x" is forbidden: unable to validate against any security context constraint: []')] },
    { title: 'a policy engine', answer: 'found', confidence: 'proven', variant: 'policy', texts: [present('admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/shop/cm-acme-http-solver-x was blocked')] },
    { title: 'a refusal without a noun, and nothing is there', answer: 'found', confidence: 'proven', variant: 'policy', about: { solver: aSolver() }, texts: [present('admission webhook "guard.example.com" denied the request: no')] },
    { title: 'a refusal without a noun, and the Pod is there', answer: 'ruled-out', about: { solver: aPod() }, texts: [present('admission webhook "guard.example.com" denied the request: no')] },
    { title: 'a webhook of many kinds is down: its own Service is not the object', answer: 'found', confidence: 'proven', variant: 'policy', about: { solver: aSolver() }, texts: [present('Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: Post "https://kyverno-svc.kyverno.svc:443/validate/fail?timeout=10s": no endpoints available for service "kyverno-svc"')] },
    { title: 'the Service\'s quota', answer: 'not-applicable', texts: [present('services "cm-acme-http-solver-x" is forbidden: exceeded quota: q, requested: services.nodeports=1')] },
    { title: 'cert-manager\'s own webhook', answer: 'not-applicable', texts: [present('failed calling webhook "webhook.cert-manager.io": x')] },
    { title: 'missing rights', answer: 'not-applicable', texts: [present('pods is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot create resource "pods"')] }
  ],
  'http01-solver-service-rejected': [
    { title: 'no node port left', answer: 'found', confidence: 'proven', texts: [present('Service "cm-acme-http-solver-x" is invalid: spec.ports[0].nodePort: failed to allocate a nodePort: range is full')] },
    { title: 'quota on node ports', answer: 'found', confidence: 'proven', texts: [present('services "cm-acme-http-solver-x" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=0, limited: services.nodeports=0')] },
    { title: 'the Service is there', answer: 'ruled-out', about: { solver: aSolver({ services: [{ name: 's', type: 'NodePort', readyEndpoints: 1 }] }) } },
    { title: 'the Pod\'s quota', answer: 'not-applicable', texts: [present('pods "cm-acme-http-solver-x" is forbidden: exceeded quota: q')] }
  ],
  'http01-solver-pod-unschedulable': [
    { title: 'only the reason of the Event says so', answer: 'found', confidence: 'proven', texts: [podEvent('FailedScheduling: Pod provisioning timed out (will retry)')] },
    { title: 'the scheduler\'s Event', answer: 'found', confidence: 'proven', texts: [podEvent('0/3 nodes are available: 3 node(s) had untolerated taint')] },
    { title: 'the autoscaler\'s Event, the scheduler\'s is gone', answer: 'found', confidence: 'proven', texts: [podEvent('pod didn\'t trigger scale-up: 1 max node group size reached')] },
    { title: 'the Pod\'s condition', answer: 'found', confidence: 'proven', about: { solver: aPod({ phase: 'Pending', ready: false, node: undefined, unschedulable: '0/3 nodes' }) } },
    { title: 'scheduled by now', answer: 'ruled-out', about: { solver: aPod() }, texts: [podEvent('0/3 nodes are available: 3 Insufficient cpu')] },
    { title: 'nothing of the kind', answer: 'not-applicable', about: { solver: aPod() } }
  ],
  'http01-solver-image-pull-failed': [
    { title: 'the kubelet\'s Event', answer: 'found', confidence: 'proven', texts: [podEvent('Failed to pull image "quay.io/jetstack/cert-manager-acmesolver:v1.19.1": toomanyrequests')] },
    { title: 'the Pod\'s state', answer: 'found', confidence: 'proven', about: { solver: aPod({ phase: 'Pending', ready: false, waiting: 'ImagePullBackOff' }) } },
    { title: 'pulled by now', answer: 'ruled-out', about: { solver: aPod() }, texts: [podEvent('Failed to pull image "x"')] },
    { title: 'another kind of waiting', answer: 'ruled-out', about: { solver: aPod({ ready: false, waiting: 'CrashLoopBackOff' }) } },
    { title: 'no Pod', answer: 'not-applicable' }
  ],
  'http01-solver-pod-crashing': [
    { title: 'the wrong architecture', answer: 'found', confidence: 'proven', texts: [aText('exec /acmesolver: exec format error', { source: 'log', ref: 'log shop/cm-acme-http-solver-abcde' })] },
    { title: 'the Pod\'s state', answer: 'found', confidence: 'proven', about: { solver: aPod({ ready: false, waiting: 'CrashLoopBackOff', terminated: 'OOMKilled (exit code 137)' }) } },
    { title: 'a sandbox that fails may pass', answer: 'found', confidence: 'likely', texts: [podEvent('Failed to create pod sandbox: rpc error')] },
    { title: 'running by now', answer: 'ruled-out', about: { solver: aPod() }, texts: [podEvent('Back-off restarting failed container')] },
    { title: 'only Pending', answer: 'ruled-out', about: { solver: aPod({ ready: false, phase: 'Pending' }) } },
    { title: 'no Pod', answer: 'not-applicable' }
  ],
  'http01-network-policy-blocks': [
    { title: '504 and a ready Pod', answer: 'found', confidence: 'likely', about: { challenge: pending(), networkPolicy: blocked(), solver: aPod() }, texts: [checks("wrong status code '504', expected '200'")] },
    { title: '504, but the Pod does not run', answer: 'found', confidence: 'possible', about: { challenge: pending(), networkPolicy: blocked(), solver: aPod({ ready: false }) }, texts: [checks("wrong status code '504', expected '200'")] },
    { title: 'no policy', answer: 'ruled-out', about: { challenge: pending(), networkPolicy: aNetworkPolicy() }, texts: [checks("wrong status code '504', expected '200'")] },
    { title: 'served all the same', answer: 'ruled-out', about: { challenge: pending(), networkPolicy: blocked(), probeFromCluster: served } },
    { title: 'policies of a kind that is not evaluated', answer: 'cannot-tell', about: { challenge: pending(), networkPolicy: aNetworkPolicy({ notEvaluated: ['CiliumNetworkPolicy shop/x'] }) }, texts: [checks("wrong status code '504', expected '200'")] },
    { title: 'a 404 came from somewhere', answer: 'not-applicable', about: { challenge: pending(), networkPolicy: blocked() }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'policies could not be read', answer: 'cannot-tell', about: { challenge: pending(), networkPolicy: noLook() } }
  ],
  'http01-mesh-blocks': [
    { title: 'an AuthorizationPolicy turns it away', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: status(403, { perAddress: [{ vantage: 'outside:a', address: '203.0.113.10', family: 4, outcome: 'status', status: 403, hops: [{ url, address: '203.0.113.10', port: 80, ms: 5, status: 403, body: 'RBAC: access denied' }] }] }) } },
    { title: 'strict mutual TLS and 503', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: hinted('mesh', theSolver()) }, texts: [checks("wrong status code '503', expected '200'")] },
    { title: 'a 404 is no mesh', answer: 'ruled-out', about: { challenge: pending(), routing: hinted('mesh', theSolver()) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'served', answer: 'ruled-out', about: { challenge: pending(), routing: hinted('mesh'), probeFromOutside: served } },
    { title: '503 without a mesh', answer: 'not-applicable', about: { challenge: pending(), routing: routing(theSolver()) }, texts: [checks("wrong status code '503', expected '200'")] }
  ],
  'http01-hairpin-blocked': [
    { title: 'our own request gets through from the cluster', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served, probeFromCluster: served }, texts: [checks("wrong status code '403', expected '200'")] },
    { title: 'it was sent on to HTTPS', answer: 'not-applicable', about: { challenge: pending() }, texts: [checks(`failed to perform self check GET request '${url}': Get "https://shop.example.com/x": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`)] },
    { title: 'outside works, inside times out', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: served, probeFromCluster: aProbe({ outcome: 'timeout' }) }, texts: [get('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')] },
    { title: 'the router itself answers inside', answer: 'found', confidence: 'likely', about: { challenge: pending(), probeFromOutside: served, probeFromCluster: status(404) }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'the outside view is missing', answer: 'found', confidence: 'possible', about: { challenge: pending(), probeFromOutside: noLook() }, texts: [get('dial tcp 203.0.113.10:80: connect: connection refused')] },
    { title: 'PROXY protocol explains a reset better', answer: 'found', confidence: 'possible', about: { challenge: pending(), probeFromOutside: served, routing: hinted('proxy-protocol') }, texts: [get('read: connection reset by peer')] },
    { title: 'broken outside as well', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: aProbe({ outcome: 'timeout' }) }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'another address inside', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: served, addresses: anAddresses({ split: true }) }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'the CA has looked', answer: 'not-applicable', about: { challenge: aChallenge(), probeFromOutside: served }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'the challenge could not be read', answer: 'cannot-tell', about: { challenge: noLook() } },
    { title: 'the Challenge is gone, and the server answers outside only', answer: 'found', confidence: 'likely', about: { probeFromOutside: aProbe({ outcome: 'status', status: 404, tokenAsked: false }) }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] }
  ],
  'http01-proxy-protocol-mismatch': [
    { title: 'EOF, and PROXY protocol is on', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: hinted('proxy-protocol') }, texts: [get('EOF')] },
    { title: 'the controller logs the broken header, too', answer: 'found', confidence: 'proven', about: { challenge: pending(), routing: hinted('proxy-protocol') }, texts: [get('EOF'), aText('broken header: "GET / HTTP/1.1" while reading PROXY protocol, client: 10.42.0.1', { source: 'log', ref: 'log door/controller', severity: 'info' })] },
    { title: 'EOF, and no setting to be seen', answer: 'found', confidence: 'possible', about: { challenge: pending() }, texts: [get('EOF')] },
    { title: 'only the Service asks for it: 400', answer: 'found', confidence: 'likely', about: { challenge: pending(), routing: sentHeader() }, texts: [checks("wrong status code '400', expected '200'")] },
    { title: 'only the Service asks for it, and the CA got 400', answer: 'found', confidence: 'likely', about: { challenge: aChallenge(), routing: sentHeader() }, texts: [saysCa(`Invalid response from ${url}: 400`, 'unauthorized')] },
    { title: 'both sides speak it: 400 is of something else', answer: 'not-applicable', about: { challenge: pending(), routing: hinted('proxy-protocol') }, texts: [checks("wrong status code '400', expected '200'")] },
    { title: 'cut off from outside, too', answer: 'ruled-out', about: { challenge: pending(), probeFromOutside: aProbe({ outcome: 'reset' }) }, texts: [get('EOF')] },
    { title: 'served inside', answer: 'ruled-out', about: { challenge: pending(), probeFromCluster: served } },
    { title: 'a time-out is no PROXY protocol', answer: 'not-applicable', about: { challenge: pending(), routing: hinted('proxy-protocol') }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'the CA has looked', answer: 'not-applicable', about: { challenge: aChallenge(), routing: hinted('proxy-protocol') }, texts: [get('EOF')] }
  ],
  'http01-cluster-dns-wrong': [
    { title: 'the cluster knows another address', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses({ split: true, clusterAddresses: ['198.51.100.23'] }) }, texts: [get('dial tcp 198.51.100.23:80: connect: connection refused')] },
    { title: 'the cluster knows none, the world does', answer: 'found', confidence: 'likely', about: { challenge: pending(), addresses: anAddresses({ split: true, clusterState: 'nxdomain', clusterAddresses: [] }) }, texts: [get('dial tcp: lookup shop.example.com on 10.96.0.10:53: no such host')] },
    { title: 'the world knows none either', answer: 'ruled-out', about: { challenge: pending(), addresses: anAddresses({ publicState: 'nxdomain', publicAddresses: [] }) }, texts: [get('dial tcp: lookup shop.example.com on 10.96.0.10:53: no such host')] },
    { title: 'the same address', answer: 'ruled-out', about: { challenge: pending(), addresses: anAddresses() }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'public DNS could not be asked', answer: 'cannot-tell', about: { challenge: pending(), addresses: noLook() }, texts: [get('dial tcp: lookup shop.example.com on 10.96.0.10:53: no such host')] },
    { title: 'the CA has looked', answer: 'not-applicable', about: { addresses: anAddresses({ split: true }) } }
  ],
  'http01-self-check-egress-blocked': [
    { title: 'a proxy refuses', answer: 'found', confidence: 'proven', about: { challenge: pending() }, texts: [get('proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused')] },
    { title: '407', answer: 'found', confidence: 'proven', about: { challenge: pending() }, texts: [checks("wrong status code '407', expected '200'")] },
    { title: 'the policy lets no port 80 out', answer: 'found', confidence: 'likely', about: { challenge: pending(), networkPolicy: fenced() }, texts: [get('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')] },
    { title: 'no policy', answer: 'ruled-out', about: { challenge: pending(), networkPolicy: aNetworkPolicy() }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] },
    { title: 'the request got out: 404', answer: 'not-applicable', about: { challenge: pending(), networkPolicy: fenced() }, texts: [checks("wrong status code '404', expected '200'")] },
    { title: 'the CA has looked', answer: 'not-applicable', about: { challenge: aChallenge(), networkPolicy: fenced() }, texts: [get('dial tcp 203.0.113.10:80: i/o timeout')] }
  ]
}

for (const [id, rows] of Object.entries(table)) {
  t.test(id, async t => {
    const { default: cause } = await import(`../../src/diagnose/causes/${id}.ts`) as { default: Cause }
    t.equal(cause.id, id)
    for (const { title, answer, confidence, variant, about, texts, shared } of rows) {
      const { answer: alone, diagnosis } = examineAlone(cause, aCase({ about, texts, ...shared }))
      // What is only possible from standing state is named below an honest "unknown".
      const found = [...diagnosis.causes, ...diagnosis.alsoFits][0]
      t.equal(found === undefined ? alone : 'found', answer, title)
      if (confidence !== undefined) t.equal(found?.confidence, confidence, `${title}: ${confidence}`)
      if (variant !== undefined) t.equal(found?.variant, variant, `${title}: ${variant}`)
      if (found !== undefined) t.notMatch([found.summary, found.meaning, ...found.steps.flatMap(({ text, command = '' }) => [text, command])].join('\n'), /\{\w+\}|undefined|\[object/, `${title}: reads as a sentence`)
    }
    t.ok(rows.some(({ answer }) => answer === 'found') && rows.some(({ answer }) => answer !== 'found'), 'the table shows both sides')
  })
}
