import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { openKubernetes, type KubernetesClient } from '../../src/shared/clients/kubernetes.ts'
import { shareLooks } from '../../src/shared/clients/kubernetes-share.ts'
import { resourceType } from '../../src/shared/clients/kubernetes-resources.ts'

const clock = { now: () => Date.parse('2026-11-24T10:05:41.500Z') }

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

/** A client of an API that does what `handler` says. */
async function against (test: { teardown (close: () => Promise<void>): void }, handler: Handler): Promise<{ client: KubernetesClient, asked: string[], port: number }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.setHeader('content-type', 'application/json')
    handler(request, response, asked.length)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  const kubeconfig = JSON.stringify({
    'current-context': 'a', contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }], clusters: [{ name: 'a', cluster: { server: 'http://kube.test:6443' } }], users: [{ name: 'a', user: { token: 'sesame' } }]
  })
  const client = openKubernetes({ kubeconfig }, { clock, route: (host, asPort) => host === 'kube.test' && asPort === 6443 ? { host: '127.0.0.1', port } : { fails: 'not-recorded' } })!
  test.teardown(async () => { await client.close(); server.closeAllConnections(); await new Promise(resolve => { server.close(resolve) }) })
  return { client, asked, port }
}

const items = (...names: string[]): string => JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '7' }, items: names.map(name => ({ metadata: { name, namespace: 'shop', uid: name } })) })

t.test('every way an API can fail is a value with a reason, never an error', async t => {
  const rows: [string, Handler, unknown][] = [
    ['403', (_, response) => { response.writeHead(403).end(JSON.stringify({ kind: 'Status', message: 'pods is forbidden: User "x" cannot list resource "pods"' })) }, { is: 'unavailable', why: /^pods is forbidden/, fix: /apiGroups: \[""\], resources: \["pods"\], verbs: \["get", "list", "watch"\]/ }],
    ['401', (_, response) => { response.writeHead(401).end('{}') }, { is: 'unavailable', why: /credentials/, fix: /token/ }],
    ['404', (_, response) => { response.writeHead(404).end('{}') }, { is: 'absent' }],
    ['410', (_, response) => { response.writeHead(410).end('{}') }, { is: 'unavailable', why: /expired/ }],
    ['500', (_, response) => { response.writeHead(500).end(JSON.stringify({ message: 'etcd is tired' })) }, { is: 'unavailable', why: /500: etcd is tired/ }],
    ['a proxy\'s page', (_, response) => { response.setHeader('content-type', 'text/html'); response.end('<html>sign in</html>') }, { is: 'unavailable', why: /not JSON/ }],
    ['no object', (_, response) => { response.end('[]') }, { is: 'unavailable', why: /no object/ }],
    ['items that are no list', (_, response) => { response.end('{"items": 7}') }, { is: 'unavailable', why: /malformed/ }],
    ['a cut body', (_, response) => { response.writeHead(200, { 'content-length': 1000 }); response.write('{"ite'); response.destroy() }, { is: 'unavailable', why: /cut|reached/ }],
    ['a cut connection', (request) => { request.socket.destroy() }, { is: 'unavailable', why: /cut|reached/ }],
    ['odd items', (_, response) => { response.end('{"items":[null,{},7,{"metadata":{}},{"metadata":{"name":"a"}}]}') }, { is: 'seen', value: { items: [{ kind: 'Pod', metadata: { name: 'a', uid: 'Pod//a' } }] } }],
    ['null items', (_, response) => { response.end('{"items":null}') }, { is: 'seen', value: { items: [], truncated: false } }]
  ]
  for (const [title, handler, expected] of rows) {
    const { client } = await against(t, handler)
    t.match(await client.list('pods', { namespace: 'shop' }), expected, title)
  }
  const { client } = await against(t, (_, response) => { response.writeHead(403).end('{}') })
  t.match(await client.get('orders.acme.cert-manager.io', 'shop', 'a'), { is: 'unavailable', fix: /acme\.cert-manager\.io/ })
})

t.test('an API that hangs is left when the signal goes off', async t => {
  const alarm = new AbortController()
  const { client } = await against(t, () => { alarm.abort() })
  t.match(await client.list('pods', { signal: alarm.signal }), { is: 'unavailable', why: /in time/ })
})

t.test('429 and 503 are asked again, but only as long as a diagnosis can wait', async t => {
  const once = await against(t, (_, response, count) => { if (count === 1) response.writeHead(429, { 'retry-after': '0' }).end('{}'); else response.end(items('a')) })
  t.match(await once.client.list('pods'), { is: 'seen' })
  const always = await against(t, (_, response) => { response.writeHead(503).end('{}') })
  t.match(await always.client.list('pods'), { is: 'unavailable', why: /503/ })
  t.equal(always.asked.length, 3)
  const patient = await against(t, (_, response) => { response.writeHead(429, { 'retry-after': '60' }).end('{}') })
  t.match(await patient.client.list('pods'), { is: 'unavailable', why: /throttling/ })
  t.equal(patient.asked.length, 1)
})

t.test('long lists come in pages, end at the limit, and keep what came before an error', async t => {
  const page = (_: IncomingMessage, response: ServerResponse, count: number): void => {
    if (count === 3) { response.writeHead(410).end('{}'); return }
    response.end(JSON.stringify({ metadata: { continue: `c${count}` }, items: [{ metadata: { name: `a${count}`, uid: `${count}` } }] }))
  }
  const broken = await against(t, page)
  t.match(await broken.client.list('pods'), { is: 'seen', value: { truncated: true, items: { length: 2 } } })
  t.match(broken.asked[1], /continue=c1/)
  const limited = await against(t, page)
  t.match(await limited.client.list('pods', { maxItems: 1 }), { is: 'seen', value: { truncated: true, items: { length: 1 } } })
  t.equal(limited.asked.length, 1)
})

t.test('a group is asked in each of its versions, and the one that is served is remembered', async t => {
  const { client, asked } = await against(t, (request, response) => { if (request.url?.includes('/v1beta1/')) response.end('{"items":[]}'); else response.writeHead(404).end('{}') })
  t.match(await client.list('gateways.gateway.networking.k8s.io'), { is: 'seen' })
  await client.list('gateways.gateway.networking.k8s.io')
  t.same(asked.map(url => url.replace(/\?.*/, '')), ['/apis', ...['v1', 'v1beta1', 'v1beta1'].map(version => `/apis/gateway.networking.k8s.io/${version}/gateways`)])
})

t.test('groups that are not installed cost one question, and those that are no wrong version', async t => {
  const { client, asked } = await against(t, (request, response) => {
    const groups = [{ name: 'gateway.networking.k8s.io', versions: [{ version: 'v1beta1' }] }, { name: 'traefik.io', versions: [{ version: 'v2' }], preferredVersion: { version: 'v2' } }]
    if (request.url === '/apis') response.end(JSON.stringify({ kind: 'APIGroupList', groups }))
    else if (request.url?.includes('listenersets')) response.writeHead(404).end('404 page not found')
    else response.end('{"items":[]}')
  })
  const looks = await Promise.all(['gateways.gateway.networking.k8s.io', 'middlewares.traefik.io', 'virtualservices.networking.istio.io', 'httpproxies.projectcontour.io'].map(resource => client.list(resource)))
  t.same(looks.map(({ is }) => is), ['seen', 'seen', 'absent', 'absent'])
  for (let count = 0; count < 3; count++) t.match(await client.list('listenersets.gateway.networking.k8s.io'), { is: 'absent' }, 'a kind that its group does not have')
  t.same(asked.map(url => url.replace(/\?.*/, '')).sort(), ['/apis', '/apis/gateway.networking.k8s.io/v1beta1/gateways', '/apis/gateway.networking.k8s.io/v1beta1/listenersets', '/apis/traefik.io/v2/middlewares'])
})

t.test('what cannot be a name is not sent, and Secrets have no path', async t => {
  const { client, asked } = await against(t, (_, response) => { response.end('{}') })
  for (const name of ['../..', 'a/b', 'A', 'a'.repeat(100_000), '', '%2e', 'a b', '..', 'a?x=y']) {
    t.match(await client.list('pods', { namespace: name }), { is: 'unavailable', why: /cannot be the name/ })
    t.match(await client.get('pods', 'shop', name), { is: 'unavailable', why: /cannot be the name/ })
    t.match(await client.log({ namespace: 'shop', pod: name }, () => {}), { is: 'unavailable' })
  }
  t.same(asked, [])
  t.throws(() => resourceType('secrets'), /never read/)
  await t.rejects(client.list('secrets'), /never read/)
})

t.test('a log is streamed, limited, and kept when it is cut in the middle', async t => {
  let bytes = 0
  const take = (chunk: Buffer): void => { bytes += chunk.length }
  const cut = await against(t, (_, response) => { response.write('x'.repeat(1_000), () => { response.destroy() }) })
  const query = { namespace: 'shop', pod: 'a', container: 'c', sinceTime: Date.parse('2026-11-24T10:00:00.5Z') }
  t.match(await cut.client.log(query, take), { is: 'seen', value: { cut: /cut|reached/ } })
  t.equal(bytes, 1_000)
  t.match(cut.asked[0], /sinceTime=2026-11-24T10%3A00%3A00Z/)
  const long = await against(t, (_, response) => { response.end('x'.repeat(100_000)) })
  bytes = 0
  t.match(await long.client.log(query, take, { limitBytes: 500 }), { is: 'seen', value: { bytes: 500, cut: /first/ } })
  t.equal(bytes, 500)
  const gone = await against(t, (_, response) => { response.writeHead(404).end('{}') })
  t.match(await gone.client.log(query, take), { is: 'absent' })
  const never = await against(t, (_, response) => { response.writeHead(400).end(JSON.stringify({ message: 'previous terminated container "c" in pod "a" not found' })) })
  t.match(await never.client.log({ ...query, previous: true }, take), { is: 'absent' })
})

t.test('a watch tells events and how it ended', async t => {
  const event = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`
  const { client } = await against(t, (_, response) => {
    response.write(event('ADDED', { metadata: { name: 'a', uid: '1', resourceVersion: '8' } }) + 'no json\n' + event('BOOKMARK', { metadata: { resourceVersion: '9' } }))
    response.end(event('ERROR', { kind: 'Status', code: 410 }))
  })
  const seen: string[] = []
  const ended = await client.watch('pods', { resourceVersion: '7' }, { event (type, { metadata }) { seen.push(`${type} ${metadata.name}`) }, progress (version) { seen.push(version) } })
  t.match(ended, { is: 'seen', value: { ended: 'expired' } })
  t.same(seen, ['added a', '8', '9'])
})

t.test('many who ask the same are answered by one request', async t => {
  let time = 0
  const { client, asked } = await against(t, (_, response) => { response.end(items('a')) })
  const shared = shareLooks(client, { now: () => time }, 1_000)
  await Promise.all(Array.from({ length: 50 }, () => shared.list('pods')))
  t.equal(asked.length, 1)
  time = 2_000
  await shared.list('pods')
  t.equal(asked.length, 2, 'later the cluster is asked again')
})

t.test('our clock is measured against the Date of the API\'s answers, whatever they say', async t => {
  const rows: [string | undefined, number][] = [
    ['Tue, 24 Nov 2026 10:05:41 GMT', 0], ['Tue, 24 Nov 2026 09:05:41 GMT', 3_599_501], ['Tue, 24 Nov 2026 10:15:41 GMT', -599_500], ['yesterday', 0], [undefined, 0]
  ]
  for (const [date, ahead] of rows) {
    const { client } = await against(t, (_, response) => { response.sendDate = false; if (date !== undefined) response.setHeader('date', date); response.writeHead(403).end('{}') })
    t.equal(client.clockAhead(), 0, 'nothing is known before the first answer')
    await client.version()
    t.equal(client.clockAhead(), ahead, date ?? 'no Date')
  }
})

t.test('a kubeconfig that cannot be used says why', t => {
  t.throws(() => openKubernetes({ kubeconfig: '{}' }, { clock }), /context/)
  t.throws(() => openKubernetes({ kubeconfig: '/does/not/exist' }, { clock }), /ENOENT/)
  t.equal(openKubernetes({}, { clock }), undefined)
  t.end()
})
