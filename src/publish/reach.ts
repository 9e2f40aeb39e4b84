import type { Logger } from 'pino'
import type { Config } from '../shared/config/config.ts'
import type { Delivery } from '../shared/store/delivery-row.ts'
import type { DeliveryStore } from '../shared/store/deliveries.ts'
import type { Clock, Millis } from '../shared/types/common.ts'
import type { Failure, Transport } from './message.ts'
import { Pace, type Rate } from './pace.ts'
import { fixOf } from './slack/errors.ts'

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
  /** Wait after an answer was lost; after a few the next ones double up to `longest`. */
  first: Millis
  longest: Millis
  /** A call that was taken and never answered is looked for so long before it is repeated: a hanging Slack shows late what it has. */
  patience: Millis
  /** The same for a digest, which names nobody at first and for whose place its pages wait: silence in a storm is worse than a second one. */
  digestPatience: Millis
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
  patience: 120_000,
  digestPatience: 20_000,
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

/** A claim of a delivery. */
export const lease: Millis = 60_000
/** Calls of one row that may go wrong by chance, while Slack takes the others: when it takes none, `quietUntil` spares it. */
const unlucky = 4
/** A token that was refused is tried again so often, and at once when the file has another one. */
const tokenWait = 15_000

/** How the other side fares: its pace, what it refuses, and how long to leave it alone. */
export class Reach {
  readonly limits: Limits
  readonly pace: Pace
  readonly #options: OutboxOptions
  readonly #wake: () => void
  readonly #failed = new Map<string, number>()
  readonly #broken = new Map<string, OutboxStatus['broken'][number]>()
  #stopped: OutboxStatus['stopped']
  #stoppedCheck = 0
  #failures = 0
  #quietUntil = 0

  constructor (options: OutboxOptions, wake: () => void) {
    this.#options = options
    this.#wake = wake
    this.limits = { ...slackLimits, ...options.limits }
    this.pace = new Pace(key => key.startsWith('post:') ? this.limits.post : this.limits.edit)
  }

  status (): OutboxStatus {
    return { ...(this.#stopped === undefined ? {} : { stopped: this.#stopped }), broken: [...this.#broken.values()], failures: this.#failures }
  }

  /** Calls side by side in one channel: while Slack does not answer, one at a time finds out when it does. */
  get room (): number { return this.#failures >= 3 ? 1 : this.limits.concurrency }

  /** When to try again, while nothing should be sent at all. */
  async closedUntil (now: Millis): Promise<Millis | undefined> {
    if (this.#stopped !== undefined && !await this.#resume(now)) return now + tokenWait
    return this.#quietUntil > now && this.#quietUntil - now <= this.limits.longest ? this.#quietUntil : undefined
  }

  /** What a failure says about more than its own row. */
  notice (row: Delivery, failure: Failure): void {
    const { clock, log, transport } = this.#options
    const now = clock.now()
    const fields = { delivery: row.id, kind: row.kind, channel: row.target, error: failure.error, details: failure.details }
    if (failure.class === 'rate') {
      this.pace.block(row.state === 'sent' ? `edit:${transport.name}` : `post:${row.target}`, now, failure.retryAfter ?? 30_000)
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
  passed (row: Delivery): void {
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
  waitFor (row: Delivery, { answered, class: kind, retryAfter }: Failure): Millis {
    if (kind === 'rate') return retryAfter ?? 30_000
    const first = answered || kind === 'unsent' ? this.limits.first / 5 : this.limits.first
    const wait = Math.min(this.limits.longest, first * 2 ** Math.min(10, Math.max(0, (this.#failed.get(row.id) ?? 1) - unlucky)))
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
}

/** The result of a call must reach the store: it is tried until it does, since the message stands already. */
export async function stored<T> (log: Logger, work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= 20) throw error
      if (attempt === 0) log.warn({ err: error as Error }, 'the store refuses the result of a delivery: trying again')
      await new Promise(resolve => { setTimeout(resolve, Math.min(5_000, 100 * 2 ** attempt)).unref() })
    }
  }
}

export const describe = ({ class: kind, error, details = [] }: Failure): string => `${kind}: ${error}${details.length === 0 ? '' : ` (${details.join('; ')})`}`
