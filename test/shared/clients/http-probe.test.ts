import * as fc from 'fast-check'
import type { RequestListener } from 'node:http'
import t from 'tap'
import { buildGuard } from '../../../src/shared/clients/guard.ts'
import { seeCertificate, walk } from '../../../src/shared/clients/http-probe.ts'
import type { HttpProbeOptions, WalkResult } from '../../../src/shared/clients/http-probe.ts'
import { trustContext } from '../../../src/shared/clients/http-probe-connect.ts'
import { refuseRedirect } from '../../../src/shared/clients/http-probe-redirect.ts'
import type { Route } from '../../../src/shared/clients/route.ts'
import { labPair, openLab } from '../../support/outside-lab.ts'

const guard = buildGuard({ allow: [], documentationIsPublic: true })
const address = '203.0.113.10'
const never = new AbortController().signal

const options = (route: Route, trust?: string): HttpProbeOptions =>
  ({ route, connectTimeout: 2000, hopTimeout: 400, context: trustContext(trust), userAgent: 'acme-triage/test' })

const go = (route: Route, path: string, more: Partial<Parameters<typeof walk>[1]> = {}): Promise<WalkResult> =>
  walk(options(route), { url: `http://shop.example.com${path}`, address, guard, resolve: async () => ['203.0.113.11'], expected: 'tok.key', signal: never, ...more })

const redirect = (location: string, status = 302): RequestListener => (_request, response) => response.writeHead(status, { location }).end()

t.test('what a web server may do to us', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const pages: Record<string, RequestListener> = {
    '/token': (_request, response) => response.end('tok.key\r\n'),
    '/other': (_request, response) => response.end('tok.other'),
    '/host': (request, response) => response.writeHead(404, { server: 'nginx', via: '1.1 varnish', 'set-cookie': '__cf_bm=secret; path=/' }).end(`${request.headers.host} ${request.headers['user-agent']}`),
    '/relative': redirect('/token', 308),
    '/elsewhere': redirect('http://other.example/token'),
    '/drip': (_request, response) => {
      const timer = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(timer))
    },
    '/endless': (_request, response) => {
      const pump = (): void => {
        while (response.write('z'.repeat(16_384)));
        response.once('drain', pump)
      }
      pump()
    },
    '/many-headers': (_request, response) => {
      for (let index = 0; index < 10_000; index++) response.setHeader(`x-header-${index}`, 'v')
      response.end()
    },
    '/silent': () => {},
    '/close': (request) => request.socket.destroy(),
    '/reset': (request) => request.socket.resetAndDestroy(),
    '/loop': redirect('/loop', 301),
    '/see-other': redirect('/token', 303),
    '/metadata': redirect('http://169.254.169.254/latest/meta-data/'),
    '/loopback6': redirect('http://[::1]/'),
    '/mapped': redirect('http://[::ffff:10.0.0.1]/'),
    '/port': redirect('http://shop.example.com:8080/'),
    '/scheme': redirect('ftp://shop.example.com/'),
    '/slash': redirect('http://shop.example.com.well-known/acme-challenge/x'),
    '/internal': redirect('http://web.default.svc/'),
    '/long': redirect(`/${'a'.repeat(2100)}`),
    '/not-a-url': redirect('http://'),
    '/rebind': redirect('http://rebinding.example/')
  }
  for (let hop = 0; hop < 12; hop++) pages[`/step${hop}`] = redirect(`/step${hop + 1}`)
  const serve: RequestListener = (request, response) => (pages[request.url!] ?? ((_request, answer) => answer.writeHead(404).end()))(request, response)
  await lab.web(address, serve)
  await lab.web('203.0.113.11', serve)

  const last = ({ hops }: WalkResult): unknown => hops.at(-1)
  const failure = async (path: string, more = {}): Promise<unknown> => (await go(lab.route, path, more)).hops.at(-1)!.failure

  t.match(await go(lab.route, '/token'), { served: true, hops: [{ status: 200, body: 'tok.key\r\n', address, port: 80 }] }, 'trailing white space does not matter')
  t.match(await go(lab.route, '/other'), { served: false })
  t.match(last(await go(lab.route, '/host')), { status: 404, server: 'nginx', headers: { via: '1.1 varnish', 'set-cookie': '__cf_bm' }, body: 'shop.example.com acme-triage/test' }, 'the name is kept, a cookie\'s value is not')
  t.match(await go(lab.route, '/relative'), { served: true, hops: [{ status: 308, location: '/token' }, { address }] }, 'a redirect to the same host keeps the address')
  t.match(await go(lab.route, '/elsewhere'), { served: true, hops: [{}, { address: '203.0.113.11' }] }, 'another host is resolved')
  t.match(last(await go(lab.route, '/drip')), { status: 200, failure: { code: 'timeout' }, body: /^x+$/ }, 'a dripping body is kept as far as it came')
  t.match(last(await go(lab.route, '/endless')), { status: 200, bodyBytes: 65_536, body: /^z{512}$/ }, 'an endless body is cut')
  t.match(await failure('/many-headers'), { code: 'other', text: /headers are too long/ })
  t.match(await failure('/silent'), { code: 'timeout', text: /connected/ })
  t.match(await failure('/close'), { code: 'closed' })
  t.match(await failure('/reset'), { code: 'reset' })
  const policy: [path: string, text: RegExp][] = [
    ['/loop', /^Redirect loop detected/], ['/see-other', /^received disallowed redirect status code/], ['/metadata', /^Invalid host in redirect target: IP address is in a reserved/],
    ['/loopback6', /IP address is in a reserved/], ['/mapped', /IP address is in a reserved/], ['/port', /^Invalid port in redirect target.* not 8080/], ['/scheme', /^Invalid protocol scheme.* not "ftp"/],
    ['/slash', /Check webserver config for missing '\/'/], ['/internal', /must end in IANA registered TLD/], ['/long', /^Redirect target too long/], ['/step0', /^Too many redirects/], ['/not-a-url', /^Invalid redirect target/]
  ]
  for (const [path, text] of policy) t.match(await failure(path), { code: 'redirect', text }, path)
  t.equal((await go(lab.route, '/step0')).hops.length, 11, 'ten redirects are followed')
  t.match(await failure('/rebind', { resolve: async () => ['10.0.0.1'] }), { code: 'blocked' }, 'a name that leads inside is not followed')
  t.match(await failure('/rebind', { resolve: async () => [] }), { code: 'redirect', text: /no address/ })
  const inside = lab.dialled.filter((place) => /^(10\.|169\.254|::|127)/.test(place))
  t.strictSame(inside, [], 'no connection went inside')
})

t.test('each host is resolved once, so that a second answer cannot lead elsewhere', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.web(address, redirect('http://flip.example/a'))
  await lab.web('203.0.113.11', (request, response) => request.url === '/a' ? response.writeHead(302, { location: '/b' }).end() : response.end('tok.key'))
  let asked = 0
  const result = await go(lab.route, '/', { resolve: async () => ++asked === 1 ? ['203.0.113.11'] : ['10.0.0.1'] })
  t.match(result, { served: true, hops: [{}, { address: '203.0.113.11' }, { address: '203.0.113.11' }] })
  t.equal(asked, 1)
})

t.test('whatever names lead to, hop by hop, nothing but public addresses and our own ingress is dialled', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const own = '10.0.0.5'
  const good = ['203.0.113.10', '203.0.113.11', own]
  // The path lists the hosts still to come: each answer redirects to the next one.
  const onward: RequestListener = (incoming, response) => {
    const [next, ...rest] = incoming.url!.slice(1).split(',')
    if (next === undefined || next === '') response.end('the end')
    else response.writeHead(302, { location: `http://${next}/${rest.join(',')}` }).end()
  }
  for (const place of good) await lab.web(place, onward)
  const bad = ['10.0.0.6', '127.0.0.1', '169.254.169.254', '::1', 'fe80::1', 'fd00:ec2::254', '::ffff:10.0.0.6', '64:ff9b::a9fe:a9fe', '2002:a00:1::', '100.64.0.1', '192.168.0.1', '0.0.0.0']
  for (const place of bad) await lab.web(place, onward)
  const mine = guard.owning([own])
  const place = fc.constantFrom(...good, ...bad)
  const hop = fc.record({ host: fc.constantFrom('a.example.com', 'b.example.com', 'c.example.com', ...bad.map((address) => address.includes(':') ? `[${address}]` : address)), first: place, later: place })
  await fc.assert(fc.asyncProperty(fc.array(hop, { minLength: 1, maxLength: 4 }), async (hops) => {
    lab.dialled.length = 0
    // The names rebind: each answer but the first is another one.
    const answers = new Map(hops.map(({ host, first, later }) => [host, [first, later]]))
    const { hops: walked } = await go(lab.route, `/${hops.map(({ host }) => host).join(',')}`, { guard: mine, resolve: async (host) => { const list = answers.get(host)!; return list.length > 1 ? [list.shift()!] : list } })
    const dialled = lab.dialled.map((entry) => entry.replace(/:\d+$/, ''))
    return dialled.every((entry) => good.includes(entry)) && dialled.length >= walked.filter(({ status }) => status !== undefined).length
  }), { numRuns: 60 })
})

t.test('what speaks no HTTP is named', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const bytes = new Map([['203.0.113.21', '15030100020246'], ['203.0.113.22', '000006040000000000000400000000'], ['203.0.113.23', Buffer.from('SSH-2.0-OpenSSH_9\r\n').toString('hex')]])
  for (const [place, hex] of bytes) await lab.raw(place, (socket) => socket.once('data', () => socket.end(Buffer.from(hex, 'hex'))))
  const texts = await Promise.all([...bytes.keys()].map(async (place) => (await go(lab.route, '/', { address: place })).hops[0]!.failure?.text))
  t.match(texts, ['the server speaks TLS on this port', 'Server is speaking HTTP/2 over HTTP', /not an HTTP answer/])
})

t.test('certificates are recorded and do not stop the walk', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.web(address, redirect('https://shop.example.com/'))
  await lab.secure(address, labPair, (_request, response) => response.end('tok.key'))
  t.match(await go(lab.route, '/'), { served: true, hops: [{}, { port: 443, tls: { issuer: 'lab authority', selfSigned: true, trusted: false, error: 'DEPTH_ZERO_SELF_SIGNED_CERT' } }] })
  const seen = await seeCertificate(options(lab.route, labPair.cert), 'shop.example.com', address, guard, never)
  t.match(seen, { tls: { names: ['lab authority', 'shop.example.com', 'ca.example', 'probe.example', 'dns.example'], trusted: true } }, 'trusted when its authority is')
  t.notOk(seen.tls!.error)
})

t.test('a server that breaks off TLS is a TLS failure, not a crash', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.raw(address, (socket) => socket.once('data', () => socket.end(Buffer.from('15030300020228', 'hex'))), 443)
  await lab.raw('203.0.113.12', (socket) => socket.once('data', () => socket.destroy()), 443)
  await lab.raw('203.0.113.13', () => {}, 443)
  const failures = await Promise.all([address, '203.0.113.12', '203.0.113.13'].map(async (place) =>
    (await seeCertificate({ ...options(lab.route), connectTimeout: 200 }, 'shop.example.com', place, guard, never)).failure?.code))
  t.strictSame(failures, ['tls', 'tls', 'timeout'])
})

t.test('the route and the guard speak before any socket', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  for (const failure of ['timeout', 'refused', 'unreachable'] as const) {
    lab.fails(address, 80, failure)
    t.match((await go(lab.route, '/')).hops, [{ failure: { code: failure } }])
  }
  t.match((await go(lab.route, '/', { address: '203.0.113.99' })).hops, [{ failure: { code: 'not-recorded' } }])
  t.match((await go(lab.route, '/', { address: '10.0.0.1' })).hops, [{ failure: { code: 'blocked' } }])
  t.notOk(lab.dialled.includes('10.0.0.1:80'))
})

t.test('an aborted walk ends', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const stop = new AbortController()
  await lab.web(address, () => stop.abort())
  const result = await walk({ ...options(lab.route), hopTimeout: 60_000 }, { url: 'http://shop.example.com/', address, guard, resolve: async () => [], signal: stop.signal })
  t.match(result.hops, [{ failure: { code: 'timeout' } }])
})

t.test('no Location leads anywhere that a CA would not go', (t) => {
  const from = new URL('http://shop.example.com/.well-known/acme-challenge/x')
  const locations = fc.oneof(
    fc.string(), fc.webUrl(), fc.ipV4().map((ip) => `http://${ip}/`), fc.ipV6().map((ip) => `https://[${ip}]/`),
    fc.tuple(fc.constantFrom('http', 'https', 'ftp', 'file', 'javascript', 'gopher'), fc.domain(), fc.nat(70_000)).map(([scheme, host, port]) => `${scheme}://${host}:${port}/x`)
  )
  fc.assert(fc.property(locations, fc.constantFrom(301, 302, 303, 304, 307, 308), fc.nat(12), (location, status, count) => {
    const { next, refusal } = refuseRedirect({ from, status, location, count, most: 10, visited: new Set([from.href]), guard })
    if (next === undefined) return typeof refusal === 'string'
    const port = next.port === '' ? (next.protocol === 'https:' ? 443 : 80) : Number(next.port)
    const literal = /^[\d.]+$|^\[/.test(next.hostname)
    return refusal === undefined && count <= 10 && [301, 302, 307, 308].includes(status) && /^https?:$/.test(next.protocol) && (port === 80 || port === 443) &&
      next.username === '' && (!literal || guard.refuses(next.hostname.replace(/[[\]]/g, ''), port) === undefined)
  }), { numRuns: 1000 })
  t.end()
})
