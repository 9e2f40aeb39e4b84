import { isIP } from 'node:net'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { list, namesOf, text } from './fields.ts'
import type { OutsideIdentifier, OutsideRequest } from './outside-request.ts'
import type { Chain } from './chain.ts'
import type { Gathering } from './gathering.ts'

/** What to ask the world, made from what the cluster knows of the attempt. */
export function outsideRequest (chain: Chain, issuer: KubeObject | undefined, domains: string[], edges: KubeObject[], recursiveNameservers: string[]): OutsideRequest {
  const { addresses, hostnames } = ownAddresses(edges)
  const request: OutsideRequest = { identifiers: identifiers(chain, issuer, domains), clusterAddresses: addresses, clusterHostnames: hostnames, recursiveNameservers }
  const server = text(issuer, 'spec', 'acme', 'server')
  if (server !== '') {
    const bundle = text(issuer, 'spec', 'acme', 'caBundle')
    request.acme = { server, ...(bundle === '' ? {} : { caBundle: Buffer.from(bundle, 'base64').toString('utf8') }), skipTlsVerify: (issuer?.spec?.acme as { skipTLSVerify?: unknown } | undefined)?.skipTLSVerify === true }
  }
  const orderUrl = text(chain.order, 'status', 'url')
  if (orderUrl !== '') request.orderUrl = orderUrl
  return request
}

function identifiers (chain: Chain, issuer: KubeObject | undefined, domains: string[]): OutsideIdentifier[] {
  const found = new Map<string, OutsideIdentifier>()
  const add = (identifier: OutsideIdentifier): void => {
    if (identifier.name === '') return
    const key = `${identifier.name} ${identifier.wildcard}`
    const known = found.get(key)
    found.set(key, known === undefined ? identifier : { ...identifier, ...known })
  }
  for (const challenge of chain.challenges) {
    const name = text(challenge, 'spec', 'dnsName').toLowerCase()
    const type = text(challenge, 'spec', 'type').toUpperCase()
    add({
      name, type: isIP(name) === 0 ? 'dns' : 'ip', wildcard: (challenge.spec as { wildcard?: unknown } | undefined)?.wildcard === true,
      ...(type === 'HTTP-01' || type === 'DNS-01' ? { challengeType: type } : {}),
      ...given('token', text(challenge, 'spec', 'token')), ...given('key', text(challenge, 'spec', 'key')),
      ...given('authorizationUrl', text(challenge, 'spec', 'authorizationURL')), ...given('challengeUrl', text(challenge, 'spec', 'url')),
      passed: text(challenge, 'status', 'state') === 'valid'
    })
  }
  const usual = usualType(issuer)
  for (const authorization of list(chain.order, 'status', 'authorizations')) {
    const name = text(authorization, 'identifier').toLowerCase()
    const wildcard = (authorization as { wildcard?: unknown }).wildcard === true
    const type = wildcard ? 'DNS-01' : usual
    const challenge = list(authorization, 'challenges').find(entry => type !== undefined && text(entry, 'type').toUpperCase() === type)
    add({ name, type: isIP(name) === 0 ? 'dns' : 'ip', wildcard, ...(type === undefined ? {} : { challengeType: type }), ...given('authorizationUrl', text(authorization, 'url')), ...given('token', text(challenge, 'token')), ...given('challengeUrl', text(challenge, 'url')), passed: text(authorization, 'initialState') === 'valid' })
  }
  for (const full of [...(chain.order === undefined ? [] : namesOf(chain.order)), ...(chain.certificate === undefined ? [] : namesOf(chain.certificate)), ...(chain.order === undefined && chain.certificate === undefined ? domains : [])]) {
    const wildcard = full.startsWith('*.')
    const name = wildcard ? full.slice(2) : full
    const type = wildcard ? 'DNS-01' : usual
    add({ name, type: isIP(name) === 0 ? 'dns' : 'ip', wildcard, ...(type === undefined ? {} : { challengeType: type }) })
  }
  return [...found.values()]
}

const given = <Key extends string>(key: Key, value: string): { [K in Key]?: string } => value === '' ? {} : { [key]: value } as { [K in Key]?: string }

/** The one kind of challenge that all solvers of the issuer use. */
function usualType (issuer: KubeObject | undefined): 'HTTP-01' | 'DNS-01' | undefined {
  const solvers = list(issuer, 'spec', 'acme', 'solvers')
  if (solvers.length === 0) return undefined
  if (solvers.every(solver => (solver as { http01?: unknown }).http01 !== undefined)) return 'HTTP-01'
  if (solvers.every(solver => (solver as { dns01?: unknown }).dns01 !== undefined)) return 'DNS-01'
  return undefined
}

/**
 * Addresses and names at which this cluster takes requests, as controllers wrote them into a status. Never from a
 * spec (externalIPs, loadBalancerIP): that is a tenant's wish, and these addresses open the guard.
 */
export function ownAddresses (objects: KubeObject[]): { addresses: string[], hostnames: string[] } {
  const addresses = new Set<string>()
  const hostnames = new Set<string>()
  const take = (value: string): void => { if (value !== '') (isIP(value) === 0 ? hostnames : addresses).add(value) }
  for (const object of objects) {
    for (const entry of list(object, 'status', 'loadBalancer', 'ingress')) { take(text(entry, 'ip')); take(text(entry, 'hostname')) }
    if (object.kind === 'Gateway') for (const entry of list(object, 'status', 'addresses')) take(text(entry, 'value'))
    if (object.kind === 'Node') for (const entry of list(object, 'status', 'addresses')) if (text(entry, 'type').startsWith('External')) take(text(entry, 'address'))
  }
  return { addresses: [...addresses].sort(), hostnames: [...hostnames].sort() }
}

/** Whatever has an address of this cluster in its status. */
export async function ownEdges (gathering: Gathering): Promise<KubeObject[]> {
  const lists = await Promise.all([
    gathering.items('services', { partial: true }), gathering.items('ingresses.networking.k8s.io', { partial: true }),
    gathering.items('gateways.gateway.networking.k8s.io'), gathering.items('nodes')
  ])
  return lists.flat()
}
