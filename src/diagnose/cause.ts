import type { Evidence, Look, Source } from '../shared/types/common.ts'
import type { Case, FactMap, IdentifierCase, IdentifierFact, SharedFact, Text, Wrapper } from '../shared/types/case.ts'
import type { Confidence } from '../shared/types/diagnosis.ts'

/** A named fact that a cause may need: see FactMap. */
export type FactName = SharedFact | IdentifierFact

/** Blanks that the runner fills for every cause; a module need not. */
export const standardBlanks = [
  'dnsName', 'namespace', 'certificate', 'order', 'challenge', 'issuer', 'issuerKind', 'acmeServer', 'acmeHost', 'text', 'certManagerNamespace', 'provider', 'request', 'version'
] as const
export type StandardBlank = typeof standardBlanks[number]

/** The names between braces in a wording: `'{a} and {b}'` → `'a' | 'b'`. A jsonpath such as `{.spec}` is none. */
type BlanksIn<S extends string> = S extends `${string}{${infer Blank}}${infer Rest}` ? (Blank extends `.${string}` ? never : Blank) | BlanksIn<Rest> : never

/** A step of the remedy: a sentence, or a sentence with the command that does it. */
export type Remedy = string | { do: string, run: string, changes?: boolean }
type RemedyText<R extends Remedy> = R extends string ? R : R extends { do: infer D, run: infer C } ? `${D & string} ${C & string}` : never
type OwnBlanks<S extends string> = Exclude<BlanksIn<S>, StandardBlank>

/** A text that some program wrote and that means this cause. RE2 syntax, matched without regard to case, unanchored. */
export interface TextRule {
  in: Source[]
  match: string
  /** Must not match the same text. */
  unless?: string
  when?: {
    wrapper?: Wrapper[]
    /** None of these stages. */
    notWrapper?: Wrapper[]
    secondary?: boolean
    caa?: boolean
    /** Last part of the problem's URN. */
    problem?: string[]
    family?: 4 | 6
    objectKind?: string[]
  }
  confidence: Confidence
  variant?: string
}

/** A text rule that matched. Named groups of the pattern are in `groups`. */
export interface Hit { rule: TextRule, text: Text, groups: Record<string, string> }

/** What may be cited: the name of a needed or wanted fact, a hit, a text, or one piece of evidence. */
export type Citation<N extends FactName> = N | Hit | Text | Evidence

export interface NotApplicable { is: 'not-applicable' }
/** This cause has nothing to do with what was seen. */
export const notApplicable: NotApplicable = { is: 'not-applicable' }
export interface CannotTell { is: 'cannot-tell', why: string }
export const cannotTell = (why: string): CannotTell => ({ is: 'cannot-tell', why })
interface RuledOut<N extends FactName> { is: 'ruled-out', by: [Citation<N>, ...Citation<N>[]], because?: string }
interface Found<N extends FactName, B extends string> {
  is: 'found'
  confidence: Confidence
  variant?: string
  /** Each blank that the wording mentions and the runner does not fill. */
  blanks: Record<B, string>
  because: [Citation<N>, ...Citation<N>[]]
}
export type Verdict<N extends FactName = FactName, B extends string = string> = Found<N, B> | RuledOut<N> | NotApplicable | CannotTell

/** What `examine` is given: needed facts as values, wanted facts as looks, and what its own text rules matched. */
export type Examined<N extends FactName, W extends FactName> =
  { [K in N]: FactMap[K] } & { [K in Exclude<W, N>]: Look<FactMap[K]> } & {
    identifier: IdentifierCase
    /** Best hit first: confidence, then the CA's word before the API's before a log's. */
    hits: Hit[]
    /** The whole case, for what is not about one fact: version, other texts, changes. Prefer facts. */
    case: Case
    /** The module's `thresholds`, as the operator's configuration changes them. */
    thresholds: Readonly<Record<string, number>>
  }

/** The stage of issuance at which a cause strikes; the first stage with a finding is the root. */
export const stages = ['controller', 'account', 'request', 'order', 'selection', 'scheduling', 'present', 'self-check', 'validation', 'finalize', 'storage'] as const
export type Stage = typeof stages[number]

export interface CauseSpec<
  N extends FactName, W extends FactName, T extends string, M extends string, R extends Remedy
> {
  id: string
  since: string
  stage: Stage
  /** Facts that must have been seen; the runner answers for the cause when one is missing. */
  needs: readonly N[]
  /** Facts that help and may be missing. */
  wants?: readonly W[]
  variants?: readonly string[]
  /** One sentence for the lock screen. */
  title: T
  /** Two or three sentences for the tired reader. */
  meaning: M
  remedy: readonly R[]
  texts?: readonly TextRule[]
  /** Causes worth ruling out beside this one. */
  related?: readonly string[]
  /** Numbers that the operator may change (`causes.<id>.thresholds`), with their defaults; the unit stands in the name. */
  thresholds?: Readonly<Record<string, number>>
  /** Left out: any hit of `texts` is a finding with the rule's confidence, and named groups fill the blanks. */
  examine?: (evidence: Examined<N, W>) => Verdict<N | W, OwnBlanks<T | M | RemedyText<R>>>
}

/** A cause as the runner sees it: types erased. */
export interface Cause {
  id: string
  since: string
  stage: Stage
  needs: readonly FactName[]
  wants: readonly FactName[]
  variants: readonly string[]
  title: string
  meaning: string
  remedy: readonly Remedy[]
  texts: readonly TextRule[]
  related: readonly string[]
  thresholds: Readonly<Record<string, number>>
  /** Only identifiers with this challenge type: from the id's prefix. */
  challengeType?: 'HTTP-01' | 'DNS-01'
  examine?: (evidence: Examined<FactName, FactName>) => Verdict
}

/**
 * Declares a cause. What the types hold: evidence that is not in `needs` or `wants` cannot be
 * read or cited, a blank that a wording mentions and `examine` does not fill does not compile,
 * and `because` is never empty.
 */
export function defineCause<
  const N extends FactName, const W extends FactName = never, const T extends string = string, const M extends string = string, const R extends Remedy = Remedy
> (spec: CauseSpec<N, W, T, M, R>): Cause {
  const challengeType = spec.id.startsWith('http01-') ? 'HTTP-01' : spec.id.startsWith('dns01-') ? 'DNS-01' : undefined
  return {
    ...spec,
    wants: spec.wants ?? [],
    variants: spec.variants ?? [],
    texts: spec.texts ?? [],
    related: spec.related ?? [],
    thresholds: spec.thresholds ?? {},
    challengeType,
    examine: spec.examine as Cause['examine']
  }
}
