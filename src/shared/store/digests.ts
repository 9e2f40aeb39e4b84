import { sql, type Transaction } from 'kysely'
import type { Millis } from '../types/common.ts'
import { insertDeliveries, never, readDelivery, rowsToChange, type Candidate, type Delivery, type DeliveryPayload, type DigestEntry, type NewDelivery } from './delivery-row.ts'
import type { Database } from './schema.ts'
import { slices } from './slices.ts'
import type { StoreContext } from './store.ts'
import { clean } from './text.ts'

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

/** Storms: which new incident gets a message of its own, and which stands in a digest. */
export interface DigestStore {
  /** Chooses channels for new roots and folds storms into digests. True when there may be more. */
  assign (rules: AssignRules, limit: number): Promise<{ assigned: number, folded: number, more: boolean }>
  /** Folded roots that changed since their page told of them. */
  foldedChanges (limit: number): Promise<Delivery[]>
  /** Writes the new entries and asks for edits of their pages and digests. */
  refold (changes: { delivery: Delivery, entry: DigestEntry, revision: number }[]): Promise<void>
  pages (digest: string): Promise<Delivery[]>
  openDigests (): Promise<Delivery[]>
  /** New roots of a channel since then. */
  countRoots (target: string, since: Millis): Promise<number>
  /** Incidents of a digest that are still open and have no message of their own. */
  survivors (digest: Delivery): Promise<Delivery[]>
  /** Gives roots of a digest a message of their own, at their times. */
  unfold (rows: { id: string, at: Millis }[]): Promise<void>
  /** A digest that is gone from Slack is posted anew, with its pages. */
  restartDigest (id: string, error: string): Promise<void>
  /** The storm is over: no new members, and one last edit. */
  closeDigest (digest: Delivery): Promise<void>
}

/** Replicas take turns at choosing channels: two that saw the same storm would begin two digests. */
const assignLock = 7_202

export function digestStore (context: StoreContext): DigestStore {
  const { database, clock } = context
  return {
    assign: (rules, limit) => context.transaction(transaction => assign(context, transaction, rules, limit), { lock: assignLock, lazy: true }),

    async foldedChanges (limit) {
      const rows = await database.selectFrom('delivery').selectAll().where('state', '=', 'folded').where('wanted', '>', sql<number>`revision`).orderBy('updated_at').limit(limit).execute()
      return rows.map(readDelivery)
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

    async pages (digest) {
      const rows = await database.selectFrom('delivery').selectAll().where('unique_key', 'like', `slack-digest-page:${digest}:%`).execute()
      return rows.map(readDelivery)
    },

    async openDigests () {
      const rows = await database.selectFrom('delivery').selectAll().where('kind', '=', 'slack-digest').where('state', 'not in', ['dead', 'superseded']).orderBy('created_at', 'desc').limit(100).execute()
      return rows.map(readDelivery).filter(({ payload }) => payload.open === true)
    },

    async countRoots (target, since) {
      return countRoots(database as unknown as Transaction<Database>, target, since)
    },

    async survivors (digest) {
      const rows = await database.selectFrom('delivery').innerJoin('incident', 'incident.id', 'delivery.incident_id').selectAll('delivery')
        .where('delivery.state', '=', 'folded').where('delivery.target', '=', digest.target).where('delivery.kind', '=', 'slack-root').where('incident.state', '=', 'open').execute()
      return rows.map(readDelivery).filter(({ payload }) => payload.digest === digest.id)
    },

    unfold: rows => context.transaction(async transaction => {
      for (const { id, at } of rows) {
        await transaction.updateTable('delivery').set({ state: 'intent', revision: 0, run_at: at, updated_at: clock.now() }).where('id', '=', id).where('state', '=', 'folded').execute()
      }
    }),

    restartDigest: (id, error) => context.transaction(async transaction => {
      const now = clock.now()
      const rows = (await rowsToChange(context, transaction).selectAll().where(row => row.or([row('id', '=', id), row('unique_key', 'like', `slack-digest-page:${id}:%`)])).execute()).map(readDelivery)
      for (const { id: each, payload } of rows) {
        await transaction.updateTable('delivery').set(row => ({
          state: 'intent', revision: 0, external_channel: '', external_id: '', run_at: now, lease_until: null, attempts: row('attempts', '+', 1), last_error: clean(error), updated_at: now,
          payload: JSON.stringify({ ...payload, generation: (payload.generation ?? 0) + 1 })
        })).where('id', '=', each).execute()
      }
    }),

    closeDigest: digest => context.transaction(async transaction => {
      const row = await rowsToChange(context, transaction).select('payload').where('id', '=', digest.id).executeTakeFirst()
      if (row === undefined) return
      await transaction.updateTable('delivery').set(each => ({ wanted: each('wanted', '+', 1), payload: JSON.stringify({ ...JSON.parse(row.payload) as DeliveryPayload, open: false }), updated_at: clock.now() }))
        .where('id', '=', digest.id).execute()
    }, { lock: assignLock })
  }
}

const pageKey = (digest: string, page: number): string => `slack-digest-page:${digest}:${page}`

async function countRoots (transaction: Transaction<Database>, target: string, since: Millis): Promise<number> {
  const { count } = await transaction.selectFrom('delivery').select(row => row.fn.countAll<number>().as('count'))
    .where('target', '=', target).where('kind', '=', 'slack-root').where('created_at', '>', since).executeTakeFirstOrThrow()
  return Number(count)
}

async function candidates (transaction: Transaction<Database>, now: Millis, limit: number): Promise<Candidate[]> {
  const rows = await transaction.selectFrom('delivery').innerJoin('incident', 'incident.id', 'delivery.incident_id')
    .select(['delivery.id as delivery_id', 'delivery.created_at', 'incident.id', 'incident.cluster', 'incident.namespace', 'incident.certificate', 'incident.order_name', 'incident.state', 'incident.cause', 'incident.finding', 'incident.revision'])
    .where('delivery.target', '=', '').where('delivery.kind', '=', 'slack-root').where('delivery.state', '=', 'intent').where('delivery.run_at', '<=', now)
    .orderBy('delivery.created_at').orderBy('delivery.id').limit(limit).execute()
  const labels = new Map<string, Record<string, string>>()
  const ids = rows.map(({ id }) => id)
  for (const some of slices(ids, 300)) {
    const alerts = await transaction.selectFrom('alert').select(['incident_id', 'labels']).where('incident_id', 'in', some).orderBy('starts_at').execute()
    for (const alert of alerts) labels.set(alert.incident_id!, JSON.parse(alert.labels) as Record<string, string>)
  }
  return rows.map(({ delivery_id: id, created_at: createdAt, ...incident }) => ({ delivery: { id, createdAt }, incident, labels: labels.get(incident.id) ?? {} }))
}

async function assign (context: StoreContext, transaction: Transaction<Database>, rules: AssignRules, limit: number): Promise<{ assigned: number, folded: number, more: boolean }> {
  const now = context.clock.now()
  const found = await candidates(transaction, now, limit)
  const channels = new Map<string, Candidate[]>()
  await insertDeliveries(context, transaction, found.flatMap(candidate => rules.also(candidate)))
  for (const candidate of found) {
    const channel = rules.route(candidate)
    const list = channels.get(channel)
    if (list === undefined) channels.set(channel, [candidate])
    else list.push(candidate)
  }
  let folded = 0
  for (const [channel, list] of channels) {
    const digest = rules.threshold > 0 ? await openDigest(context, transaction, channel) : undefined
    const room = rules.threshold <= 0 ? list.length : digest !== undefined ? 0 : Math.max(0, rules.threshold - await countRoots(transaction, channel, now - rules.window))
    const alone = list.slice(0, room).map(({ delivery }) => delivery.id)
    for (const some of slices(alone, 300)) {
      await transaction.updateTable('delivery').set({ target: channel, updated_at: now }).where('id', 'in', some).execute()
    }
    if (list.length > room) {
      await fold(context, transaction, rules, channel, list.slice(room), digest)
      folded += list.length - room
    }
  }
  return { assigned: found.length - folded, folded, more: found.length === limit }
}

async function openDigest (context: StoreContext, transaction: Transaction<Database>, channel: string): Promise<Delivery | undefined> {
  const rows = await rowsToChange(context, transaction).selectAll().where('target', '=', channel).where('kind', '=', 'slack-digest').where('state', 'not in', ['dead', 'superseded']).orderBy('created_at', 'desc').limit(3).execute()
  return rows.map(readDelivery).find(({ payload }) => payload.open === true)
}

/** Puts incidents into a digest: each stands on one of its pages from this commit on. */
async function fold (context: StoreContext, transaction: Transaction<Database>, rules: AssignRules, channel: string, list: Candidate[], known: Delivery | undefined): Promise<void> {
  const now = context.clock.now()
  let digest = known
  if (digest === undefined) {
    const uniqueKey = `slack-digest:${channel}:${context.newId(now)}`
    await insertDeliveries(context, transaction, [{ incident: '', kind: 'slack-digest', target: channel, uniqueKey, wanted: 1, payload: { open: true, pages: 0 } }])
    digest = readDelivery(await transaction.selectFrom('delivery').selectAll().where('unique_key', '=', uniqueKey).executeTakeFirstOrThrow())
  }
  let pages = digest.payload.pages ?? 0
  const last = pages === 0 ? undefined : await rowsToChange(context, transaction).selectAll().where('unique_key', '=', pageKey(digest.id, pages)).executeTakeFirst()
  let page = last === undefined ? undefined : readDelivery(last)
  let members = page?.payload.members ?? []
  let characters = page?.payload.characters ?? rules.pageCharacters
  let touched = false
  const savePage = async (): Promise<void> => {
    if (!touched) return
    const payload: DeliveryPayload = { ...page?.payload, digest: digest.id, page: pages, members, characters }
    if (page === undefined) await insertDeliveries(context, transaction, [{ incident: '', kind: 'slack-digest-page', target: channel, uniqueKey: pageKey(digest.id, pages), wanted: 1, payload }])
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
