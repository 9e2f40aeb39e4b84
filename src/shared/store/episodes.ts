import type { Transaction } from 'kysely'
import type { Alert, Millis } from '../types/common.ts'
import { keepAnnotations } from './annotation-targets.ts'
import { insertRows } from './insert-rows.ts'
import type { IncomingNotification } from './intake.ts'
import { slices } from './slices.ts'
import { clean } from './text.ts'
import type { AlertTable, Database } from './schema.ts'

export type EpisodeChange =
  | { is: 'started' }
  /** Resolved without ever having been seen firing: kept, so that a late firing retry is known as late. */
  | { is: 'ended-unseen' }
  | { is: 'resolved', incidents: string[] }
  | { is: 'unchanged' }

interface Episode { id: string, startsAt: Millis, endsAt?: Millis, status: 'firing' | 'resolved', incident?: string, stored: boolean }

/**
 * The episodes of the alerts in one batch. Arrival order means nothing (alertmanager.md §2.6):
 * what counts is (status, startsAt, endsAt). Resolved beats firing of the same start; a firing
 * copy that started before the known end is a late retry.
 */
export class Episodes {
  readonly #known = new Map<string, Episode[]>()
  readonly #inserts: AlertTable[] = []
  readonly #ended = new Map<Millis, string[]>()
  readonly #seen = new Set<string>()
  /** Fingerprints of alerts that were said again to fire. */
  readonly #firing = new Set<string>()
  readonly #touched = new Set<string>()

  static async load (transaction: Transaction<Database>, notifications: IncomingNotification[]): Promise<Episodes> {
    const episodes = new Episodes()
    const fingerprints = [...new Set(notifications.flatMap(({ alerts }) => alerts.map(({ alert }) => alert.fingerprint)))]
    for (const some of slices(fingerprints, 500)) {
      const rows = await transaction.selectFrom('alert')
        .select(['id', 'source', 'fingerprint', 'starts_at', 'ends_at', 'status', 'incident_id'])
        .where('fingerprint', 'in', some).execute()
      for (const row of rows) {
        episodes.#of(row.source, row.fingerprint).push({
          id: row.id, startsAt: row.starts_at, endsAt: row.ends_at ?? undefined, status: row.status, incident: row.incident_id ?? undefined, stored: true
        })
      }
    }
    return episodes
  }

  /** What this copy of the alert changes. A started or unseen one is to be added. */
  take (source: string, { fingerprint, startsAt, endsAt, status }: Alert): EpisodeChange {
    const episodes = this.#of(clean(source), fingerprint)
    const same = episodes.find(episode => episode.startsAt === startsAt)
    if (status === 'firing') {
      if (same !== undefined) {
        if (same.stored) this.#seen.add(same.id)
        if (same.status === 'firing') this.#firing.add(fingerprint)
        return { is: 'unchanged' }
      }
      // The sender's own later start of the episode that is known (alertmanager.md §3.4), or a retry that came late.
      if (episodes.some(episode => episode.status === 'resolved' && episode.startsAt < startsAt && startsAt < (episode.endsAt ?? 0))) return { is: 'unchanged' }
      if (episodes.some(episode => episode.startsAt > startsAt)) return { is: 'unchanged' }
      for (const episode of episodes) if (episode.status === 'firing') this.#end(episode, startsAt)
      return { is: 'started' }
    }
    const ends = endsAt ?? startsAt
    const running = episodes.filter(episode => episode.status === 'firing' && (episode === same || episode.startsAt <= ends))
    if (running.length === 0) return same === undefined ? { is: 'ended-unseen' } : { is: 'unchanged' }
    const incidents = running.flatMap(episode => {
      this.#end(episode, ends)
      return episode.incident === undefined ? [] : [episode.incident]
    })
    return { is: 'resolved', incidents }
  }

  add ({ id, source, alert, incident, now, notification }: { id: string, source: string, alert: Alert, incident?: string, now: Millis, notification: string }): void {
    const { fingerprint, startsAt, endsAt, status } = alert
    this.#of(clean(source), fingerprint).push({ id, startsAt, endsAt, status, incident, stored: false })
    this.#inserts.push({
      id, source: clean(source), fingerprint, starts_at: startsAt, ends_at: endsAt ?? null, status,
      labels: JSON.stringify(alert.labels), annotations: JSON.stringify(alert.annotations), generator_url: clean(alert.generatorURL),
      incident_id: incident ?? null, first_seen: now, last_seen: now, notification_id: notification
    })
  }

  async save (transaction: Transaction<Database>, now: Millis): Promise<void> {
    for (const some of slices([...this.#seen], 500)) {
      await transaction.updateTable('alert').set({ last_seen: now }).where('id', 'in', some).execute()
    }
    await keepAnnotations(transaction, [...this.#firing], now)
    await insertRows(transaction, 'alert', this.#inserts)
    for (const [endsAt, ids] of this.#ended) {
      for (const some of slices(ids, 500)) {
        await transaction.updateTable('alert').set({ status: 'resolved', ends_at: endsAt }).where('id', 'in', some).execute()
      }
    }
  }

  /** Incidents that have lost a firing alert. */
  touchedIncidents (): string[] { return [...this.#touched] }

  #end (episode: Episode, endsAt: Millis): void {
    episode.status = 'resolved'
    episode.endsAt = endsAt
    if (episode.incident !== undefined) this.#touched.add(episode.incident)
    if (!episode.stored) {
      const row = this.#inserts.find(({ id }) => id === episode.id)
      if (row !== undefined) Object.assign(row, { status: 'resolved', ends_at: endsAt })
      return
    }
    const ids = this.#ended.get(endsAt)
    if (ids === undefined) this.#ended.set(endsAt, [episode.id])
    else ids.push(episode.id)
  }

  #of (source: string, fingerprint: string): Episode[] {
    const key = `${source}\u0000${fingerprint}`
    let episodes = this.#known.get(key)
    if (episodes === undefined) this.#known.set(key, episodes = [])
    return episodes
  }
}
