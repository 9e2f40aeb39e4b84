import type { Config } from '../shared/config/config.ts'
import { TriageError } from '../shared/errors.ts'
import type { Metrics } from '../shared/metrics.ts'
import type { Accepted, IncomingNotification } from '../shared/store/intake.ts'
import { storeError, type Store } from '../shared/store/store.ts'
import type { Clock } from '../shared/types/common.ts'
import { readBody } from './body.ts'
import { placeOf } from './subject.ts'

/** The way of a notification into the store. */
export interface Inbox {
  /** Resolves when everything that follows from the body is on disk; throws a TriageError for the sender. */
  take (body: string, source: string): Promise<Accepted>
  /** So many come in that everything else should wait for its turn. */
  busy (): boolean
  /** Keeps a refused body, at most a few a second. */
  refuse (refusal: { error: TriageError, remote: string, bytes: number, raw: string }): void
}

export interface InboxOptions {
  config: Pick<Config, 'cluster' | 'clusterLabel' | 'webhook'>
  store: Store
  clock: Clock
  metrics: Metrics
  /** Jobs that are due, as last counted. */
  queueDepth (): number
  /** Called after each commit that left work behind. */
  onWork (accepted: Accepted): void
}

/** Refused bodies that are kept: so many a second, the rest is only counted. */
const refusalsPerSecond = 10
const expectedAlert = 'CertManagerACMEOrderFailed'

export function buildInbox ({ config, store, clock, metrics, queueDepth, onWork }: InboxOptions): Inbox {
  const pace = buildPace()
  let second = 0
  let refusals = 0
  return {
    async take (body, source) {
      pace.count()
      const depth = queueDepth() + store.intake.waiting
      if (depth >= config.webhook.queueLimit) throw new TriageError('QUEUE_FULL', { depth })
      const notification = placeAll(readBody(body, clock.now()), body, source, config)
      let accepted: Accepted
      try {
        accepted = await store.intake.accept(notification)
      } catch (error) {
        throw storeError(error)
      }
      count(metrics, notification, accepted)
      if (accepted.opened.length + accepted.joined.length + accepted.resolved.length > 0) onWork(accepted)
      return accepted
    },
    busy: pace.busy,
    refuse ({ error, remote, bytes, raw }) {
      metrics.rejected.inc({ code: error.code })
      const now = Math.floor(clock.now() / 1_000)
      if (now !== second) {
        second = now
        refusals = 0
      }
      if (++refusals > refusalsPerSecond) return
      // The answer does not wait for it, and a store that refuses has been told already.
      store.intake.reject({ status: error.status, code: error.code, message: error.message, remote, bytes, raw }).catch(() => {})
    }
  }
}

/** Counts in tenths of a second: more than ten in one is a storm. Real time, since it is about this machine. */
function buildPace (): { count (): void, busy (): boolean } {
  let tenth = 0
  let now = 0
  let before = 0
  const turn = () => {
    const current = Math.floor(performance.now() / 100)
    if (current === tenth) return
    before = current === tenth + 1 ? now : 0
    now = 0
    tenth = current
  }
  return {
    count () { turn(); now++ },
    busy () { turn(); return Math.max(now, before) > 10 }
  }
}

function placeAll (notification: ReturnType<typeof readBody>, raw: string, source: string, config: Pick<Config, 'cluster' | 'clusterLabel'>): IncomingNotification {
  const { alerts, ...rest } = notification
  return {
    ...rest,
    source,
    raw,
    alerts: alerts.map(({ alert, notes }) => {
      const { place, note } = placeOf(alert.labels, alert.annotations, config)
      return { alert, place, notes: note === undefined ? notes : [...notes, note] }
    })
  }
}

function count ({ alerts }: Metrics, notification: IncomingNotification, accepted: Accepted): void {
  const name = notification.alerts.every(({ alert }) => alert.labels.alertname === expectedAlert) ? 'expected' : 'other'
  if (accepted.opened.length > 0) alerts.inc({ change: 'opened', name }, accepted.opened.length)
  if (accepted.joined.length > 0) alerts.inc({ change: 'joined', name }, accepted.joined.length)
  if (accepted.resolved.length > 0) alerts.inc({ change: 'resolved', name }, accepted.resolved.length)
  if (accepted.unchanged > 0) alerts.inc({ change: 'unchanged', name }, accepted.unchanged)
}
