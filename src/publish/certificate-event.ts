import { createHash } from 'node:crypto'
import type { EventWriter } from '../shared/clients/kubernetes-events.ts'
import type { KubernetesClient } from '../shared/clients/kubernetes.ts'
import type { DeliveryPayload } from '../shared/store/delivery-row.ts'
import { renderAnnotations } from './annotations/text.ts'
import { isOpen, type Finding } from './finding.ts'
import type { Receiver } from './following.ts'
import { clip, oneLine } from './words.ts'

/** Stands where other deliveries have a channel or a URL. */
export const eventTarget = 'kubernetes:certificate-event'
export const eventKey = (incident: string): string => `certificate-event:${incident}`

/** Where Events go, and who knows the Certificate's UID. */
export interface EventSink { writer: EventWriter, kubernetes: Pick<KubernetesClient, 'get'> }

const lookWithin = 10_000

/**
 * The fifth way back (opt-in): the diagnosis as an Event on the Certificate, where `kubectl describe
 * certificate` shows it. An Event for each change of the cause, and one for the end of what was told.
 * (An annotation would be a change of the Certificate: cert-manager reconciles it and GitOps reverts it.)
 */
export function certificateEvents (sink: EventSink | undefined): Receiver {
  return {
    kind: 'certificate-event',
    async tell ({ row, incident: { id, state, namespace, certificate }, finding }) {
      if (sink === undefined) return { is: 'pointless', why: 'kubernetes.certificateEvents is off, or there is no cluster' }
      const shown = shownOf(finding)
      const before = row.payload.shown
      const same = before !== undefined && before.cause === shown.cause && before.state === shown.state
      // The incident that goes on tells the rest of a merged one.
      if (certificate === '' || state === 'merged' || finding.incident.state === 'noticed' || same) return { is: 'nothing-to-tell' }
      if (before === undefined && !isOpen(finding.incident.state)) return { is: 'nothing-to-tell' }
      const found = await sink.kubernetes.get('certificates.cert-manager.io', namespace, certificate, { signal: AbortSignal.timeout(lookWithin) })
      if (found.is === 'unavailable') return { is: 'failed', outcome: 'unreachable', why: found.why }
      if (found.is === 'absent') return { is: 'nothing-to-tell' }
      const name = eventName(id, certificate, shown, row.external_id)
      const answer = await sink.writer.write({ name, certificate: { namespace, name: certificate, uid: found.value.metadata.uid }, ...eventText(finding) })
      if (answer.ok) return { is: 'told', outcome: 'sent', remember: { external_id: name, payload: { shown } } }
      return { is: 'failed', outcome: answer.status === undefined ? 'unreachable' : `http-${answer.status}`, why: answer.fix === undefined ? answer.why : `${answer.why}: ${answer.fix}`, final: answer.retry === 'never' }
    },
    close: async () => { await sink?.writer.close() }
  }
}

/** What the API takes as an Event's message. */
const mostBytes = 1_024

/** The words of an Event; the link to the report comes last and is kept whole. */
export function eventText (finding: Finding): { type: 'Warning' | 'Normal', reason: string, message: string } {
  const { report: url = '' } = finding.links
  const report = url === '' || url.length > 300 ? '' : ` Report: ${url}`
  const message = (text: string): string => `${clipBytes(oneLine(text), mostBytes - Buffer.byteLength(report))}${report}`
  if (!isOpen(finding.incident.state)) return { type: 'Normal', reason: finding.word, message: message(finding.sentence) }
  if (finding.causes.length === 0) return { type: 'Warning', reason: 'CauseUnknown', message: message(finding.sentence) }
  const { acme_triage_cause: cause, acme_triage_confidence: confidence, acme_triage_summary: summary, acme_triage_next_step: next } = renderAnnotations(finding)
  return { type: 'Warning', reason: 'CauseFound', message: message(`${summary} (${cause}, ${confidence}). Do this: ${next}`) }
}

function clipBytes (text: string, most: number): string {
  for (let length = most; ;) {
    const cut = clip(text, length)
    const over = Buffer.byteLength(cut) - most
    if (over <= 0) return cut
    // A character of UTF-16 has at most three bytes.
    length -= Math.ceil(over / 3)
  }
}

function shownOf ({ incident, causes, impact }: Finding): NonNullable<DeliveryPayload['shown']> {
  return { state: isOpen(incident.state) ? 'open' : incident.state, cause: causes.map(({ id }) => id).join(','), urgency: impact.urgency, hash: '' }
}

/** The Event before this one is part of the name: a cause that comes back is told again, a try that is repeated is not. */
function eventName (incident: string, certificate: string, { state, cause }: NonNullable<DeliveryPayload['shown']>, previous: string): string {
  const hash = createHash('sha256').update(JSON.stringify([incident, state, cause, previous])).digest('hex').slice(0, 16)
  return `${certificate.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.acme-triage-${hash}`
}
