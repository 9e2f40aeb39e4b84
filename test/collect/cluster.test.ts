import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openWorldClients, replayConfig } from '../../src/cli/replay-case.ts'
import { collect, type CollectOptions } from '../../src/collect/run.ts'
import { subjectHints } from '../../src/accept/subject.ts'
import { correlate } from '../../src/correlate/correlate.ts'
import { diagnose } from '../../src/diagnose/run.ts'
import { buildInvestigate, type Investigation } from '../../src/investigate.ts'
import { openKubernetes } from '../../src/shared/clients/kubernetes.ts'
import type { Observations } from '../../src/shared/types/observations.ts'
import type { CaseDirectory } from '../../src/world/case-directory.ts'
import { openWorld } from '../../src/world/world.ts'
import { aCaseDirectory, aFailingCluster, controllerLog, controllerLogKey, anObject, failureTime, now } from '../support/cluster.ts'

const patient: CollectOptions = { deadline: 60_000 }

async function look (directory: CaseDirectory, labels: Record<string, string> = { namespace: 'shop', certificate: 'web-tls' }, options = patient): Promise<{ seen: Observations, asked: string[] }> {
  const world = await openWorld(directory)
  const kubernetes = openKubernetes({ kubeconfig: world.kubeconfig }, { route: world.route('cluster'), clock: world.clock })!
  try {
    const { hints, domains, lint } = subjectHints(labels, {}, { clusterLabel: 'cluster' })
    const alert = { status: 'firing' as const, labels, annotations: {}, startsAt: failureTime + 60_000, generatorURL: '', fingerprint: 'f' }
    return { seen: await collect({ alerts: [alert], hints, domains, lint }, { kubernetes }, world.clock, options), asked: world.requests.map(({ url }) => url) }
  } finally {
    await kubernetes.close()
    await world.close()
  }
}

const names = ({ objects }: Observations): string[] => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
const subjectOf = ({ subject }: Observations): string => `${subject.hint.kind} ${subject.namespace}/${subject.certificate?.name}/${subject.order?.name}`
const failing = 'shop/web-tls/web-tls-1-1234567890'

t.test('one look brings the whole chain home, the log, and how each list ended', async t => {
  const { seen, asked } = await look(aCaseDirectory({ logs: new Map([[controllerLogKey, join(t.testdir({ log: controllerLog }), 'log')]]) }))
  t.equal(subjectOf(seen), `Certificate ${failing}`)
  for (const name of ['Certificate web-tls', 'CertificateRequest web-tls-1', 'Order web-tls-1-1234567890', 'Challenge web-tls-1-1234567890-987654321', 'ClusterIssuer letsencrypt', 'Pod cm-acme-http-solver-abcde', 'Ingress web', 'Deployment cert-manager', 'Event web-tls.1']) t.ok(names(seen).includes(name), name)
  t.equal(new Set(seen.objects.map(({ metadata }) => metadata.uid)).size, seen.objects.length, 'each object once')
  const log = seen.logs.find(({ role }) => role === 'controller')
  t.equal(log?.namespace, 'certs', 'cert-manager is found by what it runs, not by its namespace')
  t.same(log?.look.is === 'seen' && log.look.value.lines.map(({ text }) => text.slice(0, 5)), ['I1124', 'I1124', 'E1124'], 'the line of another Certificate is not kept')
  t.same(seen.lists.filter(({ look: { is } }) => is === 'unavailable'), [])
  t.match(seen.lists.find(({ resource }) => resource === 'gateways.gateway.networking.k8s.io')?.look, { is: 'absent' })
  t.equal(seen.clusterResourceNamespace, 'certs')
  t.equal(seen.kubernetesVersion, 'v1.34.2')
  t.notMatch(JSON.stringify(seen), 'sesame', 'values of environment variables stay where they are')
  t.notOk(asked.some(url => /secret/i.test(url)), 'never a Secret')
})

t.test('the alert may name any object of the chain, or none', async t => {
  const rows: [Record<string, string>, string][] = [
    [{ namespace: 'shop', order: 'web-tls-1-1234567890' }, `Order ${failing}`], [{ namespace: 'shop', challenge: 'web-tls-1-1234567890-987654321' }, `Challenge ${failing}`],
    [{ namespace: 'shop', certificaterequest: 'web-tls-1' }, `CertificateRequest ${failing}`], [{ namespace: 'shop', challenge: 'web-tls-1-1234567890-555555555' }, `Order ${failing}`],
    [{ domain: 'shop.example.com' }, `Domain ${failing}`], [{ namespace: 'shop', secret_name: 'web-secret' }, `Secret ${failing}`], [{ uid: 'uid-Order-web-tls-1-1234567890' }, 'Scan shop/web-tls/web-tls-1-1234567890'],
    [{ host: 'acme-v02.api.letsencrypt.org', action: 'x' }, `Host ${failing}`], [{ clusterissuer: 'letsencrypt' }, `ClusterIssuer ${failing}`], [{ namespace: 'cert-manager' }, `Scan ${failing}`],
    [{ namespace: 'monitoring', order: 'web-tls-1-1234567890' }, `Order ${failing}`], [{ namespace: 'shop', certificate: 'another' }, 'Certificate shop/another/undefined'], [{ namespace: '../..', certificate: 'a'.repeat(100_000) }, 'Scan ../../undefined/undefined']
  ]
  for (const [labels, expected] of rows) t.equal(subjectOf((await look(aCaseDirectory(), labels)).seen), expected, JSON.stringify(labels).slice(0, 90))
})

t.test('an Order of a CertificateSigningRequest has no Certificate, and is diagnosed all the same', async t => {
  const owner = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', name: 'csr-5f2x', uid: 'uid-csr', controller: true }
  const signing = anObject('certificates.k8s.io/v1', 'CertificateSigningRequest', 'csr-5f2x', { metadata: { namespace: undefined, uid: 'uid-csr' }, spec: { request: 'LS0t', signerName: 'clusterissuers.cert-manager.io/letsencrypt' }, status: { conditions: [{ type: 'Approved', status: 'True', reason: 'x', message: 'by hand' }, { type: 'Failed', status: 'True', reason: 'OrderFailed', message: 'Failed to wait for order resource "web-tls-1-1234567890" to become ready: order is in "invalid" state: ' }] } })
  const objects = [signing, ...aFailingCluster().filter(({ kind }) => !kind.startsWith('Certificate')).map(object => object.kind === 'Order' ? { ...object, metadata: { ...object.metadata, annotations: {}, ownerReferences: [owner] } } : object)]
  for (const labels of [{ namespace: 'shop', order: 'web-tls-1-1234567890' }, { customresource_kind: 'CertificateSigningRequest', name: 'csr-5f2x' }] as Record<string, string>[]) {
    const { seen } = await look(aCaseDirectory({ objects }), labels)
    t.equal(subjectOf(seen), 'Order shop/undefined/web-tls-1-1234567890')
    t.notMatch(JSON.stringify(seen.objects.find(({ kind }) => kind === 'CertificateSigningRequest')), 'LS0t')
    const { chain, texts, identifiers } = correlate(seen)
    t.same(chain.map(({ kind, is }) => `${kind} ${is}`), ['CertificateSigningRequest seen', 'Order seen', 'Challenge seen', 'ClusterIssuer seen'])
    t.match(identifiers, [{ name: 'shop.example.com', state: 'failed' }])
    t.match(texts.find(({ evidence }) => evidence.ref === 'CertificateSigningRequest csr-5f2x'), { attempt: 'current', whole: /OrderFailed/ })
  }
})

t.test('the controllers\' own kinds come home when they bear on the names, without what they hide', async t => {
  const of = (apiVersion: string, kind: string, name: string, rest: Record<string, unknown>) => ({ ...anObject(apiVersion, kind, name), ...rest })
  const objects = [
    ...aFailingCluster(),
    of('traefik.io/v1alpha1', 'IngressRoute', 'ours', { spec: { routes: [{ match: 'Host(`shop.example.com`)' }] } }), of('traefik.io/v1alpha1', 'IngressRoute', 'theirs', { spec: { routes: [{ match: 'Host(`docs.example.com`)' }] } }),
    of('traefik.io/v1alpha1', 'Middleware', 'headers', { spec: { headers: { customRequestHeaders: { Authorization: 'Basic swordfish' } }, redirectScheme: { scheme: 'https' } } }),
    of('configuration.konghq.com/v1', 'KongPlugin', 'oidc', { plugin: 'openid-connect', config: { client_secret: ['swordfish'], redirect_uri: 'x', replace: { headers: ['Host: inner.example', 'X-Key: swordfish'] } } }),
    of('networking.istio.io/v1', 'EnvoyFilter', 'lua', { spec: { configPatches: [{ patch: { value: 'swordfish' } }] } }), of('networking.istio.io/v1', 'VirtualService', 'mesh', { spec: { hosts: ['*.example.com'], gateways: ['g'] } })
  ]
  const { seen, asked } = await look(aCaseDirectory({ objects }))
  for (const name of ['IngressRoute ours', 'Middleware headers', 'KongPlugin oidc', 'EnvoyFilter lua', 'VirtualService mesh']) t.ok(names(seen).includes(name), name)
  t.notOk(names(seen).includes('IngressRoute theirs'))
  t.notMatch(JSON.stringify(seen), 'swordfish')
  t.match(seen.objects.find(({ kind }) => kind === 'Middleware')?.spec, { redirectScheme: { scheme: 'https' } })
  t.match(seen.objects.find(({ kind }) => kind === 'KongPlugin'), { plugin: 'openid-connect', config: { replace: { headers: ['Host: inner.example', '<redacted>'] } } })
  t.match(seen.lists.find(({ resource }) => resource === 'httpproxies.projectcontour.io')?.look, { is: 'absent' })
  t.same(asked.filter(url => /projectcontour|apisix|cilium|gateway\.networking/.test(url)), [], 'groups that are not installed are not asked')
  t.equal(asked.filter(url => url === '/apis').length, 1)
})

t.test('cert-manager and ingress controllers may run as any workload', async t => {
  for (const kind of ['StatefulSet', 'DaemonSet']) {
    const container = { name: 'traefik', image: 'traefik:v3.5.0' }
    const objects = [
      ...aFailingCluster().map(object => object.kind === 'Deployment' ? { ...object, kind, status: { readyReplicas: 2, numberReady: 2, desiredNumberScheduled: 2 } } : object),
      anObject('apps/v1', kind, 'traefik', { metadata: { namespace: 'edge' }, spec: { template: { spec: { containers: [container] } } }, status: { readyReplicas: 1, numberReady: 1 } }),
      anObject('v1', 'Pod', 'traefik-0', { metadata: { namespace: 'edge' }, spec: { containers: [container] } }),
      anObject('networking.k8s.io/v1', 'NetworkPolicy', 'edge-out', { metadata: { namespace: 'edge' }, spec: { podSelector: {} } })
    ]
    const { seen } = await look(aCaseDirectory({ objects }))
    t.equal(seen.clusterResourceNamespace, 'certs', kind)
    for (const name of [`${kind} cert-manager`, `${kind} traefik`, 'Pod traefik-0', 'NetworkPolicy edge-out']) t.ok(names(seen).includes(name), name)
    const { facts, identifiers } = correlate(seen)
    t.match(facts.controller, { is: 'seen', value: { namespace: 'certs', version: 'v1.21.1', ready: 2, evidence: [{ ref: `${kind} certs/cert-manager` }] } })
    t.match(identifiers[0]?.facts.networkPolicy, { is: 'seen' })
  }
})

t.test('an alert without a name leads nowhere when no order failed', async t => {
  const healthy = aFailingCluster().map(object => object.kind === 'Order' ? { ...object, status: { state: 'valid' } } : object)
  const { seen } = await look(aCaseDirectory({ objects: healthy }), { host: 'acme-v02.api.letsencrypt.org', action: 'x' })
  t.equal(seen.subject.order, undefined)
  t.match(seen.subject.tried, [{ found: false, why: /no order failed/ }, { found: false }])
})

t.test('of several failing orders the nearest to the alert is meant, and the others are named', async t => {
  const older = anObject('acme.cert-manager.io/v1', 'Order', 'old-1-1111111111', { metadata: { namespace: 'docs', uid: 'old' }, status: { state: 'errored', failureTime: new Date(failureTime - 3_600_000).toISOString() } })
  const ancient = anObject('acme.cert-manager.io/v1', 'Order', 'ancient-1-1111111111', { metadata: { namespace: 'docs', uid: 'ancient', creationTimestamp: '2026-10-01T00:00:00Z' }, status: { state: 'errored', failureTime: '2026-10-01T00:00:00Z' } })
  const { seen } = await look(aCaseDirectory({ objects: [older, ancient, ...aFailingCluster()] }), {})
  t.equal(subjectOf(seen), `Scan ${failing}`)
  t.same(seen.subject.candidates.map(({ order }) => order), ['web-tls-1-1234567890', 'old-1-1111111111'])
})

t.test('a log that may not be read is named with its rule', async t => {
  const { seen } = await look(aCaseDirectory({ api: { forbidden: [{ resource: 'pods/log' }] } }))
  t.match(seen.logs.find(({ role }) => role === 'controller')?.look, { is: 'unavailable', fix: /pods\/log/ })
})

t.test('an API that fails, is away or is not configured costs its looks and nothing else', async t => {
  for (const [status, why] of [[500, /500/], [429, /throttling/], [410, /expired/], [504, /504/]] as const) {
    const broken = await look(aCaseDirectory({ api: { failing: [{ resource: '*', status }] } }))
    t.ok(broken.seen.lists.length > 20 && broken.seen.lists.every(({ look: { is } }) => is !== 'seen'))
    t.match(broken.seen.lists.find(({ resource }) => resource === 'pods')?.look, { is: 'unavailable', why })
    t.equal(broken.seen.subject.certificate?.name, 'web-tls', 'what the labels say is kept')
    t.equal(diagnose(correlate(broken.seen)).verdict, 'unknown', 'and nothing is made up')
  }
  const away = await look(aCaseDirectory({ api: { unreachable: true } }))
  t.ok(away.seen.lists.every(({ look: each }) => each.is === 'unavailable' && /cannot be reached|cut/.test(each.why)))
  const alert = { status: 'firing' as const, labels: {}, annotations: {}, startsAt: now, generatorURL: '', fingerprint: 'f' }
  const alone = await collect({ alerts: [alert], hints: [{ kind: 'Certificate', namespace: 'shop', name: 'web-tls', from: 'certificate' }], domains: [], lint: [] }, {}, { now: () => now })
  t.match(alone, { subject: { certificate: { name: 'web-tls' } }, looks: [{ is: 'unavailable', fix: /KUBECONFIG/ }] })
})

t.test('a slow API is left at the deadline with what came until then', async t => {
  const { seen } = await look(aCaseDirectory({ api: { latencyMs: 600 } }), undefined, { deadline: 40 })
  t.ok(seen.lists.length > 20)
  t.ok(seen.lists.every(({ look: each }) => each.is === 'unavailable' && /in time/.test(each.why)))
})

/** A saved case, seen by a service whose clock is wrong by so much, over an API that takes so long for each call. */
async function seenAt (name: string, { wrongBy = 0, latencyMs = 0, deadline = 60_000 }): Promise<Investigation> {
  const world = await openWorld(fileURLToPath(new URL(`../cases/${name}`, import.meta.url)), { latencyMs })
  const clock = { ...world.clock, now: () => world.clock.now() + wrongBy }
  const usual = replayConfig(world)
  const config = { ...usual, collect: { ...usual.collect, deadline } }
  const clients = openWorldClients({ ...world, clock }, config)
  try {
    const [first] = world.directory.alerts as { alerts: { labels: Record<string, string>, startsAt: string }[] }[]
    const { labels, startsAt } = first!.alerts[0]!
    const alert = { status: 'firing' as const, labels, annotations: {}, startsAt: Date.parse(startsAt), generatorURL: '', fingerprint: 'f' }
    return await buildInvestigate(config, clients, clock)([alert])
  } finally {
    await clients.close()
    await world.close()
  }
}

t.test('an API that takes two seconds for each call gives the same answer in five', async t => {
  const told = ({ diagnosis }: Investigation): string[] => diagnosis.causes.map(({ id, variant, confidence, domains }) => `${id} ${variant} ${confidence} ${domains.join()}`)
  const rows: [name: string, latencyMs: number, deadline: number][] = [
    // The CA's word is in the first answers.
    ['http01-port80-blocked/firewall-drops-port-80', 2_000, 5_000],
    // cert-manager's log and policies are asked for once its Pods are known; drawn out, for busy machines.
    ['http01-self-check-egress-blocked/egress-policy-of-cert-manager', 3_200, 8_000]
  ]
  await Promise.all(rows.map(async ([name, latencyMs, deadline]) => {
    const [fast, slow] = await Promise.all([seenAt(name, {}), seenAt(name, { latencyMs, deadline })])
    t.same(told(slow), told(fast), name)
    const lost = slow.diagnosis.unavailable.filter(({ source }) => !fast.diagnosis.unavailable.some(other => other.source === source))
    t.same(lost.filter(({ why }) => !/did not answer in time/.test(why)), [], 'what is lost was late, and is called so')
  }))
})

t.test('a wrong clock of ours changes nothing but the line that tells it', async t => {
  for (const name of ['http01-port80-blocked/firewall-drops-port-80', 'acme-caa-forbids-issuer/parent-zone', 'acme-rate-limited/exact-set']) {
    const right = await seenAt(name, {})
    t.equal(right.case.clockAhead, undefined)
    for (const wrongBy of [7_200_000, -1_800_000]) {
      const wrong = await seenAt(name, { wrongBy })
      // Date headers have whole seconds.
      const told = JSON.stringify(wrong.diagnosis).replaceAll(String(wrong.case.now), String(right.case.now))
      t.ok(told === JSON.stringify(right.diagnosis), `${name}, wrong by ${wrongBy / 60_000} min`)
      t.same([wrong.case.next, wrong.case.attempts, wrong.case.changes], [right.case.next, right.case.attempts, right.case.changes])
      t.ok(Math.abs(wrong.case.clockAhead! - wrongBy) < 3_000 && Math.abs(wrong.case.now - right.case.now) < 3_000, 'measured to the second')
      t.equal(wrong.observations.clockAhead, wrong.case.clockAhead)
    }
  }
})

t.test('half-written objects are survived', async t => {
  const odd = (kind: string, apiVersion: string, rest: Record<string, unknown>): never => ({ apiVersion, kind, ...rest }) as never
  const objects = [
    ...aFailingCluster(),
    odd('Order', 'acme.cert-manager.io/v1', { metadata: { name: 'bare', namespace: 'shop' } }), odd('Challenge', 'acme.cert-manager.io/v1', { metadata: { name: 'null', namespace: 'shop', ownerReferences: [null], labels: null }, spec: null, status: null }),
    odd('Certificate', 'cert-manager.io/v1', { metadata: { name: 'odd', namespace: 'shop', annotations: { a: 1 } }, spec: { dnsNames: 'not a list', issuerRef: 'x' }, status: { conditions: [null, {}, { type: 'Ready' }] } })
  ]
  const { seen } = await look(aCaseDirectory({ objects }))
  t.equal(subjectOf(seen), `Certificate ${failing}`)
  t.match(seen.objects.find(({ metadata }) => metadata.name === 'odd')?.status, { conditions: [{ type: 'Ready', status: 'Unknown' }] })
})
