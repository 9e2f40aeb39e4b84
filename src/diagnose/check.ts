import { RE2JS } from 're2js'
import { standardBlanks, stages, type Cause } from './cause.ts'

const changing = /\b(delete|edit|apply|patch|scale|rollout restart|annotate|label|cmctl renew|helm (upgrade|install)|create)\b/

/**
 * What is wrong with one cause by itself, each line with what to do about it: the rules of
 * admission that need no other cause. `ids` are all ids that `related` may name.
 */
export function faultsOf (cause: Cause, ids: ReadonlySet<string>): string[] {
  const { id, stage, texts, variants, related, remedy, title, meaning } = cause
  const faults: string[] = []
  const blame = (fault: string): void => { faults.push(`${id}: ${fault}`) }

  if (!stages.includes(stage)) blame(`${stage} is no stage; use one of ${stages.join(', ')}`)
  for (const other of related) if (!ids.has(other)) blame(`related ${other} does not exist`)
  if (texts.length === 0 && cause.examine === undefined) blame('it has neither texts nor examine, so it can never be found')
  for (const { match, unless, variant } of texts) {
    for (const pattern of [match, unless]) if (pattern !== undefined && !compiles(pattern)) blame(`${pattern} is not RE2 syntax`)
    if (variant !== undefined && !variants.includes(variant)) blame(`a text gives the variant ${variant}; declare it`)
  }
  for (const blank of unfilledBlanks(cause)) blame(`nothing fills {${blank}}`)

  const commands = remedy.flatMap(step => typeof step === 'string' ? [] : [step])
  if (!commands.some(({ changes }) => changes !== true)) blame('give one command that only reads')
  const firstChange = commands.findIndex(({ changes }) => changes === true)
  if (firstChange !== -1 && commands.slice(firstChange).some(({ changes }) => changes !== true)) blame('put the commands that only read before those that change')
  for (const { run, changes } of commands) if (changes !== true && changing.test(run)) blame(`mark \`${run}\` as one that changes`)
  if (title.length > 120 || title.endsWith('.')) blame('the title is one sentence of at most 120 characters without a full stop')
  if (meaning.length > 420) blame('the meaning is at most 420 characters')
  return faults
}

/** Blanks that the wording of a cause without `examine` mentions and neither the runner nor all its patterns fill. */
function unfilledBlanks ({ title, meaning, remedy, texts, examine }: Cause): string[] {
  if (examine !== undefined) return []
  const wording = [title, meaning, ...remedy.flatMap(step => typeof step === 'string' ? [step] : [step.do, step.run])].join('\n')
  const groups = texts.map(({ match }) => [...match.matchAll(/\(\?P?<(\w+)>/g)].map(([, name]) => name!))
  return [...wording.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).filter(name => !(standardBlanks as readonly string[]).includes(name) && !groups.every(list => list.includes(name)))
}

function compiles (pattern: string): boolean {
  try {
    RE2JS.compile(pattern)
    return true
  } catch {
    return false
  }
}
