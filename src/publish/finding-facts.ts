import type { Case } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import { windowMillis, type FoundCause } from '../shared/types/diagnosis.ts'
import type { Finding, FindingInput } from './finding.ts'
import type { Impact } from './impact.ts'
import { clip, duration, oneLine, ordinal, plural, when, whenChanged } from './words.ts'

/** Clocks that differ by less mislead nobody. */
const noticeableClock: Millis = 30_000

/** Short pairs beside the cause: what is served, when cert-manager tries again, who else fails. */
export function factsOf (input: FindingInput, impact: Impact): Finding['facts'] {
  const { alerts = 1, truncatedAlerts = 0 } = input.incident
  return [
    ...(input.case === undefined ? [] : factsOfCase(input.case, impact)),
    ...(alerts > 1 ? [{ label: 'Alerts', value: `${alerts} for this incident` }] : []),
    ...(truncatedAlerts > 0 ? [{ label: 'Left out by Alertmanager', value: plural(truncatedAlerts, 'alert') }] : [])
  ]
}

function factsOfCase (seen: Case, { servedUntil, down }: Impact): Finding['facts'] {
  const facts: Finding['facts'] = []
  if (servedUntil !== undefined) facts.push({ label: 'Served certificate', value: servedUntil <= seen.now ? `expired ${duration(seen.now - servedUntil)} ago` : `${duration(servedUntil - seen.now)} left`, time: servedUntil })
  else if (down === true) facts.push({ label: 'Served certificate', value: 'none yet' })
  const { at, attempt, why } = seen.next
  facts.push({ label: 'Next automatic try', value: at === undefined ? why.split(/[:;]/, 1)[0]! : `${when(at, seen.now)}${attempt === undefined ? '' : ` (${ordinal(attempt)})`}`, ...(at === undefined ? {} : { time: at }) })
  const named = seen.identifiers.filter(({ name }) => name !== '')
  if (named.length > 0) facts.push({ label: 'Names failing', value: `${named.filter(({ state }) => state !== 'passed').length} of ${named.length}` })
  if (seen.blast.issuer.name !== '' && seen.blast.issuer.total > 0) facts.push({ label: 'Others on this issuer', value: `${seen.blast.issuer.failing} failing of ${seen.blast.issuer.total}` })
  for (const { by, name, failing, same, total } of seen.blast.groups ?? []) {
    if (by !== 'issuer' && failing > 0) facts.push({ label: `Others on the ${by} ${name}`, value: `${failing} failing of ${total}${same > 0 ? `, ${same} in the same way` : ''}` })
  }
  if (seen.history !== undefined) facts.push({ label: 'Attempts', value: clip(oneLine(seen.history), 200) })
  const { clockAhead = 0 } = seen
  if (Math.abs(clockAhead) > noticeableClock) facts.push({ label: 'Clock of this service', value: `${duration(Math.abs(clockAhead))} ${clockAhead > 0 ? 'ahead of' : 'behind'} the API server's (allowed for)` })
  return facts
}

/** What says so, and what changed right before. */
export function bulletsOf ({ case: seen }: FindingInput, causes: FoundCause[]): Finding['bullets'] {
  const evidence = causes.flatMap((cause, index) => cause.evidence.slice(0, index === 0 ? Math.max(1, 4 - causes.length) : 1))
  const bullets = evidence.slice(0, 3).map(({ ref, text, time }) => ({ text: `${oneLine(ref)}: ${clip(oneLine(text), 260)}`, ...(time === undefined ? {} : { time }) }))
  // That the Certificate was created is why there is an order, not what broke it.
  const change = seen?.changes.find(({ beforeAnchorMs, beforeFirstFailureMs = beforeAnchorMs, afterLastSuccess, fields, object }) => beforeFirstFailureMs < 0 && afterLastSuccess !== false && !(fields.every(field => field === 'created') && object.startsWith('Certificate ')))
  if (change !== undefined) bullets.push({ text: `Changed ${whenChanged(change)}: ${change.object} by ${change.by} (${change.fields.slice(0, 3).join(', ')})`, time: change.at })
  return bullets
}

/** What every place sees of the names that fail. */
export function vantagesOf (seen: Case | undefined, clean: (text: string) => string): Finding['vantages'] {
  return (seen?.identifiers ?? []).flatMap(({ name, wildcard, state, vantages }) => vantages === undefined || state === 'passed' ? [] : [{
    name: wildcard ? `*.${name}` : name,
    rows: vantages.rows.map(row => ({ ...row, answer: clean(oneLine(row.answer)) })),
    differences: vantages.differences.map(({ text }) => clean(oneLine(text)))
  }])
}

/** What is older than the widest window around the failure says nothing about it, and squeezes the picture. */
export function recent (seen: Case | undefined): Case['timeline'] {
  return seen === undefined ? [] : seen.timeline.filter(({ time, last }) => (last ?? time) >= seen.anchor.time - windowMillis['24h'])
}

/** Which label led to the object, and what else was tried. */
export function subjectOf ({ case: seen }: FindingInput): string[] {
  if (seen === undefined) return []
  const { hint, tried, candidates, lint } = seen.subject
  const decided = hint.kind === 'Scan' ? 'The alert names no object: failed orders of the window were looked for.' : `Decided by ${hint.from}: ${hint.kind} ${[hint.namespace, hint.name].filter(part => part !== undefined).join('/')}.`
  const failed = tried.filter(({ found }) => !found).map(({ hint: { kind, namespace, name, from }, why }) => `Tried ${kind} ${[namespace, name].filter(part => part !== undefined).join('/')} (${from})${why === undefined ? '' : `: ${why}`}.`)
  const others = candidates.slice(0, 10).map(({ namespace, order, state }) => `Candidate: Order ${namespace}/${order} (${state === '' ? 'no state' : state}).`)
  return [decided, ...lint, ...failed, ...others].map(oneLine)
}
