import type { Case, IssuerFacts, OrderFacts, Text } from '../shared/types/case.ts'
import type { Look, Millis } from '../shared/types/common.ts'

/** What was seen, or undefined: for wanted facts, whose absence and unavailability mean the same to a cause. */
export const valueIn = <T>(look: Look<T>): T | undefined => look.is === 'seen' ? look.value : undefined

/** The CA took the order, so nothing that is decided at newOrder (account, limits, names) stopped it. */
export const acceptedByCa = (order: OrderFacts | undefined): boolean => order?.url !== undefined && order.url !== '' && order.authorizations.length > 0

/** The order ended invalid and no reason was written down: the Order says so, or, when it is gone, what repeats its words. */
export function endedInSilence ({ facts }: Case): boolean {
  const order = valueIn(facts.order)
  if (order !== undefined) return order.state === 'invalid' && order.reason === ''
  const repeated = valueIn(facts.request)?.ready?.message ?? valueIn(facts.certificate)?.issuing?.message ?? ''
  return /order is in "invalid" state:\s*$/.test(repeated)
}

/** Host of the issuer's ACME server, lower case. */
export function acmeHostOf (issuer: IssuerFacts | undefined): string | undefined {
  const server = issuer?.acme?.server
  return server !== undefined && URL.canParse(server) ? new URL(server).hostname.toLowerCase() : undefined
}

/**
 * Whether a transport error speaks of the ACME server and not of a DNS provider, an admission
 * webhook or the self-check: the stage says so, or the URL in the text does.
 */
export function isAboutAcmeServer ({ wrapper, whole, evidence }: Text, issuer: IssuerFacts | undefined): boolean {
  if (/failed calling webhook|webhook\.cert-manager\.io/i.test(whole)) return false
  const text = whole.toLowerCase()
  const host = acmeHostOf(issuer)
  if (host !== undefined && (text.includes(`//${host}`) || text.includes(` ${host} `))) return true
  if (/"https?:\/\/[^"\s]*(\/directory|\/acme\/|\/dv90|new-?(order|nonce|acct|account))/i.test(whole)) return true
  if (wrapper === 'self-check' || wrapper === 'present' || wrapper === 'cleanup' || wrapper === 'solver-selection' || wrapper === 'object') return false
  if (wrapper === 'account' || wrapper === 'order-create' || wrapper === 'order-finalize' || wrapper === 'order-other') return true
  return /acme account|creating new order|finalizing order|acme server|initializing issuer/i.test(whole) || (evidence.source === 'issuer' && /"https?:\/\//.test(whole))
}

/** Whether `system:serviceaccount:<namespace>:<name>` is the controller; by its usual names when its account is not known. */
export function isController (user: string, account: string | undefined): boolean {
  const name = user.split(':').at(-1) ?? ''
  return account === undefined ? /cert-manager(?:-controller)?$/i.test(name) : name.toLowerCase() === account.toLowerCase()
}

/** The end of a limit as Boulder writes it, `retry after 2026-08-23 01:29:08 UTC`. */
export function retryAfter ({ whole }: Text): Millis | undefined {
  const [, date, time] = /retry after (\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})/i.exec(whole) ?? []
  const at = date === undefined ? Number.NaN : Date.parse(`${date}T${time}Z`)
  return Number.isNaN(at) ? undefined : at
}

/** A moment for people: `2026-11-24 02:56 UTC`. */
export const utc = (time: Millis): string => `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`
