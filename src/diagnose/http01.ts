import type { Case, ChallengeFacts, IdentifierCase, IssuerFacts, ProbeFacts, RouteClaim, RoutingFacts, RoutingHint, Text } from '../shared/types/case.ts'
import type { Look } from '../shared/types/common.ts'
import type { TextRule } from './cause.ts'
import { acmeHostOf, valueIn } from './reading.ts'
import { everywhere } from './sources.ts'

/** The facts from which the state of an HTTP-01 challenge is read. */
export const http01Facts = ['challenge', 'probeFromOutside', 'probeFromCluster'] as const

/** How a request for the challenge path ended. */
type FailureKind =
  | 'timeout' | 'slow' | 'refused' | 'reset' | 'closed' | 'unreachable' | 'tls' | 'redirect' | 'status' | 'wrong-body' | 'empty-body' | 'other-token'
  | 'dns' | 'proxy' | 'other'

/** One failed request, by whoever made it. */
export interface Failure {
  kind: FailureKind
  by: 'ca' | 'self-check' | 'outside' | 'inside'
  cite: Text | 'probeFromOutside' | 'probeFromCluster'
  status?: number
  /** IP address that was dialled, when it is known. */
  address?: string
  /** For people: the words themselves, or the probe's outcome. */
  words: string
}

/** What is known of the requests for one challenge. */
export interface Reading {
  /** The CA has looked: what the self-check said before does not count any more. */
  asked: boolean
  /** The solver should be answering now, so that a wrong answer to a probe of ours means something. */
  live: boolean
  /** The failure as the CA meets it: its own words, else the outside view, else (for want of one) the inside. */
  failure?: Failure
  ca?: Failure
  selfCheck?: Failure
  outside?: ProbeFacts
  inside?: ProbeFacts
  /** The right answer was seen from outside. */
  servedOutside: boolean
  servedInside: boolean
}

interface Given {
  case: Case
  identifier: IdentifierCase
  challenge: Look<ChallengeFacts> | ChallengeFacts
  probeFromOutside: Look<ProbeFacts>
  probeFromCluster: Look<ProbeFacts>
}

/** Reads the texts and probes of one identifier together. The CA's word comes first. */
export function readHttp01 ({ case: incident, identifier, challenge, probeFromOutside, probeFromCluster }: Given): Reading {
  const facts = 'is' in challenge ? valueIn(challenge) : challenge
  const texts = incident.texts.filter(text => text.attempt !== 'earlier' && (text.about.length === 0 || text.about.includes(identifier.name)))
  const ca = best(texts.filter(isWordOfCa).map(text => failureIn(text, 'ca')))
  const selfCheck = best(texts.filter(({ wrapper }) => wrapper === 'self-check').map(text => failureIn(text, 'self-check')))
  const outside = valueIn(probeFromOutside)
  const inside = valueIn(probeFromCluster)
  const asked = ca !== undefined || facts?.asked === true
  const live = facts?.state === 'pending' && facts.presented && !asked
  const servedOutside = outside?.outcome === 'token-served'
  const servedInside = inside?.outcome === 'token-served'
  const failure = ca ?? (outside === undefined ? undefined : failureOf(outside, 'outside', live)) ?? (servedOutside ? undefined : (asked ? undefined : selfCheck) ?? (inside === undefined ? undefined : failureOf(inside, 'inside', live)))
  return { asked, live, failure, ca, selfCheck: asked ? undefined : selfCheck, outside, inside, servedOutside, servedInside }
}

/** Words of the CA about this validation; what it said of one of its remote vantage points only, or of CAA, is another story. */
function isWordOfCa ({ evidence, wrapper, problem, core }: Text): boolean {
  if (wrapper === 'self-check' || wrapper === 'present' || wrapper === 'cleanup') return false
  if (problem?.secondary === true || problem?.caa !== undefined || /during secondary validation|while processing caa/i.test(core)) return false
  if (wrapper === 'ca' || wrapper === 'authorization' || evidence.source === 'acme') return problem !== undefined || wrapper === 'authorization'
  return ['connection', 'unauthorized', 'dns', 'tls', 'incorrectResponse'].includes(problem?.type ?? '')
}

/** The one that says most; `other` only when nothing else was said. */
function best (failures: (Failure | undefined)[]): Failure | undefined {
  const known = failures.filter(item => item !== undefined)
  return known.find(({ kind }) => kind !== 'other') ?? known[0]
}

function failureIn (text: Text, by: 'ca' | 'self-check'): Failure | undefined {
  const words = text.core.slice(0, 2_000)
  const common = { by, cite: text, words, address: text.problem?.ip ?? dialled(words) }
  // What a server sent back stands in quotes behind these words; it must not be read as a failure to connect.
  const status = statusSaid.exec(words)
  if (status !== null) {
    const code = Number(status.slice(1).find(digits => digits !== undefined))
    return { ...common, kind: code === 407 ? 'proxy' : code >= 300 && code < 400 ? 'redirect' : 'status', status: code }
  }
  // Other CAs: `HTTP 503 Service Unavailable`, `was not found (404)`.
  const told = by === 'ca' ? /\bhttp(?:\/[\d.]+)? ([345]\d\d)\b|\(([345]\d\d)\)/i.exec(words) : null
  if (told !== null && !words.includes('"')) return { ...common, kind: 'status', status: Number(told[1] ?? told[2]) }
  const named = /\bstatus code: (\w+)/i.exec(words)?.[1]?.toLowerCase()
  const code = named === undefined ? undefined : statusNames.get(named)
  if (code !== undefined) return { ...common, kind: 'status', status: code }
  if (/did not get expected response|invalid response from \S+(?: \[[^\]]*\])?: "|key authorization file|did not match this challenge|correct value not found|response too (large|small): received/i.test(words) || text.problem?.type === 'incorrectResponse') {
    return { ...common, kind: words.includes('(got "")') ? 'empty-body' : looksLikeToken(words) ? 'other-token' : 'wrong-body' }
  }
  const kind = connectionKinds.find(([pattern]) => pattern.test(words))?.[1]
  if (kind !== undefined) return { ...common, kind }
  if (by === 'ca' && text.problem === undefined) return undefined
  return { ...common, kind: 'other' }
}

const byBoulder = 'invalid response from \\S+(?: \\[[^\\]]*\\])?: '
/** Until 2022 Boulder quoted the head of a page instead of its status; the title of a server's own page is the status. */
const pageOf = (codes: string): string => `${byBoulder}".{0,160}?<(?:title|h1)> ?${codes}:? (?:authori|unauthor|forbidden|not found|internal|server|bad gateway|service|gateway|error)`

const statusSaid = new RegExp(`wrong status code '(\\d{3})'|${byBoulder}(\\d{3})\\b|returned (?:http )?(\\d{3})\\b|request failed: (\\d{3})\\b|\\bstatus(?: code)?\\b\\D{0,12}(\\d{3})\\b|status code from http: \\S+ .{0,20}(\\d{3})|${pageOf('(\\d{3})')}`, 'i')

/** Statuses as .NET prints them. */
const statusNames = new Map([['notfound', 404], ['unauthorized', 401], ['forbidden', 403], ['internalservererror', 500], ['badgateway', 502], ['serviceunavailable', 503], ['gatewaytimeout', 504]])

const looksLikeToken = (words: string): boolean => /(got|!=) ["[][\w-]{43}\.[\w-]{43}["\]]|but got: [\w-]{20,24}\.* ?\(truncated\)|but got: [\w-]{40,44}\.[\w-]{40,44}/.test(words)

const connectionKinds: readonly [RegExp, FailureKind][] = [
  [/no such host|nxdomain|temporary failure in name resolution|name or service not known|unknown ?host|enotfound|could not resolve|dns (name|query name) .{0,20}(not (exist|found)|unknown)|no valid (a|aaaa|ip)|could not resolve|server misbehaving|servfail|refused looking up|looking up (a|aaaa) for|lookup \S+( on \S+)?: /i, 'dns'],
  [/proxyconnect|socks connect|proxy authentication required/i, 'proxy'],
  [/redirect/i, 'redirect'],
  [/remote error: tls|tls: |ssl connection could not|sslhandshake|sslerror|\[ssl: |only speaks http, not tls|http response to https client|doesn't support tls|handshake failure/i, 'tls'],
  [/timeout (after connect|during (read|write))|read timed out|awaiting response headers/i, 'slow'],
  [/timeout during connect|i\/o timeout|client\.timeout exceeded|deadline exceeded|timed out|etimedout|did not properly respond/i, 'timeout'],
  [/connection refused|actively refused|econnrefused/i, 'refused'],
  [/connection ?reset|econnreset|broken pipe|error reading http response body|failed to read response body/i, 'reset'],
  [/network (is )?unreachable|no route to host|host is (down|unreachable)|cannot assign requested address/i, 'unreachable'],
  [/\beof\b|empty reply|socket hang up|remote end closed connection|error getting validation data/i, 'closed']
]

/** The address in `dial tcp 203.0.113.10:80` or `->203.0.113.10:80`. */
function dialled (words: string): string | undefined {
  const match = /(?:dial tcp |->)(?:\[([0-9a-f:.]+)\]|(\d+\.\d+\.\d+\.\d+)):\d+/i.exec(words)
  return match?.[1] ?? match?.[2]
}

/** The host of the last URL that was fetched or gave a wrong answer, when a redirect had led to another than the name. */
export function strayedTo (words: string, name: string): string | undefined {
  const host = [...words.matchAll(/(?:\bget "|\bfetching |\binvalid response from )https?:\/\/([^/\s":]+)/gi)].at(-1)?.[1]?.toLowerCase()
  return host === undefined || host === name.toLowerCase() ? undefined : host
}

/**
 * A probe's outcome as a failure. What it says of content counts only while the solver should answer:
 * a minute later the path gives 404 on the healthiest of clusters.
 */
function failureOf (probe: ProbeFacts, by: 'outside' | 'inside', live: boolean): Failure | undefined {
  const cite = by === 'outside' ? 'probeFromOutside' : 'probeFromCluster'
  const common = { by, cite, address: probe.address, words: wordsOf(probe) } as const
  switch (probe.outcome) {
    case 'token-served': case 'blocked': case 'not-recorded': return undefined
    case 'timeout': case 'refused': case 'reset': case 'closed': case 'unreachable': return { ...common, kind: probe.outcome }
    case 'tls-failed': return { ...common, kind: 'tls' }
    case 'redirect-invalid': return { ...common, kind: 'redirect', status: probe.status }
    case 'status': {
      const lasting = probe.status === 401 || probe.status === 403 || (probe.status !== undefined && probe.status >= 500)
      return live || lasting ? { ...common, kind: 'status', status: probe.status } : undefined
    }
    case 'wrong-body': case 'empty-body': case 'other-token': return live ? { ...common, kind: probe.outcome, status: probe.status } : undefined
    default: return undefined
  }
}

function wordsOf ({ outcome, status, address, bodyKind }: ProbeFacts): string {
  return `${outcome === 'status' ? `status ${status ?? '?'}` : outcome.replaceAll('-', ' ')} from ${address}${bodyKind === undefined ? '' : ` (${bodyKind.replaceAll('-', ' ')})`}`
}

/** The failing answer came from some web server that is not the solver. */
export const isForeignAnswer = (failure: Failure | undefined): boolean =>
  failure !== undefined && (failure.kind === 'wrong-body' || failure.kind === 'empty-body' || (failure.kind === 'status' && !isGatewayStatus(failure.status)))

/** A proxy answered for a backend that it could not reach. */
export const isGatewayStatus = (status: number | undefined): boolean => status === 502 || status === 503 || status === 504

/** Statuses that no ingress controller gives: a content network speaks of its origin, or Azure Firewall of what may not go out. */
export const isStrangeStatus = (status: number | undefined): boolean => status !== undefined && (status === 470 || (status >= 520 && status <= 530))

/** Asked for a token that nobody has, the server gave some answer: the way to it is open from outside. */
export const opensOutside = ({ outside }: Reading): boolean => outside !== undefined && !outside.tokenAsked && outside.status !== undefined

/** No connection, or none that lasted. */
export const isConnectFailure = (failure: Failure | undefined): boolean =>
  failure !== undefined && ['timeout', 'refused', 'unreachable', 'reset', 'closed'].includes(failure.kind)

/** An address of the caller itself. */
export const isLoopback = (address: string | undefined): boolean => address !== undefined && /^(127\.|0\.0\.0\.0$|\[?::1?\]?$)/.test(address)

/** The solver's own claim on the path. */
export const solverClaim = (routing: RoutingFacts | undefined): RouteClaim | undefined => routing?.claims.find(({ solver }) => solver)

/** What answers instead of the solver. */
export const winningRival = (routing: RoutingFacts | undefined): RouteClaim | undefined => routing?.claims.find(({ wins, solver }) => wins && !solver)

export const claimName = ({ kind, namespace, name }: RouteClaim): string => `${kind} ${namespace}/${name}`

export const hintOf = (routing: RoutingFacts | undefined, kind: RoutingHint['kind']): RoutingHint | undefined => routing?.hints?.find(hint => hint.kind === kind)

/** The Service asks the load balancer for PROXY headers, nothing tells the controller to expect them, and it answers 400. */
export function headerUnasked (reading: Reading, routing: RoutingFacts | undefined): RoutingHint | undefined {
  const ends = routing?.hints?.filter(({ kind }) => kind === 'proxy-protocol') ?? []
  return reading.failure?.status === 400 && ends.every(({ where }) => where.startsWith('Service ')) ? ends[0] : undefined
}

/** A setting of that effect on a claim of this very host, the winner's first. */
export function settingOf (routing: RoutingFacts | undefined, ...effects: RouteClaim['settings'][number]['effect'][]): { claim: RouteClaim, field: string, value: string } | undefined {
  for (const claim of routing?.claims ?? []) {
    if (claim.host === '') continue
    const setting = claim.settings.find(({ effect }) => effects.includes(effect))
    if (setting !== undefined) return { claim, field: setting.field, value: setting.value }
  }
  return undefined
}

/** A host and its www sister are one site: the way from one to the other is no way to another site. */
export const isSameSite = (a: string, b: string): boolean => a.replace(/^www\./, '') === b.toLowerCase().replace(/^www\./, '')

/** A CA that looks from the internet, by its host; a private one may sit anywhere. */
export function isPublicCa (issuer: IssuerFacts | undefined): boolean {
  const host = acmeHostOf(issuer)
  return host === undefined || /(^|\.)(letsencrypt\.org|zerossl\.com|pki\.goog|buypass\.(com|no)|ssl\.com|sectigo\.com|digicert\.com|entrust\.net|globalsign\.com|actalis\.com|certum\.pl)$/.test(host)
}

type RuleRest = Omit<TextRule, 'in' | 'match' | 'when'>

/**
 * A text of the CA about this validation, whichever way it reached us. Two rules, because the wrapper or
 * the problem's type may be lost on the way; a remote vantage point's and CAA's words are left out.
 */
export function saidByCa (match: string, rest: RuleRest): TextRule[] {
  return [
    { in: everywhere, match, when: { wrapper: ['authorization', 'ca'], secondary: false, caa: false }, ...rest },
    {
      in: everywhere, match, ...rest,
      when: { wrapper: ['request', 'certificate', 'log', 'object', 'accept', 'order-other'], problem: ['connection', 'unauthorized', 'dns', 'tls', 'malformed', 'incorrectResponse', 'serverInternal'], secondary: false, caa: false }
    }
  ]
}

/** The pattern of a status that the CA got: Boulder's way to say it (`Invalid response from URL: 404`), and that of other CAs (`HTTP status code 404`). */
export const gotStatus = (codes: string): string => `${pageOf(`(?:${codes})`)}|(?:${byBoulder}|\\breturned (?:http )?|\\brequest failed: |\\bstatus(?: code)?\\b[^0-9]{0,12}|\\bhttp(?:/[0-9.]+)? |\\()(?:${codes})\\b`

/** A text of cert-manager's own check before the CA is asked. */
export function selfCheckSays (match: string, rest: RuleRest): TextRule[] {
  return [{ in: everywhere, match, when: { wrapper: ['self-check'] }, ...rest }]
}

/** The solver's Ingress is of another class than the Ingress that serves the same host for visitors. */
export function classDiffers (routing: RoutingFacts): boolean {
  const solver = solverClaim(routing)
  if (solver === undefined || solver.kind !== 'Ingress') return false
  return routing.claims.some(({ kind, solver: own, host, className }) => kind === 'Ingress' && !own && host !== '' && (className ?? '') !== (solver.className ?? ''))
}
