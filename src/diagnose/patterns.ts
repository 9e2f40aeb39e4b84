import { RE2JS, RE2Set } from 're2js'
import type { Text } from '../shared/types/case.ts'
import type { Cause, Hit, TextRule } from './cause.ts'

const flags = RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL
/** Longer texts are cut before matching; what means something stands at the start. */
const longest = 16_384

interface CompiledRule { cause: string, rule: TextRule, pattern: RE2JS, unless?: RE2JS }

/** All text rules of a list of causes as one automaton: each text is scanned once, in linear time. */
export interface PatternSet {
  /** Every rule that matches this text, by cause id. */
  match (text: Text): { cause: string, hit: Hit }[]
}

/** Compiles the rules; throws with the cause's id when a pattern is not RE2 syntax. */
export function compilePatterns (causes: readonly Cause[]): PatternSet {
  const rules: CompiledRule[] = causes.flatMap(cause => cause.texts.map(rule => compileRule(cause.id, rule)))
  const set = new RE2Set(RE2Set.UNANCHORED, flags, 64 << 20)
  for (const { rule } of rules) set.add(rule.match)
  if (rules.length > 0) set.compile()

  return {
    match (text) {
      if (rules.length === 0) return []
      const subject = subjectOf(text)
      const matched: { cause: string, hit: Hit }[] = []
      for (const index of set.match(subject).sort((a, b) => a - b)) {
        const { cause, rule, pattern, unless } = rules[index]!
        if (!applies(rule, text) || unless?.matcher(subject).find()) continue
        const matcher = pattern.matcher(subject)
        if (!matcher.find()) continue
        matched.push({ cause, hit: { rule, text, groups: groupsOf(matcher.getNamedGroups()) } })
      }
      return matched
    }
  }
}

function compileRule (cause: string, rule: TextRule): CompiledRule {
  try {
    return { cause, rule, pattern: RE2JS.compile(rule.match, flags), unless: rule.unless === undefined ? undefined : RE2JS.compile(rule.unless, flags) }
  } catch (error) {
    throw new Error(`${cause}: the pattern ${rule.match} is not RE2 syntax: ${(error as Error).message}`, { cause: error })
  }
}

function subjectOf ({ core, whole }: Text): string {
  const subject = whole.includes(core) ? whole : `${whole}\n${core}`
  return subject.length > longest ? subject.slice(0, longest) : subject
}

function applies ({ in: sources, when }: TextRule, { evidence, wrapper, problem, objectKind }: Text): boolean {
  if (!sources.includes(evidence.source)) return false
  if (when === undefined) return true
  if (when.wrapper !== undefined && !when.wrapper.includes(wrapper)) return false
  if (when.secondary !== undefined && when.secondary !== (problem?.secondary ?? false)) return false
  if (when.caa !== undefined && when.caa !== (problem?.caa !== undefined)) return false
  if (when.problem !== undefined && !when.problem.includes(problem?.type ?? '')) return false
  if (when.family !== undefined && when.family !== problem?.family) return false
  if (when.objectKind !== undefined && !when.objectKind.includes(objectKind ?? '')) return false
  return true
}

function groupsOf (groups: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
