/** Says whether an object passes; the label and field selectors of the Kubernetes API. */
export type Selector = (object: unknown) => boolean

/** Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k`. Throws on what the API would refuse. */
export function labelSelector (text: string): Selector {
  const tests = splitTop(text).map(labelTest)
  return (object) => {
    const labels = (object as { metadata?: { labels?: Record<string, unknown> | null } }).metadata?.labels ?? {}
    return tests.every((test) => test(labels))
  }
}

/** Parses `metadata.name=x,involvedObject.kind!=Pod`. */
export function fieldSelector (text: string): Selector {
  const tests = text.split(',').filter((part) => part.trim() !== '').map((part) => {
    const [, path, operator, value = ''] = /^([^!=]+?)\s*(!?=)=?\s*(.*)$/.exec(part.trim()) ?? []
    if (path === undefined) throw new Error(`invalid selector: '${part}'; can't understand '${part}'`)
    const steps = path.split('.')
    return (object: unknown) => (field(object, steps) === value) === (operator === '=')
  })
  return (object) => tests.every((test) => test(object))
}

function field (object: unknown, steps: string[]): string {
  let value: unknown = object
  for (const step of steps) value = Object.hasOwn(Object(value) as object, step) ? (value as Record<string, unknown>)[step] : undefined
  return value === undefined || value === null ? '' : String(value as string)
}

function labelTest (part: string): (labels: Record<string, unknown>) => boolean {
  const has = (labels: Record<string, unknown>, key: string): boolean => Object.hasOwn(labels, key)
  const set = /^(\S+)\s+(in|notin)\s*\((.*)\)$/.exec(part)
  if (set !== null) {
    const [, key, operator, list] = set
    const values = new Set(list!.split(',').map((value) => value.trim()))
    return (labels) => (has(labels, key!) && values.has(String(labels[key!]))) === (operator === 'in')
  }
  const equal = /^([^!=\s]+)\s*(!=|==?)\s*(.*)$/.exec(part)
  if (equal !== null) {
    const [, key, operator, value] = equal
    return (labels) => (has(labels, key!) && String(labels[key!]) === value) === (operator !== '!=')
  }
  const bare = /^(!?)\s*([A-Za-z0-9][\w./-]*)$/.exec(part)
  if (bare === null) throw new Error(`unable to parse requirement: ${part}`)
  return (labels) => has(labels, bare[2]!) === (bare[1] === '')
}

/** Commas inside parentheses belong to a set. */
function splitTop (text: string): string[] {
  return text.split(/,(?![^(]*\))/).map((part) => part.trim()).filter((part) => part !== '')
}
