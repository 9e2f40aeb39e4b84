import type { IdentifierCase } from '../shared/types/case.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { Observations } from '../shared/types/observations.ts'
import { problemsIn } from './acme-problem.ts'
import type { Chain } from './chain.ts'
import { at, fields, fieldsList, string, strings } from './facts/fields.ts'
import { authorizationsOf, challengeTypeOf, isFailure, stateOf } from './objects.ts'
import { compare, type IdentifierSeed } from './snapshot.ts'

/** The Ingress that the alert names, when the Certificate that it asks for could not even be made. */
export function ingressWithoutCertificate ({ subject: { certificate, order, tried }, objects }: Observations): KubeObject | undefined {
  const named = tried.find(({ hint, found }) => hint.kind === 'Ingress' && !found)?.hint
  if (named === undefined || certificate !== undefined || order !== undefined) return undefined
  return objects.find(({ kind, metadata }) => kind === 'Ingress' && metadata.name === named.name && (named.namespace === undefined || metadata.namespace === named.namespace))
}

const isAddress = (name: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name) || name.includes(':')

/** The names of the attempt, from the object that says most: Order, Challenges, Certificate, the alert's labels. Never empty. */
export function seedIdentifiers (chain: Chain, observations: Observations): IdentifierSeed[] {
  const seeds = new Map<string, IdentifierSeed>()
  const add = (written: string, wildcard = written.startsWith('*.')): IdentifierSeed | undefined => {
    const name = written.replace(/^\*\./, '').replace(/\.$/, '').toLowerCase()
    if (name === '') return undefined
    const key = `${wildcard ? '*.' : ''}${name}`
    const seed = seeds.get(key) ?? { name, type: isAddress(name) ? 'ip' as const : 'dns' as const, wildcard }
    seeds.set(key, seed)
    return seed
  }

  const spec = fields((chain.order ?? chain.certificate)?.spec)
  for (const name of [...strings(spec.dnsNames), ...strings(spec.ipAddresses)]) add(name)
  const commonName = string(spec.commonName)
  if (seeds.size === 0 && commonName !== '') add(commonName)
  for (const authorization of authorizationsOf(chain.order)) {
    const seed = add(authorization.identifier, authorization.wildcard)
    if (seed !== undefined) seed.authorization = authorization
  }
  for (const challenge of chain.challenges) {
    const { dnsName, wildcard } = fields(challenge.spec)
    const seed = add(string(dnsName), wildcard === true)
    if (seed === undefined) continue
    // Leftovers of a changed solver may stand beside the one in use: the worst tells.
    if (seed.challenge === undefined || worse(stateOf(challenge), stateOf(seed.challenge))) {
      seed.challenge = challenge
      seed.challengeType = challengeTypeOf(challenge)
    }
  }
  if (seeds.size === 0) for (const name of observations.subject.domains) add(name)
  if (seeds.size === 0) for (const { hosts } of fieldsList(at(ingressWithoutCertificate(observations)?.spec, 'tls'))) for (const name of strings(hosts)) add(name)
  if (seeds.size === 0) return [{ name: '', type: 'dns', wildcard: false }]
  for (const seed of seeds.values()) seed.challengeType ??= typeFromAlert(seed, observations)
  return [...seeds.values()]
}

const severity = ['invalid', 'errored', 'expired', 'pending', 'processing', 'ready', '', 'valid']
const worse = (a: string, b: string): boolean => severity.indexOf(a) < severity.indexOf(b)

/** The challenge metric carries `type` and `domain`: they outlive the Challenge. */
function typeFromAlert ({ name }: IdentifierSeed, { alerts }: Observations): IdentifierSeed['challengeType'] {
  for (const { labels } of alerts) {
    const type = (labels.type ?? '').toUpperCase()
    const domain = (labels.domain ?? labels.dns_name ?? labels.dnsName ?? '').replace(/^\*\./, '').toLowerCase()
    if ((type === 'HTTP-01' || type === 'DNS-01') && (domain === name || domain === '')) return type
  }
  return undefined
}

/** What the challenge, the authorization, the CA's record or the Order's problem say of one name. */
export function stateOfIdentifier (seed: IdentifierSeed, seeds: readonly IdentifierSeed[], chain: Chain, caStatus: string | undefined): IdentifierCase['state'] {
  const state = seed.challenge === undefined ? undefined : stateOf(seed.challenge)
  if (state !== undefined && isFailure(state)) return 'failed'
  if (state === 'valid') return 'passed'
  if (caStatus === 'invalid' || caStatus === 'expired' || caStatus === 'deactivated' || caStatus === 'revoked') return 'failed'
  if (caStatus === 'valid') return 'passed'
  if (state !== undefined) return 'pending'
  if (chain.orderState === 'valid') return 'passed'
  if (seed.authorization?.initialState === 'valid') return 'passed'
  if (namedByOrder(seed, chain)) return 'failed'
  const orderFailed = isFailure(chain.orderState ?? '')
  // The only name that is left to blame.
  if (orderFailed && seeds.filter(other => other.authorization?.initialState !== 'valid').length === 1) return 'failed'
  return orderFailed || chain.orderState === undefined ? 'unknown' : 'pending'
}

/** The Order's problem, or one of its sub-problems, names this identifier. */
function namedByOrder ({ name, wildcard }: IdentifierSeed, { orderReason }: Chain): boolean {
  if (orderReason === undefined || orderReason === '' || name === '') return false
  return problemsIn(orderReason).some(problem => {
    const named = [problem.caa?.name, problem.identifier, ...problem.subproblems.map(({ identifier }) => identifier), ...quoted(problem.detail)]
    return named.some(item => item !== undefined && (item.toLowerCase() === name || (wildcard && item.toLowerCase() === `*.${name}`)))
  })
}

const quoted = (text: string): string[] => [...text.matchAll(/["']([^"'\s]{3,253})["']/g)].map(match => match[1]!)

const rank: Record<IdentifierCase['state'], number> = { failed: 0, pending: 1, unknown: 2, passed: 3 }
/** Failing names first, then by name. */
export const byUrgency = (a: { state: IdentifierCase['state'], name: string, wildcard: boolean }, b: { state: IdentifierCase['state'], name: string, wildcard: boolean }): number =>
  rank[a.state] - rank[b.state] || compare(a.name, b.name) || Number(a.wildcard) - Number(b.wildcard)
