import type { KubeObject } from '../shared/types/kubernetes.ts'
import { at, list, text } from './fields.ts'
import type { Gathering } from './gathering.ts'
import { hostBears, slim } from './relevance.ts'

/** Where the hosts stand in the routes of each controller's own kind. */
const hostsOf: Record<string, (route: KubeObject) => string[]> = {
  IngressRoute: route => list(route, 'spec', 'routes').flatMap(entry => [...text(entry, 'match').matchAll(/Host(?:Regexp|SNI)?\(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(',').map(name => name.replaceAll(/[`'"\s]/g, '')))),
  VirtualService: route => list(route, 'spec', 'hosts').filter(host => typeof host === 'string').map(host => host.replace(/^.*\//, '')),
  HTTPProxy: route => [text(route, 'spec', 'virtualhost', 'fqdn')],
  VirtualServer: route => [text(route, 'spec', 'host')],
  ApisixRoute: route => list(route, 'spec', 'http').flatMap(entry => list(entry, 'match', 'hosts')).filter(host => typeof host === 'string'),
  Route: route => [text(route, 'spec', 'host')]
}

export const routeKinds: readonly string[] = ['ingressroutes.traefik.io', 'ingressroutes.traefik.containo.us', 'virtualservices.networking.istio.io', 'httpproxies.projectcontour.io', 'virtualservers.k8s.nginx.org', 'apisixroutes.apisix.apache.org', 'routes.route.openshift.io']
/** Settings that routes refer to, and policies that work on all of a controller's traffic. */
export const settingKinds: readonly string[] = [
  'middlewares.traefik.io', 'middlewares.traefik.containo.us', 'kongplugins.configuration.konghq.com', 'kongclusterplugins.configuration.konghq.com', 'kongingresses.configuration.konghq.com',
  'frontendconfigs.networking.gke.io', 'backendconfigs.cloud.google.com', 'clienttrafficpolicies.gateway.envoyproxy.io', 'securitypolicies.gateway.envoyproxy.io',
  'envoyfilters.networking.istio.io', 'gateways.networking.istio.io', 'adminnetworkpolicies.policy.networking.k8s.io', 'baselineadminnetworkpolicies.policy.networking.k8s.io'
]

/** The kinds of Traefik, Kong, Contour, Istio and others: routes for the names, and the settings that routes name. */
export async function keepControllerKinds (gathering: Gathering, domains: string[]): Promise<void> {
  await Promise.all([
    ...routeKinds.map(async resource => { gathering.keep((await gathering.items(resource, { partial: true })).filter(route => claims(route, domains)).slice(0, 200).map(object => slim(object))) }),
    ...settingKinds.map(async resource => { gathering.keep((await gathering.items(resource)).slice(0, 500).map(object => withoutCredentials(slim(object)))) })
  ])
}

function claims (route: KubeObject, domains: string[]): boolean {
  const hosts = hostsOf[route.kind]?.(route) ?? []
  // A pattern of the controller's own language cannot be compared: it stays.
  return hosts.length === 0 || hosts.some(host => /[{(\\^$]/.test(host) || hostBears(host === '*' ? '' : host, domains))
}

/** Fields that a plugin's configuration may hold credentials in are as many as plugins: only those stay that say where a request goes. */
function withoutCredentials (object: KubeObject): KubeObject {
  switch (object.kind) {
    case 'KongPlugin': case 'KongClusterPlugin': return { ...object, config: harmless(at(object, 'config')) }
    case 'Middleware': return { ...object, spec: Object.fromEntries(Object.entries(object.spec ?? {}).map(([kind, options]) => [kind, /redirect|strip|replacePath|addPrefix|ip(White|Allow)List/i.test(kind) ? options : harmless(options)])) }
    case 'EnvoyFilter': return { ...object, spec: JSON.stringify(object.spec ?? {}).includes('proxy_protocol') ? { proxyProtocol: 'envoy.filters.listener.proxy_protocol' } : {} }
  }
  return object
}

const telling = /^(allow|deny|whitelist|blacklist|status_code|uri|path|host|hosts|address|scheme|port|sourceRange)$/i

function harmless (value: unknown, key = ''): unknown {
  if (typeof value === 'string') return telling.test(key) || /^host:/i.test(value) ? value : '<redacted>'
  if (Array.isArray(value)) return value.map(entry => harmless(entry, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, harmless(inner, name)]))
}
