import { createHash, createHmac } from 'node:crypto'
import type { Logger } from 'pino'
import { jsonPoster, type JsonPoster } from '../shared/clients/json-post.ts'
import type { Route } from '../shared/clients/route.ts'
import type { Config } from '../shared/config/config.ts'
import type { DeliveryStore } from '../shared/store/deliveries.ts'
import type { Delivery } from '../shared/store/delivery-row.ts'
import type { Clock, Millis } from '../shared/types/common.ts'
import { findingOf } from './story.ts'
import type { DeliveryMetrics } from './reach.ts'
import type { Finding } from './finding.ts'

/** The body of our own webhook (schemas/outgoing-webhook.schema.json). */
export interface OutgoingBody {
  version: '1'
  /** Same for every try of the same state: receivers drop what they have. */
  id: string
  revision: number
  sentAt: string
  incident: { id: string, state: Finding['incident']['state'], namespace: string, certificate: string, order: string, cluster?: string, openedAt: string, closedAt?: string }
  summary: string
  verdict: 'pending' | 'cause' | 'unknown'
  causes: { id: string, variant?: string, confidence: string, domains: string[], summary: string }[]
  nextStep?: { text: string, command?: string, changes: boolean }
  urgency: string
  servedUntil?: string
  report?: string
}

interface OutgoingOptions { store: DeliveryStore, config: Config, clock: Clock, log: Logger, route: Route, metrics?: DeliveryMetrics }

const lease = 60_000
const longest: Millis = 600_000
const useful: Millis = 86_400_000

/** Unique key of the row that keeps one URL in step with one incident. */
export const outgoingKey = (incident: string, url: string): string => `outgoing:${incident}:${createHash('sha256').update(url).digest('hex').slice(0, 12)}`

/**
 * Signed webhooks: `X-Acme-Triage-Signature: v1=<hex HMAC-SHA256 of "<timestamp>.<body>">`.
 * At least once; a receiver tells repeats by id and revision.
 */
export class Outgoing {
  readonly #options: OutgoingOptions
  readonly #poster: JsonPoster
  readonly #busy = new Set<string>()
  readonly #failures = new Map<string, number>()

  constructor (options: OutgoingOptions) {
    this.#options = options
    this.#poster = jsonPoster(options.route)
  }

  get busy (): number { return this.#busy.size }

  async run (targets: string[], wake: () => void): Promise<Millis | undefined> {
    const { store, log } = this.#options
    for (const target of targets) {
      for (const row of await store.due(target, 20)) {
        if (this.#busy.has(row.id) || this.#busy.size >= 8) continue
        this.#busy.add(row.id)
        void this.#send(row).catch(error => { log.error({ err: error as Error, delivery: row.id }, 'an outgoing webhook failed inside') }).finally(() => {
          this.#busy.delete(row.id)
          wake()
        })
      }
    }
    return undefined
  }

  close (): Promise<void> { return this.#poster.close() }

  async #send (row: Delivery): Promise<void> {
    const { store, config, clock, metrics } = this.#options
    const to = config.outgoing.find(({ url }) => url === row.target)
    const incident = await store.incident(row.incident_id)
    const claimed = await store.claim(row, lease)
    if (claimed === undefined) return
    if (to === undefined || incident === undefined) return void await store.settle(claimed, { state: 'superseded', last_error: 'the URL is no longer configured' })
    const now = clock.now()
    const body = JSON.stringify(outgoingBody(await findingOf(store, config, incident, now), row.id, incident.revision, now))
    const timestamp = String(Math.floor(now / 1000))
    const signature = createHmac('sha256', to.secret).update(`${timestamp}.${body}`).digest('hex')
    const answer = await this.#poster.post(to.url, body, { 'x-acme-triage-timestamp': timestamp, 'x-acme-triage-signature': `v1=${signature}`, 'x-acme-triage-delivery': `${row.id}.${incident.revision}` })
    if (answer.ok) {
      this.#failures.delete(row.id)
      metrics?.delivery('outgoing', 'sent')
      return void await store.settle(claimed, { state: 'sent', external_id: row.id, revision: incident.revision, run_at: now, last_error: '' })
    }
    const failures = (this.#failures.get(row.id) ?? 0) + 1
    this.#failures.set(row.id, failures)
    metrics?.delivery('outgoing', answer.status === undefined ? 'unreachable' : `http-${answer.status}`)
    const finished = now - row.created_at > useful
    const state = row.external_id === '' ? finished ? 'dead' as const : 'intent' as const : 'sent' as const
    await store.settle(claimed, {
      state,
      ...(finished && state === 'sent' ? { revision: incident.revision } : {}),
      run_at: now + Math.max(answer.retryAfter ?? 0, Math.min(longest, 5_000 * 2 ** Math.min(10, failures - 1))),
      last_error: answer.error
    })
  }
}

/** The versioned body for a finding. */
export function outgoingBody (finding: Finding, id: string, revision: number, now: Millis): OutgoingBody {
  const { incident, causes, doThis, impact, links } = finding
  const time = (at: Millis): string => new Date(at).toISOString()
  return {
    version: '1',
    id,
    revision,
    sentAt: time(now),
    incident: {
      id: incident.id, state: incident.state, namespace: incident.namespace, certificate: incident.certificate, order: incident.order,
      ...(incident.cluster === undefined ? {} : { cluster: incident.cluster }), openedAt: time(incident.opened), ...(incident.closed === undefined ? {} : { closedAt: time(incident.closed) })
    },
    summary: finding.sentence,
    verdict: incident.state === 'noticed' ? 'pending' : causes.length > 0 ? 'cause' : 'unknown',
    causes: causes.map(({ id: cause, variant, confidence, domains, summary }) => ({ id: cause, ...(variant === undefined ? {} : { variant }), confidence, domains, summary })),
    ...(doThis === undefined ? {} : { nextStep: { text: doThis.text, ...(doThis.command === undefined ? {} : { command: doThis.command }), changes: doThis.changes } }),
    urgency: impact.urgency,
    ...(impact.servedUntil === undefined ? {} : { servedUntil: time(impact.servedUntil) }),
    ...(links.report === undefined ? {} : { report: links.report })
  }
}
