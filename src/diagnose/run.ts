import type { Case, IdentifierCase, Text } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { Diagnosis, WindowName } from '../shared/types/diagnosis.ts'
import { windowMillis, windows } from '../shared/types/diagnosis.ts'
import { group, incidentOf, ruledOut, unanswered, windowOf } from './assemble.ts'
import type { Cause, Hit } from './cause.ts'
import { authorityOfText, authorityRank, cite, confidences, examine, unique, type Examination } from './examine.ts'
import { fallbackList, nextLooks } from './fallback.ts'
import { causes as catalogue } from './index.ts'
import { isOvercome } from './overcome.ts'
import { compilePatterns, type PatternSet } from './patterns.ts'
import type { Policy } from './policy.ts'
import { compareFindings, followsFailures, isFailureOfAttempt, isSymptom, rank, rootsOf, type Finding } from './rank.ts'
import { standardBlanksOf } from './wording.ts'

export type { Policy }

/** A catalogue ready to run: compiled once, used for every case. */
export interface Diagnoser { diagnose (incident: Case): Diagnosis }

/** Compiles the patterns of the causes that are not switched off. */
export function buildDiagnoser (causes: readonly Cause[] = catalogue, policy: Policy = {}): Diagnoser {
  // The same list stays the same array, so that its patterns are compiled once for all.
  const active = causes.some(({ id }) => policy[id]?.off === true) ? causes.filter(({ id }) => policy[id]?.off !== true) : causes
  const patterns = compilePatterns(active)
  return { diagnose: incident => run(incident, active, patterns, policy) }
}

let standard: Diagnoser | undefined
/** Diagnoses with the whole catalogue and no policy. Pure: the same case gives the same diagnosis. */
export function diagnose (incident: Case): Diagnosis {
  standard ??= buildDiagnoser()
  return standard.diagnose(incident)
}

/** The name as people write it, `*.` included; tells apex and wildcard of one order apart. */
const displayName = ({ name, wildcard }: IdentifierCase): string => wildcard ? `*.${name}` : name

function run (incident: Case, causes: readonly Cause[], patterns: PatternSet, policy: Policy): Diagnosis {
  const matched = matchTexts(incident.texts.filter(({ attempt }) => attempt !== 'earlier'), patterns)
  const identifiers = suspects(incident)
  const searched: WindowName[] = []
  let examined: Examination[] = []
  let found: Finding[] = []
  const look = (window: typeof windows[number]): Examination[] => identifiers.flatMap(identifier => causes.map(cause => {
    const hits = hitsFor(cause, identifier, matched, incident, windowMillis[window])
    return { cause, identifier, verdict: examine(cause, identifier, incident, hits, policy[cause.id]?.thresholds) }
  }))
  const findingsIn = (examinations: readonly Examination[]): Finding[] => examinations.flatMap(examination => toFinding(examination, incident, policy))
  for (const window of windows) {
    searched.push(window)
    examined = look(window)
    found = findingsIn(examined)
    if (found.some(({ confidence }) => confidence !== 'possible')) break
  }
  // A symptom may stand for hours, and what brought it about was said once, when the attempt began.
  for (const window of windows.slice(searched.length)) {
    if (!found.some(isSymptom)) break
    const roots = rootsOf(findingsIn(look(window)), found)
    if (roots.length === 0) continue
    found = [...found, ...roots]
    searched.push(...windows.slice(searched.length, windows.indexOf(window) + 1))
    break
  }

  const stories: Finding[][] = []
  const others: Finding[] = []
  for (const identifier of identifiers) {
    const ranked = rank(found.filter(item => item.identifier === displayName(identifier)))
    const [first, ...rest] = ranked.leading
    others.push(...rest, ...ranked.explained)
    if (first === undefined) continue
    // A guess that nobody's words support is a hint beside "unknown", not an answer.
    if (first.confidence === 'possible' && first.authority === 'inference') others.push(first)
    else stories.push(followsFailures(first) ? [...earlierFailure(identifier, incident, causes, patterns, policy), first] : [first])
  }
  stories.sort((a, b) => compareFindings(a.at(-1)!, b.at(-1)!))
  const causesFound = group(stories.flat(), incident)
  const alsoFits = group(others.sort(compareFindings), incident).filter(({ id }) => !causesFound.some(cause => cause.id === id))
  const verdict = causesFound.length > 0 ? 'cause' : 'unknown'
  return {
    format: 1,
    incident: incidentOf(incident, identifiers.map(identifier => ({ ...identifier, name: displayName(identifier) }))),
    verdict,
    causes: causesFound,
    alsoFits,
    ruledOut: ruledOut(examined, found, incident),
    cannotTell: unanswered(examined, found),
    unavailable: incident.unavailable,
    searched,
    anchor: incident.anchor,
    nextLooks: causesFound.some(({ confidence }) => confidence !== 'possible') ? [] : nextLooks(incident, causesFound),
    fallback: verdict === 'unknown' ? fallbackList(incident) : []
  }
}

/**
 * A limit on failures, or a pause, follows from validations that failed before. When the words of
 * one of those attempts can still be seen, they name what to repair: at most `likely`, because
 * it was another attempt.
 */
function earlierFailure (identifier: IdentifierCase, incident: Case, causes: readonly Cause[], patterns: PatternSet, policy: Policy): Finding[] {
  const texts = incident.texts.filter(({ attempt }) => attempt === 'earlier')
  const matched = matchTexts(texts, patterns)
  const findings = causes.filter(isFailureOfAttempt).flatMap(cause => {
    const hits = hitsFor(cause, identifier, matched, incident, windowMillis['24h'])
    if (hits.length === 0) return []
    return toFinding({ cause, identifier, verdict: examine(cause, identifier, incident, hits, policy[cause.id]?.thresholds) }, incident, policy)
  })
  const [root] = rank(findings.filter(({ confidence, evidence }) => confidence !== 'possible' && texts.some(text => evidence.includes(text.evidence)))).leading
  return root === undefined ? [] : [{ ...root, confidence: 'likely' }]
}

/** Identifiers that did not pass; all of them when every one passed (finalize may have failed). */
function suspects ({ identifiers }: Case): IdentifierCase[] {
  const open = identifiers.filter(({ state }) => state !== 'passed')
  const failed = open.filter(({ state }) => state === 'failed')
  if (failed.length > 0) return failed
  return open.length > 0 ? open : identifiers
}

function matchTexts (texts: readonly Text[], patterns: PatternSet): Map<string, Hit[]> {
  const byCause = new Map<string, Hit[]>()
  for (const text of texts) {
    for (const { cause, hit } of patterns.match(text)) {
      const hits = byCause.get(cause)
      if (hits === undefined) byCause.set(cause, [hit])
      else hits.push(hit)
    }
  }
  for (const hits of byCause.values()) {
    hits.sort((a, b) => confidences.indexOf(a.rule.confidence) - confidences.indexOf(b.rule.confidence) ||
      authorityRank(authorityOfText(a.text)) - authorityRank(authorityOfText(b.text)) || a.text.index - b.text.index)
  }
  return byCause
}

function hitsFor (cause: Cause, identifier: IdentifierCase, matched: Map<string, Hit[]>, incident: Case, width: Millis): Hit[] {
  const concerns = ({ about }: Text): boolean => about.length === 0 || about.includes(identifier.name) || about.includes(displayName(identifier))
  return (matched.get(cause.id) ?? []).filter(({ text }) => concerns(text) && distance(text, incident) <= width && !isOvercome(text, identifier, incident))
}

/**
 * No attempt fails or runs: the Certificate is ready and remembers no failure, and nothing that is left
 * of the attempt says otherwise. What DNS or the web show now would have stopped it, and did not.
 */
function isHealed ({ facts: { certificate, request, order } }: Case, { state }: IdentifierCase): boolean {
  if (certificate.is !== 'seen' || state === 'failed' || state === 'pending') return false
  const { ready, issuing, lastFailureTime } = certificate.value
  return ready?.status === 'True' && issuing === undefined && lastFailureTime === undefined &&
    (order.is !== 'seen' || order.value.state === 'valid') && (request.is !== 'seen' || request.value.ready?.status === 'True')
}

/** How far a text lies from the anchor, in milliseconds; 0 for standing state. */
function distance ({ evidence, first, last, attempt }: Text, { anchor }: Case): Millis {
  const from = first ?? evidence.time
  const to = last ?? evidence.time
  if (from === undefined || to === undefined || attempt === 'standing') return 0
  if (from <= anchor.time && anchor.time <= to) return 0
  return Math.min(Math.abs(from - anchor.time), Math.abs(to - anchor.time))
}

function toFinding ({ cause, identifier, verdict }: Examination, incident: Case, policy: Policy): Finding[] {
  if (verdict.is !== 'found') return []
  const lowest = policy[cause.id]?.lowest
  if (lowest !== undefined && confidences.indexOf(verdict.confidence) > confidences.indexOf(lowest)) return []
  const cited = verdict.because.map(citation => cite(citation, identifier, incident))
  const evidence = unique(cited.flatMap(({ evidence: list }) => list))
  const [authority = 'inference'] = cited.map(item => item.authority).sort((a, b) => authorityRank(a) - authorityRank(b))
  const texts = verdict.because.flatMap(citation => typeof citation === 'string' ? [] : 'rule' in citation ? [citation.text] : 'wrapper' in citation ? [citation] : [])
  // What failed while cert-manager tidied up came after the failure, and has overwritten the reason of it.
  const afterwards = texts.length > 0 && texts.every(({ wrapper }) => wrapper === 'cleanup')
  // That the line is about this attempt is a conclusion of ours: then the words prove no more.
  const guessed = texts.length === verdict.because.length && texts.every(text => text.guessed === true)
  const idle = authority === 'inference' && isFailureOfAttempt(cause) && isHealed(incident, identifier)
  return [{
    cause,
    identifier: displayName(identifier),
    confidence: idle ? 'possible' : (afterwards || guessed) && verdict.confidence === 'proven' ? 'likely' : verdict.confidence,
    afterwards,
    variant: verdict.variant,
    blanks: { ...standardBlanksOf(incident, identifier, evidence), ...verdict.blanks },
    evidence,
    window: windowOf(evidence, incident),
    authority
  }]
}
