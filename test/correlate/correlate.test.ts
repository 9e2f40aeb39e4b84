import t from 'tap'
import { correlate } from '../../src/correlate/correlate.ts'
import { readObservations, saveObservations } from '../../src/correlate/case-file.ts'
import { fieldPaths, writesOf } from '../../src/correlate/managed-fields.ts'
import { durationOf } from '../../src/correlate/attempts.ts'
import { parseVersion } from '../../src/correlate/version.ts'
import type { Case } from '../../src/shared/types/case.ts'
import { unavailable } from '../../src/shared/types/common.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import type { Observations } from '../../src/shared/types/observations.ts'
import { anObject, authorization, certificate, challenge, clusterIssuer, event, failedAt, iso, keysOf, line, log, observe, order, request } from '../support/observations.ts'

const minute = 60_000
const hint = { kind: 'Certificate' as const, namespace: 'shop', name: 'shop-tls', from: 'namespace + name' }

/** One failed attempt, all objects there. */
function attempt (): { owner: KubeObject, made: KubeObject, placed: KubeObject, asked: KubeObject, all: KubeObject[] } {
  const owner = certificate()
  const made = request(owner)
  const placed = order(made)
  const asked = challenge(placed)
  return { owner, made, placed, asked, all: [owner, made, placed, asked, clusterIssuer()] }
}

const chainOf = ({ chain }: Case): string[] => chain.map(({ kind, name, is }) => `${kind} ${name} ${is}`)
const current = ({ texts }: Case): string[] => texts.filter(text => text.attempt === 'current' && text.severity !== 'info').map(({ evidence, core }) => `${evidence.source}: ${core}`)
const fromLog = ({ texts }: Case): string[] => texts.filter(({ evidence }) => evidence.source === 'log').map(text => `${text.attempt} x${text.count}: ${text.core}`)

t.test('from whichever end the alert names, the whole chain is found:', async t => {
  const { all, placed, asked, made } = attempt()
  for (const [kind, name] of [['Certificate', 'shop-tls'], ['CertificateRequest', made.metadata.name], ['Order', placed.metadata.name], ['Challenge', asked.metadata.name]] as const) {
    const seen = correlate(observe({ kind, namespace: 'shop', name, from: 'name' }, all))
    t.same(chainOf(seen), ['Certificate shop-tls seen', 'CertificateRequest shop-tls-1 seen', 'Order shop-tls-1-2881 seen', 'Challenge shop-tls-1-2881-77 seen', 'ClusterIssuer letsencrypt seen'], kind)
    t.match(seen.identifiers, [{ name: 'shop.example.com', state: 'failed', challengeType: 'HTTP-01', wildcard: false }], kind)
    t.match(seen.anchor, { time: failedAt, from: /failureTime/ })
  }
})

t.test('an owner is its UID: an object of the same name with another owner is another attempt\'s', async t => {
  const { all, owner, placed } = attempt()
  const gone = { ...owner, metadata: { ...owner.metadata, uid: 'deleted' } }
  const stray = request(gone, { name: 'shop-tls-1', uid: 'stray', created: failedAt + minute })
  const strange = challenge({ ...placed, metadata: { ...placed.metadata, uid: 'old-order' } }, { name: 'shop-tls-1-2881-99', uid: 'old', status: { state: 'invalid', reason: 'Error accepting authorization: acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:unauthorized: old' } })
  const seen = correlate(observe(hint, [...all, stray, strange]))
  t.same(chainOf(seen).filter(text => /^(CertificateRequest|Challenge)/.test(text)), ['CertificateRequest shop-tls-1 seen', 'Challenge shop-tls-1-2881-77 seen'])
  t.notOk(JSON.stringify(seen.texts).includes('unauthorized: old'))
})

t.test('which of several attempts:', async t => {
  const owner = certificate({ status: { revision: 3 } })
  const old = request(owner, { name: 'shop-tls-3', uid: 'r3', created: failedAt - 60 * minute, annotations: { 'cert-manager.io/certificate-revision': '3' } })
  const next = request(owner, { name: 'shop-tls-4', uid: 'r4', annotations: { 'cert-manager.io/certificate-revision': '4' } })
  const good = order(old, { name: 'shop-tls-3-1', uid: 'o3', created: failedAt - 60 * minute, status: { state: 'valid' } })
  const bad = order(next, { name: 'shop-tls-4-1', uid: 'o4' })
  const objects = [owner, old, next, good, bad, clusterIssuer()]
  const name = (found: Case): string | undefined => found.chain.find(({ kind }) => kind === 'Order')?.name
  t.equal(name(correlate(observe(hint, objects))), 'shop-tls-4-1', 'the request that follows the revision')
  t.equal(name(correlate(observe({ ...hint, kind: 'Order', name: 'shop-tls-4-1' }, objects))), 'shop-tls-4-1', 'the one that the alert names')
  t.equal(name(correlate(observe({ ...hint, kind: 'Order', name: 'shop-tls-3-1' }, objects))), 'shop-tls-4-1', 'not a valid one while a newer one fails')
  const failed = order(old, { name: 'shop-tls-3-1', uid: 'o3', created: failedAt - 60 * minute, status: { state: 'errored', reason: 'Failed to create Order: 400 urn:ietf:params:acme:error:dns: first', failureTime: iso(failedAt - 59 * minute) } })
  const both = correlate(observe(hint, [owner, old, next, failed, bad, clusterIssuer()]))
  t.same(both.attempts.map(({ order: placed, current: now }) => [placed, now]), [['shop-tls-3-1', false], ['shop-tls-4-1', true]])
  t.match(both.texts.filter(({ attempt: which }) => which === 'earlier'), [{ core: '400 urn:ietf:params:acme:error:dns: first' }])
  t.equal(name(correlate(observe({ ...hint, kind: 'Order', name: 'shop-tls-3-1' }, [owner, old, next, failed, bad, clusterIssuer()]))), 'shop-tls-3-1', 'an older failed one when the alert names it')
})

t.test('a request that never got an order is the attempt', async t => {
  const owner = certificate()
  const made = request(owner, { status: { conditions: [{ type: 'Ready', status: 'False', reason: 'Pending', message: 'Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "letsencrypt" not found', lastTransitionTime: iso(failedAt - 3 * 24 * 60 * minute) }] } })
  const seen = correlate(observe(hint, [owner, made]))
  t.same(chainOf(seen), ['Certificate shop-tls seen', 'CertificateRequest shop-tls-1 seen', 'ClusterIssuer letsencrypt gone'])
  t.match(seen.facts.issuer, { is: 'seen', value: { exists: false } })
  t.match(seen.texts[0], { wrapper: 'request', attempt: 'current', last: seen.now }, 'a condition holds until now')
})

t.test('objects that are gone leave a gap with what still tells', async t => {
  const owner = certificate({ status: { failedIssuanceAttempts: 1, lastFailureTime: iso(failedAt), conditions: [{ type: 'Issuing', status: 'False', reason: 'Failed', message: 'The certificate request has failed to complete and will be retried: Failed to wait for order resource "shop-tls-1-2881" to become ready: order is in "errored" state: Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates', lastTransitionTime: iso(failedAt) }] } })
  const seen = correlate(observe(hint, [owner, clusterIssuer(), event({ kind: 'Order', namespace: 'shop', name: 'shop-tls-1-2881' }, 'Created', 'Created Challenge resource "shop-tls-1-2881-77" for domain "shop.example.com"', { type: 'Normal' })]))
  t.match(seen.chain, [{ kind: 'Certificate', is: 'seen' }, { kind: 'Order', name: 'shop-tls-1-2881', is: 'gone', state: 'errored' }, { kind: 'Challenge', name: 'shop-tls-1-2881-77', is: 'gone', note: 'shop.example.com' }, { kind: 'ClusterIssuer' }])
  t.match(seen.texts[0], { evidence: { source: 'certificate' }, wrapper: 'order-create', problem: { type: 'rateLimited' } })
  t.equal(seen.anchor.time, failedAt)
})

t.test('absent and unreadable are told apart, and nothing else is lost', async t => {
  const { all } = attempt()
  const observations = observe(hint, all.filter(({ kind }) => kind !== 'Challenge'))
  t.equal(correlate(observations).identifiers[0]!.facts.challenge.is, 'absent')
  observations.lists = observations.lists.map(list => list.resource.startsWith('challenges') ? { ...list, look: unavailable('403 forbidden', 'challenges: list') } : list)
  const blind = correlate(observations)
  t.match(blind.identifiers[0]!.facts.challenge, { is: 'unavailable', fix: 'challenges: list' })
  t.equal(blind.facts.order.is, 'seen')
  t.match(blind.unavailable, [{ why: '403 forbidden' }])
})

t.test('a log line counts for the attempt that it speaks of:', async t => {
  const { all, asked, placed } = attempt()
  const neighbour = certificate({ name: 'blog-tls', uid: 'blog', spec: { dnsNames: ['blog.example.com'], secretName: 'blog-tls' } })
  const now = failedAt - 30_000
  const requeue = 're-queuing item due to error processing'
  const rows: { title: string, lines: { time: number, text: string }[], expect: string[] }[] = [
    { title: 'by keys', lines: [line(now, 'E', 'propagation check failed', 'wrong status code', keysOf(asked, 'shop.example.com'))], expect: ['current x1: wrong status code'] },
    { title: 'not by the keys of another namespace', lines: [line(now, 'E', 'propagation check failed', 'wrong status code', keysOf(asked).replace('"shop"', '"blue"'))], expect: [] },
    { title: 'as an earlier attempt before this one began, for all its names', lines: [line(failedAt - 60 * minute, 'E', 'propagation check failed', 'wrong status code', keysOf(asked))], expect: ['earlier x1: wrong status code'] },
    { title: 'by a Challenge that is gone and carries the order\'s name', lines: [line(now, 'E', 'error waiting for authorization', 'acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:unauthorized: x', keysOf(asked).replace('-77', '-4242'))], expect: ['current x1: 403 urn:ietf:params:acme:error:unauthorized: x'] },
    { title: 'without keys, by the domain in it', lines: [line(now, 'E', requeue, 'while attempting to find Zones for domain _acme-challenge.shop.example.com.')], expect: ['current x1: while attempting to find Zones for domain _acme-challenge.shop.example.com.'] },
    { title: 'not by a longer name that contains it', lines: [line(now, 'E', requeue, 'while attempting to find Zones for domain _acme-challenge.old-shop.example.com.')], expect: [] },
    { title: 'not by another certificate\'s name, whoever stands near', lines: [line(now, 'E', requeue, 'record for blog.example.com refused'), line(now + 5, 'I', 'creating', undefined, keysOf(asked))], expect: ['current x1: creating'] },
    { title: 'by the neighbour with keys four milliseconds later (finalize)', lines: [line(now, 'E', requeue, 'error finalizing order: acme: order  status: invalid; problem: 500 urn:ietf:params:acme:error:serverInternal: Error finalizing order :: SCT'), line(now + 4, 'E', 'failed to finalize Order resource due to bad request, marking Order as failed', '403 urn:ietf:params:acme:error:orderNotReady: x', keysOf(placed))], expect: ['current x1: 403 urn:ietf:params:acme:error:orderNotReady: x', 'current x1: 500 urn:ietf:params:acme:error:serverInternal: Error finalizing order :: SCT'] },
    { title: 'not when the neighbour is somebody else', lines: [line(now, 'E', requeue, 'error finalizing order: acme: order  status: invalid; problem: 500 urn:ietf:params:acme:error:serverInternal: SCT'), line(now + 4, 'E', 'failed to finalize Order', 'x', 'resource_name="blog-tls-1-1" resource_namespace="blog" resource_kind="Order"')], expect: [] },
    { title: 'not an order that could not be placed: this one was', lines: [line(now, 'E', requeue, 'error creating new order: 503 urn:ietf:params:acme:error:rateLimited: Service busy')], expect: [] },
    { title: 'not what healthy issuance prints', lines: [line(now, 'E', requeue, `challenges.acme.cert-manager.io "${asked.metadata.name}" not found`), line(now, 'E', 'failed to update status', undefined, keysOf(placed))], expect: [] },
    { title: 'folded: 90 tries with random object names are one text with a count', lines: Array.from({ length: 90 }, (_, index) => line(now + index, 'E', 'error presenting challenge', `pods "cm-acme-http-solver-${(index + 11_111).toString(36).padStart(5, 'a')}" is forbidden: exceeded quota`, keysOf(asked))), expect: ['current x90: pods "cm-acme-http-solver-aa8n4" is forbidden: exceeded quota'] }
  ]
  for (const { title, lines, expect } of rows) t.same(fromLog(correlate(observe(hint, [...all, neighbour], { logs: [log(lines)] }))).sort(), expect, title)
})

t.test('a line that names nothing fits an order that the CA has not accepted', async t => {
  const owner = certificate()
  const made = request(owner)
  const waiting = order(made, { status: {} })
  const busy = log([line(failedAt, 'E', 're-queuing item due to error processing', 'error creating new order: 503 urn:ietf:params:acme:error:rateLimited: Service busy')])
  t.same(current(correlate(observe(hint, [owner, made, waiting, clusterIssuer()], { logs: [busy] }))), ['log: 503 urn:ietf:params:acme:error:rateLimited: Service busy'])
  const burst = log([line(failedAt - 1000, 'I', 'starting cert-manager controller', undefined, 'version="v1.21.1"'), line(failedAt, 'E', 're-queuing item due to error processing', 'ACME client for issuer not initialised/available')])
  t.same(current(correlate(observe(hint, [owner, made, waiting, clusterIssuer()], { logs: [burst] }))), [], 'a burst after the start is none')
})

t.test('events: of the attempt, folded, and of solver objects that are gone', async t => {
  const { all, asked } = attempt()
  const twin = { kind: 'Challenge', namespace: 'blue', name: asked.metadata.name, uid: 'other' }
  const seen = correlate(observe(hint, [
    ...all, event(asked, 'PresentError', 'Error presenting challenge: pods "cm-acme-http-solver-aaaaa" is forbidden: quota'), event(asked, 'PresentError', '(combined from similar events): Error presenting challenge: pods "cm-acme-http-solver-bbbbb" is forbidden: quota', { count: 7949 }),
    event(twin, 'PresentError', 'Error presenting challenge: elsewhere'), event({ kind: 'Pod', namespace: 'shop', name: 'cm-acme-http-solver-zzzzz' }, 'FailedScheduling', '0/3 nodes are available')
  ]))
  t.match(seen.texts.filter(({ evidence }) => evidence.source === 'event'), [{ objectKind: 'Pod', core: '0/3 nodes are available' }, { count: 7950, wrapper: 'present', about: ['shop.example.com'] }])
})

t.test('an Event outlives its Challenge: the name and the time tell whose it was', async t => {
  const { all, asked } = attempt()
  const alive = all.filter(object => object !== asked)
  const placeAndName = { kind: 'Challenge', namespace: 'shop', name: asked.metadata.name, uid: 'gone' }
  const words = (objects: KubeObject[], time: number): string[] => correlate(observe(hint, [...objects, event(placeAndName, 'PresentError', 'Error presenting challenge: no', { time })])).texts.filter(({ evidence }) => evidence.source === 'event').map(text => text.attempt)
  t.same(words(alive, failedAt), ['current'])
  t.same(words(alive, failedAt - 60 * minute), ['earlier'], 'said before the attempt began')
  t.same(words(all, failedAt), ['earlier'], 'the Challenge of this name is another one by now')
})

t.test('the words of a DNS provider belong to the only attempt that asks it', async t => {
  const owner = certificate()
  const made = request(owner)
  const placed = order(made, { status: { state: 'pending', url: 'https://ca.example/acme/order/1' } })
  const asks = (solver: string, over: Parameters<typeof challenge>[1] = {}): KubeObject => challenge(placed, { ...over, spec: { type: 'DNS-01', solver: { dns01: { [solver]: {} } }, ...over.spec }, status: { state: 'pending', processing: true, reason: '<redacted>' } })
  const other = (solver: string): KubeObject => ({ ...asks(solver, { uid: 'other', name: 'blog-1-1-1', spec: { dnsName: 'blog.example.com' } }), metadata: { ...asks(solver).metadata, namespace: 'blog', name: 'blog-1-1-1', uid: 'other', ownerReferences: [] } })
  const said = log([line(failedAt, 'E', 're-queuing item due to error processing', 'operation error Route 53: ListHostedZonesByName, api error AccessDenied: no')])
  const told = (neighbour: KubeObject): string[] => fromLog(correlate(observe(hint, [owner, made, placed, asks('route53'), neighbour, clusterIssuer()], { logs: [said] })))
  t.same(told(other('cloudflare')), ['current x1: operation error Route 53: ListHostedZonesByName, api error AccessDenied: no'])
  t.same(told(other('route53')), [], 'two of them ask it')
  const deleted = (neighbour: KubeObject, solvers: object[]): string[] => fromLog(correlate(observe(hint, [owner, made, placed, neighbour, clusterIssuer({ spec: { solvers } })], { logs: [said] })))
  const byZone = (solver: string, zone: string): object => ({ dns01: { [solver]: {} }, selector: { dnsZones: [zone] } })
  t.same(deleted(other('cloudflare'), [byZone('route53', 'example.com')]), ['current x1: operation error Route 53: ListHostedZonesByName, api error AccessDenied: no'], 'the Challenge is gone: the issuer says what it asked')
  t.same(deleted(other('cloudflare'), [byZone('route53', 'example.org'), byZone('azureDNS', 'example.com')]), [], 'another solver of the issuer is for other names')
  t.same(deleted(other('route53'), [byZone('route53', 'example.com')]), [], 'another one asks it, too')
})

t.test('a policy that holds for every Pod of the namespace stops the solver, whatever its token was', async t => {
  const owner = certificate()
  const denies = anObject('NetworkPolicy', 'networking.k8s.io/v1', { name: 'default-deny', spec: { podSelector: {}, policyTypes: ['Ingress'] } })
  const { identifiers } = correlate(observe({ kind: 'Certificate', namespace: 'shop', name: 'shop-tls', from: 'certificate' }, [owner, denies, clusterIssuer()]))
  t.match(identifiers[0]!.facts.networkPolicy, { is: 'seen', value: { solverIngress: { verdict: 'blocked', policies: ['shop/default-deny'] } } })
})

t.test('a Challenge that nobody touches waits for the one of another order for the same name', async t => {
  const { owner, made, placed } = attempt()
  const waits = challenge(placed, { status: { state: '' } })
  const other = (dnsName: string, status: Record<string, unknown>, owners: object[] = []): KubeObject => ({ ...waits, spec: { ...waits.spec as Record<string, unknown>, dnsName }, status, metadata: { ...waits.metadata, namespace: 'old', name: 'web-1-1-1', uid: 'other', ownerReferences: owners as never } })
  const heldBy = (object: KubeObject): string | undefined => {
    const fact = correlate(observe(hint, [owner, made, placed, waits, object, clusterIssuer()])).identifiers[0]!.facts.challenge
    return fact?.is === 'seen' ? fact.value.heldBy?.ref : undefined
  }
  const working = { state: 'pending', processing: true }
  t.equal(heldBy(other('shop.example.com', working)), 'Challenge old/web-1-1-1')
  t.equal(heldBy(other('blog.example.com', working)), undefined, 'another name')
  t.equal(heldBy(other('shop.example.com', { state: 'invalid', processing: false })), undefined, 'it has ended')
  t.equal(heldBy(other('shop.example.com', working, waits.metadata.ownerReferences)), undefined, 'apex and wildcard of one order take turns')
})

t.test('who may not use a webhook solver cannot use it for any Challenge of that webhook', async t => {
  const owner = certificate()
  const made = request(owner)
  const placed = order(made, { status: { state: 'pending', url: 'https://ca.example/acme/order/1' } })
  const solvers = [{ dns01: { webhook: { groupName: 'acme.corp.example', solverName: 'hetzner' } } }]
  const said = (group: string): string => `hetzner.${group} is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot create resource "hetzner" in API group "${group}" at the cluster scope`
  const told = (group: string): string[] => fromLog(correlate(observe(hint, [owner, made, placed, clusterIssuer({ spec: { solvers } })], { logs: [log([line(failedAt, 'E', 're-queuing item due to error processing', said(group))])] })))
  t.same(told('acme.corp.example'), [`current x1: ${said('acme.corp.example')}`])
  t.same(told('acme.other.example'), [])
  const ended = order(made, { status: { state: 'invalid' } })
  t.same(fromLog(correlate(observe(hint, [owner, made, ended, clusterIssuer({ spec: { solvers } })], { logs: [log([line(failedAt, 'E', 're-queuing item due to error processing', said('acme.corp.example'))])] }))), [], 'nothing is asked for an Order that has ended')
})

t.test('words that name nothing are those of the Order whose Challenge was deleted, when nobody else waits', async t => {
  const owner = certificate()
  const made = request(owner)
  const placed = order(made, { status: { state: 'pending', url: 'https://ca.example/acme/order/1' } })
  const said = log([line(failedAt, 'E', 're-queuing item due to error processing', 'pods "cm-acme-http-solver-m2x8d" is forbidden: denied')])
  const told = (...more: KubeObject[]): string[] => fromLog(correlate(observe(hint, [owner, made, placed, clusterIssuer(), ...more], { logs: [said] })))
  t.same(told(), ['current x1: pods "cm-acme-http-solver-m2x8d" is forbidden: denied'])
  const { texts } = correlate(observe(hint, [owner, made, placed, clusterIssuer()], { logs: [said] }))
  t.equal(texts.find(({ evidence }) => evidence.source === 'log')?.guessed, true, 'a conclusion, not a name')
  const alike = order(made, { uid: 'alike', name: 'blog-1-1', status: { state: 'pending' } })
  t.same(told({ ...alike, metadata: { ...alike.metadata, namespace: 'blog', ownerReferences: [] } }), [], 'another Order lost its Challenge, too')
  const named = log([line(failedAt, 'E', 're-queuing item due to error processing', 'couldn\'t Present challenge shop/blog-tls-1-1353945293-1163358335: gateway api is not enabled')])
  t.same(fromLog(correlate(observe(hint, [owner, made, placed, clusterIssuer()], { logs: [named] }))), [], 'a Challenge of somebody else')
  const stranger = challenge(placed, { uid: 'other', name: 'blog-1-1-1', spec: { dnsName: 'blog.example.com' }, status: { state: 'pending' } })
  t.same(told({ ...stranger, metadata: { ...stranger.metadata, namespace: 'blog', ownerReferences: [] } }), [], 'somebody else waits')
})

t.test('a controller whose clock is off by minutes still owns its lines', async t => {
  const { all, made, asked } = attempt()
  const off = -4 * minute
  const created = event(made, 'OrderCreated', 'Created Order resource shop/shop-tls-1-2881', { type: 'Normal', time: failedAt - 2 * minute + off })
  const logs = [log([line(failedAt - minute + off, 'E', 'propagation check failed', 'x', keysOf(asked))])]
  t.same(fromLog(correlate(observe(hint, [...all, created], { logs }))), ['current x1: x'])
  t.same(fromLog(correlate(observe(hint, all, { logs }))), ['earlier x1: x'], 'without that measure it lies before the attempt')
})

t.test('a wildcard and its apex are told apart', async t => {
  const dnsNames = ['example.com', '*.example.com']
  const owner = certificate({ spec: { dnsNames } })
  const made = request(owner)
  const placed = order(made, { spec: { dnsNames } })
  const apex = challenge(placed, { name: 'shop-tls-1-2881-1', uid: 'a', spec: { dnsName: 'example.com' }, status: { state: 'valid' } })
  const wild = challenge(placed, { name: 'shop-tls-1-2881-2', uid: 'w', spec: { dnsName: 'example.com', wildcard: true, type: 'DNS-01' }, status: { state: 'invalid', reason: 'Error accepting authorization: acme: authorization error for example.com: 403 urn:ietf:params:acme:error:unauthorized: x' } })
  const seen = correlate(observe(hint, [owner, made, placed, apex, wild, clusterIssuer()]))
  t.same(seen.identifiers.map(({ name, wildcard, state }) => [name, wildcard, state]), [['example.com', true, 'failed'], ['example.com', false, 'passed']])
  t.same(seen.texts[0]!.about, ['*.example.com'])
})

t.test('after a success an old failure is no incident', async t => {
  const owner = certificate({ status: { revision: 2 } })
  const old = request(owner, { uid: 'r1', created: failedAt - 90 * minute })
  const good = request(owner, { name: 'shop-tls-2', uid: 'r2', annotations: { 'cert-manager.io/certificate-revision': '2' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } })
  const failed = order(old, { uid: 'o1', created: failedAt - 90 * minute })
  const valid = order(good, { name: 'shop-tls-2-1', uid: 'o2', status: { state: 'valid' } })
  const seen = correlate(observe(hint, [owner, old, good, failed, valid, clusterIssuer()]))
  t.match(seen.chain.find(({ kind }) => kind === 'Order'), { name: 'shop-tls-2-1', state: 'valid' })
  t.equal(seen.identifiers[0]!.state, 'passed')
})

t.test('a solver Pod that is gone is seen as the recorder saw it', async t => {
  const { all, asked, placed } = attempt()
  const pod = anObject('Pod', 'v1', { name: 'cm-acme-http-solver-abcde', owner: asked, status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available: 3 Insufficient cpu.' }] } })
  const seen = correlate(observe(hint, all, { recorded: [{ at: failedAt - minute, kind: 'Challenge', namespace: 'shop', name: asked.metadata.name, uid: asked.metadata.uid, order: placed.metadata.uid, state: 'pending', reason: '', dnsName: 'shop.example.com', objects: [pod] }] }))
  t.match(seen.identifiers[0]!.facts.solver, { is: 'seen', value: { pods: [{ name: 'cm-acme-http-solver-abcde' }] } })
  t.match(seen.texts.find(({ objectKind }) => objectKind === 'Pod'), { about: ['shop.example.com'], attempt: 'current', core: /Insufficient cpu/ })
})

t.test('a solver says which Host and path reached it', async t => {
  const { all, asked } = attempt()
  const pod = anObject('Pod', 'v1', { name: 'cm-acme-http-solver-abcde', owner: asked })
  const said = log([{ time: failedAt, text: 'I1124 10:00:00.000000       1 solver.go:79] "invalid host" logger="acmesolver" host="10.0.3.80" path="/x" expected_host="shop.example.com" headers="Cookie: a"' }])
  const seen = correlate(observe(hint, [...all, pod], { logs: [{ ...said, namespace: 'shop', pod: 'cm-acme-http-solver-abcde', container: 'acmesolver', role: 'solver' }] }))
  t.match(seen.texts.find(({ evidence }) => evidence.source === 'log'), { about: ['shop.example.com'], core: 'invalid host', whole: 'invalid host host="10.0.3.80" expected_host="shop.example.com" path="/x"' })
})

t.test('identifiers: the failing ones first, a valid authorization has passed, the CA decides for the rest', async t => {
  const owner = certificate({ spec: { dnsNames: ['a.example.com', 'b.example.com', '*.c.example.com'] } })
  const made = request(owner)
  const placed = order(made, { spec: { dnsNames: ['a.example.com', 'b.example.com', '*.c.example.com'] }, status: { state: 'invalid', failureTime: iso(failedAt), authorizations: [
    { identifier: 'a.example.com', initialState: 'valid', url: 'https://ca.example/acme/authz/a' }, { identifier: 'b.example.com', initialState: 'pending', url: 'https://ca.example/acme/authz/b' }, { identifier: 'c.example.com', wildcard: true, initialState: 'pending', url: 'https://ca.example/acme/authz/c' }
  ] } })
  const asked = challenge(placed, { spec: { dnsName: 'c.example.com', wildcard: true, type: 'DNS-01', solver: { dns01: { cnameStrategy: 'Follow', route53: {} } } }, status: { state: 'pending', presented: true, reason: 'Waiting for DNS-01 challenge propagation: x' } })
  const ca = authorization('https://ca.example/acme/authz/b', { identifier: { type: 'dns', value: 'b.example.com' }, status: 'invalid', challenges: [{ type: 'http-01', status: 'invalid', error: { type: 'urn:ietf:params:acme:error:dns', detail: 'DNS problem: NXDOMAIN looking up A for b.example.com', status: 400 } }] })
  const seen = correlate(observe(hint, [owner, made, placed, asked, clusterIssuer()], { acme: [ca] }))
  t.same(seen.identifiers.map(({ name, state, wildcard }) => [name, state, wildcard]), [['b.example.com', 'failed', false], ['c.example.com', 'pending', true], ['a.example.com', 'passed', false]])
  t.match(seen.identifiers[1]!.facts.challenge, { is: 'seen', value: { solver: 'route53', type: 'DNS-01', asked: false } })
  t.match(seen.texts[0], { wrapper: 'ca', about: ['b.example.com'], problem: { type: 'dns' } })
})

t.test('only names from the labels are left: they are the identifiers; nothing at all gives one without a name', async t => {
  const none = observe({ kind: 'Domain', name: 'x.example.com', from: 'domain' }, [])
  none.subject.domains = ['*.X.example.com']
  t.match(correlate(none).identifiers, [{ name: 'x.example.com', wildcard: true, state: 'unknown' }])
  t.match(correlate(observe({ kind: 'Scan', from: 'nothing' }, [])).identifiers, [{ name: '', state: 'unknown' }])
})

t.test('the next try follows the failures, the version and the flags', async t => {
  const { all, owner } = attempt()
  const after = (count: number, image: string, args: string[] = []): number | undefined => {
    const deployment = anObject('Deployment', 'apps/v1', { name: 'cert-manager', namespace: 'cert-manager', spec: { replicas: 1, template: { spec: { containers: [{ name: 'cert-manager-controller', image, args }] } } } })
    const failed = { ...owner, status: { failedIssuanceAttempts: count, lastFailureTime: iso(failedAt) } }
    return (correlate(observe(hint, [failed, ...all.slice(1), deployment])).next.at ?? 0) - failedAt
  }
  const image = 'quay.io/jetstack/cert-manager-controller:v1.21.1'
  t.same([1, 2, 3, 6, 40].map(count => after(count, image)! / 60 / minute), [1, 2, 4, 32, 32])
  t.equal(after(3, 'quay.io/jetstack/cert-manager-controller:v1.7.2')! / 60 / minute, 1)
  t.equal(after(3, image, ['--certificate-request-minimum-backoff-duration=10m'])! / minute, 40)
  t.same([durationOf('1h30m'), durationOf('90s'), durationOf('soon')], [5_400_000, 90_000, undefined])
})

t.test('what is left of the CA\'s limits: from its text, else from our own history, with the time it ends', async t => {
  const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory'
  const { owner, made } = attempt()
  const limited = 'Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many failed authorizations (5) for "shop.example.com" in the last 1h0m0s, retry after 2026-11-24 10:12:00 UTC: see https://letsencrypt.org/docs/rate-limits/'
  const failedBefore = (ago: number[], namespace = 'shop', issuer: KubeObject['spec'] = {}): KubeObject[] => ago.flatMap(minutes => {
    const placed = order(made, { name: `shop-tls-${minutes}`, namespace, uid: `order-${minutes}`, created: failedAt - (minutes + 1) * minute, status: { state: 'invalid', failureTime: iso(failedAt - minutes * minute) } })
    return [placed, challenge(placed, { namespace, uid: `challenge-${minutes}`, spec: issuer })]
  })
  const budgets = (server: string, objects: KubeObject[], more = {}) => correlate(observe(hint, [owner, made, clusterIssuer({ spec: { server } }), ...objects], { now: failedAt, ...more })).next
  const cases: [string, ReturnType<typeof budgets>, object[] | undefined][] = [
    ['one failure', budgets(letsEncrypt, failedBefore([0])), [{ about: 'shop.example.com', used: 1, left: 4, from: 'history', ends: failedAt + 12 * minute }]],
    ['three at once', budgets(letsEncrypt, failedBefore([0, 1, 2])), [{ used: 3, left: 2, ends: failedAt + 10 * minute }]],
    ['what was refilled is not missed', budgets(letsEncrypt, failedBefore([0, 24, 48])), [{ used: 3, left: 4 }]],
    ['five within minutes', budgets(letsEncrypt, failedBefore([0, 1, 2, 3, 4])), [{ used: 5, left: 0, ends: failedAt + 8 * minute }]],
    ['long ago', budgets(letsEncrypt, failedBefore([90, 120])), undefined],
    ['another issuer\'s account', budgets(letsEncrypt, failedBefore([0], 'shop', { issuerRef: { name: 'other' } })), undefined],
    ['staging is not rationed', budgets('https://acme-staging-v02.api.letsencrypt.org/directory', failedBefore([0, 1, 2])), undefined],
    ['of other CAs no numbers are known', budgets('https://ca.example/directory', failedBefore([0, 1, 2])), undefined],
    ['the CA\'s own text counts alone', budgets(letsEncrypt, [order(made, { status: { state: 'errored', reason: limited, failureTime: iso(failedAt) } })]), [{ from: 'ca', left: 0, ends: failedAt + 12 * minute, limit: /^too many failed authorizations \(5\)/ }]],
    ['what the recorder kept', budgets(letsEncrypt, failedBefore([0]), { recorded: [{ at: failedAt - 5 * minute, kind: 'Challenge', namespace: 'shop', name: 'gone', uid: 'gone', order: 'o', state: 'invalid', reason: '', dnsName: 'shop.example.com' }] }), [{ used: 2, left: 3 }]]
  ]
  for (const [title, { budgets: found }, wanted] of cases) t.match(found, wanted, title)
  const text = (next: ReturnType<typeof budgets>): string => next.restart.map(({ text }) => text).join(' ')
  t.match(text(budgets(letsEncrypt, failedBefore([0, 1, 2]))), /3 were seen here: at most 2 tries are left, one more at 2026-11-24 10:10 UTC/)
  t.match(text(budgets(letsEncrypt, failedBefore([0, 1, 2, 3, 4]))), /none is left before 2026-11-24 10:08 UTC/)
  t.notMatch(text(budgets('https://ca.example/directory', failedBefore([0]))), /Let's Encrypt/)
  t.match(text(budgets('https://acme-staging-v02.api.letsencrypt.org/directory', failedBefore([0]))), /200 per name/)
  const issued = [30, 60].map(hours => order(made, { name: `done-${hours}`, uid: `done-${hours}`, created: failedAt - hours * 60 * minute, status: { state: 'valid' } }))
  t.match(budgets(letsEncrypt, [...failedBefore([0]), ...issued]).budgets, [{ limit: 'failed validations', used: 1 }, { limit: 'certificates for exactly these names', used: 2, left: 4 }])
})

t.test('what an alert calls the objects is never put into a command', async t => {
  const seen = correlate(observe({ kind: 'Certificate', namespace: 'shop; rm -rf /', name: '$(reboot)', from: 'name' }, []))
  t.notMatch(JSON.stringify(seen.next), /reboot|rm -rf/)
})

t.test('changes: who wrote which fields, near and related first, status writers left out', async t => {
  const { all } = attempt()
  const write = (manager: string, time: number, fieldsV1: Record<string, unknown>, subresource?: string) => ({ manager, operation: 'Update', time: iso(time), fieldsV1, ...subresource === undefined ? {} : { subresource } })
  const policy = anObject('NetworkPolicy', 'networking.k8s.io/v1', { name: 'deny', created: failedAt - 24 * 60 * minute, managedFields: [write('argocd', failedAt - 4 * minute, { 'f:spec': { 'f:policyTypes': {} } })] })
  const far = anObject('NetworkPolicy', 'networking.k8s.io/v1', { name: 'old', created: failedAt - 20 * 24 * 60 * minute, managedFields: [write('helm', failedAt - 5 * 24 * 60 * minute, { 'f:spec': { 'f:ingress': {} } }), write('cni', failedAt, { 'f:status': {} }, 'status')] })
  const controller = anObject('DaemonSet', 'apps/v1', { namespace: 'edge', name: 'traefik', created: failedAt - 90 * 24 * 60 * minute, managedFields: [write('helm', failedAt - 6 * minute, { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"traefik"}': { 'f:image': {} } } } } } })] })
  const { changes } = correlate(observe(hint, [...all, far, policy, controller]))
  t.match(changes.find(({ object }) => object === 'DaemonSet edge/traefik'), { by: 'helm', fields: [/image/] }, 'a controller that has no ReplicaSets')
  t.match(changes.find(({ object }) => object.endsWith('/deny')), { by: 'argocd', fields: ['spec.policyTypes'], beforeAnchorMs: -4 * minute })
  t.ok(changes.findIndex(({ object }) => object.endsWith('/deny')) < changes.findIndex(({ object }) => object.endsWith('/old')))
  t.equal(changes.filter(({ object }) => object.endsWith('/old')).length, 1)
  t.same(fieldPaths({ 'f:spec': { 'f:rules': {}, 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:nodePort': {} } } }, 'f:metadata': { 'f:annotations': { '.': {}, 'f:nginx.ingress.kubernetes.io/ssl-redirect': {} } } }), [
    'spec.rules', 'spec.ports[port=80,protocol=TCP].nodePort', 'metadata.annotations["nginx.ingress.kubernetes.io/ssl-redirect"]'
  ])
  t.same(writesOf(anObject('Service', 'v1', { managedFields: [{ manager: 'x' }] })), [])
})

t.test('changes are measured from where the failure began, and after the last success', async t => {
  const { owner, all } = attempt()
  const hour = 60 * minute
  const [success, first] = [failedAt - 40 * hour, failedAt - 30 * hour]
  const issued = { ...owner, status: { ...owner.status, notBefore: iso(success) } }
  const before = order(request(owner, { name: 'shop-tls-0', uid: 'r0', created: first }), { name: 'shop-tls-0-1', uid: 'o0', created: first, status: { state: 'invalid', failureTime: iso(first + minute) } })
  const policyOf = (name: string, time: number) => anObject('NetworkPolicy', 'networking.k8s.io/v1', { name, created: failedAt - 90 * 24 * hour, managedFields: [{ manager: 'argocd', operation: 'Update', time: iso(time), fieldsV1: { 'f:spec': { 'f:ingress': {} } } }] })
  const policies = [policyOf('older', success - hour), policyOf('culprit', first - 10 * minute), policyOf('repair', failedAt - hour)]
  const { changes } = correlate(observe(hint, [issued, ...all.filter(object => object !== owner), before, ...policies]))
  const [top] = changes.filter(({ by }) => by === 'argocd')
  t.match(top, { object: /culprit/, beforeFirstFailureMs: -11 * minute, afterLastSuccess: true })
  const byName = (name: string) => changes.find(({ object }) => object.endsWith(`/${name}`))
  t.match(byName('repair'), { beforeAnchorMs: -hour, beforeFirstFailureMs: 29 * hour - minute, afterLastSuccess: true }, 'what came later did not begin it')
  t.match(byName('older'), { afterLastSuccess: false })
  t.ok(byName('older')!.relevance < top!.relevance / 2, 'issuance has survived it')
})

t.test('others of the issuer that fail with the same words are one failure', async t => {
  const { all } = attempt()
  const other = certificate({ name: 'blog-tls', uid: 'blog', spec: { dnsNames: ['blog.example.com'], secretName: 'blog-tls' } })
  const made = request(other, { name: 'blog-tls-1', uid: 'rb' })
  const placed = order(made, { name: 'blog-tls-1-1', uid: 'ob' })
  const asked = challenge(placed, { uid: 'cb', spec: { dnsName: 'blog.example.com' }, status: { state: 'invalid', reason: 'Error accepting authorization: acme: authorization error for blog.example.com: 400 urn:ietf:params:acme:error:connection: 203.0.113.99: Fetching http://blog.example.com/.well-known/acme-challenge/b: Timeout during connect (likely firewall problem)' } })
  const { blast } = correlate(observe(hint, [...all, other, made, placed, asked]))
  t.match(blast, { issuer: { total: 1, failing: 1, since: failedAt }, others: [{ certificate: 'blog-tls', same: true }] })
})

t.test('what else fails: by zone, ingress class and Gateway, also where requests of other namespaces were not listed', async t => {
  const solver = { http01: { ingress: { ingressClassName: 'nginx' } } }
  const { owner, made, placed, all } = attempt()
  const asked = challenge(placed, { spec: { dnsName: 'shop.example.com', solver } })
  const neighbour = (name: string, host: string, state: string, over: Record<string, unknown> = solver): KubeObject[] => {
    const other = certificate({ name, namespace: 'elsewhere', uid: name, spec: { dnsNames: [host], secretName: name, issuerRef: { name: 'another', kind: 'ClusterIssuer' } } })
    const order_ = order(request(other, { name: `${name}-1`, uid: `r-${name}` }), { name: `${name}-1-1`, namespace: 'elsewhere', uid: `o-${name}`, annotations: { 'cert-manager.io/certificate-name': name }, status: { state } })
    const reason = `Error accepting authorization: acme: authorization error for ${host}: 400 urn:ietf:params:acme:error:connection: 203.0.113.99: Fetching http://${host}/.well-known/acme-challenge/b: Timeout during connect (likely firewall problem)`
    return [other, order_, challenge(order_, { uid: `c-${name}`, namespace: 'elsewhere', spec: { dnsName: host, solver: over }, status: state === 'invalid' ? { state, reason } : { state } })]
  }
  const gateway = { http01: { gatewayHTTPRoute: { parentRefs: [{ name: 'public', namespace: 'infra' }] } } }
  const objects = [owner, made, placed, asked, all.at(-1)!, ...neighbour('one', 'one.example.com', 'invalid'), ...neighbour('two', 'two.example.com', 'valid'), ...neighbour('three', 'three.example.org', 'invalid', gateway)]
  const { blast } = correlate(observe(hint, objects))
  t.match(blast.groups, [{ by: 'zone', name: 'example.com', total: 2, failing: 1, same: 1, since: failedAt - 2 * minute }, { by: 'ingress class', name: 'nginx', total: 2, failing: 1, same: 1 }])
  t.equal(blast.groups?.length, 2, 'a Gateway that this one does not use is none of ours')
  const routed = correlate(observe(hint, [owner, made, placed, challenge(placed, { spec: { dnsName: 'shop.example.com', solver: gateway } }), all.at(-1)!, ...neighbour('three', 'three.example.org', 'invalid', gateway)]))
  t.match(routed.blast.groups, [{ by: 'gateway', name: 'infra/public', total: 1, failing: 1, same: 1 }])
})

t.test('attempts side by side: the same failure, or changed at one of them', async t => {
  const { owner, all, placed, asked } = attempt()
  const counted = { ...owner, status: { failedIssuanceAttempts: 3, lastFailureTime: iso(failedAt) } }
  const words = String(asked.status?.reason)
  const before = (number: number, reason: string): KubeObject => order(all[1]!, { name: `shop-tls-1-${number}`, uid: `before-${number}`, created: failedAt - (10 - number) * 60 * minute, status: { state: 'invalid', reason, failureTime: iso(failedAt - (10 - number) * 60 * minute) } })
  const other = 'Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many failed authorizations'
  const seen = (orders: KubeObject[], earlier: Observations['earlier'] = []): Case => correlate(observe({ ...hint, kind: 'Order', name: placed.metadata.name }, [counted, ...all.slice(1), ...orders], { earlier }))
  const same = seen([before(1, words), before(2, words)])
  t.same(same.attempts.map(({ number, same: alike, current: now }) => [number, alike, now]), [[1, true, false], [2, true, false], [3, undefined, true]])
  t.equal(same.history, 'The same failure in all 2 attempts before.')
  t.match(seen([before(1, other), before(2, words)]).history, /^The failure changed at attempt 2; before: .*too many failed authorizations/)
  t.match(seen([before(1, words), before(2, other)]).history, /^The failure changed at attempt 3; before: /)
  t.equal(seen([]).history, undefined)

  const remembered = seen([], [{ at: failedAt - 60 * minute, orderUid: 'long-gone', order: 'shop-tls-1-9', cause: 'http01-port80-blocked', confidence: 'proven' }, { at: failedAt, orderUid: placed.metadata.uid, order: placed.metadata.name, cause: 'acme-rate-limited', confidence: 'proven' }])
  t.match(remembered.attempts, [{ order: 'shop-tls-1-9', said: { cause: 'http01-port80-blocked' }, same: false }, { current: true, said: { cause: 'acme-rate-limited' } }])
  t.match(remembered.history, /changed at attempt 3; before: http01-port80-blocked/)
})

t.test('the recorder\'s memory of this attempt and of one that is gone', async t => {
  const { all, placed } = attempt()
  const seen = correlate(observe(hint, all, { recorded: [
    { at: failedAt - 120 * minute, kind: 'Challenge', namespace: 'shop', name: 'c', uid: 'gone-c', order: 'gone-o', state: 'pending', reason: 'Waiting for HTTP-01 challenge propagation: earlier words', presented: true, dnsName: 'shop.example.com' },
    { at: failedAt - minute, kind: 'Challenge', namespace: 'shop', name: 'c', uid: 'c', order: placed.metadata.uid, state: 'pending', reason: 'Waiting for HTTP-01 challenge propagation: these words', presented: true, dnsName: 'shop.example.com' }
  ] }))
  t.match(seen.texts.find(({ core }) => core === 'these words'), { attempt: 'current', wrapper: 'self-check', first: failedAt - minute })
  t.match(seen.texts.find(({ core }) => core === 'earlier words'), { attempt: 'earlier' })
  t.equal(seen.attempts.length, 2)
})

t.test('the same observations give the same case, in whatever order they came, and after a file', async t => {
  const { all, asked } = attempt()
  const objects = [...all, event(asked, 'PresentError', 'Error presenting challenge: a'), event(asked, 'PresentError', 'Error presenting challenge: b')]
  const observations = observe(hint, objects, { logs: [log([line(failedAt, 'E', 'propagation check failed', 'x', keysOf(asked))])] })
  const text = JSON.stringify(correlate(observations))
  t.equal(JSON.stringify(correlate({ ...observations, objects: objects.toReversed() })), text)
  t.equal(JSON.stringify(correlate(readObservations(saveObservations(observations)))), text)
  t.same(JSON.parse(text), correlate(observations), 'a case is plain JSON')
})

t.test('a file that is none is refused with the reason:', async t => {
  const good = observe(hint, [])
  for (const [broken, why] of [['', /JSON/], ['[]', /no object/], ['{"format":2}', /format 2/], [JSON.stringify({ ...good, objects: [{}] }), /objects\[0\]/], [JSON.stringify({ ...good, alerts: [] }), /no alert/]] as const) t.throws(() => readObservations(broken), { message: why })
})

t.test('versions, whatever the registry appends', async t => {
  t.same(['quay.io/jetstack/cert-manager-controller:v1.12.4', 'reg:5000/x:1.14.7-gke.2', 'v1.21.1', 'latest', 'x@sha256:0123'].map(text => parseVersion(text)?.text), ['v1.12.4', 'v1.14.7', 'v1.21.1', undefined, undefined])
})

t.test('half-empty and hostile objects cost themselves only', async t => {
  const bare = (kind: string, name: string): KubeObject => ({ apiVersion: 'x/v1', kind, metadata: { name, namespace: 'shop', uid: `bare-${kind}` } })
  const odd = [...['Order', 'Challenge', 'CertificateRequest', 'Issuer', 'Ingress', 'HTTPRoute', 'Gateway', 'Pod', 'Service', 'EndpointSlice', 'NetworkPolicy', 'APIService', 'Deployment', 'ReplicaSet', 'Lease', 'Event', 'IngressClass', 'Node', 'ConfigMap'].map(kind => bare(kind, 'bare')), { ...bare('Challenge', 'strange'), metadata: { ...bare('Challenge', 'strange').metadata, uid: 'strange' }, spec: { dnsName: 7, solver: 'x', token: null }, status: { state: ['invalid'], reason: { a: 1 } } }]
  const { all } = attempt()
  const seen = correlate(observe(hint, [...all, ...odd]))
  t.notMatch(JSON.stringify(seen), /could not judge/)
  const alone: Observations = observe({ kind: 'Order', namespace: 'shop', name: 'bare', from: 'name' }, odd)
  t.notMatch(JSON.stringify(correlate(alone)), /could not judge/)
})
