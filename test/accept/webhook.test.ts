import t from 'tap'
import { openIntake, recording, webhookBody, type AlertShape, type Intake } from '../support/intake.ts'

const json = { 'content-type': 'application/json' }
const post = (intake: Intake, payload: string | object, headers: Record<string, string> = json, url = '/webhook') =>
  intake.server.inject({ method: 'POST', url, headers, payload: typeof payload === 'string' ? payload : JSON.stringify(payload) })
const states = async (intake: Intake) => (await intake.store.incidents.page({ limit: 100 })).rows.map(({ certificate, state }) => `${certificate} ${state}`)
const metric = async (intake: Intake, line: RegExp) => line.test(await intake.metrics.registry.metrics())

t.test('every answer of the webhook', async t => {
  const intake = await openIntake(config => {
    config.webhook.tokens = ['old-token', 'new-token']
    config.webhook.basic = [{ user: 'am', password: 'pass:word' }]
  })
  t.teardown(() => intake.close())
  const bearer = { ...json, authorization: 'Bearer new-token' }
  const good = JSON.stringify(webhookBody([{}]))
  const basic = (pair: string) => ({ ...json, authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
  const cases: { title: string, method?: string, url?: string, headers?: Record<string, string>, body?: string, status: number, code?: string, says?: RegExp }[] = [
    { title: 'a good body with the new token', status: 200 },
    { title: 'the old token during a rotation', headers: { ...json, authorization: 'Bearer old-token' }, status: 200 },
    { title: 'the scheme in small letters', headers: { ...json, authorization: 'bearer new-token' }, status: 200 },
    { title: 'basic authentication, colon in the password', headers: basic('am:pass:word'), status: 200 },
    { title: 'basic authentication with a token as password', headers: basic('anybody:old-token'), status: 200 },
    { title: 'the token in the query', headers: json, url: '/webhook?token=new-token', status: 200 },
    { title: 'a charset in the content type', headers: { ...bearer, 'content-type': 'application/json; charset=utf-8' }, status: 200 },
    { title: 'GET', method: 'GET', status: 405, code: 'WEBHOOK_METHOD' },
    { title: 'PUT, even without credentials', method: 'PUT', headers: {}, status: 405, code: 'WEBHOOK_METHOD' },
    { title: 'text/plain, even without credentials', headers: { 'content-type': 'text/plain' }, status: 415, code: 'WEBHOOK_TYPE' },
    { title: 'no content type', headers: { authorization: 'Bearer new-token' }, status: 415, code: 'WEBHOOK_TYPE' },
    { title: '9 MiB, even without credentials', headers: json, body: JSON.stringify({ x: 'x'.repeat(9 * 1_048_576) }), status: 413, code: 'WEBHOOK_TOO_LARGE', says: /8388608/ },
    { title: 'no credentials', headers: json, status: 401, code: 'WEBHOOK_UNAUTHENTICATED' },
    { title: 'no credentials and no JSON: credentials come first', headers: json, body: '{', status: 401, code: 'WEBHOOK_UNAUTHENTICATED' },
    { title: 'a wrong token', headers: { ...json, authorization: 'Bearer new-tokem' }, status: 401, code: 'WEBHOOK_BAD_CREDENTIALS' },
    { title: 'a wrong password', headers: basic('am:password'), status: 401, code: 'WEBHOOK_BAD_CREDENTIALS' },
    { title: 'a wrong token in the query', headers: json, url: '/webhook?token=x', status: 401, code: 'WEBHOOK_BAD_CREDENTIALS' },
    { title: 'another scheme', headers: { ...json, authorization: 'Digest new-token' }, status: 401, code: 'WEBHOOK_BAD_CREDENTIALS' },
    { title: 'not JSON', body: '{"version": "4", ', status: 400, code: 'WEBHOOK_JSON' },
    { title: 'nothing', body: '', status: 400, code: 'WEBHOOK_JSON', says: /empty/ },
    { title: 'an array', body: '[]', status: 400, code: 'WEBHOOK_SCHEMA', says: /body must be object/ },
    { title: 'null', body: 'null', status: 400, code: 'WEBHOOK_SCHEMA' },
    { title: 'a body made by payload:', body: '{"text": "hello"}', status: 400, code: 'WEBHOOK_PAYLOAD', says: /payload:/ },
    { title: 'no alerts', body: '{"version": "4"}', status: 400, code: 'WEBHOOK_PAYLOAD', says: /"alerts"/ },
    { title: 'version 3', body: JSON.stringify(webhookBody([{}], { version: '3' })), status: 400, code: 'WEBHOOK_SCHEMA', says: /version .*4, 1/ },
    { title: 'alerts that are no list', body: '{"version": "4", "alerts": {}}', status: 400, code: 'WEBHOOK_SCHEMA', says: /alerts must be array/ },
    { title: 'an alert without labels', body: '{"version": "4", "alerts": [{}]}', status: 400, code: 'WEBHOOK_SCHEMA', says: /alerts\/0 .*labels/ },
    { title: 'a number as a label', body: JSON.stringify(webhookBody([{ labels: { order: 7 } }])), status: 400, code: 'WEBHOOK_SCHEMA', says: /labels\/order must be string/ },
    { title: 'a start that is no time', body: JSON.stringify(webhookBody([{ startsAt: 'yesterday' }])), status: 400, code: 'WEBHOOK_SCHEMA', says: /startsAt/ }
  ]
  for (const { title, method = 'POST', url = '/webhook', headers = bearer, body = good, status, code, says } of cases) {
    await t.test(title, async t => {
      const response = await intake.server.inject({ method: method as 'POST', url, headers, ...(method === 'GET' ? {} : { payload: body }) })
      t.equal(response.statusCode, status, response.body.slice(0, 300))
      t.match(response.headers['content-type'], /json/)
      t.equal(response.body.trimEnd().includes('\n'), false, 'one line, for the log of the sender')
      if (code === undefined) return
      const answer = response.json<{ code: string, message: string, hint: string }>()
      t.equal(answer.code, code)
      t.ok(answer.hint.length > 10)
      if (says !== undefined) t.match(`${answer.message} ${answer.hint}`, says)
      t.equal(await metric(intake, new RegExp(`rejected_bodies_total{code="${code}"} [1-9]`)), true, 'counted')
    })
  }
  t.equal((await intake.server.inject({ method: 'GET', url: '/webhook' })).headers.allow, 'POST')
  t.match((await post(intake, good)).headers['www-authenticate'], /Bearer/)
  t.notMatch(intake.lines.join(''), /new-toke|old-token|pass:word/, 'no credential in the log')

  const rejected = await intake.store.context.database.selectFrom('rejected').selectAll().execute()
  t.equal(rejected.some(({ code, raw }) => code === 'WEBHOOK_SCHEMA' && raw.includes('yesterday')) || rejected.length === 10, true, 'refused bodies are kept')
  t.equal(rejected.length <= 10, true, 'at most ten a second')
  t.same(await states(intake), ['shop-tls open'], 'and nothing else came of them')
})

t.test('what real Alertmanagers post', async t => {
  const intake = await openIntake()
  t.teardown(() => intake.close())
  const names = [
    ['0.25/webhook-firing-single', 1, 0], ['0.25/webhook-firing-group-of-2', 2, 0], ['0.25/webhook-firing-truncated-max2-of-4', 2, 0], ['0.25/webhook-firing-basic-auth', 1, 0],
    // The same names, but of another cluster than the first.
    ['0.25/webhook-firing-repeat', 1, 0], ['0.25/webhook-group-mixed-firing-and-resolved', 0, 1], ['0.25/webhook-resolved-single', 0, 1],
    // Meets the open incident of the repeat above.
    ['0.34/webhook-firing-single', 0, 0], ['0.34/webhook-firing-repeat', 1, 0], ['0.34/webhook-firing-truncated-max2-of-4', 2, 0],
    ['0.34/webhook-firing-annotations-written-back', 2, 0], ['0.34/webhook-group-mixed-firing-and-resolved', 3, 0], ['0.34/webhook-resolved-group', 0, 3]
  ] as const
  for (const [name, opened, resolved] of names) {
    const response = await post(intake, recording(`alertmanager-${name}`))
    t.match(response.json(), { status: 'accepted', opened, resolved }, name)
    const again = await post(intake, recording(`alertmanager-${name}`))
    t.match(again.json(), { opened: 0, joined: 0, resolved: 0 }, `${name}, delivered again`)
  }
  const { rows } = await intake.store.incidents.page({ limit: 100 })
  t.match(rows.find(({ certificate }) => certificate === 'w1'), { truncated: 2 }, 'cut groups are known as cut')
})

t.test('episodes', async t => {
  const firing = (startsAt: string, rest: AlertShape = {}) => ({ startsAt, ...rest })
  const resolved = (startsAt: string, endsAt: string, rest: AlertShape = {}) => ({ status: 'resolved', startsAt, endsAt, ...rest })
  const at = (minute: number) => `2026-11-25T09:${String(minute).padStart(2, '0')}:00Z`
  const cases: { title: string, posts: AlertShape[][], ends: string[] }[] = [
    { title: 'fires', posts: [[firing(at(0))]], ends: ['shop-tls open'] },
    { title: 'fires and resolves', posts: [[firing(at(0))], [resolved(at(0), at(9))]], ends: ['shop-tls resolved'] },
    { title: 'a firing retry that comes after the resolve changes nothing', posts: [[firing(at(0))], [resolved(at(0), at(9))], [firing(at(0))]], ends: ['shop-tls resolved'] },
    { title: 'a firing copy whose start lies inside the episode that ended is late too', posts: [[firing(at(0))], [resolved(at(0), at(9))], [firing(at(5))]], ends: ['shop-tls resolved'] },
    { title: 'a resolve that comes before its firing wins', posts: [[resolved(at(0), at(9))], [firing(at(0))]], ends: [] },
    { title: 'a resolve with a later start ends the episode that went on', posts: [[firing(at(0))], [resolved(at(5), at(9))]], ends: ['shop-tls resolved'] },
    { title: 'a later start continues an open incident', posts: [[firing(at(0))], [firing(at(5))]], ends: ['shop-tls open'] },
    { title: 'a resolve of an older episode leaves the newer one', posts: [[firing(at(0))], [firing(at(5))], [resolved(at(0), at(2))]], ends: ['shop-tls open'] },
    { title: 'a re-fire inside the flap window opens the same incident', posts: [[firing(at(0))], [resolved(at(0), at(5))], [firing(at(6))]], ends: ['shop-tls open'] },
    { title: 'two alerts of one certificate are one incident', posts: [[firing(at(0)), firing(at(0), { fingerprint: 'b'.repeat(16), labels: { reason: 'x' } })]], ends: ['shop-tls open'] },
    { title: 'which ends with the last of them', posts: [[firing(at(0)), firing(at(0), { fingerprint: 'b'.repeat(16) })], [resolved(at(0), at(3))]], ends: ['shop-tls open'] },
    { title: 'in one body one resolves and the other goes on', posts: [[firing(at(0))], [resolved(at(0), at(3)), firing(at(3), { fingerprint: 'b'.repeat(16) })]], ends: ['shop-tls open'] },
    { title: 'each alert of a group is its own', posts: [[firing(at(0)), firing(at(0), { fingerprint: 'b'.repeat(16), labels: { certificate: 'other' } })]], ends: ['other open', 'shop-tls open'] }
  ]
  for (const { title, posts, ends } of cases) {
    await t.test(title, async t => {
      const intake = await openIntake()
      t.teardown(() => intake.close())
      for (const alerts of posts) {
        t.equal((await post(intake, webhookBody(alerts))).statusCode, 200)
        intake.clock.advance(1_000)
      }
      t.same((await states(intake)).sort(), ends)
    })
  }

  await t.test('a re-fire after the flap window is a new incident that knows the old one', async t => {
    const intake = await openIntake()
    t.teardown(() => intake.close())
    await post(intake, webhookBody([firing(at(0))]))
    await post(intake, webhookBody([resolved(at(0), at(9))]))
    intake.clock.advance(601_000)
    await post(intake, webhookBody([firing('2026-11-25T10:10:00Z')]))
    const { rows: [second, first] } = await intake.store.incidents.page({ limit: 10 })
    t.equal(second?.state, 'open')
    t.equal(second?.previous_id, first?.id)
  })

  await t.test('a redelivery after a week changes nothing', async t => {
    const intake = await openIntake()
    t.teardown(() => intake.close())
    await post(intake, webhookBody([firing(at(0))]))
    await post(intake, webhookBody([resolved(at(0), at(9))]))
    intake.clock.advance(7 * 86_400_000)
    await intake.store.housekeeping.sweep({ retention: 30 * 86_400_000 })
    t.match((await post(intake, webhookBody([firing(at(0))]))).json(), { opened: 0, joined: 0, unchanged: 1 })
    t.same(await states(intake), ['shop-tls resolved'])
  })

  await t.test('an alert of another cluster is kept and opens nothing', async t => {
    const intake = await openIntake(config => { config.cluster = 'ours' })
    t.teardown(() => intake.close())
    t.match((await post(intake, webhookBody([{ labels: { cluster: 'theirs' } }]))).json(), { status: 'accepted', opened: 0 })
    t.match((await post(intake, webhookBody([{ labels: { cluster: 'ours' }, fingerprint: 'c'.repeat(16) }]))).json(), { opened: 1 })
  })
})

t.test('odd and hostile bodies', async t => {
  const intake = await openIntake()
  t.teardown(() => intake.close())
  const alerts = async () => (await intake.store.context.database.selectFrom('alert').selectAll().execute()).map(row => ({ ...row, labels: JSON.parse(row.labels) as Record<string, string> }))

  t.equal((await post(intake, webhookBody([{ labels: { reason: 'x'.repeat(100_000) }, fingerprint: '1'.repeat(16) }]))).statusCode, 200)
  t.equal((await alerts())[0]?.labels.reason?.length, 8_192, '100 kB are cut')
  t.match((await intake.store.incidents.get((await alerts())[0]?.incident_id ?? ''))?.notes, /reason/, 'and it is noted')

  const hostile = '<script>alert(1)</script><!channel> \u0000 \ud800 \u202e $(id) \' " ; drop table alert; --'
  t.equal((await post(intake, webhookBody([{ labels: { namespace: '../..', certificate: hostile, issuer: hostile }, annotations: { summary: hostile, nothing: null }, fingerprint: '2'.repeat(16) }]))).statusCode, 200)
  t.equal((await post(intake, `{"version":"4","alerts":[{"labels":{"__proto__":"x","constructor":"y","toString":"z","certificate":"p","namespace":"shop"}}]}`)).statusCode, 200)
  t.equal((await alerts()).some(({ labels }) => labels.constructor as unknown === 'y'), true, 'labels with names of JavaScript are labels')
  t.equal(({} as Record<string, unknown>).x, undefined)

  t.equal((await post(intake, '{"version":"4","alerts":[{"labels":{}}]}')).statusCode, 200, 'no labels, no times, no fingerprint')
  t.equal((await post(intake, '{"version":"4","alerts":[{"labels":{}}]}')).json<{ unchanged: number }>().unchanged, 1, 'and still known when it comes again')
  t.equal((await post(intake, '{"version":"4","alerts":[]}')).statusCode, 200, 'an empty list')
  t.equal((await post(intake, `{"version":"4","alerts":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)).statusCode, 400, 'deep nesting')

  const many = Array.from({ length: 3_000 }, (_, index) => ({ labels: { certificate: `c${index}` }, fingerprint: index.toString(16).padStart(16, '0') }))
  t.match((await post(intake, webhookBody(many))).json(), { opened: 3_000 }, '3,000 alerts in one body')

  const grafana = { ...webhookBody([{ labels: { grafana_folder: 'certs', certificate: 'g' }, fingerprint: 'f0', annotations: { __dashboardUid__: 'x' } }], { version: '1', orgId: 1, title: '[FIRING:1]', state: 'alerting', message: 'm' }), truncatedAlerts: undefined }
  t.match((await post(intake, grafana)).json(), { opened: 1 }, 'Grafana-managed')
})

t.test('overload and a store that refuses', async t => {
  await t.test('a full queue is 503, not 429', async t => {
    const intake = await openIntake(config => { config.webhook.queueLimit = 5 })
    t.teardown(() => intake.close())
    intake.depth.now = 5
    const response = await post(intake, webhookBody([{}]))
    t.equal(response.statusCode, 503)
    t.equal(response.headers['retry-after'], '5')
    t.equal(response.json<{ code: string }>().code, 'QUEUE_FULL')
    intake.depth.now = 4
    t.equal((await post(intake, webhookBody([{}]))).statusCode, 200)
  })

  await t.test('a full disk is 503, and intake goes on when there is room again', async t => {
    const dataDir = t.testdir()
    const intake = await openIntake(() => {}, { dataDir, maxPages: 120 })
    t.teardown(() => intake.close())
    const statuses: number[] = []
    const body = (index: number) => webhookBody([{ labels: { certificate: `c${index}`, reason: 'x'.repeat(5_000) }, fingerprint: index.toString(16).padStart(16, '0') }])
    for (let index = 0; index < 60; index++) statuses.push((await post(intake, body(index))).statusCode)
    t.equal(statuses[0], 200)
    t.equal(statuses.at(-1), 503)
    t.same([...new Set(statuses)], [200, 503])
    const kept = (await intake.store.incidents.page({ limit: 1_000 })).rows.length
    t.equal(kept, statuses.filter(status => status === 200).length, 'what was acknowledged is there, what was not is not')
    const { sql } = await import('kysely')
    await sql`pragma max_page_count = 100000`.execute(intake.store.context.database)
    t.equal((await post(intake, body(59))).statusCode, 200)
  })

  await t.test('one odd notification does not take the others of its commit with it', async t => {
    const intake = await openIntake()
    t.teardown(() => intake.close())
    const { sql } = await import('kysely')
    await sql`create trigger odd before insert on alert when new.fingerprint = 'dead' begin select raise(abort, 'odd'); end`.execute(intake.store.context.database)
    const answers = await Promise.all(['aa', 'dead', 'bb'].map(fingerprint => post(intake, webhookBody([{ fingerprint, labels: { certificate: fingerprint } }]))))
    t.same(answers.map(({ statusCode }) => statusCode), [200, 500, 200])
  })
})
