import { sql } from 'kysely'
import { never } from './delivery-row.ts'
import type { StoreContext } from './store.ts'

/**
 * After the clock was set back: a row that was written later than now waits as long as it was to
 * wait when it was written, counted from now. A second call changes nothing, so that replicas whose
 * clocks went back together, or a start after that, may each do it.
 */
export async function keepWaits ({ database, dialect, clock }: StoreContext, table: 'delivery' | 'job'): Promise<void> {
  const now = clock.now()
  // A lease of another replica is its own business: ended too early, its message would be sent twice.
  const lease = dialect === 'sqlite' ? sql`lease_until = lease_until - (updated_at - ${now}),` : sql``
  await sql`update ${sql.table(table)} set run_at = run_at - (updated_at - ${now}), ${lease} updated_at = ${now}
    where updated_at > ${now} and run_at < ${never} and (run_at > ${now} or lease_until > ${now})`.execute(database)
}
