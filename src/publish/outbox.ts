import type { Delivery } from '../shared/store/delivery-row.ts'
import type { Millis } from '../shared/types/common.ts'
import { compose, composePicture, placeOf, saidOnce, type Composed } from './compose.ts'
import type { Outcome } from './message.ts'
import { describe, lease, Reach, stored, type OutboxOptions, type OutboxStatus } from './reach.ts'
import { hasPlace } from './slack/transport.ts'
import { failedEdit, failedPost, reconcile, type Sending } from './unsent.ts'

/**
 * Sends what is due, one row at a time, and says to the store how it ended. `sending` is
 * committed before a first call, so that a crash leaves either a row that was surely not sent
 * or one that is looked for in Slack before it is sent again.
 */
export class Outbox {
  readonly #outbox: Sending
  readonly #busy = new Map<string, Set<string>>()
  readonly #wake: () => void

  constructor (options: OutboxOptions, wake: () => void) {
    this.#outbox = { ...options, reach: new Reach(options, wake) }
    this.#wake = wake
  }

  status (): OutboxStatus { return this.#outbox.reach.status() }

  /** Calls under way. */
  get busy (): number { return [...this.#busy.values()].reduce((sum, set) => sum + set.size, 0) }

  /** Starts whatever may go now in these channels; answers when to come again. */
  async run (targets: string[]): Promise<Millis | undefined> {
    const closed = await this.#outbox.reach.closedUntil(this.#outbox.clock.now())
    if (closed !== undefined) return closed
    let next: Millis | undefined
    for (const target of targets) {
      const at = await this.#runChannel(target)
      if (at !== undefined) next = Math.min(next ?? at, at)
    }
    return next
  }

  async #runChannel (target: string): Promise<Millis | undefined> {
    const { store, clock, log, transport, reach } = this.#outbox
    const busy = this.#busy.get(target) ?? new Set<string>()
    this.#busy.set(target, busy)
    if (busy.size >= reach.room) return undefined
    const rows = (await store.due(target, 30 + busy.size)).filter(({ id }) => !busy.has(id))
    let next: Millis | undefined
    for (const row of rows) {
      if (busy.size >= reach.room) break
      const now = clock.now()
      const key = row.state === 'sent' ? `edit:${transport.name}` : row.state === 'intent' ? `post:${target}` : undefined
      const at = key === undefined ? now : reach.pace.at(key, now, keptFor(row))
      if (at > now) {
        next = Math.min(next ?? at, at)
        continue
      }
      busy.add(row.id)
      void this.#handle(row, key).catch(error => { log.error({ err: error as Error, delivery: row.id }, 'a delivery failed inside') }).finally(() => {
        busy.delete(row.id)
        this.#wake()
      })
    }
    return next
  }

  async #handle (row: Delivery, paced: string | undefined): Promise<void> {
    // A lease that ran out belongs to a replica that died in the middle of a call.
    if (row.state === 'ambiguous' || row.state === 'sending') return reconcile(this.#outbox, row)
    if (row.kind === 'slack-file') return this.#upload(row)
    const { store, transport, config, clock, log, metrics, reach, interactive = false } = this.#outbox
    const made = await compose({ store, config, transport, clock, interactive }, row)
    if ('skip' in made) {
      if (made.skip === 'wait') return store.postpone(row.id, clock.now() + 500)
      const claimed = await store.claim(row, lease)
      if (claimed !== undefined) await store.settle(claimed, made.skip === 'told' ? { state: 'sent', revision: row.wanted } : { state: 'superseded', last_error: 'lost its point' })
      return
    }
    // Another one was faster: this one comes again with the next round.
    if (paced !== undefined && !reach.pace.take(paced, clock.now(), keptFor(row))) return
    if (row.state === 'sent' && hasPlace(placeOf(row)) && transport.can.edit) return this.#edit(row, made)
    if (row.state === 'sent') return this.#cannotEdit(row, made)
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    const outcome = await transport.post(claimed.target, made.message, made.thread === undefined ? undefined : { ts: made.thread.ts, ...(made.broadcast === undefined ? {} : { broadcast: made.broadcast }) })
    if (!outcome.ok) return failedPost(this.#outbox, claimed, outcome)
    const done = await stored(log, () => store.settle(claimed, {
      state: 'sent', external_channel: outcome.channel, external_id: outcome.ts, revision: made.revision, run_at: clock.now(), last_error: '', payload: made.payload
    }, made.also))
    if (!done) return
    reach.passed(claimed)
    metrics?.delivery(claimed.kind, claimed.payload.plain === true ? 'sent-plain' : 'sent')
    if (claimed.kind === 'slack-root' && made.incident !== undefined && claimed.payload.generation === undefined) metrics?.noticed(Math.max(0, clock.now() - made.incident.opened_at) / 1000)
  }

  /** At most once: a picture that may stand already is not worth a second one, and none delays the words. */
  async #upload (row: Delivery): Promise<void> {
    const { store, transport, clock, config, log, metrics } = this.#outbox
    if (row.state === 'sent') return void await store.settle(row, { revision: saidOnce })
    const made = await composePicture({ store, config, transport, clock, interactive: false }, row)
    if ('skip' in made && made.skip === 'wait') return store.postpone(row.id, clock.now() + 2_000)
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    if ('skip' in made) return void await store.settle(claimed, { state: 'superseded', last_error: 'nothing to show' })
    const outcome = await transport.upload(made.place, made.file)
    metrics?.delivery('slack-file', outcome.ok ? 'sent' : outcome.class)
    if (outcome.ok) return void await stored(log, () => store.settle(claimed, { state: 'sent', external_channel: outcome.channel, external_id: outcome.ts, revision: saidOnce, last_error: '' }))
    const again = (outcome.class === 'rate' || outcome.class === 'unsent') && clock.now() - row.created_at < 600_000
    await stored(log, () => store.settle(claimed, again ? { state: 'intent', run_at: clock.now() + (outcome.retryAfter ?? 30_000), last_error: describe(outcome) } : { state: 'superseded', last_error: describe(outcome) }))
  }

  async #edit (row: Delivery, made: Composed): Promise<void> {
    const { store, transport, clock, log, metrics, reach } = this.#outbox
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    const { shown } = made.payload
    const same = shown !== undefined && shown.hash === row.payload.shown?.hash
    const outcome: Outcome = same ? { ok: true, ...placeOf(row) } : await transport.edit(placeOf(row), made.message)
    if (!outcome.ok) return failedEdit(this.#outbox, claimed, outcome, made)
    const gap = same ? 0 : row.kind.startsWith('slack-digest') ? reach.limits.digestGap : reach.limits.editGap
    await stored(log, () => store.settle(claimed, { revision: made.revision, run_at: clock.now() + gap, last_error: '', payload: made.payload }, made.also))
    if (same) return
    reach.passed(claimed)
    metrics?.delivery(row.kind, 'edited')
  }

  /** A transport without edits says a second time only what a reader must know: the cause, and the end. */
  async #cannotEdit (row: Delivery, made: Composed): Promise<void> {
    const { store, transport, clock, log, metrics, reach } = this.#outbox
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    const { shown: before } = row.payload
    const { shown: after } = made.payload
    const worth = row.kind === 'slack-root' && (before === undefined || after === undefined || before.state !== after.state || before.cause !== after.cause)
    if (worth) {
      const outcome = await transport.post(row.target, made.message)
      if (!outcome.ok && outcome.class !== 'unclear') return failedEdit(this.#outbox, claimed, outcome, made)
      metrics?.delivery(row.kind, 'said-again')
    }
    await stored(log, () => store.settle(claimed, { revision: made.revision, run_at: clock.now() + reach.limits.editGap, payload: made.payload }, made.also))
  }
}

/** A reply leaves one message of the channel's burst to the next notice. */
const keptFor = ({ kind, state }: Delivery): number => state === 'intent' && (kind === 'slack-thread' || kind === 'slack-note') ? 1 : 0
