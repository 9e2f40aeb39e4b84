import type { Transaction } from 'kysely'
import type { Millis } from '../types/common.ts'
import type { AnnotationTargetTable, Database } from './schema.ts'
import { slices } from './slices.ts'
import type { StoreContext } from './store.ts'

/** An alert that should carry our annotations. */
export interface AnnotationTarget {
  fingerprint: string
  incident: string
  labels: Record<string, string>
  annotations: Record<string, string>
  hash: string
  until: number
}

export interface AnnotationTargetStore {
  /** All that should be kept on their alerts now. */
  active (): Promise<AnnotationTarget[]>
  of (fingerprints: string[]): Promise<AnnotationTarget[]>
  /** The alert is gone, resolved or too old. */
  stop (fingerprints: string[]): Promise<void>
}

/** Annotations are kept on an alert so long after the last look, or after its sender said that it fires. */
export const annotationsFor: Millis = 24 * 3_600_000

/** These alerts fire still; one whose annotations were let go, because no peer knew it for a while, gets them back. */
export async function keepAnnotations (transaction: Transaction<Database>, fingerprints: string[], now: Millis): Promise<void> {
  for (const some of slices(fingerprints, 500)) {
    await transaction.updateTable('annotation_target').set({ active: 1, until: now + annotationsFor, updated_at: now }).where('fingerprint', 'in', some)
      .where(each => each.or([each('active', '=', 0), each('until', '<', now + annotationsFor / 2)])).execute()
  }
}

export function annotationTargetStore ({ database, clock }: Pick<StoreContext, 'database' | 'clock'>): AnnotationTargetStore {
  const read = (row: AnnotationTargetTable): AnnotationTarget => ({
    fingerprint: row.fingerprint, incident: row.incident_id, hash: row.hash, until: row.until,
    labels: JSON.parse(row.labels) as Record<string, string>, annotations: JSON.parse(row.annotations) as Record<string, string>
  })
  return {
    async active () {
      const rows = await database.selectFrom('annotation_target').selectAll().where('active', '=', 1).where('until', '>', clock.now()).limit(5_000).execute()
      return rows.map(read)
    },
    async of (fingerprints) {
      if (fingerprints.length === 0) return []
      const rows = await database.selectFrom('annotation_target').selectAll().where('fingerprint', 'in', fingerprints.slice(0, 500)).where('active', '=', 1).execute()
      return rows.map(read)
    },
    async stop (fingerprints) {
      for (const some of slices(fingerprints, 500)) {
        await database.updateTable('annotation_target').set({ active: 0, updated_at: clock.now() }).where('fingerprint', 'in', some).execute()
      }
    }
  }
}
