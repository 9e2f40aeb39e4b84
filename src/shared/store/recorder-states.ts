import type { RecordedState } from '../types/observations.ts'
import type { Millis } from '../types/common.ts'
import { slices } from './slices.ts'
import { clean } from './text.ts'
import type { StoreContext } from './store.ts'

/** What the flight recorder keeps: every change of an Order or Challenge, for a bounded time and size. */
export interface RecorderStore {
  add (states: RecordedState[]): Promise<void>
  /** Of one namespace, oldest first; `orders` narrows it to the attempts of one Certificate by UID. */
  read (query: { namespace: string, since: Millis, orders?: string[] }): Promise<RecordedState[]>
  /** Drops what is older than `before`, then the oldest until at most `maxBytes` are left. */
  prune (before: Millis, maxBytes: number): Promise<void>
}

const readLimit = 5_000

export function recorderStore ({ database, clock, newId }: StoreContext): RecorderStore {
  return {
    async add (states) {
      const now = clock.now()
      for (const some of slices(states, 200)) {
        await database.insertInto('recorder_state').values(some.map(state => {
          const data = clean(JSON.stringify(state))
          return {
            id: newId(now), at: state.at, kind: state.kind, namespace: state.namespace, name: state.name, uid: state.uid,
            order_uid: state.kind === 'Order' ? state.uid : state.order ?? '', data, bytes: data.length
          }
        })).execute()
      }
    },
    async read ({ namespace, since, orders }) {
      let query = database.selectFrom('recorder_state').select('data').where('namespace', '=', namespace).where('at', '>=', since).orderBy('at', 'desc').orderBy('id', 'desc').limit(readLimit)
      if (orders !== undefined) {
        if (orders.length === 0) return []
        query = query.where('order_uid', 'in', orders)
      }
      const rows = await query.execute()
      return rows.reverse().map(({ data }) => JSON.parse(data) as RecordedState)
    },
    async prune (before, maxBytes) {
      await database.deleteFrom('recorder_state').where('at', '<', before).execute()
      for (;;) {
        const { bytes, count } = await database.selectFrom('recorder_state').select(row => [row.fn.sum<number | null>('bytes').as('bytes'), row.fn.countAll<number>().as('count')]).executeTakeFirstOrThrow()
        if (Number(bytes ?? 0) <= maxBytes || Number(count) === 0) return
        const share = Math.max(1, Math.ceil(Number(count) * (1 - maxBytes / Number(bytes))))
        const oldest = database.selectFrom('recorder_state').select('id').orderBy('at').orderBy('id').limit(share)
        await database.deleteFrom('recorder_state').where('id', 'in', oldest).execute()
      }
    }
  }
}
