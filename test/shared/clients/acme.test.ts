import type { RequestListener } from 'node:http'
import t from 'tap'
import { askAcme } from '../../../src/shared/clients/acme.ts'
import type { AcmeClientOptions } from '../../../src/shared/clients/acme.ts'
import { trustContext } from '../../../src/shared/clients/http-probe-connect.ts'
import { labPair, openLab } from '../../support/outside-lab.ts'

const never = new AbortController().signal
const server = 'https://ca.example/directory'
const json = (status: number, body: unknown, headers = {}): RequestListener => (_request, response) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

t.test('what a CA may answer to a plain GET', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const pages: Record<string, RequestListener> = {
    '/directory': json(200, { newOrder: 'https://ca.example/new-order', meta: { caaIdentities: ['ca.example'] } }, { date: 'Tue, 24 Nov 2026 10:00:00 GMT' }),
    '/authz/1': json(200, { status: 'invalid' }),
    '/authz/405': json(405, { type: 'urn:ietf:params:acme:error:malformed', detail: 'Method not allowed' }),
    '/authz/404': json(404, { detail: 'Expired authorization' }),
    '/authz/html': (_request, response) => response.end('<html>Welcome</html>'),
    '/authz/text': json(200, 'just a string'),
    '/authz/503': json(503, { detail: 'Service busy; retry later.' }),
    '/authz/large': (_request, response) => response.end(`{"status":"${'x'.repeat(400_000)}"}`),
    '/authz/redirect': (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    '/authz/drip': (_request, response) => { response.write('{') }
  }
  await lab.secure('ca.example', labPair, (request, response) => (pages[request.url!] ?? json(404, {}))(request, response))
  const options: AcmeClientOptions = { route: lab.route, clock: { now: () => 42 }, timeout: 500, context: trustContext(labPair.cert), server, skipTlsVerify: false, userAgent: 'test' }
  const ask = (path: string, kind: 'directory' | 'authorization' = 'authorization', more: Partial<AcmeClientOptions> = {}): ReturnType<typeof askAcme> =>
    askAcme({ ...options, ...more }, kind, `https://ca.example${path}`, never)

  t.match(await ask('/directory', 'directory'), { at: 42, look: { is: 'seen', value: { status: 200, date: Date.parse('2026-11-24T10:00:00Z'), tls: { trusted: true }, body: { newOrder: /new-order/ } } } })
  t.match(await ask('/authz/1'), { look: { is: 'seen', value: { body: { status: 'invalid' } } } })
  t.match(await ask('/authz/html', 'directory'), { look: { is: 'seen', value: { status: 200, body: undefined } } }, 'a directory that is a web page is seen as what it is')
  const refusals: [path: string, why: RegExp][] = [
    ['/authz/405', /does not show its authorizations to a plain GET \(405/], ['/authz/404', /no longer has this authorization \(404.*Expired authorization/], ['/authz/html', /not JSON/], ['/authz/text', /not JSON/],
    ['/authz/503', /503.*Service busy/], ['/authz/large', /not JSON/], ['/authz/redirect', /302/]
  ]
  for (const [path, why] of refusals) {
    const look = await ask(path)
    t.match(look.look, { is: 'unavailable', why }, path)
    t.notOk(look.failure, 'an answer is no failure to connect')
  }
  t.match(await ask('/authz/drip'), { look: { is: 'unavailable' }, failure: { code: 'timeout' } })

  t.match(await ask('/directory', 'directory', { context: trustContext() }), { look: { is: 'unavailable', why: /not trusted/ }, failure: { code: 'tls' } }, 'an unknown authority is told')
  t.match(await ask('/directory', 'directory', { context: trustContext(), skipTlsVerify: true }), { look: { is: 'seen', value: { tls: { trusted: false } } } }, 'unless the issuer does not mind')
  t.match(await ask('/directory', 'directory', { clock: { now: () => Date.parse('2060-01-01') } }), { failure: { code: 'tls', text: /expired/ } })
})

t.test('only the host of the issuer\'s server is ever asked', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  const options: AcmeClientOptions = { route: lab.route, clock: { now: () => 0 }, timeout: 200, context: trustContext(), server, skipTlsVerify: false, userAgent: 'test' }
  for (const url of ['https://evil.example/authz/1', 'http://ca.example/authz/1', 'https://ca.example:8443/authz/1', 'https://user@ca.example/authz/1', 'https://ca.example.evil.example/', 'file:///etc/passwd', 'nonsense', '']) {
    t.match((await askAcme(options, 'authorization', url, never)).look, { is: 'unavailable', why: /not on the host/ }, url)
  }
  t.strictSame(lab.dialled, [])
  for (const host of ['169.254.169.254', '[fe80::1]', '[::ffff:169.254.169.254]']) {
    const home = `https://${host}/directory`
    t.match(await askAcme({ ...options, server: home }, 'directory', home, never), { failure: { code: 'blocked' } }, host)
  }
  t.strictSame(lab.dialled, [], 'a metadata service is no CA')
})

t.test('a certificate for another name is not the CA\'s', async (t) => {
  const lab = openLab()
  t.teardown(() => lab.close())
  await lab.secure('other-ca.example', labPair, json(200, {}))
  const url = 'https://other-ca.example/directory'
  const look = await askAcme({ route: lab.route, clock: { now: () => 0 }, timeout: 500, context: trustContext(labPair.cert), server: url, skipTlsVerify: false, userAgent: 'test' }, 'directory', url, never)
  t.match(look, { failure: { code: 'tls', text: /is for lab authority, shop.example.com/ } })
})

t.test('how a connection failed is told as one word', async (t) => {
  for (const fails of ['timeout', 'refused', 'unreachable', 'not-recorded'] as const) {
    const look = await askAcme({ route: () => ({ fails }), clock: { now: () => 0 }, timeout: 200, context: trustContext(), server, skipTlsVerify: false, userAgent: 'test' }, 'directory', server, never)
    t.match(look, { look: { is: 'unavailable' }, failure: { code: fails } })
  }
})
