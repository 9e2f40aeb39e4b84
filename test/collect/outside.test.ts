import t from 'tap'
import { buildOutsideClients, inProcessProbe, lookOutside } from '../../src/collect/outside.ts'
import type { OutsideClients, OutsideClientsOptions, OutsideFindings, OutsideRequest } from '../../src/collect/outside.ts'
import { ownAddresses } from '../../src/collect/outside-from-cluster.ts'
import { buildProbeServer } from '../../src/probe-server.ts'
import { direct } from '../../src/shared/clients/route.ts'
import type { Config } from '../../src/shared/config/config.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import { dnsReply, labPair, openLab, zone } from '../support/outside-lab.ts'
import type { Lab } from '../support/outside-lab.ts'

const probes: Config['probes'] = { enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: ['1.1.1.1', '8.8.8.8'], dohResolvers: [], allow: [], contact: 'ops@example.com', outside: [], interval: 30_000 }
const clock = { now: () => 1_000_000 }
const soa = 'ns1.example.com admin.example.com 7 7200 900 1209600 300'

const clientsFor = (lab: Lab, more: Partial<Config['probes']> = {}, options: Partial<OutsideClientsOptions> = {}): OutsideClients =>
  buildOutsideClients({ ...probes, ...more }, { route: lab.route, clock, documentationIsPublic: true, trust: labPair.cert, timeouts: { dns: 200, connect: 1000, hop: 500, acme: 1000, probe: 3000 }, ...options })

const request = (more: Partial<OutsideRequest> = {}): OutsideRequest => ({
  identifiers: [{ name: 'shop.example.com', type: 'dns', wildcard: false, challengeType: 'HTTP-01', token: 'tok', key: 'tok.key', authorizationUrl: 'https://ca.example/authz/1', challengeUrl: 'https://ca.example/chall/1' }],
  acme: { server: 'https://ca.example/directory' },
  clusterAddresses: [],
  ...more
})

const look = (lab: Lab, asked: OutsideRequest, clients = clientsFor(lab), signal = new AbortController().signal): Promise<OutsideFindings> => lookOutside(asked, clients, clock, signal)

/** example.com on two authoritative servers, a web server and a CA. */
async function openInternet (lab: Lab): Promise<void> {
  const common = {
    'example.com SOA': [soa], 'example.com NS': ['ns1.example.com', 'ns2.example.com'], 'ns1.example.com A': ['203.0.113.53'], 'ns2.example.com A': ['203.0.113.54'],
    'shop.example.com A': ['203.0.113.10'], 'example.com CAA': ['0 issue ca.example'], 'com NS': ['a.gtld.example'], 'com SOA': [soa], 'a.gtld.example A': ['203.0.113.55'],
    '_acme-challenge.shop.example.com CNAME': ['shop.dns.example'], 'shop.dns.example TXT': ['digest'], 'dns.example SOA': [soa], 'dns.example NS': ['ns.dns.example'], 'ns.dns.example A': ['203.0.113.56']
  }
  await lab.dns('10.96.0.10', zone({ ...common, 'shop.example.com A': ['10.0.0.5'] }))
  await lab.dns('1.1.1.1', zone(common))
  await lab.dns('8.8.8.8', zone(common))
  await lab.dns('203.0.113.53', zone(common, 1 << 10))
  await lab.dns('203.0.113.54', zone({ ...common, 'shop.example.com A': ['203.0.113.99'] }, 1 << 10))
  await lab.dns('203.0.113.55', (query) => dnsReply(query, [], { authorities: [{ type: 'NS', name: 'example.com', data: 'ns1.example.com' }] }))
  await lab.dns('203.0.113.56', zone({ ...common, 'shop.dns.example TXT': ['digest'] }, 1 << 10))
  await lab.web('203.0.113.10', (incoming, response) => incoming.url === '/.well-known/acme-challenge/tok' ? response.end('tok.key') : response.writeHead(404).end())
  await lab.web('10.0.0.5', (_request, response) => response.writeHead(404).end('default backend - 404'))
  await lab.secure('203.0.113.10', labPair, (_request, response) => response.end())
  await lab.secure('ca.example', labPair, (incoming, response) => response.writeHead(incoming.url === '/directory' || incoming.url === '/authz/1' ? 200 : 404, { 'content-type': 'application/json' }).end('{"newOrder":"x","status":"invalid"}'))
}

t.test('an HTTP-01 name is looked at from every side', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const found = await look(lab, request({ clusterAddresses: ['10.0.0.5'] }))

  const answers = (vantage: string, type: string, name = 'shop.example.com'): string[] => found.dns.filter((seen) => seen.vantage === vantage && seen.type === type && seen.name === name)
    .map((seen) => `${seen.server}: ${seen.look.is === 'seen' ? seen.look.value.answers.map(({ data }) => data).join(' ') : seen.failure}`)
  t.strictSame(answers('cluster', 'A'), ['10.96.0.10: 10.0.0.5'])
  t.strictSame(answers('public', 'A'), ['1.1.1.1: 203.0.113.10', '8.8.8.8: 203.0.113.10'])
  t.strictSame(answers('authoritative', 'A'), ['ns1.example.com (203.0.113.53): 203.0.113.10', 'ns2.example.com (203.0.113.54): 203.0.113.99'])
  t.match(answers('authoritative', 'SOA', 'example.com'), [/ 7 7200/, / 7 7200/], 'serials of both servers')
  t.match(found.dns.find((seen) => seen.server === 'a.gtld.example (203.0.113.55)')?.look, { value: { authority: [{ type: 'NS', data: 'ns1.example.com' }] } }, 'the parent\'s own view')
  t.match(answers('public', 'CAA', 'example.com'), [/0 issue "ca.example"/])
  t.strictSame(found.dns.filter(({ type }) => type === 'TXT'), [], 'no TXT for HTTP-01')

  const walks = found.http.filter(({ purpose }) => purpose === 'challenge').map(({ address, served }) => ({ address, served }))
  t.strictSame(walks, [{ address: '10.0.0.5', served: undefined }, { address: '203.0.113.10', served: true }], 'both addresses, the cluster\'s own one included')
  t.match(found.http.find(({ purpose }) => purpose === 'served-certificate'), { look: { value: { hops: [{ tls: { issuer: 'lab authority' } }] } } })
  t.strictSame(found.acme.map(({ kind, look: { is } }) => [kind, is]), [['authorization', 'seen'], ['directory', 'seen']], 'the challenge is in its authorization')
  t.match(found.looks.find(({ source }) => source === 'http outside'), { is: 'unavailable', why: 'no outside probe is configured', fix: /acme-triage probe/ })
  t.match(found.looks.find(({ what }) => what === 'A shop.example.com at public 1.1.1.1'), { is: 'seen', source: 'dns' })
})

t.test('a private address that is not ours is not dialled', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const found = await look(lab, request())
  t.match(found.http.find(({ address }) => address === '10.0.0.5')?.look, { is: 'unavailable', why: /private address/ })
  t.notOk(lab.dialled.includes('10.0.0.5:80'))
})

t.test('only what controllers wrote into a status opens the guard', (t) => {
  const service = (more: object): KubeObject => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'tenant', uid: 's' }, ...more })
  t.strictSame(ownAddresses([
    service({ spec: { externalIPs: ['10.0.0.1'], loadBalancerIP: '10.0.0.2' }, status: { loadBalancer: { ingress: [{ ip: '10.0.0.3' }, { hostname: 'lb.example.com' }] } } }),
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', uid: 'n' }, status: { addresses: [{ type: 'InternalIP', address: '10.0.0.4' }, { type: 'ExternalIP', address: '203.0.113.9' }] } }
  ]), { addresses: ['10.0.0.3', '203.0.113.9'], hostnames: ['lb.example.com'] }, 'a tenant\'s externalIPs are a wish')
  t.end()
})

t.test('a DNS-01 name is followed to the zone that answers for it', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const found = await look(lab, request({ identifiers: [{ name: 'shop.example.com', type: 'dns', wildcard: true, challengeType: 'DNS-01', key: 'digest' }] }))
  const txt = found.dns.filter(({ type, vantage }) => type === 'TXT' && vantage === 'authoritative').map(({ server, name }) => `${name} at ${server}`)
  t.ok(txt.includes('shop.dns.example at ns.dns.example (203.0.113.56)'), 'the target\'s own server')
  t.ok(txt.includes('_acme-challenge.shop.example.com at ns1.example.com (203.0.113.53)'))
  t.ok(found.dns.some(({ name }) => name === 'acme-triage-wildcard-check.shop.example.com'), 'a control label')
  t.strictSame(found.http.filter(({ purpose }) => purpose === 'challenge'), [], 'no HTTP for a wildcard')
})

t.test('a bogus zone is asked again with checking disabled', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const behave: Parameters<Lab['dns']>[1] = (query) => query.flag_cd ? dnsReply(query, [{ type: 'A', name: 'shop.example.com', data: '203.0.113.10' }]) : dnsReply(query, [], { rcode: 2 })
  for (const server of ['1.1.1.1', '8.8.8.8', '10.96.0.10']) await lab.dns(server, behave)
  const found = await look(lab, request({ acme: undefined }))
  const asked = found.dns.filter(({ type, server, name }) => type === 'A' && server === '1.1.1.1' && name === 'shop.example.com').map((seen) => [seen.checkingDisabled === true, seen.look.is === 'seen' && seen.look.value.rcode])
  t.strictSame(asked, [[false, 'SERVFAIL'], [true, 'NOERROR']])
})

t.test('switched off, it opens no connection and says so', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const found = await look(lab, request(), clientsFor(lab, { enabled: false }))
  t.strictSame([found.dns, found.http, found.acme, lab.dialled], [[], [], [], []])
  t.ok(found.looks.every(({ is, why }) => is === 'unavailable' && why === 'probes are switched off'))
})

t.test('a second round inside the interval asks nobody again', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const clients = clientsFor(lab)
  const first = await look(lab, request(), clients)
  const dialled = lab.dialled.length
  const second = await look(lab, request(), clients)
  t.equal(lab.dialled.length, dialled)
  t.strictSame(second.dns, first.dns)
  t.strictSame(second.http, first.http)
  await lookOutside(request(), clients, { now: () => clock.now() + 31_000 }, new AbortController().signal)
  t.ok(lab.dialled.length > dialled, 'after it they are asked again')
})

t.test('the deadline ends everything that hangs, and what was seen stays', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const stop = new AbortController()
  await lab.dns('1.1.1.1', zone({ 'shop.example.com A': ['203.0.113.10'] }))
  await lab.dns('8.8.8.8', () => undefined)
  await lab.dns('10.96.0.10', () => undefined)
  await lab.web('203.0.113.10', () => stop.abort())
  const clients = buildOutsideClients(probes, { route: lab.route, clock, documentationIsPublic: true, timeouts: { dns: 30, connect: 60_000, hop: 60_000, acme: 60_000, probe: 60_000 } })
  const found = await look(lab, request(), clients, stop.signal)
  t.ok(found.dns.some(({ server, look: { is } }) => server === '1.1.1.1' && is === 'seen'))
  t.match(found.http.filter(({ purpose }) => purpose === 'challenge'), [{ look: { is: 'unavailable', why: /deadline/ } }], 'and what was given no time is not called silent')
})

t.test('an outside probe is asked over HTTP, and compares nothing itself', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const server = await buildProbeServer({ clients: clientsFor(lab), tokens: ['old', 'new'] })
  t.teardown(() => server.close())
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const dialled: string[] = []
  const route: OutsideClientsOptions['route'] = (host, port) => {
    dialled.push(host)
    return host === '127.0.0.1' ? direct(host, port) : lab.route(host, port)
  }
  const outside = [{ name: 'sydney', url, token: 'new' }, { name: 'stranger', url, token: 'wrong' }, { name: 'gone', url: 'http://127.0.0.1:1', token: 'new' }]
  const found = await look(lab, request(), clientsFor(lab, { outside }, { route }))
  t.match(found.http.filter(({ vantage }) => vantage === 'outside:sydney'), [{ address: '203.0.113.10', served: true, url: 'http://shop.example.com/.well-known/acme-challenge/tok' }])
  t.ok(found.dns.some(({ vantage, type }) => vantage === 'outside:sydney' && type === 'A'))
  const rows = new Map(found.looks.filter(({ source }) => source === 'http outside').map((row) => [row.what.split(' from ')[1], row]))
  t.match(rows.get('outside:sydney'), { is: 'seen' })
  t.match(rows.get('outside:stranger'), { is: 'unavailable', why: /does not accept our token/, fix: /stranger/ })
  t.match(rows.get('outside:gone'), { is: 'unavailable', why: /cannot be asked/ })

  const ask = (path: string, payload: unknown, token = 'old') => server.inject({ method: 'POST', url: path, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, payload: JSON.stringify(payload) })
  const path = '/.well-known/acme-challenge/tok'
  t.match((await ask('/v1/records', { name: 'example.com', types: ['CAA', 'SOA'] })).json(), { at: clock.now(), dns: [{ type: 'CAA' }, { type: 'SOA' }, { type: 'CAA' }, { type: 'SOA' }] })
  t.equal((await server.inject({ method: 'POST', url: '/v1/http01', payload: { name: 'shop.example.com', path } })).statusCode, 401)
  t.equal((await ask('/v1/http01', { name: 'shop.example.com', path }, 'neither')).statusCode, 401)
  const bad: unknown[] = [{}, { name: 'http://shop.example.com/', path }, { name: 'shop.example.com', path: '/admin' }, { name: 'shop.example.com', path: `${path}/../../x` }, { name: 'shop.example.com', path, url: 'http://x' }, { name: 5, path }, { name: 'user@host', path }]
  for (const question of bad) t.equal((await ask('/v1/http01', question)).statusCode, 400, JSON.stringify(question))
  t.equal((await ask('/v1/anything', {})).statusCode, 404)
  t.match((await ask('/v1/http01', { name: '169.254.169.254', path })).json().http, [{ look: { is: 'unavailable', why: /never probed/ } }], 'the guard holds for a name that is an address')
})

t.test('a probe that is overrun says so, and its limits are per minute', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const server = await buildProbeServer({ clients: clientsFor(lab), tokens: ['t'], perMinute: 2 })
  t.teardown(() => server.close())
  const ask = async (): Promise<number> => (await server.inject({ method: 'POST', url: '/v1/records', headers: { authorization: 'Bearer t' }, payload: { name: 'example.com', types: ['A'] } })).statusCode
  t.strictSame([await ask(), await ask(), await ask()], [200, 200, 503])
})

t.test('a probe that answers nonsense is unavailable, not believed', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const answers = ['<html>', '{"at":1,"dns":"x"}', '{"at":1,"dns":[],"http":[{"look":{"is":"seen"}}]}', 'null', `"${'x'.repeat(2_000_000)}"`]
  for (const [index, answer] of answers.entries()) await lab.web(`203.0.113.${100 + index}`, (_request, response) => response.end(answer))
  const outside = answers.map((_, index) => ({ name: `p${index}`, url: `http://203.0.113.${100 + index}`, token: 't' }))
  const found = await look(lab, request({ acme: undefined }), clientsFor(lab, { outside }))
  t.strictSame(found.looks.filter(({ source }) => source === 'http outside').map(({ is }) => is), answers.map(() => 'unavailable'))
  t.strictSame(found.http, [])
})

t.test('a probe in the same process sees what its own route leads to', async (t) => {
  const [inside, outside] = [openLab(), openLab()]
  t.teardown(async () => { await Promise.all([inside.close(), outside.close()]) })
  await openInternet(inside)
  await openInternet(outside)
  outside.fails('203.0.113.10', 80, 'timeout')
  const probe = inProcessProbe('internet', clientsFor(outside))
  const found = await look(inside, request(), clientsFor(inside, {}, { moreProbes: [probe] }))
  const ends = found.http.filter(({ purpose, address }) => purpose === 'challenge' && address === '203.0.113.10').map((walk) => [walk.vantage, walk.served, walk.look.is === 'seen' && walk.look.value.hops[0]?.failure?.code])
  t.strictSame(ends, [['cluster', true, undefined], ['outside:internet', undefined, 'timeout']])
})

t.test('for DNS-01 a probe tells what resolvers near it hand out', async (t) => {
  const [inside, outside] = [openLab(), openLab()]
  t.teardown(async () => { await Promise.all([inside.close(), outside.close()]) })
  await openInternet(inside)
  for (const server of ['1.1.1.1', '8.8.8.8']) await outside.dns(server, zone({ '_acme-challenge.shop.example.com TXT': ['stale'] }))
  const found = await look(inside, request({ identifiers: [{ name: 'shop.example.com', type: 'dns', wildcard: false, challengeType: 'DNS-01', key: 'digest' }] }), clientsFor(inside, {}, { moreProbes: [inProcessProbe('oslo', clientsFor(outside))] }))
  t.match(found.dns.filter(({ vantage }) => vantage === 'outside:oslo'), [{ type: 'TXT', look: { value: { answers: [{ data: 'stale' }] } } }, { server: '8.8.8.8' }])
})

t.test('of a large order the failing names are looked at closely, the rest once, and a silent server holds up nobody', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const names = Array.from({ length: 50 }, (_, index) => `host${index}.example.com`)
  const records = { ...Object.fromEntries(names.map((name) => [`${name} A`, ['203.0.113.10']])), 'example.com SOA': [soa], 'example.com NS': ['ns1.example.com'], 'ns1.example.com A': ['203.0.113.53'] }
  let asked = 0
  for (const server of ['1.1.1.1', '10.96.0.10', '203.0.113.53']) await lab.dns(server, (query, over) => { asked++; return zone(records)(query, over) })
  await lab.dns('8.8.8.8', () => undefined)
  const identifiers = names.map((name, index) => ({ name, type: 'dns' as const, wildcard: false, challengeType: 'HTTP-01' as const, token: 'tok', key: 'tok.key', passed: index === 0 }))
  const found = await look(lab, request({ identifiers, acme: undefined }), clientsFor(lab, {}, { timeouts: { dns: 1_000, connect: 20_000, hop: 20_000 } }))
  const looked = (vantage: string, server?: string) => new Set(found.dns.filter((seen) => seen.vantage === vantage && seen.type === 'A' && seen.name.startsWith('host') && (server === undefined || seen.server === server)).map(({ name }) => name))
  t.strictSame([...looked('cluster')].sort(), names.slice(1).sort(), 'every name but the one that passed')
  const everywhere = looked('public', '8.8.8.8')
  t.strictSame(names.slice(1, 13).filter((name) => !everywhere.has(name)), [], 'the first twelve that failed at every resolver')
  t.equal(found.http.filter(({ purpose, served }) => purpose === 'challenge' && served === true).length, 49)
  t.match(found.looks.find(({ what }) => what.startsWith('a close look')), { is: 'unavailable', why: /first 12 names/ })
  t.ok(asked < 14 * names.length, `${asked} questions`)
  t.notOk(found.looks.some(({ why }) => why?.includes('before the deadline')), 'nothing is left over')
})

t.test('what waited for its turn until the deadline is not called silent', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const stop = new AbortController()
  const names = Array.from({ length: 60 }, (_, index) => `host${index}.example.com`)
  let asked = 0
  const records = Object.fromEntries(names.map((name) => [`${name} A`, ['203.0.113.10']]))
  for (const server of ['1.1.1.1', '8.8.8.8', '10.96.0.10']) await lab.dns(server, zone(records))
  await lab.web('203.0.113.10', () => { if (++asked === 8) stop.abort() })
  await lab.web('ca.example', () => stop.abort(), 443)
  const found = await look(lab, request({ identifiers: names.map((name) => ({ name, type: 'dns' as const, wildcard: false, challengeType: 'HTTP-01' as const, token: 'tok' })) }), clientsFor(lab, {}, { timeouts: { dns: 20_000, connect: 20_000, hop: 20_000 } }), stop.signal)
  t.strictSame(found.http.filter(({ look: { is } }) => is === 'seen'), [], 'no walk is said to have met silence')
  t.strictSame(found.dns.filter(({ failure }) => failure === 'timeout'), [])
  t.strictSame(found.acme.filter(({ failure }) => failure?.code === 'timeout'), [])
})

t.test('CAA is asked at the zone\'s own servers where resolvers fail, over TCP and in mixed case too', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const records = { 'example.com SOA': [soa], 'example.com NS': ['ns1.example.com', 'ns2.example.com'], 'ns1.example.com A': ['203.0.113.53'], 'ns2.example.com A': ['203.0.113.54'], 'shop.example.com A': ['203.0.113.10'] }
  const failing: Parameters<Lab['dns']>[1] = (query, over) => query.questions![0]!.type === 'CAA' ? dnsReply(query, [], { rcode: 2 }) : zone(records)(query, over)
  for (const server of ['1.1.1.1', '8.8.8.8', '10.96.0.10']) await lab.dns(server, failing)
  // One server answers everything as it should; the other knows no CAA, changes letters, and has no TCP.
  await lab.dns('203.0.113.53', zone({ ...records, 'shop.example.com CAA': ['0 issue ca.example'] }, 1 << 10))
  await lab.dns('203.0.113.54', (query, over) => {
    if (over === 'tcp') return undefined
    return query.questions![0]!.type === 'CAA' ? dnsReply(query, [], { rcode: 4 }) : zone(records, 1 << 10)(query, over)
  })
  const found = await look(lab, request({ acme: undefined }))
  const caa = found.dns.filter(({ type, vantage, name }) => type === 'CAA' && vantage === 'authoritative' && name === 'shop.example.com')
  t.match(caa.map(({ look }) => look.is === 'seen' && look.value.rcode), ['NOERROR', 'NOTIMP'])
  const strict = found.dns.filter(({ overTcp }) => overTcp === true)
  t.match(strict, [{ server: 'ns1.example.com (203.0.113.53)', look: { is: 'seen' } }, { server: 'ns2.example.com (203.0.113.54)', failure: 'timeout' }])
  t.ok(strict.every(({ look }) => look.is !== 'seen' || look.value.caseChanged === undefined), 'the good one repeats the letters')
  t.notOk(found.dns.filter(({ vantage }) => vantage === 'public').some(({ overTcp }) => overTcp), 'resolvers are not asked so')
})

t.test('hostile names cost nothing but themselves', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await openInternet(lab)
  const names = ['', '../..', 'a'.repeat(300), '<script>', 'shop.example.com\n.evil', '169.254.169.254', '*.x', '..']
  const found = await look(lab, request({ identifiers: [...names.map((name) => ({ name, type: 'dns' as const, wildcard: false })), { name: '127.0.0.1', type: 'ip', wildcard: false }, ...request().identifiers] }))
  t.ok(found.http.some(({ served }) => served === true), 'the good name is still looked at')
  t.notOk(lab.dialled.some((place) => /^(127|169|10\.0)/.test(place)))
})
