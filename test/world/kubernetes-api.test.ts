import { once } from 'node:events'
import { get, request as httpRequest, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { CoreV1Api, CustomObjectsApi, KubeConfig, KubernetesObjectApi } from '@kubernetes/client-node'
import t, { type Test } from 'tap'
import { openWorld, type World } from '../../src/world/world.ts'
import { makeCase, plainCase } from './make-case.ts'

const order = (name: string, namespace: string, labels = '{}'): string => `---
apiVersion: acme.cert-manager.io/v1
kind: Order
metadata: {name: ${name}, namespace: ${namespace}, uid: ${name}-uid, resourceVersion: "10", labels: ${labels}}
status: {state: errored}
`
const objects = `${order('one', 'shop', '{team: a, tier: front}')}${order('two', 'shop', '{team: b}')}${order('three', 'bank')}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, uid: ns}
---
apiVersion: v1
kind: Pod
metadata: {name: controller, namespace: cert-manager, uid: pod}
spec: {containers: [{name: main}, {name: sidecar}]}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop, uid: s}
data: {tls.key: c2VjcmV0}
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: shop, uid: e1}
involvedObject: {kind: Order, name: one, uid: one-uid}
type: Warning
reason: Failed
---
apiVersion: events.k8s.io/v1
kind: Event
metadata: {name: e2, namespace: shop, uid: e2}
regarding: {kind: Pod, name: p}
note: told
type: Normal
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: rule, namespace: shop, uid: dr}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop, uid: np}
`
const log = '2026-11-24T10:00:00.000000001Z first\n2026-11-24T10:01:00.5Z err=<\nmore of it\n2026-11-24T10:02:00Z last\n'

async function open (t: Test, api = '', files: Record<string, string> = {}): Promise<World> {
  const world = await openWorld(makeCase(t.testdir(), { 'case.yaml': `${plainCase}${api}`, 'objects.yaml': objects, 'logs/cert-manager/controller/main.log': log, ...files }))
  t.teardown(() => world.close())
  return world
}

interface Answer {
  status: number
  type: string
  text: string
  /** What tests read of lists, objects and Status bodies. */
  body: { items: { metadata: { name: string } }[], metadata: { continue?: string, remainingItemCount?: number }, message: string, groups: { name: string }[], status: { allowed?: boolean, state?: string } }
}

/** A plain GET at the address that the kubeconfig names. */
async function ask (world: World, path: string, method = 'GET', body = ''): Promise<Answer> {
  const request = httpRequest(`${serverOf(world)}${path}`, { method, agent: false })
  request.end(body)
  const [response] = await once(request, 'response') as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  const type = response.headers['content-type'] ?? ''
  return { status: response.statusCode!, type, text, body: (type.includes('json') ? JSON.parse(text) : undefined) as Answer['body'] }
}

const serverOf = (world: World): string => /server: "([^"]+)"/.exec(world.kubeconfig)![1]!
const names = ({ body }: Answer): string[] => body.items.map(({ metadata }) => metadata.name)

t.test('the usual client reads it: lists, single objects, custom kinds and discovery', async (t) => {
  const world = await open(t)
  const config = new KubeConfig()
  config.loadFromFile(await world.kubeconfigFile())
  t.equal((await config.makeApiClient(CoreV1Api).listNamespacedPod({ namespace: 'cert-manager' })).items[0]!.metadata!.name, 'controller')
  t.equal((await config.makeApiClient(CustomObjectsApi).listClusterCustomObject({ group: 'acme.cert-manager.io', version: 'v1', plural: 'orders' }) as { items: unknown[] }).items.length, 3)
  t.equal((await KubernetesObjectApi.makeApiClient(config).list('networking.istio.io/v1beta1', 'DestinationRule')).items.length, 1)
  await t.rejects(config.makeApiClient(CoreV1Api).readNamespacedPod({ namespace: 'shop', name: 'gone' }), { code: 404 })
})

t.test('lists are whole, by namespace, by label, by field, and in pages', async (t) => {
  const world = await open(t)
  const orders = '/apis/acme.cert-manager.io/v1'
  const table: [path: string, expected: string[]][] = [
    [`${orders}/orders`, ['one', 'two', 'three']],
    [`${orders}/namespaces/shop/orders`, ['one', 'two']],
    [`${orders}/namespaces/nowhere/orders`, []],
    [`${orders}/orders?labelSelector=team%3Da`, ['one']],
    [`${orders}/orders?labelSelector=team!%3Da`, ['two', 'three']],
    [`${orders}/orders?labelSelector=team%20in%20(a,b),tier`, ['one']],
    [`${orders}/orders?labelSelector=!team`, ['three']],
    [`${orders}/orders?labelSelector=team%20notin%20(a)`, ['two', 'three']],
    [`${orders}/orders?fieldSelector=metadata.name%3Dtwo`, ['two']],
    ['/api/v1/namespaces/shop/events?fieldSelector=involvedObject.uid%3Done-uid', ['e1']],
    ['/api/v1/events?fieldSelector=type!%3DWarning', ['e2']],
    [`${orders}/challenges`, []],
    ['/apis/cert-manager.io/v1/certificates', []],
    ['/apis/networking.k8s.io/v1/networkpolicies', ['deny']],
    ['/apis/apps/v1/deployments', []],
    ['/api/v1/namespaces', ['shop']]
  ]
  for (const [path, expected] of table) t.strictSame(names(await ask(world, path)), expected, path)
  const { body } = await ask(world, `${orders}/orders`)
  t.match(body, { kind: 'OrderList', apiVersion: 'acme.cert-manager.io/v1', metadata: { resourceVersion: '10' } })
  const first = await ask(world, `${orders}/orders?limit=2`)
  t.strictSame(names(first), ['one', 'two'])
  t.equal(first.body.metadata.remainingItemCount, 1)
  t.strictSame(names(await ask(world, `${orders}/orders?limit=2&continue=${first.body.metadata.continue}`)), ['three'])
  t.match((await ask(world, '/api/v1/namespaces/shop/events/e2')).body, { apiVersion: 'v1', message: 'told', involvedObject: { name: 'p' } }, 'events of both groups are one store')
})

t.test('what is not there answers as Kubernetes does', async (t) => {
  const world = await open(t, 'api:\n  missing: [apiregistration.k8s.io]\n')
  t.match(await ask(world, '/apis/acme.cert-manager.io/v1/namespaces/shop/orders/three'), { status: 404, body: { kind: 'Status', reason: 'NotFound', message: 'orders.acme.cert-manager.io "three" not found', code: 404 } })
  t.match(await ask(world, '/apis/apiregistration.k8s.io/v1/apiservices'), { status: 404, type: /^text\/plain/, text: '404 page not found\n' }, 'a group that the case says is missing')
  t.match(await ask(world, '/apis/gateway.networking.k8s.io/v1/gateways'), { status: 404 }, 'a group that no object uses and that is no core group')
  t.match(await ask(world, '/nonsense'), { status: 404 })
  t.match(await ask(world, '/version'), { status: 200, body: { gitVersion: 'v1.34.2', major: '1', minor: '34' } })
  const groups = (await ask(world, '/apis')).body.groups.map(({ name }) => name)
  t.ok(groups.includes('networking.istio.io'))
  t.notOk(groups.includes('apiregistration.k8s.io'))
  t.match(await ask(world, '/api/v1/events?labelSelector=%3D%3D'), { status: 400, body: { reason: 'BadRequest' } })
})

t.test('refusals come in the words of Kubernetes', async (t) => {
  const world = await open(t, `api:
  forbidden:
    - {resource: orders}
    - {resource: pods/log, namespace: cert-manager}
    - {resource: pods, namespace: shop}
    - {resource: "*", group: networking.istio.io}
  failing:
    - {resource: challenges, status: 500}
    - {resource: services, status: 503, namespace: shop}
`)
  const table: [path: string, status: number, message?: string][] = [
    ['/apis/acme.cert-manager.io/v1/orders', 403, 'orders.acme.cert-manager.io is forbidden: User "system:serviceaccount:acme-triage:acme-triage" cannot list resource "orders" in API group "acme.cert-manager.io" at the cluster scope'],
    ['/apis/acme.cert-manager.io/v1/namespaces/shop/orders/one', 403, 'orders.acme.cert-manager.io "one" is forbidden: User "system:serviceaccount:acme-triage:acme-triage" cannot get resource "orders" in API group "acme.cert-manager.io" in the namespace "shop"'],
    ['/apis/acme.cert-manager.io/v1/orders?watch=true', 403],
    ['/api/v1/namespaces/cert-manager/pods/controller/log', 403, 'pods "controller" is forbidden: User "system:serviceaccount:acme-triage:acme-triage" cannot get resource "pods/log" in API group "" in the namespace "cert-manager"'],
    ['/api/v1/namespaces/cert-manager/pods', 200],
    ['/api/v1/namespaces/shop/pods', 403],
    ['/api/v1/pods', 403],
    ['/apis/networking.istio.io/v1beta1/destinationrules', 403],
    ['/apis/acme.cert-manager.io/v1/challenges', 500],
    ['/apis/acme.cert-manager.io/v1/namespaces/shop/challenges/x', 500],
    ['/api/v1/namespaces/shop/services', 503],
    ['/api/v1/namespaces/bank/services', 200],
    ['/api/v1/secrets', 403],
    ['/api/v1/namespaces/shop/secrets/key', 403]
  ]
  for (const [path, status, message] of table) {
    const answer = await ask(world, path)
    t.equal(answer.status, status, path)
    t.match(answer.type, /json/)
    if (message !== undefined) t.equal(answer.body.message, message)
  }
  t.match(await ask(world, '/api/v1/namespaces/shop/pods/x', 'DELETE'), { status: 403 }, 'nothing can be changed')
  t.equal(world.requests.filter(({ url }) => url.includes('secrets')).length, 2, 'who asks for a Secret is written down')
  const review = (resource: string): Promise<Answer> => ask(world, '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', 'POST', JSON.stringify({ spec: { resourceAttributes: { verb: 'list', group: 'acme.cert-manager.io', resource } } }))
  t.equal((await review('orders')).body.status.allowed, false)
  t.equal((await review('challenges')).body.status.allowed, true)
})

t.test('an unreachable API refuses connections', async (t) => {
  const world = await open(t, 'api: {unreachable: true}\n')
  await t.rejects(ask(world, '/version'), { code: 'ECONNREFUSED' })
  t.strictSame(world.route('cluster')('127.0.0.1', Number(new URL(serverOf(world)).port)), { fails: 'refused' })
})

t.test('logs are cut as the kubelet cuts them', async (t) => {
  const world = await open(t, '', { 'logs/cert-manager/controller/main.previous.log': '2026-11-24T09:00:00Z before\n', 'logs/shop/alone/only.log': '2026-11-24T09:00:00Z x\n', 'logs/shop/two/a.log': 'a\n', 'logs/shop/two/b.log': 'b\n' })
  const path = '/api/v1/namespaces/cert-manager/pods/controller/log'
  const table: [query: string, expected: string][] = [
    ['?container=main&timestamps=true', log],
    ['?container=main', 'first\nerr=<\nmore of it\nlast\n'],
    ['', 'first\nerr=<\nmore of it\nlast\n'],
    ['?container=main&tailLines=1', 'last\n'],
    ['?container=main&sinceTime=2026-11-24T10:00:30Z', 'err=<\nmore of it\nlast\n'],
    ['?container=main&sinceSeconds=181', 'last\n'],
    ['?container=main&limitBytes=8', 'first\ner'],
    ['?container=main&previous=true', 'before\n']
  ]
  for (const [query, expected] of table) t.equal((await ask(world, `${path}${query}`)).text, expected, query)
  t.equal((await ask(world, '/api/v1/namespaces/shop/pods/alone/log')).text, 'x\n', 'the only container needs no name')
  t.match(await ask(world, '/api/v1/namespaces/shop/pods/two/log'), { status: 400, body: { message: 'a container name must be specified for pod two, choose one of: [a b]' } })
  t.match(await ask(world, '/api/v1/namespaces/shop/pods/gone/log?container=x'), { status: 404, body: { message: 'pods "gone" not found' } })
  t.match(await ask(world, `${path}?container=nothing`), { status: 404 })
  t.match(await ask(world, `${path}?container=..%2F..%2F..%2Fcase`), { status: 404 }, 'a name is never a path')
})

t.test('a watch tells what is there, then what changes, and ends as it is told to', async (t) => {
  const world = await open(t)
  const follow = async (query: string): Promise<{ next: () => Promise<unknown>, ended: Promise<unknown> }> => {
    const request = get(`${serverOf(world)}/apis/acme.cert-manager.io/v1/namespaces/shop/orders?watch=true${query}`, { agent: false })
    request.on('error', () => {})
    const [response] = await once(request, 'response') as [IncomingMessage]
    response.on('error', () => {})
    const lines = createInterface({ input: response })[Symbol.asyncIterator]()
    return { next: async () => { const { value, done } = await lines.next(); return done ? undefined : JSON.parse(value!) }, ended: new Promise((resolve) => { response.on('close', resolve) }) }
  }
  const watch = await follow('')
  t.match([await watch.next(), await watch.next()], [{ type: 'ADDED', object: { metadata: { name: 'one' } } }, { type: 'ADDED', object: { metadata: { name: 'two' } } }])
  const changed = { apiVersion: 'acme.cert-manager.io/v1', kind: 'Order', metadata: { name: 'two', namespace: 'shop', uid: 'two-uid' }, status: { state: 'valid' } }
  world.emit('MODIFIED', { ...changed, metadata: { ...changed.metadata, namespace: 'bank', name: 'elsewhere' } })
  world.emit('MODIFIED', changed)
  t.match(await watch.next(), { type: 'MODIFIED', object: { status: { state: 'valid' }, metadata: { name: 'two', resourceVersion: '12' } } }, 'and nothing of another namespace')
  t.equal((await ask(world, '/apis/acme.cert-manager.io/v1/namespaces/shop/orders/two')).body.status.state, 'valid', 'reads see the change as well')
  world.emit('DELETED', changed)
  t.match(await watch.next(), { type: 'DELETED' })
  world.endWatches('expired')
  t.match(await watch.next(), { type: 'ERROR', object: { code: 410, reason: 'Expired' } })
  t.equal(await watch.next(), undefined)

  const later = await follow('&resourceVersion=999')
  world.endWatches('clean')
  t.equal(await later.next(), undefined, 'a watch from a version on begins with nothing')
  const cut = await follow('&resourceVersion=0')
  await cut.next()
  world.endWatches('cut')
  await cut.ended
})
