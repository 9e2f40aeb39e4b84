import { sql } from 'kysely'
import type { Millis } from '../types/common.ts'
import type { StoreContext } from './store.ts'

/** Removes what has outlived its use, a bounded piece at a time so that intake is not held up. */
export interface Housekeeper {
  /** True when there is more to remove. */
  sweep (limits: { retention: Millis }): Promise<boolean>
}

const piece = 1_000
const rawKeep: Millis = 24 * 3_600_000
const rejectedKeep: Millis = 7 * 86_400_000
const rejectedMost = 1_000

export function housekeeper ({ database, clock, dialect }: StoreContext): Housekeeper {
  return {
    async sweep ({ retention }) {
      const now = clock.now()
      const old = now - retention
      const counts: number[] = []
      const removed = async (query: { execute (): Promise<{ numDeletedRows?: bigint, numUpdatedRows?: bigint }[]> }) => {
        const [result] = await query.execute()
        counts.push(Number(result?.numDeletedRows ?? result?.numUpdatedRows ?? 0))
      }
      await removed(database.updateTable('notification').set({ raw: null })
        .where('id', 'in', database.selectFrom('notification').select('id').where('received_at', '<', now - rawKeep).where('raw', 'is not', null).limit(piece)))
      await removed(database.deleteFrom('notification')
        .where('id', 'in', database.selectFrom('notification').select('id').where('received_at', '<', old).limit(piece)))
      await removed(database.deleteFrom('rejected')
        .where('id', 'in', database.selectFrom('rejected').select('id').where('received_at', '<', now - rejectedKeep).limit(piece)))
      await removed(database.deleteFrom('rejected')
        .where('id', 'not in', database.selectFrom('rejected').select('id').orderBy('received_at', 'desc').orderBy('id', 'desc').limit(rejectedMost)))
      // Alerts outlive their incident: a redelivery that comes late must find that it is one.
      await removed(database.deleteFrom('alert')
        .where('id', 'in', database.selectFrom('alert').select('id').where('status', '=', 'resolved').where('last_seen', '<', old - 86_400_000).limit(piece)))
      const gone = (await database.selectFrom('incident').select('id').where('state', '!=', 'open').where('closed_at', '<', old).limit(piece / 5).execute()).map(({ id }) => id)
      if (gone.length > 0) {
        for (const table of ['observation', 'incident_key', 'job', 'delivery', 'annotation_target', 'audit'] as const) {
          await database.deleteFrom(table).where('incident_id', 'in', gone).execute()
        }
        await removed(database.deleteFrom('incident').where('id', 'in', gone))
      }
      if (dialect === 'sqlite') await sql`pragma incremental_vacuum(500)`.execute(database)
      return counts.some(count => count >= piece / 5)
    }
  }
}
