import type { RouteClaim } from '../../shared/types/case.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { createdAt } from '../snapshot.ts'
import { annotationsOf, at, fields, fieldsList, nameOf, string, strings, type Fields } from './fields.ts'
import { classOf, type Family } from './ingress-controllers.ts'
import { filterSettings, ingressSettings } from './ingress-settings.ts'
import { ownershipOf, type OwnershipInput } from './ingress-ownership.ts'
import { parentName, parentsOf, readyEndpoints, statusAddresses } from './solver-objects.ts'

/** A claim with what decides between claims. Only claims of one `group`, that is of one controller or Gateway, compete; undefined competes with all. */
export interface Candidate { claim: RouteClaim, group: string | undefined, hostRank: number, pathRank: number, created: number, family: Family | 'gateway', mergeable: boolean }

export interface ClaimInput extends OwnershipInput {
  host: string
  /** `/.well-known/acme-challenge/<token>`. */
  path: string
  isSolver: (object: KubeObject) => boolean
  /** The Services could be listed: one that is not there is missing. */
  servicesSeen: boolean
}

/** Every path of every Ingress that would take a request for the challenge. */
export function ingressClaims (ingresses: readonly KubeObject[], input: ClaimInput): Candidate[] {
  return ingresses.flatMap(ingress => {
    const ownership = ownershipOf(ingress, input)
    const settings = ingressSettings(input.view, ingress)
    const { name: className } = classOf(ingress)
    const addresses = statusAddresses(ingress)
    const tls = fieldsList(at(ingress.spec, 'tls')).some(({ hosts }) => strings(hosts).length === 0 || strings(hosts).some(host => hostRankOf(host, input.host) > 0))
    const fallback = fields(at(ingress.spec, 'defaultBackend')).service === undefined ? [] : [{ host: '', http: { paths: [{ path: '/', pathType: 'Prefix', backend: at(ingress.spec, 'defaultBackend') }] } }]
    return [...fieldsList(at(ingress.spec, 'rules')), ...fallback].flatMap((rule: Fields) => {
      const host = string(rule.host)
      const hostRank = hostRankOf(host, input.host)
      if (hostRank === 0) return []
      return fieldsList(at(rule.http, 'paths')).flatMap((entry): Candidate[] => {
        const pathType = string(entry.pathType) || 'ImplementationSpecific'
        const path = string(entry.path) || '/'
        const pathRank = pathRankOf(path, pathType, input.path, ownership.family)
        if (pathRank === undefined) return []
        const backend = string(at(entry.backend, 'service', 'name')) || string(at(entry.backend, 'serviceName'))
        return [{
          claim: {
            kind: 'Ingress', namespace: ingress.metadata.namespace ?? '', name: ingress.metadata.name, host, path, pathType, className,
            solver: input.isSolver(ingress) || (path === input.path && backend.startsWith('cm-acme-http-solver-')),
            wins: false, why: ownership.why, ownership: ownership.state, controller: ownership.family, addresses, settings, tls,
            ...backend === '' ? {} : { backend, backendState: backendStateOf(input, ingress.metadata.namespace, backend) }
          },
          group: groupOf(addresses, ownership.family, className), hostRank, pathRank, created: createdAt(ingress), family: ownership.family,
          mergeable: /^(master|minion)$/.test(annotationsOf(ingress).get('nginx.org/mergeable-ingress-type') ?? '')
        }]
      })
    })
  })
}

const groupOf = (addresses: string[], family: Family, className: string | undefined): string => addresses.length > 0 ? [...addresses].sort().join(' ') : `${family} ${className ?? ''}`

/** Every match of every HTTPRoute that would take a request for the challenge, under each of its parents. */
export function routeClaims (routes: readonly KubeObject[], input: ClaimInput): Candidate[] {
  return routes.flatMap(route => {
    const hostnames = strings(at(route.spec, 'hostnames'))
    const best = hostnames.length === 0 ? { host: '', rank: 1 } : hostnames.map(host => ({ host, rank: hostRankOf(host, input.host) })).sort((a, b) => b.rank - a.rank)[0]!
    if (best.rank === 0) return []
    const parents = parentsOf(route)
    const accepted = parents.find(parent => parent.accepted?.status === 'True')
    const refused = parents.find(parent => parent.accepted?.status === 'False')
    const refs = fieldsList(at(route.spec, 'parentRefs'))
    const gateways = refs.map(ref => input.view.find('Gateway', string(ref.namespace) || route.metadata.namespace, string(ref.name)))
    const addresses = gateways.flatMap(gateway => fieldsList(at(gateway?.status, 'addresses')).map(({ value }) => string(value)))
    const why = accepted !== undefined ? `accepted by ${accepted.ref}` : refused === undefined ? 'no controller has answered for it' : `refused by ${refused.ref}: ${refused.accepted!.reason}`
    return fieldsList(at(route.spec, 'rules')).flatMap(rule => {
      const matches = fieldsList(rule.matches)
      return (matches.length === 0 ? [{}] : matches).flatMap((match: Fields): Candidate[] => {
        const type = string(at(match, 'path', 'type')) || 'PathPrefix'
        const path = string(at(match, 'path', 'value')) || '/'
        const pathRank = pathRankOf(path, type === 'PathPrefix' ? 'Prefix' : type, input.path, 'other')
        if (pathRank === undefined) return []
        const backend = string(fields(fieldsList(rule.backendRefs)[0]).name)
        return [{
          claim: {
            kind: 'HTTPRoute', namespace: route.metadata.namespace ?? '', name: route.metadata.name, host: best.host, path, pathType: type,
            className: string(at(gateways[0]?.spec, 'gatewayClassName')) || undefined, solver: input.isSolver(route), wins: false, why,
            ownership: accepted !== undefined ? 'owned' : refused !== undefined ? 'unowned' : 'unknown', controller: (accepted ?? refused)?.controller,
            addresses, settings: filterSettings(rule), tls: false,
            ...backend === '' ? {} : { backend, backendState: backendStateOf(input, route.metadata.namespace, backend) }
          },
          group: refs.map(ref => parentName({ ...ref, sectionName: undefined }, route)).sort().join(' '), hostRank: best.rank, pathRank, created: createdAt(route), family: 'gateway', mergeable: true
        }]
      })
    })
  })
}

/** 3 the very name, 2 a wildcard over it, 1 every host, 0 not this one. */
export function hostRankOf (pattern: string, host: string): number {
  if (pattern === '' || pattern === '*') return 1
  if (pattern.toLowerCase() === host.toLowerCase()) return 3
  return pattern.startsWith('*.') && host.toLowerCase().endsWith(pattern.slice(1).toLowerCase()) ? 2 : 0
}

/** How strongly a path takes the challenge: Exact above all, then the longest prefix. Undefined: it does not. */
export function pathRankOf (path: string, pathType: string, wanted: string, family: Family): number | undefined {
  if (pathType === 'Exact') return path === wanted ? 100_000 : undefined
  if (pathType === 'RegularExpression') return undefined
  const prefix = path.replace(/(\/?\*|\(.*)$/, '').replace(/\/$/, '')
  const covers = pathType === 'Prefix' ? wanted === prefix || wanted.startsWith(`${prefix}/`) : wanted.startsWith(prefix)
  if (!covers) return undefined
  // Cilium gives a path of its own making no precedence over a Prefix (cilium/cilium docs, Ingress path types).
  if (pathType === 'ImplementationSpecific' && family === 'cilium') return -1
  return prefix.length
}

export function backendStateOf ({ view, servicesSeen }: ClaimInput, namespace: string | undefined, name: string): RouteClaim['backendState'] {
  const service = view.find('Service', namespace, name)
  if (service === undefined) return servicesSeen ? 'service-missing' : 'unknown'
  const slices = view.byKind('EndpointSlice', namespace).length + view.byKind('Endpoints', namespace).length
  if (readyEndpoints(view, service) > 0) return 'ready'
  return slices === 0 ? 'unknown' : 'no-endpoints'
}

/**
 * Marks the winner and sorts it first: among what competes with the solver's claim, the closest host,
 * then the strongest path, then the oldest object. Says why in the claim.
 */
export function decide (candidates: Candidate[]): RouteClaim[] {
  const sorted = [...candidates].sort(compareCandidates)
  const solver = sorted.find(({ claim }) => claim.solver)
  const rivals = sorted.filter(({ claim, group }) => claim.ownership !== 'unowned' && (solver === undefined || solver.claim.ownership === 'unowned' || solver.group === undefined || group === undefined || group === solver.group))
  let winner = rivals[0]
  let reason = winner === undefined ? '' : winner.claim.solver ? 'its path is the strongest for this host' : `host ${winner.claim.host || '*'} and path ${winner.claim.path} are the strongest`
  if (solver !== undefined && winner?.claim.solver === true) {
    // The rejected one has no address yet to be grouped by: its class tells whom it competes with.
    const owner = hostTakenBy(solver, sorted.filter(rival => rivals.includes(rival) || (rival.family === solver.family && rival.claim.ownership !== 'unowned' && rival.claim.className === solver.claim.className)))
    if (owner !== undefined) {
      winner = owner
      reason = 'this controller gives a host to its oldest Ingress and does not merge others'
    }
  }
  const claims = sorted.map(({ claim }) => claim)
  if (winner === undefined) return claims
  const won = { ...winner.claim, wins: true, why: `${winner.claim.why}; ${reason}` }
  return [won, ...claims.filter(claim => claim !== winner.claim)]
}

/** The controller of nginx.org rejects a second Ingress with the same host unless both are master and minion. */
function hostTakenBy (solver: Candidate, rivals: readonly Candidate[]): Candidate | undefined {
  if (solver.family !== 'nginx.org') return undefined
  return rivals.find(rival => !rival.claim.solver && rival.hostRank === 3 && !(rival.mergeable && solver.mergeable) && rival.claim.name !== solver.claim.name && rival.created <= solver.created)
}

function compareCandidates (a: Candidate, b: Candidate): number {
  return b.hostRank - a.hostRank || b.pathRank - a.pathRank || a.created - b.created || (nameOfClaim(a) < nameOfClaim(b) ? -1 : 1)
}
const nameOfClaim = ({ claim: { kind, namespace, name } }: Candidate): string => nameOf({ apiVersion: '', kind, metadata: { namespace, name, uid: '' } })
