import type { Case, FactMap, IdentifierCase, Text } from '../shared/types/case.ts'
import type { Evidence, Look } from '../shared/types/common.ts'
import type { Confidence } from '../shared/types/diagnosis.ts'
import type { Cause, Citation, Examined, FactName, Hit, Verdict } from './cause.ts'
import { notApplicable } from './cause.ts'
import { authorities, type Authority } from './rank.ts'

/** What one cause said of one identifier. */
export interface Examination { cause: Cause, identifier: IdentifierCase, verdict: Verdict }

/** Best first. */
export const confidences: readonly Confidence[] = ['proven', 'likely', 'possible']

/** Asks one cause about one identifier; what it needs and nobody could see is answered here, not in the module. */
export function examine (cause: Cause, identifier: IdentifierCase, incident: Case, hits: Hit[], thresholds: Record<string, number> = {}): Verdict {
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
  return cause.examine({ ...values, identifier, hits, case: incident, thresholds: { ...cause.thresholds, ...thresholds } } as Examined<FactName, FactName>)
}

function byText (hits: Hit[]): Verdict {
  const [best] = hits
  if (best === undefined) return notApplicable
  return { is: 'found', confidence: best.rule.confidence, variant: best.rule.variant, blanks: best.groups, because: [best, ...hits.slice(1, 4)] }
}

/** A fact by its name, of the identifier or of the whole attempt. */
function factOf<K extends FactName> (name: K, identifier: IdentifierCase, incident: Case): Look<FactMap[K]> {
  const own = identifier.facts as Partial<{ [F in FactName]: Look<FactMap[F]> }>
  const shared = incident.facts as Partial<{ [F in FactName]: Look<FactMap[F]> }>
  return own[name] ?? shared[name] ?? { is: 'absent' }
}

/** Who says what a text says. */
export function authorityOfText ({ wrapper, evidence, problem }: Text): Authority {
  if (evidence.source === 'acme' || wrapper === 'ca' || wrapper === 'authorization' || (problem?.type ?? '') !== '') return 'ca'
  return wrapper === 'self-check' ? 'self-check' : 'server'
}

/** Place in the order of authorities; smaller is stronger. */
export const authorityRank = (authority: Authority): number => authorities.indexOf(authority)

/** The evidence behind a citation, and who says it. */
export function cite (citation: Citation<FactName>, identifier: IdentifierCase, incident: Case): { evidence: Evidence[], authority: Authority } {
  if (typeof citation === 'string') {
    const look = factOf(citation, identifier, incident)
    return { evidence: look.is === 'seen' ? look.value.evidence : [], authority: citation === 'caRecord' ? 'ca' : 'inference' }
  }
  if ('rule' in citation) return { evidence: [citation.text.evidence], authority: authorityOfText(citation.text) }
  if ('evidence' in citation) return { evidence: [citation.evidence], authority: authorityOfText(citation) }
  return { evidence: [citation], authority: citation.source === 'acme' ? 'ca' : 'inference' }
}

/** Each piece of evidence once, in the order given. */
export function unique (evidence: Evidence[]): Evidence[] {
  const seen = new Map<string, Evidence>()
  for (const item of evidence) {
    const key = `${item.source}\n${item.ref}\n${item.text}`
    if (!seen.has(key)) seen.set(key, item)
  }
  return [...seen.values()]
}
