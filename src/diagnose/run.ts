import type { Case, FactMap, IdentifierCase, Text } from '../shared/types/case.ts'
import type { Evidence, Look, Millis } from '../shared/types/common.ts'
import type { Confidence, Diagnosis, FoundCause, Step, WindowName } from '../shared/types/diagnosis.ts'
import { windowMillis, windows } from '../shared/types/diagnosis.ts'
import type { Cause, Citation, Examined, FactName, Hit, Verdict } from './cause.ts'
import { notApplicable } from './cause.ts'
import { causes as catalogue } from './index.ts'
import { compilePatterns, type PatternSet } from './patterns.ts'
import { compareFindings, rank, type Authority, type Finding } from './rank.ts'
import { fallbackList, nextLooks } from './fallback.ts'
import { fill, standardBlanksOf } from './wording.ts'

/** What the operator may say of a cause: see `causes:` in the configuration. */
export type Policy = Record<string, { off?: boolean, lowest?: Confidence }>

/** A catalogue ready to run: compiled once, used for every case. */
export interface Diagnoser { diagnose (incident: Case): Diagnosis }

/** Compiles the patterns of the causes that are not switched off. */
export function buildDiagnoser (causes: readonly Cause[] = catalogue, policy: Policy = {}): Diagnoser {
  const active = causes.filter(({ id }) => policy[id]?.off !== true)
  const patterns = compilePatterns(active)
  return { diagnose: incident => run(incident, active, patterns, policy) }
}

let standard: Diagnoser | undefined
/** Diagnoses with the whole catalogue and no policy. Pure: the same case gives the same diagnosis. */
export function diagnose (incident: Case): Diagnosis {
  standard ??= buildDiagnoser()
  return standard.diagnose(incident)
}

interface Examination { cause: Cause, identifier: IdentifierCase, verdict: Verdict }

function run (incident: Case, causes: readonly Cause[], patterns: PatternSet, policy: Policy): Diagnosis {
  const matched = matchTexts(incident, patterns)
  const identifiers = suspects(incident)
  const searched: WindowName[] = []
  let examined: Examination[] = []
  let found: Finding[] = []
  for (const window of windows) {
    searched.push(window)
    examined = identifiers.flatMap(identifier => causes.map(cause => ({ cause, identifier, verdict: examine(cause, identifier, incident, hitsFor(cause, identifier, matched, incident, window)) })))
    found = examined.flatMap(({ cause, identifier, verdict }) => finding(cause, identifier, verdict, incident, policy))
    if (found.some(({ confidence }) => confidence !== 'possible')) break
  }

  const leading: Finding[] = []
  const others: Finding[] = []
  for (const { name } of identifiers) {
    const ranked = rank(found.filter(({ identifier }) => identifier === name))
    const [first, ...rest] = ranked.leading
    if (first !== undefined) leading.push(first)
    others.push(...rest, ...ranked.explained)
  }
  const causesFound = group(leading, incident)
  const alsoFits = group(others, incident).filter(({ id }) => !causesFound.some(cause => cause.id === id))
  const verdict = causesFound.length > 0 ? 'cause' : 'unknown'
  return {
    format: 1,
    incident: incidentOf(incident, identifiers),
    verdict,
    causes: causesFound,
    alsoFits,
    ruledOut: ruledOut(examined, found),
    cannotTell: unanswered(examined, found),
    unavailable: incident.unavailable,
    searched,
    anchor: incident.anchor,
    nextLooks: causesFound.some(({ confidence }) => confidence !== 'possible') ? [] : nextLooks(incident, causesFound),
    fallback: verdict === 'unknown' ? fallbackList(incident) : []
  }
}

/** Identifiers that did not pass; all of them when every one passed (finalize may have failed). */
function suspects ({ identifiers }: Case): IdentifierCase[] {
  const open = identifiers.filter(({ state }) => state !== 'passed')
  const failed = open.filter(({ state }) => state === 'failed')
  if (failed.length > 0) return failed
  return open.length > 0 ? open : identifiers
}

function matchTexts ({ texts }: Case, patterns: PatternSet): Map<string, Hit[]> {
  const byCause = new Map<string, Hit[]>()
  for (const text of texts) {
    if (text.attempt === 'earlier') continue
    for (const { cause, hit } of patterns.match(text)) byCause.set(cause, [...byCause.get(cause) ?? [], hit])
  }
  return byCause
}

function hitsFor (cause: Cause, identifier: IdentifierCase, matched: Map<string, Hit[]>, incident: Case, window: typeof windows[number]): Hit[] {
  const hits = (matched.get(cause.id) ?? []).filter(({ text }) => (text.about.length === 0 || text.about.includes(identifier.name)) && distance(text, incident) <= windowMillis[window])
  return hits.sort((a, b) => order.indexOf(a.rule.confidence) - order.indexOf(b.rule.confidence) || authorityRank(a.text) - authorityRank(b.text) || a.text.index - b.text.index)
}
const order: readonly Confidence[] = ['proven', 'likely', 'possible']

/** How far a text lies from the anchor, in milliseconds; 0 for standing state. */
function distance ({ evidence, first, last, attempt }: Text, { anchor }: Case): Millis {
  const from = first ?? evidence.time
  const to = last ?? evidence.time
  if (from === undefined || to === undefined || attempt === 'standing') return 0
  if (from <= anchor.time && anchor.time <= to) return 0
  return Math.min(Math.abs(from - anchor.time), Math.abs(to - anchor.time))
}

function authorityOfText ({ wrapper, evidence, problem }: Text): Authority {
  if (evidence.source === 'acme' || wrapper === 'ca' || wrapper === 'authorization' || (problem?.type ?? '') !== '') return 'ca'
  return wrapper === 'self-check' ? 'self-check' : 'server'
}
function authorityRank (text: Text): number { return ['ca', 'server', 'self-check', 'inference'].indexOf(authorityOfText(text)) }

function examine (cause: Cause, identifier: IdentifierCase, incident: Case, hits: Hit[]): Verdict {
  if (cause.challengeType !== undefined && identifier.challengeType !== undefined && identifier.challengeType !== cause.challengeType) return notApplicable
  if (cause.examine === undefined) return byText(hits)
  const values: Record<string, unknown> = {}
  for (const name of cause.needs) {
    const look = factOf(name, identifier, incident)
    if (look.is === 'unavailable') return { is: 'cannot-tell', why: `${name}: ${look.why}` }
    if (look.is === 'absent') return notApplicable
    values[name] = look.value
  }
  for (const name of cause.wants) values[name] ??= factOf(name, identifier, incident)
  return cause.examine({ ...values, identifier, hits, case: incident } as Examined<FactName, FactName>)
}

function byText (hits: Hit[]): Verdict {
  const [best] = hits
  if (best === undefined) return notApplicable
  return { is: 'found', confidence: best.rule.confidence, variant: best.rule.variant, blanks: best.groups, because: [best, ...hits.slice(1, 4)] }
}

function factOf<K extends FactName> (name: K, identifier: IdentifierCase, incident: Case): Look<FactMap[K]> {
  const facts = { ...incident.facts, ...identifier.facts } as { [F in FactName]: Look<FactMap[F]> }
  return facts[name] ?? { is: 'absent' }
}

function finding (cause: Cause, identifier: IdentifierCase, verdict: Verdict, incident: Case, policy: Policy): Finding[] {
  if (verdict.is !== 'found') return []
  const lowest = policy[cause.id]?.lowest
  if (lowest !== undefined && order.indexOf(verdict.confidence) > order.indexOf(lowest)) return []
  const cited = verdict.because.map(citation => cite(citation, identifier, incident))
  const evidence = unique(cited.flatMap(({ evidence: list }) => list))
  return [{
    cause,
    identifier: identifier.name,
    confidence: verdict.confidence,
    variant: verdict.variant,
    blanks: { ...standardBlanksOf(incident, identifier, evidence), ...verdict.blanks },
    evidence,
    window: windowOf(evidence, incident),
    authority: cited.map(({ authority }) => authority).sort((a, b) => ['ca', 'server', 'self-check', 'inference'].indexOf(a) - ['ca', 'server', 'self-check', 'inference'].indexOf(b))[0] ?? 'inference'
  }]
}

function cite (citation: Citation<FactName>, identifier: IdentifierCase, incident: Case): { evidence: Evidence[], authority: Authority } {
  if (typeof citation === 'string') {
    const look = factOf(citation, identifier, incident)
    return { evidence: look.is === 'seen' ? look.value.evidence : [], authority: citation === 'caRecord' ? 'ca' : 'inference' }
  }
  if ('rule' in citation) return { evidence: [citation.text.evidence], authority: authorityOfText(citation.text) }
  if ('evidence' in citation) return { evidence: [citation.evidence], authority: authorityOfText(citation) }
  return { evidence: [citation], authority: citation.source === 'acme' ? 'ca' : 'inference' }
}

function unique (evidence: Evidence[]): Evidence[] {
  const seen = new Map(evidence.map(item => [`${item.source}\n${item.ref}\n${item.text}`, item]))
  return [...seen.values()]
}

function windowOf (evidence: Evidence[], { anchor }: Case): WindowName {
  const distances = evidence.flatMap(({ time }) => time === undefined ? [] : [Math.abs(time - anchor.time)])
  if (distances.length === 0) return 'state'
  const nearest = Math.min(...distances)
  return windows.find(window => nearest <= windowMillis[window]) ?? '24h'
}

/** One entry for each cause and variant, over all identifiers that it explains. */
function group (findings: Finding[], incident: Case): FoundCause[] {
  const groups = new Map<string, Finding[]>()
  for (const item of [...findings].sort(compareFindings)) {
    const key = `${item.cause.id} ${item.variant ?? ''}`
    groups.set(key, [...groups.get(key) ?? [], item])
  }
  return [...groups.values()].map(([first, ...rest]) => toFound(first!, rest, incident))
}

function toFound (first: Finding, rest: Finding[], incident: Case): FoundCause {
  const { cause, blanks } = first
  const steps: Step[] = cause.remedy.map(step => typeof step === 'string'
    ? { text: fill(step, blanks), changes: false }
    : { text: fill(step.do, blanks), command: fill(step.run, blanks), changes: step.changes === true })
  const domains = [first, ...rest].map(({ identifier }) => identifier).filter(name => name !== '')
  return {
    id: cause.id,
    ...(first.variant === undefined ? {} : { variant: first.variant }),
    confidence: first.confidence,
    domains: domains.length > 0 ? [...new Set(domains)] : incident.subject.domains,
    window: first.window,
    summary: fill(cause.title, blanks),
    meaning: fill(cause.meaning, blanks),
    steps,
    evidence: unique([first, ...rest].flatMap(({ evidence }) => evidence)).slice(0, 12)
  }
}

function ruledOut (examined: Examination[], found: Finding[]): Diagnosis['ruledOut'] {
  const entries = new Map<string, Diagnosis['ruledOut'][number]>()
  for (const { cause, identifier, verdict } of examined) {
    if (verdict.is !== 'ruled-out' || entries.has(cause.id) || found.some(item => item.cause.id === cause.id)) continue
    const evidence = verdict.by.flatMap(citation => typeof citation === 'string'
      ? (look => look?.is === 'seen' ? look.value.evidence : [])((identifier.facts as Partial<Record<string, Look<{ evidence: Evidence[] }>>>)[citation])
      : 'rule' in citation ? [citation.text.evidence] : 'evidence' in citation ? [citation.evidence] : [citation])
    entries.set(cause.id, { id: cause.id, because: verdict.because ?? evidence[0]?.text ?? `${verdict.by.join(', ')} says otherwise`, evidence: evidence.slice(0, 3) })
  }
  return [...entries.values()]
}

function unanswered (examined: Examination[], found: Finding[]): Diagnosis['cannotTell'] {
  const entries = new Map<string, string>()
  for (const { cause, verdict } of examined) if (verdict.is === 'cannot-tell' && !found.some(item => item.cause.id === cause.id)) entries.set(cause.id, verdict.why)
  return [...entries].map(([id, why]) => ({ id, why }))
}

function incidentOf ({ subject, facts, identifiers }: Case, suspected: IdentifierCase[]): Diagnosis['incident'] {
  const certificate = facts.certificate.is === 'seen' ? facts.certificate.value : undefined
  const names = suspected.map(({ name }) => name).filter(name => name !== '')
  return {
    namespace: subject.namespace ?? '',
    certificate: certificate?.name ?? subject.certificate?.name ?? '',
    order: (facts.order.is === 'seen' ? facts.order.value.name : undefined) ?? subject.order?.name ?? '',
    domains: names.length > 0 ? names : identifiers.map(({ name }) => name).filter(name => name !== '')
  }
}
