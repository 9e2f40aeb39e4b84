import type { Text } from '../shared/types/case.ts'
import type { Cause, Hit, TextRule } from './cause.ts'
import { requiredLiterals } from './literals.ts'
import { Matcher } from './matcher.ts'

/** Longer texts are cut before matching; what means something stands at the start. */
const longest = 16_384

interface CompiledRule { cause: string, rule: TextRule, pattern: Matcher, unless?: Matcher, literals?: number[], named: boolean }

/** All text rules of a list of causes, matched in linear time. */
export interface PatternSet {
  /** Every rule that matches this text, by cause id. */
  match (text: Text): { cause: string, hit: Hit }[]
}

/**
 * Prepares the rules. Patterns are compiled when they are first tried, which is when one that is
 * not RE2 syntax throws; the catalogue's test and `causes test DIR` find such a one before.
 *
 * A text is scanned once for the literals of all rules, and only rules whose literals it holds
 * are tried: one automaton of all rules (RE2Set) was measured at half a second for 4 kB of text
 * that nobody has seen before, because each new character made a new state of 270 patterns.
 */
export function compilePatterns (causes: readonly Cause[]): PatternSet {
  const known = compiled.get(causes)
  if (known !== undefined) return known
  const patterns = compile(causes)
  compiled.set(causes, patterns)
  return patterns
}
const compiled = new WeakMap<readonly Cause[], PatternSet>()

function compile (causes: readonly Cause[]): PatternSet {
  const literals = new Map<string, number>()
  const rules: CompiledRule[] = causes.flatMap(cause => cause.texts.map(rule => compileRule(cause.id, rule, literals)))
  const words = [...literals.keys()]

  const remembered = new Map<string, Scan>()

  return {
    match (text) {
      const subject = subjectOf(text)
      const codes = codesIn(text, subject)
      const key = `${codes}\n${subject}`
      const scan = remembered.get(key) ?? newScan(key, rules.length)
      if (remembered.size >= scansKept) remembered.clear()
      remembered.set(key, scan)
      const matched: { cause: string, hit: Hit }[] = []
      for (const [place, compiledRule] of rules.entries()) {
        if (isDeaf(compiledRule.cause, text) || !applies(compiledRule.rule, text) || !says(compiledRule, place, codes === '' ? [subject] : [subject, codes], scan)) continue
        const { cause, rule, pattern, named } = compiledRule
        matched.push({ cause, hit: { rule, text, groups: named ? pattern.groups(subject) : {} } })
      }
      return matched
    }
  }

  function says ({ pattern, unless, literals: needed }: CompiledRule, place: number, subjects: readonly string[], { lower, pairs, held, answers }: Scan): boolean {
    if (answers[place] !== unknown) return answers[place] === yes
    const holds = (literal: number): boolean => held[literal] ??= hasPairs(pairs, words[literal]!) && lower.includes(words[literal]!)
    const answer = (needed === undefined || needed.some(holds)) && subjects.some(subject => pattern.test(subject)) && !subjects.some(subject => unless?.test(subject) === true)
    answers[place] = answer ? yes : no
    return answer
  }
}

/** What is known of one text already; the same words stand in an Order, its request, its Certificate and each new look. */
interface Scan { lower: string, pairs: Uint8Array, held: (boolean | undefined)[], answers: Uint8Array }
const scansKept = 200

function newScan (subject: string, rules: number): Scan {
  const lower = subject.toLowerCase()
  return { lower, pairs: pairsOf(lower), held: [], answers: new Uint8Array(rules) }
}
const [unknown, yes, no] = [0, 1, 2]

/** One bit for each pair of neighbouring characters in a text (their low bytes). */
function pairsOf (text: string): Uint8Array {
  const pairs = new Uint8Array(8_192)
  let before = text.charCodeAt(0) & 255
  for (let index = 1; index < text.length; index++) {
    const code = text.charCodeAt(index) & 255
    const pair = before << 8 | code
    pairs[pair >> 3]! |= 1 << (pair & 7)
    before = code
  }
  return pairs
}

/** False: the literal surely stands nowhere in the text. A thousand literals are asked for each text, and few are there. */
function hasPairs (pairs: Uint8Array, literal: string): boolean {
  for (let index = 1; index < literal.length; index++) {
    const pair = (literal.charCodeAt(index - 1) & 255) << 8 | (literal.charCodeAt(index) & 255)
    if ((pairs[pair >> 3]! & 1 << (pair & 7)) === 0) return false
  }
  return true
}

function compileRule (cause: string, rule: TextRule, literals: Map<string, number>): CompiledRule {
  const match = anyQuote(rule.match)
  const needed = requiredLiterals(match)?.map(literal => {
    const index = literals.get(literal) ?? literals.size
    literals.set(literal, index)
    return index
  })
  return {
    cause, rule, literals: needed, named: /\(\?P?</.test(rule.match), pattern: new Matcher(match, `${cause}: the pattern ${rule.match}`),
    unless: rule.unless === undefined ? undefined : new Matcher(anyQuote(rule.unless), `${cause}: the pattern ${rule.unless}`)
  }
}

/** Programs and shippers disagree about quotes: in a pattern either kind means both. */
function anyQuote (pattern: string): string {
  return pattern.replaceAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|["']/g, part => part === '"' || part === "'" ? `["']` : part)
}

function subjectOf ({ core, whole }: Text): string {
  const subject = whole.includes(core) ? whole : `${whole}\n${core}`
  return subject.length > longest ? subject.slice(0, longest) : subject
}

/** The CA is not asked while a record or page is made or cleared away: what is said then is no word of its. */
const isDeaf = (cause: string, { wrapper, core }: Text): boolean =>
  cause.startsWith('acme-') && (wrapper === 'present' || wrapper === 'cleanup' || (cause !== 'acme-secondary-validation-failed' && pageOfOthers.test(core)))

/** A page that the CA was served and quotes, alone in the text: the words are of whoever answers for the name. */
const pageOfOthers = /^(?![^]*; \d{1,3} urn:)[^;]*Invalid response from https?:/i

/**
 * The words of the error codes that a provider's text holds: `kas_password_incorrect` and
 * `InvalidSecretKeyException` say the same as a sentence, and no provider's list needs to be known.
 */
function codesIn ({ wrapper }: Text, subject: string): string {
  if (wrapper !== 'present' && wrapper !== 'cleanup') return ''
  const codes = subject.match(/\b[A-Za-z]+(?:_[A-Za-z]+)+\b|\b(?:[A-Z]{2,}|[A-Z]?[a-z]+)(?:[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+)+\b/g) ?? []
  return [...new Set(codes)].map(code => code.replaceAll('_', ' ').replaceAll(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, ' ')).join('; ')
}

function applies ({ in: sources, when }: TextRule, { evidence, wrapper, problem, objectKind }: Text): boolean {
  if (!sources.includes(evidence.source)) return false
  if (when === undefined) return true
  if (when.wrapper !== undefined && !when.wrapper.includes(wrapper)) return false
  if (when.notWrapper?.includes(wrapper) === true) return false
  if (when.secondary !== undefined && when.secondary !== (problem?.secondary ?? false)) return false
  if (when.caa !== undefined && when.caa !== (problem?.caa !== undefined)) return false
  if (when.problem !== undefined && !when.problem.includes(problem?.type ?? '')) return false
  if (when.family !== undefined && when.family !== problem?.family) return false
  if (when.objectKind !== undefined && !when.objectKind.includes(objectKind ?? '')) return false
  return true
}
