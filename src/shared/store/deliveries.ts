import { sql } from 'kysely'
import type { Millis } from '../types/common.ts'
import { insertDeliveries, readDelivery, rootKey, rowsToChange, type Delivery, type DeliveryPatch, type DeliveryPayload, type NewDelivery } from './delivery-row.ts'
import { digestStore, type DigestStore } from './digests.ts'
import { showRevision } from './incident-book.ts'
import { intakeLock } from './intake.ts'
import type { Database, DeliveryState, DeliveryTable, IncidentTable } from './schema.ts'
import { slices } from './slices.ts'
import type { StoreContext } from './store.ts'
import { clean } from './text.ts'
import { keepWaits } from './waits.ts'

export interface DeliveryStore extends DigestStore {
  /** After a start of the only process: calls that were under way are ambiguous. */
  recover (): Promise<{ ambiguous: number }>
  /** Places with something to do now. */
  dueTargets (): Promise<string[]>
  /** What is due at one place: new roots, edits, replies, files. */
  due (target: string, limit: number): Promise<Delivery[]>
  /** When the next row is due that is not yet. */
  nextDue (): Promise<Millis | undefined>
  /** Takes a row: a first sending is `sending` from this commit on. Undefined: somebody else has it. */
  claim (delivery: Delivery, lease: Millis): Promise<Delivery | undefined>
  /** Ends a claim; new rows are written in the same commit. False: the claim was lost. */
  settle (delivery: Delivery, patch: DeliveryPatch, also?: NewDelivery[]): Promise<boolean>
  get (id: string): Promise<Delivery | undefined>
  byKey (uniqueKey: string): Promise<Delivery | undefined>
  incident (id: string): Promise<IncidentTable | undefined>
  /** The alert that the incident is told by: the newest one that fires, else the newest. */
  alert (incident: string): Promise<{ row: Database['alert'], externalUrl: string, count: number, truncated: number } | undefined>
  /** The root rows of these incidents. */
  roots (incidents: string[]): Promise<Delivery[]>
  /** The thread of a message that is gone starts anew with its next root. */
  restart (incident: string, error: string, target?: string): Promise<void>
  /** Adds to what the root of an incident says, and asks for the edit that shows it. */
  touch (incident: string, payload: DeliveryPayload): Promise<void>
  /** Puts a row back that was not claimed: its root is not there yet. */
  postpone (id: string, at: Millis): Promise<void>
  /** Our clock was set back: what waits does not wait longer than it was meant to. */
  clockSetBack (): Promise<void>
  /** Everything that waits because of an outage is due now. */
  hasten (targets?: string[]): Promise<void>
  insert (rows: NewDelivery[]): Promise<void>
  list (query: { state?: DeliveryState, limit: number }): Promise<Delivery[]>
  /** A thread whose root stands in a digest counts as folded, too: it waits for nothing that will come by itself. */
  counts (): Promise<{ kind: string, state: string, count: number }[]>
  /** Dead rows go again; all of them or one. */
  retryDead (id?: string): Promise<number>
  sweep (before: Millis): Promise<void>
}

/** What was under way when the process died may have been taken by a Slack that had not answered yet. */
const recoveryPatience: Millis = 15_000
const openStates: DeliveryState[] = ['intent', 'ambiguous', 'sending']

export function deliveryStore (context: StoreContext): DeliveryStore {
  const { database, clock } = context

  return {
    ...digestStore(context),

    async recover () {
      await keepWaits(context, 'delivery')
      const now = clock.now()
      if (context.dialect !== 'sqlite') return { ambiguous: 0 }
      await database.updateTable('delivery').set({ lease_until: null }).where('lease_until', 'is not', null).execute()
      // Nothing of a dead process is still under way after a moment; looking at once could be too early.
      const rows = await database.selectFrom('delivery').select(['id', 'payload']).where('state', '=', 'sending').execute()
      for (const { id, payload } of rows) {
        await database.updateTable('delivery').where('id', '=', id).set({
          state: 'ambiguous', run_at: now + 2_000, last_error: 'the process ended while this was being sent',
          payload: JSON.stringify({ ...JSON.parse(payload) as DeliveryPayload, patientUntil: now + recoveryPatience })
        }).execute()
      }
      return { ambiguous: rows.length }
    },

    async dueTargets () {
      const now = clock.now()
      const pending = database.selectFrom('delivery').select('target').where('state', 'in', openStates).where('run_at', '<=', now)
      const behind = database.selectFrom('delivery').select('target').where('wanted', '>', sql<number>`revision`).where('run_at', '<=', now).where('state', '=', 'sent')
      const rows = [...await pending.distinct().execute(), ...await behind.distinct().execute()]
      return [...new Set(rows.map(({ target }) => target))].filter(target => target !== '')
    },

    async due (target, limit) {
      const now = clock.now()
      // Neither state nor place alone is selective: a storm leaves thousands of rows at one place. `coalesce` keeps the planner from choosing the place.
      const base = database.selectFrom('delivery').selectAll().where(sql<string>`coalesce(target, '')`, '=', target).where('run_at', '<=', now)
        .where(row => row.or([row('lease_until', 'is', null), row('lease_until', '<', now)])).limit(limit)
      const pending = await base.where('state', 'in', openStates).orderBy(sql`case when kind = 'slack-digest' then 0 when kind = 'slack-digest-page' then 1 when kind = 'slack-root' then 2 else 3 end`).orderBy('run_at').execute()
      const behind = await base.where('wanted', '>', sql<number>`revision`).where('state', '=', 'sent').orderBy('run_at').execute()
      return [...pending, ...behind].map(readDelivery).sort((a, b) => rank(a) - rank(b) || a.run_at - b.run_at || (a.id < b.id ? -1 : 1)).slice(0, limit)
    },

    async nextDue () {
      const now = clock.now()
      const pending = database.selectFrom('delivery').select(each => each.fn.min('run_at').as('at')).where('state', 'in', openStates).where('run_at', '>', now)
      const behind = database.selectFrom('delivery').select(each => each.fn.min('run_at').as('at')).where('wanted', '>', sql<number>`revision`).where('run_at', '>', now).where('state', '=', 'sent')
      const times = [await pending.executeTakeFirst(), await behind.executeTakeFirst()].flatMap(row => row?.at === null || row?.at === undefined ? [] : [Number(row.at)])
      return times.length === 0 ? undefined : Math.min(...times)
    },

    async claim (delivery, lease) {
      const now = clock.now()
      const row = await database.updateTable('delivery').set(each => ({
        state: delivery.state === 'intent' ? 'sending' as const : delivery.state, attempts: each('attempts', '+', 1), lease_until: now + lease, updated_at: now
      })).where('id', '=', delivery.id).where('attempts', '=', delivery.attempts).where('state', '=', delivery.state)
        .where(each => each.or([each('lease_until', 'is', null), each('lease_until', '<', now)])).returningAll().executeTakeFirst()
      return row === undefined ? undefined : readDelivery(row)
    },

    settle: (delivery, patch, also = []) => context.transaction(async transaction => {
      const { payload, ...rest } = patch
      // Merged with what is there now: a page may have got new members while it was being sent.
      const current = payload === undefined ? undefined : await rowsToChange(context, transaction).select('payload').where('id', '=', delivery.id).executeTakeFirst()
      const merged: DeliveryPayload = { ...(current === undefined ? {} : JSON.parse(current.payload) as DeliveryPayload), ...payload }
      const { numUpdatedRows } = await transaction.updateTable('delivery').set({
        ...rest,
        ...(rest.last_error === undefined ? {} : { last_error: clean(rest.last_error.slice(0, 1_000)) }),
        ...(payload === undefined ? {} : { payload: clean(JSON.stringify(merged)) }),
        lease_until: null,
        updated_at: clock.now()
      }).where('id', '=', delivery.id).where('attempts', '=', delivery.attempts).executeTakeFirst()
      if (numUpdatedRows === 0n) return false
      await insertDeliveries(context, transaction, also)
      // What others ask for in the thread of a root follows it into its channel.
      if (delivery.kind === 'slack-root' && (rest.state ?? delivery.state) === 'sent') {
        await transaction.updateTable('delivery').set({ target: delivery.target }).where('incident_id', '=', delivery.incident_id).where('target', '=', '')
          .where('kind', 'in', ['slack-thread', 'slack-file', 'slack-note']).execute()
      }
      return true
    }),

    async get (id) {
      const row = await database.selectFrom('delivery').selectAll().where('id', '=', id).executeTakeFirst()
      return row === undefined ? undefined : readDelivery(row)
    },
    async byKey (uniqueKey) {
      const row = await database.selectFrom('delivery').selectAll().where('unique_key', '=', uniqueKey).executeTakeFirst()
      return row === undefined ? undefined : readDelivery(row)
    },
    incident: id => database.selectFrom('incident').selectAll().where('id', '=', id).executeTakeFirst(),

    async alert (incident) {
      const rows = await database.selectFrom('alert').selectAll().where('incident_id', '=', incident).orderBy(sql`case when status = 'firing' then 0 else 1 end`).orderBy('starts_at', 'desc').limit(1).execute()
      const [row] = rows
      if (row === undefined) return undefined
      const { count } = await database.selectFrom('alert').select(each => each.fn.countAll<number>().as('count')).where('incident_id', '=', incident).executeTakeFirstOrThrow()
      const notification = await database.selectFrom('notification').select(['external_url', 'truncated']).where('id', '=', row.notification_id).executeTakeFirst()
      return { row, externalUrl: notification?.external_url ?? '', count: Number(count), truncated: notification?.truncated ?? 0 }
    },

    async roots (incidents) {
      const rows: DeliveryTable[] = []
      for (const some of slices(incidents, 300)) {
        rows.push(...await database.selectFrom('delivery').selectAll().where('unique_key', 'in', some.map(rootKey)).execute())
      }
      return rows.map(readDelivery)
    },

    restart: (incident, error, target) => context.transaction(async transaction => {
      const now = clock.now()
      const rows = (await rowsToChange(context, transaction).selectAll().where('incident_id', '=', incident).where('kind', 'in', ['slack-root', 'slack-thread']).execute()).map(readDelivery)
      for (const { id, payload, target: from } of rows) {
        await transaction.updateTable('delivery').set(row => ({
          state: 'intent', revision: 0, external_channel: '', external_id: '', run_at: now, lease_until: null, attempts: row('attempts', '+', 1), last_error: clean(error), updated_at: now,
          ...(target === undefined ? {} : { target }),
          payload: JSON.stringify({ ...payload, generation: (payload.generation ?? 0) + 1, ...(target === undefined ? {} : { movedFrom: from }) })
        })).where('id', '=', id).execute()
      }
      // What was only said in passing is not said again.
      await transaction.updateTable('delivery').set({ state: 'superseded', updated_at: now, last_error: clean(error) })
        .where('incident_id', '=', incident).where('kind', 'in', ['slack-note', 'slack-file']).where('state', 'in', openStates).execute()
    }),

    touch: (incident, payload) => context.transaction(async transaction => {
      const now = clock.now()
      const row = await rowsToChange(context, transaction).select(['id', 'payload']).where('unique_key', '=', rootKey(incident)).executeTakeFirst()
      if (row === undefined) return
      await transaction.updateTable('delivery').set({ payload: clean(JSON.stringify({ ...JSON.parse(row.payload) as DeliveryPayload, ...payload })) }).where('id', '=', row.id).execute()
      await transaction.updateTable('incident').set(each => ({ revision: each('revision', '+', 1), updated_at: now })).where('id', '=', incident).execute()
      await showRevision(transaction, [incident], now)
    }, { lock: intakeLock }),

    async postpone (id, at) {
      await database.updateTable('delivery').set({ run_at: at, updated_at: clock.now() }).where('id', '=', id).where('lease_until', 'is', null).execute()
    },

    clockSetBack: () => keepWaits(context, 'delivery'),

    async hasten (targets) {
      const now = clock.now()
      let query = database.updateTable('delivery').set({ run_at: now }).where('state', 'in', ['intent', 'ambiguous']).where('run_at', '>', now).where('run_at', '<', now + 3_600_000).where('last_error', '!=', '')
      if (targets !== undefined) query = query.where('target', 'in', targets)
      await query.execute()
    },

    insert: rows => context.transaction(transaction => insertDeliveries(context, transaction, rows)),

    async list ({ state, limit }) {
      let query = database.selectFrom('delivery').selectAll().orderBy('updated_at', 'desc').orderBy('id').limit(limit)
      if (state !== undefined) query = query.where('state', '=', state)
      return (await query.execute()).map(readDelivery)
    },

    async counts () {
      const root = database.selectFrom('delivery').select('incident_id').where('kind', '=', 'slack-root').where('state', '=', 'folded')
      const state = sql<string>`case when delivery.state = 'intent' and root.incident_id is not null then 'folded' else delivery.state end`
      const rows = await database.selectFrom('delivery').leftJoin(root.as('root'), 'root.incident_id', 'delivery.incident_id')
        .select(row => ['kind', state.as('state'), row.fn.countAll<number>().as('count')]).groupBy(['kind', state]).execute()
      return rows.map(row => ({ ...row, count: Number(row.count) }))
    },

    async retryDead (id) {
      const now = clock.now()
      let query = database.updateTable('delivery').set({ state: 'intent', run_at: now, attempts: 0, lease_until: null, created_at: now, updated_at: now }).where('state', '=', 'dead')
      if (id !== undefined) query = query.where('id', '=', id)
      const { numUpdatedRows } = await query.executeTakeFirst()
      return Number(numUpdatedRows)
    },

    async sweep (before) {
      // Those of incidents go with their incident.
      await database.deleteFrom('delivery').where('incident_id', '=', '').where('updated_at', '<', before).execute()
    }
  }
}

/** Notices first, those that name many before those that name one, then how it goes on. */
function rank ({ kind, state }: Delivery): number {
  const first = state !== 'sent'
  if (kind.startsWith('slack-digest')) return first ? 0 : 3
  if (kind === 'slack-root') return first ? 1 : 2
  return kind === 'slack-file' ? 6 : kind === 'slack-note' ? 5 : 4
}
