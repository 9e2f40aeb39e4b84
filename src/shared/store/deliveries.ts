import { sql, type Transaction } from 'kysely'
import type { Millis } from '../types/common.ts'
import type { Database, DeliveryState, DeliveryTable, IncidentTable } from './schema.ts'
import { showRevision } from './incident-book.ts'
import type { StoreContext } from './store.ts'
import { clean } from './text.ts'

/** One message that must reach somebody; `payload` is read as JSON. */
export type Delivery = Omit<DeliveryTable, 'payload'> & { payload: DeliveryPayload }

/** What the outbox remembers of a message. Unknown keys are kept. */
export interface DeliveryPayload {
  /** What readers see now: decides whether an edit is worth a note. */
  shown?: { state: string, cause: string, urgency: string, hash: string }
  /** Blocks were refused: plain text from now on. */
  plain?: boolean
  /** Slack took the call and never answered: until then the message is only looked for, not repeated. */
  patientUntil?: Millis
  /** How often the message was posted anew because somebody removed it. */
  generation?: number
  /** The channel that would not take it. */
  movedFrom?: string
  /** A root that a digest tells, and the page that lists it. */
  digest?: string
  page?: number
  entry?: DigestEntry
  /** A digest. */
  open?: boolean
  pages?: number
  /** A page of a digest: incident ids, in order of arrival. */
  members?: string[]
  characters?: number
  /** A note: its words, and whom they call (from the configuration only). */
  text?: string
  broadcast?: boolean
  mention?: string
  /** Somebody was called already. */
  mentioned?: boolean
  /** The channel of the cause, where it was told as well. */
  forwarded?: string
  /** Permalink of the incident before this one; of a forwarded message: of the thread it belongs to. */
  previous?: string
  /** Who said "I'm on it". */
  taken?: { by: string, at: Millis }
}

/** One incident as a digest names it. */
export interface DigestEntry {
  namespace: string
  certificate: string
  order: string
  cluster: string
  issuer: string
  zone: string
  cause: string
  urgency: string
  headline: string
  state: string
}

/** A root nobody has chosen a channel for, with what the choice depends on. */
export interface Candidate {
  delivery: { id: string, createdAt: Millis }
  incident: Pick<IncidentTable, 'id' | 'cluster' | 'namespace' | 'certificate' | 'order_name' | 'state' | 'cause' | 'finding' | 'revision'>
  labels: Record<string, string>
}

export interface NewDelivery { incident: string, kind: string, target: string, uniqueKey: string, wanted: number, payload?: DeliveryPayload, runAt?: Millis }

export type DeliveryPatch = Partial<Pick<DeliveryTable, 'state' | 'target' | 'revision' | 'wanted' | 'external_channel' | 'external_id' | 'run_at' | 'last_error'>> & {
  /** Merged into what is there. */
  payload?: DeliveryPayload
}

interface AssignRules {
  /** New incidents of one channel within `window` above which a digest begins; 0: never. */
  threshold: number
  window: Millis
  /** Room of one page. */
  pageCharacters: number
  route (candidate: Candidate): string
  entry (candidate: Candidate): DigestEntry
  sizeOf (entry: DigestEntry): number
  /** Rows beside the root that must exist for every incident. */
  also (candidate: Candidate): NewDelivery[]
}

export interface DeliveryStore {
  /** After a start of the only process: calls that were under way are ambiguous. */
  recover (): Promise<{ ambiguous: number }>
  /** Chooses channels for new roots and folds storms into digests. True when there may be more. */
  assign (rules: AssignRules, limit: number): Promise<{ assigned: number, folded: number, more: boolean }>
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
  /** Folded roots that changed since their page told of them. */
  foldedChanges (limit: number): Promise<Delivery[]>
  /** Writes the new entries and asks for edits of their pages and digests. */
  refold (changes: { delivery: Delivery, entry: DigestEntry, revision: number }[]): Promise<void>
  /** The root rows of these incidents. */
  roots (incidents: string[]): Promise<Delivery[]>
  pages (digest: string): Promise<Delivery[]>
  openDigests (): Promise<Delivery[]>
  /** New roots of a channel since then. */
  countRoots (target: string, since: Millis): Promise<number>
  /** Incidents of a digest that are still open and have no message of their own. */
  survivors (digest: Delivery): Promise<Delivery[]>
  /** Gives roots of a digest a message of their own, at their times. */
  unfold (rows: { id: string, at: Millis }[]): Promise<void>
  /** The thread of a message that is gone starts anew with its next root. */
  restart (incident: string, error: string, target?: string): Promise<void>
  /** The same for a digest and its pages. */
  restartDigest (id: string, error: string): Promise<void>
  /** The storm is over: no new members, and one last edit. */
  closeDigest (digest: Delivery): Promise<void>
  /** Adds to what the root of an incident says, and asks for the edit that shows it. */
  touch (incident: string, payload: DeliveryPayload): Promise<void>
  /** Puts a row back that was not claimed: its root is not there yet. */
  postpone (id: string, at: Millis): Promise<void>
  /** Our clock was set back: what waits and what is leased keeps its wait, and not the time on the old clock. */
  clockSetBack (by: Millis): Promise<void>
  /** Everything that waits because of an outage is due now. */
  hasten (targets?: string[]): Promise<void>
  insert (rows: NewDelivery[]): Promise<void>
  list (query: { state?: DeliveryState, limit: number }): Promise<Delivery[]>
  counts (): Promise<{ kind: string, state: string, count: number }[]>
  /** Dead rows go again; all of them or one. */
  retryDead (id?: string): Promise<number>
  sweep (before: Millis): Promise<void>
}

/** Replicas take turns at choosing channels: two that saw the same storm would begin two digests. */
const assignLock = 7_202
/** What was under way when the process died may have been taken by a Slack that had not answered yet. */
const recoveryPatience: Millis = 15_000
const openStates: DeliveryState[] = ['intent', 'ambiguous', 'sending']
/** Given to nobody before the storm is over. */
const never = 8_640_000_000_000_000

export function deliveryStore (context: StoreContext): DeliveryStore {
  const { database, clock } = context
  const insert = (transaction: Transaction<Database> | typeof database, rows: NewDelivery[]) => insertRows(context, transaction as Transaction<Database>, rows)

  return {
    async recover () {
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

    assign: (rules, limit) => context.transaction(transaction => assign(context, transaction, rules, limit), assignLock),

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
      return [...pending, ...behind].map(read).sort((a, b) => rank(a) - rank(b) || a.run_at - b.run_at || (a.id < b.id ? -1 : 1)).slice(0, limit)
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
      return row === undefined ? undefined : read(row)
    },

    settle: (delivery, patch, also = []) => context.transaction(async transaction => {
      const { payload, ...rest } = patch
      // Merged with what is there now: a page may have got new members while it was being sent.
      const current = payload === undefined ? undefined : await transaction.selectFrom('delivery').select('payload').where('id', '=', delivery.id).executeTakeFirst()
      const merged: DeliveryPayload = { ...(current === undefined ? {} : JSON.parse(current.payload) as DeliveryPayload), ...payload }
      const { numUpdatedRows } = await transaction.updateTable('delivery').set({
        ...rest,
        ...(rest.last_error === undefined ? {} : { last_error: clean(rest.last_error.slice(0, 1_000)) }),
        ...(payload === undefined ? {} : { payload: clean(JSON.stringify(merged)) }),
        lease_until: null,
        updated_at: clock.now()
      }).where('id', '=', delivery.id).where('attempts', '=', delivery.attempts).executeTakeFirst()
      if (numUpdatedRows === 0n) return false
      await insert(transaction, also)
      // What others ask for in the thread of a root follows it into its channel.
      if (delivery.kind === 'slack-root' && (rest.state ?? delivery.state) === 'sent') {
        await transaction.updateTable('delivery').set({ target: delivery.target }).where('incident_id', '=', delivery.incident_id).where('target', '=', '')
          .where('kind', 'in', ['slack-thread', 'slack-file', 'slack-note']).execute()
      }
      return true
    }),

    async get (id) {
      const row = await database.selectFrom('delivery').selectAll().where('id', '=', id).executeTakeFirst()
      return row === undefined ? undefined : read(row)
    },
    async byKey (uniqueKey) {
      const row = await database.selectFrom('delivery').selectAll().where('unique_key', '=', uniqueKey).executeTakeFirst()
      return row === undefined ? undefined : read(row)
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

    async foldedChanges (limit) {
      const rows = await database.selectFrom('delivery').selectAll().where('state', '=', 'folded').where('wanted', '>', sql<number>`revision`).orderBy('updated_at').limit(limit).execute()
      return rows.map(read)
    },

    refold: changes => context.transaction(async transaction => {
      const now = clock.now()
      const dirty = new Map<string, Set<number>>()
      for (const { delivery, entry, revision } of changes) {
        await transaction.updateTable('delivery').set({ revision, payload: clean(JSON.stringify({ ...delivery.payload, entry })), updated_at: now })
          .where('id', '=', delivery.id).where('state', '=', 'folded').execute()
        const { digest, page } = delivery.payload
        if (digest !== undefined && page !== undefined) dirty.set(digest, (dirty.get(digest) ?? new Set()).add(page))
      }
      for (const [digest, pages] of dirty) {
        const keys = [...pages].map(page => pageKey(digest, page))
        await transaction.updateTable('delivery').set(row => ({ wanted: row('wanted', '+', 1) })).where(row => row.or([row('id', '=', digest), row('unique_key', 'in', keys)])).execute()
      }
    }),

    async roots (incidents) {
      const rows: DeliveryTable[] = []
      for (let from = 0; from < incidents.length; from += 300) {
        rows.push(...await database.selectFrom('delivery').selectAll().where('unique_key', 'in', incidents.slice(from, from + 300).map(rootKey)).execute())
      }
      return rows.map(read)
    },

    async pages (digest) {
      const rows = await database.selectFrom('delivery').selectAll().where('unique_key', 'like', `slack-digest-page:${digest}:%`).execute()
      return rows.map(read)
    },

    async openDigests () {
      const rows = await database.selectFrom('delivery').selectAll().where('kind', '=', 'slack-digest').where('state', 'not in', ['dead', 'superseded']).orderBy('created_at', 'desc').limit(100).execute()
      return rows.map(read).filter(({ payload }) => payload.open === true)
    },

    async countRoots (target, since) {
      return countRoots(database as unknown as Transaction<Database>, target, since)
    },

    async survivors (digest) {
      const rows = await database.selectFrom('delivery').innerJoin('incident', 'incident.id', 'delivery.incident_id').selectAll('delivery')
        .where('delivery.state', '=', 'folded').where('delivery.target', '=', digest.target).where('delivery.kind', '=', 'slack-root').where('incident.state', '=', 'open').execute()
      return rows.map(read).filter(({ payload }) => payload.digest === digest.id)
    },

    unfold: rows => context.transaction(async transaction => {
      for (const { id, at } of rows) {
        await transaction.updateTable('delivery').set({ state: 'intent', revision: 0, run_at: at, updated_at: clock.now() }).where('id', '=', id).where('state', '=', 'folded').execute()
      }
    }),

    restart: (incident, error, target) => context.transaction(async transaction => {
      const now = clock.now()
      const rows = (await transaction.selectFrom('delivery').selectAll().where('incident_id', '=', incident).where('kind', 'in', ['slack-root', 'slack-thread']).execute()).map(read)
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

    restartDigest: (id, error) => context.transaction(async transaction => {
      const now = clock.now()
      const rows = (await transaction.selectFrom('delivery').selectAll().where(row => row.or([row('id', '=', id), row('unique_key', 'like', `slack-digest-page:${id}:%`)])).execute()).map(read)
      for (const { id: each, payload } of rows) {
        await transaction.updateTable('delivery').set(row => ({
          state: 'intent', revision: 0, external_channel: '', external_id: '', run_at: now, lease_until: null, attempts: row('attempts', '+', 1), last_error: clean(error), updated_at: now,
          payload: JSON.stringify({ ...payload, generation: (payload.generation ?? 0) + 1 })
        })).where('id', '=', each).execute()
      }
    }),

    closeDigest: digest => context.transaction(async transaction => {
      const row = await transaction.selectFrom('delivery').select('payload').where('id', '=', digest.id).executeTakeFirst()
      if (row === undefined) return
      await transaction.updateTable('delivery').set(each => ({ wanted: each('wanted', '+', 1), payload: JSON.stringify({ ...JSON.parse(row.payload) as DeliveryPayload, open: false }), updated_at: clock.now() }))
        .where('id', '=', digest.id).execute()
    }, assignLock),

    touch: (incident, payload) => context.transaction(async transaction => {
      const now = clock.now()
      const row = await transaction.selectFrom('delivery').select(['id', 'payload']).where('unique_key', '=', rootKey(incident)).executeTakeFirst()
      if (row === undefined) return
      await transaction.updateTable('delivery').set({ payload: clean(JSON.stringify({ ...JSON.parse(row.payload) as DeliveryPayload, ...payload })) }).where('id', '=', row.id).execute()
      await transaction.updateTable('incident').set(each => ({ revision: each('revision', '+', 1), updated_at: now })).where('id', '=', incident).execute()
      await showRevision(transaction, [incident], now)
    }),

    async postpone (id, at) {
      await database.updateTable('delivery').set({ run_at: at }).where('id', '=', id).where('lease_until', 'is', null).execute()
    },

    async clockSetBack (by) {
      // Replicas on one database share its times: there the others go on, and one clock says nothing about them.
      if (context.dialect !== 'sqlite') return
      const now = clock.now()
      await database.updateTable('delivery').set(row => ({ run_at: row('run_at', '-', by) })).where('run_at', '>', now).where('run_at', '<', never).execute()
      await database.updateTable('delivery').set(row => ({ lease_until: row('lease_until', '-', by) })).where('lease_until', '>', now).execute()
    },

    async hasten (targets) {
      const now = clock.now()
      let query = database.updateTable('delivery').set({ run_at: now }).where('state', 'in', ['intent', 'ambiguous']).where('run_at', '>', now).where('run_at', '<', now + 3_600_000).where('last_error', '!=', '')
      if (targets !== undefined) query = query.where('target', 'in', targets)
      await query.execute()
    },

    insert: rows => context.transaction(transaction => insert(transaction, rows)),

    async list ({ state, limit }) {
      let query = database.selectFrom('delivery').selectAll().orderBy('updated_at', 'desc').orderBy('id').limit(limit)
      if (state !== undefined) query = query.where('state', '=', state)
      return (await query.execute()).map(read)
    },

    async counts () {
      const rows = await database.selectFrom('delivery').select(row => ['kind', 'state', row.fn.countAll<number>().as('count')]).groupBy(['kind', 'state']).execute()
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

const rootKey = (incident: string): string => `slack-root:${incident}`
const pageKey = (digest: string, page: number): string => `slack-digest-page:${digest}:${page}`

function read (row: DeliveryTable): Delivery {
  return { ...row, payload: JSON.parse(row.payload) as DeliveryPayload }
}

async function countRoots (transaction: Transaction<Database>, target: string, since: Millis): Promise<number> {
  const { count } = await transaction.selectFrom('delivery').select(row => row.fn.countAll<number>().as('count'))
    .where('target', '=', target).where('kind', '=', 'slack-root').where('created_at', '>', since).executeTakeFirstOrThrow()
  return Number(count)
}

async function insertRows (context: StoreContext, transaction: Transaction<Database>, rows: NewDelivery[]): Promise<void> {
  const now = context.clock.now()
  for (let from = 0; from < rows.length; from += 200) {
    await transaction.insertInto('delivery').values(rows.slice(from, from + 200).map(({ incident, kind, target, uniqueKey, wanted, payload, runAt }) => ({
      id: context.newId(now), incident_id: incident, kind, target, unique_key: uniqueKey, state: 'intent' as const, revision: 0, wanted, payload: clean(JSON.stringify(payload ?? {})),
      external_channel: '', external_id: '', attempts: 0, run_at: runAt ?? now, lease_until: null, last_error: '', created_at: now, updated_at: now
    }))).onConflict(conflict => conflict.column('unique_key').doNothing()).execute()
  }
}

async function candidates (transaction: Transaction<Database>, now: Millis, limit: number): Promise<Candidate[]> {
  const rows = await transaction.selectFrom('delivery').innerJoin('incident', 'incident.id', 'delivery.incident_id')
    .select(['delivery.id as delivery_id', 'delivery.created_at', 'incident.id', 'incident.cluster', 'incident.namespace', 'incident.certificate', 'incident.order_name', 'incident.state', 'incident.cause', 'incident.finding', 'incident.revision'])
    .where('delivery.target', '=', '').where('delivery.kind', '=', 'slack-root').where('delivery.state', '=', 'intent').where('delivery.run_at', '<=', now)
    .orderBy('delivery.created_at').orderBy('delivery.id').limit(limit).execute()
  const labels = new Map<string, Record<string, string>>()
  const ids = rows.map(({ id }) => id)
  for (let from = 0; from < ids.length; from += 300) {
    const alerts = await transaction.selectFrom('alert').select(['incident_id', 'labels']).where('incident_id', 'in', ids.slice(from, from + 300)).orderBy('starts_at').execute()
    for (const alert of alerts) labels.set(alert.incident_id!, JSON.parse(alert.labels) as Record<string, string>)
  }
  return rows.map(({ delivery_id: id, created_at: createdAt, ...incident }) => ({ delivery: { id, createdAt }, incident, labels: labels.get(incident.id) ?? {} }))
}

async function assign (context: StoreContext, transaction: Transaction<Database>, rules: AssignRules, limit: number): Promise<{ assigned: number, folded: number, more: boolean }> {
  const now = context.clock.now()
  const found = await candidates(transaction, now, limit)
  const channels = new Map<string, Candidate[]>()
  await insertRows(context, transaction, found.flatMap(candidate => rules.also(candidate)))
  for (const candidate of found) {
    const channel = rules.route(candidate)
    const list = channels.get(channel)
    if (list === undefined) channels.set(channel, [candidate])
    else list.push(candidate)
  }
  let folded = 0
  for (const [channel, list] of channels) {
    const digest = rules.threshold > 0 ? await openDigest(transaction, channel) : undefined
    const room = rules.threshold <= 0 ? list.length : digest !== undefined ? 0 : Math.max(0, rules.threshold - await countRoots(transaction, channel, now - rules.window))
    const alone = list.slice(0, room).map(({ delivery }) => delivery.id)
    for (let from = 0; from < alone.length; from += 300) {
      await transaction.updateTable('delivery').set({ target: channel, updated_at: now }).where('id', 'in', alone.slice(from, from + 300)).execute()
    }
    if (list.length > room) {
      await fold(context, transaction, rules, channel, list.slice(room), digest)
      folded += list.length - room
    }
  }
  return { assigned: found.length - folded, folded, more: found.length === limit }
}

async function openDigest (transaction: Transaction<Database>, channel: string): Promise<Delivery | undefined> {
  const rows = await transaction.selectFrom('delivery').selectAll().where('target', '=', channel).where('kind', '=', 'slack-digest').where('state', 'not in', ['dead', 'superseded']).orderBy('created_at', 'desc').limit(3).execute()
  return rows.map(read).find(({ payload }) => payload.open === true)
}

/** Puts incidents into a digest: each stands on one of its pages from this commit on. */
async function fold (context: StoreContext, transaction: Transaction<Database>, rules: AssignRules, channel: string, list: Candidate[], known: Delivery | undefined): Promise<void> {
  const now = context.clock.now()
  let digest = known
  if (digest === undefined) {
    const uniqueKey = `slack-digest:${channel}:${context.newId(now)}`
    await insertRows(context, transaction, [{ incident: '', kind: 'slack-digest', target: channel, uniqueKey, wanted: 1, payload: { open: true, pages: 0 } }])
    digest = read(await transaction.selectFrom('delivery').selectAll().where('unique_key', '=', uniqueKey).executeTakeFirstOrThrow())
  }
  let pages = digest.payload.pages ?? 0
  const last = pages === 0 ? undefined : await transaction.selectFrom('delivery').selectAll().where('unique_key', '=', pageKey(digest.id, pages)).executeTakeFirst()
  let page = last === undefined ? undefined : read(last)
  let members = page?.payload.members ?? []
  let characters = page?.payload.characters ?? rules.pageCharacters
  let touched = false
  const savePage = async (): Promise<void> => {
    if (!touched) return
    const payload: DeliveryPayload = { ...page?.payload, digest: digest.id, page: pages, members, characters }
    if (page === undefined) await insertRows(context, transaction, [{ incident: '', kind: 'slack-digest-page', target: channel, uniqueKey: pageKey(digest.id, pages), wanted: 1, payload }])
    else await transaction.updateTable('delivery').set(row => ({ wanted: row('wanted', '+', 1), payload: JSON.stringify(payload), updated_at: now })).where('id', '=', page!.id).execute()
    touched = false
  }
  for (const candidate of list) {
    const entry = rules.entry(candidate)
    const size = rules.sizeOf(entry)
    if (characters + size > rules.pageCharacters) {
      await savePage()
      pages++
      page = undefined
      members = []
      characters = 0
    }
    members.push(candidate.incident.id)
    characters += size
    touched = true
    await transaction.updateTable('delivery').set({
      state: 'folded', target: channel, revision: candidate.incident.revision, wanted: candidate.incident.revision, run_at: never, updated_at: now,
      payload: clean(JSON.stringify({ digest: digest.id, page: pages, entry }))
    }).where('id', '=', candidate.delivery.id).execute()
  }
  await savePage()
  await transaction.updateTable('delivery').set(row => ({ wanted: row('wanted', '+', 1), payload: JSON.stringify({ ...digest.payload, pages }), updated_at: now })).where('id', '=', digest.id).execute()
}
