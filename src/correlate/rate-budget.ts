import type { RateBudget, Text } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { RecordedState } from '../shared/types/observations.ts'
import { at } from './facts/fields.ts'
import { stateOf } from './objects.ts'
import { createdAt, millisOf, type Snapshot } from './snapshot.ts'

const minute: Millis = 60_000
const hour = 60 * minute

/** A token bucket as Let's Encrypt documents it (letsencrypt.org/docs/rate-limits, 2026-08-05). */
interface Limit { what: string, of: number, refill: Millis, per: string }
const failures: Limit = { what: 'failed validations', of: 5, refill: 12 * minute, per: 'hour' }
const exactSet: Limit = { what: 'certificates for exactly these names', of: 5, refill: 34 * hour, per: 'week' }
/** Staging counts too, so generously (200 an hour) that nobody need ration it. */
const productionHost = 'acme-v02.api.letsencrypt.org'
const stagingHost = 'acme-staging-v02.api.letsencrypt.org'

export type CaKind = 'lets-encrypt' | 'lets-encrypt-staging' | 'other'

/** Whose limits apply. Only Let's Encrypt publishes numbers that can be counted with. */
export function caKindOf (issuer: KubeObject | undefined): CaKind {
  const server = at(issuer?.spec, 'acme', 'server')
  const host = typeof server === 'string' && URL.canParse(server) ? new URL(server).hostname : ''
  return host === productionHost ? 'lets-encrypt' : host === stagingHost ? 'lets-encrypt-staging' : 'other'
}

export interface BudgetQuestion {
  issuer?: KubeObject
  order?: KubeObject
  /** Names of the attempt, without `*.`. */
  names: readonly string[]
  snapshot: Snapshot
  recorded: readonly RecordedState[]
  texts: readonly Text[]
  now: Millis
}

/**
 * What is left of the CA's limits, as far as our own history tells: an upper bound, since others may
 * use the same account or ask for the same names. The CA's own text comes first and counts nothing.
 */
export function rateBudgets (question: BudgetQuestion): RateBudget[] {
  const said = saidByCa(question)
  if (said !== undefined) return [said]
  if (caKindOf(question.issuer) !== 'lets-encrypt') return []
  const counted = [
    ...question.names.map((name) => ({ limit: failures, about: name, times: failuresOf(question, name) })),
    { limit: exactSet, about: '', times: issuedBefore(question) }
  ]
  return counted.flatMap(({ limit, about, times }) => {
    const [used, level] = spend(limit, times, question.now)
    return used === 0 ? [] : [budget(limit, about, used, level, question.now)]
  }).sort((one, other) => one.left - other.left)
}

function saidByCa ({ texts, now }: BudgetQuestion): RateBudget | undefined {
  const limited = texts.find(({ attempt, problem }) => attempt === 'current' && problem?.type === 'rateLimited' && problem.status !== 503)
  const until = /retry after (\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}) UTC/i.exec(limited?.whole ?? '')
  const ends = until === null ? Number.NaN : Date.parse(`${until[1]}T${until[2]}Z`)
  if (limited === undefined || Number.isNaN(ends)) return undefined
  return { limit: limited.problem!.detail.replace(/, retry after[\s\S]*$/i, ''), about: '', left: 0, ends, from: 'ca', text: ends > now ? `The CA takes no more until ${utc(ends)}.` : `The limit that the CA named ended at ${utc(ends)}.` }
}

/** When this name's challenges were judged invalid by the CA: what is still there, and what the recorder kept. */
function failuresOf ({ issuer, snapshot, recorded }: BudgetQuestion, name: string): Millis[] {
  const times = new Map<string, Millis>()
  for (const challenge of snapshot.byKind('Challenge')) {
    if (at(challenge.spec, 'dnsName') !== name || stateOf(challenge) !== 'invalid' || !isOf(issuer, challenge)) continue
    const owner = challenge.metadata.ownerReferences?.map(({ uid }) => snapshot.byUid(uid)).find((object) => object?.kind === 'Order')
    times.set(challenge.metadata.uid, millisOf(at(owner?.status, 'failureTime')) ?? createdAt(challenge))
  }
  for (const state of recorded) if (state.kind === 'Challenge' && state.state === 'invalid' && state.dnsName === name && !times.has(state.uid)) times.set(state.uid, state.at)
  return [...times.values()]
}

/** Same issuer, so the same account; an Issuer's name means another one in another namespace. */
function isOf (issuer: KubeObject | undefined, object: KubeObject): boolean {
  return at(object.spec, 'issuerRef', 'name') === issuer?.metadata.name && (issuer?.kind === 'ClusterIssuer' || object.metadata.namespace === issuer?.metadata.namespace)
}

/** Orders of the same names that ended with a certificate. */
function issuedBefore ({ issuer, order, snapshot }: BudgetQuestion): Millis[] {
  const set = setOf(order)
  if (set === '') return []
  return snapshot.byKind('Order').filter((other) => stateOf(other) === 'valid' && setOf(other) === set && isOf(issuer, other)).map(createdAt)
}

function setOf (order: KubeObject | undefined): string {
  const names = at(order?.spec, 'dnsNames')
  return Array.isArray(names) ? names.map(String).sort().join(' ') : ''
}

/** Runs the bucket over what was used. Its level is told in the time that filling it so far takes: whole milliseconds. */
function spend ({ of, refill }: Limit, times: readonly Millis[], now: Millis): [used: number, level: Millis] {
  const full = of * refill
  const counted = times.filter((each) => each <= now && each > now - full).sort((a, b) => a - b)
  let level = full
  let last = counted[0] ?? now
  for (const time of counted) {
    level = Math.max(0, Math.min(full, level + time - last) - refill)
    last = time
  }
  return [counted.length, Math.min(full, level + now - last)]
}

function budget (limit: Limit, about: string, used: number, level: Millis, now: Millis): RateBudget {
  const left = Math.floor(level / limit.refill)
  const ends = now + (left + 1) * limit.refill - level
  const subject = about === '' ? '' : ` of ${about}`
  const rest = left === 0 ? `none is left before ${utc(ends)}` : `at most ${left} ${left === 1 ? 'try is' : 'tries are'} left, one more at ${utc(ends)}`
  return {
    limit: limit.what, about, left, of: limit.of, used, ends, from: 'history',
    text: `Let's Encrypt allows ${limit.of} ${limit.what}${subject} per ${limit.per}; ${used} ${used === 1 ? 'was' : 'were'} seen here: ${rest}.`
  }
}

const utc = (time: Millis): string => `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`
