import type { Evidence } from '../../shared/types/common.ts'
import type { SolverChoiceFacts } from '../../shared/types/case.ts'
import { at, fields, string, stringMap, strings, type Fields } from './fields.ts'

/** What the choice depends on. `offered` are the challenge types of the CA's authorization; empty when not known. */
export interface ChoiceInput {
  name: string
  wildcard: boolean
  solvers: readonly Fields[]
  /** Labels of the Order, which are those of the Certificate. */
  labels: Map<string, string>
  offered: readonly string[]
  ref: string
}

interface Score { labels: number, dnsNames: number, dnsZones: number }

/**
 * Which solver cert-manager picks, by its own rules (pkg/util/solverpicker, formerly acmeorders/util.go):
 * every part of a selector must match; then a matching dnsName wins, then the longest dnsZone, then more
 * labels, then the place in the list. A wildcard name never takes an HTTP-01 solver, and a type that
 * the CA does not offer is passed over.
 */
export function chooseSolver (input: ChoiceInput): SolverChoiceFacts {
  let best: { index: number, score: Score } | undefined
  const considered = input.solvers.map((solver, index) => {
    const type = typeOf(solver)
    const { why, score } = consider(solver, type, input)
    if (score !== undefined && (best === undefined || beats(score, best.score))) best = { index, score }
    return { index, type, fits: score !== undefined, why }
  })
  return {
    chosen: best?.index,
    challengeType: best === undefined ? undefined : challengeTypeOf(considered[best.index]!.type, input),
    considered,
    evidence: evidenceOf(considered, best?.index, input)
  }
}

function typeOf ({ http01, dns01 }: Fields): string {
  if (http01 !== undefined && dns01 !== undefined) return 'both'
  return http01 === undefined ? dns01 === undefined ? 'none' : 'dns01' : 'http01'
}

/** A solver with both types takes the one that the CA names first. */
function challengeTypeOf (type: string, { offered, wildcard }: ChoiceInput): 'HTTP-01' | 'DNS-01' {
  if (type !== 'both') return type === 'http01' ? 'HTTP-01' : 'DNS-01'
  const first = offered.map(item => item.toLowerCase()).find(item => item === 'http-01' || item === 'dns-01')
  return first === 'dns-01' || wildcard ? 'DNS-01' : 'HTTP-01'
}

function consider (solver: Fields, type: string, { name, wildcard, labels, offered }: ChoiceInput): { why: string, score?: Score } {
  if (type === 'none') return { why: 'names neither http01 nor dns01' }
  const challengeType = type === 'dns01' ? 'dns-01' : 'http-01'
  if (type === 'http01' && wildcard) return { why: 'is HTTP-01, and a wildcard name needs DNS-01' }
  if (type !== 'both' && offered.length > 0 && !offered.some(item => item.toLowerCase() === challengeType)) return { why: `is ${challengeType}, which the CA does not offer for this name` }

  const selector = fields(solver.selector)
  const wantedLabels = [...stringMap(selector.matchLabels)]
  const missing = wantedLabels.find(([key, value]) => labels.get(key) !== value)
  if (missing !== undefined) return { why: `selector.matchLabels wants ${missing[0]}=${missing[1]}` }

  const dnsNames = strings(selector.dnsNames)
  const own = wildcard ? `*.${name}` : name
  const namesMatch = dnsNames.some(item => sameName(item, own))
  if (dnsNames.length > 0 && !namesMatch) return { why: `selector.dnsNames does not list ${own}` }

  const dnsZones = strings(selector.dnsZones)
  const zone = dnsZones.filter(item => inZone(own, item)).sort((a, b) => labelCount(b) - labelCount(a))[0]
  if (dnsZones.length > 0 && zone === undefined) return { why: `selector.dnsZones covers ${dnsZones.join(', ')}, not ${own}` }

  const reasons = [
    ...wantedLabels.length > 0 ? [`${wantedLabels.length} label(s)`] : [],
    ...namesMatch ? [`dnsNames lists ${own}`] : [],
    ...zone === undefined ? [] : [`dnsZones has ${zone}`]
  ]
  return {
    why: reasons.length > 0 ? reasons.join(', ') : 'has no selector',
    score: { labels: wantedLabels.length, dnsNames: namesMatch ? 1 : 0, dnsZones: zone === undefined ? 0 : labelCount(zone) }
  }
}

function beats (a: Score, b: Score): boolean {
  if (a.dnsNames !== b.dnsNames) return a.dnsNames > b.dnsNames
  if (a.dnsZones !== b.dnsZones) return a.dnsZones > b.dnsZones
  return a.labels > b.labels
}

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
const labelCount = (zone: string): number => zone.split('.').length
/** The zone itself and everything below it. */
function inZone (name: string, zone: string): boolean {
  const low = zone.toLowerCase()
  return name.toLowerCase() === low || name.toLowerCase().endsWith(`.${low}`)
}

/** Annotations of the Certificate that change the chosen HTTP-01 solver (acmeorders/util.go). */
const overrideAnnotations = [
  'acme.cert-manager.io/http01-override-ingress-name', 'acme.cert-manager.io/http01-override-ingress-class',
  'acme.cert-manager.io/http01-override-ingress-ingressclassname', 'acme.cert-manager.io/http01-parentrefkind',
  'acme.cert-manager.io/http01-parentrefname', 'acme.cert-manager.io/http01-parentrefnamespace'
] as const

/** What the override annotations set, for the evidence. */
export function overridesOf (annotations: Map<string, string>): string[] {
  return overrideAnnotations.flatMap(name => annotations.has(name) ? [`${name}=${annotations.get(name)}`] : [])
}

function evidenceOf (considered: SolverChoiceFacts['considered'], chosen: number | undefined, { ref, solvers }: ChoiceInput): Evidence[] {
  const summary = considered.map(({ index, type, fits, why }) => `solver ${index} (${type}) ${fits ? 'fits' : 'does not fit'}: ${why}`).join('; ')
  const detail = chosen === undefined ? '' : ` – chosen: solver ${chosen}${describe(solvers[chosen]!)}`
  return [{ source: 'issuer', ref, text: solvers.length === 0 ? 'has no solvers' : `${summary}${detail}` }]
}

function describe (solver: Fields): string {
  const ingress = fields(at(solver, 'http01', 'ingress'))
  const name = string(ingress.ingressClassName) || string(ingress.class) || string(ingress.name)
  return name === '' ? '' : ` (${name})`
}
