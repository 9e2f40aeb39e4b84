import type { Transaction } from 'kysely'
import type { Millis } from '../types/common.ts'
import type { Database, DeliveryTable, IncidentTable } from './schema.ts'
import { slices } from './slices.ts'
import type { StoreContext } from './store.ts'
import { clean } from './text.ts'

/** One message that must reach somebody; `payload` is read as JSON. */
export type Delivery = Omit<DeliveryTable, 'payload'> & { payload: DeliveryPayload }

/** What the outbox remembers of a message. Unknown keys are kept. */
export interface DeliveryPayload {
  /** What readers see now: decides whether an edit is worth a note. */
  shown?: { state: string, cause: string, urgency: string, hash: string }
  /** Blocks were refused: plain text from now on. */
  plain?: boolean
  /** Slack took the call and never answered: until then the message is only looked for, not repeated. */
  patientUntil?: Millis
  /** How often the message was posted anew because somebody removed it. */
  generation?: number
  /** The channel that would not take it. */
  movedFrom?: string
  /** A root that a digest tells, and the page that lists it. */
  digest?: string
  page?: number
  entry?: DigestEntry
  /** A digest. */
  open?: boolean
  pages?: number
  /** A page of a digest: incident ids, in order of arrival. */
  members?: string[]
  characters?: number
  /** A note: its words, and whom they call (from the configuration only). */
  text?: string
  broadcast?: boolean
  mention?: string
  /** Somebody was called already. */
  mentioned?: boolean
  /** The channel of the cause, where it was told as well. */
  forwarded?: string
  /** Permalink of the incident before this one; of a forwarded message: of the thread it belongs to. */
  previous?: string
  /** Who said "I'm on it". */
  taken?: { by: string, at: Millis }
}

/** One incident as a digest names it. */
export interface DigestEntry {
  namespace: string
  certificate: string
  order: string
  cluster: string
  issuer: string
  zone: string
  cause: string
  urgency: string
  headline: string
  state: string
  /** The channel that only the cause leads to. */
  elsewhere?: string
}

/** A root nobody has chosen a channel for, with what the choice depends on. */
export interface Candidate {
  delivery: { id: string, createdAt: Millis }
  incident: Pick<IncidentTable, 'id' | 'cluster' | 'namespace' | 'certificate' | 'order_name' | 'state' | 'cause' | 'finding' | 'revision'>
  labels: Record<string, string>
}

export interface NewDelivery { incident: string, kind: string, target: string, uniqueKey: string, wanted: number, payload?: DeliveryPayload, runAt?: Millis }

export type DeliveryPatch = Partial<Pick<DeliveryTable, 'state' | 'target' | 'revision' | 'wanted' | 'external_channel' | 'external_id' | 'run_at' | 'last_error'>> & {
  /** Merged into what is there. */
  payload?: DeliveryPayload
}

/** Given to nobody before the storm is over. */
export const never = 8_640_000_000_000_000

export const rootKey = (incident: string): string => `slack-root:${incident}`

export function readDelivery (row: DeliveryTable): Delivery {
  return { ...row, payload: JSON.parse(row.payload) as DeliveryPayload }
}

/** Rows that are read to be written back changed: no replica writes them in between, or what it wrote would be lost. */
export function rowsToChange ({ dialect }: StoreContext, transaction: Transaction<Database>) {
  return transaction.selectFrom('delivery').$if(dialect === 'postgres', query => query.forUpdate())
}

/** Rows whose key exists already stay as they are. */
export async function insertDeliveries (context: StoreContext, transaction: Transaction<Database>, rows: NewDelivery[]): Promise<void> {
  const now = context.clock.now()
  for (const some of slices(rows, 200)) {
    await transaction.insertInto('delivery').values(some.map(({ incident, kind, target, uniqueKey, wanted, payload, runAt }) => ({
      id: context.newId(now), incident_id: incident, kind, target, unique_key: uniqueKey, state: 'intent' as const, revision: 0, wanted, payload: clean(JSON.stringify(payload ?? {})),
      external_channel: '', external_id: '', attempts: 0, run_at: runAt ?? now, lease_until: null, last_error: '', created_at: now, updated_at: now
    }))).onConflict(conflict => conflict.column('unique_key').doNothing()).execute()
  }
}
