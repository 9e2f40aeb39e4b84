import { isIP } from 'node:net'
import type { Guard } from './guard.ts'

export interface RedirectStep {
  from: URL
  status: number
  location: string
  /** Hops made so far, the redirecting one included. */
  count: number
  most: number
  visited: ReadonlySet<string>
  guard: Guard
}

const followed = new Set([301, 302, 307, 308])
/** Names that no public CA resolves; Boulder holds the whole IANA list, these are the ones that occur. */
const internalSuffixes = /(^|\.)(local|localhost|localdomain|internal|intranet|lan|home|corp|private|svc|cluster|test|invalid|onion|arpa)$/i

/**
 * Whether a CA would follow this redirect: `next` when it would, else `refusal` in Boulder's own
 * words (boulder va/http.go; acme-triage's guard adds nothing that Boulder would follow in public).
 */
export function refuseRedirect (step: RedirectStep): { next?: URL, refusal?: string } {
  const refused = (refusal: string): { refusal: string } => ({ refusal })
  if (!followed.has(step.status)) return refused(`received disallowed redirect status code ${step.status}`)
  if (step.count > step.most) return refused('Too many redirects')

  const target = parseTarget(step.location, step.from)
  if (target === undefined) return refused(`Invalid redirect target ${JSON.stringify(step.location.slice(0, 100))}`)
  const scheme = target.protocol.slice(0, -1)
  if (scheme !== 'http' && scheme !== 'https') return refused(`Invalid protocol scheme in redirect target. Only "http" and "https" protocol schemes are supported, not "${scheme.slice(0, 40)}"`)

  const port = target.port === '' ? (scheme === 'https' ? 443 : 80) : Number(target.port)
  if (port !== 80 && port !== 443) return refused(`Invalid port in redirect target. Only ports 80 and 443 are supported, not ${port}`)

  const host = target.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (host === '') return refused('Invalid empty host in redirect target')
  if (host.endsWith('.well-known')) return refused(`Invalid host in redirect target "${host}". Check webserver config for missing '/' in redirect target.`)
  if (isIP(host) !== 0) {
    const why = step.guard.refuses(host, port)
    if (why !== undefined) return refused(`Invalid host in redirect target: IP address is in a reserved address block: ${why}`)
  } else if (!host.includes('.') || internalSuffixes.test(host)) {
    return refused('Invalid host in redirect target, must end in IANA registered TLD')
  }
  if (target.pathname.length + target.search.length > 2000) return refused('Redirect target too long')
  target.hash = ''
  if (step.visited.has(target.href)) return refused('Redirect loop detected')
  return { next: target }
}

function parseTarget (location: string, from: URL): URL | undefined {
  try {
    const target = new URL(location, from)
    target.username = ''
    target.password = ''
    return target
  } catch {
    return undefined
  }
}
