import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { startDeliveries } from '../../src/publish/deliveries.ts'
import { direct } from '../../src/shared/clients/route.ts'
import { anAlert, deliveryWorld, quick } from '../support/delivery-world.ts'

const payloadOf = (message: { metadata?: { event_payload: Record<string, unknown> } }) => message.metadata?.event_payload ?? {}

t.test('one incident is one message: posted from the alert alone, edited, with one reply, closed at the end', async t => {
  const { slack, fire, diagnose, resolve } = await deliveryWorld(t)
  const [incident] = await fire(anAlert())
  await slack.until(() => slack.roots().length === 1, 'the notice')
  t.match(slack.roots()[0]!.text, /shop\/shop-tls/)
  t.equal(payloadOf(slack.roots()[0]!).incident_id, incident)
  await diagnose(incident!)
  await slack.until(() => slack.roots()[0]!.edits === 1 && slack.messages.length === 2, 'the edit and the runbook')
  t.match(slack.roots()[0]!.text, /port 80 is closed/)
  await diagnose(incident!, 'http01-auth-on-path')
  await slack.until(() => slack.messages.some(({ text }) => text.includes('another one now')), 'a word about the other cause')
  await resolve(anAlert())
  await slack.until(() => slack.roots()[0]!.text.startsWith('Resolved'), 'the end')
  await slack.until(() => slack.replies(slack.roots()[0]!.ts).some(({ text }) => text.includes('Resolved')), 'the short reply')
  t.equal(slack.roots().length, 1)
  t.equal(slack.replies(slack.roots()[0]!.ts).filter(({ text }) => text.startsWith('Runbook')).length, 1, 'the runbook is edited, not multiplied')
  t.match(slack.messages.filter(({ broadcast }) => broadcast === true), [{ text: /another one now/ }], 'only the worse news goes to the whole channel')
})

t.test('what is said of an alert cannot ping or link', async t => {
  const { slack, fire } = await deliveryWorld(t)
  await fire(anAlert('<!channel> <https://evil.example|click> & *bold*'))
  await slack.until(() => slack.roots().length === 1)
  const [{ text, blocks }] = slack.roots() as unknown as [{ text: string, blocks: unknown[] }]
  t.notMatch(text, /<!channel>|<https/)
  t.match(text, /&lt;!channel&gt;/)
  t.notMatch(JSON.stringify(blocks), /"mrkdwn"/)
})

const losses = [
  { title: 'an answer that never comes', fault: 'hang', posts: 1 },
  { title: 'a connection cut after Slack took the message', fault: 'kept-and-cut', posts: 1 },
  { title: 'a connection cut before Slack took the message', fault: 'reset', posts: 2 },
  { title: 'a 500', fault: 'status', posts: 2 },
  { title: 'a page of a gateway instead of JSON', fault: 'garbage', posts: 2 }
] as const
for (const { title, fault, posts } of losses) {
  t.test(`${title} costs neither the message nor says it twice`, async t => {
    const { slack, fire, resolve } = await deliveryWorld(t, {
      timeout: 300,
      fault: (method, _args, count) => method === 'chat.postMessage' && count === 1 ? fault === 'status' ? { is: 'status', status: 500 } : { is: fault } : undefined
    })
    const [incident] = await fire(anAlert())
    await slack.until(() => slack.calls.some(({ method }) => method === 'conversations.history'), 'a look into history')
    await slack.until(() => slack.calls.filter(({ method }) => method === 'chat.postMessage').length === posts && slack.roots().length === 1)
    // Whatever was lost, the message can be edited afterwards: its place is known.
    await resolve(anAlert())
    await slack.until(() => slack.roots()[0]!.edits > 0, 'the edit')
    t.equal(slack.roots().length, 1)
    t.equal(payloadOf(slack.roots()[0]!).incident_id, incident)
    t.equal(slack.calls.filter(({ method }) => method === 'chat.postMessage' ).filter(({ args }) => args.thread_ts === undefined).length, posts)
  })
}

t.test('429 is waited out, by its header or without', async t => {
  const { slack, fire } = await deliveryWorld(t)
  slack.fault = (method, _args, count) => method === 'chat.postMessage' && count === 1 ? { is: 'rate', retryAfter: 1 } : undefined
  await fire(anAlert())
  await slack.until(() => slack.roots().length === 1)
  const posts = slack.calls.filter(({ method }) => method === 'chat.postMessage')
  t.equal(posts.length, 2)
  t.ok(posts[1]!.at - posts[0]!.at >= 950, 'not before Slack said so')
})

t.test('blocks that Slack refuses are said once more as plain text, and stay plain', async t => {
  const { slack, fire, diagnose } = await deliveryWorld(t, { fault: (_method, args) => args.blocks === undefined ? undefined : { is: 'error', error: 'invalid_blocks' } })
  const [incident] = await fire(anAlert())
  await slack.until(() => slack.roots().length === 1)
  t.equal(slack.roots()[0]!.blocks, undefined)
  await diagnose(incident!)
  await slack.until(() => slack.roots()[0]!.edits === 1)
  t.match(slack.roots()[0]!.text, /port 80 is closed/)
})

t.test('a message that a person deleted is posted anew while the incident is open, and left alone afterwards', async t => {
  const { slack, fire, diagnose, resolve } = await deliveryWorld(t)
  const [incident] = await fire(anAlert())
  await slack.until(() => slack.roots().length === 1)
  slack.remove(slack.roots()[0]!.ts)
  await diagnose(incident!)
  await slack.until(() => slack.roots().length === 1 && /port 80/.test(slack.roots()[0]!.text), 'a new message')
  await slack.until(() => slack.replies(slack.roots()[0]!.ts).length === 1, 'its runbook')
  slack.remove(slack.roots()[0]!.ts)
  await resolve(anAlert())
  await slack.until(() => slack.calls.some(({ method, args }) => method === 'chat.update' && String(args.text).startsWith('Resolved')))
  t.equal(slack.roots().length, 0)
})

t.test('a channel that is archived sends its incidents to the fallback channel once', async t => {
  const { slack, fire, diagnose, deliveries } = await deliveryWorld(t, { change: config => { config.slack.fallbackChannel = 'C2' } })
  slack.channels.set('C1', { archived: true })
  const [incident] = await fire(anAlert())
  await slack.until(() => slack.roots().length === 1)
  t.equal(slack.roots()[0]!.channel, 'C2')
  t.match(deliveries.status().broken, [{ channel: 'C1', error: 'is_archived', fix: /archived/ }])
  await diagnose(incident!)
  await slack.until(() => slack.replies(slack.roots()[0]!.ts).length === 1)
  t.equal(slack.roots().length, 1)
})

t.test('a revoked token stops the workspace, keeps the queue, and the new one in the file goes on', async t => {
  const directory = t.testdir({ token: 'xoxb-old' })
  const { slack, fire, deliveries } = await deliveryWorld(t, { change: config => { config.slack.token = 'xoxb-old'; config.slack.tokenFile = join(directory, 'token') } })
  slack.tokens.add('xoxb-new')
  await fire(anAlert())
  await slack.until(() => deliveries.status().stopped !== undefined, 'the stop')
  t.match(deliveries.status().stopped, { error: 'token_revoked' })
  const calls = slack.calls.filter(({ method }) => method === 'chat.postMessage').length
  await fire(anAlert('other-tls'))
  writeFileSync(join(directory, 'token'), 'xoxb-new\n')
  deliveries.wake()
  await slack.until(() => slack.roots().length === 2, 'both messages')
  t.equal(slack.calls.filter(({ method }) => method === 'chat.postMessage').length, calls + 2, 'nothing was tried in between')
})

t.test('what was under way when the process died is looked for, not repeated', async t => {
  const world = await deliveryWorld(t, { timeout: 3_000, fault: (method, _args, count) => method === 'chat.postMessage' && count === 1 ? { is: 'hang' } : undefined })
  await world.fire(anAlert())
  await world.slack.until(() => world.slack.roots().length === 1)
  // A second outbox on the same store stands for the process after the kill.
  const second = await startDeliveries({ config: world.config, store: world.store, clock: { now: Date.now }, route: direct, log: pino({ level: 'silent' }), limits: quick })
  t.teardown(() => second.stop())
  await world.slack.until(() => world.slack.calls.some(({ method }) => method === 'conversations.history'), 'the look')
  const incident = (await world.store.incidents.page({ limit: 1 })).rows[0]!
  await world.diagnose(incident.id)
  second.wake()
  await world.slack.until(() => world.slack.roots()[0]!.edits === 1, 'the edit of the adopted message')
  t.equal(world.slack.roots().length, 1)
})

t.test('without a scope to read history a message is rather said twice than lost, a note rather lost', async t => {
  const { slack, fire } = await deliveryWorld(t, { timeout: 200, fault: (method, _args, count) => method === 'chat.postMessage' && count === 1 ? { is: 'hang' } : undefined })
  slack.scopes = ['chat:write']
  await fire(anAlert())
  await slack.until(() => slack.roots().length === 2)
  t.equal(slack.roots().length, 2)
})

t.test('no Slack at all: everything is said in the log, once', async t => {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => { lines.push(line) } })
  const { fire, again, config, slack } = await deliveryWorld(t)
  delete config.slack.token
  await again({ log })
  await fire(anAlert())
  await slack.until(() => lines.some(line => line.includes('shop/shop-tls')), 'the line in the log')
  t.equal(lines.filter(line => line.includes('shop/shop-tls')).length, 1)
  t.equal(slack.calls.length, 0)
})

for (const style of ['slack', 'mattermost'] as const) {
  t.test(`an incoming webhook of ${style} gets the notice, the cause and the end, each once`, async t => {
    const { fire, diagnose, resolve, config, slack, again } = await deliveryWorld(t)
    delete config.slack.token
    config.slack.webhookUrl = `http://127.0.0.1:${slack.port}/hook`
    config.slack.webhookStyle = style
    await again()
    const [incident] = await fire(anAlert())
    await slack.until(() => slack.hooks.length === 1)
    await diagnose(incident!)
    await slack.until(() => slack.hooks.length === 2)
    await diagnose(incident!)
    await resolve(anAlert())
    await slack.until(() => slack.hooks.length === 3)
    const texts = slack.hooks.map(hook => JSON.stringify(hook))
    t.match(texts[1], /port 80 is closed/)
    t.match(texts[2], /esolved/)
    t.equal(texts.some(text => text.includes('"blocks"')), style === 'slack')
  })
}

t.test('a clock that is set back by an hour holds nothing up', async t => {
  const world = await deliveryWorld(t, { limits: { first: 1_000 } })
  let back = 0
  const clock = { now: () => Date.now() - back }
  world.store.context.clock = clock
  await world.again({ clock })
  world.slack.fault = () => ({ is: 'status', status: 503 })
  const [incident] = await world.fire(anAlert())
  while ((await world.deliveries.store.list({ state: 'ambiguous', limit: 1 })).length === 0) await new Promise(resolve => { setImmediate(resolve) })
  back = 3_600_000
  world.slack.fault = () => undefined
  world.deliveries.wake()
  await world.slack.until(() => world.slack.roots().length === 1, 'the message')
  await world.diagnose(incident!)
  await world.slack.until(() => world.slack.roots()[0]!.edits > 0, 'the edit')
  t.equal(world.slack.roots().length, 1)
})

t.test('what Slack has is found by a clock that is an hour ahead, and by one that was a day ahead', async t => {
  for (const { ahead, later } of [{ ahead: 3_600_000, later: 3_600_000 }, { ahead: 86_400_000, later: 0 }]) {
    const world = await deliveryWorld(t, { limits: { first: 1_000 } })
    let shift = ahead
    const clock = { now: () => Date.now() + shift }
    world.store.context.clock = clock
    await world.again({ clock })
    world.slack.fault = (method, _args, count) => method === 'chat.postMessage' && count === 1 ? { is: 'kept-and-cut' } : undefined
    await world.fire(anAlert())
    while ((await world.deliveries.store.list({ state: 'ambiguous', limit: 1 })).length === 0) await new Promise(resolve => { setImmediate(resolve) })
    shift = later
    while ((await world.deliveries.store.list({ state: 'sent', limit: 1 })).length === 0) await new Promise(resolve => { setImmediate(resolve) })
    t.equal(world.slack.roots().length, 1)
    await world.deliveries.stop()
  }
})

t.test('a store that is full while Slack answers: what was sent is not sent again', async t => {
  const world = await deliveryWorld(t)
  const { database } = world.store.context
  const full = (on: boolean) => on
    ? sql`create trigger full before update on delivery when new.state = 'sent' begin select raise(abort, 'database or disk is full'); end`.execute(database)
    : sql`drop trigger full`.execute(database)
  await full(true)
  await world.fire(anAlert())
  await world.slack.until(() => world.slack.roots().length === 1)
  await full(false)
  const rows = async () => (await world.deliveries.store.list({ limit: 5 })).filter(({ kind }) => kind === 'slack-root')
  while ((await rows())[0]?.state !== 'sent') await new Promise(resolve => { setImmediate(resolve) })
  t.match(await rows(), [{ state: 'sent', external_id: world.slack.roots()[0]!.ts }])
  t.equal(world.slack.calls.filter(({ method }) => method === 'chat.postMessage').length, 1)
})

t.test('the same webhook twice at once is one message', async t => {
  const { slack, fire, diagnose } = await deliveryWorld(t)
  const ids = (await Promise.all([fire(anAlert()), fire(anAlert()), fire([anAlert(), anAlert('other-tls')])])).flat()
  const distinct = [...new Set(ids)]
  t.equal(distinct.length, 2)
  await slack.until(() => slack.roots().length === 2)
  for (const id of distinct) await diagnose(id)
  await slack.until(() => slack.roots().every(({ edits }) => edits > 0))
  t.equal(slack.roots().length, 2)
})

t.test('an alert that ends and fires again before anybody looked: the message does not stay resolved', async t => {
  const { slack, fire, diagnose, deliveries } = await deliveryWorld(t)
  const alert = anAlert()
  const [incident] = await fire(alert)
  await diagnose(incident!)
  await slack.until(() => slack.roots()[0]?.text.includes('port 80 is closed') === true, 'the cause')
  await fire({ ...alert, status: 'resolved', endsAt: alert.startsAt + 1_000 })
  // Something else than the closing look asks for an edit, which shows the state of this moment.
  await deliveries.store.touch(incident!, {})
  deliveries.wake()
  await slack.until(() => slack.roots()[0]!.text.startsWith('Resolved'), 'the end')
  await fire({ ...alert, startsAt: alert.startsAt + 2_000 })
  await slack.until(() => !slack.roots()[0]!.text.startsWith('Resolved'), 'the message opens again')
  await slack.until(() => slack.replies(slack.roots()[0]!.ts).some(({ text, broadcast }) => broadcast === true && text.includes('fires again')), 'a word in the thread')
  t.equal(slack.roots().length, 1)
})
