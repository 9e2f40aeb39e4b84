import type { Condition, KubeObject } from '../shared/types/kubernetes.ts'
import { plainQuotes } from './acme-problem.ts'
import { conditions, fields, fieldsList, string } from './facts/fields.ts'

/** Words of the ACME kinds that several files read. */
export const stateOf = (object: KubeObject | undefined): string => string(fields(object?.status).state).toLowerCase()
export const reasonOf = (object: KubeObject | undefined): string => string(fields(object?.status).reason)

/** A condition of an object, by type. */
export function conditionOf (object: KubeObject | undefined, type: string): Condition | undefined {
  return conditions(fields(object?.status).conditions).find(condition => condition.type === type)
}

export const isFailure = (state: string): boolean => state === 'invalid' || state === 'expired' || state === 'errored'

/** `Challenge shop/web-tls-1-2-3`, as a person would look it up. */
export const refOf = (kind: string, namespace: string | undefined, name: string): string => `${kind} ${namespace === undefined || namespace === '' ? '' : `${namespace}/`}${name}`

/** The first 52 characters, as cert-manager cuts a name before it appends a hash (pkg/api/util/names.go). */
function shortened (name: string): string {
  let end = Math.min(name.length, 52)
  while (end > 0 && name[end - 1] === '-') end--
  return name.slice(0, end)
}

/** Is `child` the name that cert-manager makes from `parent` and a hash? */
export function isNamedAfter (child: string, parent: string): boolean {
  const prefix = `${shortened(parent)}-`
  return parent !== '' && child.startsWith(prefix) && /^\d{1,10}$/.test(child.slice(prefix.length))
}

/** Names that a CertificateRequest's or Certificate's condition gives of an Order that is gone. */
export function orderInText (written: string): { name?: string, state?: string, reason?: string } {
  const text = plainQuotes(written)
  const failed = /order resource ["']([^"']+)["'] to become ready: order is in ["'](\w*)["'] state: ?([^]*)$/.exec(text)
  if (failed !== null) return { name: failed[1], state: failed[2], reason: failed[3]!.trim() }
  const waiting = /Waiting on certificate issuance from order ([^\s/]+)\/(\S+): ["'](\w*)["']/.exec(text)
  if (waiting !== null) return { name: waiting[2], state: waiting[3] }
  const created = /Created Order resource ([^\s/]+)\/(\S+)/.exec(text)
  return created === null ? {} : { name: created[2] }
}

/** Challenge types that the CA offered, in cert-manager's spelling of the status. */
export function authorizationsOf (order: KubeObject | undefined): { identifier: string, wildcard: boolean, initialState: string, challengeTypes: string[], tokens: string[], url: string }[] {
  return fieldsList(fields(order?.status).authorizations).map(item => {
    const challenges = fieldsList(item.challenges)
    return {
      identifier: string(item.identifier), wildcard: item.wildcard === true, initialState: string(item.initialState),
      challengeTypes: challenges.map(({ type }) => string(type)), tokens: challenges.map(({ token }) => string(token)), url: string(item.url)
    }
  })
}

/** `HTTP-01` or `DNS-01`, whatever the case and form. */
export function challengeTypeOf (challenge: KubeObject | undefined): 'HTTP-01' | 'DNS-01' | undefined {
  const spec = fields(challenge?.spec)
  const type = string(spec.type).toUpperCase()
  if (type === 'HTTP-01' || type === 'DNS-01') return type
  const solver = fields(spec.solver)
  return solver.http01 !== undefined ? 'HTTP-01' : solver.dns01 !== undefined ? 'DNS-01' : undefined
}
