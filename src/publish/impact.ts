import type { Case } from '../shared/types/case.ts'
import type { Alert, Millis } from '../shared/types/common.ts'
import { duration, plural } from './words.ts'

/** Who is hurt, and how soon: decides between "get up" and "tomorrow". */
export interface Impact {
  urgency: 'now' | 'today' | 'can wait' | 'unknown'
  /** One sentence. */
  text: string
  servedUntil?: Millis
  daysLeft?: number
  /** No valid certificate is served any more, or never was. */
  down?: boolean
  renewal?: boolean
  hosts: string[]
  hangingOn: string[]
}

const day = 86_400_000

/** Reads the served certificate first (what clients get now), then the Certificate's status. */
export function impactOf (seen: Case | undefined, alert: Alert): Impact {
  if (seen === undefined) return { urgency: 'unknown', text: 'Not known yet what is served.', hosts: alert.labels.domain === undefined ? [] : [alert.labels.domain], hangingOn: [] }
  const certificate = seen.facts.certificate.is === 'seen' ? seen.facts.certificate.value : undefined
  const served = seen.identifiers.flatMap(({ facts }) => facts.served.is === 'seen' ? [facts.served.value] : [])
  const live = served.filter(({ notAfter, fake, selfSigned, matchesName }) => notAfter !== undefined && fake === undefined && !selfSigned && matchesName)
  const ends = live.length > 0 ? live.map(({ notAfter }) => notAfter!) : certificate?.notAfter === undefined ? [] : [certificate.notAfter]
  const hosts = certificate === undefined ? seen.identifiers.map(({ name }) => name).filter(name => name !== '') : [...certificate.dnsNames, ...certificate.ipAddresses]
  const hangingOn = hangsOn(seen)
  const renewal = certificate === undefined ? undefined : certificate.notAfter !== undefined || (certificate.revision ?? 0) > 0
  const base = { hosts, hangingOn, ...(renewal === undefined ? {} : { renewal }) }
  if (ends.length === 0) {
    if (certificate === undefined) return { ...base, urgency: 'unknown', text: 'The Certificate was not seen, so what is served is not known.' }
    return { ...base, urgency: 'now', down: true, text: `No certificate has been issued yet: ${plural(hosts.length, 'host')} cannot be served with a valid one.` }
  }
  const servedUntil = Math.min(...ends)
  const left = servedUntil - seen.now
  if (left <= 0) return { ...base, servedUntil, daysLeft: 0, down: true, urgency: 'now', text: `The served certificate expired ${duration(-left)} ago: browsers warn, clients refuse.` }
  const daysLeft = Math.floor(left / day)
  const urgency = left < 2 * day ? 'now' : left < 7 * day ? 'today' : 'can wait'
  return { ...base, servedUntil, daysLeft, urgency, text: `A valid certificate is still served for ${duration(left)}.` }
}

function hangsOn ({ identifiers }: Case): string[] {
  const claims = identifiers.flatMap(({ facts }) => facts.routing.is === 'seen' ? facts.routing.value.claims : [])
  return [...new Set(claims.filter(({ solver }) => !solver).map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`))].sort()
}
