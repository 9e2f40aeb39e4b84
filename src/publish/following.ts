import type { Logger } from 'pino'
import type { Config } from '../shared/config/config.ts'
import type { DeliveryStore } from '../shared/store/deliveries.ts'
import type { Delivery, DeliveryPatch } from '../shared/store/delivery-row.ts'
import type { IncidentTable } from '../shared/store/schema.ts'
import type { Clock, Millis } from '../shared/types/common.ts'
import type { Finding } from './finding.ts'
import { lease, type DeliveryMetrics } from './reach.ts'
import { findingOf } from './story.ts'

/** One state of an incident on its way to a receiver. */
interface State { row: Delivery, incident: IncidentTable, finding: Finding, now: Millis }

/** `told`: what to remember of it. `outcome` is a word for the metric; a `final` refusal is not tried again. */
type Told =
  | { is: 'told', outcome: string, remember?: Pick<DeliveryPatch, 'external_id' | 'payload'> }
  | { is: 'nothing-to-tell' }
  | { is: 'pointless', why: string }
  | { is: 'failed', outcome: string, why: string, retryAfter?: Millis, final?: boolean }

/** Receives every state of an incident, at least once and in order; tells repeats itself. */
export interface Receiver {
  kind: string
  tell (state: State): Promise<Told>
  close (): Promise<void>
}

interface FollowingOptions { receiver: Receiver, store: DeliveryStore, config: Config, clock: Clock, log: Logger, metrics?: DeliveryMetrics }

const longest: Millis = 600_000
const useful: Millis = 86_400_000
const sideBySide = 8

/** Keeps receivers other than Slack in step with incidents: one row each, sent again whenever the incident has a newer revision. */
export class Following {
  readonly #options: FollowingOptions
  readonly #busy = new Set<string>()
  readonly #failures = new Map<string, number>()

  constructor (options: FollowingOptions) { this.#options = options }

  get busy (): number { return this.#busy.size }

  async run (targets: string[], wake: () => void): Promise<void> {
    const { store, log, receiver } = this.#options
    for (const target of targets) {
      for (const row of await store.due(target, 20)) {
        if (this.#busy.has(row.id) || this.#busy.size >= sideBySide) continue
        this.#busy.add(row.id)
        void this.#send(row).catch(error => { log.error({ err: error as Error, delivery: row.id, kind: receiver.kind }, 'a delivery failed inside') }).finally(() => {
          this.#busy.delete(row.id)
          wake()
        })
      }
    }
  }

  close (): Promise<void> { return this.#options.receiver.close() }

  async #send (row: Delivery): Promise<void> {
    const { store, config, clock, log, metrics, receiver } = this.#options
    const incident = await store.incident(row.incident_id)
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    if (incident === undefined) return void await store.settle(claimed, { state: 'superseded', last_error: 'the incident is gone' })
    const now = clock.now()
    const told = await receiver.tell({ row, incident, finding: await findingOf(store, config, incident, now), now })
    const { revision } = incident
    switch (told.is) {
      case 'pointless': return void await store.settle(claimed, { state: 'superseded', last_error: told.why })
      case 'nothing-to-tell': return void await store.settle(claimed, { state: 'sent', revision, last_error: '' })
      case 'told':
        this.#failures.delete(row.id)
        metrics?.delivery(receiver.kind, told.outcome)
        return void await store.settle(claimed, { state: 'sent', revision, run_at: now, last_error: '', ...told.remember })
    }
    const failures = (this.#failures.get(row.id) ?? 0) + 1
    this.#failures.set(row.id, failures)
    metrics?.delivery(receiver.kind, told.outcome)
    // What keeps one from arriving keeps them all: said once.
    if (failures === 1 && this.#failures.size === 1) log.warn({ kind: receiver.kind, incident: incident.id, reason: told.why }, 'a delivery waits')
    const finished = told.final === true || now - row.created_at > useful
    if (finished) this.#failures.delete(row.id)
    const state = row.external_id === '' ? finished ? 'dead' as const : 'intent' as const : 'sent' as const
    await store.settle(claimed, {
      state,
      ...(finished && state === 'sent' ? { revision } : {}),
      run_at: now + Math.max(told.retryAfter ?? 0, Math.min(longest, 5_000 * 2 ** Math.min(10, failures - 1))),
      last_error: told.why
    })
  }
}
