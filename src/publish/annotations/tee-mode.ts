import { hopHeader, type AlertmanagerClient, type PostedAlert } from '../../shared/clients/alertmanager.ts'
import { fingerprint } from '../../shared/fingerprint.ts'
import type { Millis } from '../../shared/types/common.ts'
import { carries, decide } from './merge.ts'
import { Presence } from './observe.ts'
import { alertName, enriched, Enrichment, isResolved, ours, peersTime, queueLimit, readAlerts, upstreamTimeout, type SentAlert, type StreamOptions } from './sent-alert.ts'

/**
 * After a post: when to look whether ours stand. The sender posts to Alertmanager and to us at
 * the same time, and a copy of ours that comes before the sender's own is overwritten by it.
 */
const looksAfter: Millis[] = [40, 250, 1_000]

/**
 * Tee: we stand beside Alertmanager as a second target of Prometheus. The sender is answered
 * before any work; each copy of a diagnosed alert is posted again at once with our annotations
 * and the same times, resolved copies too.
 */
export class TeeMode {
  readonly #options: StreamOptions
  readonly #enrichment: Enrichment
  /** The last copy of each alert, so that a diagnosis that comes later can be pushed. */
  readonly #last = new Map<string, SentAlert>()
  readonly #queue: SentAlert[] = []
  readonly #presence = new Presence()
  /** One for each wait: a burst of bodies is looked at once. */
  readonly #timers = new Map<Millis, NodeJS.Timeout>()
  #working = false

  constructor (options: StreamOptions) {
    this.#options = options
    this.#enrichment = new Enrichment(options.targets)
  }

  /** Takes a body; the caller has answered already. */
  take (body: Buffer): void {
    for (const alert of (readAlerts(body) ?? []).filter(ours)) {
      if (this.#queue.length >= queueLimit) {
        this.#queue.shift()
        this.#options.metrics?.delivery('annotation', 'tee-dropped')
      }
      this.#queue.push(alert)
    }
    void this.#work()
  }

  /** Diagnoses were saved: what was seen last is posted with them. */
  async push (): Promise<void> {
    const now = peersTime(this.#options)
    const known = await this.#enrichment.of([...this.#last.keys()])
    const alerts = [...this.#last].flatMap(([each, alert]) => known.has(each) && !isResolved(alert, now + 10_000) && !carries(alert.annotations ?? {}, known.get(each)!) ? [enriched(alert, known.get(each)!)] : [])
    await this.#post(alerts)
  }

  stop (): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  async #work (): Promise<void> {
    if (this.#working) return
    this.#working = true
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.splice(0, 200)
        const prints = batch.map(({ labels }) => fingerprint(labels))
        const known = await this.#enrichment.of(prints)
        const now = peersTime(this.#options)
        const posts: SentAlert[] = []
        for (const [index, alert] of batch.entries()) {
          const print = prints[index]!
          const annotations = known.get(print)
          if (annotations !== undefined) posts.push(enriched(alert, annotations))
          else if (!isResolved(alert, now) && !this.#last.has(print)) this.#options.unknown?.(alert, print)
          if (isResolved(alert, now)) this.#last.delete(print)
          else this.#last.set(print, alert)
        }
        while (this.#last.size > queueLimit) this.#last.delete(this.#last.keys().next().value!)
        await this.#post(posts)
      }
    } finally {
      this.#working = false
    }
  }

  async #post (alerts: SentAlert[]): Promise<void> {
    if (alerts.length === 0) return
    await Promise.all(this.#options.clients.map(client => this.#send(client, alerts)))
    for (const wait of looksAfter) {
      clearTimeout(this.#timers.get(wait))
      this.#timers.set(wait, setTimeout(() => {
        this.#verify().catch(error => { this.#options.log.warn({ err: error as Error }, 'annotations could not be looked at') })
      }, wait))
    }
  }

  /** Posts again where the sender's copy came after ours, from what Alertmanager shows now: never a copy of an alert that has ended meanwhile. */
  async #verify (): Promise<void> {
    const { clients, metrics } = this.#options
    const known = await this.#enrichment.of([...this.#last.keys()])
    if (known.size === 0) return
    await Promise.all(clients.map(async client => {
      const answer = await client.alerts([`alertname=${JSON.stringify(alertName)}`])
      if (!answer.ok) return
      const lost = answer.value.flatMap(live => {
        const annotations = known.get(live.fingerprint)
        // Resolved while we asked: a firing copy would fire it again.
        if (annotations === undefined || !this.#last.has(live.fingerprint)) return []
        const decision = decide(live, annotations, client.now())
        metrics?.presence(this.#presence.seen(decision.do !== 'post'))
        return decision.do === 'post' ? [decision.alert] : []
      })
      await this.#send(client, lost)
    }))
  }

  async #send (client: AlertmanagerClient, alerts: (SentAlert | PostedAlert)[]): Promise<void> {
    if (alerts.length === 0) return
    const { log, metrics } = this.#options
    const answer = await client.forward('/api/v2/alerts', JSON.stringify(alerts), { 'content-type': 'application/json', [hopHeader]: '1' }, upstreamTimeout)
    metrics?.delivery('annotation', answer.ok ? 'posted' : 'failed')
    if (!answer.ok) log.warn({ peer: client.url, error: answer.error }, 'annotations were not taken')
  }
}
