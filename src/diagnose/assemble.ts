import type { Case, IdentifierCase } from '../shared/types/case.ts'
import type { Diagnosis, FoundCause, Step, WindowName } from '../shared/types/diagnosis.ts'
import { windowMillis, windows } from '../shared/types/diagnosis.ts'
import type { Evidence } from '../shared/types/common.ts'
import { cite, unique, type Examination } from './examine.ts'
import type { Finding } from './rank.ts'
import { fill, fillCommand } from './wording.ts'

/** The narrowest window that holds one of these; `state` when none has a time. */
export function windowOf (evidence: Evidence[], { anchor }: Case): WindowName {
  const timed = evidence.filter(({ time }) => time !== undefined)
  if (timed.length === 0) return 'state'
  const nearest = Math.min(...timed.map(({ time }) => Math.abs(time! - anchor.time)))
  // A restart of long ago that stands in the same facts does not make them old.
  if (nearest > windowMillis['1h'] && timed.length < evidence.length && timed.every(({ source }) => source === 'object')) return 'state'
  return windows.find(window => nearest <= windowMillis[window]) ?? '24h'
}

/** One entry for each cause and variant, over all identifiers that it explains; keeps the order given. */
export function group (findings: readonly Finding[], incident: Case): FoundCause[] {
  const groups = new Map<string, Finding[]>()
  for (const item of findings) {
    const key = `${item.cause.id} ${item.variant ?? ''}`
    groups.set(key, [...groups.get(key) ?? [], item])
  }
  return [...groups.values()].map(([first, ...rest]) => toFound(first!, rest, incident))
}

function toFound (first: Finding, rest: Finding[], incident: Case): FoundCause {
  const { cause, blanks } = first
  const steps: Step[] = cause.remedy.map(step => typeof step === 'string'
    ? { text: fill(step, blanks), changes: false }
    : { text: fill(step.do, blanks), command: fillCommand(step.run, blanks), changes: step.changes === true })
  const domains = [first, ...rest].map(({ identifier }) => identifier).filter(name => name !== '')
  return {
    id: cause.id,
    ...(first.variant === undefined ? {} : { variant: first.variant }),
    confidence: first.confidence,
    domains: domains.length > 0 ? [...new Set(domains)] : incident.subject.domains,
    window: first.window,
    summary: tidy(fill(cause.title, blanks)),
    meaning: tidy(fill(cause.meaning, blanks)),
    steps,
    evidence: unique([first, ...rest].flatMap(({ evidence }) => evidence)).slice(0, 12)
  }
}

/** Blanks may be empty or stand first: no double spaces remain of them, and a sentence begins with a capital. */
const tidy = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().replace(/^the /, 'The ')

/** What was ruled out, with the evidence that did it; what is related to the causes found comes first. */
export function ruledOut (examined: readonly Examination[], found: readonly Finding[], incident: Case): Diagnosis['ruledOut'] {
  const entries = new Map<string, Diagnosis['ruledOut'][number]>()
  const foundIds = new Set(found.map(({ cause }) => cause.id))
  for (const { cause, identifier, verdict } of examined) {
    if (verdict.is !== 'ruled-out' || entries.has(cause.id) || foundIds.has(cause.id)) continue
    const evidence = unique(verdict.by.flatMap(citation => cite(citation, identifier, incident).evidence))
    const names = verdict.by.flatMap(citation => typeof citation === 'string' ? [citation] : [])
    entries.set(cause.id, { id: cause.id, because: verdict.because ?? sentenceOf(names[0], evidence) ?? `${names.join(', ')} says otherwise`, evidence: evidence.slice(0, 3) })
  }
  const related = new Set(found.flatMap(({ cause }) => cause.related))
  const list = [...entries.values()]
  return [...list.filter(({ id }) => related.has(id)), ...list.filter(({ id }) => !related.has(id))]
}

/** What a fact says against a cause, as a sentence. */
function sentenceOf (fact: string | undefined, all: readonly Evidence[]): string | undefined {
  const evidence = (fact === 'addresses' ? all.find(({ ref }) => / at (public|outside)/.test(ref)) : undefined) ?? all[0]
  if (fact === 'probeFromOutside' || fact === 'probeFromCluster') {
    const place = fact === 'probeFromOutside' ? 'From outside' : 'From inside the cluster'
    const answer = all.find(({ source }) => source === 'http')?.text
    return answer === undefined || answer.includes('token is served') ? `${place} the token is served.` : `${place} the path answers: ${answer}.`
  }
  if (evidence === undefined) return undefined
  switch (fact) {
    case 'addresses': return `${evidence.ref} is ${evidence.text}.`
    case 'networkPolicy': case undefined: return sentence(evidence.text)
    default: return `${evidence.ref}: ${evidence.text}`
  }
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

/** Causes that need something that could not be seen. */
export function unanswered (examined: readonly Examination[], found: readonly Finding[]): Diagnosis['cannotTell'] {
  const entries = new Map<string, string>()
  for (const { cause, verdict } of examined) {
    if (verdict.is === 'cannot-tell' && !entries.has(cause.id) && !found.some(item => item.cause.id === cause.id)) entries.set(cause.id, verdict.why)
  }
  return [...entries].map(([id, why]) => ({ id, why }))
}

/** What the diagnosis is about. */
export function incidentOf ({ subject, facts, identifiers }: Case, suspected: readonly IdentifierCase[]): Diagnosis['incident'] {
  const certificate = facts.certificate.is === 'seen' ? facts.certificate.value : undefined
  const names = suspected.map(({ name }) => name).filter(name => name !== '')
  return {
    namespace: certificate?.namespace ?? subject.namespace ?? '',
    certificate: certificate?.name ?? subject.certificate?.name ?? '',
    order: (facts.order.is === 'seen' ? facts.order.value.name : undefined) ?? subject.order?.name ?? '',
    domains: [...new Set(names.length > 0 ? names : identifiers.map(({ name }) => name).filter(name => name !== ''))]
  }
}
