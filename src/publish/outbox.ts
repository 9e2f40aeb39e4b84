import type { Logger } from 'pino'
import type { Config } from '../shared/config/config.ts'
import type { Delivery, DeliveryPatch, DeliveryStore } from '../shared/store/deliveries.ts'
import type { Clock, Millis } from '../shared/types/common.ts'
import { compose, composePicture, deliveryId, placeOf, saidOnce, type Composed } from './compose.ts'
import type { Failure, Outcome, Transport } from './message.ts'
import { Pace, type Rate } from './pace.ts'
import { fixOf } from './slack/errors.ts'
import { hasPlace } from './slack/transport.ts'

/** What is counted; every method may be called often. */
export interface DeliveryMetrics {
  delivery (kind: string, outcome: string): void
  noticed (seconds: number): void
}

export interface Limits {
  /** New messages of one channel. */
  post: Rate
  /** Edits of the whole workspace. */
  edit: Rate
  /** Between two edits of one message. */
  editGap: Millis
  /** Between two edits of a digest or one of its pages. */
  digestGap: Millis
  /** First wait after an answer was lost; the next ones double up to `longest`. */
  first: Millis
  longest: Millis
  /** A call that was taken and never answered is looked for so long before it is repeated: a hanging Slack shows late what it has. */
  patience: Millis
  /** Calls under way in one channel. */
  concurrency: number
  /** How long a message is still worth sending. */
  useful: Millis
}

/** Slack's published limits (users.md §5.2), a little below. */
const slackLimits: Limits = {
  post: { perSecond: 1, burst: 3 },
  edit: { perSecond: 0.8, burst: 20 },
  editGap: 3_000,
  digestGap: 2_000,
  first: 5_000,
  longest: 600_000,
  patience: 45_000,
  concurrency: 6,
  useful: 3 * 86_400_000
}

export interface OutboxOptions {
  store: DeliveryStore
  transport: Transport
  config: Config
  clock: Clock
  log: Logger
  metrics?: DeliveryMetrics
  limits?: Partial<Limits>
  interactive?: boolean
}

export interface OutboxStatus {
  /** The token is not accepted: everything waits. */
  stopped?: { since: Millis, error: string, fix: string }
  /** Channels that will not take a message, with what to do. */
  broken: { channel: string, error: string, fix: string, since: Millis }[]
  /** Calls in a row that did not get through. */
  failures: number
}

const lease = 60_000
/** A token that was refused is tried again so often, and at once when the file has another one. */
const tokenWait = 15_000
const parked = 600_000

/**
 * Sends what is due, one row at a time, and says to the store how it ended. `sending` is
 * committed before a first call, so that a crash leaves either a row that was surely not sent
 * or one that is looked for in Slack before it is sent again.
 */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #limits: Limits
  readonly #pace: Pace
  readonly #busy = new Map<string, Set<string>>()
  readonly #failed = new Map<string, number>()
  readonly #broken = new Map<string, OutboxStatus['broken'][number]>()
  #stopped: OutboxStatus['stopped']
  #stoppedCheck = 0
  #failures = 0
  #quietUntil = 0
  #wake: () => void

  constructor (options: OutboxOptions, wake: () => void) {
    this.#options = options
    this.#limits = { ...slackLimits, ...options.limits }
    this.#pace = new Pace(key => key.startsWith('post:') ? this.#limits.post : this.#limits.edit)
    this.#wake = wake
  }

  status (): OutboxStatus {
    return { ...(this.#stopped === undefined ? {} : { stopped: this.#stopped }), broken: [...this.#broken.values()], failures: this.#failures }
  }

  /** Calls under way. */
  get busy (): number { return [...this.#busy.values()].reduce((sum, set) => sum + set.size, 0) }

  /** Starts whatever may go now in these channels; answers when to come again. */
  async run (targets: string[]): Promise<Millis | undefined> {
    const now = this.#options.clock.now()
    if (this.#stopped !== undefined && !await this.#resume(now)) return now + tokenWait
    if (this.#quietUntil > now && this.#quietUntil - now <= this.#limits.longest) return this.#quietUntil
    let next: Millis | undefined
    for (const target of targets) {
      const at = await this.#runChannel(target)
      if (at !== undefined) next = Math.min(next ?? at, at)
    }
    return next
  }

  async #runChannel (target: string): Promise<Millis | undefined> {
    const { store, clock } = this.#options
    const busy = this.#busy.get(target) ?? new Set<string>()
    this.#busy.set(target, busy)
    // While Slack does not answer, one call at a time finds out when it does.
    const room = this.#failures >= 3 ? 1 : this.#limits.concurrency
    if (busy.size >= room) return undefined
    const rows = (await store.due(target, 30 + busy.size)).filter(({ id }) => !busy.has(id))
    let next: Millis | undefined
    for (const row of rows) {
      if (busy.size >= room) break
      const now = clock.now()
      const key = row.state === 'sent' ? `edit:${this.#options.transport.name}` : row.state === 'intent' ? `post:${target}` : undefined
      const at = key === undefined ? now : this.#pace.at(key, now, keptFor(row))
      if (at > now) {
        next = Math.min(next ?? at, at)
        continue
      }
      busy.add(row.id)
      void this.#handle(row, key).catch(error => { this.#options.log.error({ err: error as Error, delivery: row.id }, 'a delivery failed inside') }).finally(() => {
        busy.delete(row.id)
        this.#wake()
      })
    }
    return next
  }

  async #handle (row: Delivery, paced: string | undefined): Promise<void> {
    // A lease that ran out belongs to a replica that died in the middle of a call.
    if (row.state === 'ambiguous' || row.state === 'sending') return this.#reconcile(row)
    if (row.kind === 'slack-file') return this.#upload(row)
    const { store, transport } = this.#options
    const made = await compose({ store, config: this.#options.config, transport, clock: this.#options.clock, interactive: this.#options.interactive === true }, row)
    if ('skip' in made) {
      if (made.skip === 'wait') return store.postpone(row.id, this.#options.clock.now() + 500)
      const claimed = await store.claim(row, lease)
      if (claimed !== undefined) await store.settle(claimed, made.skip === 'told' ? { state: 'sent', revision: row.wanted } : { state: 'superseded', last_error: 'lost its point' })
      return
    }
    // Another one was faster: this one comes again with the next round.
    if (paced !== undefined && !this.#pace.take(paced, this.#options.clock.now(), keptFor(row))) return
    if (row.state === 'sent' && hasPlace(placeOf(row)) && transport.can.edit) return this.#edit(row, made)
    if (row.state === 'sent') return this.#cannotEdit(row, made)
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    const { clock } = this.#options
    const outcome = await transport.post(claimed.target, made.message, made.thread === undefined ? undefined : { ts: made.thread.ts, ...(made.broadcast === undefined ? {} : { broadcast: made.broadcast }) })
    if (!outcome.ok) return this.#failedPost(claimed, outcome)
    const done = await this.#store(() => store.settle(claimed, {
      state: 'sent', external_channel: outcome.channel, external_id: outcome.ts, revision: made.revision, run_at: clock.now(), last_error: '', payload: made.payload
    }, made.also))
    if (!done) return
    this.#passed(claimed)
    this.#options.metrics?.delivery(claimed.kind, claimed.payload.plain === true ? 'sent-plain' : 'sent')
    if (claimed.kind === 'slack-root' && made.incident !== undefined && claimed.payload.generation === undefined) this.#options.metrics?.noticed(Math.max(0, clock.now() - made.incident.opened_at) / 1000)
  }

  /** At most once: a picture that may stand already is not worth a second one, and none delays the words. */
  async #upload (row: Delivery): Promise<void> {
    const { store, transport, clock, config, metrics } = this.#options
    if (row.state === 'sent') return void await store.settle(row, { revision: saidOnce })
    const made = await composePicture({ store, config, transport, clock, interactive: false }, row)
    if ('skip' in made && made.skip === 'wait') return store.postpone(row.id, clock.now() + 2_000)
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    if ('skip' in made) return void await store.settle(claimed, { state: 'superseded', last_error: 'nothing to show' })
    const outcome = await transport.upload(made.place, made.file)
    metrics?.delivery('slack-file', outcome.ok ? 'sent' : outcome.class)
    if (outcome.ok) return void await this.#store(() => store.settle(claimed, { state: 'sent', external_channel: outcome.channel, external_id: outcome.ts, revision: saidOnce, last_error: '' }))
    const again = (outcome.class === 'rate' || outcome.class === 'unsent') && clock.now() - row.created_at < 600_000
    await this.#store(() => store.settle(claimed, again ? { state: 'intent', run_at: clock.now() + (outcome.retryAfter ?? 30_000), last_error: describe(outcome) } : { state: 'superseded', last_error: describe(outcome) }))
  }

  async #edit (row: Delivery, made: Composed): Promise<void> {
    const { store, transport, clock } = this.#options
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    const { shown } = made.payload
    const same = shown !== undefined && shown.hash === row.payload.shown?.hash
    const outcome: Outcome = same ? { ok: true, ...placeOf(row) } : await transport.edit(placeOf(row), made.message)
    if (!outcome.ok) return this.#failedEdit(claimed, outcome, made)
    const gap = same ? 0 : row.kind.startsWith('slack-digest') ? this.#limits.digestGap : this.#limits.editGap
    await this.#store(() => store.settle(claimed, { revision: made.revision, run_at: clock.now() + gap, last_error: '', payload: made.payload }, made.also))
    if (same) return
    this.#passed(claimed)
    this.#options.metrics?.delivery(row.kind, 'edited')
  }

  /** A transport without edits says a second time only what a reader must know: the cause, and the end. */
  async #cannotEdit (row: Delivery, made: Composed): Promise<void> {
    const { store, transport } = this.#options
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    const { shown: before } = row.payload
    const { shown: after } = made.payload
    const worth = row.kind === 'slack-root' && (before === undefined || after === undefined || before.state !== after.state || before.cause !== after.cause)
    if (worth) {
      const outcome = await transport.post(row.target, made.message)
      if (!outcome.ok && outcome.class !== 'unclear') return this.#failedEdit(claimed, outcome, made)
      this.#options.metrics?.delivery(row.kind, 'said-again')
    }
    await this.#store(() => store.settle(claimed, { revision: made.revision, run_at: this.#options.clock.now() + this.#limits.editGap, payload: made.payload }, made.also))
  }

  /** The answer was lost: look for the message before it is sent again. */
  async #reconcile (row: Delivery): Promise<void> {
    const { store, transport, clock, log } = this.#options
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    if (row.kind === 'slack-file') return void await store.settle(claimed, { state: 'superseded', last_error: 'sent or not: not repeated' })
    const thread = row.kind === 'slack-root' || row.kind === 'slack-forward' || row.kind === 'slack-digest' ? undefined : await this.#threadOf(row)
    // Our clock and Slack's may differ: begin well before.
    const oldest = row.created_at - 600_000
    const found = await transport.find(row.external_channel === '' ? row.target : row.external_channel, deliveryId(row), { oldest, ...(thread === undefined ? {} : { thread }) })
    const now = clock.now()
    if (found.is === 'failed') {
      this.#notice(row, found.failure)
      await this.#store(() => store.settle(claimed, { state: 'ambiguous', run_at: now + this.#waitFor(row, found.failure), last_error: `looking for it: ${found.failure.error}` }))
      return
    }
    const { patientUntil = 0 } = row.payload
    if (found.is === 'missing' && patientUntil > now && patientUntil - now <= this.#limits.patience) {
      await this.#store(() => store.settle(claimed, { state: 'ambiguous', run_at: Math.min(patientUntil, now + this.#limits.first * 3), last_error: 'not answered and not to be seen yet' }))
      return
    }
    this.#options.metrics?.delivery(row.kind, found.is === 'found' ? 'adopted' : found.is === 'missing' ? 'not-arrived' : 'cannot-look')
    log.info({ delivery: row.id, kind: row.kind, found: found.is }, 'looked for a message whose answer was lost')
    if (found.is === 'found') {
      await this.#store(() => store.settle(claimed, { state: 'sent', external_channel: found.place.channel, external_id: found.place.ts, revision: Math.min(found.revision, row.wanted), run_at: now, last_error: '' }))
      return
    }
    // What cannot be looked for: the message is too important to be lost, a note is not worth being said twice.
    const drop = found.is === 'cannot-look' && row.kind === 'slack-note'
    await this.#store(() => store.settle(claimed, drop ? { state: 'superseded', last_error: `sent or not: ${found.why}` } : { state: 'intent', run_at: now }))
  }

  async #threadOf (row: Delivery): Promise<string | undefined> {
    const { store } = this.#options
    const parent = row.kind === 'slack-digest-page' ? await store.get(row.payload.digest ?? '') : (await store.roots([row.incident_id]))[0]
    return parent === undefined || parent.external_id === '' ? undefined : parent.external_id
  }

  async #failedPost (row: Delivery, failure: Failure): Promise<void> {
    const { store, clock, config } = this.#options
    const now = clock.now()
    const patch = (change: DeliveryPatch): Promise<boolean> => this.#store(() => store.settle(row, { last_error: describe(failure), ...change }))
    this.#options.metrics?.delivery(row.kind, failure.class)
    this.#notice(row, failure)
    if (now - row.created_at > this.#limits.useful) return void await patch({ state: 'dead' })
    switch (failure.class) {
      case 'unclear': return void await patch({ state: 'ambiguous', run_at: now + this.#waitFor(row, failure), ...(failure.error === 'timeout' ? { payload: { patientUntil: now + this.#limits.patience } } : {}) })
      case 'rate': return void await patch({ state: 'intent', run_at: now + (failure.retryAfter ?? 30_000) })
      case 'unsent': return void await patch({ state: 'intent', run_at: now + this.#waitFor(row, failure) })
      case 'credentials': return void await patch({ state: 'intent', run_at: now })
      case 'content': return void await patch(row.payload.plain === true ? { state: 'dead' } : { state: 'intent', run_at: now, payload: { plain: true } })
      case 'target-gone': {
        await patch({ state: 'intent', run_at: now + 1_000 })
        return this.#parentGone(row, failure)
      }
      case 'configuration': {
        const fallback = config.slack.fallbackChannel
        if (fallback === undefined || fallback === row.target || row.payload.movedFrom !== undefined) return void await patch({ state: 'intent', run_at: now + parked })
        if (row.kind === 'slack-root') {
          await patch({ state: 'intent' })
          return store.restart(row.incident_id, describe(failure), fallback)
        }
        return void await patch({ state: 'intent', run_at: now, target: fallback, payload: { movedFrom: row.target } })
      }
    }
  }

  async #failedEdit (row: Delivery, failure: Failure, made: Composed): Promise<void> {
    const { store, clock } = this.#options
    const now = clock.now()
    this.#options.metrics?.delivery(row.kind, `edit-${failure.class}`)
    this.#notice(row, failure)
    const patch = (change: DeliveryPatch, also = made.also.slice(0, 0)): Promise<boolean> => this.#store(() => store.settle(row, { last_error: describe(failure), ...change }, also))
    switch (failure.class) {
      case 'rate': return void await patch({ run_at: now + (failure.retryAfter ?? 30_000) })
      case 'credentials': return void await patch({ run_at: now })
      case 'content': return void await patch(row.payload.plain === true ? { revision: made.revision } : { run_at: now, payload: { plain: true } })
      case 'configuration': return void await patch({ run_at: now + parked })
      case 'target-gone': {
        if (failure.error === 'message_not_found' || failure.error === 'thread_not_found') {
          await patch({ run_at: now + 1_000 })
          return this.#gone(row, failure)
        }
        // It stands and cannot be changed: say it in its thread.
        const also = row.kind === 'slack-root' ? [{ incident: row.incident_id, kind: 'slack-note', target: row.target, uniqueKey: `slack-note:${row.incident_id}:edit:${made.revision}`, wanted: 1, payload: { text: made.message.text } }] : []
        return void await patch({ revision: made.revision, payload: made.payload }, [...made.also, ...also])
      }
      default: return void await patch({ run_at: now + this.#waitFor(row, failure) })
    }
  }

  /** Somebody removed the message: an open incident gets a new one, a closed one is left alone. */
  async #gone (row: Delivery, failure: Failure): Promise<void> {
    const { store, log } = this.#options
    log.warn({ delivery: row.id, kind: row.kind, error: failure.error }, 'the message is gone from Slack')
    if (row.kind === 'slack-root') {
      const incident = await store.incident(row.incident_id)
      if (incident?.state === 'open') return store.restart(row.incident_id, describe(failure))
    }
    const current = await store.get(row.id)
    if (current === undefined) return
    if (row.kind === 'slack-digest') return store.restartDigest(row.id, describe(failure))
    await store.settle(current, row.kind === 'slack-digest-page' || row.kind === 'slack-thread'
      ? { state: 'intent', external_id: '', revision: 0, payload: { generation: (current.payload.generation ?? 0) + 1 } }
      : { revision: current.wanted })
  }

  async #parentGone (row: Delivery, failure: Failure): Promise<void> {
    const { store } = this.#options
    if (row.kind === 'slack-digest-page' && row.payload.digest !== undefined) return store.restartDigest(row.payload.digest, describe(failure))
    const incident = row.incident_id === '' ? undefined : await store.incident(row.incident_id)
    if (incident?.state === 'open') return store.restart(row.incident_id, describe(failure))
    const current = await store.get(row.id)
    if (current !== undefined) await store.settle(current, { state: 'superseded', last_error: 'the thread is gone' })
  }

  /** What a failure says about more than its own row. */
  #notice (row: Delivery, failure: Failure): void {
    const { clock, log, transport } = this.#options
    const now = clock.now()
    const fields = { delivery: row.id, kind: row.kind, channel: row.target, error: failure.error, details: failure.details }
    if (failure.class === 'rate') {
      this.#pace.block(row.state === 'sent' ? `edit:${transport.name}` : `post:${row.target}`, now, failure.retryAfter ?? 30_000)
      return
    }
    if (failure.class === 'credentials') {
      if (this.#stopped === undefined) log.error({ ...fields, fix: fixOf(failure.error, row.target) }, 'Slack refuses our credentials: deliveries wait')
      this.#stopped ??= { since: now, error: failure.error, fix: fixOf(failure.error, row.target) }
      return
    }
    if (failure.class === 'configuration') {
      if (!this.#broken.has(row.target)) log.error({ ...fields, fix: fixOf(failure.error, row.target) }, 'a Slack channel does not take our messages')
      this.#broken.set(row.target, { channel: row.target, error: failure.error, fix: fixOf(failure.error, row.target), since: now })
      return
    }
    if (failure.class === 'content') {
      log.warn(fields, 'Slack refuses the form of a message: once more as plain text')
      return
    }
    if (failure.class !== 'unclear' && failure.class !== 'unsent') return
    this.#failures++
    this.#failed.set(row.id, (this.#failed.get(row.id) ?? 0) + 1)
    if (this.#failures === 3) log.warn(fields, 'Slack cannot be reached: trying again with growing pauses')
    if (this.#failures >= 3) this.#quietUntil = now + Math.min(8_000, 500 * 2 ** Math.min(5, this.#failures - 3))
  }

  /** A call got through: an outage is over, and what waited because of it goes now. */
  #passed (row: Delivery): void {
    this.#failed.delete(row.id)
    this.#broken.delete(row.target)
    if (this.#failures >= 3) {
      this.#options.log.info({}, 'Slack can be reached again')
      void this.#options.store.hasten().then(() => { this.#wake() }, () => {})
    }
    this.#failures = 0
    this.#quietUntil = 0
  }

  /** An answer that came says that nothing is under way: look soon. A lost one needs time to arrive. */
  #waitFor (row: Delivery, { answered, class: kind, retryAfter }: Failure): Millis {
    if (kind === 'rate') return retryAfter ?? 30_000
    const first = answered || kind === 'unsent' ? this.#limits.first / 5 : this.#limits.first
    const wait = Math.min(this.#limits.longest, first * 2 ** Math.min(10, (this.#failed.get(row.id) ?? 1) - 1))
    if (this.#failed.size > 5_000) this.#failed.clear()
    return Math.round(wait * (0.8 + Math.random() * 0.4))
  }

  async #resume (now: Millis): Promise<boolean> {
    const { transport, log } = this.#options
    const fresh = await transport.refresh()
    if (!fresh && now - this.#stoppedCheck < tokenWait && now >= this.#stoppedCheck) return false
    this.#stoppedCheck = now
    const answer = await transport.check()
    if (!answer.ok && answer.class === 'credentials') return false
    log.info({ stopped: this.#stopped }, 'Slack takes our credentials: deliveries go on')
    this.#stopped = undefined
    return true
  }

  /** The result of a call must reach the store: it is tried until it does, since the message stands already. */
  async #store<T> (work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (attempt >= 20) throw error
        if (attempt === 0) this.#options.log.warn({ err: error as Error }, 'the store refuses the result of a delivery: trying again')
        await new Promise(resolve => { setTimeout(resolve, Math.min(5_000, 100 * 2 ** attempt)).unref() })
      }
    }
  }
}

/** A reply leaves one message of the channel's burst to the next notice. */
const keptFor = ({ kind, state }: Delivery): number => state === 'intent' && (kind === 'slack-thread' || kind === 'slack-note') ? 1 : 0

const describe = ({ class: kind, error, details = [] }: Failure): string => `${kind}: ${error}${details.length === 0 ? '' : ` (${details.join('; ')})`}`
