import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { buildApp, type App } from '../src/app.ts'
import { healedBy, nextLook } from '../src/accept/watch.ts'
import { buildInvestigate, type Investigate } from '../src/investigate.ts'
import type { Config } from '../src/shared/config/config.ts'
import { loadConfig } from '../src/shared/config/load.ts'
import { buildLog } from '../src/shared/log.ts'
import type { Case } from '../src/shared/types/case.ts'
import { seen } from '../src/shared/types/common.ts'
import { unpackObservations } from '../src/packed-observations.ts'
import type { KubeObject } from '../src/shared/types/kubernetes.ts'
import { openWorld } from '../src/world/world.ts'
import { aCaseDirectory, aFailingCluster, failureTime } from './support/cluster.ts'
import { handClock, recording, start, webhookBody, type AlertShape } from './support/intake.ts'

const minute = 60_000

interface Opened { app: App, clock: ReturnType<typeof handClock>, post (...alerts: AlertShape[]): Promise<string>, get (url: string, headers?: Record<string, string>): Promise<{ statusCode: number, body: string, headers: Record<string, unknown> }> }

/** The whole service on a store in memory, without cluster and Slack. */
async function open (change: (config: Config) => void = () => {}, investigate?: Investigate): Promise<Opened> {
  const config = loadConfig({ ACME_TRIAGE_PROBES: 'off', ACME_TRIAGE_DATA_DIR: ':memory:' })
  change(config)
  const clock = handClock()
  const app = await buildApp(config, { clients: {}, clock, log: buildLog({ level: 'silent' }), investigate: investigate ?? buildInvestigate(config, {}, clock) })
  return {
    app, clock,
    async post (...alerts) {
      const response = await app.server.inject({ method: 'POST', url: '/webhook', headers: { 'content-type': 'application/json' }, payload: JSON.stringify(webhookBody(alerts)) })
      if (response.statusCode !== 200) throw new Error(response.body)
      return response.body
    },
    get: (url, headers = {}) => app.server.inject({ method: 'GET', url, headers })
  }
}

/** Waits for what the worker does beside the test. */
async function until (condition: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end;) {
    if (await condition()) return
    await new Promise(resolve => { setImmediate(resolve) })
  }
  throw new Error('it did not happen')
}

const only = async (app: App) => (await app.store.incidents.page({ limit: 10 })).rows[0]!

t.test('from the alert to the page', async t => {
  const { app, clock, post, get } = await open()
  t.teardown(() => app.close())
  await post({ labels: { certificate: 'shop-tls', note: '<img src=x onerror=alert(1)>' } })
  await until(async () => (await only(app)).looks === 1)
  const { id } = await only(app)

  const list = await get('/')
  t.match(list.headers['content-security-policy'], /default-src 'none'/)
  t.match(list.body, /shop\/shop-tls/)
  const page = await get(`/incidents/${id}`)
  t.equal(page.statusCode, 200)
  t.match(page.body, /shop-tls/)
  t.notMatch(page.body, /<img src=x/, 'cluster text is text')
  const json = JSON.parse((await get(`/incidents/${id}.json`)).body) as Record<string, unknown>
  t.match(json, { id, namespace: 'shop', certificate: 'shop-tls', state: 'open', cause: 'unknown', openedAt: '2026-11-25T10:00:00.000Z', diagnosis: { verdict: 'unknown' }, finding: { format: 1 } })
  t.match(JSON.parse((await get('/incidents.json')).body), { incidents: [{ id, state: 'open' }], next: null })
  t.match((await get('/metrics')).body, /acme_triage_diagnosis_seconds_count 1/)
  t.match((await get('/metrics')).body, /acme_triage_incidents{state="open"} 1/)

  clock.advance(minute)
  await post({ status: 'resolved', labels: { certificate: 'shop-tls', note: '<img src=x onerror=alert(1)>' }, endsAt: '2026-11-25T10:00:30Z' })
  await until(async () => (JSON.parse((await app.store.incidents.get(id))!.finding!) as { closed?: string }).closed !== undefined)
  t.match(await only(app), { state: 'resolved' })
  t.match((await get(`/incidents/${id}`)).body, /[Rr]esolved/)
  t.equal((await app.store.jobs.depth()).next, undefined, 'the watch has ended')
})

t.test('addresses and their refusals', async t => {
  const { app, get, post } = await open(config => { config.pages.tokens = ['page-token'] })
  t.teardown(() => app.close())
  await post({})
  for (const [url, status, says] of [
    ['/healthz', 200, /ok/], ['/readyz', 200, /ready/], ['/metrics', 200, /acme_triage_notifications_total/],
    ['/', 401, /PAGE_UNAUTHENTICATED/], ['/incidents.json', 401, /PAGE_UNAUTHENTICATED/], ['/incidents/x', 401, /PAGE/], ['/causes', 401, /PAGE/],
    ['/nothing', 404, /NOT_FOUND/], ['/webhook/', 405, /WEBHOOK_METHOD/]
  ] as const) {
    const response = await get(url)
    t.equal(response.statusCode, status, url)
    t.match(response.body, says)
  }
  const bearer = { authorization: 'Bearer page-token' }
  for (const [url, status] of [
    ['/', 200], ['/causes', 200], ['/page.css', 200], ['/incidents.json?limit=1&state=open', 200], ['/causes/acme-rate-limited', 200],
    ['/incidents/none', 404], ['/incidents/none.json', 404], ['/incidents/..%2f..%2fetc', 404], ['/causes/none', 404],
    ['/incidents.json?limit=0', 400], ['/incidents.json?after=x', 400], ['/incidents.json?state=bad', 400], ['/incidents.json?limit=1&limit=2', 400], ['/incidents/none/case.tar?look=a&look=b', 400]
  ] as const) t.equal((await get(url, bearer)).statusCode, status, url)
  const first = await get('/?token=page-token')
  t.equal(first.statusCode, 200)
  const cookie = String(first.headers['set-cookie']).split(';', 1)[0]!
  t.equal((await get('/', { cookie })).statusCode, 200, 'the links of a page carry no token; the browser does')
  t.equal((await get('/', { cookie: 'acme_triage_token=%zz' })).statusCode, 401)
})

t.test('a look that fails is tried again, and intake does not notice', async t => {
  let calls = 0
  const { app, clock, post } = await open(() => {}, async () => { calls++; throw new Error('the program is at fault') })
  t.teardown(() => app.close())
  await post({})
  await until(async () => calls === 1)
  await post({ fingerprint: 'b'.repeat(16), labels: { certificate: 'other' } })
  await until(async () => calls === 2 && (await app.store.jobs.depth()).next !== undefined)
  clock.advance(6_000)
  app.worker.wake()
  await until(async () => calls === 4)
  t.match((await app.server.inject('/metrics')).body, /acme_triage_jobs_total{outcome="failed"} [34]/)
})

t.test('a storm is accepted whole and looked at a few at a time', async t => {
  let running = 0
  let most = 0
  const config = loadConfig({ ACME_TRIAGE_PROBES: 'off' })
  const clock = handClock()
  const investigate = buildInvestigate(config, {}, clock)
  const { app, post } = await open(() => {}, async alerts => {
    most = Math.max(most, ++running)
    const found = await investigate(alerts)
    await new Promise(resolve => { setImmediate(resolve) })
    running--
    return found
  })
  t.teardown(() => app.close())
  await Promise.all(Array.from({ length: 20 }, (_, body) => post(...Array.from({ length: 10 }, (_, index) => ({ fingerprint: `${body}-${index}`, labels: { certificate: `c-${body}-${index}` } })))))
  t.equal((await app.store.incidents.page({ limit: 1_000 })).rows.length, 200)
  await until(async () => (await app.store.jobs.depth()).due === 0 && running === 0)
  t.equal(most <= 4, true, `${most} at once`)
})

t.test('looks have a thread of their own, and one that dies costs a look and not the service', async t => {
  const caa = 'acme: authorization error for shop.example.com: 403 urn:ietf:params:acme:error:caa: CAA record for shop.example.com prevents issuance'
  const objects = JSON.parse(JSON.stringify(aFailingCluster()).replace(/Error accepting authorization: [^"]*/, `Error accepting authorization: ${caa}`)) as KubeObject[]
  const world = await openWorld(aCaseDirectory({ objects }))
  const marker = join(t.testdir(), 'loaded')
  // A module of the site that ends the thread when it is read for the first time.
  const causesDirectory = t.testdir({ 'site-harmful.mjs': `import { existsSync, writeFileSync } from 'node:fs'
if (!existsSync(${JSON.stringify(marker)})) { writeFileSync(${JSON.stringify(marker)}, ''); process.exit(3) }
export default {}` })
  const config = { ...loadConfig({ ACME_TRIAGE_PROBES: 'off', ACME_TRIAGE_DATA_DIR: ':memory:' }), kubernetes: { kubeconfig: world.kubeconfig, certificateEvents: false }, causesDirectory }
  const clock = handClock(failureTime + minute)
  const lines: string[] = []
  const app = await buildApp(config, { clients: {}, clock, log: buildLog({ level: 'error', destination: { write: line => { lines.push(line) } } }), lookThread: true })
  t.teardown(async () => {
    await app.close()
    await world.close()
  })
  const recorded = { at: failureTime, kind: 'Order' as const, namespace: 'shop', name: 'web-tls-1-99', uid: 'earlier', certificate: 'web-tls', state: 'invalid', reason: '' }
  await app.store.recorder.add([recorded])
  const labels = { namespace: 'shop', certificate: 'web-tls' }
  await app.server.inject({ method: 'POST', url: '/webhook', headers: { 'content-type': 'application/json' }, payload: JSON.stringify(webhookBody([{ labels }])) })
  await until(async () => lines.length > 0 && (await app.store.jobs.depth()).next !== undefined)
  t.match(lines.join(''), /the thread of the looks ended.*ended with 3|ended with 3.*the thread of the looks ended/s)
  clock.advance(6_000)
  app.worker.wake()
  await until(async () => (await only(app)).looks === 1)
  const { id, cause } = await only(app)
  t.equal(cause, 'acme-caa-forbids-issuer')
  const { recorded: read } = await unpackObservations((await app.store.incidents.latestObservations(id))!)
  t.match(read, [{ uid: 'earlier' }], 'what the recorder kept crosses over')
})

t.test('a rule that loses names and a body that was cut are told on the page and in its JSON', async t => {
  const { app, get } = await open()
  t.teardown(() => app.close())
  const body = webhookBody([{ labels: { certificate: undefined, domain: 'shop.example.com' } }], { truncatedAlerts: 7 })
  await app.server.inject({ method: 'POST', url: '/webhook', headers: { 'content-type': 'application/json' }, payload: JSON.stringify(body) })
  await until(async () => (await only(app)).looks === 1)
  const { id } = await only(app)
  for (const place of [await get(`/incidents/${id}`), await get(`/incidents/${id}.json`)]) {
    for (const part of [/Left out by Alertmanager[^]{0,60}7 alerts/, /Decided by namespace \+ domain: Domain shop\/shop\.example\.com/, /The rule loses the name of the Certificate\. Keep it: max by/]) t.match(place.body, part)
  }
})

t.test('every recorded body runs through the whole service', async t => {
  const { app } = await open()
  t.teardown(() => app.close())
  for (const name of ['0.25/webhook-firing-single', '0.25/webhook-firing-group-of-2', '0.34/webhook-firing-truncated-max2-of-4', '0.34/webhook-group-mixed-firing-and-resolved']) {
    await app.server.inject({ method: 'POST', url: '/webhook', headers: { 'content-type': 'application/json' }, payload: recording(`alertmanager-${name}`) })
  }
  await until(async () => (await app.store.jobs.depth()).due === 0)
  const { rows } = await app.store.incidents.page({ limit: 100 })
  await until(async () => (await app.store.incidents.page({ limit: 100 })).rows.every(({ looks }) => looks === 1))
  t.equal(rows.length, 8)
})

t.test('when to look again', t => {
  const at = (age: number, nextTry?: number) => nextLook({ now: start + age, opened: start, nextTry: nextTry === undefined ? undefined : start + nextTry }) - start
  t.equal(at(2_000), minute)
  t.equal(at(61_000), 5 * minute)
  t.equal(at(301_000), 15 * minute)
  t.equal(at(16 * minute), 31 * minute)
  t.equal(at(180 * minute), 240 * minute)
  t.equal(at(61_000, 2 * minute), 2 * minute + 30_000, 'when the next attempt is due')
  t.equal(at(61_000, 60 * minute), 5 * minute)
  t.equal(at(61_000, -minute), 5 * minute, 'an attempt that was due is no reason')
  t.end()
})

t.test('what counts as healed', t => {
  const certificate = (over: object) => seen({ ready: { type: 'Ready', status: 'True', lastTransitionTime: new Date(start - 86_400_000).toISOString() }, failedIssuanceAttempts: 0, ...over })
  const incident = (certificateFacts: unknown, attempts: object[] = [{ at: start, state: 'invalid', current: true }], request: unknown = { is: 'absent' }) =>
    healedBy({ anchor: { time: start, from: '' }, attempts, facts: { certificate: certificateFacts, request } } as unknown as Case)
  t.equal(incident(certificate({})), undefined, 'the old certificate is Ready while its renewal fails')
  t.equal(incident(certificate({ lastFailureTime: start })), undefined)
  t.equal(incident(certificate({ ready: { status: 'True', lastTransitionTime: new Date(start + 1_000).toISOString() } })), 'the Certificate became Ready')
  t.equal(incident(certificate({ ready: { status: 'True', lastTransitionTime: new Date(start + 1_000).toISOString() }, failedIssuanceAttempts: 1 })), undefined)
  t.equal(incident(certificate({ ready: { status: 'False' } })), undefined)
  t.equal(incident({ is: 'unavailable', why: 'forbidden' }), undefined)
  t.match(incident({ is: 'absent' }, [{ at: start, state: 'invalid', current: true }, { at: start + minute, state: 'valid', order: 'o2', current: false }]), /o2/)
  t.equal(incident({ is: 'absent' }, [{ at: start, state: 'invalid', current: true }, { at: start - minute, state: 'valid', order: 'o0', current: false }]), undefined, 'an older success')
  t.match(incident(certificate({ revision: 3 }), undefined, seen({ ready: { status: 'False' }, failureTime: start, revision: 3 })), /revision 3/)
  t.end()
})

t.test('serve starts with nothing configured, tells where, and ends on a signal', async t => {
  const child = spawn(process.execPath, [new URL('../src/main.ts', import.meta.url).pathname, 'serve'], {
    env: { PATH: process.env.PATH, ACME_TRIAGE_LISTEN: '127.0.0.1:0', ACME_TRIAGE_DATA_DIR: t.testdir(), ACME_TRIAGE_PROBES: 'off' }, stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, address } = JSON.parse(line) as { msg: string, address?: string }
    if (msg === 'listening') {
      t.equal((await fetch(`${address}/readyz`)).status, 200)
      child.kill('SIGTERM')
    }
  }
  if (child.exitCode === null) await once(child, 'exit')
  t.equal(child.exitCode, 0)
})

t.test('a wrong call says what is right', async t => {
  for (const [args, status, says] of [[['serv'], 2, /Did you mean serve/], [['diagnose', 'x'], 2, /NAMESPACE\/CERTIFICATE/], [['serve', '--config', '/nowhere.yaml'], 1, /CONFIG_UNREADABLE/]] as const) {
    const child = spawn(process.execPath, [new URL('../src/main.ts', import.meta.url).pathname, ...args], { env: { PATH: process.env.PATH }, stdio: ['ignore', 'ignore', 'pipe'] })
    const chunks: Buffer[] = []
    for await (const chunk of child.stderr) chunks.push(chunk as Buffer)
    if (child.exitCode === null) await once(child, 'exit')
    t.equal(child.exitCode, status, args.join(' '))
    t.match(Buffer.concat(chunks).toString(), says)
  }
})
