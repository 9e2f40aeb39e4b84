import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { buildOutsideClients, lookOutside } from '../../src/collect/outside.ts'
import type { OutsideFindings, OutsideIdentifier } from '../../src/collect/outside.ts'
import { caaFacts } from '../../src/correlate/facts/caa.ts'
import { delegationFacts } from '../../src/correlate/facts/delegation.ts'
import { directoryFacts } from '../../src/correlate/facts/directory.ts'
import type { OutsideSeed } from '../../src/correlate/facts/outside-looks.ts'
import { caRecordFacts } from '../../src/correlate/facts/ca-record.ts'
import { probeFromClusterFacts } from '../../src/correlate/facts/probes.ts'
import { txtFacts } from '../../src/correlate/facts/txt.ts'
import { buildDnsClient } from '../../src/shared/clients/dns.ts'
import type { Route } from '../../src/shared/clients/route.ts'
import type { Look } from '../../src/shared/types/common.ts'
import type { Observations } from '../../src/shared/types/observations.ts'
import { registerAccount } from '../support/acme-client.ts'
import { labPair, openLab, zone } from '../support/outside-lab.ts'

const find = (name: string): string | undefined => ['/usr/sbin', '/usr/bin', '/usr/local/bin'].map((folder) => join(folder, name)).find(existsSync)
const programs = Object.fromEntries(['knotd', 'keymgr', 'unbound', 'nginx', 'pebble'].map((name) => [name, find(name)]))
const never = new AbortController().signal
type Tap = Parameters<Parameters<typeof t.test>[0]>[0]

/** The reason to skip a test that needs programs that are not here; under CI that is a failure instead. */
function lacking (...names: string[]): string | false {
  const missing = names.filter((name) => programs[name] === undefined)
  if (missing.length === 0) return false
  if (process.env['CI'] === 'true') throw new Error(`not installed: ${missing.join(', ')}`)
  return `not installed: ${missing.join(', ')} (apt-get install knot unbound nginx-light pebble)`
}

async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a program of the test's own and stops that very process at the end. */
function run (t: Tap, name: string, args: string[], env: NodeJS.ProcessEnv = {}): void {
  const child = spawn(programs[name]!, args, { stdio: 'ignore', env: { ...process.env, ...env } })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  t.teardown(async () => { child.kill('SIGTERM'); await gone })
}
/** Tries until it holds; 20 s, so that a program that does not start fails the test instead of hanging it. */
async function until (holds: () => Promise<boolean>): Promise<void> {
  const end = AbortSignal.timeout(20_000)
  while (!await holds()) {
    if (end.aborted) throw new Error('the program did not start')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function folder (t: Tap): string {
  const path = mkdtempSync(join(tmpdir(), 'acme-triage-outside-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const seedOf = (identifier: OutsideIdentifier): OutsideSeed => ({
  name: identifier.name, type: 'dns', wildcard: identifier.wildcard, challengeType: identifier.challengeType,
  challenge: { apiVersion: 'acme.cert-manager.io/v1', kind: 'Challenge', metadata: { name: 'c', uid: 'c' }, spec: { token: identifier.token, key: identifier.key, url: identifier.challengeUrl, authorizationURL: identifier.authorizationUrl } }
})
const observed = (found: OutsideFindings) => ({ observations: { now: Date.now(), objects: [], ...found } as unknown as Observations, attempt: {} })
const must = <T>(look: Look<T>): T => {
  if (look.is !== 'seen') throw new Error(JSON.stringify(look))
  return look.value
}

t.test('knot and unbound: good, bogus, plain, lame and half-written zones', { skip: lacking('knotd', 'keymgr', 'unbound') }, async (t) => {
  const home = folder(t)
  const [first, second, resolver] = [await freePort(), await freePort(), await freePort()]
  const zoneText = (name: string, extra: string): string =>
    `$ORIGIN ${name}.\n$TTL 60\n@ SOA ns1.${name}. admin.${name}. 7 3600 600 86400 60\n@ NS ns1.${name}.\n@ NS ns2.${name}.\nns1 A 127.0.0.2\nns2 A 127.0.0.3\nshop A 127.0.0.10\n${extra}\n`
  const zones = {
    'good.example': '@ CAA 0 issue "sectigo.com"\n_acme-challenge.shop TXT "expected"',
    'bogus.example': '',
    'plain.example': '_acme-challenge.shop CNAME shop.good.example.\n_acme-challenge.half TXT "expected"\nhalf A 127.0.0.10',
    'lame.example': ''
  }
  const serve = (label: string, address: string, port: number, names: string[], change: (text: string) => string = (text) => text): void => {
    const base = join(home, label)
    mkdirSync(join(base, 'keys'), { recursive: true })
    for (const name of names) writeFileSync(join(base, `${name}.zone`), change(zoneText(name, zones[name as keyof typeof zones])))
    const signed = (name: string): string => label === 'one' && ['good.example', 'bogus.example'].includes(name) ? '    dnssec-signing: on\n' : ''
    writeFileSync(join(base, 'knot.conf'), `server:\n    listen: ${address}@${port}\n    rundir: ${base}\ndatabase:\n    storage: ${base}\nzone:\n${names.map((name) => `  - domain: ${name}\n    file: ${base}/${name}.zone\n    zonefile-sync: -1\n${signed(name)}`).join('')}`)
    run(t, 'knotd', ['-c', join(base, 'knot.conf')])
  }
  serve('one', '127.0.0.2', first, ['good.example', 'bogus.example', 'plain.example', 'lame.example'])
  // The second server has an older copy without challenges, and does not know lame.example at all.
  serve('two', '127.0.0.3', second, ['plain.example'], (text) => text.replace(/_acme-challenge\.half.*\n/, '').replace(' 7 3600', ' 6 3600'))

  const route: Route = (host, port) => {
    if (port !== 53) return { fails: 'not-recorded' }
    if (host === '127.0.0.2') return { host, port: first }
    if (host === '127.0.0.3') return { host, port: second }
    return { host: '127.0.0.1', port: resolver }
  }
  const dns = buildDnsClient({ route, timeout: 1000, tries: 1 })
  const answers = (server: string, name: string): (() => Promise<boolean>) => async () => {
    const reply = await dns.ask(server, { name, type: 'SOA', recursion: server === '1.1.1.1' }, never)
    return 'answer' in reply && reply.answer.rcode === 'NOERROR' && reply.answer.answers.length > 0
  }
  await until(answers('127.0.0.2', 'good.example'))
  await until(answers('127.0.0.3', 'plain.example'))
  const ds = spawnSync(programs['keymgr']!, ['-c', join(home, 'one', 'knot.conf'), 'good.example', 'ds'], { encoding: 'utf8' }).stdout.split('\n').find((line) => / 13 2 /.test(line))!
  const wrong = ds.replace('good.example', 'bogus.example')
  writeFileSync(join(home, 'unbound.conf'), `server:
  interface: 127.0.0.1
  port: ${resolver}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${home}"
  pidfile: "${home}/unbound.pid"
  use-syslog: no
  do-not-query-localhost: no
  ede: yes
  do-ip6: no
  module-config: "validator iterator"
  local-zone: "example." nodefault
  trust-anchor: "${ds}"
  trust-anchor: "${wrong}"
${Object.keys(zones).map((name) => `stub-zone:\n  name: ${name}\n  stub-addr: 127.0.0.2@${first}`).join('\n')}
remote-control:
  control-enable: no
`)
  run(t, 'unbound', ['-d', '-c', join(home, 'unbound.conf')])
  await until(answers('1.1.1.1', 'good.example'))

  const clients = buildOutsideClients({ enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: ['1.1.1.1'], dohResolvers: [], allow: ['127.0.0.0/8'], contact: '', outside: [], interval: 0 },
    { route, clock: { now: () => Date.now() }, timeouts: { dns: 1500 } })
  const look = async (name: string): Promise<{ context: ReturnType<typeof observed>, seed: OutsideSeed }> => {
    const identifier: OutsideIdentifier = { name, type: 'dns', wildcard: false, challengeType: 'DNS-01', key: 'expected' }
    return { context: observed(await lookOutside({ identifiers: [identifier], clusterAddresses: [] }, clients, clients.clock, AbortSignal.timeout(15_000))), seed: seedOf(identifier) }
  }

  const good = await look('shop.good.example')
  t.match(must(delegationFacts(good.context, good.seed)), { zone: 'good.example', registeredDomainState: 'ok' })
  t.ok(good.context.observations.dns.some(({ look }) => look.is === 'seen' && look.value.ad), 'the resolver says that it validated')
  t.match(must(caaFacts({ ...good.context, attempt: { issuer: { apiVersion: 'v1', kind: 'Issuer', metadata: { name: 'i', uid: 'i' }, spec: { acme: { server: 'https://acme-v02.api.letsencrypt.org/directory' } } } } }, good.seed)), { foundAt: 'good.example', allows: false, why: 'other-ca' })
  const ns2 = must(delegationFacts(good.context, good.seed)).nameServers.find(({ name }) => name === 'ns2.good.example')
  t.match(ns2, { answers: true, lame: true }, 'the second server refuses a zone that it does not have')

  const bogus = await look('shop.bogus.example')
  t.match(must(delegationFacts(bogus.context, bogus.seed)), { dnssec: 'bogus' })
  t.ok(bogus.context.observations.dns.some(({ look }) => look.is === 'seen' && look.value.ede !== undefined), 'with an extended error')

  const half = await look('half.plain.example')
  t.match(must(txtFacts(half.context, half.seed)), { state: 'partial', servers: [{ server: 'ns1.plain.example (127.0.0.2)', serial: 7, hasExpected: true }, { serial: 6, hasExpected: false }] })

  const delegated = must(txtFacts(...Object.values(await look('shop.plain.example')) as [never, never]))
  t.match(delegated, { cname: ['shop.good.example'] }, 'the challenge\'s CNAME is followed')

  const missing = await look('nowhere.plain.example')
  t.match(must(txtFacts(missing.context, missing.seed)), { state: 'none' })
})

t.test('nginx: token, forced https, password and default backend', { skip: lacking('nginx') }, async (t) => {
  const home = folder(t)
  const [port, tlsPort] = [await freePort(), await freePort()]
  writeFileSync(join(home, 'cert.pem'), labPair.cert)
  writeFileSync(join(home, 'key.pem'), labPair.key)
  writeFileSync(join(home, 'passwords'), 'user:{PLAIN}secret\n')
  writeFileSync(join(home, 'nginx.conf'), `daemon off;
worker_processes 1;
pid ${home}/nginx.pid;
error_log /dev/null;
events {}
http {
  access_log off;
  client_body_temp_path ${home}/b; proxy_temp_path ${home}/p; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  server { listen 127.0.0.1:${port} default_server; location / { default_type text/plain; return 404 "default backend - 404"; } }
  server { listen 127.0.0.1:${port}; server_name token.example.com; location /.well-known/acme-challenge/tok { default_type text/plain; return 200 "tok.key"; } }
  server { listen 127.0.0.1:${port}; server_name shop.example.com; location / { return 301 https://$host$request_uri; } }
  server { listen 127.0.0.1:${port}; server_name auth.example.com; location / { auth_basic "closed"; auth_basic_user_file ${home}/passwords; root ${home}; } }
  server { listen 127.0.0.1:${tlsPort} ssl default_server; ssl_certificate ${home}/cert.pem; ssl_certificate_key ${home}/key.pem; location / { default_type text/plain; return 200 "tok.key"; } }
}
`)
  run(t, 'nginx', ['-c', join(home, 'nginx.conf'), '-e', '/dev/null'])
  const route: Route = (host, asked) => host !== '203.0.113.10' ? { fails: 'not-recorded' } : { host: '127.0.0.1', port: asked === 443 ? tlsPort : port }
  const clients = buildOutsideClients({ enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: [], dohResolvers: [], allow: [], contact: '', outside: [], interval: 0 }, { route, clock: { now: () => Date.now() }, documentationIsPublic: true })
  // DNS is not the point here: every name leads to nginx.
  clients.dns = { ask: async (_server, { type }) => ({ ms: 0, answer: { rcode: 'NOERROR', answers: type === 'A' ? [{ name: 'x', type: 'A', ttl: 1, data: '203.0.113.10' }] : [], authority: [], aa: false, ad: false } }) }
  const probe = async (name: string) => {
    const identifier: OutsideIdentifier = { name, type: 'dns', wildcard: false, challengeType: 'HTTP-01', token: 'tok', key: 'tok.key' }
    const found = await lookOutside({ identifiers: [identifier], clusterAddresses: [] }, clients, clients.clock, AbortSignal.timeout(15_000))
    return probeFromClusterFacts(observed(found), seedOf(identifier))
  }
  await until(async () => { const look = await probe('token.example.com'); return look.is === 'seen' && look.value.outcome === 'token-served' })
  t.match(must(await probe('shop.example.com')), { outcome: 'token-served', redirectedToHttps: true, perAddress: [{ hops: [{ status: 301, server: /^nginx/ }, { status: 200, tls: { trusted: false, selfSigned: true } }] }] })
  t.match(must(await probe('auth.example.com')), { outcome: 'status', status: 401 })
  t.match(must(await probe('other.example.com')), { outcome: 'status', status: 404, bodyKind: 'default-backend' })
})

t.test('pebble: its directory is read, and its refusal of a plain GET costs only what it hides', { skip: lacking('pebble') }, async (t) => {
  const home = folder(t)
  const [listen, management] = [await freePort(), await freePort()]
  writeFileSync(join(home, 'cert.pem'), labPair.cert)
  writeFileSync(join(home, 'key.pem'), labPair.key)
  writeFileSync(join(home, 'pebble.json'), JSON.stringify({ pebble: { listenAddress: `127.0.0.1:${listen}`, managementListenAddress: `127.0.0.1:${management}`, certificate: join(home, 'cert.pem'), privateKey: join(home, 'key.pem'), httpPort: 5002, tlsPort: 5001 } }))
  run(t, 'pebble', ['-config', join(home, 'pebble.json')], { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' })
  const route: Route = (host) => host === 'ca.example' ? { host: '127.0.0.1', port: listen } : { fails: 'unreachable' }
  const clients = buildOutsideClients({ enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: [], dohResolvers: [], allow: [], contact: '', outside: [], interval: 0 }, { route, clock: { now: () => Date.now() } })
  const ask = (caBundle?: string) => lookOutside({
    identifiers: [{ name: '', type: 'dns', wildcard: false, authorizationUrl: 'https://ca.example/authZ/1', challengeUrl: 'https://ca.example/chalZ/1' }],
    acme: { server: 'https://ca.example/dir', caBundle }, orderUrl: 'https://ca.example/my-order/1', clusterAddresses: []
  }, clients, clients.clock, AbortSignal.timeout(15_000))
  await until(async () => (await ask(labPair.cert)).acme.some(({ kind, look }) => kind === 'directory' && look.is === 'seen'))
  const found = await ask(labPair.cert)
  t.match(must(directoryFacts(observed(found))), { reachable: true, trusted: true })
  for (const kind of ['order', 'authorization', 'challenge']) t.match(found.acme.find((look) => look.kind === kind)?.look, { is: 'unavailable', why: /plain GET \(405/ }, kind)
  t.match(must(directoryFacts(observed(await ask()))), { reachable: false, trusted: false, failure: { code: 'tls' } }, 'without the issuer\'s caBundle it is not trusted')
})

t.test('pebble: a real order fails, as cert-manager would see it, and the probes say why', { skip: lacking('pebble') }, async (t) => {
  const home = folder(t)
  const lab = openLab()
  t.teardown(() => lab.close())
  const [listen, management, httpPort] = [await freePort(), await freePort(), await freePort()]
  await lab.dns('10.96.0.10', zone({ 'shop.example.com A': ['127.0.0.1'] }))
  const resolver = lab.route('10.96.0.10', 53) as { port: number }
  // Somebody else's page answers the challenge, until it is told the key authorization.
  const asked: string[] = []
  let answer = 'Welcome to somebody else\'s page'
  const web = createHttpServer((incoming, response) => { asked.push(incoming.url ?? ''); response.end(answer) })
  await new Promise<void>((resolve) => web.listen(httpPort, '127.0.0.1', resolve))
  t.teardown(() => new Promise<void>((resolve) => { web.closeAllConnections(); web.close(() => resolve()) }))
  writeFileSync(join(home, 'cert.pem'), labPair.cert)
  writeFileSync(join(home, 'key.pem'), labPair.key)
  writeFileSync(join(home, 'pebble.json'), JSON.stringify({ pebble: { listenAddress: `127.0.0.1:${listen}`, managementListenAddress: `127.0.0.1:${management}`, certificate: join(home, 'cert.pem'), privateKey: join(home, 'key.pem'), httpPort, tlsPort: 5001 } }))
  run(t, 'pebble', ['-config', join(home, 'pebble.json'), '-dnsserver', `127.0.0.1:${resolver.port}`], { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_AUTHZREUSE: '0' })

  const directory = 'https://ca.example/dir'
  const register = () => registerAccount({ port: listen, host: 'ca.example', ca: labPair.cert, directory })
  await until(() => register().then(() => true, () => false))
  const account = await register()

  /** Places an order and lets the CA validate it; ends when the challenge is final. */
  const attempt = async (served: (key: string) => string) => {
    const order = await account.newOrder(['shop.example.com'])
    const [authorizationUrl] = order.body['authorizations'] as string[]
    const { challenges } = (await account.post(authorizationUrl!)).body as { challenges: { type: string, url: string, token: string }[] }
    const challenge = challenges.find(({ type }) => type === 'http-01')!
    const key = account.keyAuthorization(challenge.token)
    answer = served(key)
    await account.post(challenge.url, {})
    let document: Record<string, unknown> = {}
    await until(async () => {
      document = (await account.post(authorizationUrl!)).body
      return ['valid', 'invalid'].includes(String(document['status']))
    })
    const identifier: OutsideIdentifier = { name: 'shop.example.com', type: 'dns', wildcard: false, challengeType: 'HTTP-01', token: challenge.token, key, authorizationUrl, challengeUrl: challenge.url }
    return { document, identifier, orderUrl: order.location }
  }

  const route: Route = (host, port) => host === 'ca.example' ? { host: '127.0.0.1', port: listen } : host === '127.0.0.1' && port === 80 ? { host, port: httpPort } : lab.route(host, port)
  const clients = buildOutsideClients({ enabled: true, clusterResolvers: ['10.96.0.10'], publicResolvers: [], dohResolvers: [], allow: ['127.0.0.1'], contact: '', outside: [], interval: 0 }, { route, clock: { now: () => Date.now() } })
  const lookAt = (identifier: OutsideIdentifier, orderUrl: string) => lookOutside({ identifiers: [identifier], acme: { server: directory, caBundle: labPair.cert }, orderUrl, clusterAddresses: [] }, clients, clients.clock, AbortSignal.timeout(15_000))

  const failed = await attempt(() => 'Welcome to somebody else\'s page')
  t.equal(failed.document['status'], 'invalid')
  const judged = (failed.document['challenges'] as { type: string }[]).find(({ type }) => type === 'http-01')
  t.match(judged, { error: { type: 'urn:ietf:params:acme:error:unauthorized', detail: /did not match this challenge/ } })
  t.ok(asked.includes(`/.well-known/acme-challenge/${failed.identifier.token}`), 'the CA came to the challenge path')
  const found = await lookAt(failed.identifier, failed.orderUrl)
  const seed = seedOf(failed.identifier)
  t.strictSame(found.acme.filter(({ look, failure }) => look.is === 'unavailable' && failure === undefined).map(({ kind }) => kind).sort(), ['authorization', 'challenge', 'order'], 'this CA shows nothing to a plain GET')
  t.match(caRecordFacts(observed(found), seed), { is: 'unavailable', why: /plain GET \(405/ }, 'which says so, and claims nothing')
  t.match(must(directoryFacts(observed(found))), { reachable: true })
  t.match(must(probeFromClusterFacts(observed(found), seed)), { outcome: 'wrong-body', tokenAsked: true }, 'our own probe met what the CA met')

  // The same documents from a CA that does show them (Boulder): the record is read from the real shape.
  const shown: OutsideFindings = { ...found, acme: [{ kind: 'authorization', url: failed.identifier.authorizationUrl!, at: Date.now(), look: { is: 'seen', value: { status: 200, body: failed.document } } }] }
  t.match(must(caRecordFacts(observed(shown), seed)), { status: 'invalid', problem: { type: 'unauthorized', detail: /did not match this challenge/ } })

  const passed = await attempt((key) => key)
  t.match(passed.document, { status: 'valid' })
  t.match(must(probeFromClusterFacts(observed(await lookAt(passed.identifier, passed.orderUrl)), seedOf(passed.identifier))), { outcome: 'token-served' })
})
