/**
 * Literals of which every match of a pattern holds at least one, in lower case; undefined when
 * there is no such list (`.`, `\d+`). Reads the RE2 syntax that the causes use; what it does not
 * know it treats as "could be anything", which is always safe.
 */
export function requiredLiterals (pattern: string): string[] | undefined {
  const reader = { pattern, at: 0 }
  const found = alternation(reader)
  return found === undefined || found.some(literal => literal.length < 2) ? undefined : [...new Set(found.map(literal => literal.toLowerCase()))]
}

interface Reader { pattern: string, at: number }
type Literals = string[] | undefined

/** Reads up to the closing bracket or the end: each branch must give a list. */
function alternation (reader: Reader): Literals {
  const branches: Literals[] = [sequence(reader)]
  while (reader.pattern[reader.at] === '|') {
    reader.at += 1
    branches.push(sequence(reader))
  }
  return branches.every(branch => branch !== undefined) ? branches.flat() as string[] : undefined
}

/** The best list among the parts that must all be there: the one whose shortest literal is longest. */
function sequence (reader: Reader): Literals {
  let best: Literals
  let run = ''
  const offer = (list: Literals): void => {
    if (list !== undefined && list.length > 0 && shortest(list) > shortest(best)) best = list
  }
  const endRun = (): void => {
    offer(run === '' ? undefined : [run])
    run = ''
  }
  while (reader.at < reader.pattern.length && reader.pattern[reader.at] !== '|' && reader.pattern[reader.at] !== ')') {
    const part = item(reader)
    const optional = quantifier(reader)
    if (part.character !== undefined && optional === 'once') run += part.character
    else {
      // `ab+`: the b is certain once more, but what follows need not touch it.
      if (part.character !== undefined && optional === 'some') run += part.character
      endRun()
      if (optional !== 'none') offer(part.list)
    }
  }
  endRun()
  return best
}

const shortest = (list: Literals): number => list === undefined ? 0 : Math.min(...list.map(({ length }) => length))

/** One character, class, group or assertion. */
function item (reader: Reader): { character?: string, list?: Literals } {
  const { pattern } = reader
  const character = pattern[reader.at]!
  reader.at += 1
  if (character === '\\') {
    const escaped = pattern[reader.at]!
    reader.at += 1
    return /\w/.test(escaped) ? {} : { character: escaped }
  }
  if (character === '[') {
    while (reader.at < pattern.length && pattern[reader.at] !== ']') reader.at += pattern[reader.at] === '\\' ? 2 : 1
    reader.at += 1
    return {}
  }
  if (character === '(') {
    const prefix = /^\?(?:P?<\w+>|[a-z]*:)/.exec(pattern.slice(reader.at))?.[0] ?? ''
    reader.at += prefix.length
    const list = alternation(reader)
    reader.at += 1
    return { list }
  }
  return '.^$'.includes(character) ? {} : { character }
}

/** How often the item before must stand: `none` = may be missing, `some` = at least once, `once` = exactly once. */
function quantifier (reader: Reader): 'none' | 'some' | 'once' {
  const [all, sign, least] = /^(?:([*+?])|\{(\d+)(?:,\d*)?\})\??/.exec(reader.pattern.slice(reader.at)) ?? ['', undefined, undefined]
  reader.at += all.length
  if (all === '') return 'once'
  return sign === '+' || Number(least ?? 0) > 0 ? 'some' : 'none'
}
