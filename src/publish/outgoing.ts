import { createHash, createHmac } from 'node:crypto'
import { jsonPoster } from '../shared/clients/json-post.ts'
import type { Route } from '../shared/clients/route.ts'
import type { Config } from '../shared/config/config.ts'
import type { Millis } from '../shared/types/common.ts'
import type { Finding } from './finding.ts'
import type { Receiver } from './following.ts'

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

/** Unique key of the row that keeps one URL in step with one incident. */
export const outgoingKey = (incident: string, url: string): string => `outgoing:${incident}:${createHash('sha256').update(url).digest('hex').slice(0, 12)}`

/**
 * Signed webhooks: `X-Acme-Triage-Signature: v1=<hex HMAC-SHA256 of "<timestamp>.<body>">`.
 * At least once; a receiver tells repeats by id and revision.
 */
export function outgoing (config: Config, route: Route): Receiver {
  const poster = jsonPoster(route)
  return {
    kind: 'outgoing',
    async tell ({ row, incident: { revision }, finding, now }) {
      const to = config.outgoing.find(({ url }) => url === row.target)
      if (to === undefined) return { is: 'pointless', why: 'the URL is no longer configured' }
      const body = JSON.stringify(outgoingBody(finding, row.id, revision, now))
      const timestamp = String(Math.floor(now / 1000))
      const signature = createHmac('sha256', to.secret).update(`${timestamp}.${body}`).digest('hex')
      const answer = await poster.post(to.url, body, { 'x-acme-triage-timestamp': timestamp, 'x-acme-triage-signature': `v1=${signature}`, 'x-acme-triage-delivery': `${row.id}.${revision}` })
      return answer.ok
        ? { is: 'told', outcome: 'sent', remember: { external_id: row.id } }
        : { is: 'failed', outcome: answer.status === undefined ? 'unreachable' : `http-${answer.status}`, why: answer.error, ...(answer.retryAfter === undefined ? {} : { retryAfter: answer.retryAfter }) }
    },
    close: () => poster.close()
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
