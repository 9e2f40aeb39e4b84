import { hopHeader } from '../../shared/clients/alertmanager.ts'
import { fingerprint } from '../../shared/fingerprint.ts'
import type { Millis } from '../../shared/types/common.ts'
import { carries } from './merge.ts'
import { enriched, Enrichment, isResolved, ours, peersTime, queueLimit, readAlerts, upstreamTimeout, type SentAlert, type StreamOptions } from './sent-alert.ts'

interface StreamAnswer { status: number, body: string }

/**
 * Relay: Prometheus → us → every Alertmanager, unchanged but for our annotations. Whatever goes
 * wrong on our side, the body goes on as it came.
 */
export class RelayMode {
  readonly #options: StreamOptions
  readonly #enrichment: Enrichment
  /** Alerts that are held for their diagnosis: since when. */
  readonly #held = new Map<string, { since: Millis, alert: SentAlert, released: boolean }>()
  readonly #reachable = new Map<string, boolean>()

  constructor (options: StreamOptions) {
    this.#options = options
    this.#enrichment = new Enrichment(options.targets)
  }

  /** False only when no upstream took the last body. */
  get ready (): boolean { return this.#reachable.size === 0 || [...this.#reachable.values()].some(Boolean) }

  async take (path: string, body: Buffer, headers: Record<string, string>): Promise<StreamAnswer> {
    const alerts = readAlerts(body)
    if (alerts === undefined || !alerts.some(ours)) return this.#forward(path, body, headers)
    let out: Buffer | string = body
    try {
      out = await this.#stamp(alerts) ?? body
    } catch (error) {
      this.#options.log.warn({ err: error as Error }, 'the relay forwards a body as it came')
    }
    if (out === '[]') return { status: 200, body: '' }
    return this.#forward(path, out, headers)
  }

  /** Diagnoses were saved, or time is up: what was held goes on. */
  async release (): Promise<void> {
    const now = this.#options.clock.now()
    const waiting = [...this.#held].filter(([, held]) => !held.released)
    if (waiting.length === 0) return
    const known = await this.#enrichment.of(waiting.map(([each]) => each))
    const due = waiting.filter(([each, { since }]) => known.has(each) || now - since >= this.#options.hold || now < since)
    if (due.length === 0) return
    for (const [, held] of due) held.released = true
    const alerts = due.map(([each, { alert }]) => known.has(each) ? enriched(alert, known.get(each)!) : alert)
    await this.#forward('/api/v2/alerts', JSON.stringify(alerts), { 'content-type': 'application/json' })
  }

  /** When something held must go on at the latest. */
  nextRelease (): Millis | undefined {
    const times = [...this.#held.values()].filter(({ released }) => !released).map(({ since }) => since + this.#options.hold)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** The body with our annotations; undefined when nothing in it changes. */
  async #stamp (alerts: SentAlert[]): Promise<string | undefined> {
    const { clock, hold, unknown } = this.#options
    const prints = alerts.map(alert => ours(alert) ? fingerprint(alert.labels) : '')
    const known = await this.#enrichment.of(prints.filter(each => each !== ''))
    const now = clock.now()
    const theirs = peersTime(this.#options)
    let changed = false
    const out = alerts.flatMap((alert, index) => {
      const print = prints[index]!
      if (print === '') return [alert]
      const annotations = known.get(print)
      if (annotations !== undefined) {
        const held = this.#held.get(print)
        if (held !== undefined) held.released = true
        if (isResolved(alert, theirs)) this.#held.delete(print)
        if (carries(alert.annotations ?? {}, annotations)) return [alert]
        changed = true
        return [enriched(alert, annotations)]
      }
      if (isResolved(alert, theirs)) {
        this.#held.delete(print)
        return [alert]
      }
      const held = this.#held.get(print)
      if (held === undefined) {
        this.#held.set(print, { since: now, alert, released: hold <= 0 })
        while (this.#held.size > queueLimit) this.#held.delete(this.#held.keys().next().value!)
        unknown?.(alert, print)
        if (hold <= 0) return [alert]
        changed = true
        return []
      }
      held.alert = alert
      if (held.released || now - held.since >= hold) {
        held.released = true
        return [alert]
      }
      changed = true
      return []
    })
    return changed ? JSON.stringify(out) : undefined
  }

  async #forward (path: string, body: Buffer | string, headers: Record<string, string>): Promise<StreamAnswer> {
    const { clients, log, metrics } = this.#options
    const answers = await Promise.all(clients.map(async client => {
      const answer = await client.forward(path, body, { 'content-type': headers['content-type'] ?? 'application/json', [hopHeader]: '1' }, upstreamTimeout)
      this.#reachable.set(client.url, answer.ok || answer.status !== undefined)
      if (!answer.ok) log.warn({ peer: client.url, error: answer.error }, 'an upstream did not take a relayed body')
      return answer
    }))
    metrics?.delivery('annotation', answers.some(({ ok }) => ok) ? 'relayed' : 'failed')
    if (answers.some(({ ok }) => ok)) return { status: 200, body: '' }
    // A refusal is the sender's to hear; an outage is a bad gateway.
    const refusal = answers.find(answer => !answer.ok && answer.status !== undefined && answer.status >= 400 && answer.status < 500)
    return refusal !== undefined && !refusal.ok ? { status: refusal.status!, body: refusal.error } : { status: 502, body: 'no upstream Alertmanager took the alerts' }
  }
}
