import { fastify } from 'fastify'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { ApiMode } from '../../src/publish/annotations/api-mode.ts'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { decide, merged } from '../../src/publish/annotations/merge.ts'
import { renderInfoMetric, ruleAnnotations } from '../../src/publish/annotations/metric-mode.ts'
import { OtherWriter, Presence, SenderPeriod } from '../../src/publish/annotations/observe.ts'
import { startWriteBack } from '../../src/publish/annotations/write-back.ts'
import { alertmanagerClient, type LiveAlert } from '../../src/shared/clients/alertmanager.ts'
import { direct } from '../../src/shared/clients/route.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { openStore } from '../../src/shared/store/store.ts'
import { startFakeAlertmanager } from '../support/fake-alertmanager.ts'
import { eventually } from '../support/real-alertmanager.ts'

const log = pino({ level: 'silent' })
const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', name: 'shop-tls-1-42' }
const ours = { acme_triage_cause: 'http01-port80-blocked', acme_triage_summary: 'port 80 is closed' }
const now = 1_790_000_000_000
const iso = (at: number) => new Date(at).toISOString()

t.test('fingerprints are Alertmanager\'s own', async t => {
  t.equal(fingerprint({}), 'cbf29ce484222325')
  t.equal(fingerprint({ a: 'b' }), 'd2b371819297f98a')
  t.equal(fingerprint({ alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', empty: '' }), '18a80e01b4f4c3ed')
})

t.test('what is posted back', async t => {
  const live = (change: Partial<LiveAlert> = {}): LiveAlert => ({ fingerprint: fingerprint(labels), labels, annotations: { summary: 's' }, startsAt: iso(now - 60_000), endsAt: iso(now + 240_000), updatedAt: iso(now), generatorURL: 'http://p/graph', state: 'active', ...change })
  const table: [string, LiveAlert, string][] = [
    ['an alert without ours gets them', live(), 'post'],
    ['an alert that carries ours is left alone', live({ annotations: { summary: 's', ...ours } }), 'there'],
    ['other values of ours are replaced', live({ annotations: { summary: 's', ...ours, acme_triage_cause: 'other' } }), 'post'],
    ['an older key of ours beside them is removed', live({ annotations: { ...ours, acme_triage_old: 'x' } }), 'post'],
    ['an alert that ends in 9 s is left alone', live({ endsAt: iso(now + 9_000) }), 'ending'],
    ['an alert that has ended is left alone', live({ endsAt: iso(now - 1) }), 'ending'],
    ['labels that do not make the fingerprint are left alone', live({ labels: { ...labels, extra: '1' } }), 'fingerprint'],
    ['a time that cannot be read is left alone', live({ endsAt: 'soon' }), 'bad-time'],
    ['a resolved alert is left alone', live({ state: 'resolved' }), 'not-firing']
  ]
  for (const [title, alert, expected] of table) {
    const decision = decide(alert, ours, now)
    t.equal(decision.do === 'post' ? 'post' : decision.why, expected, title)
    if (decision.do === 'post') {
      t.same(decision.alert.labels, alert.labels, `${title}: labels as they were`)
      t.same([decision.alert.startsAt, decision.alert.endsAt, decision.alert.generatorURL], [alert.startsAt, alert.endsAt, alert.generatorURL], `${title}: times as they were`)
    }
  }
  t.same(merged({ summary: 's', acme_triage_old: 'x' }, ours), { summary: 's', ...ours }, 'whatever else stood there stays')
})

async function target (t: Test, change: { annotations?: Record<string, string>, labels?: Record<string, string> } = {}) {
  const store = await openStore({ dataDir: ':memory:', clock: { now: Date.now }, flapWindow: 0 })
  t.teardown(() => store.close())
  const write = async (set: { labels?: Record<string, string>, annotations?: Record<string, string> } = {}) => {
    const of = set.labels ?? change.labels ?? labels
    await store.context.database.insertInto('annotation_target').values({
      fingerprint: fingerprint(of), incident_id: 'i', labels: JSON.stringify(of), annotations: JSON.stringify(set.annotations ?? change.annotations ?? ours), hash: 'h', active: 1, until: Date.now() + 86_400_000, created_at: 0, updated_at: 0
    }).onConflict(conflict => conflict.column('fingerprint').doUpdateSet({ annotations: JSON.stringify(set.annotations ?? ours) })).execute()
  }
  await write()
  const active = async () => (await store.context.database.selectFrom('annotation_target').selectAll().where('active', '=', 1).execute()).length
  return { store, write, active }
}

async function apiMode (t: Test, count = 1, change: Parameters<typeof target>[1] = {}) {
  const peers = await Promise.all(Array.from({ length: count }, () => startFakeAlertmanager()))
  const { annotationTargetStore } = await import('../../src/shared/store/annotation-targets.ts')
  const { store, write, active } = await target(t, change)
  const clock = { ahead: 0 }
  const shifted = { now: () => Date.now() + clock.ahead }
  const mode = new ApiMode({ clients: peers.map(({ url }) => alertmanagerClient({ url, route: direct, clock: shifted })), targets: annotationTargetStore(store.context), clock: shifted, log, poll: 50 })
  t.teardown(async () => {
    await mode.stop()
    for (const peer of peers) await peer.close()
  })
  return { peers, mode, write, active, clock }
}

t.test('API mode: posts only where ours are missing, at every peer for itself', async t => {
  const { peers: [a, b], mode } = await apiMode(t, 2)
  a!.put({ labels, annotations: { summary: 'a' } })
  b!.put({ labels, annotations: { summary: 'b', ...ours } })
  await mode.round()
  t.match(a!.shown()[0]!.annotations, { summary: 'a', ...ours })
  t.equal(b!.posts.length, 0)
  await mode.round()
  t.equal(a!.posts.length, 1, 'what stands is not posted again')
  a!.put({ labels, annotations: { summary: 'a2' } })
  await mode.round()
  t.match(a!.shown()[0]!.annotations, { summary: 'a2', ...ours }, 'wiped by the sender, back again')
  t.match(mode.status(), [{ state: 'ok', posts: 2, checks: 2, present: 1 }, { state: 'ok', posts: 0 }])
})

t.test('API mode: never posts from the store alone; a restarted peer gets ours back, an alert that stays away is let go', async t => {
  const { peers: [peer], mode, active, clock } = await apiMode(t)
  peer!.put({ labels })
  await mode.round()
  peer!.alerts.clear()
  await mode.round()
  await mode.round()
  t.equal(peer!.posts.length, 1)
  peer!.put({ labels, annotations: { summary: 'sent again' } })
  await mode.round()
  t.match(peer!.shown()[0]!.annotations, { summary: 'sent again', ...ours }, 'after the restart')
  peer!.alerts.clear()
  await mode.round()
  clock.ahead = 151_000
  await mode.round()
  t.equal(await active(), 0)
  t.equal(peer!.posts.length, 2)
})

t.test('API mode: whether an alert has ended is for Alertmanager\'s clock to say, not for ours', async t => {
  const { peers: [peer], mode, clock } = await apiMode(t)
  peer!.put({ labels })
  clock.ahead = 7 * 86_400_000
  await mode.round()
  t.match(peer!.shown()[0]!.annotations, ours, 'a week ahead')
  peer!.alerts.clear()
  peer!.put({ labels, endsAt: iso(Date.now() + 8_000) })
  clock.ahead = -3_600_000
  await mode.round()
  t.equal(peer!.posts.length, 1, 'an hour behind, and it ends in a moment')
})

t.test('API mode: a peer that is down costs only itself, and nothing counts as gone meanwhile', async t => {
  const { peers: [a, b], mode, active } = await apiMode(t, 2)
  a!.put({ labels })
  b!.status = 503
  await mode.round()
  t.match(a!.shown()[0]!.annotations, ours)
  a!.alerts.clear()
  for (let round = 0; round < 4; round++) await mode.round()
  t.equal(await active(), 1)
  t.match(mode.status()[1], { state: 'unreachable' })
  const asked = b!.gets
  await mode.round()
  t.equal(b!.gets, asked, 'it is not asked at each poll')
})

t.test('API mode: an address that does not parse costs only itself', async t => {
  const { peers: [peer], mode, write } = await apiMode(t)
  const odd = { ...labels, name: 'odd' }
  await write({ labels: odd })
  peer!.put({ labels })
  peer!.put({ labels: odd, generatorURL: '::not a url' })
  await mode.round()
  t.match(peer!.shown().map(({ annotations }) => annotations), [ours, ours])
})

t.test('API mode: a second program that takes turns with us is noticed', async t => {
  const writer = new OtherWriter()
  for (let turn = 0; turn < 7; turn++) writer.lost(turn % 2 === 0 ? { summary: 's', other: '1' } : { summary: 's' }, now + turn * 1_000)
  t.equal(writer.backsOff(now + 8_000), true)
  t.equal(writer.backsOff(now + 700_000), false)
  const sender = new OtherWriter()
  for (let turn = 0; turn < 50; turn++) sender.lost({ summary: 's' }, now + turn * 1_000)
  t.equal(sender.backsOff(now + 51_000), false, 'the sender itself is no other writer')
  const presence = new Presence()
  for (let look = 0; look < 4; look++) presence.seen(look < 3)
  t.equal(presence.seen(false), 0.6)
  for (let look = 0; look < 1_000; look++) presence.seen(true)
  t.equal(presence.seen(true), 1, 'old looks are forgotten')
  const period = new SenderPeriod()
  for (const at of [0, 90_000, 180_000, 185_000, 275_000]) period.sent(now + at)
  t.equal(period.period(), 90_000)
})

async function streaming (t: Test, mode: 'tee' | 'relay', options: { hold?: string, known?: boolean } = {}) {
  const upstream = await startFakeAlertmanager()
  const { store, write } = await target(t, options.known === false ? { labels: { ...labels, name: 'somebody-else' } } : {})
  const config = loadConfig({ ALERTMANAGER_URLS: upstream.url })
  config.alertmanager.mode = mode
  config.alertmanager.hold = Number(options.hold ?? 0)
  const unknown: string[] = []
  const writeBack = startWriteBack({ config, store, clock: { now: Date.now }, route: direct, log, onUnknown: ({ fingerprint: print }) => { unknown.push(print) } })
  const app = fastify()
  await writeBack.routes(app)
  t.teardown(async () => {
    await app.close()
    await writeBack.stop()
    await upstream.close()
  })
  const send = (body: unknown, headers: Record<string, string> = {}) => app.inject({ method: 'POST', url: '/api/v2/alerts', payload: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } })
  return { upstream, writeBack, write, send, unknown, app }
}
const sent = (change: Record<string, unknown> = {}) => ({ labels, annotations: { summary: 's' }, startsAt: iso(Date.now() - 60_000), endsAt: iso(Date.now() + 240_000), generatorURL: 'http://p', future: { kept: true }, ...change })

t.test('tee: the sender is answered at once, each copy is followed by ours with the same times', async t => {
  const { upstream, send } = await streaming(t, 'tee')
  const firing = sent()
  t.equal((await send([firing, { ...sent(), labels: { alertname: 'Other' } }])).statusCode, 200)
  await eventually(() => upstream.posts.length === 1, 'our copy')
  t.match(upstream.posts[0]!.alerts, [{ endsAt: firing.endsAt, annotations: { summary: 's', ...ours } }])
  t.equal(upstream.posts[0]!.alerts.length, 1, 'other alerts are not ours')
  const over = sent({ endsAt: iso(Date.now() - 1_000) })
  await send([over])
  await eventually(() => upstream.posts.length === 2, 'the resolved copy')
  t.match(upstream.posts[1]!.alerts, [{ endsAt: over.endsAt, annotations: ours }])
})

t.test('tee: an alert that nobody knows begins its diagnosis before the webhook comes, and is pushed when it is there', async t => {
  const { upstream, send, unknown, write, writeBack } = await streaming(t, 'tee', { known: false })
  await send([sent()])
  await eventually(() => unknown.length === 1, 'the unknown alert')
  t.equal(upstream.posts.length, 0)
  await write({ labels })
  writeBack.wake()
  await eventually(() => upstream.posts.length === 1, 'the push')
  t.match(upstream.posts[0]!.alerts, [{ annotations: ours }])
})

t.test('tee: a copy of ours that came before the sender\'s own is posted again, from what Alertmanager shows', async t => {
  const { upstream, send } = await streaming(t, 'tee')
  const firing = sent()
  let overtaken = true
  upstream.onPost = () => {
    if (!overtaken) return
    overtaken = false
    // The sender's own copy lands right behind ours.
    setImmediate(() => { upstream.put({ ...firing, annotations: { summary: 'later' } }) })
  }
  await send([firing])
  await eventually(() => upstream.shown()[0]?.annotations.summary === 'later' && upstream.shown()[0]?.annotations.acme_triage_cause === ours.acme_triage_cause, 'ours again, beside the newer words')
  t.equal(upstream.shown()[0]!.endsAt, firing.endsAt)
  await send([{ ...firing, endsAt: iso(Date.now() - 1_000) }])
  await eventually(() => upstream.shown().length === 0, 'the end')
  const posts = upstream.posts.length
  // Until after the last look that the first post has asked for.
  await new Promise(resolve => { setTimeout(resolve, 1_100) })
  t.equal(upstream.posts.length, posts, 'nobody fires it again')
})

t.test('relay: everything passes unchanged but for our annotations; what cannot be read passes byte for byte', async t => {
  const { upstream, send } = await streaming(t, 'relay')
  const other = { labels: { alertname: 'Other' }, annotations: {}, startsAt: iso(Date.now()) }
  t.equal((await send([sent(), other])).statusCode, 200)
  t.match(upstream.posts[0]!.alerts, [{ annotations: { summary: 's', ...ours }, future: { kept: true } }, other])
  const odd = '[{"labels" : 7 }]'
  await send(odd)
  t.equal(upstream.posts[1]!.raw, odd)
  const plain = `[ ${JSON.stringify(other)} ]`
  await send(plain)
  t.equal(upstream.posts[2]!.raw, plain)
  t.equal((await send([sent()], { 'x-acme-triage-hop': '1' })).statusCode, 508, 'its own upstream')
})

t.test('relay: a new alert is held for its diagnosis, and passes without when time is up', async t => {
  const quick = await streaming(t, 'relay', { known: false, hold: '5000' })
  t.equal((await quick.send([sent()])).statusCode, 200)
  t.equal(quick.upstream.posts.length, 0, 'held')
  await quick.write({ labels })
  quick.writeBack.wake()
  await eventually(() => quick.upstream.posts.length === 1, 'released with its diagnosis')
  t.match(quick.upstream.posts[0]!.alerts, [{ annotations: { summary: 's', ...ours }, future: { kept: true } }])
  const slow = await streaming(t, 'relay', { known: false, hold: '100' })
  await slow.send([sent()])
  await eventually(() => slow.upstream.posts.length === 1, 'released without')
  t.same(slow.upstream.posts[0]!.alerts[0]!.annotations, { summary: 's' })
})

t.test('relay: an upstream that refuses is heard, one that is away is a bad gateway', async t => {
  const { upstream, send, writeBack } = await streaming(t, 'relay')
  upstream.status = 400
  t.equal((await send([sent()])).statusCode, 400)
  upstream.status = 503
  t.equal((await send([sent()])).statusCode, 502)
  await upstream.close()
  t.equal((await send([sent()])).statusCode, 502)
  t.equal(writeBack.ready(), false)
})

t.test('metric: one series for each order, hostile values harmless, and the rule text that reads it', async t => {
  const one = { fingerprint: 'f', incident: 'i', labels: { ...labels, namespace: 'cert-manager', exported_namespace: 'shop' }, annotations: { acme_triage_cause: 'a"b\\c\nd\u0007', acme_triage_report: 'http://x' }, hash: '', until: 0 }
  const text = renderInfoMetric([one, one])
  t.match(text, 'acme_diagnosis_info{namespace="shop",name="shop-tls-1-42",cause="a\\"b\\\\c\\nd ",url="http://x"} 1')
  t.equal(text.split('\n').filter(line => line.startsWith('acme_diagnosis_info{')).length, 1)
  t.match(ruleAnnotations().acme_triage_cause, /query \(printf "acme_diagnosis_info\{namespace=%q,name=%q\}"/)
})
