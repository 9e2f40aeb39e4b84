import t from 'tap'
import { seen, unavailable } from '../../src/shared/types/common.ts'
import type { Look } from '../../src/shared/types/common.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import type { AcmeLook, DnsFailure, DnsLook, DnsType, HttpHop, HttpLook, Observations, Vantage } from '../../src/shared/types/observations.ts'
import { addressClass, addressesFacts } from '../../src/correlate/facts/addresses.ts'
import { caRecordFacts } from '../../src/correlate/facts/ca-record.ts'
import { caaFacts, judgeCaa } from '../../src/correlate/facts/caa.ts'
import type { CaaQuestion } from '../../src/correlate/facts/caa.ts'
import { delegationFacts } from '../../src/correlate/facts/delegation.ts'
import { directoryFacts } from '../../src/correlate/facts/directory.ts'
import type { OutsideContext, OutsideSeed } from '../../src/correlate/facts/outside-looks.ts'
import { bodyKind, cdnOf } from '../../src/correlate/facts/probes-body.ts'
import { probeFromClusterFacts, probeFromOutsideFacts } from '../../src/correlate/facts/probes.ts'
import { servedFacts } from '../../src/correlate/facts/served.ts'
import { txtFacts } from '../../src/correlate/facts/txt.ts'
import { vantageTable } from '../../src/correlate/facts/vantages.ts'

const now = Date.parse('2026-11-24T10:05:00Z')
const name = 'shop.example.com'
const digest = 'A'.repeat(43)

const context = (looks: Partial<Observations>, objects: KubeObject[] = [], issuer?: KubeObject): OutsideContext => ({
  observations: { format: 1, now, alerts: [], subject: { hint: { kind: 'Scan', from: 'test' }, tried: [], domains: [], candidates: [], lint: [] }, objects, lists: [], logs: [], dns: [], http: [], acme: [], recorded: [], looks: [], ...looks } as Observations,
  attempt: issuer === undefined ? {} : { issuer }
})
const object = (kind: string, parts: object): KubeObject => ({ apiVersion: 'v1', kind, metadata: { name: 'lb', namespace: 'ingress', uid: kind }, ...parts })
const challenge = (spec: object): KubeObject => object('Challenge', { spec })
const overHttp: OutsideSeed = { name, type: 'dns', wildcard: false, challengeType: 'HTTP-01', challenge: challenge({ token: 'tok', key: 'tok.key' }) }
const overDns: OutsideSeed = { name, type: 'dns', wildcard: false, challengeType: 'DNS-01', challenge: challenge({ key: digest }) }

/** `data` with a type of its own where it is not the asked one: `CNAME target`. */
const dns = (vantage: Vantage, server: string, asked: string, type: DnsType, data: string[] | DnsFailure, more: Partial<DnsLook> & { rcode?: string, aa?: boolean, ad?: boolean, ede?: { code: number, text: string }, authority?: string[] } = {}): DnsLook => {
  const { rcode = 'NOERROR', aa = false, ad = false, ede, authority = [], ...rest } = more
  let owner = asked
  const answers = Array.isArray(data) ? data.map((text) => {
    const link = /^CNAME (.*)$/.exec(text)
    const record = { name: owner, type: link === null ? type : 'CNAME', ttl: 60, data: link?.[1] ?? text }
    if (link !== null) owner = link[1]!
    return record
  }) : []
  return {
    vantage, server, name: asked, type, at: now, ms: 1,
    ...(Array.isArray(data) ? { look: seen({ rcode, answers, authority: authority.map((text) => ({ name: 'example.com', type: 'SOA', ttl: 300, data: text })), aa, ad, ...(ede && { ede }) }) } : { look: unavailable(`no answer: ${data}`), failure: data }),
    ...rest
  }
}
const web = (vantage: Vantage, address: string, hops: Partial<HttpHop>[], more: Partial<HttpLook> = {}): HttpLook => ({
  vantage, purpose: 'challenge', dnsName: name, url: `http://${name}/.well-known/acme-challenge/tok`, address, at: now, ms: 1,
  look: seen({ hops: hops.map((hop) => ({ url: `http://${name}/`, address, port: 80, ms: 1, ...hop })) }), ...more
})
const directory = (value: { status: number, body: unknown, date?: number } | string, failure?: AcmeLook['failure']): AcmeLook => ({
  kind: 'directory', url: 'https://ca.example/directory', at: now, look: typeof value === 'string' ? unavailable(value) : seen(value), ...(failure && { failure })
})

const must = <T>(look: Look<T>): T => {
  if (look.is !== 'seen') throw new Error(`the fact is ${look.is}`)
  return look.value
}

t.test('addresses: who resolves to what, and whose it is', (t) => {
  const service = object('Service', { status: { loadBalancer: { ingress: [{ ip: '203.0.113.10' }] } } })
  const byName = object('Service', { status: { loadBalancer: { ingress: [{ hostname: 'lb.cloud.example' }] } } })
  const of = (looks: DnsLook[], objects: KubeObject[] = []) => addressesFacts(context({ dns: looks }, objects), overHttp)

  t.match(of([dns('public', '1.1.1.1', name, 'A', ['203.0.113.10']), dns('cluster', '10.96.0.10', name, 'A', ['203.0.113.10'])], [service]),
    { value: { publicState: 'ok', clusterState: 'ok', split: false, publicAddresses: [{ address: '203.0.113.10', family: 4, class: 'public', ownedBy: 'Service ingress/lb' }] } }, 'the same everywhere')
  t.match(of([dns('public', '1.1.1.1', name, 'A', ['CNAME lb.cloud.example', '203.0.113.77'])], [byName]), { value: { publicAddresses: [{ ownedBy: 'Service ingress/lb' }] } }, 'ours by the load balancer\'s name')
  t.match(of([dns('public', '1.1.1.1', name, 'A', ['203.0.113.77'])], [byName]), { value: { unresolvedHosts: ['lb.cloud.example'] } }, 'an alias does not say whose it is')
  t.match(of([dns('public', '1.1.1.1', name, 'A', ['203.0.113.77']), dns('public', '1.1.1.1', 'lb.cloud.example', 'A', ['203.0.113.77'])], [byName]), { value: { unresolvedHosts: [], publicAddresses: [{ ownedBy: 'Service ingress/lb' }] } }, 'asked by its own name it does')
  t.match(of([dns('public', '1.1.1.1', name, 'A', ['203.0.113.10']), dns('cluster', 'c', name, 'A', ['10.0.0.5'])]), { value: { split: true, clusterAddresses: ['10.0.0.5'] } }, 'split horizon')
  t.match(of([dns('public', '1.1.1.1', name, 'A', ['203.0.113.10', '203.0.113.11']), dns('cluster', 'c', name, 'A', ['203.0.113.11'])]), { value: { split: false } }, 'round robin is no split')
  t.match(of([dns('public', '1.1.1.1', name, 'A', [], { rcode: 'NXDOMAIN' }), dns('public', '8.8.8.8', name, 'A', [], { rcode: 'NXDOMAIN' }), dns('cluster', 'c', name, 'A', ['10.0.0.5'])]), { value: { publicState: 'nxdomain', split: true } })
  t.match(of([dns('public', '1.1.1.1', name, 'A', []), dns('public', '1.1.1.1', name, 'AAAA', [])]), { value: { publicState: 'nodata' } })
  t.match(of([dns('public', '1.1.1.1', name, 'A', [], { rcode: 'SERVFAIL' }), dns('public', '8.8.8.8', name, 'A', ['203.0.113.1'])]), { value: { publicState: 'mixed' } })
  t.match(of([dns('public', '1.1.1.1', name, 'A', 'timeout'), dns('public', '8.8.8.8', name, 'A', ['203.0.113.1'])]), { value: { publicState: 'ok' } }, 'silence does not contradict')
  t.match(of([dns('public', '1.1.1.1', name, 'A', 'timeout'), dns('cluster', 'c', name, 'A', ['10.0.0.5'])]), { value: { publicState: 'timeout', split: false } })
  t.match(of([dns('public', '1.1.1.1', name, 'A', 'unreachable'), dns('cluster', 'c', name, 'A', ['10.0.0.5'])]), { value: { publicState: 'unknown' } }, 'an unreachable resolver says nothing of the name')
  t.match(of([dns('public', '1.1.1.1', name, 'A', 'timeout')]), { is: 'unavailable', why: 'no answer: timeout' })
  t.match(of([dns('public', '1.1.1.1', name, 'A', 'not-recorded')]), { is: 'unavailable' })
  t.match(addressesFacts(context({ looks: [{ what: 'DNS', source: 'dns', is: 'unavailable', ms: 0, why: 'probes are switched off', fix: 'on' }] }), overHttp), { is: 'unavailable', why: 'probes are switched off', fix: 'on' })
  const classes = { '8.8.8.8': 'public', '203.0.113.1': 'public', '10.1.1.1': 'private', '127.0.0.1': 'loopback', '169.254.1.1': 'link-local', '100.64.0.1': 'cgnat', 'fd00::1': 'unique-local', '240.0.0.1': 'reserved', '::ffff:10.0.0.1': 'private' }
  for (const [address, expected] of Object.entries(classes)) t.equal(addressClass(address), expected, address)
  t.end()
})

t.test('TXT: the expected value against what each server has', (t) => {
  const at = `_acme-challenge.${name}`
  const of = (looks: DnsLook[], identifier = overDns) => txtFacts(context({ dns: looks }), identifier)
  const one = (data: string[] | DnsFailure, more = {}) => dns('authoritative', 'ns1 (203.0.113.1)', at, 'TXT', data, { aa: true, ...more })
  const two = (data: string[] | DnsFailure, more = {}) => dns('authoritative', 'ns2 (203.0.113.2)', at, 'TXT', data, { aa: true, ...more })
  const states: [title: string, looks: DnsLook[], expected: object][] = [
    ['everywhere', [one([digest]), two([digest])], { state: 'everywhere' }],
    ['one of two', [one([digest]), two([], { rcode: 'NXDOMAIN', authority: ['ns1 admin 7 1 1 1 60'] })], { state: 'partial', servers: [{ hasExpected: true }, { hasExpected: false, negativeTtl: 60 }] }],
    ['nowhere', [one([]), two([])], { state: 'none', foreignDigests: [] }],
    ['an old digest', [one(['B'.repeat(43)]), two(['B'.repeat(43)])], { state: 'other-values', foreignDigests: ['B'.repeat(43)] }],
    ['beside others it is there', [one(['x', digest]), two([digest])], { state: 'everywhere' }],
    ['the cluster\'s view never decides', [one([]), dns('cluster', 'c', at, 'TXT', [digest])], { state: 'none' }],
    ['public resolvers stand in', [one('timeout'), dns('public', '1.1.1.1', at, 'TXT', [digest])], { state: 'everywhere' }],
    ['a cached old value outlives the zone\'s', [one([]), dns('public', '1.1.1.1', at, 'TXT', ['C'.repeat(43)])], { state: 'other-values' }],
    ['nobody could answer', [one('timeout'), dns('public', '1.1.1.1', at, 'TXT', [], { rcode: 'SERVFAIL' })], { state: 'unknown' }]
  ]
  for (const [title, looks, expected] of states) t.match(must(of(looks)), expected, title)

  const delegated = must(of([dns('public', '1.1.1.1', at, 'TXT', ['CNAME shop.dns.example', digest]), one(['CNAME shop.dns.example']), dns('authoritative', 'ns (203.0.113.9)', 'shop.dns.example', 'TXT', [])]))
  t.match(delegated, { cname: ['shop.dns.example'], state: 'none' }, 'the server that only holds the CNAME is passed over')
  t.equal(delegated.servers.filter(({ vantage }) => vantage === 'authoritative').length, 1)
  t.match(must(of([one([]), dns('public', '1.1.1.1', `acme-triage-wildcard-check.${name}`, 'TXT', ['v=spf1'])])), { wildcardAnswer: true })
  t.match(must(of([one([]), dns('public', '1.1.1.1', `${at}.example.com`, 'TXT', [digest])])), { doubledAt: `${at}.example.com` })
  t.match(must(of([one([digest]), dns('authoritative', 'ns1 (203.0.113.1)', 'example.com', 'SOA', ['ns1 admin 42 1 1 1 60'])])), { servers: [{ serial: 42 }] })
  t.match(of([one('timeout')]), { is: 'unavailable' })
  t.match(of([], overHttp), { is: 'absent' })
  t.equal(must(of([one([])], { ...overDns, challenge: challenge({ key: 'tok.thumb' }) })).expected?.length, 43, 'a key authorization is digested')
  t.end()
})

t.test('CAA: judged as the CA judges', (t) => {
  const question: CaaQuestion = { identities: ['letsencrypt.org'], wildcard: false, method: 'http-01', accountUri: 'https://ca/acct/1' }
  const rows: [records: string[], asked: Partial<CaaQuestion>, expected: { allows?: boolean, why?: string }][] = [
    [['0 issue letsencrypt.org'], {}, { allows: true }],
    [['0 ISSUE LetsEncrypt.org'], {}, { allows: true }],
    [['0 issue sectigo.com'], {}, { allows: false, why: 'other-ca' }],
    [['0 issue sectigo.com', '0 issue letsencrypt.org'], {}, { allows: true }],
    [['0 issue ;'], {}, { allows: false, why: 'empty' }],
    [['0 iodef mailto:a@b'], {}, { allows: true }],
    [['0 issuewild ;'], {}, { allows: true }],
    [['0 issue letsencrypt.org', '0 issuewild ;'], { wildcard: true }, { allows: false, why: 'wildcard' }],
    [['0 issue letsencrypt.org'], { wildcard: true }, { allows: true }],
    [['0 issue ;', '0 issuewild letsencrypt.org'], { wildcard: true }, { allows: true }],
    [['128 tbs unknown'], {}, { allows: false, why: 'critical' }],
    [['1 tbs unknown'], {}, { allows: false, why: 'critical' }],
    [['0 tbs unknown'], {}, { allows: true }],
    [['128 issue letsencrypt.org'], {}, { allows: true }],
    [['0 issue letsencrypt.org; validationmethods=dns-01'], {}, { allows: false, why: 'method' }],
    [['0 issue letsencrypt.org;validationmethods=dns-01,http-01'], {}, { allows: true }],
    [['0 issue letsencrypt.org; accounturi=https://ca/acct/1'], {}, { allows: true }],
    [['0 issue letsencrypt.org; accounturi=https://ca/acct/2'], {}, { allows: false, why: 'account' }],
    [['0 issue letsencrypt.org; accounturi=https://ca/acct/2'], { accountUri: undefined }, { why: 'account' }],
    [['0 issue letsencrypt.org; accounturi=a; accounturi=b'], {}, { allows: false, why: 'malformed' }],
    [['0 issue letsencrypt.org; nonsense'], {}, { allows: false, why: 'malformed' }],
    [['0 issue sectigo.com'], { identities: [] }, { why: 'the CA does not say what it is called in CAA records' }]
  ]
  for (const [records, asked, expected] of rows) {
    const parsed = records.map((text) => {
      const [flags, tag, ...value] = text.split(' ')
      return { flags: Number(flags), tag: tag!.toLowerCase(), value: value.join(' ') }
    })
    t.strictSame(judgeCaa(parsed, { ...question, ...asked }), expected, `${records.join(' + ')} ${JSON.stringify(asked)}`)
  }
  t.end()
})

t.test('CAA: the closest set decides, and an error on the way is final', (t) => {
  const issuer = object('Issuer', { spec: { acme: { server: 'https://acme-v02.api.letsencrypt.org/directory' } }, status: { acme: { uri: 'https://ca/acct/1' } } })
  const of = (looks: DnsLook[], identifier = overHttp) => caaFacts(context({ dns: looks }, [], issuer), identifier)
  const at = (asked: string, data: string[] | DnsFailure, more = {}) => dns('public', '1.1.1.1', asked, 'CAA', data, more)
  t.match(must(of([at(name, []), at('example.com', ['0 issue "sectigo.com"']), at('com', [])])), { foundAt: 'example.com', allows: false, why: 'other-ca' })
  t.match(must(of([at(name, ['0 issue "letsencrypt.org"']), at('example.com', ['0 issue ";"'])])), { foundAt: name, allows: true })
  t.match(must(of([at(name, ['CNAME cdn.example', '0 issue "other.example"'])])), { foundAt: 'cdn.example', allows: false }, 'the alias\'s own name')
  t.match(must(of([at(name, [], { rcode: 'SERVFAIL', ede: { code: 9, text: 'no matching DS' } }), at('example.com', ['0 issue "letsencrypt.org"'])])), { lookupFailed: { name, what: 'SERVFAIL (extended error 9: no matching DS)' } })
  t.match(must(of([at(name, 'timeout'), at('example.com', [])])), { lookupFailed: { name, what: 'query timed out' } })
  t.match(must(of([at(name, [], { rcode: 'NXDOMAIN' }), at('example.com', []), at('com', [], { rcode: 'NXDOMAIN' })])), { allows: true })
  t.match(must(of([at(name, [], { rcode: 'SERVFAIL' }), dns('public', '8.8.8.8', name, 'CAA', [])])), { allows: true }, 'one resolver\'s bad day is not the CA\'s')
  t.match(of([at(name, 'unreachable'), at('example.com', 'unreachable')]), { is: 'unavailable' })
  t.match(of([]), { is: 'unavailable' })
  t.match(caaFacts(context({ dns: [at('example.com', ['0 issue "own.example"'])], acme: [directory({ status: 200, body: { newOrder: 'x', meta: { caaIdentities: ['own.example'] } } })] }), overHttp), { value: { allows: true } }, 'the directory\'s own word on its name')
  t.end()
})

t.test('directory: reachable, trusted, and what time it is there', (t) => {
  const of = (look: AcmeLook) => directoryFacts(context({ acme: [look] }))
  t.match(must(of(directory({ status: 200, body: { newOrder: 'x', meta: { externalAccountRequired: true, profiles: { tlsserver: '', classic: '' } } }, date: now + 90_000 }))), { reachable: true, skewMs: 90_000, externalAccountRequired: true, profiles: ['classic', 'tlsserver'] })
  t.match(must(of(directory({ status: 200, body: undefined }))), { reachable: false, status: 200 }, 'a web page is no directory')
  t.match(must(of(directory({ status: 503, body: {} }))), { reachable: false, status: 503 })
  t.match(must(of(directory('untrusted', { code: 'tls', text: 'self-signed' }))), { reachable: false, trusted: false, failure: { code: 'tls' } })
  t.match(of(directory('nothing is recorded', { code: 'not-recorded', text: '' })), { is: 'unavailable' })
  t.match(directoryFacts(context({})), { is: 'absent' })
  t.end()
})

t.test('delegation: lame servers, parents, DNSSEC, and a domain that is gone', (t) => {
  const soa = 'ns1.example.com admin.example.com 7 1 1 1 60'
  const zoneLook = dns('public', '1.1.1.1', 'example.com', 'SOA', [soa])
  const ns = (server: string, data: string[] | DnsFailure, more = {}) => dns('authoritative', server, 'example.com', 'SOA', data, { aa: true, ...more })
  const of = (looks: DnsLook[]) => must(delegationFacts(context({ dns: looks }), overHttp))
  t.match(of([zoneLook, ns('ns1 (203.0.113.1)', [soa]), ns('ns2 (203.0.113.2)', [], { rcode: 'REFUSED', aa: false }), ns('ns3 (203.0.113.3)', 'timeout')]),
    { zone: 'example.com', registeredDomainState: 'ok', nameServers: [{ name: 'ns1', addresses: ['203.0.113.1'], lame: false, serial: 7 }, { lame: true, answers: true }, { answers: false, lame: false }] })
  t.match(of([zoneLook, ns('ns1 (203.0.113.1)', [soa]), ns('ns1 (2001:db8::1)', 'unreachable')]), { nameServers: [{ name: 'ns1', answers: true }] }, 'a pod without IPv6 says nothing of the server')
  t.match(of([zoneLook, ns('ns1 (203.0.113.1)', [], { rcode: 'REFUSED', aa: false })]), { registeredDomainState: 'lame' })
  t.match(of([zoneLook, ns('ns1 (203.0.113.1)', [soa]), dns('authoritative', 'ns1 (203.0.113.1)', 'example.com', 'NS', ['ns1', 'ns2']), dns('authoritative', 'a.gtld (203.0.113.9)', 'example.com', 'NS', ['ns1'])]), { parentNs: ['ns1'], childNs: ['ns1', 'ns2'] })
  const gone = [dns('public', '1.1.1.1', name, 'SOA', [], { rcode: 'NXDOMAIN' }), dns('public', '1.1.1.1', 'example.com', 'SOA', [], { rcode: 'NXDOMAIN' }), dns('public', '1.1.1.1', 'com', 'SOA', [soa])]
  t.match(of([...gone, dns('public', '1.1.1.1', name, 'A', [], { rcode: 'NXDOMAIN' })]), { registeredDomainState: 'nxdomain' })
  t.match(of([...gone, dns('public', '1.1.1.1', name, 'A', ['203.0.113.1'])]), { registeredDomainState: 'unknown' }, 'a name that resolves has a domain')
  const broken = dns('public', '1.1.1.1', name, 'A', [], { rcode: 'SERVFAIL' })
  t.match(of([zoneLook, broken, { ...dns('public', '1.1.1.1', name, 'A', ['203.0.113.1']), checkingDisabled: true }]), { dnssec: 'bogus', dnssecText: /checking off/ })
  t.match(of([zoneLook, broken, { ...broken, checkingDisabled: true }]), { dnssec: 'unknown' }, 'a server that fails either way is not a DNSSEC fault')
  t.match(of([zoneLook, dns('public', '1.1.1.1', name, 'A', [], { rcode: 'SERVFAIL', ede: { code: 7, text: 'signature expired' } })]), { dnssec: 'bogus', dnssecText: /signature expired/ })
  t.match(of([zoneLook, dns('public', '1.1.1.1', 'example.com', 'DS', [])]), { dnssec: 'unsigned' })
  t.match(of([zoneLook, dns('public', '1.1.1.1', 'example.com', 'DS', ['1 13 2 ab']), dns('public', '1.1.1.1', name, 'A', ['203.0.113.1'], { ad: true })]), { dnssec: 'ok' })
  t.end()
})

t.test('the challenge path: one outcome out of many ends', (t) => {
  const of = (looks: HttpLook[], more: Partial<Observations> = {}, identifier = overHttp) => probeFromClusterFacts(context({ http: looks, ...more }), identifier)
  const a = '203.0.113.10'
  const rows: [title: string, hop: Partial<HttpHop>, look: Partial<HttpLook>, expected: object][] = [
    ['served', { status: 200, body: 'tok.key' }, { served: true }, { outcome: 'token-served', bodyKind: 'key-authorization', tokenAsked: true }],
    ['404', { status: 404, body: 'default backend - 404' }, {}, { outcome: 'status', status: 404, bodyKind: 'default-backend' }],
    ['another key', { status: 200, body: `tok.${'x'.repeat(43)}` }, { served: false }, { outcome: 'wrong-body' }],
    ['a real foreign key', { status: 200, body: `${'t'.repeat(43)}.${'x'.repeat(43)}` }, { served: false }, { outcome: 'other-token', bodyKind: 'other-key-authorization' }],
    ['a page', { status: 200, body: '<!doctype html><div id="root"></div>' }, { served: false }, { outcome: 'wrong-body', bodyKind: 'spa-index' }],
    ['nothing in it', { status: 200, body: '' }, { served: false }, { outcome: 'empty-body', bodyKind: 'empty' }],
    ['time-out', { failure: { code: 'timeout', text: 'no answer' } }, {}, { outcome: 'timeout' }],
    ['closed', { failure: { code: 'closed', text: '' } }, {}, { outcome: 'closed' }],
    ['refused redirect', { status: 302, location: 'http://x:8080/', failure: { code: 'redirect', text: 'Invalid port' } }, {}, { outcome: 'redirect-invalid', status: 302 }],
    ['TLS on 80', { failure: { code: 'other', text: 'the server speaks TLS on this port' } }, {}, { outcome: 'other', bodyKind: 'tls-on-80' }]
  ]
  for (const [title, hop, look, expected] of rows) t.match(must(of([web('cluster', a, [hop], look)])), { address: a, ...expected }, title)

  const good = web('cluster', a, [{ status: 200, body: 'tok.key' }], { served: true })
  t.match(must(of([good, web('cluster', '203.0.113.11', [{ failure: { code: 'timeout', text: '' } }])])), { outcome: 'timeout', address: '203.0.113.11', perAddress: { length: 2 } }, 'the worst address decides')
  t.match(must(of([good, web('cluster', '2001:db8::1', [{ failure: { code: 'unreachable', text: '' } }])])), { outcome: 'token-served' }, 'a pod without IPv6 is not an outage')
  t.match(must(of([web('cluster', a, [{ status: 308, location: 'https://x/' }, { failure: { code: 'tls', text: 'alert' } }])])), { outcome: 'tls-failed', redirectedToHttps: true })
  t.match(of([web('cluster', a, [{ status: 302 }, { failure: { code: 'not-recorded', text: 'nothing is recorded' } }])]), { is: 'unavailable', why: 'nothing is recorded' })
  t.match(of([web('cluster', a, [], { look: unavailable('10.0.0.5 is a private address') })]), { is: 'unavailable', why: /private/ })
  t.match(must(of([good, web('cluster', '10.0.0.5', [{ status: 404 }])], { dns: [dns('cluster', 'c', name, 'A', ['10.0.0.5']), dns('public', 'p', name, 'A', [a])] })), { outcome: 'status', address: '10.0.0.5' }, 'the self check goes where the cluster\'s DNS leads')
  t.match(of([good], {}, overDns), { is: 'absent' })
  t.match(of([good], {}, { ...overHttp, wildcard: true }), { is: 'absent' })
  t.match(must(of([web('cluster', a, [{ status: 200, body: `tok.${'x'.repeat(43)}` }])])), { outcome: 'wrong-body' }, 'a short token is no key authorization')

  t.match(probeFromOutsideFacts(context({ http: [good] }), overHttp), { is: 'unavailable', why: 'no outside probe is configured', fix: /acme-triage probe/ }, 'never guessed from the cluster')
  const outside = must(probeFromOutsideFacts(context({ http: [good, { ...good, vantage: 'outside:sydney' }, web('outside:oslo', a, [{ failure: { code: 'timeout', text: 'no answer' } }])] }), overHttp))
  t.match(outside, { outcome: 'timeout', perAddress: [{ vantage: 'outside:sydney' }, { vantage: 'outside:oslo' }] })
  t.end()
})

t.test('bodies are recognised by what their products print', (t) => {
  const rows: [kind: string, hop: Partial<HttpHop>][] = [
    ['cdn-challenge', { status: 403, body: '<title>Just a moment...</title>' }], ['cdn-challenge', { status: 403, headers: { 'cf-mitigated': 'challenge' }, body: 'x' }],
    ['cdn-challenge', { status: 200, body: '<script src="/aes.js"></script>' }], ['cdn-error', { status: 522, headers: { 'cf-ray': '1' }, body: 'error code: 522' }],
    ['waf-block', { status: 200, body: '<title>Application Blocked</title> acme-protocol' }], ['waf-block', { status: 200, body: 'The requested URL was rejected. Please consult with your administrator.' }],
    ['tls-on-80', { status: 400, body: '<center>The plain HTTP request was sent to HTTPS port</center>' }], ['default-backend', { status: 404, body: '404 page not found\n' }], ['default-backend', { status: 404, body: 'default backend - 404' }],
    ['load-balancer-404', { status: 404, body: '<title>404</title>', server: 'awselb/2.0' }], ['login-page', { status: 200, body: '<form><input type="password"></form>' }],
    ['parking', { status: 200, body: '<h1>This domain is for sale</h1>' }], ['parking', { status: 200, body: '<title>Welcome to nginx!</title>' }], ['maintenance', { status: 503, body: '<h1>Down for maintenance</h1>' }],
    ['spa-index', { status: 200, body: '<!doctype html><div id="app"></div>' }], ['html', { status: 503, body: '<html><h1>503 Service Temporarily Unavailable</h1>' }], ['empty', { status: 200, body: ' \n' }], ['other', { status: 200, body: 'ok' }]
  ]
  for (const [kind, hop] of rows) t.equal(bodyKind({ url: '', address: '', port: 80, ms: 0, ...hop }, undefined), kind, String(hop.body))
  t.equal(cdnOf([{ url: '', address: '', port: 80, ms: 0, server: 'cloudflare' }]), 'cloudflare')
  t.equal(cdnOf([{ url: '', address: '', port: 80, ms: 0, headers: { via: '1.1 abc.cloudfront.net (CloudFront)' } }]), 'cloudfront')
  t.equal(cdnOf([{ url: '', address: '', port: 80, ms: 0, server: 'nginx' }]), undefined)
  t.end()
})

t.test('the CA\'s record: its own challenge, its problem, and where it went', (t) => {
  const url = 'https://ca.example/authz/1'
  const identifier = { ...overHttp, challenge: challenge({ token: 'tok', key: 'tok.key', authorizationURL: url, url: 'https://ca.example/chall/1' }) }
  const record = { type: 'http-01', url: 'https://ca.example/chall/1', status: 'invalid', validated: '2026-11-24T10:00:41Z', error: { type: 'urn:ietf:params:acme:error:connection', detail: '203.0.113.10: Fetching http://shop.example.com/x: Timeout during connect (likely firewall problem)', status: 400 }, validationRecord: [{ url: 'http://shop.example.com/x', hostname: name, port: '80', addressesResolved: ['203.0.113.10'], addressUsed: '203.0.113.10' }] }
  const authorization = (body: unknown, at = url): AcmeLook => ({ kind: 'authorization', url: at, at: now, look: seen({ status: 200, body }) })
  const of = (acme: AcmeLook[], more: Partial<Observations> = {}, seed: OutsideSeed = identifier) => caRecordFacts(context({ acme, ...more }), seed)
  const whole = authorization({ identifier: { type: 'dns', value: name }, challenges: [{ type: 'dns-01', status: 'pending' }, record] })

  t.match(must(of([whole])), { status: 'invalid', validated: Date.parse('2026-11-24T10:00:41Z'), problem: { type: 'connection', ip: '203.0.113.10' }, hops: [{ addressUsed: '203.0.113.10', port: '80' }], addressChanged: false, evidence: [{ source: 'acme', ref: url, time: Date.parse('2026-11-24T10:00:41Z'), text: /Timeout during connect/ }] })
  t.match(must(of([whole], { dns: [dns('public', 'p', name, 'A', ['203.0.113.99'])] })), { addressChanged: true })
  t.match(must(of([whole], { dns: [dns('public', 'p', name, 'A', ['203.0.113.10'])] })), { addressChanged: false })
  t.match(must(of([{ kind: 'authorization', url, at: now, look: unavailable('405') }, { kind: 'challenge', url: 'https://ca.example/chall/1', at: now, look: seen({ status: 200, body: record }) }])), { status: 'invalid' }, 'the challenge stands in for a hidden authorization')
  t.match(must(of([whole], {}, { ...overHttp, challenge: undefined })), { status: 'invalid' }, 'found by name when the Challenge is gone')
  t.match(of([authorization({ identifier: { value: name }, challenges: [record] }, 'https://ca.example/authz/of-another-attempt')]), { is: 'unavailable' }, 'another attempt\'s authorization is not this one\'s')
  t.match(of([{ kind: 'authorization', url, at: now, look: unavailable('the CA does not show it') }]), { is: 'unavailable', why: 'the CA does not show it' })
  for (const body of [null, [], 'x', {}, { challenges: 'x' }, { challenges: [null, 5] }, { challenges: [{ type: 'http-01', validationRecord: 'x', error: [] }] }]) t.doesNotThrow(() => of([authorization(body)]), JSON.stringify(body))
  t.match(must(of([authorization({ challenges: [{ ...record, error: {} }] })])), { status: 'invalid', problem: undefined }, 'an empty error is no problem document')
  t.end()
})

t.test('the served certificate', (t) => {
  const of = (tls: object | undefined, more: Partial<HttpHop> = {}) => servedFacts(context({ http: [web('cluster', '203.0.113.10', [{ port: 443, ...(tls && { tls: { names: [name], issuer: 'R12', selfSigned: false, trusted: true, notAfter: now + 27 * 86_400_000, ...tls } }), ...more }], { purpose: 'served-certificate' })] }), overHttp)
  t.match(must(of({})), { daysLeft: 27, matchesName: true, fake: undefined, issuer: 'R12' })
  t.match(must(of({ names: ['*.example.com'] })), { matchesName: true })
  t.match(must(of({ names: ['*.shop.example.com', 'example.com'] })), { matchesName: false })
  t.match(must(of({ issuer: '(STAGING) Wannabe Watercress R11' })), { fake: 'staging' })
  t.match(must(of({ names: ['Kubernetes Ingress Controller Fake Certificate', 'ingress.local'], selfSigned: true })), { fake: 'ingress-default', selfSigned: true })
  t.match(must(of({ names: ['cert-manager.local', name] })), { fake: 'temporary' })
  t.match(must(of({ notAfter: now - 86_400_000 })), { daysLeft: -1, evidence: [{ text: /expired 1 days ago/ }] })
  t.match(of(undefined, { failure: { code: 'refused', text: '' } }), { is: 'absent' })
  t.match(of(undefined, { failure: { code: 'not-recorded', text: '' } }), { is: 'unavailable' })
  t.end()
})

t.test('vantages: the table and the differences it names', (t) => {
  const table = (looks: Partial<Observations>, identifier = overHttp) => {
    const all = context(looks)
    const facts = { addresses: addressesFacts(all, identifier), txt: txtFacts(all, identifier), delegation: delegationFacts(all, identifier), probeFromCluster: probeFromClusterFacts(all, identifier), probeFromOutside: probeFromOutsideFacts(all, identifier), caRecord: caRecordFacts(all, identifier) }
    return vantageTable(facts)
  }
  const kinds = (looks: Partial<Observations>, identifier = overHttp): string[] => table(looks, identifier)?.differences.map(({ kind }) => kind) ?? ['no table']
  const odd = (looks: Partial<Observations>): string[] => table(looks)?.rows.filter(({ agrees }) => !agrees).map(({ vantage }) => vantage) ?? []
  const served = (vantage: Vantage, address = '203.0.113.10') => web(vantage, address, [{ status: 200, body: 'tok.key' }], { served: true })
  const silent = (vantage: Vantage, address = '203.0.113.10') => web(vantage, address, [{ failure: { code: 'timeout', text: 'no answer' } }])
  const both = [dns('public', 'p', name, 'A', ['203.0.113.10']), dns('cluster', 'c', name, 'A', ['203.0.113.10'])]
  t.strictSame(kinds({}), ['no table'])
  t.strictSame(kinds({ dns: both, http: [served('cluster'), served('outside:x')] }), [])
  t.strictSame(kinds({ dns: both, http: [silent('cluster'), served('outside:x')] }), ['hairpin'])
  t.strictSame(kinds({ dns: both, http: [served('cluster'), served('outside:x'), silent('outside:y')] }), ['geo-block'])
  t.strictSame(kinds({ dns: [both[0]!, dns('cluster', 'c', name, 'A', ['10.0.0.5'])] }), ['split-horizon'])
  t.strictSame(kinds({ dns: [...both, dns('public', 'p', name, 'AAAA', ['2001:db8::1'])], http: [served('outside:x'), silent('outside:x', '2001:db8::1')] }), ['ipv6-only'])
  const ns = (server: string, data: string[]) => dns('authoritative', server, `_acme-challenge.${name}`, 'TXT', data)
  t.strictSame(kinds({ dns: [ns('ns1', [digest]), ns('ns2', [])] }, overDns), ['partial-propagation'])
  t.strictSame(kinds({ dns: [...both, dns('authoritative', 'ns1', name, 'A', ['203.0.113.10']), dns('authoritative', 'ns2', name, 'A', ['203.0.113.99'])] }), ['partial-propagation'])

  const three = [...both, dns('outside:x', '9.9.9.9', name, 'A', ['203.0.113.10'])]
  t.strictSame(odd({ dns: three, http: [served('outside:x')] }), [], 'a resolver that asked no web server differs from none that did')
  t.strictSame(odd({ dns: [...three, dns('public', 'q', name, 'A', ['203.0.113.99'])] }), ['public q'])
  t.strictSame(odd({ dns: [...three, dns('outside:y', '9.9.9.9', name, 'A', ['203.0.113.10'])], http: [served('cluster'), served('outside:x'), silent('outside:y')] }), ['outside:y'])
  t.end()
})

t.test('a CAA question that nobody could ask is not a failed lookup', (t) => {
  const of = (...looks: DnsLook[]) => caaFacts(context({ dns: looks }), overHttp)
  const parent = dns('public', '1.1.1.1', 'example.com', 'CAA', ['0 issue "other.example"'])
  const cases: [string, ReturnType<typeof of>, object][] = [
    ['silence on one question of a resolver that answers', of(dns('public', '1.1.1.1', name, 'CAA', 'timeout'), parent), { value: { lookupFailed: { name, what: 'query timed out' } } }],
    ['a resolver that is silent altogether', of(dns('public', '8.8.8.8', name, 'CAA', 'timeout'), parent), { is: 'unavailable' }],
    ['no way to the resolver', of(dns('public', '1.1.1.1', name, 'CAA', 'unreachable'), parent), { is: 'unavailable' }],
    ['cut short', of({ ...dns('public', '1.1.1.1', name, 'CAA', 'timeout'), failure: undefined }, parent), { is: 'unavailable' }],
    ['the zone\'s own servers stand in for silent resolvers', of(dns('public', '1.1.1.1', name, 'CAA', 'unreachable'), dns('authoritative', 'ns1 (203.0.113.53)', name, 'CAA', ['0 issue ";"'])), { value: { foundAt: name } }],
    ['a server that fails on CAA is named', of(dns('public', '1.1.1.1', name, 'CAA', [], { rcode: 'SERVFAIL' }), dns('authoritative', 'ns1 (203.0.113.53)', name, 'CAA', [], { rcode: 'NOTIMP' })), { value: { lookupFailed: { what: 'SERVFAIL' }, evidence: [{ text: 'SERVFAIL' }, { ref: /ns1/, text: 'NOTIMP' }] } }]
  ]
  for (const [title, fact, wanted] of cases) t.match(fact, wanted, title)
  t.end()
})

t.test('servers of one zone that do not behave alike, and a parent that says otherwise', (t) => {
  const soa = 'ns1.example.com admin.example.com 7 7200 900 1209600 300'
  const [one, other] = ['ns1.example.com (203.0.113.53)', 'ns2.example.com (203.0.113.54)']
  const server = (label: string, more: Parameters<typeof dns>[5] = {}, data: string[] | DnsFailure = [soa]) => dns('authoritative', label, 'example.com', 'SOA', data, { aa: true, ...more })
  const common = [dns('public', '1.1.1.1', 'example.com', 'SOA', [soa]), server(one), server(other)]
  const differences = (...looks: DnsLook[]): string[] => {
    const all = context({ dns: [...common, ...looks] })
    const none = unavailable('not asked')
    return vantageTable({ addresses: none, txt: none, delegation: delegationFacts(all, overHttp), probeFromCluster: none, probeFromOutside: none, caRecord: seen({ status: 'invalid', hops: [], addressChanged: false, evidence: [] }) })?.differences.map(({ text }) => text) ?? []
  }
  const strict = server(one, { overTcp: true })
  const changing = { ...server(other, { overTcp: true }), look: seen({ rcode: 'NOERROR', answers: [], authority: [], aa: true, ad: false, caseChanged: true as const }) }
  t.strictSame(differences(strict, server(other, { overTcp: true })), [])
  t.match(differences(strict, server(other, { overTcp: true }, 'timeout')), [/^ns2\.example\.com answers over UDP and not over TCP/])
  t.strictSame(differences(server(one, { overTcp: true }, 'timeout'), server(other, { overTcp: true }, 'timeout')), [], 'no TCP at all may be our own side')
  t.match(differences(strict, changing), [/^ns2\.example\.com does not repeat the letters/])
  const ns = (label: string, names: string[]) => dns('authoritative', label, 'example.com', 'NS', names)
  t.match(differences(ns('a.gtld.example (203.0.113.55)', ['ns1.example.com', 'old.example.net']), ns(one, ['ns1.example.com', 'ns2.example.com'])), [/parent delegates example\.com also to old\.example\.net, .*also names ns2\.example\.com/])
  t.end()
})
