import { createHash, createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { createEmulator } from 'emulate'
import { fastify } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { outgoingBody, outgoingKey } from '../../src/publish/outgoing.ts'
import { classOf } from '../../src/publish/slack/errors.ts'
import { interactionRoutes, press, signedBySlack, startSocketMode, type InteractivityOptions } from '../../src/publish/slack/interactivity.ts'
import { slackTransport } from '../../src/publish/slack/transport.ts'
import { chooseChannel } from '../../src/publish/routing.ts'
import { Pace } from '../../src/publish/pace.ts'
import { direct } from '../../src/shared/clients/route.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { deliveryStore } from '../../src/shared/store/deliveries.ts'
import { findingOf } from '../../src/publish/story.ts'
import { anAlert, deliveryWorld } from '../support/delivery-world.ts'
import { startFakeSlack } from '../support/fake-slack.ts'
import { freePort } from '../support/real-alertmanager.ts'

const message = { text: 'shop/shop-tls: renewal failed', blocks: [{ type: 'section' as const, text: { type: 'plain_text' as const, text: 'renewal failed' } }], metadata: { incidentId: 'i', deliveryId: 'd.0', revision: 1 } }

t.test('what the transport needs of Slack is what emulate, written by others, answers', async t => {
  const emulator = await createEmulator({ service: 'slack', port: await freePort(), seed: { slack: { channels: [{ name: 'alerts' }] } } } as unknown as Parameters<typeof createEmulator>[0])
  const transport = slackTransport(loadConfig({ SLACK_BOT_TOKEN: 'xoxb-test', SLACK_API_URL: `${(emulator as { url: string }).url}/api/` }).slack, direct)!
  t.teardown(async () => {
    await transport.close()
    await emulator.close()
  })
  t.match(await transport.check(), { ok: true })
  const list = await (await fetch(`${(emulator as { url: string }).url}/api/conversations.list`, { method: 'POST', headers: { authorization: 'Bearer xoxb-test' } })).json() as { channels: { id: string, name: string }[] }
  const channel = list.channels.find(({ name }) => name === 'alerts')!.id
  const sent = await transport.post(channel, message)
  if (!sent.ok) return t.fail(sent.error)
  t.match(await transport.find(channel, 'd.0', { oldest: Date.now() - 60_000 }), { is: 'found', place: { ts: sent.ts }, revision: 1 })
  t.same(await transport.find(channel, 'other.0', { oldest: Date.now() - 60_000 }), { is: 'missing' })
  const reply = await transport.post(channel, { ...message, metadata: { ...message.metadata, deliveryId: 'r.0' } }, { ts: sent.ts })
  if (!reply.ok) return t.fail(reply.error)
  t.match(await transport.find(channel, 'r.0', { oldest: Date.now() - 60_000, thread: sent.ts }), { is: 'found', place: { ts: reply.ts } })
  t.match(await transport.edit(sent, { ...message, text: 'edited' }), { ok: true, ts: sent.ts })
  t.match(await transport.edit({ channel, ts: '1.000001' }, message), { ok: false, class: 'target-gone' })
  t.match(await transport.post('C0NOWHERE', message), { ok: false, class: 'configuration', error: 'channel_not_found' })
  t.match(await transport.permalink(sent), /^https?:/)
  t.match(await transport.upload(sent, { name: 'timeline.png', title: 'Timeline', altText: 'a timeline', data: Buffer.from('png') }), { ok: true })
})

t.test('each way a call can end is told by one word', async t => {
  const slack = await startFakeSlack()
  const transport = slackTransport(loadConfig({ SLACK_BOT_TOKEN: 'xoxb-secret-token', SLACK_API_URL: slack.url }).slack, direct, 300)!
  const gone = slackTransport(loadConfig({ SLACK_BOT_TOKEN: 'xoxb-secret-token', SLACK_API_URL: `http://127.0.0.1:${await freePort()}/api/` }).slack, direct, 300)!
  t.teardown(async () => {
    await transport.close()
    await gone.close()
    await slack.close()
  })
  const table: [string, Parameters<typeof slack.fault>[2] extends number ? ReturnType<typeof slack.fault> : never, Record<string, unknown>][] = [
    ['429 with Retry-After', { is: 'rate', retryAfter: 7 }, { class: 'rate', retryAfter: 7_000 }],
    ['429 without', { is: 'rate', retryAfter: 'none' }, { class: 'rate', retryAfter: 30_000 }],
    ['500', { is: 'status', status: 500 }, { class: 'unclear', answered: true }],
    ['503', { is: 'status', status: 503 }, { class: 'unclear', answered: true }],
    ['no answer', { is: 'hang' }, { class: 'unclear', error: 'timeout', answered: false }],
    ['a cut', { is: 'reset' }, { class: 'unclear', error: 'reset', answered: false }],
    ['a page instead of JSON', { is: 'garbage' }, { class: 'unclear', answered: true }],
    ['invalid_blocks', { is: 'error', error: 'invalid_blocks' }, { class: 'content' }],
    ['token_revoked', { is: 'error', error: 'token_revoked' }, { class: 'credentials' }],
    ['a word nobody knows', { is: 'error', error: 'brand_new_error' }, { class: 'unclear', answered: true }]
  ]
  for (const [title, fault, expected] of table) {
    slack.fault = () => fault
    const outcome = await transport.post('C1', message)
    t.match(outcome, { ok: false, ...expected }, title)
    t.notMatch(JSON.stringify(outcome), 'xoxb-secret-token', `${title}: the token stays ours`)
  }
  t.match(await gone.post('C1', message), { ok: false, class: 'unsent' }, 'a refused connection is certain')
  t.equal(classOf('restricted_action_read_only_channel'), 'configuration')
  t.equal(classOf('invalid_metadata_format'), 'content')
})

t.test('an address that route sends nowhere is never dialled', async t => {
  const transport = slackTransport(loadConfig({ SLACK_BOT_TOKEN: 'xoxb-test' }).slack, () => ({ fails: 'timeout' }))!
  t.teardown(() => transport.close())
  t.match(await transport.post('C1', message), { ok: false, class: 'unsent' })
})

t.test('routes: the first that fits wins, and the rest is explained', async t => {
  const config = loadConfig({ SLACK_CHANNEL: 'C-all' })
  config.slack.routes = [{ channel: 'C-pay', namespace: 'pay-*' }, { channel: 'C-crit', severity: 'critical', labels: { team: 'edge' } }, { channel: 'C-rate', cause: 'acme-rate-limited' }]
  config.causes['issuer-not-found'] = { channel: 'C-issuer' }
  const about = { namespace: 'shop', labels: { team: 'edge' }, issuer: 'le', cause: '', severity: 'critical' }
  t.equal(chooseChannel(config, { ...about, namespace: 'pay-eu' }).channel, 'C-pay')
  t.equal(chooseChannel(config, about).channel, 'C-crit')
  t.equal(chooseChannel(config, { ...about, labels: {} }).channel, 'C-all')
  t.equal(chooseChannel(config, { ...about, labels: {}, cause: 'acme-rate-limited' }).channel, 'C-rate')
  t.equal(chooseChannel(config, { ...about, cause: 'issuer-not-found' }).channel, 'C-issuer')
  t.match(chooseChannel(config, { ...about, labels: {} }).considered, [{ why: /namespace is "shop"/ }, { why: /label team/ }, { why: /cause is not known/ }])
  t.equal(chooseChannel(config, { ...about, cause: 'constructor' }).channel, 'C-crit', 'names of prototypes are no causes')
})

t.test('the pace survives a clock that is set back', async t => {
  const pace = new Pace(() => ({ perSecond: 1, burst: 3 }))
  const now = 1_000_000
  t.same([pace.take('a', now), pace.take('a', now), pace.take('a', now), pace.take('a', now)], [true, true, true, false])
  t.equal(pace.at('a', now), now + 1_000)
  t.equal(pace.at('a', now, 1), now + 2_000, 'a reply leaves one to the next notice')
  t.equal(pace.at('a', now - 500_000), now - 499_000, 'the same wait, not half an hour')
  pace.block('a', now - 500_000, 5_000)
  t.equal(pace.at('a', now - 600_000), now - 595_000)
})

t.test('Slack\'s signature', async t => {
  const now = 1_790_000_000_000
  const timestamp = String(now / 1000)
  const sign = (secret: string, body: string, at = timestamp) => `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`
  t.equal(signedBySlack('s', timestamp, 'b', sign('s', 'b'), now), true)
  t.equal(signedBySlack('s', timestamp, 'b', sign('other', 'b'), now), false)
  t.equal(signedBySlack('s', timestamp, 'c', sign('s', 'b'), now), false)
  t.equal(signedBySlack('s', timestamp, 'b', sign('s', 'b'), now + 301_000), false, 'older than five minutes')
  t.equal(signedBySlack('s', 'x', 'b', sign('s', 'b', 'x'), now), false)
  t.equal(signedBySlack('s', timestamp, 'b', '', now), false)
})

t.test('buttons: only those on the list, each press once, and the message says who is on it', async t => {
  const world = await deliveryWorld(t, { interactive: true, change: config => { config.slack.operators = ['U123']; config.slack.signingSecret = 'secret' } })
  const looks: string[] = []
  const options: InteractivityOptions = {
    config: world.config, deliveries: deliveryStore(world.store.context), audit: world.store.audit, clock: { now: Date.now }, log: pino({ level: 'silent' }),
    lookAgain: async incident => { looks.push(incident) }, wake: () => { world.deliveries.wake() }
  }
  const [incident] = await world.fire(anAlert())
  await world.slack.until(() => world.slack.roots().length === 1)
  t.match(JSON.stringify(world.slack.roots()[0]!.blocks), /"action_id":"look_again"/)
  const payload = (action: string, user: string, ts = '1.1') => ({ type: 'block_actions', user: { id: user }, actions: [{ action_id: action, value: incident, action_ts: ts }] })
  t.match(await press(options, payload('look_again', 'U999')), /not on the list/)
  await press(options, payload('look_again', 'U123'))
  t.match(await press(options, payload('look_again', 'U123')), /already/)
  t.same(looks, [incident])
  t.equal(await press(options, payload('report', 'U123')), undefined, 'link buttons need nothing')
  const app = fastify()
  await interactionRoutes(app, options)
  t.teardown(() => app.close())
  const body = `payload=${encodeURIComponent(JSON.stringify(payload('on_it', 'U123')))}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signed = (text: string) => app.inject({ method: 'POST', url: '/slack/interactions', payload: text, headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${createHmac('sha256', 'secret').update(`v0:${timestamp}:${text}`).digest('hex')}` } })
  t.equal((await app.inject({ method: 'POST', url: '/slack/interactions', payload: body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })).statusCode, 401)
  t.equal((await signed('payload=%7B')).statusCode, 400)
  t.equal((await signed(body)).statusCode, 200)
  await world.slack.until(() => JSON.stringify(world.slack.roots()[0]!.blocks).includes('<@U123> is on it'), 'who is on it')
  t.equal((await world.store.audit.list(incident!)).length, 2)
})

t.test('our own webhook is signed, versioned, and fits its schema', async t => {
  const received: { body: string, headers: Record<string, string | string[] | undefined> }[] = []
  let refuse = true
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString() })
    request.on('end', () => {
      if (!refuse) received.push({ body, headers: request.headers })
      response.statusCode = refuse ? 503 : 204
      refuse = false
      response.end()
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  t.teardown(() => { server.closeAllConnections(); server.close() })
  const world = await deliveryWorld(t, { change: config => { config.outgoing = [{ url, secret: 'shared' }] } })
  const [incident] = await world.fire(anAlert())
  const row = async () => world.deliveries.store.byKey(outgoingKey(incident!, url))
  await world.slack.until(() => !refuse, 'the first try')
  // The wait after a refusal is cut short, as an operator would.
  const refused = await new Promise<NonNullable<Awaited<ReturnType<typeof row>>>>(resolve => { const look = () => { void row().then(value => { if (value?.last_error) resolve(value); else setTimeout(look, 20) }) }; look() })
  t.match(refused, { state: 'intent', last_error: 'HTTP 503' })
  await world.deliveries.store.postpone(refused.id, Date.now())
  world.deliveries.wake()
  await world.slack.until(() => received.length === 1)
  await world.diagnose(incident!)
  await world.slack.until(() => received.length === 2)
  const [first, second] = received
  const signature = `v1=${createHmac('sha256', 'shared').update(`${String(second!.headers['x-acme-triage-timestamp'])}.${second!.body}`).digest('hex')}`
  const bodies = [first, second].map(each => JSON.parse(each!.body) as ReturnType<typeof outgoingBody>)
  t.equal(second!.headers['x-acme-triage-signature'], signature)
  t.equal(second!.headers['x-acme-triage-delivery'], `${bodies[1]!.id}.${bodies[1]!.revision}`, 'what a receiver tells repeats by')
  t.match(bodies, [{ verdict: 'pending', revision: 1 }, { verdict: 'cause', causes: [{ id: 'http01-port80-blocked' }] }])
  t.equal(bodies[0]!.id, bodies[1]!.id)
  const ajv = new Ajv({ strict: true })
  ;(formats as unknown as (ajv: Ajv) => void)(ajv)
  const valid = ajv.compile(JSON.parse(readFileSync(new URL('../../schemas/outgoing-webhook.schema.json', import.meta.url), 'utf8')) as object)
  for (const body of bodies) t.ok(valid(body), JSON.stringify(valid.errors))
  t.ok(await findingOf(world.deliveries.store, world.config, (await world.store.incidents.get(incident!))!, Date.now()))
})

t.test('Socket Mode: a press comes over the line that we opened, is acknowledged, and does its work', async t => {
  const frames: Record<string, unknown>[] = []
  const sockets: Socket[] = []
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url?.endsWith('apps.connections.open') === true && request.headers.authorization === 'Bearer xapp-test' ? { ok: true, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/link` } : { ok: false, error: 'invalid_auth' }))
  })
  const say = (socket: Socket, value: object): void => {
    const text = Buffer.from(JSON.stringify(value))
    socket.write(Buffer.concat([text.length < 126 ? Buffer.from([0x81, text.length]) : Buffer.from([0x81, 126, text.length >> 8, text.length & 255]), text]))
  }
  const world = await deliveryWorld(t, { interactive: true, change: config => { config.slack.operators = ['U123']; config.slack.appToken = 'xapp-test' } })
  const [incident] = await world.fire(anAlert())
  server.on('upgrade', (request, socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')}\r\n\r\n`)
    say(socket, { type: 'hello', num_connections: 1, debug_info: { host: 'test' } })
    say(socket, { envelope_id: 'e1', type: 'interactive', accepts_response_payload: true, payload: { type: 'block_actions', user: { id: 'U123' }, actions: [{ action_id: 'on_it', value: incident, action_ts: '1.1' }] } })
    socket.on('data', (chunk: Buffer) => {
      const length = chunk[1]! & 127
      if ((chunk[0]! & 15) !== 1 || length >= 126) return
      const mask = chunk.subarray(2, 6)
      frames.push(JSON.parse(Buffer.from(chunk.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]!)).toString()) as Record<string, unknown>)
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  world.config.slack.apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`
  const mode = await startSocketMode({
    config: world.config, deliveries: deliveryStore(world.store.context), audit: world.store.audit, clock: { now: Date.now }, log: pino({ level: 'silent' }), lookAgain: async () => {}, wake: () => { world.deliveries.wake() }
  })
  t.teardown(async () => {
    await mode?.stop()
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  await world.slack.until(() => JSON.stringify(world.slack.roots()[0]?.blocks ?? '').includes('<@U123> is on it'), 'who is on it')
  t.match(frames, [{ envelope_id: 'e1' }])
  t.match(await world.store.audit.list(incident!), [{ actor: 'U123', action: 'on_it' }])
})
