import type { AcmeProblem, Wrapper } from '../shared/types/case.ts'

/**
 * What cert-manager and others put in front of a text, and the stage of issuance each one
 * tells. Peeled from the outside in, in any order and nesting; the innermost stage wins.
 * Anchored, linear, one blank at the end as it is printed.
 */
const wrappers: readonly { match: RegExp, is?: Wrapper }[] = [
  { match: /^\(combined from similar events\): ?/ },
  { match: /^Error presenting challenge: ?/i, is: 'present' },
  { match: /^Waiting for (?:HTTP|DNS)-01 challenge propagation: ?/i, is: 'self-check' },
  { match: /^propagation check failed: ?/i, is: 'self-check' },
  { match: /^(?:Presenting|Self check failed|self-check failed): /i, is: 'self-check' },
  { match: /^Error cleaning up challenge: ?/i, is: 'cleanup' },
  { match: /^Error accepting challenge: ?/i, is: 'accept' },
  { match: /^unexpected non-ACME API error: ?/i, is: 'accept' },
  { match: /^(?:Error accepting authorization|Accepting challenge authorization failed): ?/i, is: 'authorization' },
  { match: /^acme: authorization error(?: for [^\s:][^\s]*?)?: ?/i, is: 'authorization' },
  { match: /^CAA self-check failed: ?/i, is: 'self-check' },
  { match: /^Failed to (?:create|get) Order: ?/i, is: 'order-create' },
  { match: /^error creating new order: ?/i, is: 'order-create' },
  { match: /^Failed to finalize Order: ?/i, is: 'order-finalize' },
  { match: /^error finalizing order: ?/i, is: 'order-finalize' },
  { match: /^acme: order \S* ?status: \w*; problem: ?/i, is: 'order-finalize' },
  { match: /^Failed to retrieve signed certificate: ?/i, is: 'order-finalize' },
  { match: /^Invalid certificate retrieved from ACME server: ?/i, is: 'order-finalize' },
  { match: /^Failed to retrieve Order resource: ?/i, is: 'order-other' },
  { match: /^Failed to fetch authorization: ?/i, is: 'order-other' },
  { match: /^error (?:syncing order status|retrieving preferred chain|reading \(cluster\)issuer ["'][^"']*["']): ?/i, is: 'order-other' },
  { match: /^Failed to determine a valid solver configuration for the set of domains on the Order: ?/i, is: 'solver-selection' },
  { match: /^Failed to determine the list of Challenge resources needed for the Order: ?/i, is: 'solver-selection' },
  { match: /^Failed to (?:register|verify|update) ACME account: ?/i, is: 'account' },
  { match: /^Error initializing issuer: ?/i, is: 'issuer' },
  { match: /^The certificate request has failed to complete and will be retried: ?/i, is: 'certificate' },
  { match: /^Failed to wait for order resource ["'][^"']*["'] to become ready: ?/i, is: 'request' },
  { match: /^order is in ["']\w*["'] state: ?/i },
  { match: /^error issuing certificate request: ?/i, is: 'request' },
  { match: /^re-queuing item due to error processing: ?/i }
]

const maxLength = 65_536
const maxLayers = 24

/** Takes the wrappers off. `fallback` is the stage when no wrapper tells one. White space of the core is folded. */
export function peelWrapper (text: string, fallback: Wrapper = 'object'): { wrapper: Wrapper, core: string } {
  let rest = plainQuotes(text.slice(0, maxLength)).replaceAll(/[ \t]{2,}/g, ' ').trim()
  let wrapper = fallback
  for (let layer = 0; layer < maxLayers; layer++) {
    const found = wrappers.find(({ match }) => match.test(rest))
    if (found === undefined) break
    const inner = rest.replace(found.match, '').trimStart()
    // Nothing behind the last wrapper (`order is in "invalid" state: `): it is the whole message.
    if (inner !== '') rest = inner
    if (found.is !== undefined && !coarser(found.is, wrapper)) wrapper = found.is
    if (inner === '') break
  }
  return { wrapper, core: fold(rest) }
}

/** `order is in "errored" state` and its like name no stage of their own once an inner one is known. */
const coarse: readonly Wrapper[] = ['certificate', 'request']
const coarser = (next: Wrapper, now: Wrapper): boolean => coarse.includes(next) && !['object', 'log', 'alert', ...coarse].includes(now)

/** White space in one line, as people quote it. */
export const fold = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** Quotes as programs print them: what escaped them once more or made them typographic on the way is taken back. */
export const plainQuotes = (text: string): string => text.replaceAll(/\\+(?=["'])|[\u201C\u201D\u201E\u201F\u00AB\u00BB]|[\u2018\u2019\u201A\u201B]/g, (quote) => quote.startsWith('\\') ? '' : quote >= '\u2018' && quote <= '\u201B' ? "'" : '"')

/** RFC 8555's, ACME v1's, and those of CAs with types of their own (`urn:keyon:params:acme:error:expired`). */
const urn = 'urn:(?:[a-z0-9-]+:)?(?:params:)?acme:error:'
const problemStart = new RegExp(`(?:^|[\\s:;"(])(?:(\\d{1,3}) )?(${urn}([A-Za-z0-9_-]+)): ?`, 'g')
const bareStart = /^(\d{1,3}) (?:urn:\S*)?: ?/
const identifierPattern = /authorization error for (\S+?): /i

/** The ACME problem in a text, with every layer in front of it as a field; undefined when none is there. */
export function peelProblem (text: string): AcmeProblem | undefined { return problemsIn(text)[0] }

/** All problems of a text: several challenge errors of one authorization are joined by `; `. */
export function problemsIn (text: string): AcmeProblem[] {
  const bounded = plainQuotes(text.slice(0, maxLength)).replaceAll(/[ \t]{2,}/g, ' ')
  const identifier = identifierPattern.exec(bounded)?.[1]
  const starts = [...bounded.matchAll(problemStart)].slice(0, 100)
  if (starts.length > 0) {
    return starts.flatMap((start, index) => {
      const from = start.index + start[0].length
      const end = starts[index + 1]?.index ?? bounded.length
      // An URN that a problem's own detail quotes is part of it; only `; ` begins the next one.
      const separated = index === 0 || /;\s*$/.test(bounded.slice(0, start.index + 1))
      if (!separated) return []
      const next = starts.slice(index + 1).find(other => /;\s*$/.test(bounded.slice(0, other.index + 1)))
      return [problemOf({ ...start[1] === undefined ? {} : { status: Number(start[1]) }, type: start[3]!, identifier, text: bounded.slice(from, next?.index ?? Math.max(end, bounded.length)).replace(/;\s*$/, '') })]
    })
  }
  const { core, wrapper } = peelWrapper(bounded, 'object')
  const bare = bareStart.exec(core)
  // A reply that is no JSON: the status, an empty type, and the body as detail (`503 : <html>…`).
  if (bare !== null) return [problemOf({ status: Number(bare[1]), type: '', identifier, text: core.slice(bare[0].length) })]
  // cert-manager copies the bare detail when a challenge was already invalid at its first sync.
  if (wrapper === 'authorization' || /^(?:[0-9a-f.:]+: )?Fetching https?:\/\/|^During secondary validation: |^(?:rechecking caa: )?While processing CAA for |^DNS problem: /i.test(core)) {
    return core === '' ? [] : [problemOf({ identifier, text: core })]
  }
  return []
}

/** The problem in a JSON problem document (RFC 8555 §6.7), such as a challenge's `error`. */
export function problemFromDocument (document: unknown): AcmeProblem | undefined {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return undefined
  const { type, detail, status, subproblems, identifier } = document as Record<string, unknown>
  if (typeof type !== 'string' && typeof detail !== 'string') return undefined
  const problem = problemOf({
    status: typeof status === 'number' ? status : undefined,
    type: typeof type === 'string' ? lastPart(type) : undefined,
    identifier: valueOf(identifier),
    text: typeof detail === 'string' ? detail : ''
  })
  if (Array.isArray(subproblems)) {
    problem.subproblems = subproblems.slice(0, 100).flatMap(item => {
      if (typeof item !== 'object' || item === null) return []
      const sub = item as Record<string, unknown>
      return [{ type: typeof sub.type === 'string' ? lastPart(sub.type) : '', identifier: valueOf(sub.identifier), detail: typeof sub.detail === 'string' ? sub.detail : '' }]
    })
  }
  return problem
}

function valueOf (identifier: unknown): string | undefined {
  const value = typeof identifier === 'object' && identifier !== null ? (identifier as Record<string, unknown>).value : undefined
  return typeof value === 'string' ? value : undefined
}
const lastPart = (type: string): string => type.slice(type.lastIndexOf(':') + 1)

interface Raw { status?: number, type?: string, identifier?: string, text: string }

/** Boulder's layers, in the order in which it puts them; each is taken at most once, an address and a URL again after a redirect. */
function problemOf ({ status, type, identifier, text }: Raw): AcmeProblem {
  const { head, subproblems } = splitSubproblems(text)
  const problem: AcmeProblem = { status, type, detail: '', secondary: false, identifier, subproblems }
  let rest = head.trim()
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const match = pattern.exec(rest)
    if (match === null) return undefined
    rest = rest.slice(match[0].length)
    return match
  }
  problem.stage = take(/^([A-Z][^:]{3,60}) :: /)?.[1]
  for (let layer = 0; layer < 8; layer++) {
    if (take(/^During secondary validation: /i) !== undefined) problem.secondary = true
    else if (problem.caa === undefined) {
      const caa = take(/^(rechecking caa: )?While processing CAA for ([^\s]+?): /i) ?? take(/^(rechecking caa): /i)
      if (caa === undefined) break
      problem.caa = { name: caa[2] ?? '', recheck: caa[1] !== undefined }
    } else break
  }
  for (let hop = 0; hop < 3; hop++) {
    const ip = take(/^([0-9a-f.]*[.:][0-9a-f.:]+): (?=Fetching |Invalid response|Timeout|Connection|Error |remote error|Server )/i)
    if (ip !== undefined) problem.ip = ip[1]
    const url = take(/^Fetching (\S+): /)
    if (url !== undefined) problem.url = url[1]
    if (ip === undefined && url === undefined) break
  }
  problem.url ??= /^Invalid response from (\S+?)(?: \[|: )/.exec(rest)?.[1]
  // The older Boulder form puts the address behind the URL: `Invalid response from http://x/… [203.0.113.7]: 404`.
  problem.ip ??= /^Invalid response from \S+ \[([0-9a-f.:]+)\]/i.exec(rest)?.[1]
  if (problem.ip !== undefined) problem.family = problem.ip.includes(':') ? 6 : 4
  problem.detail = rest.trim()
  return withoutUndefined(problem)
}

function splitSubproblems (text: string): { head: string, subproblems: AcmeProblem['subproblems'] } {
  const at = text.indexOf('; subproblems:')
  if (at < 0) return { head: text, subproblems: [] }
  const subproblems = text.slice(at + '; subproblems:'.length).split(new RegExp(`\\s+(?=${urn})`)).slice(0, 100).flatMap(line => {
    const match = new RegExp(`^${urn}([\\w-]+): (?:\\[(?:\\w+): ([^\\]\\s]+)\\] )?([^]*)$`).exec(line.trim())
    return match === null ? [] : [{ type: match[1]!, identifier: match[2], detail: fold(match[3]!) }]
  })
  return { head: text.slice(0, at), subproblems }
}

/** Absent fields are left out, so that a case file and the value in memory are the same. */
function withoutUndefined<T extends object> (value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T
}
