import type { Millis } from '../types/common.ts'
import { clean } from './text.ts'
import type { StoreContext } from './store.ts'

interface AuditEntry { at: Millis, actor: string, action: string, incident: string, data: unknown }

/** Who did what by hand. */
export interface AuditStore {
  /** False when the same act (by `uniqueKey`) is there already: a double click, a redelivered press. */
  add (entry: Omit<AuditEntry, 'at'> & { uniqueKey: string }): Promise<boolean>
  /** Newest first. */
  list (incident: string): Promise<AuditEntry[]>
}

export function auditStore ({ database, clock, newId }: StoreContext): AuditStore {
  return {
    async add ({ actor, action, incident, uniqueKey, data }) {
      const now = clock.now()
      const rows = await database.insertInto('audit').values({
        id: newId(now), at: now, actor: clean(actor), action, incident_id: incident, unique_key: clean(uniqueKey), data: clean(JSON.stringify(data ?? null))
      }).onConflict(conflict => conflict.column('unique_key').doNothing()).returning('id').execute()
      return rows.length > 0
    },
    async list (incident) {
      const rows = await database.selectFrom('audit').selectAll().where('incident_id', '=', incident).orderBy('at', 'desc').limit(200).execute()
      return rows.map(({ at, actor, action, incident_id: id, data }) => ({ at, actor, action, incident: id, data: JSON.parse(data) as unknown }))
    }
  }
}
