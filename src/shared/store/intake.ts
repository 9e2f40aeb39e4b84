import type { Transaction } from 'kysely'
import type { Alert, Millis } from '../types/common.ts'
import { Episodes, type EpisodeChange } from './episodes.ts'
import { IncidentBook } from './incident-book.ts'
import { insertRows } from './insert-rows.ts'
import type { Database } from './schema.ts'
import type { StoreContext } from './store.ts'
import { clean } from './text.ts'

/** Where an alert belongs, from its labels alone. */
export interface IncidentPlace { key: string, cluster: string, namespace: string, certificate: string, order: string }

interface IncomingAlert {
  alert: Alert
  /** Absent: the alert is kept and opens nothing (another cluster's). */
  place?: IncidentPlace
  notes: string[]
}

export interface IncomingNotification {
  /** Senders that deliver the same alerts share a source; Alertmanager peers do. */
  source: string
  receiver: string
  groupKey: string
  externalUrl: string
  reason: string
  truncated: number
  raw: string
  alerts: IncomingAlert[]
}

/** What one notification did. Incident ids. */
export interface Accepted {
  id: string
  opened: string[]
  /** Known incidents that a new alert joined or that fire again. */
  joined: string[]
  resolved: string[]
  /** Alerts that changed nothing: redelivered, repeated, or late. */
  unchanged: number
}

export interface IntakeStore {
  /** Commits the notification and the work that follows from it, in one commit with all others of this turn. */
  accept (notification: IncomingNotification): Promise<Accepted>
  reject (refusal: { status: number, code: string, message: string, remote: string, bytes: number, raw: string }): Promise<void>
  /** Notifications that wait for their commit. */
  readonly waiting: number
}

/** One commit takes at most so much; the rest follows in the next. */
const batchNotifications = 500
const batchBytes = 8 * 1024 * 1024
const rejectedKept = 64 * 1024
/** Replicas take turns: two that opened the same incident at once would post two messages. */
export const intakeLock = 7_201

interface Waiting { notification: IncomingNotification, resolve: (accepted: Accepted) => void, reject: (error: unknown) => void }

/** The group commit: whoever comes while one commit runs shares the next. */
export function intakeStore (context: StoreContext, { flapWindow }: { flapWindow: Millis }): IntakeStore {
  const queue: Waiting[] = []
  let scheduled = false

  async function flush (): Promise<void> {
    while (queue.length > 0) {
      const batch = takeBatch(queue)
      try {
        const accepted = await commit(context, flapWindow, batch.map(({ notification }) => notification))
        batch.forEach(({ resolve }, index) => { resolve(accepted[index]!) })
      } catch (error) {
        await apart(context, flapWindow, batch, error)
      }
      await new Promise(resolve => { setImmediate(resolve) })
    }
    scheduled = false
  }

  return {
    accept: notification => new Promise((resolve, reject) => {
      queue.push({ notification, resolve, reject })
      if (scheduled) return
      scheduled = true
      setImmediate(() => { void flush() })
    }),
    async reject (refusal) {
      const now = context.clock.now()
      await context.database.insertInto('rejected').values({
        id: context.newId(now), received_at: now, status: refusal.status, code: refusal.code, message: refusal.message,
        remote: refusal.remote, bytes: refusal.bytes, raw: clean(refusal.raw.slice(0, rejectedKept))
      }).execute()
    },
    get waiting () { return queue.length }
  }
}

function takeBatch (queue: Waiting[]): Waiting[] {
  let bytes = 0
  let count = 0
  while (count < queue.length && count < batchNotifications && (count === 0 || bytes < batchBytes)) bytes += queue[count++]!.notification.raw.length
  return queue.splice(0, count)
}

/** A batch that failed is tried one by one, so that one odd body costs only itself; a full disk costs all. */
async function apart (context: StoreContext, flapWindow: Millis, batch: Waiting[], error: unknown): Promise<void> {
  if (batch.length === 1) return batch[0]!.reject(error)
  let failing = 0
  for (const { notification, resolve, reject } of batch) {
    // Three in a row say that the store is the reason.
    if (failing >= 3) { reject(error); continue }
    try {
      resolve((await commit(context, flapWindow, [notification]))[0]!)
      failing = 0
    } catch (own) {
      failing++
      reject(own)
    }
  }
}

function commit (context: StoreContext, flapWindow: Millis, notifications: IncomingNotification[]): Promise<Accepted[]> {
  return context.transaction(async transaction => {
    const now = context.clock.now()
    const ids = notifications.map(() => context.newId(now))
    const episodes = await Episodes.load(transaction, notifications)
    const book = await IncidentBook.load(transaction, notifications, { now, flapWindow, newId: context.newId })
    const accepted = notifications.map((notification, index) => take(notification, ids[index]!, now, episodes, book, context))
    await episodes.save(transaction, now)
    const closed = await book.save(transaction, episodes.touchedIncidents())
    for (const each of accepted) each.resolved = each.resolved.filter(id => closed.has(id))
    await keepNotifications(transaction, notifications, accepted, now)
    return accepted
  }, { lock: intakeLock })
}

function take (notification: IncomingNotification, id: string, now: Millis, episodes: Episodes, book: IncidentBook, context: StoreContext): Accepted {
  const opened = new Set<string>()
  const joined = new Set<string>()
  const resolved = new Set<string>()
  let unchanged = 0
  for (const { alert, place, notes } of notification.alerts) {
    const change: EpisodeChange = episodes.take(notification.source, alert)
    if (change.is === 'unchanged') {
      unchanged++
      continue
    }
    if (change.is === 'resolved') {
      for (const incident of change.incidents) resolved.add(incident)
      continue
    }
    const entry = change.is === 'started' && place !== undefined ? book.open(place, notes, notification.truncated) : undefined
    if (entry !== undefined) (entry.was === 'new' ? opened : joined).add(entry.id)
    episodes.add({ id: context.newId(now), source: notification.source, alert, incident: entry?.id, now, notification: id })
  }
  return { id, opened: [...opened], joined: [...joined].filter(each => !opened.has(each)), resolved: [...resolved], unchanged }
}

async function keepNotifications (transaction: Transaction<Database>, notifications: IncomingNotification[], accepted: Accepted[], now: Millis): Promise<void> {
  const rows = notifications.map((notification, index) => ({
    id: accepted[index]!.id,
    received_at: now,
    source: clean(notification.source),
    receiver: clean(notification.receiver),
    group_key: clean(notification.groupKey.slice(0, 4_096)),
    external_url: clean(notification.externalUrl.slice(0, 2_048)),
    reason: clean(notification.reason),
    alerts: notification.alerts.length,
    truncated: notification.truncated,
    // A repeat says nothing new: its body is not worth the disk.
    raw: accepted[index]!.unchanged === notification.alerts.length ? null : clean(notification.raw)
  }))
  await insertRows(transaction, 'notification', rows)
}
