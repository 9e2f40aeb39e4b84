import type { Logger } from 'pino'
import { hopHeader, type AlertmanagerClient } from '../../shared/clients/alertmanager.ts'
import type { AnnotationTargetStore } from '../../shared/store/annotation-targets.ts'
import type { Clock, Millis } from '../../shared/types/common.ts'
import { fingerprint } from '../../shared/fingerprint.ts'
import { carries, merged } from './merge.ts'

/** One alert of a sender's body; unknown fields stay where they are. */
type SentAlert = Record<string, unknown> & { labels: Record<string, string>, annotations?: Record<string, string>, endsAt?: string }

export interface StreamOptions {
  clients: AlertmanagerClient[]
  targets: AnnotationTargetStore
  clock: Clock
  log: Logger
  /** Relay: how long a new alert may wait for its diagnosis. */
  hold: Millis
  /** An alert that nobody knows yet: begin to diagnose. */
  unknown?: (alert: SentAlert, fingerprint: string) => void
  metrics?: { delivery (kind: string, outcome: string): void }
}

export interface StreamAnswer { status: number, body: string }

const upstreamTimeout: Millis = 5_000
const queueLimit = 5_000
const alertName = 'CertManagerACMEOrderFailed'

/** What all of the sender's modes know: the enrichment by fingerprint, with the last good one kept for when the store fails. */
class Enrichment {
  readonly #targets: AnnotationTargetStore
  readonly #known = new Map<string, Record<string, string>>()

  constructor (targets: AnnotationTargetStore) { this.#targets = targets }

  async of (fingerprints: string[]): Promise<Map<string, Record<string, string>>> {
    if (fingerprints.length === 0) return new Map()
    try {
      const rows = await this.#targets.of(fingerprints)
      for (const { fingerprint: each, annotations } of rows) this.#keep(each, annotations)
      return new Map(rows.filter(({ annotations }) => Object.keys(annotations).length > 0).map(row => [row.fingerprint, row.annotations]))
    } catch {
      // An alert that carried our words must not lose them because a disk is full.
      return new Map(fingerprints.flatMap(each => this.#known.has(each) ? [[each, this.#known.get(each)!] as const] : []))
    }
  }

  #keep (each: string, annotations: Record<string, string>): void {
    if (this.#known.size > 5_000) this.#known.clear()
    this.#known.set(each, annotations)
  }
}

function readAlerts (body: Buffer): SentAlert[] | undefined {
  try {
    const list: unknown = JSON.parse(body.toString())
    if (!Array.isArray(list) || !list.every(each => typeof each === 'object' && each !== null && typeof (each as SentAlert).labels === 'object' && (each as SentAlert).labels !== null)) return undefined
    return list as SentAlert[]
  } catch {
    return undefined
  }
}

const ours = ({ labels }: SentAlert): boolean => labels.alertname === alertName
const isResolved = ({ endsAt }: SentAlert, now: Millis): boolean => endsAt !== undefined && Date.parse(endsAt) <= now
const enriched = (alert: SentAlert, annotations: Record<string, string>): SentAlert => ({ ...alert, annotations: merged(alert.annotations ?? {}, annotations) })

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
  #working = false
  dropped = 0

  constructor (options: StreamOptions) {
    this.#options = options
    this.#enrichment = new Enrichment(options.targets)
  }

  /** Takes a body; the caller has answered already. */
  take (body: Buffer): void {
    for (const alert of (readAlerts(body) ?? []).filter(ours)) {
      if (this.#queue.length >= queueLimit) {
        this.#queue.shift()
        this.dropped++
        this.#options.metrics?.delivery('annotation', 'tee-dropped')
      }
      this.#queue.push(alert)
    }
    void this.#work()
  }

  /** Diagnoses were saved: what was seen last is posted with them. */
  async push (): Promise<void> {
    const now = this.#options.clock.now()
    const known = await this.#enrichment.of([...this.#last.keys()])
    const alerts = [...this.#last].flatMap(([each, alert]) => known.has(each) && !isResolved(alert, now + 10_000) && !carries(alert.annotations ?? {}, known.get(each)!) ? [enriched(alert, known.get(each)!)] : [])
    await this.#post(alerts)
  }

  async #work (): Promise<void> {
    if (this.#working) return
    this.#working = true
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.splice(0, 200)
        const prints = batch.map(({ labels }) => fingerprint(labels))
        const known = await this.#enrichment.of(prints)
        const now = this.#options.clock.now()
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
    const { clients, log, metrics } = this.#options
    await Promise.all(clients.map(async client => {
      const answer = await client.forward('/api/v2/alerts', JSON.stringify(alerts), { 'content-type': 'application/json', [hopHeader]: '1' }, upstreamTimeout)
      metrics?.delivery('annotation', answer.ok ? 'posted' : 'failed')
      if (!answer.ok) log.warn({ peer: client.url, error: answer.error }, 'annotations were not taken')
    }))
  }
}

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
    let changed = false
    const out = alerts.flatMap((alert, index) => {
      const print = prints[index]!
      if (print === '') return [alert]
      const annotations = known.get(print)
      if (annotations !== undefined) {
        const held = this.#held.get(print)
        if (held !== undefined) held.released = true
        if (isResolved(alert, now)) this.#held.delete(print)
        if (carries(alert.annotations ?? {}, annotations)) return [alert]
        changed = true
        return [enriched(alert, annotations)]
      }
      if (isResolved(alert, now)) {
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
