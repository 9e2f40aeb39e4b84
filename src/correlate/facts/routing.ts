import { absent, seen, unavailable, type Evidence } from '../../shared/types/common.ts'
import type { RoutingFacts } from '../../shared/types/case.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { FactsOf } from '../snapshot.ts'
import { challengeView, type ChallengeView } from './challenge-objects.ts'
import { clusterAddresses } from './cluster-addresses.ts'
import { controllerClaims } from './controller-routes.ts'
import { annotationsOf, at, conditions, fields, fieldsList, nameOf, string, strings } from './fields.ts'
import { findControllers } from './ingress-controllers.ts'
import { ownershipOf } from './ingress-ownership.ts'
import { decide, hostRankOf, ingressClaims, routeClaims, type Candidate, type ClaimInput } from './route-claims.ts'
import { routingHints } from './routing-hints.ts'

/**
 * Who would answer the challenge path: every claim on the host with its class, owner, settings and
 * backend, the winner first; the cluster's own addresses; and what stands in front of them.
 */
export const facts: FactsOf<RoutingFacts> = (context, identifier) => {
  if (identifier === undefined || identifier.name === '' || identifier.challengeType === 'DNS-01') return absent
  const { snapshot } = context
  const ingresses = snapshot.list('Ingress')
  const routes = snapshot.list('HTTPRoute')
  if (ingresses.is !== 'seen' && routes.is !== 'seen') {
    return ingresses.is === 'unavailable' ? unavailable(ingresses.why, ingresses.fix) : absent
  }
  const challenge = challengeView(context, identifier)
  const own = new Set(challenge.objects.map(({ metadata }) => metadata.uid))
  const controllers = findControllers(snapshot)
  const input: ClaimInput = {
    view: snapshot, controllers, host: identifier.name, path: `/.well-known/acme-challenge/${challenge.token || '<token>'}`,
    isSolver: object => own.has(object.metadata.uid), classesSeen: snapshot.list('IngressClass').is === 'seen',
    servicesSeen: snapshot.list('Service', challenge.namespace).is === 'seen'
  }
  const recorded = (kind: string): KubeObject[] => challenge.recorded ? challenge.objects.filter(object => object.kind === kind) : []
  const standing = [
    ...ingressClaims([...snapshot.byKind('Ingress'), ...recorded('Ingress')], input),
    ...routeClaims([...snapshot.byKind('HTTPRoute'), ...recorded('HTTPRoute')], input)
  ]
  const planned = standing.some(({ claim }) => claim.solver) ? undefined : plannedClaim(challenge, input)
  const candidates = planned === undefined ? standing : [...standing, planned]
  const claims = decide([...candidates, ...controllerClaims(input, candidates)])
  const solverPods = challenge.objects.filter(({ kind }) => kind === 'Pod')
  const hints = [...routingHints(snapshot, controllers, challenge.namespace, solverPods), ...claimHints(claims, snapshot.byKind('Ingress')), ...istioRedirects(snapshot.byKind('IstioGateway'), identifier.name)]
  const routing: Omit<RoutingFacts, 'evidence'> = {
    claims,
    classes: snapshot.byKind('IngressClass').map(object => ({
      name: object.metadata.name, controller: string(at(object.spec, 'controller')),
      isDefault: annotationsOf(object).get('ingressclass.kubernetes.io/is-default-class') === 'true'
    })),
    gateways: snapshot.byKind('Gateway').map(gatewayOf),
    clusterAddresses: clusterAddresses(snapshot, controllers),
    controllers: controllers.map(({ name }) => name),
    hints
  }
  return seen({ ...routing, evidence: evidenceOf(routing) })
}

/** Gone solver Ingress: what it would have looked like still tells whether anybody would have served it. */
function plannedClaim ({ http01, namespace }: ChallengeView, input: ClaimInput): Candidate | undefined {
  const ingress = fields(http01.ingress)
  if (http01.ingress === undefined || string(ingress.name) !== '') return undefined
  const className = string(ingress.ingressClassName)
  const annotation = string(ingress.class)
  const object: KubeObject = {
    apiVersion: 'networking.k8s.io/v1', kind: 'Ingress',
    metadata: { name: 'cm-acme-http-solver-…', namespace, uid: 'planned', ...annotation === '' ? {} : { annotations: { 'kubernetes.io/ingress.class': annotation } } },
    spec: className === '' ? {} : { ingressClassName: className }
  }
  // Nobody gave it an address because it is not there: only rules count, not its empty status.
  const judged = ownershipOf(object, input)
  const { state, why, family } = /has no address/.test(judged.why) ? { ...judged, state: 'unknown' as const, why: judged.why.replace(/ and has no address.*$/, '') } : judged
  const claim: Candidate['claim'] = {
    kind: 'Ingress', namespace, name: object.metadata.name, host: input.host, path: input.path, pathType: 'Exact', className: className || annotation || undefined,
    solver: true, wins: false, why: `${why} (the solver Ingress is gone)`, ownership: state, controller: family, addresses: [], settings: [], tls: false
  }
  return { claim, group: undefined, hostRank: 3, pathRank: 100_000, created: Number.MAX_SAFE_INTEGER, family, mergeable: false }
}

function gatewayOf (gateway: KubeObject): RoutingFacts['gateways'][number] {
  const answered = fieldsList(at(gateway.status, 'listeners'))
  return {
    namespace: gateway.metadata.namespace ?? '', name: gateway.metadata.name, className: string(at(gateway.spec, 'gatewayClassName')),
    addresses: fieldsList(at(gateway.status, 'addresses')).map(({ value }) => string(value)).filter(value => value !== ''),
    listeners: fieldsList(at(gateway.spec, 'listeners')).map(listener => ({
      name: string(listener.name), port: typeof listener.port === 'number' ? listener.port : 0, protocol: string(listener.protocol),
      hostname: string(listener.hostname) || undefined, conditions: conditions(answered.find(({ name }) => name === listener.name)?.conditions)
    })),
    conditions: conditions(at(gateway.status, 'conditions'))
  }
}

/** What the claiming Ingresses themselves say of their load balancer. */
function claimHints (claims: RoutingFacts['claims'], ingresses: readonly KubeObject[]): NonNullable<RoutingFacts['hints']> {
  return claims.filter(({ kind }) => kind === 'Ingress').flatMap(claim => {
    const ingress = ingresses.find(({ metadata }) => metadata.namespace === claim.namespace && metadata.name === claim.name)
    if (ingress === undefined) return []
    const annotations = annotationsOf(ingress)
    const hints: NonNullable<RoutingFacts['hints']> = []
    const hint = (kind: (typeof hints)[number]['kind'], value: string): void => { hints.push({ kind, where: nameOf(ingress), value }) }
    const ports = annotations.get('alb.ingress.kubernetes.io/listen-ports')
    if (ports !== undefined && !/"?HTTP"?\s*:\s*80\b/.test(ports)) hint('no-port-80', `alb.ingress.kubernetes.io/listen-ports: ${ports}`)
    if (annotations.get('kubernetes.io/ingress.allow-http') === 'false') hint('no-port-80', 'kubernetes.io/ingress.allow-http: false')
    const entrypoints = annotations.get('traefik.ingress.kubernetes.io/router.entrypoints')
    if (entrypoints !== undefined && entrypoints.split(',').every(name => /secure|https/.test(name)) && (claim.solver || claim.wins)) hint('https-entrypoint-only', `router.entrypoints: ${entrypoints}`)
    if (claim.solver && annotations.get('traefik.ingress.kubernetes.io/router.tls') === 'true') hint('https-entrypoint-only', 'router.tls: true')
    if (claim.solver && (claim.controller === 'gce' || (claim.controller === 'alb' && !annotations.has('alb.ingress.kubernetes.io/group.name')))) hint('address-per-ingress', `${claim.controller} gives each Ingress a load balancer of its own`)
    if (claim.solver && annotations.get('ingress.cilium.io/loadbalancer-mode') === 'dedicated') hint('address-per-ingress', 'ingress.cilium.io/loadbalancer-mode: dedicated')
    return hints
  })
}

/** A server of an Istio Gateway on port 80 that sends the name to HTTPS. */
function istioRedirects (gateways: readonly KubeObject[], name: string): NonNullable<RoutingFacts['hints']> {
  return gateways.filter(gateway => fieldsList(at(gateway.spec, 'servers')).some(server => at(server.port, 'number') === 80 && at(server.tls, 'httpsRedirect') === true && strings(server.hosts).some(host => hostRankOf(host.replace(/^.*\//, ''), name) > 0)))
    .map(gateway => ({ kind: 'force-https', where: `Gateway ${gateway.metadata.namespace ?? ''}/${gateway.metadata.name} of Istio`, value: 'servers.tls.httpsRedirect: true' }))
}

function evidenceOf ({ claims, hints = [] }: Omit<RoutingFacts, 'evidence'>): Evidence[] {
  const said = claims.slice(0, 8).map(({ kind, namespace, name, host, path, why, wins, settings }) => ({
    source: 'object' as const, ref: `${kind} ${namespace}/${name}`,
    text: `${wins ? 'answers' : 'claims'} ${host || '*'}${path.length > 40 ? `${path.slice(0, 39)}…` : path}: ${why}${settings.length > 0 ? `; ${settings.map(({ field, value }) => `${field}=${value}`).join(', ')}` : ''}`
  }))
  const settings = hints.map(({ where, value }) => ({ source: 'object' as const, ref: where, text: value }))
  return said.length + settings.length > 0 ? [...said, ...settings] : [{ source: 'object', ref: 'Ingress *', text: 'no Ingress or HTTPRoute claims the host' }]
}
