import { fieldsList, fields, string, stringMap, strings } from './fields.ts'

/** Kubernetes' LabelSelector: matchLabels and matchExpressions must all hold; an empty one selects everything. */
export function selects (selector: unknown, labels: Map<string, string>): boolean {
  const { matchLabels, matchExpressions } = fields(selector)
  return [...stringMap(matchLabels)].every(([key, value]) => labels.get(key) === value) && fieldsList(matchExpressions).every(expression => holds(expression, labels))
}

function holds (expression: Record<string, unknown>, labels: Map<string, string>): boolean {
  const value = labels.get(string(expression.key))
  const values = strings(expression.values)
  switch (string(expression.operator)) {
    case 'In': return value !== undefined && values.includes(value)
    // A missing key is "not in" as well.
    case 'NotIn': return value === undefined || !values.includes(value)
    case 'Exists': return value !== undefined
    case 'DoesNotExist': return value === undefined
    default: return false
  }
}
