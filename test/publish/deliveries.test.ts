import t from 'tap'
import { anAlert, deliveryWorld } from '../support/delivery-world.ts'

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
  await slack.until(() => /^Resolved/.test(slack.roots()[0]!.text), 'the end')
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
