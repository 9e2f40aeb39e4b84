import t from 'tap'
import { anAlert, deliveryWorld, type DeliveryWorld } from '../support/delivery-world.ts'

/** Every order in which an incident can end; each must be said once, at one root. */
const orders: { title: string, env?: Record<string, string>, storm?: boolean, play (world: DeliveryWorld): Promise<void> }[] = [
  { title: 'resolved after the diagnosis', async play ({ fire, diagnose, resolve }) { const [id] = await fire(anAlert()); await diagnose(id!); await resolve(anAlert()) } },
  { title: 'resolved before anybody looked', async play ({ fire, resolve }) { await fire(anAlert()); await resolve(anAlert()) } },
  {
    title: 'resolved before the first message was sent',
    async play (world) {
      world.slack.fault = () => ({ is: 'status', status: 503 })
      await world.fire(anAlert())
      await world.resolve(anAlert())
      world.slack.fault = () => undefined
    }
  },
  {
    title: 'resolved while the first look was under way: what it found comes after the end',
    async play (world) {
      const [id] = await world.fire(anAlert())
      await world.fire({ ...anAlert(), status: 'resolved', endsAt: 1_790_000_600_000 })
      await world.diagnose(id!)
    }
  },
  {
    title: 'resolved while nothing ran here, told by the next process',
    async play (world) {
      await world.fire(anAlert())
      await world.slack.until(() => world.slack.roots().length === 1)
      await world.deliveries.stop()
      await world.resolve(anAlert())
      await world.again()
    }
  }
]
for (const { title, play } of orders) {
  t.test(`the end reaches the message: ${title}`, async t => {
    const world = await deliveryWorld(t)
    await play(world)
    await world.slack.until(() => world.slack.roots().some(({ text }) => text.startsWith('Resolved')), 'the end')
    t.equal(world.slack.roots().length, 1)
    t.match(world.slack.roots()[0]!.text, /^Resolved: shop\/shop-tls: resolved after/)
  })
}

t.test('an incident that heals before its alert ends: how long it took and what fixed it, on the message and on the alert', async t => {
  const { slack, store, fire, diagnose, heal, resolve } = await deliveryWorld(t)
  const annotations = async () => JSON.parse((await store.context.database.selectFrom('annotation_target').select('annotations').where('active', '=', 1).executeTakeFirstOrThrow()).annotations) as Record<string, string>
  const [id] = await fire(anAlert())
  await diagnose(id!)
  await slack.until(() => slack.roots().some(({ text }) => text.includes('port 80 is closed')), 'the cause')
  t.match(await annotations(), { acme_triage_summary: /^port 80 is closed/, acme_triage_next_step: 'Open port 80.' })
  await heal(id!, 'Order shop-tls-2-7 is valid')
  await slack.until(() => slack.roots().some(({ text }) => text.startsWith('Healed')), 'the end')
  const [root] = slack.roots()
  t.match(root!.text, /^Healed: shop\/shop-tls: healed after .+: Order shop-tls-2-7 is valid/)
  t.match(JSON.stringify(root!.blocks), /It was: port 80 is closed/)
  t.notMatch(JSON.stringify(root!.blocks), /Do this/)
  await slack.until(() => slack.replies(root!.ts).some(({ text }) => /Healed after .+: Order shop-tls-2-7 is valid/.test(text)), 'the same in the thread')
  t.match(await annotations(), { acme_triage_cause: 'http01-port80-blocked', acme_triage_summary: /^Healed after .+: Order shop-tls-2-7 is valid\. It was: port 80 is closed/ })
  t.notMatch((await annotations()).acme_triage_next_step, 'Open port 80')

  await resolve(anAlert())
  t.equal((await store.incidents.get(id!))!.state, 'healed', 'the end of the alert adds nothing')
  await slack.until(() => slack.roots().length === 1 && slack.roots()[0]!.text.startsWith('Healed'))
})

t.test('the end of an incident that a digest tells stands in its line, during the storm and after it', async t => {
  const world = await deliveryWorld(t, { change: config => { config.slack.storm = { threshold: 1, window: 120_000 } } })
  await world.fire([anAlert('one'), anAlert('two'), anAlert('three')])
  const { slack } = world
  await slack.until(() => slack.replies(slack.roots().find(({ text }) => text.includes('at once'))?.ts ?? '').length === 1, 'the page')
  await world.resolve(anAlert('three'))
  await slack.until(() => /shop\/three order three-1-42 – resolved/.test(JSON.stringify(slack.messages)), 'the line')
  t.equal(slack.roots().length, 2)
  t.notOk(slack.roots().some(({ text }) => text.startsWith('Resolved: shop/three')), 'no message of its own')
})

t.test('two alerts that turn out to be one Certificate: the younger message says where it goes on', async t => {
  const { slack, store, fire, deliveries, diagnose } = await deliveryWorld(t)
  const [older] = await fire(anAlert('shop-tls'))
  const [younger] = await fire(anAlert('shop-tls-alias'))
  await slack.until(() => slack.roots().length === 2)
  await diagnose(younger!)
  await store.jobs.requestLook(younger!)
  const job = (await store.jobs.claim(100, 60_000)).find(({ incident_id: id }) => id === younger)!
  const row = (await store.incidents.get(younger!))!
  const saved = await store.incidents.saveLook(job, {
    incident: younger!, place: { key: 'shop/shop-tls', namespace: 'shop', certificate: 'shop-tls', order: row.order_name }, takenAt: Date.now(), milliseconds: 1, orderUid: 'u', orderName: row.order_name,
    cause: row.cause, confidence: row.confidence, headline: row.headline, diagnosis: '{}', finding: row.finding!, changed: false, deliveries: []
  })
  t.equal(saved.mergedInto, older)
  deliveries.wake()
  await slack.until(() => slack.roots().some(({ text }) => text.startsWith('Merged')), 'the word about the merger')
  const root = slack.roots().find(({ text }) => text.startsWith('Merged'))!
  t.match(root.text, new RegExp(`goes on in the incident of shop/shop-tls that began earlier: https://triage.example/incidents/${older}`))
  t.notMatch(JSON.stringify(root.blocks), /"action_id":"silence"|Do this/, 'nobody is asked to do anything here')
  await slack.until(() => slack.replies(root.ts).some(({ text }) => text.includes(`Merged into https://triage.example/incidents/${older}`)), 'the same in its thread')
  t.equal(slack.roots().length, 2)
})

t.test('the cause leads to a channel of its own: told there once, linked, edited, and the first says so', async t => {
  const { slack, fire, diagnose, resolve } = await deliveryWorld(t, { change: config => { config.causes['acme-rate-limited'] = { channel: 'C2' } } })
  const [id] = await fire(anAlert())
  await slack.until(() => slack.roots().length === 1)
  await diagnose(id!, 'acme-rate-limited')
  await slack.until(() => slack.roots().some(({ channel }) => channel === 'C2'), 'the other channel')
  const first = slack.roots().find(({ channel }) => channel === 'C1')!
  const other = slack.roots().find(({ channel }) => channel === 'C2')!
  t.match(JSON.stringify(other.blocks), `/archives/C1/p${first.ts.replace('.', '')}`)
  await slack.until(() => slack.replies(first.ts).some(({ blocks }) => JSON.stringify(blocks).includes('<#C2>')), 'the word in the first thread')
  await diagnose(id!, 'http01-port80-blocked')
  await resolve(anAlert())
  await slack.until(() => slack.roots().every(({ text }) => text.startsWith('Resolved')), 'the end in both')
  t.equal(slack.roots().length, 2)
})

t.test('the cause was known before the first message could be sent: its channel hears of it all the same', async t => {
  const { slack, fire, diagnose } = await deliveryWorld(t, { change: config => { config.causes['acme-rate-limited'] = { channel: 'C2' } }, fault: () => ({ is: 'status', status: 503 }) })
  const [id] = await fire(anAlert())
  await slack.until(() => slack.calls.length > 0, 'a first try')
  await diagnose(id!, 'acme-rate-limited')
  slack.fault = () => undefined
  await slack.until(() => slack.roots().some(({ channel }) => channel === 'C2'), 'the other channel')
  t.same(slack.roots().map(({ channel }) => channel).sort(), ['C1', 'C2'])
})
