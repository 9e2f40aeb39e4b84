import type { RoutingHint } from '../../shared/types/case.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { Snapshot } from '../snapshot.ts'
import { annotationsOf, at, fieldsList, labelsOf, nameOf, string, strings } from './fields.ts'
import { configOf, type IngressController } from './ingress-controllers.ts'
import { selects } from './label-selector.ts'
import { statusAddresses } from './solver-objects.ts'

const on = (value: string | undefined): boolean => value !== undefined && !/^(|false|off|no|0|none|null|\{\})$/i.test(value.trim())

/** Settings outside the claims that change what port 80 answers: load balancers, controllers, meshes. */
export function routingHints (view: Snapshot, controllers: readonly IngressController[], namespace: string, solverPods: readonly KubeObject[]): RoutingHint[] {
  return [
    ...serviceHints(view, controllers),
    ...controllers.flatMap(controller => [...flagHints(controller), ...configHints(view, controller), ...downHints(controller)]),
    ...gatewayPolicyHints(view),
    ...meshHints(view, namespace, solverPods)
  ]
}

/** A Service of type LoadBalancer that fronts a controller; without known controllers every one that serves 80 or 443. */
function serviceHints (view: Snapshot, controllers: readonly IngressController[]): RoutingHint[] {
  const namespaces = new Set(controllers.map(({ namespace }) => namespace))
  const services = view.byKind('Service').filter(service => at(service.spec, 'type') === 'LoadBalancer' && (namespaces.size === 0 || namespaces.has(service.metadata.namespace ?? '')) && webPorts(service).length > 0)
  return services.flatMap((service): RoutingHint[] => {
    const hints: RoutingHint[] = []
    for (const [key, value] of annotationsOf(service)) {
      if (/proxy-?protocol/i.test(key) && on(value)) hints.push({ kind: 'proxy-protocol', where: nameOf(service), value: `${key}: ${value}` })
      if (key.endsWith('target-group-attributes') && /proxy_protocol_v2\.enabled=true/.test(value)) hints.push({ kind: 'proxy-protocol', where: nameOf(service), value: `${key}: ${value}` })
    }
    if (!webPorts(service).includes(80)) hints.push({ kind: 'no-port-80', where: nameOf(service), value: `ports ${webPorts(service).join(', ')}` })
    if (statusAddresses(service).length === 0 && strings(at(service.spec, 'externalIPs')).length === 0) hints.push({ kind: 'no-address', where: nameOf(service), value: 'status.loadBalancer is empty' })
    return hints
  })
}

/** Ports of a Service that looks like a front for the web: 80 or 443 among them. */
function webPorts (service: KubeObject): number[] {
  const ports = fieldsList(at(service.spec, 'ports')).map(({ port }) => port).filter(port => typeof port === 'number')
  return ports.includes(80) || ports.includes(443) ? ports : []
}

function flagHints ({ family, name, flags }: IngressController): RoutingHint[] {
  const hints: RoutingHint[] = []
  for (const [flag, value] of flags) {
    const said = `--${flag}=${value}`
    if (/proxyprotocol\.(insecure|trustedips)$/.test(flag) || (flag === 'use-proxy-protocol' && on(value))) hints.push({ kind: 'proxy-protocol', where: name, value: said })
    if (family === 'traefik' && /^entrypoints\.[^.]+\.http\.redirections\.entrypoint\.to$/.test(flag)) hints.push({ kind: 'force-https', where: name, value: said })
  }
  if (family === 'traefik') {
    const defaults = [...flags].filter(([flag, value]) => /^entrypoints\.[^.]+\.asdefault$/.test(flag) && on(value)).map(([flag]) => flag.split('.')[1]!)
    // With some entrypoint marked as default, a router without its own list is on those only.
    const plain = defaults.filter(entrypoint => !isSecure(entrypoint, flags))
    if (defaults.length > 0 && plain.length === 0) hints.push({ kind: 'https-entrypoint-only', where: name, value: defaults.map(entrypoint => `--entrypoints.${entrypoint}.asdefault=true`).join(' ') })
  }
  return hints
}

function isSecure (entrypoint: string, flags: Map<string, string>): boolean {
  return /secure|https|tls/.test(entrypoint) || on(flags.get(`entrypoints.${entrypoint}.http.tls`)) || /:8?443\b/.test(flags.get(`entrypoints.${entrypoint}.address`) ?? '')
}

function configHints (view: Snapshot, controller: IngressController): RoutingHint[] {
  return configOf(view, controller).flatMap(({ map, data }) => [...data].flatMap(([key, value]): RoutingHint[] => {
    const hint = (kind: RoutingHint['kind']): RoutingHint[] => [{ kind, where: nameOf(map), value: `${key}: ${value.slice(0, 80)}` }]
    if (/^(use-)?proxy-protocol$|^enable-gateway-api-proxy-protocol$/.test(key) && on(value)) return hint('proxy-protocol')
    if (/^(enforce-ingress-https|force-ssl-redirect|redirect-to-https)$/.test(key) && /^"?true"?$/i.test(value)) return hint('force-https')
    if (key === 'ssl-redirect' && controller.family === 'haproxytech' && on(value)) return hint('force-https')
    if (key === 'ingress-default-lb-mode' && value === 'dedicated') return hint('address-per-ingress')
    return []
  }))
}

function downHints ({ name, ready, pods }: IngressController): RoutingHint[] {
  return ready > 0 ? [] : [{ kind: 'controller-down', where: name, value: `0 Pods ready${pods.length > 0 ? ` of ${pods.length}` : ''}` }]
}

/** Envoy Gateway and Istio set PROXY protocol with objects of their own. */
function gatewayPolicyHints (view: Snapshot): RoutingHint[] {
  return [
    ...view.byKind('ClientTrafficPolicy').filter(policy => at(policy.spec, 'enableProxyProtocol') === true || at(policy.spec, 'proxyProtocol') !== undefined)
      .map((policy): RoutingHint => ({ kind: 'proxy-protocol', where: nameOf(policy), value: 'spec.enableProxyProtocol' })),
    ...view.byKind('EnvoyFilter').filter(filter => JSON.stringify(filter.spec ?? {}).includes('proxy_protocol'))
      .map((filter): RoutingHint => ({ kind: 'proxy-protocol', where: nameOf(filter), value: 'proxy_protocol listener filter' }))
  ]
}

/** What makes plain HTTP between Pods fail: mutual TLS demanded of the solver, or a proxy beside it. */
function meshHints (view: Snapshot, namespace: string, solverPods: readonly KubeObject[]): RoutingHint[] {
  const hints: RoutingHint[] = []
  // Where no solver Pod was seen it has at least the label that every one has.
  const solverLabels = solverPods.length > 0 ? solverPods.map(labelsOf) : [new Map([['acme.cert-manager.io/http01-solver', 'true']])]
  for (const policy of view.byKind('PeerAuthentication')) {
    const place = policy.metadata.namespace ?? ''
    if (at(policy.spec, 'mtls', 'mode') === 'STRICT' && (place === namespace || place === 'istio-system') && solverLabels.some(labels => selects(policy.spec?.selector, labels))) hints.push({ kind: 'mesh', where: nameOf(policy), value: 'mtls.mode: STRICT' })
  }
  for (const rule of view.byKind('DestinationRule')) {
    const mode = string(at(rule.spec, 'trafficPolicy', 'tls', 'mode'))
    const host = string(at(rule.spec, 'host'))
    if (/MUTUAL/.test(mode) && (host.startsWith('*') || host.includes(namespace))) hints.push({ kind: 'mesh', where: nameOf(rule), value: `${host}: ${mode}` })
  }
  const object = view.find('Namespace', undefined, namespace)
  if (object !== undefined) {
    const labels = labelsOf(object)
    const annotations = annotationsOf(object)
    if (labels.get('istio.io/dataplane-mode') === 'ambient') hints.push({ kind: 'mesh', where: nameOf(object), value: 'istio.io/dataplane-mode: ambient' })
    const inbound = annotations.get('config.linkerd.io/default-inbound-policy')
    if (inbound !== undefined && inbound !== 'all-unauthenticated') hints.push({ kind: 'mesh', where: nameOf(object), value: `config.linkerd.io/default-inbound-policy: ${inbound}` })
  }
  for (const pod of solverPods) {
    const proxy = [...fieldsList(at(pod.spec, 'containers')), ...fieldsList(at(pod.spec, 'initContainers'))].map(({ name }) => string(name)).find(name => /^(istio-proxy|linkerd-proxy|consul-dataplane|envoy-sidecar|kuma-sidecar)$/.test(name))
    if (proxy !== undefined) hints.push({ kind: 'mesh', where: nameOf(pod), value: `has the sidecar ${proxy}` })
  }
  return hints
}
