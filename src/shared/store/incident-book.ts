import type { Transaction } from 'kysely'
import type { NewId } from '../ids.ts'
import type { Millis } from '../types/common.ts'
import type { IncidentPlace, IncomingNotification } from './intake.ts'
import { slices } from './slices.ts'
import { clean } from './text.ts'
import { insertRows } from './insert-rows.ts'
import { requestLooks } from './jobs.ts'
import type { Database, IncidentState } from './schema.ts'

interface Entry { id: string, state: IncidentState, closedAt?: Millis, was: 'new' | 'known', change?: 'opened' | 'reopened' | 'joined', place: IncidentPlace, previous?: string, notes: string[], truncated: number }

/** Notes of one incident that are kept: a storm repeats itself. */
const notesKept = 20

/**
 * The incidents that the alerts of one batch lead to. An open one of the same key is joined, one
 * that closed a moment ago is opened again (so that its thread goes on), else a new one begins.
 * A new one is announced from here, and one that opens again is shown anew: the look that follows
 * may find what the last one found, while the message says by now that it is over. Closing is told
 * by the look that follows, which has the words for it.
 */
export class IncidentBook {
  readonly #byKey = new Map<string, Entry>()
  readonly #changed = new Set<Entry>()
  readonly #now: Millis
  readonly #flapWindow: Millis
  readonly #newId: NewId

  private constructor ({ now, flapWindow, newId }: { now: Millis, flapWindow: Millis, newId: NewId }) {
    this.#now = now
    this.#flapWindow = flapWindow
    this.#newId = newId
  }

  static async load (transaction: Transaction<Database>, notifications: IncomingNotification[], settings: { now: Millis, flapWindow: Millis, newId: NewId }): Promise<IncidentBook> {
    const book = new IncidentBook(settings)
    const keys = [...new Set(notifications.flatMap(({ alerts }) => alerts.flatMap(({ alert, place }) => place !== undefined && alert.status === 'firing' ? [clean(place.key)] : [])))]
    for (const some of slices(keys, 500)) {
      const rows = await transaction.selectFrom('incident_key').innerJoin('incident', 'incident.id', 'incident_key.incident_id')
        .select(['incident_key.key', 'incident_key.open', 'incident_key.since', 'incident.id', 'incident.state', 'incident.closed_at', 'incident.cluster', 'incident.namespace', 'incident.certificate', 'incident.order_name', 'incident.notes', 'incident.truncated'])
        .where('incident_key.key', 'in', some)
        // Last wins below: the open one, else the one that began last.
        .orderBy('incident_key.open').orderBy('incident_key.since').execute()
      const byId = new Map([...book.#byKey.values()].map(entry => [entry.id, entry]))
      for (const row of rows) {
        const { id, state, key, cluster, namespace, certificate, order_name: order } = row
        const entry: Entry = byId.get(id) ?? { id, state, closedAt: row.closed_at ?? undefined, was: 'known', place: { key, cluster, namespace, certificate, order }, notes: JSON.parse(row.notes) as string[], truncated: row.truncated }
        byId.set(id, entry)
        book.#byKey.set(key, entry)
      }
    }
    return book
  }

  /** The incident for an alert that began to fire. */
  open (place: IncidentPlace, notes: string[], truncated: number): { id: string, was: 'new' | 'known' } {
    const key = clean(place.key)
    let entry = this.#byKey.get(key)
    if (entry === undefined || (entry.state !== 'open' && !this.#mayReopen(entry))) {
      entry = { id: this.#newId(this.#now), state: 'open', was: 'new', change: 'opened', place: { ...place, key }, previous: entry?.id, notes: [], truncated: 0 }
      this.#byKey.set(key, entry)
    } else if (entry.state !== 'open') {
      entry.state = 'open'
      entry.change = 'reopened'
    } else {
      entry.change ??= 'joined'
    }
    this.#changed.add(entry)
    entry.truncated = Math.max(entry.truncated, truncated)
    entry.notes = [...new Set([...entry.notes, ...notes])].slice(-notesKept)
    return { id: entry.id, was: entry.was }
  }

  /** Writes what changed; closes incidents without a firing alert and answers which. */
  async save (transaction: Transaction<Database>, touched: string[]): Promise<Set<string>> {
    const now = this.#now
    const entries = [...this.#changed]
    await this.#insert(transaction, entries.filter(({ change }) => change === 'opened'))
    for (const entry of entries) {
      if (entry.change === 'reopened') await this.#reopen(transaction, entry)
      if (entry.change === 'joined') {
        await transaction.updateTable('incident').set({ updated_at: now, notes: JSON.stringify(entry.notes), truncated: entry.truncated }).where('id', '=', entry.id).execute()
      }
    }
    const closed = await closeWithoutAlerts(transaction, touched, now)
    const ids = [...new Set([...entries.map(({ id }) => id), ...closed])]
    await requestLooks(transaction, ids, now, this.#newId)
    return closed
  }

  #mayReopen ({ state, closedAt }: Entry): boolean {
    return (state === 'healed' || state === 'resolved') && closedAt !== undefined && this.#now - closedAt <= this.#flapWindow
  }

  async #insert (transaction: Transaction<Database>, entries: Entry[]): Promise<void> {
    const now = this.#now
    await insertRows(transaction, 'incident', entries.map(({ id, place, previous, notes, truncated }) => ({
      id, key: place.key, cluster: clean(place.cluster), namespace: clean(place.namespace), certificate: clean(place.certificate), order_name: clean(place.order),
      state: 'open' as const, opened_at: now, updated_at: now, closed_at: null, closed_why: '', reopened: 0, previous_id: previous ?? null, merged_into: null,
      revision: 1, cause: '', confidence: '', headline: '', truncated, diagnosed_at: null, looks: 0, next_look_at: null, diagnosis: null, finding: null, notes: JSON.stringify(notes)
    })))
    await insertRows(transaction, 'incident_key', entries.map(({ id, place }) => ({ key: place.key, incident_id: id, open: 1, since: now })))
    await insertRows(transaction, 'delivery', entries.map(({ id }) => ({
      id: this.#newId(now), incident_id: id, kind: 'slack-root', target: '', unique_key: `slack-root:${id}`, state: 'intent' as const,
      revision: 0, wanted: 1, payload: '{}', external_channel: '', external_id: '', attempts: 0, run_at: now, lease_until: null, last_error: '',
      created_at: now, updated_at: now
    })))
  }

  async #reopen (transaction: Transaction<Database>, { id, place, notes, truncated }: Entry): Promise<void> {
    const now = this.#now
    await transaction.updateTable('incident').set(row => ({
      state: 'open', updated_at: now, closed_at: null, closed_why: '', reopened: row('reopened', '+', 1), revision: row('revision', '+', 1), truncated, notes: JSON.stringify(notes)
    })).where('id', '=', id).execute()
    await showRevision(transaction, [id], now)
    // A key that another open incident took meanwhile stays with that one.
    const taken = transaction.selectFrom('incident_key').select('key').where('open', '=', 1)
    await transaction.updateTable('incident_key').set({ open: 1 }).where('incident_id', '=', id)
      .where(row => row.or([row('key', '=', place.key), row('key', 'not in', taken)])).execute()
  }
}

/** Everything that shows these incidents is to show their present revision. */
export async function showRevision (transaction: Transaction<Database>, ids: string[], now: Millis): Promise<void> {
  for (const some of slices(ids, 500)) {
    await transaction.updateTable('delivery')
      .set(row => ({ wanted: row.selectFrom('incident').select('revision').whereRef('incident.id', '=', 'delivery.incident_id').$asScalar().$notNull(), updated_at: now }))
      .where('incident_id', 'in', some)
      .where('state', 'not in', ['dead', 'superseded']).execute()
  }
}

async function closeWithoutAlerts (transaction: Transaction<Database>, touched: string[], now: Millis): Promise<Set<string>> {
  const closed = new Set<string>()
  for (const some of slices(touched, 500)) {
    const rows = await transaction.updateTable('incident')
      .set({ state: 'resolved', closed_at: now, closed_why: 'the alert was resolved', updated_at: now, next_look_at: null })
      .where('id', 'in', some).where('state', '=', 'open')
      .where(row => row.not(row.exists(row.selectFrom('alert').select('alert.id').whereRef('alert.incident_id', '=', 'incident.id').where('alert.status', '=', 'firing'))))
      .returning('id').execute()
    for (const { id } of rows) closed.add(id)
  }
  for (const some of slices([...closed], 500)) {
    await transaction.updateTable('incident_key').set({ open: 0 }).where('incident_id', 'in', some).execute()
    await transaction.updateTable('annotation_target').set({ active: 0, updated_at: now }).where('incident_id', 'in', some).execute()
  }
  return closed
}
