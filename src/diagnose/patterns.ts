import { RE2JS } from 're2js'
import type { Text } from '../shared/types/case.ts'
import type { Cause, Hit, TextRule } from './cause.ts'
import { requiredLiterals } from './literals.ts'

const flags = RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL
/** Longer texts are cut before matching; what means something stands at the start. */
const longest = 16_384

interface CompiledRule { cause: string, rule: TextRule, pattern: RE2JS, unless?: RE2JS, literals?: number[], named: boolean }

/** All text rules of a list of causes, matched in linear time. */
export interface PatternSet {
  /** Every rule that matches this text, by cause id. */
  match (text: Text): { cause: string, hit: Hit }[]
}

/**
 * Compiles the rules; throws with the cause's id when a pattern is not RE2 syntax.
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
      const scan = remembered.get(subject) ?? { lower: subject.toLowerCase(), held: [], answers: new Uint8Array(rules.length) }
      if (remembered.size >= scansKept) remembered.clear()
      remembered.set(subject, scan)
      const matched: { cause: string, hit: Hit }[] = []
      for (const [place, compiledRule] of rules.entries()) {
        if (!applies(compiledRule.rule, text) || !says(compiledRule, place, subject, scan)) continue
        const { cause, rule, pattern, named } = compiledRule
        matched.push({ cause, hit: { rule, text, groups: named ? groupsOf(pattern, subject) : {} } })
      }
      return matched
    }
  }

  function says ({ pattern, unless, literals: needed }: CompiledRule, place: number, subject: string, { lower, held, answers }: Scan): boolean {
    if (answers[place] !== unknown) return answers[place] === yes
    const holds = (literal: number): boolean => held[literal] ??= lower.includes(words[literal]!)
    const answer = (needed === undefined || needed.some(holds)) && pattern.test(subject) && unless?.test(subject) !== true
    answers[place] = answer ? yes : no
    return answer
  }
}

/** What is known of one text already; the same words stand in an Order, its request, its Certificate and each new look. */
interface Scan { lower: string, held: (boolean | undefined)[], answers: Uint8Array }
const scansKept = 200
const [unknown, yes, no] = [0, 1, 2]

function compileRule (cause: string, rule: TextRule, literals: Map<string, number>): CompiledRule {
  try {
    const match = anyQuote(rule.match)
    const needed = requiredLiterals(match)?.map(literal => {
      const index = literals.get(literal) ?? literals.size
      literals.set(literal, index)
      return index
    })
    return { cause, rule, literals: needed, named: /\(\?P?</.test(rule.match), pattern: RE2JS.compile(match, flags), unless: rule.unless === undefined ? undefined : RE2JS.compile(anyQuote(rule.unless), flags) }
  } catch (error) {
    throw new Error(`${cause}: the pattern ${rule.match} is not RE2 syntax: ${(error as Error).message}`, { cause: error })
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

function groupsOf (pattern: RE2JS, subject: string): Record<string, string> {
  const matcher = pattern.matcher(subject)
  if (!matcher.find()) return {}
  return Object.fromEntries(Object.entries(matcher.getNamedGroups()).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
