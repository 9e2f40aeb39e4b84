import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseAllDocuments } from 'yaml'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { correlate } from '../../src/correlate/correlate.ts'
import { takeSnapshot } from '../../src/correlate/snapshot.ts'
import { unpackObservations } from '../../src/packed-observations.ts'
import { eventKey, eventText } from '../../src/publish/certificate-event.ts'
import { makeFinding } from '../../src/publish/finding.ts'
import { openEventWriter } from '../../src/shared/clients/kubernetes-events.ts'
import { openKubernetes } from '../../src/shared/clients/kubernetes.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { buildLog } from '../../src/shared/log.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import { openWorld, type World } from '../../src/world/world.ts'
import { anAlert, deliveryWorld, type DeliveryWorld } from '../support/delivery-world.ts'
import { aCaseDirectory, aFailingCluster, anObject } from '../support/cluster.ts'
import { webhookBody } from '../support/intake.ts'
import { eventually } from '../support/real-alertmanager.ts'

interface EventBody { metadata: { name: string, namespace: string }, involvedObject: Record<string, string>, type: string, reason: string, message: string, reportingComponent: string, count: number }

/** An API that has one Certificate, or the cluster of a world, and keeps Events as the real one does: by name. */
async function fakeApi (t: Test, world?: World): Promise<{ kubeconfig: string, posts: EventBody[], events: Map<string, EventBody>, answer: { status?: number, lost?: boolean } }> {
  const posts: EventBody[] = []
  const events = new Map<string, EventBody>()
  const answer: { status?: number, lost?: boolean } = {}
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString() })
    request.on('end', () => {
      const say = (status: number, value: unknown): void => { response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value)) }
      const refuse = (code: number, message: string): void => { say(code, { kind: 'Status', status: 'Failure', message, code }) }
      if (request.method === 'GET' && request.url!.endsWith('/namespaces/shop/certificates/shop-tls')) return say(200, anObject('cert-manager.io/v1', 'Certificate', 'shop-tls', { metadata: { uid: 'uid-of-shop-tls' } }))
      if (world !== undefined && request.method === 'GET') return void fetch(`${/server: "([^"]+)"/.exec(world.kubeconfig)![1]!}${request.url!}`).then(async answered => { say(answered.status, await answered.json()) })
      if (request.method !== 'POST') return refuse(404, 'the server could not find the requested resource')
      if (request.url!.endsWith('/selfsubjectaccessreviews')) return say(201, { status: { allowed: answer.status !== 403 } })
      const event = JSON.parse(body) as EventBody
      posts.push(event)
      if (request.url !== '/api/v1/namespaces/shop/events') return refuse(404, 'the server could not find the requested resource')
      if (answer.status === 403) return refuse(403, 'events is forbidden: User "system:serviceaccount:acme-triage:acme-triage" cannot create resource "events" in API group "" in the namespace "shop"')
      if (answer.status !== undefined) return refuse(answer.status, 'etcdserver: request timed out')
      if (events.has(event.metadata.name)) return refuse(409, `events "${event.metadata.name}" already exists`)
      events.set(event.metadata.name, event)
      world?.emit('ADDED', event as unknown as KubeObject)
      if (answer.lost === true) return void response.destroy()
      say(201, event)
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.closeAllConnections(); server.close() })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const kubeconfig = `apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: "${url}"}}]\n`
  return { kubeconfig, posts, events, answer }
}

async function worldWithEvents (t: Test, kubeconfig: string): Promise<DeliveryWorld & { begin (): Promise<void> }> {
  const clock = { now: Date.now }
  const kubernetes = openKubernetes({ kubeconfig }, { clock })!
  const world = await deliveryWorld(t)
  t.teardown(() => kubernetes.close())
  const begin = (): Promise<void> => world.again({ events: { writer: openEventWriter({ kubeconfig }, { clock })!, kubernetes } })
  await begin()
  return { ...world, begin, get deliveries () { return world.deliveries } }
}

t.test('an Event for the cause, one for another cause, one for the end; none for what says nothing new', async t => {
  const { kubeconfig, posts, events } = await fakeApi(t)
  const { fire, diagnose, resolve, slack } = await worldWithEvents(t, kubeconfig)
  const [incident] = await fire(anAlert())
  await slack.until(() => slack.roots().length === 1, 'the notice')
  t.equal(posts.length, 0, 'an alert alone is no diagnosis')
  await diagnose(incident!)
  await slack.until(() => posts.length === 1, 'the cause')
  const [event] = posts
  t.match(event, { involvedObject: { kind: 'Certificate', apiVersion: 'cert-manager.io/v1', namespace: 'shop', name: 'shop-tls', uid: 'uid-of-shop-tls' }, type: 'Warning', reason: 'CauseFound', reportingComponent: 'acme-triage', count: 1 })
  t.match(event!.message, /^port 80 is closed .*\(http01-port80-blocked, proven\)\. Do this: Open port 80\. Report: https:\/\/triage\.example\/incidents\//)
  await diagnose(incident!)
  await diagnose(incident!, 'http01-hairpin-blocked')
  await slack.until(() => posts.length === 2, 'the other cause')
  await diagnose(incident!)
  await slack.until(() => posts.length === 3, 'the first cause again')
  await resolve(anAlert())
  await slack.until(() => posts.length === 4, 'the end')
  t.match(posts.map(({ reason, message }) => `${reason} ${message.slice(0, 17)}`), ['CauseFound port 80 is closed', 'CauseFound port 80 is closed', 'CauseFound port 80 is closed', 'Resolved Resolved: shop/sh'])
  t.equal(posts[3]!.type, 'Normal')
  t.equal(events.size, 4, 'names of their own')
})

t.test('the whole service: an alert, a look, an Event in the cluster; the next look sees it there and is not taken in', async t => {
  const reason = 'Error accepting authorization: acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:caa: CAA record for shop.example.com prevents issuance'
  const objects = aFailingCluster().map(object => object.kind === 'Challenge' ? { ...object, status: { state: 'invalid', reason } } : object)
  const world = await openWorld(aCaseDirectory({ objects }), { ticking: true })
  const { kubeconfig, posts } = await fakeApi(t, world)
  const { clock } = world
  const config = loadConfig({ ACME_TRIAGE_PROBES: 'off', ACME_TRIAGE_DATA_DIR: ':memory:', KUBECONFIG: kubeconfig })
  config.recorder.enabled = false
  const kubernetes = openKubernetes({ kubeconfig }, { clock })!
  const app = await buildApp(config, { clients: { kubernetes, events: openEventWriter({ kubeconfig }, { clock })! }, clock, log: buildLog({ level: 'silent' }) })
  t.teardown(async () => {
    await app.close()
    await kubernetes.close()
    await world.close()
  })
  await app.server.inject({ method: 'POST', url: '/webhook', headers: { 'content-type': 'application/json' }, payload: JSON.stringify(webhookBody([{ labels: { namespace: 'shop', certificate: 'web-tls' } }])) })
  await eventually(() => posts.length === 1, 'the Event')
  const only = async () => (await app.store.incidents.page({ limit: 2 })).rows[0]!
  const { id, cause, looks } = await only()
  t.equal(cause, 'acme-caa-forbids-issuer')
  t.match(posts[0], { involvedObject: { name: 'web-tls', uid: 'uid-Certificate-web-tls' }, reason: 'CauseFound', message: new RegExp(cause) })
  await app.store.jobs.requestLook(id)
  app.worker.wake()
  await eventually(async () => (await only()).looks === looks + 1, 'the second look')
  const { observations, case: seen } = await app.store.incidents.latestObservations(id).then(async packed => {
    const unpacked = await unpackObservations(packed!)
    return { observations: unpacked, case: correlate(unpacked) }
  })
  t.ok(observations.objects.some(({ metadata }) => metadata.name === posts[0]!.metadata.name), 'it was read')
  t.notMatch(JSON.stringify(seen.timeline), 'CauseFound', 'and is no part of the story')
  t.equal((await only()).cause, cause)
  t.equal(posts.length, 1)
})

t.test('an answer that was lost, and a process that ended before it was noted: one Event', async t => {
  const { kubeconfig, posts, events, answer } = await fakeApi(t)
  const world = await worldWithEvents(t, kubeconfig)
  answer.lost = true
  const [incident] = await world.fire(anAlert())
  await world.diagnose(incident!)
  await world.slack.until(() => posts.length === 1, 'the first try')
  delete answer.lost
  const store = (): typeof world.deliveries.store => world.deliveries.store
  const noted = async (): Promise<boolean> => (await store().byKey(eventKey(incident!)))?.last_error !== ''
  await eventually(noted, 'the note of it')
  await world.begin()
  await store().postpone((await store().byKey(eventKey(incident!)))!.id, Date.now())
  world.deliveries.wake()
  await world.slack.until(() => posts.length === 2, 'the second try')
  t.equal(events.size, 1)
  await eventually(async () => (await store().byKey(eventKey(incident!)))?.external_id !== '', 'the end')
  t.match(await store().byKey(eventKey(incident!)), { state: 'sent', last_error: '', external_id: posts[0]!.metadata.name })
})

t.test('without the Role the delivery waits and names the file to apply; the Role grants creating Events alone', async t => {
  const { kubeconfig, posts, answer } = await fakeApi(t)
  answer.status = 403
  const world = await worldWithEvents(t, kubeconfig)
  const [incident] = await world.fire(anAlert())
  await world.diagnose(incident!)
  await world.slack.until(() => posts.length > 0, 'the try')
  const row = async () => (await world.deliveries.store.byKey(eventKey(incident!)))!
  await eventually(async () => (await row()).last_error !== '', 'the note of it')
  t.match(await row(), { state: 'intent', last_error: /cannot create resource "events".*kubectl apply -f deploy\/optional\/certificate-events\.yaml/ })
  const writer = openEventWriter({ kubeconfig }, { clock: { now: Date.now } })!
  t.teardown(() => writer.close())
  t.match(await writer.mayWrite(), { is: 'unavailable', fix: /certificate-events\.yaml/ }, 'known before the first incident')
  delete answer.status
  t.same(await writer.mayWrite(), { is: 'seen', value: true })
  const [role] = parseAllDocuments(readFileSync(new URL('../../deploy/optional/certificate-events.yaml', import.meta.url), 'utf8')).map(document => document.toJS() as { rules: unknown })
  t.same(role!.rules, [{ apiGroups: [''], resources: ['events'], verbs: ['create'] }])
})

t.test('what the API will never take is given up, and counted as dead', async t => {
  const { kubeconfig, answer } = await fakeApi(t)
  answer.status = 422
  const world = await worldWithEvents(t, kubeconfig)
  const [incident] = await world.fire(anAlert())
  await world.diagnose(incident!)
  const row = async () => (await world.deliveries.store.byKey(eventKey(incident!)))!
  await eventually(async () => (await row())?.state === 'dead', 'the end')
  t.match(await row(), { last_error: /422/ })
})

t.test('the message fits the API\'s 1,024 bytes whatever the cluster says, and the link stays whole', t => {
  const finding = makeFinding({
    incident: { id: 'i', state: 'diagnosed', namespace: 'shop', certificate: 'shop-tls', order: '', opened: 0 }, alert: anAlert(), links: { report: 'https://triage.example/incidents/i' }, timings: {},
    diagnosis: {
      format: 1, incident: { namespace: 'shop', certificate: 'shop-tls', order: '', domains: [] }, verdict: 'cause',
      causes: [{ id: 'dns01-zone-missing', confidence: 'likely', domains: [], window: '10m', summary: '界'.repeat(2_000), meaning: '', steps: [{ text: '\n<b>界</b>'.repeat(900), changes: false }], evidence: [] }],
      alsoFits: [], ruledOut: [], cannotTell: [], unavailable: [], searched: ['5m'], anchor: { time: 0, from: 'startsAt' }, nextLooks: [], fallback: []
    }
  })
  const { message } = eventText(finding)
  t.ok(Buffer.byteLength(message) <= 1_024, `${Buffer.byteLength(message)} bytes`)
  t.ok(Buffer.byteLength(message) > 1_000, 'and uses them')
  t.match(message, / Report: https:\/\/triage\.example\/incidents\/i$/)
  t.notMatch(message, /\n|\uFFFD/)
  t.ok(Buffer.byteLength(eventText({ ...finding, links: { report: `https://${'x'.repeat(2_000)}` } }).message) <= 1_024, 'whatever the address is')
  t.end()
})

t.test('our own Event is no evidence at the next look', t => {
  const event = (name: string, more: Partial<KubeObject>): KubeObject => anObject('v1', 'Event', name, { involvedObject: { kind: 'Certificate', namespace: 'shop', name: 'shop-tls' }, ...more })
  const snapshot = takeSnapshot({ objects: [event('theirs', { reportingComponent: 'cert-manager-certificates-trigger' }), event('ours', { reportingComponent: 'acme-triage' })], lists: [] })
  t.same(snapshot.eventsOf('Certificate', 'shop', 'shop-tls').map(({ metadata }) => metadata.name), ['theirs'])
  t.same(snapshot.byKind('Event').length, 1)
  t.end()
})
