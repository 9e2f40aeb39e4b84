import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { sql } from 'kysely'
import t from 'tap'
import { annotationTargetStore } from '../../src/shared/store/annotation-targets.ts'
import { openStore, type Store, type StoreSettings } from '../../src/shared/store/store.ts'
import { deliveryStore, type DeliveryStore } from '../../src/shared/store/deliveries.ts'
import { never } from '../../src/shared/store/delivery-row.ts'
import type { IncomingNotification } from '../../src/shared/store/intake.ts'
import type { LookResult } from '../../src/shared/store/incidents.ts'
import type { RecordedState } from '../../src/shared/types/observations.ts'
import { handClock, start } from '../support/intake.ts'
import { startPostgres } from '../support/postgres.ts'

const minute = 60_000

interface AlertWish { fingerprint?: string, certificate?: string, status?: 'firing' | 'resolved', startsAt?: number, endsAt?: number }

function notification (...alerts: AlertWish[]): IncomingNotification {
  return {
    source: '', receiver: 'acme', groupKey: '{}', externalUrl: 'http://am:9093', reason: '', truncated: 0, raw: '{}',
    alerts: alerts.map(({ fingerprint = 'f1', certificate = 'shop-tls', status = 'firing', startsAt = start - minute, endsAt }) => ({
      alert: { status, labels: { certificate, odd: 'a\u0000b' }, annotations: {}, startsAt, endsAt, generatorURL: '', fingerprint },
      place: { key: `|shop|${certificate}`, cluster: '', namespace: 'shop', certificate, order: '' },
      notes: []
    }))
  }
}

function result (incident: string, rest: Partial<LookResult> = {}): LookResult {
  return {
    incident, takenAt: start, milliseconds: 12.4, orderUid: 'u1', orderName: 'o1', cause: 'http01-port80-blocked', confidence: 'proven', headline: 'port 80 is closed',
    diagnosis: '{}', finding: '{}', observations: new Uint8Array([1, 2, 3]), changed: true, deliveries: [{ kind: 'slack-thread', uniqueKey: `slack-thread:${incident}` }], ...rest
  }
}

/** What every store must do; `open` gives an empty one, or the same again with `again`. */
function suite (name: string, open: (settings: Partial<StoreSettings>) => Promise<Store>): void {
  t.test(name, async t => {
    const clock = handClock()
    const store = await open({ clock })
    t.teardown(() => store.close())

    await t.test('many notifications of one turn share one commit, and each gets its own answer', async t => {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => store.intake.accept(notification({ fingerprint: `many-${index}`, certificate: `many-${index}` }))))
      t.equal(new Set(answers.map(({ opened }) => opened[0])).size, 40)
      const same = await Promise.all(Array.from({ length: 20 }, () => store.intake.accept(notification({ fingerprint: 'same', certificate: 'same' }))))
      t.equal(same.filter(({ opened }) => opened.length === 1).length, 1, 'one of twenty deliveries at once opens the incident')
      const deliveries = await store.context.database.selectFrom('delivery').selectAll().where('incident_id', '=', same[0]!.opened[0]!).execute()
      t.match(deliveries, [{ kind: 'slack-root', state: 'intent', wanted: 1 }])
      t.equal(deliveries.length, 1)
    })

    await t.test('jobs', async t => {
      const { due } = await store.jobs.depth()
      t.equal(due, 41, 'a look for each incident')
      const first = await store.jobs.claim(2, minute)
      t.equal(first.length, 2)
      const others = await store.jobs.claim(100, minute)
      t.equal(others.length, 39, 'nobody gets a job twice')
      t.equal((await store.jobs.claim(1, minute)).length, 0)

      const [job, lost] = first as [typeof first[0], typeof first[0]]
      await store.jobs.requestLook(job.incident_id)
      t.equal((await store.jobs.claim(1, minute)).length, 0, 'a look that is asked for while one runs waits')
      t.match(await store.incidents.saveLook(job, result(job.incident_id, { next: start + 5 * minute })), { kept: true, revision: 2 })
      t.equal((await store.jobs.claim(5, minute)).map(({ incident_id: id }) => id).join(), job.incident_id, 'and follows at once')

      clock.advance(2 * minute)
      const again = await store.jobs.claim(100, minute)
      t.equal(again.some(({ id }) => id === lost.id), true, 'a lease that ran out is taken over')
      t.match(await store.incidents.saveLook(lost, result(lost.incident_id)), { kept: false }, 'and its first holder cannot save any more')
      t.equal(await store.jobs.extend(lost, minute), false)
      const holder = again.find(({ id }) => id === lost.id)!
      t.equal(await store.jobs.extend(holder, minute), true)
      await store.jobs.retry(holder, clock.now() + minute, 'the API was down')
      t.match(await store.jobs.depth(), { due: 0, next: clock.now() + minute })
      for (const each of again.filter(({ id }) => id !== lost.id)) await store.jobs.finish(each)
      t.match(await store.jobs.depth(), { due: 0 })
    })

    await t.test('a reply whose root stands in a digest counts as folded', async t => {
      const { opened: [incident = ''] } = await store.intake.accept(notification({ fingerprint: 'folded', certificate: 'folded' }))
      const deliveries = deliveryStore(store.context)
      await deliveries.insert([{ incident, kind: 'slack-note', target: '', uniqueKey: `slack-note:${incident}`, wanted: 1 }])
      const notes = async () => (await deliveries.counts()).filter(({ kind }) => kind === 'slack-note').map(({ state, count }) => ({ state, count }))
      t.same(await notes(), [{ state: 'intent', count: 1 }])
      await store.context.database.updateTable('delivery').set({ state: 'folded' }).where('kind', '=', 'slack-root').where('incident_id', '=', incident).execute()
      t.same(await notes(), [{ state: 'folded', count: 1 }])
      await store.context.database.deleteFrom('delivery').where('incident_id', '=', incident).execute()
      for (const each of await store.jobs.claim(5, minute)) await store.jobs.finish(each)
    })

    await t.test('a clock that is set back makes no wait longer', async t => {
      clock.advance(minute)
      const [waits] = await store.jobs.claim(5, minute)
      await store.jobs.retry(waits!, clock.now() + 5 * minute, 'the API was down')
      const [opened] = (await store.intake.accept(notification({ fingerprint: 'clock', certificate: 'clock' }))).opened
      const key = { incident: opened!, kind: 'slack-thread', target: 'C9', wanted: 1 }
      const deliveries = deliveryStore(store.context)
      await deliveries.insert([{ ...key, uniqueKey: 'clock-soon' }, { ...key, uniqueKey: 'clock-later', runAt: clock.now() + 5 * minute }, { ...key, uniqueKey: 'clock-never', runAt: never }])
      const { run_at: wanted } = (await deliveries.byKey('clock-later'))!

      clock.advance(-60 * minute)
      t.match(await store.jobs.claim(5, minute), [{ incident_id: opened, run_at: clock.now() }], 'what was due is due')
      t.same(await store.jobs.depth(), { due: 0, next: clock.now() + 5 * minute }, 'what waits five minutes waits five minutes')
      await store.jobs.requestLook(opened!)
      await deliveries.clockSetBack()
      await deliveries.clockSetBack()
      t.same((await deliveries.due('C9', 5)).map(row => row.unique_key), ['clock-soon'])
      t.equal((await deliveries.byKey('clock-later'))!.run_at, wanted - 60 * minute, 'twice changes nothing')
      t.equal((await deliveries.byKey('clock-never'))!.run_at, never)

      clock.advance(5 * minute)
      const again = await store.jobs.claim(5, minute)
      t.same(new Set(again.map(({ incident_id: id }) => id)), new Set([opened, waits!.incident_id]), 'the five minutes are over, and so is the lease')
      for (const each of again) await store.jobs.finish(each)
      clock.advance(60 * minute)
      for (const each of await store.jobs.claim(5, minute)) await store.jobs.finish(each)
      await store.context.database.deleteFrom('delivery').where('target', '=', 'C9').execute()
    })

    await t.test('annotations are kept for a day after the last sign that the alert fires', async t => {
      const { opened: [incident = ''] } = await store.intake.accept(notification({ fingerprint: 'kept', certificate: 'kept' }))
      const [job] = await store.jobs.claim(1, minute)
      await store.incidents.saveLook(job!, result(incident, { annotations: { acme_triage_cause: 'x' } }))
      const targets = annotationTargetStore(store.context)
      const kept = async () => (await targets.active()).filter(target => target.incident === incident).length
      t.equal(await kept(), 1)
      clock.advance(7 * 24 * 60 * minute)
      t.equal(await kept(), 0, 'nobody has said anything for a week')
      await store.intake.accept(notification({ fingerprint: 'kept', certificate: 'kept' }))
      t.equal(await kept(), 1, 'delivered again')
      await targets.stop(['kept'])
      await store.intake.accept(notification({ fingerprint: 'kept', certificate: 'kept' }))
      t.equal(await kept(), 1, 'no peer knew it for a while, and now it is back')
      await store.intake.accept(notification({ fingerprint: 'kept', certificate: 'kept', status: 'resolved', endsAt: clock.now() }))
      await store.intake.accept(notification({ fingerprint: 'kept', certificate: 'kept' }))
      t.equal(await kept(), 0, 'a late copy of what has ended changes nothing')
      for (const each of await store.jobs.claim(5, minute)) await store.jobs.finish(each)
    })

    await t.test('a look and what follows from it', async t => {
      const { opened: [incident = ''] } = await store.intake.accept(notification({ fingerprint: 'look', certificate: 'look' }))
      const [job] = await store.jobs.claim(1, minute)
      t.equal(job?.incident_id, incident)
      await store.incidents.saveLook(job!, result(incident, { next: clock.now() + minute, annotations: { acme_triage_cause: 'x' } }))
      t.match(await store.incidents.get(incident), { cause: 'http01-port80-blocked', revision: 2, looks: 1, state: 'open', next_look_at: clock.now() + minute })
      t.match(await store.incidents.deliveries(incident), [{ kind: 'slack-root' }, { kind: 'slack-thread' }])
      const wanted = await store.context.database.selectFrom('delivery').select('wanted').where('incident_id', '=', incident).execute()
      t.same(wanted.map(row => row.wanted), [2, 2], 'everything is to show the new revision')
      const targets = await store.context.database.selectFrom('annotation_target').selectAll().where('incident_id', '=', incident).execute()
      t.match(targets, [{ fingerprint: 'look', active: 1, annotations: '{"acme_triage_cause":"x"}' }])
      t.same([...(await store.incidents.latestObservations(incident))!], [1, 2, 3])

      for (let look = 0; look < 7; look++) {
        clock.advance(minute)
        const [next] = await store.jobs.claim(1, minute)
        await store.incidents.saveLook(next!, result(incident, { takenAt: clock.now(), changed: false, next: clock.now() + minute }))
      }
      t.match(await store.incidents.get(incident), { revision: 2, looks: 8 }, 'a look that changes nothing is no revision')
      const kept = await store.context.database.selectFrom('observation').select('data').where('incident_id', '=', incident).execute()
      t.equal(kept.filter(({ data }) => data !== null).length, 5, 'observations of the newest looks only')
      t.equal((await store.incidents.looks(incident)).length, 8)

      for (let look = 0; look < 6; look++) {
        clock.advance(minute)
        const [next] = await store.jobs.claim(1, minute)
        await store.incidents.saveLook(next!, result(incident, { takenAt: clock.now(), orderUid: 'u2', observations: new Uint8Array([look]), changed: false, next: clock.now() + minute }))
      }
      t.same([...(await store.incidents.keptLook(incident, { attempt: 'u2' }))!.data], [5], 'the last look of an attempt')
      t.same([...(await store.incidents.keptLook(incident, { attempt: 'u1' }))!.data], [1, 2, 3], 'and of the one before, whatever has been looked at since')
      t.equal(await store.incidents.keptLook(incident, { attempt: 'u3' }), undefined)

      clock.advance(minute)
      const [last] = await store.jobs.claim(1, minute)
      await store.incidents.saveLook(last!, result(incident, { healed: { why: 'Order o2 is valid' }, changed: false, next: clock.now() + minute }))
      t.match(await store.incidents.get(incident), { state: 'healed', closed_why: 'Order o2 is valid', revision: 3, next_look_at: null })
      t.match(await store.intake.accept(notification({ fingerprint: 'look', certificate: 'look', startsAt: clock.now() })), { opened: [], joined: [incident] }, 'fires again inside the flap window')
      await store.intake.accept(notification({ fingerprint: 'look', certificate: 'look', status: 'resolved', startsAt: clock.now(), endsAt: clock.now() }))
      t.match(await store.incidents.get(incident), { state: 'resolved', reopened: 1 })
      for (const each of await store.jobs.claim(10, minute)) await store.jobs.finish(each)
    })

    await t.test('two incidents that turn out to be one Certificate', async t => {
      const { opened: [older = ''] } = await store.intake.accept(notification({ fingerprint: 'by-order', certificate: 'by-order' }))
      clock.advance(1_000)
      const { opened: [younger = ''] } = await store.intake.accept(notification({ fingerprint: 'by-name', certificate: 'by-name' }))
      const place = { key: '|shop|really', namespace: 'shop', certificate: 'really', order: 'o9' }
      for (const job of (await store.jobs.claim(2, minute)).sort((a, b) => a.incident_id < b.incident_id ? -1 : 1)) await store.incidents.saveLook(job, result(job.incident_id, { place }))
      t.match(await store.incidents.get(younger), { state: 'merged', merged_into: older })
      t.match(await store.incidents.get(older), { state: 'open', certificate: 'really', key: '|shop|really' })
      t.equal((await store.incidents.alerts(older)).length, 2)
      t.match(await store.incidents.deliveries(younger), [{ kind: 'slack-root', state: 'superseded' }, { kind: 'slack-thread', state: 'superseded' }], 'a message that was not begun is not sent')
      t.match(await store.intake.accept(notification({ fingerprint: 'third', certificate: 'by-name' })), { opened: [], joined: [older] }, 'the keys of both lead to the one that is left')
      for (const each of await store.jobs.claim(10, minute)) await store.jobs.finish(each)
    })

    await t.test('pages of incidents follow each other without gap or repeat', async t => {
      const all = (await store.incidents.page({ limit: 1_000 })).rows.map(({ id }) => id)
      const read: string[] = []
      for (let after: string | undefined; ;) {
        const { rows, next } = await store.incidents.page({ limit: 7, after })
        read.push(...rows.map(({ id }) => id))
        if (next === undefined) break
        after = next
      }
      t.same(read, all)
      t.equal((await store.incidents.page({ limit: 100, state: 'merged' })).rows.length, 1)
      t.equal((await store.incidents.counts()).merged, 1)
    })

    await t.test('recorder, audit and housekeeping', async t => {
      const state = (at: number, rest: Partial<RecordedState> = {}): RecordedState => ({ at, kind: 'Challenge', namespace: 'shop', name: 'c', uid: `c${at}`, order: 'o1', state: 'pending', reason: 'x'.repeat(500), ...rest })
      await store.recorder.add([state(start), state(start + 1, { order: 'o2' }), state(start + 2, { kind: 'Order', uid: 'o1', order: undefined })])
      t.same((await store.recorder.read({ namespace: 'shop', since: 0, orders: ['o1'] })).map(({ at }) => at), [start, start + 2])
      t.same(await store.recorder.read({ namespace: 'shop', since: 0, orders: [] }), [])
      await store.recorder.prune(0, 1_300)
      t.same((await store.recorder.read({ namespace: 'shop', since: 0 })).map(({ at }) => at), [start + 1, start + 2], 'the oldest goes first')

      t.equal(await store.audit.add({ actor: 'U1', action: 'look-again', incident: 'i', uniqueKey: 'k', data: {} }), true)
      t.equal(await store.audit.add({ actor: 'U1', action: 'look-again', incident: 'i', uniqueKey: 'k', data: {} }), false, 'a double click is one act')

      clock.advance(40 * 86_400_000)
      while (await store.housekeeping.sweep({ retention: 30 * 86_400_000 })) { /* until nothing is left to remove */ }
      t.same(Object.keys(await store.incidents.counts()), ['open'], 'open incidents stay, whatever their age')
      await store.checkWritable()
    })
  })
}

suite('embedded', settings => openStore({ dataDir: ':memory:', flapWindow: 10 * minute, clock: handClock(), ...settings }))

t.test('the embedded store belongs to one process', async t => {
  const dataDir = t.testdir()
  const store = await openStore({ dataDir, clock: handClock(), flapWindow: 0 })
  await t.rejects(openStore({ dataDir, clock: handClock(), flapWindow: 0, lockWaitMs: 0 }), { code: 'STORE_LOCKED', hint: /DATABASE_URL/ })
  await store.close()
  const again = await openStore({ dataDir, clock: handClock(), flapWindow: 0, lockWaitMs: 0 })
  await again.jobs.claim(1, minute)
  const { rows: [mode] } = await sql<{ synchronous: number }>`pragma synchronous`.execute(again.context.database)
  t.equal(mode?.synchronous, 2, 'each commit is on the disk, also after one that need not be')
  await again.close()
  await t.rejects(openStore({ dataDir: '/dev/null/x', clock: handClock(), flapWindow: 0 }), /ENOTDIR|not a directory/)
})

t.test('a store of a newer version is left alone', async t => {
  const dataDir = t.testdir()
  const store = await openStore({ dataDir, clock: handClock(), flapWindow: 0 })
  await sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2030')`.execute(store.context.database)
  await store.close()
  await t.rejects(openStore({ dataDir, clock: handClock(), flapWindow: 0 }), { code: 'STORE_NEWER' })
})

t.test('kill -9 loses nothing that was acknowledged', async t => {
  const dataDir = t.testdir()
  const acknowledged: string[] = []
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [new URL('../support/accept-forever.ts', import.meta.url).pathname, dataDir, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line)
      if (acknowledged.length % 150 === 0) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    t.equal(child.signalCode, 'SIGKILL')
  }
  // The killed ones went by the real clock.
  const store = await openStore({ dataDir, clock: { now: Date.now }, flapWindow: 0 })
  t.teardown(() => store.close())
  const stored = new Set((await store.incidents.page({ limit: 10_000 })).rows.map(({ certificate }) => certificate))
  t.equal(acknowledged.length >= 450, true)
  t.same(acknowledged.filter(name => !stored.has(name)), [])
  const { rows: [check] } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(store.context.database)
  t.equal(check?.integrity_check, 'ok')
  t.equal((await store.jobs.depth()).due, stored.size, 'and what was under way is to be done again')
})

const postgres = await startPostgres().catch(String)
if (typeof postgres === 'string') {
  t.test('PostgreSQL', { skip: `no PostgreSQL here: ${postgres}` }, t => { t.end() })
  if (process.env.CI === 'true') t.fail(`PostgreSQL must run in CI: ${postgres}`)
} else {
  t.teardown(() => postgres.stop())
  suite('PostgreSQL', settings => openStore({ dataDir: '', databaseUrl: postgres.url, flapWindow: 10 * minute, clock: handClock(), ...settings }))

  t.test('replicas on PostgreSQL open one incident for the same alert', async t => {
    const clock = handClock()
    const replicas = await Promise.all([0, 1, 2].map(() => openStore({ dataDir: '', databaseUrl: postgres.url, flapWindow: 0, clock })))
    t.teardown(() => Promise.all(replicas.map(replica => replica.close())))
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => replicas[index % 3]!.intake.accept(notification({ fingerprint: 'replica', certificate: 'replica' }))))
    t.equal(answers.flatMap(({ opened }) => opened).length, 1)
    const claims = await Promise.all(replicas.map(replica => replica.jobs.claim(5, minute)))
    t.equal(claims.flat().filter(({ incident_id: id }) => id === answers.flatMap(({ opened }) => opened)[0]).length, 1)
  })

  t.test('a page of a digest that grows while another replica sends it keeps everybody', async t => {
    const clock = handClock()
    const replicas = await Promise.all([0, 1].map(() => openStore({ dataDir: '', databaseUrl: postgres.url, flapWindow: 0, clock })))
    t.teardown(() => Promise.all(replicas.map(replica => replica.close())))
    const [{ intake, context }] = replicas as [Store, Store]
    const [grows, sends] = replicas.map(replica => deliveryStore(replica.context)) as [DeliveryStore, DeliveryStore]
    const entry = { namespace: 'shop', certificate: '', order: '', cluster: '', issuer: '', zone: '', cause: '', urgency: 'unknown', headline: '', state: 'open' }
    const storm = { threshold: 1, window: minute, pageCharacters: 1_000_000, route: () => 'C-grows', entry: () => entry, sizeOf: () => 10, also: () => [] }
    const arrive = async (name: string): Promise<void> => { await intake.accept(notification({ fingerprint: name, certificate: name })) }
    for (const name of ['grows-a', 'grows-b']) await arrive(name)
    await grows.assign(storm, 500)
    const page = await context.database.selectFrom('delivery').select('id').where('kind', '=', 'slack-digest-page').where('target', '=', 'C-grows').executeTakeFirstOrThrow()
    for (let round = 0; round < 20; round++) {
      await arrive(`grows-${round}`)
      const claimed = (await sends.claim((await sends.get(page.id))!, 0))!
      clock.advance(1)
      await Promise.all([grows.assign(storm, 500), ...Array.from({ length: 6 }, () => sends.settle(claimed, { state: 'sent', payload: { shown: { state: '', cause: '', urgency: '', hash: String(round) } } }))])
    }
    const folded = await context.database.selectFrom('delivery').select('incident_id').where('target', '=', 'C-grows').where('state', '=', 'folded').execute()
    t.ok(folded.length > 20)
    t.same((await sends.get(page.id))!.payload.members?.toSorted(), folded.map(({ incident_id: id }) => id).toSorted())
  })
}
