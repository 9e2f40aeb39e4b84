import t from 'tap'
import { anAlert, deliveryWorld } from '../support/delivery-world.ts'

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `crt-${String(from + index).padStart(5, '0')}`)
const storm = (threshold: number, window: number) => ({ change: (config: { slack: { storm: { threshold: number, window: number } } }) => { config.slack.storm = { threshold, window } } })
const all = (messages: { text: string, blocks?: unknown }[]) => JSON.stringify(messages)

t.test('a storm of 2,000 alerts is a few messages, and every certificate stands in Slack', async t => {
  const { slack, fire } = await deliveryWorld(t, storm(8, 120_000))
  const list = names(2_000)
  for (let from = 0; from < list.length; from += 250) await fire(list.slice(from, from + 250).map(name => anAlert(name)))
  await slack.until(() => {
    const text = all(slack.messages)
    return list.every(name => text.includes(name))
  }, 'every name')
  t.ok(slack.messages.length < 60, `${slack.messages.length} messages`)
  t.equal(slack.roots().length, 9, 'eight of their own and the digest')
  const digest = slack.roots().find(({ text }) => text.includes('at once'))!
  t.match(digest.text, /certificates fail at once/)
  const posts = slack.calls.filter(({ method, args }) => method === 'chat.postMessage' && args.thread_ts === undefined).map(({ args }) => JSON.stringify(args))
  const twice = list.filter(name => posts.filter(post => post.includes(name)).length > 1)
  t.same(twice, [], 'nobody stands at the root of two messages')
})

t.test('the digest groups by cause once it is known, and tells what became of each', async t => {
  const { slack, fire, diagnose } = await deliveryWorld(t, storm(2, 120_000))
  const incidents = await fire(names(5).map(name => anAlert(name)))
  await slack.until(() => all(slack.messages).includes('crt-00004'))
  for (const incident of incidents) await diagnose(incident, 'acme-rate-limited')
  await slack.until(() => /3 × .*acme-rate-limited|acme-rate-limited.*/.test(all(slack.roots())), 'the cause in the digest')
  const digest = slack.roots().find(({ text }) => text.includes('at once'))!
  await slack.until(() => /crt-00004 order crt-00004-1-42 – acme-rate-limited/.test(all(slack.replies(digest.ts))), 'the cause in the line')
  await slack.until(() => /Most urgent/.test(JSON.stringify(digest.blocks)), 'the most urgent')
})

t.test('an incident that outlives the storm gets a message of its own; one of many with one cause does not', async t => {
  const world = await deliveryWorld(t, storm(2, 1_500))
  const { slack, fire, diagnose } = world
  const incidents = await fire(names(7).map(name => anAlert(name)))
  await slack.until(() => all(slack.messages).includes('crt-00006'))
  for (const [index, incident] of incidents.entries()) await diagnose(incident, index === 6 ? 'issuer-not-found' : 'acme-rate-limited')
  await slack.until(() => slack.roots().some(({ text }) => text.includes('crt-00006')), 'its own message')
  t.equal(slack.roots().length, 4, 'two before the storm, the digest, and the odd one')
  t.equal(slack.roots().filter(({ text }) => text.includes('crt-00003')).length, 0)
})

t.test('a storm that a kill interrupts goes on in the same digest', async t => {
  const world = await deliveryWorld(t, storm(2, 120_000))
  await world.fire(names(6).map(name => anAlert(name)))
  await world.slack.until(() => all(world.slack.messages).includes('crt-00005'))
  await world.again()
  await world.fire(names(6, 6).map(name => anAlert(name)))
  await world.slack.until(() => all(world.slack.messages).includes('crt-00011'))
  t.equal(world.slack.roots().filter(({ text }) => text.includes('at once')).length, 1)
  t.equal(world.slack.roots().length, 3)
})

t.test('a digest that a person deleted begins anew with all of its pages', async t => {
  const world = await deliveryWorld(t, storm(1, 120_000))
  const { slack, fire } = world
  await fire(names(4).map(name => anAlert(name)))
  await slack.until(() => all(slack.messages).includes('crt-00003'))
  const digest = slack.roots().find(({ text }) => text.includes('at once'))!
  for (const { ts } of [digest, ...slack.replies(digest.ts)]) slack.remove(ts)
  await fire(anAlert('crt-00004'))
  await slack.until(() => names(4, 1).every(name => all(slack.messages).includes(name)), 'all names again')
  t.equal(slack.roots().length, 2)
})

t.test('a storm has incidents whose cause leads to another channel: said there once, with the way to the digest', async t => {
  const world = await deliveryWorld(t, { change: config => {
    config.slack.storm = { threshold: 1, window: 120_000 }
    config.causes['acme-rate-limited'] = { channel: 'C2' }
    config.slack.routes = [{ channel: 'C3', cause: 'issuer-not-found', severity: 'warning' }]
  } })
  const { slack, fire, diagnose } = world
  const incidents = await fire(names(6).map(name => anAlert(name)))
  await slack.until(() => all(slack.messages).includes('crt-00005'))
  const inChannel = (channel: string) => slack.roots().filter(root => root.channel === channel)
  for (const incident of incidents.slice(2, 4)) await diagnose(incident, 'acme-rate-limited')
  await slack.until(() => inChannel('C2').length === 1, 'the word in the channel of the cause')
  const digest = inChannel('C1').find(({ text }) => text.includes('at once'))!
  t.match(inChannel('C2')[0]!.text, /^🟠 A storm since .* fail for acme-rate-limited\./)
  t.match(inChannel('C2')[0]!.text, `/archives/C1/p${digest.ts.replace('.', '')}`)
  await diagnose(incidents[4]!, 'acme-rate-limited')
  await diagnose(incidents[5]!, 'issuer-not-found')
  await slack.until(() => inChannel('C3').length === 1, 'the word in the channel that a route leads to')
  t.match(inChannel('C3')[0]!.text, 'issuer-not-found')
  await slack.until(() => /crt-00004 order crt-00004-1-42 – acme-rate-limited/.test(all(slack.replies(digest.ts))), 'the third in its line')
  t.equal(inChannel('C2').length, 1)
  t.equal(inChannel('C2')[0]!.edits, 0)
})
