import type { Finding } from '../finding.ts'
import { clip, oneLine } from '../words.ts'

/** The five names that stand on the alert; fixed, since people put them into templates. */
const annotationNames = ['acme_triage_cause', 'acme_triage_confidence', 'acme_triage_summary', 'acme_triage_next_step', 'acme_triage_report'] as const

/**
 * The annotations of a finding: plain, one URL, no value that changes at each write (else we
 * would rewrite for ever), together below 2 kB. Empty before the diagnosis. An alert may fire for
 * long after its incident has healed: then they say so first, and what it was.
 */
export function renderAnnotations ({ incident, word, closed, causes, headline, impact, doThis, links }: Finding): Record<string, string> {
  if (incident.state === 'noticed') return {}
  const [first] = causes
  const summary = first === undefined ? headline : causes.map(({ summary: each }) => each).join(' · ')
  const values: Record<typeof annotationNames[number], string> = {
    acme_triage_cause: first === undefined ? 'unknown' : causes.map(({ id, variant }) => variant === undefined ? id : `${id} [${variant}]`).join(', '),
    acme_triage_confidence: first?.confidence ?? 'none',
    acme_triage_summary: closed === undefined || first === undefined ? summary : `${word} ${closed}. It was: ${summary}`,
    acme_triage_next_step: doThis === undefined ? impact.text : `${doThis.text}${doThis.command === undefined ? '' : ` ${doThis.command}`}`,
    acme_triage_report: links.report ?? ''
  }
  const lengths: Record<typeof annotationNames[number], number> = { acme_triage_cause: 200, acme_triage_confidence: 20, acme_triage_summary: 500, acme_triage_next_step: 500, acme_triage_report: 300 }
  return Object.fromEntries(annotationNames.flatMap(name => values[name] === '' ? [] : [[name, clip(oneLine(values[name]), lengths[name])]]))
}
