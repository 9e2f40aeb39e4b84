import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { decode, encode, RECURSION_DESIRED, type Packet } from 'dns-packet'
import t, { type Test } from 'tap'
import { openWorld, type World } from '../../src/world/world.ts'
import { makeCase } from './make-case.ts'

const dns = `resolvers:
  cluster:
    - {name: shop.example.com, type: A, answer: [10.0.0.5], ttl: 30}
    - {name: ns1.provider.example, type: A, answer: [203.0.113.53]}
  public:
    - {name: shop.example.com, type: A, answer: [203.0.113.10, 203.0.113.11], ttl: 30}
    - {name: shop.example.com, type: AAAA, rcode: NOERROR}
    - {name: www.example.com, type: CNAME, answer: [Alias.Example.com.]}
    - {name: alias.example.com, type: CNAME, answer: [shop.example.com.]}
    - {name: dangling.example.com, type: CNAME, answer: [nowhere.example.net.]}
    - {name: loop.example.com, type: CNAME, answer: [loop2.example.com.]}
    - {name: loop2.example.com, type: CNAME, answer: [loop.example.com.]}
    - {name: caa.example.com, type: CAA, answer: ['0 issue "letsencrypt.org; validationmethods=dns-01"', '128 issuewild ";"']}
    - {name: broken.example.com, type: CAA, rcode: SERVFAIL, ede: 9, text: no matching DS}
    - {name: silent.example.com, type: A, timeout: true}
    - {name: alias-to-silent.example.com, type: CNAME, answer: [silent.example.com]}
    - {name: gone.example.com, type: A, rcode: NXDOMAIN}
    - {name: down.example.com, rcode: SERVFAIL}
    - {name: _acme-challenge.shop.example.com, type: TXT, answer: ['"one" "two"', 'with spaces; and more', 'a\\b']}
    - {name: long.example.com, type: TXT, answer: [${Array.from({ length: 8 }, (_, index) => `"${String(index).repeat(250)}"`).join(', ')}]}
    - {name: "*.wild.example.com", type: A, answer: [203.0.113.20]}
    - {name: there.wild.example.com, type: TXT, answer: [x]}
    - {name: example.com, type: SOA, answer: ["ns1.provider.example. admin.example.com. 7 7200 900 1209600 300"]}
    - {name: example.com, type: NS, answer: [ns1.provider.example.]}
    - {name: example.com, type: MX, answer: ["10 mail.example.com."]}
    - {name: example.com, type: DS, answer: ["1 13 2 abcd"]}
    - {name: ns1.provider.example, type: A, answer: [203.0.113.53]}
    - {name: ca.example, type: A, answer: [198.51.100.7]}
    - {name: closed-ca.example, type: A, answer: [198.51.100.8]}
  ns1.provider.example:
    - {name: example.com, type: SOA, answer: ["ns1.provider.example. admin.example.com. 8 7200 900 1209600 300"]}
    - {name: www.example.com, type: CNAME, answer: [shop.example.com.]}
    - {name: shop.example.com, type: A, answer: [203.0.113.99]}
  10.0.0.10:
    - {name: shop.example.com, type: A, answer: [10.9.9.9]}
outside:
  sydney:
    - {name: shop.example.com, type: A, answer: [198.51.100.99]}
`
const http = `endpoints:
  - {to: "203.0.113.10:80", from: [cluster], behaviour: timeout}
  - {to: "203.0.113.10:80", from: [internet], requests: [{host: shop.example.com, path: "/.well-known/acme-challenge/*", status: 308, headers: {location: "https://shop.example.com/", Server: nginx}, body: ""}, {host: "*.example.com", path: "/x*z", body: "a\\r\\nb"}, {path: "*", status: 404, body: gone}]}
  - {to: "203.0.113.10:80", from: [sydney], behaviour: refuse}
  - {to: "203.0.113.12:80", behaviour: refuse}
  - {to: "203.0.113.13:80", behaviour: reset}
  - {to: "203.0.113.14:80", behaviour: close}
  - {to: "203.0.113.15:443", behaviour: tls-alert}
  - {to: "203.0.113.16:443", tls: {names: [shop.example.com, "*.shop.example.com", 203.0.113.16], notAfter: 2026-12-01T00:00:00Z}, requests: [{path: "*", body: secure}]}
  - {to: "203.0.113.17:443", tls: {names: [shop.example.com], selfSigned: true}}
  - {to: "203.0.113.18:443", tls: {names: [shop.example.com], issuer: R12}}
  - {to: "203.0.113.19:443", tls: {names: [shop.example.com]}, behaviour: close}
  - {to: "[2001:db8:0:0::1]:80", requests: [{body: six}]}
  - {to: "198.51.100.8:443", behaviour: timeout}
`
const acme = `directory: https://ca.example/directory
get:
  https://ca.example/acme/authz/1: {status: 200, body: {status: invalid}}
  https://ca.example/acme/down: {status: 503, body: "<h1>maintenance</h1>", headers: {retry-after: 60}}
  https://closed-ca.example/directory: {body: {}}
  https://pebble.example:14000/dir: {body: {newOrder: x}}
`

const open = async (t: Test, files: Record<string, string> = { 'dns.yaml': dns, 'http.yaml': http, 'acme.yaml': acme }): Promise<World> => {
  const world = await openWorld(makeCase(t.testdir(), files))
  t.teardown(() => world.close())
  return world
}

const portOf = (world: World, vantage: string, host: string, port: number): number => {
  const destination = world.route(vantage)(host, port)
  if ('fails' in destination) throw new Error(`${host}:${port} from ${vantage}: ${destination.fails}`)
  return destination.port
}

async function query (port: number, name: string, type: string, edns = true): Promise<Packet & { rcode?: string, flag_aa?: boolean, flag_tc?: boolean, flag_ra?: boolean }> {
  const socket = createSocket('udp4')
  const additionals = edns ? [{ type: 'OPT' as const, name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: true, options: [] }] : []
  socket.send(encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, questions: [{ name, type: type as 'A' }], additionals }), port, '127.0.0.1')
  const [message] = await once(socket, 'message') as [Buffer]
  socket.close()
  return decode(message)
}

const said = ({ rcode, answers = [] }: { rcode?: string } & Packet): string => [rcode, ...answers.map((answer) => {
  const data = (answer as { data: unknown }).data
  return `${answer.type} ${Array.isArray(data) ? data.map(String).join('') : typeof data === 'object' ? JSON.stringify(data) : String(data)}`
})].join(' | ')

t.test('resolvers answer what is listed', async (t) => {
  const world = await open(t)
  const at = portOf(world, 'cluster', '8.8.8.8', 53)
  const table: [name: string, type: string, expected: string][] = [
    ['shop.example.com', 'A', 'NOERROR | A 203.0.113.10 | A 203.0.113.11'],
    ['SHOP.Example.com', 'A', 'NOERROR | A 203.0.113.10 | A 203.0.113.11'],
    ['shop.example.com', 'AAAA', 'NOERROR'],
    ['shop.example.com', 'TXT', 'NOERROR'],
    ['nothing.example.com', 'A', 'NXDOMAIN'],
    ['gone.example.com', 'A', 'NXDOMAIN'],
    ['gone.example.com', 'TXT', 'NXDOMAIN'],
    ['down.example.com', 'TXT', 'SERVFAIL'],
    ['www.example.com', 'A', 'NOERROR | CNAME Alias.Example.com | CNAME shop.example.com | A 203.0.113.10 | A 203.0.113.11'],
    ['www.example.com', 'CNAME', 'NOERROR | CNAME Alias.Example.com'],
    ['dangling.example.com', 'A', 'NXDOMAIN | CNAME nowhere.example.net'],
    ['loop.example.com', 'A', 'SERVFAIL'],
    ['caa.example.com', 'CAA', 'NOERROR | CAA {"flags":0,"tag":"issue","value":"letsencrypt.org; validationmethods=dns-01","issuerCritical":false} | CAA {"flags":128,"tag":"issuewild","value":";","issuerCritical":true}'],
    ['broken.example.com', 'CAA', 'SERVFAIL'],
    ['_acme-challenge.shop.example.com', 'TXT', 'NOERROR | TXT onetwo | TXT with spaces; and more | TXT a\\b'],
    ['a.b.wild.example.com', 'A', 'NOERROR | A 203.0.113.20'],
    ['there.wild.example.com', 'A', 'NOERROR'],
    ['below.there.wild.example.com', 'A', 'NXDOMAIN'],
    ['wild.example.com', 'A', 'NXDOMAIN'],
    ['example.com', 'MX', 'NOERROR | MX {"preference":10,"exchange":"mail.example.com"}'],
    ['example.com', 'NS', 'NOERROR | NS ns1.provider.example']
  ]
  for (const [name, type, expected] of table) t.equal(said(await query(at, name, type)), expected, `${type} ${name}`)
  t.match(await query(at, 'example.com', 'DS'), { answers: [{ data: { keyTag: 1, algorithm: 13, digestType: 2, digest: Buffer.from('abcd', 'hex') } }] })
  t.match(await query(at, 'nothing.example.com', 'A'), { authorities: [{ type: 'SOA', name: 'example.com', data: { serial: 7, minimum: 300 } }], flag_aa: false, flag_ra: true }, 'a negative answer carries the zone')
  const broken = await query(at, 'broken.example.com', 'CAA')
  const [opt] = broken.additionals as unknown as { options: { code: number, data: Buffer }[] }[]
  t.equal(opt!.options[0]!.code, 15)
  t.strictSame([opt!.options[0]!.data.readUInt16BE(), opt!.options[0]!.data.subarray(2).toString()], [9, 'no matching DS'])
})

t.test('each vantage sees its own view, and an authoritative server follows nothing', async (t) => {
  const world = await open(t)
  const addressOf = async (vantage: string, server: string): Promise<string> => said(await query(portOf(world, vantage, server, 53), 'shop.example.com', 'A'))
  t.equal(await addressOf('cluster', world.resolvers.cluster[0]!), 'NOERROR | A 10.0.0.5')
  for (const server of world.resolvers.public) t.equal(await addressOf('internet', server), 'NOERROR | A 203.0.113.10 | A 203.0.113.11')
  t.equal(await addressOf('sydney', '1.1.1.1'), 'NOERROR | A 198.51.100.99')
  t.equal(await addressOf('cluster', '10.0.0.10'), 'NOERROR | A 10.9.9.9', 'a resolver that is listed by address')
  const authoritative = portOf(world, 'internet', '203.0.113.53', 53)
  t.equal(authoritative, portOf(world, 'cluster', 'NS1.provider.example.', 53))
  t.match(await query(authoritative, 'www.example.com', 'A'), { rcode: 'NOERROR', flag_aa: true, answers: [{ type: 'CNAME' }] })
  t.strictSame(world.route('internet')(world.resolvers.cluster[0]!, 53), { fails: 'unreachable' })
  t.strictSame(world.route('cluster')('203.0.113.54', 53), { fails: 'unreachable' }, 'a resolver that is not listed')
  t.strictSame(world.outsideVantages(), ['internet', 'sydney'])
  const blind = await open(t, {})
  t.strictSame(blind.route('cluster')('1.1.1.1', 53), { fails: 'unreachable' }, 'no dns.yaml: no DNS')
  t.strictSame(blind.outsideVantages(), [])
})

t.test('a silent name stays silent, a long answer goes over TCP, garbage is dropped', async (t) => {
  const world = await open(t)
  const at = portOf(world, 'cluster', '1.1.1.1', 53)
  const socket = createSocket('udp4')
  const heard: string[] = []
  socket.on('message', (message) => { heard.push(decode(message).questions![0]!.name) })
  const ask = (name: string): void => socket.send(encode({ type: 'query', id: 1, questions: [{ name, type: 'A' }] }), at, '127.0.0.1')
  socket.send(Buffer.from('garbage'), at, '127.0.0.1')
  ask('silent.example.com')
  ask('alias-to-silent.example.com')
  ask('shop.example.com')
  await once(socket, 'message')
  t.strictSame(heard, ['shop.example.com'], 'asked last, answered first')
  socket.close()

  const cut = await query(at, 'long.example.com', 'TXT')
  t.match(cut, { flag_tc: true, answers: [] })
  const connection = connect(at, '127.0.0.1')
  const message = encode({ type: 'query', id: 9, questions: [{ name: 'long.example.com', type: 'TXT' }] })
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  connection.write(length)
  connection.write(message)
  let received = Buffer.alloc(0)
  for await (const chunk of connection) {
    received = Buffer.concat([received, chunk as Buffer])
    if (received.length >= 2 && received.length === received.readUInt16BE() + 2) break
  }
  t.equal(decode(received.subarray(2)).answers!.length, 8)
})

interface Reply { status: number, head: string, body: string }

/** One request over a socket that is led to the world's port; what came back, or how it ended. */
async function fetchRaw (socket: Socket, host: string, path: string): Promise<Reply | string> {
  let text = ''
  socket.on('data', (data) => { text += data.toString('utf8') })
  const ended = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('close', () => resolve('closed'))
  })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const end = await ended
  if (text === '') return end
  const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s)
  return { status: Number(head.split(' ')[1]), head, body }
}

const plain = (world: World, vantage: string, address: string, port = 80): Socket => connect(portOf(world, vantage, address, port), '127.0.0.1')

async function secure (t: Test, world: World, address: string, servername = 'shop.example.com', port = 443): Promise<TLSSocket> {
  const socket = connectTls({ port: portOf(world, 'internet', address, port), host: '127.0.0.1', servername, ca: world.trust, rejectUnauthorized: false })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

t.test('web servers answer by host and path, byte for byte', async (t) => {
  const world = await open(t)
  const table: [host: string, path: string, status: number, body: string][] = [
    ['Shop.Example.com:80', '/.well-known/acme-challenge/token', 308, ''],
    ['a.example.com', '/x-y-z', 200, 'a\r\nb'],
    ['a.example.com', '/x-y-z?q=1', 200, 'a\r\nb'],
    ['a.example.com', '/x-y', 404, 'gone'],
    ['elsewhere.test', '/.well-known/acme-challenge/token', 404, 'gone']
  ]
  for (const [host, path, status, body] of table) t.match(await fetchRaw(plain(world, 'internet', '203.0.113.10'), host, path), { status, body }, `${host}${path}`)
  t.match(await fetchRaw(plain(world, 'internet', '203.0.113.10'), 'shop.example.com', '/.well-known/acme-challenge/x'), { head: /^location: https:\/\/shop\.example\.com\/$(?:[^]*)^Server: nginx$/mi })
  t.match(await fetchRaw(plain(world, 'internet', '2001:db8::1'), 'x', '/'), { status: 200, body: 'six' }, 'IPv6 in another spelling')
  t.match(await fetchRaw(plain(world, 'internet', 'SHOP.example.com'), 'x', '/'), { body: 'gone' }, 'a name is dialled at its address')
})

t.test('connections fail as the case says', async (t) => {
  const world = await open(t)
  const route = (vantage: string, host: string, port: number): unknown => world.route(vantage)(host, port)
  t.strictSame(route('cluster', '203.0.113.10', 80), { fails: 'timeout' })
  t.match(route('sydney', '203.0.113.10', 80), { host: '127.0.0.1' }, 'a place is on the internet, and the first match wins')
  t.strictSame(route('cluster', '203.0.113.12', 80), { fails: 'refused' })
  t.strictSame(route('cluster', '203.0.113.200', 80), { fails: 'not-recorded' })
  t.strictSame(route('cluster', '203.0.113.12', 443), { fails: 'not-recorded' })
  t.strictSame(route('cluster', '169.254.169.254', 80), { fails: 'not-recorded' })
  t.equal(await fetchRaw(plain(world, 'internet', '203.0.113.13'), 'x', '/'), 'ECONNRESET')
  t.equal(await fetchRaw(plain(world, 'internet', '203.0.113.14'), 'x', '/'), 'closed')
  await t.rejects(secure(t, world, '203.0.113.15'), { code: /HANDSHAKE_FAILURE/ })
  t.equal(await fetchRaw(await secure(t, world, '203.0.113.19'), 'x', '/'), 'closed', 'after the handshake and the request')
  world.pass('127.0.0.1', 12345)
  t.strictSame(route('cluster', '127.0.0.1', 12345), { host: '127.0.0.1', port: 12345 })
})

t.test('certificates are what the case describes', async (t) => {
  const world = await open(t)
  const good = await secure(t, world, '203.0.113.16')
  const certificate = good.getPeerX509Certificate()!
  t.equal(certificate.subjectAltName, 'DNS:shop.example.com, DNS:*.shop.example.com, IP Address:203.0.113.16')
  t.equal(Date.parse(certificate.validTo), Date.parse('2026-12-01T00:00:00Z'))
  // Node judges dates by the real clock: past the case's, only "expired" may be left to say.
  t.ok(good.authorized || String(good.authorizationError) === 'CERT_HAS_EXPIRED')
  t.match(await fetchRaw(good, 'shop.example.com', '/'), { body: 'secure' })
  const own = await secure(t, world, '203.0.113.17')
  t.match([own.authorized, String(own.authorizationError)], [false, /SELF_SIGNED/])
  const foreign = await secure(t, world, '203.0.113.18')
  t.equal(foreign.authorized, false)
  t.match(foreign.getPeerX509Certificate()!.issuer, /CN=R12/)
  t.match(await fetchRaw(foreign, 'x', '/'), { status: 404, body: '' }, 'no match: 404 with an empty body')
})

t.test('the CA answers plain GETs over TLS that the world\'s authority signed', async (t) => {
  const world = await open(t)
  for (const address of ['ca.example', '198.51.100.7']) {
    const socket = await secure(t, world, address, 'ca.example')
    t.equal(socket.authorized, true)
    t.match(await fetchRaw(socket, 'ca.example', '/acme/authz/1'), { status: 200, head: /^date: Tue, 24 Nov 2026 10:05:00 GMT$/mi, body: '{"status":"invalid"}' })
  }
  t.match(await fetchRaw(await secure(t, world, 'ca.example', 'ca.example'), 'ca.example', '/acme/down'), { status: 503, head: /retry-after: 60/i, body: '<h1>maintenance</h1>' })
  t.match(await fetchRaw(await secure(t, world, 'ca.example', 'ca.example'), 'ca.example', '/acme/other'), { status: 404, body: /urn:ietf:params:acme:error:malformed/ })
  t.match(await fetchRaw(await secure(t, world, 'ca.example', 'ca.example'), 'ca.example', '/directory'), { status: 200, body: /newOrder/ }, 'a CA with authorizations has a directory, recorded or not')
  t.match(await fetchRaw(await secure(t, world, 'pebble.example', 'pebble.example', 14000), 'pebble.example:14000', '/dir'), { body: '{"newOrder":"x"}' })
  t.strictSame(world.route('cluster')('closed-ca.example', 443), { fails: 'timeout' }, 'http.yaml shuts off a CA at its address')
  t.strictSame(world.route('cluster')('other-ca.example', 443), { fails: 'not-recorded' })
  const silent = await open(t, { 'acme.yaml': 'directory: https://ca.example/directory\nget: {}\n' })
  t.strictSame(silent.route('cluster')('ca.example', 443), { fails: 'not-recorded' }, 'nothing recorded is not "no directory"')
})

t.test('the clock is the case\'s, and moves only when it is moved', async (t) => {
  const world = await open(t)
  t.equal(world.clock.now(), Date.parse('2026-11-24T10:05:00Z'))
  world.clock.advance(60_000)
  t.equal(world.clock.now(), Date.parse('2026-11-24T10:06:00Z'))
})
