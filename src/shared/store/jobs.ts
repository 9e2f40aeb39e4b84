import type { Transaction } from 'kysely'
import type { NewId } from '../ids.ts'
import type { Millis } from '../types/common.ts'
import { insertRows } from './insert-rows.ts'
import type { Database, JobTable } from './schema.ts'
import type { StoreContext } from './store.ts'
import { keepWaits } from './waits.ts'

/** A claimed job. `attempts` is its fence: a claim that lost its lease cannot finish it. */
export type Job = Pick<JobTable, 'id' | 'kind' | 'unique_key' | 'incident_id' | 'payload' | 'attempts' | 'failures' | 'run_at'>

export interface JobStore {
  /** Takes what is due, oldest first, for `lease` milliseconds. */
  claim (limit: number, lease: Millis): Promise<Job[]>
  /** Keeps the claim; false when it was lost. */
  extend (job: Job, lease: Millis): Promise<boolean>
  /** Not now: back into the queue, the failure counted. */
  retry (job: Job, at: Millis, error: string): Promise<void>
  /** Done, and nothing to save with it. */
  finish (job: Job): Promise<void>
  /** Asks for a look at the incident now, or as soon as the one that runs has ended. */
  requestLook (incident: string): Promise<void>
  /** Gives back everything that a dead process held. */
  release (): Promise<void>
  /** Jobs that are due, and the time of the next one that is not. */
  depth (): Promise<{ due: number, next?: Millis }>
}

const columns = ['id', 'kind', 'unique_key', 'incident_id', 'payload', 'attempts', 'failures', 'run_at'] as const

export function jobStore (context: StoreContext): JobStore {
  const { database, clock, dialect } = context
  // The clock may have been set back while nothing ran, too.
  let latest = Infinity
  return {
    async claim (limit, lease) {
      const now = clock.now()
      if (latest > now) await keepWaits(context, 'job')
      latest = now
      return context.transaction(async transaction => {
        const of = (state: 'ready' | 'running') => transaction.selectFrom('job').select('id').where('state', '=', state).$if(dialect === 'postgres', query => query.forUpdate().skipLocked())
        // What a dead worker held. In one query with the others, all that is due would be sorted each time.
        await transaction.updateTable('job').set({ state: 'ready', lease_until: null, updated_at: now }).where('id', 'in', of('running').where('lease_until', '<', now)).execute()
        const due = of('ready').where('run_at', '<=', now).orderBy('priority').orderBy('run_at').limit(limit)
        return transaction.updateTable('job')
          .set(row => ({ state: 'running', lease_until: now + lease, attempts: row('attempts', '+', 1), updated_at: now }))
          .where('id', 'in', due).returning(columns).execute()
      }, { lazy: true })
    },
    async extend ({ id, attempts }, lease) {
      const now = clock.now()
      const { numUpdatedRows } = await database.updateTable('job').set({ lease_until: now + lease, updated_at: now })
        .where('id', '=', id).where('attempts', '=', attempts).where('state', '=', 'running').executeTakeFirst()
      return numUpdatedRows > 0n
    },
    async retry ({ id, attempts }, at, error) {
      await database.updateTable('job').set(row => ({
        state: 'ready', run_at: at, again_at: null, lease_until: null, failures: row('failures', '+', 1), last_error: error.slice(0, 2_000), updated_at: clock.now()
      })).where('id', '=', id).where('attempts', '=', attempts).where('state', '=', 'running').execute()
    },
    finish: job => context.transaction(async transaction => { await endJob(transaction, job, undefined, clock.now()) }),
    requestLook: incident => context.transaction(transaction => requestLooks(transaction, [incident], clock.now(), context.newId)),
    async release () {
      await database.updateTable('job').set({ state: 'ready', lease_until: null }).where('state', '=', 'running').execute()
    },
    async depth () {
      const now = clock.now()
      const { due, next } = await database.selectFrom('job')
        .select(row => [
          row.fn.countAll<number>().filterWhere('run_at', '<=', now).as('due'),
          row.fn.min('run_at').filterWhere('run_at', '>', now).as('next')
        ]).where('state', '=', 'ready').executeTakeFirstOrThrow()
      return { due: Number(due), next: next ?? undefined }
    }
  }
}

/** One row for each incident, whatever asks: a look that waits is brought forward, one that runs is followed by another. */
export async function requestLooks (transaction: Transaction<Database>, incidents: string[], now: Millis, newId: NewId): Promise<void> {
  await insertRows(transaction, 'job', incidents.map(incident => ({
    id: newId(now), kind: 'look', unique_key: `look:${incident}`, incident_id: incident, payload: '{}', state: 'ready' as const, priority: 1,
    run_at: now, again_at: null, lease_until: null, attempts: 0, failures: 0, last_error: '', created_at: now, updated_at: now
  })), `on conflict (unique_key) do update set
    run_at = case when job.state = 'running' or job.run_at < excluded.run_at then job.run_at else excluded.run_at end,
    again_at = case when job.state = 'running' then excluded.run_at else null end,
    updated_at = excluded.updated_at,
    state = case when job.state = 'running' then 'running' else 'ready' end`)
}

/**
 * Ends a claim inside the caller's transaction: the row goes, or waits for its next time.
 * False when the claim was lost to another worker, whose result is the one that counts.
 */
export async function endJob (transaction: Transaction<Database>, job: Job, next: Millis | undefined, now: Millis): Promise<boolean> {
  const row = await transaction.selectFrom('job').select(['again_at'])
    .where('id', '=', job.id).where('attempts', '=', job.attempts).where('state', '=', 'running').executeTakeFirst()
  if (row === undefined) return false
  const at = row.again_at === null ? next : Math.min(row.again_at, now)
  if (at === undefined) await transaction.deleteFrom('job').where('id', '=', job.id).execute()
  else await transaction.updateTable('job').set({ state: 'ready', run_at: at, again_at: null, lease_until: null, failures: 0, updated_at: now }).where('id', '=', job.id).execute()
  return true
}
