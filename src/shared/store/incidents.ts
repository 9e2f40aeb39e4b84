import type { Transaction } from 'kysely'
import { createHash } from 'node:crypto'
import type { Alert, Millis } from '../types/common.ts'
import { annotationsFor } from './annotation-targets.ts'
import { showRevision } from './incident-book.ts'
import { intakeLock } from './intake.ts'
import { clean } from './text.ts'
import { endJob, requestLooks, type Job } from './jobs.ts'
import type { Database, DeliveryTable, IncidentState, IncidentTable, ObservationTable } from './schema.ts'
import type { StoreContext } from './store.ts'

/** An incident as it stands; `diagnosis` and `finding` are JSON texts. */
export type Incident = IncidentTable

/** The columns of a list row, without the large texts. */
export type IncidentSummary = Omit<IncidentTable, 'diagnosis' | 'finding' | 'notes'>

/** What a look brought, to be saved in one commit together with the end of its job. */
export interface LookResult {
  incident: string
  /** What the cluster says the incident is about; another open incident of the same key is merged with it. */
  place?: { key: string, namespace: string, certificate: string, order: string }
  takenAt: Millis
  milliseconds: number
  orderUid: string
  orderName: string
  cause: string
  confidence: string
  headline: string
  diagnosis?: string
  finding: string
  /** gzip of the redacted Observations. */
  observations?: Uint8Array
  /** A reader would notice the difference to what was saved before. */
  changed: boolean
  healed?: { why: string }
  /** When to look again; none ends the watch. */
  next?: Millis
  /** Rows that must exist from now on, by unique key. */
  deliveries: { kind: string, uniqueKey: string, target?: string }[]
  /** What the firing alerts of the incident should carry. */
  annotations?: Record<string, string>
}

interface SavedLook { /** False: another worker had taken the job over. */ kept: boolean, revision: number, mergedInto?: string }

export interface IncidentStore {
  get (id: string): Promise<Incident | undefined>
  /** The alerts of an incident, oldest first. */
  alerts (id: string): Promise<Alert[]>
  /** The Alertmanager that sent the incident's newest alert, as it calls itself. */
  senderUrl (id: string): Promise<string | undefined>
  /** Newest first; `after` is the cursor that the page before ended with. */
  page (query: { limit: number, after?: string, state?: IncidentState }): Promise<{ rows: IncidentSummary[], next?: string }>
  counts (): Promise<Record<string, number>>
  causeCounts (): Promise<Record<string, number>>
  saveLook (job: Job, result: LookResult): Promise<SavedLook>
  /** The newest look that still has its observations (gzip). */
  latestObservations (id: string): Promise<Uint8Array | undefined>
  /** Observations and diagnosis of the newest look that still has them: of all, of one attempt (UID of its Order), or the one of that id. */
  keptLook (id: string, which?: { look?: string, attempt?: string }): Promise<KeptLook | undefined>
  /** The newest kept look of each incident, newest first. */
  keptLooks (limit: number): Promise<Omit<KeptLook, 'data' | 'diagnosis'>[]>
  /** What was and is to be delivered for an incident, oldest first. */
  deliveries (id: string): Promise<DeliverySummary[]>
  looks (id: string): Promise<Omit<ObservationTable, 'data' | 'diagnosis'>[]>
}

/** A look whose observations (gzip) are still there; `diagnosis` is JSON. */
interface KeptLook { id: string, incident_id: string, taken_at: Millis, order_name: string, cause: string, confidence: string, diagnosis: string, data: Uint8Array }
type DeliverySummary = Pick<DeliveryTable, 'kind' | 'target' | 'state' | 'attempts' | 'updated_at' | 'last_error'>

/** Looks of one incident whose observations are kept, and attempts of which the last look is kept beside those. */
const observationsKept = 5
const attemptsKept = 12
const summaryColumns = ['id', 'key', 'cluster', 'namespace', 'certificate', 'order_name', 'state', 'opened_at', 'updated_at', 'closed_at', 'closed_why', 'reopened', 'previous_id', 'merged_into', 'revision', 'cause', 'confidence', 'headline', 'truncated', 'diagnosed_at', 'looks', 'next_look_at'] as const

export function incidentStore (context: StoreContext): IncidentStore {
  const { database } = context
  return {
    get: id => database.selectFrom('incident').selectAll().where('id', '=', id).executeTakeFirst(),
    async alerts (id) {
      const rows = await database.selectFrom('alert').selectAll().where('incident_id', '=', id).orderBy('starts_at').orderBy('id').limit(200).execute()
      return rows.map(row => ({
        status: row.status,
        labels: JSON.parse(row.labels) as Record<string, string>,
        annotations: JSON.parse(row.annotations) as Record<string, string>,
        startsAt: row.starts_at,
        ...(row.ends_at === null ? {} : { endsAt: row.ends_at }),
        generatorURL: row.generator_url,
        fingerprint: row.fingerprint
      }))
    },
    async senderUrl (id) {
      const row = await database.selectFrom('alert').innerJoin('notification', 'notification.id', 'alert.notification_id')
        .select('notification.external_url').where('alert.incident_id', '=', id).orderBy('alert.last_seen', 'desc').limit(1).executeTakeFirst()
      return row === undefined || row.external_url === '' ? undefined : row.external_url
    },
    async page ({ limit, after, state }) {
      let query = database.selectFrom('incident').select(summaryColumns).orderBy('opened_at', 'desc').orderBy('id', 'desc').limit(limit + 1)
      if (state !== undefined) query = query.where('state', '=', state)
      if (after !== undefined) {
        const [time, id] = after.split('.', 2)
        const opened = Number(time)
        query = query.where(row => row.or([row('opened_at', '<', opened), row.and([row('opened_at', '=', opened), row('id', '<', id ?? '')])]))
      }
      const rows = await query.execute()
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      return rows.length > limit && last !== undefined ? { rows: page, next: `${last.opened_at}.${last.id}` } : { rows: page }
    },
    async counts () {
      const rows = await database.selectFrom('incident').select(row => ['state', row.fn.countAll<number>().as('count')]).groupBy('state').execute()
      return Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]))
    },
    async causeCounts () {
      const rows = await database.selectFrom('incident').select(row => ['cause', row.fn.countAll<number>().as('count')]).where('cause', '!=', '').groupBy('cause').execute()
      return Object.fromEntries(rows.map(({ cause, count }) => [cause, Number(count)]))
    },
    saveLook: (job, result) => context.transaction(transaction => saveLook(context, transaction, job, result), { lock: intakeLock, lazy: true }),
    async latestObservations (id) {
      const row = await database.selectFrom('observation').select('data').where('incident_id', '=', id).where('data', 'is not', null).orderBy('taken_at', 'desc').limit(1).executeTakeFirst()
      return row?.data ?? undefined
    },
    async keptLook (id, { look, attempt } = {}) {
      let kept = database.selectFrom('observation').select(['id', 'incident_id', 'taken_at', 'order_name', 'cause', 'confidence', 'diagnosis', 'data']).where('incident_id', '=', id).where('data', 'is not', null)
      if (look !== undefined) kept = kept.where('id', '=', look)
      if (attempt !== undefined) kept = kept.where('order_uid', '=', attempt)
      const row = await kept.orderBy('taken_at', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst()
      return row === undefined || row.data === null ? undefined : { ...row, data: row.data }
    },
    async keptLooks (limit) {
      const rows = await database.selectFrom('observation').select(['id', 'incident_id', 'taken_at', 'order_name', 'cause', 'confidence']).where('data', 'is not', null).orderBy('taken_at', 'desc').orderBy('id', 'desc').limit(limit * (observationsKept + attemptsKept)).execute()
      const newest = new Map<string, Omit<KeptLook, 'data' | 'diagnosis'>>()
      for (const row of rows) if (!newest.has(row.incident_id)) newest.set(row.incident_id, row)
      return [...newest.values()].slice(0, limit)
    },
    deliveries: id => database.selectFrom('delivery').select(['kind', 'target', 'state', 'attempts', 'updated_at', 'last_error']).where('incident_id', '=', id).orderBy('created_at').orderBy('id').limit(200).execute(),
    looks: id => database.selectFrom('observation').select(['id', 'incident_id', 'taken_at', 'order_uid', 'order_name', 'cause', 'confidence', 'milliseconds'])
      .where('incident_id', '=', id).orderBy('taken_at', 'desc').limit(200).execute()
  }
}

async function saveLook (context: StoreContext, transaction: Transaction<Database>, job: Job, result: LookResult): Promise<SavedLook> {
  const now = context.clock.now()
  const before = await transaction.selectFrom('incident').select(['state', 'revision', 'opened_at', 'looks']).where('id', '=', result.incident).executeTakeFirst()
  if (!await endJob(transaction, job, before?.state === 'open' && result.healed === undefined ? result.next : undefined, now) || before === undefined) {
    return { kept: false, revision: before?.revision ?? 0 }
  }
  const heals = before.state === 'open' && result.healed !== undefined
  const changed = result.changed || heals
  const revision = before.revision + (changed ? 1 : 0)
  await transaction.updateTable('incident').set({
    updated_at: now,
    revision,
    finding: clean(result.finding),
    cause: result.cause,
    confidence: result.confidence,
    headline: clean(result.headline),
    ...(result.diagnosis === undefined ? {} : { diagnosis: clean(result.diagnosis), diagnosed_at: now, looks: before.looks + 1 }),
    next_look_at: before.state === 'open' && !heals ? result.next ?? null : null,
    ...(heals ? { state: 'healed' as const, closed_at: now, closed_why: clean(result.healed!.why) } : {}),
    ...(result.place === undefined ? {} : { namespace: clean(result.place.namespace), certificate: clean(result.place.certificate), order_name: clean(result.place.order) })
  }).where('id', '=', result.incident).execute()
  if (heals) await transaction.updateTable('incident_key').set({ open: 0 }).where('incident_id', '=', result.incident).execute()
  if (result.diagnosis !== undefined) await keepObservation(context, transaction, result, now)
  if (result.deliveries.length > 0) {
    await transaction.insertInto('delivery').values(result.deliveries.map(({ kind, uniqueKey, target }) => ({
      id: context.newId(now), incident_id: result.incident, kind, target: target ?? '', unique_key: uniqueKey, state: 'intent' as const, revision: 0, wanted: revision,
      payload: '{}', external_channel: '', external_id: '', attempts: 0, run_at: now, lease_until: null, last_error: '', created_at: now, updated_at: now
    }))).onConflict(conflict => conflict.column('unique_key').doNothing()).execute()
  }
  if (result.annotations !== undefined) await wantAnnotations(transaction, result, result.annotations, now)
  const mergedInto = before.state === 'open' && !heals && result.place !== undefined ? await settle(context, transaction, result.incident, before.opened_at, clean(result.place.key), now) : undefined
  if (changed) await showRevision(transaction, [result.incident], now)
  return { kept: true, revision, ...(mergedInto === undefined ? {} : { mergedInto }) }
}

async function keepObservation (context: StoreContext, transaction: Transaction<Database>, result: LookResult, now: Millis): Promise<void> {
  await transaction.insertInto('observation').values({
    id: context.newId(now), incident_id: result.incident, taken_at: result.takenAt, order_uid: clean(result.orderUid), order_name: clean(result.orderName), cause: result.cause,
    confidence: result.confidence, milliseconds: Math.round(result.milliseconds), diagnosis: clean(result.diagnosis ?? ''), data: result.observations ?? null
  }).execute()
  const newest = transaction.selectFrom('observation').select('id').where('incident_id', '=', result.incident).orderBy('taken_at', 'desc').orderBy('id', 'desc').limit(observationsKept)
  // Ids grow with time: the greatest of an attempt is its last look.
  const attempts = transaction.selectFrom('observation').select(({ fn }) => fn.max('id').as('id')).where('incident_id', '=', result.incident).groupBy('order_uid').orderBy('id', 'desc').limit(attemptsKept)
  await transaction.updateTable('observation').set({ data: null }).where('incident_id', '=', result.incident).where('data', 'is not', null).where('id', 'not in', newest).where('id', 'not in', attempts).execute()
}

async function wantAnnotations (transaction: Transaction<Database>, result: LookResult, annotations: Record<string, string>, now: Millis): Promise<void> {
  const firing = await transaction.selectFrom('alert').select(['fingerprint', 'labels']).where('incident_id', '=', result.incident).where('status', '=', 'firing').limit(500).execute()
  const alerts = [...new Map(firing.map(alert => [alert.fingerprint, alert])).values()]
  if (alerts.length === 0) return
  const text = clean(JSON.stringify(annotations))
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  await transaction.insertInto('annotation_target').values(alerts.map(({ fingerprint, labels }) => ({
    fingerprint, incident_id: result.incident, labels, annotations: text, hash, active: 1, until: now + annotationsFor, created_at: now, updated_at: now
  }))).onConflict(conflict => conflict.column('fingerprint').doUpdateSet(row => ({
    incident_id: row.ref('excluded.incident_id'), labels: row.ref('excluded.labels'), annotations: row.ref('excluded.annotations'), hash: row.ref('excluded.hash'),
    active: 1, until: row.ref('excluded.until'), updated_at: now
  }))).execute()
}

/** Gives the incident the key that the cluster knows it by; of two that turn out to be one, the older goes on. */
async function settle (context: StoreContext, transaction: Transaction<Database>, incident: string, openedAt: Millis, key: string, now: Millis): Promise<string | undefined> {
  const other = await transaction.selectFrom('incident_key').innerJoin('incident', 'incident.id', 'incident_key.incident_id')
    .select(['incident.id', 'incident.opened_at']).where('incident_key.key', '=', key).where('incident_key.open', '=', 1).executeTakeFirst()
  if (other?.id === incident) return undefined
  if (other === undefined) {
    await transaction.insertInto('incident_key').values({ key, incident_id: incident, open: 1, since: now })
      .onConflict(conflict => conflict.columns(['key', 'incident_id']).doUpdateSet({ open: 1 })).execute()
    await transaction.updateTable('incident').set({ key }).where('id', '=', incident).execute()
    return undefined
  }
  const olderIsOther = other.opened_at < openedAt || (other.opened_at === openedAt && other.id < incident)
  const [survivor, younger] = olderIsOther ? [other.id, incident] : [incident, other.id]
  await transaction.updateTable('alert').set({ incident_id: survivor }).where('incident_id', '=', younger).execute()
  await transaction.updateTable('annotation_target').set({ incident_id: survivor }).where('incident_id', '=', younger).execute()
  const keys = (await transaction.selectFrom('incident_key').select('key').where('incident_id', '=', younger).where('open', '=', 1).execute()).map(row => row.key)
  await transaction.updateTable('incident_key').set({ open: 0 }).where('incident_id', '=', younger).execute()
  for (const each of keys) {
    await transaction.insertInto('incident_key').values({ key: each, incident_id: survivor, open: 1, since: now })
      .onConflict(conflict => conflict.columns(['key', 'incident_id']).doUpdateSet({ open: 1 })).execute()
  }
  await transaction.updateTable('incident').set({ key }).where('id', '=', survivor).execute()
  await transaction.updateTable('incident').set(row => ({
    state: 'merged', merged_into: survivor, closed_at: now, closed_why: `the same Certificate as incident ${survivor}`, updated_at: now, next_look_at: null, revision: row('revision', '+', 1)
  })).where('id', '=', younger).execute()
  // A root that nobody has begun to send need not be sent: the survivor tells the story.
  await transaction.updateTable('delivery').set({ state: 'superseded', updated_at: now, last_error: `merged into ${survivor}` })
    .where('incident_id', '=', younger).where('state', '=', 'intent').where('attempts', '=', 0).execute()
  // One that stands in Slack says where it went; no look can tell, since its alerts have moved.
  await showRevision(transaction, [younger], now)
  await requestLooks(transaction, [survivor, younger], now, context.newId)
  return survivor === incident ? undefined : survivor
}
