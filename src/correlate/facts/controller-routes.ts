import type { RouteClaim } from '../../shared/types/case.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { controllerOf, createdAt, type Snapshot } from '../snapshot.ts'
import { annotationsOf, at, fields, fieldsList, nameOf, string, strings, type Fields } from './fields.ts'
import type { Family } from './ingress-controllers.ts'
import { middlewareSettings, type Setting } from './ingress-settings.ts'
import { backendStateOf, hostRankOf, pathRankOf, type Candidate, type ClaimInput } from './route-claims.ts'

/** One host and path of a route in a controller's own words. */
interface Entry { host: string, path: string, pathType: 'Prefix' | 'Exact' | 'RegularExpression', backend: string, settings: Setting[], tls: boolean, why: string, strength?: number }
type Kind = Exclude<RouteClaim['kind'], 'Ingress' | 'HTTPRoute'>

const readers: Record<Kind, { family: Family, read: (route: KubeObject, view: Snapshot) => Entry[] }> = {
  IngressRoute: { family: 'traefik', read: traefik },
  VirtualService: { family: 'istio', read: istio },
  HTTPProxy: { family: 'contour', read: contour },
  VirtualServer: { family: 'nginx.org', read: nginx },
  ApisixRoute: { family: 'apisix', read: apisix },
  Route: { family: 'openshift', read: openshift }
}

/** Claims of the host that stand in the controllers' own kinds. They compete only with Ingresses of the same controller. */
export function controllerClaims (input: ClaimInput, others: readonly Candidate[]): Candidate[] {
  const groups = new Map(others.filter(({ claim }) => claim.solver).map(({ family, group }) => [family, group]))
  return (Object.keys(readers) as Kind[]).flatMap(kind => {
    const { family, read } = readers[kind]
    return input.view.byKind(kind).flatMap(route => read(route, input.view).flatMap((entry): Candidate[] => {
      const hostRank = hostRankOf(entry.host, input.host)
      const pathRank = pathRankOf(entry.path, entry.pathType, input.path, 'other')
      if (hostRank === 0 || pathRank === undefined) return []
      const { namespace = '', name } = route.metadata
      const { host, path, pathType, backend, settings, tls, why, strength = pathRank } = entry
      return [{
        claim: {
          kind, namespace, name, host, path, pathType, solver: false, wins: false, why, ownership: 'unknown', controller: family, addresses: [], settings, tls,
          ...backend === '' ? {} : { backend, backendState: backendStateOf(input, namespace, backend) }
        },
        group: groups.get(family) ?? family, hostRank, pathRank: strength, created: createdAt(route), family, mergeable: true
      }]
    }))
  })
}

const ownKind = (kind: Kind): string => `a route of its controller's own kind ${kind}`

/** Without a priority the longest rule wins, and the solver's is longest; a router on HTTPS alone does not see port 80. */
function traefik (route: KubeObject, view: Snapshot): Entry[] {
  const points = strings(at(route.spec, 'entryPoints'))
  if (points.length > 0 && points.every(point => /secure|https|tls/.test(point))) return []
  return fieldsList(at(route.spec, 'routes')).flatMap(entry => {
    const match = string(entry.match)
    const named = (matcher: string): string[] => [...match.matchAll(new RegExp(`(?<!!)\\b${matcher}\\(([^)]*)\\)`, 'g'))].flatMap(([, list = '']) => list.split(',').map(item => item.replaceAll(/[`'"\s]/g, '')))
    const hosts = named('Host')
    const exact = named('Path')
    const prefixes = named('PathPrefix')
    // A rule by header, query or pattern cannot be told to take the challenge.
    if (/\b(HostRegexp|PathRegexp|Headers?|HeadersRegexp|Query|Method|ClientIP)\(/.test(match)) return []
    const settings = fieldsList(entry.middlewares).flatMap(({ name, namespace }) => middlewareSettings(view, `${string(namespace) || (route.metadata.namespace ?? '')}-${string(name).replace(/@.*$/, '')}`, nameOf(route)))
    const priority = typeof entry.priority === 'number' ? entry.priority : 0
    const paths = exact.length > 0 ? exact.map(path => ({ path, pathType: 'Exact' as const })) : (prefixes.length > 0 ? prefixes : ['/']).map(path => ({ path, pathType: 'Prefix' as const }))
    return (hosts.length > 0 ? hosts : ['']).flatMap(host => paths.map(({ path, pathType }) => ({
      host, path, pathType, backend: string(fieldsList(entry.services)[0]?.name), settings, tls: at(route.spec, 'tls') !== undefined,
      why: priority > 0 ? `${ownKind('IngressRoute')}, priority ${priority}` : ownKind('IngressRoute'),
      // The solver's rule of Host and Path is some 120 characters long, and that is its priority.
      ...priority > 250 ? { strength: 200_000 } : {}
    })))
  })
}

function istio (route: KubeObject): Entry[] {
  const gateways = strings(at(route.spec, 'gateways'))
  // Only for the mesh inside: nobody comes in from outside by it.
  if (gateways.every(gateway => gateway === 'mesh')) return []
  return strings(at(route.spec, 'hosts')).flatMap(host => fieldsList(at(route.spec, 'http')).flatMap(entry => {
    const matches = fieldsList(entry.match)
    return (matches.length > 0 ? matches : [{}]).flatMap((match: Fields): Entry[] => {
      if (match.headers !== undefined || match.queryParams !== undefined || (match.uri !== undefined && at(match.uri, 'regex') !== undefined)) return []
      const exact = string(at(match.uri, 'exact'))
      const settings: Setting[] = [
        ...entry.redirect === undefined ? [] : [{ effect: 'redirect' as const, field: 'http.redirect', value: JSON.stringify(entry.redirect).slice(0, 120) }],
        ...entry.rewrite === undefined ? [] : [{ effect: 'rewrite' as const, field: 'http.rewrite', value: JSON.stringify(entry.rewrite).slice(0, 120) }]
      ]
      return [{ host, path: exact || string(at(match.uri, 'prefix')) || '/', pathType: exact === '' ? 'Prefix' : 'Exact', backend: string(at(fieldsList(entry.route)[0]?.destination, 'host')).split('.')[0]!, settings, tls: false, why: ownKind('VirtualService') }]
    })
  }))
}

/** With TLS a route redirects to HTTPS unless it permits insecure requests (Contour, TLS termination). */
function contour (proxy: KubeObject): Entry[] {
  const host = string(at(proxy.spec, 'virtualhost', 'fqdn'))
  const tls = at(proxy.spec, 'virtualhost', 'tls') !== undefined
  if (host === '') return []
  return fieldsList(at(proxy.spec, 'routes')).map(entry => {
    const conditions = fieldsList(entry.conditions)
    const exact = string(conditions.find(condition => condition.exact !== undefined)?.exact)
    const settings: Setting[] = [
      ...tls && entry.permitInsecure !== true ? [{ effect: 'redirect' as const, field: 'spec.virtualhost.tls', value: 'without permitInsecure' }] : [],
      ...entry.requestRedirectPolicy === undefined ? [] : [{ effect: 'redirect' as const, field: 'routes.requestRedirectPolicy', value: JSON.stringify(entry.requestRedirectPolicy).slice(0, 120) }],
      ...entry.pathRewritePolicy === undefined ? [] : [{ effect: 'rewrite' as const, field: 'routes.pathRewritePolicy', value: JSON.stringify(entry.pathRewritePolicy).slice(0, 120) }],
      ...entry.ipAllowPolicy === undefined ? [] : [{ effect: 'allow-list' as const, field: 'routes.ipAllowPolicy', value: JSON.stringify(entry.ipAllowPolicy).slice(0, 120) }],
      ...at(proxy.spec, 'virtualhost', 'authorization') === undefined ? [] : [{ effect: 'auth' as const, field: 'spec.virtualhost.authorization', value: 'set' }]
    ]
    return { host, path: exact || string(conditions.find(({ prefix }) => prefix !== undefined)?.prefix) || '/', pathType: exact === '' ? 'Prefix' : 'Exact', backend: string(fieldsList(entry.services)[0]?.name), settings, tls, why: ownKind('HTTPProxy') }
  })
}

/** A VirtualServer owns its host: the controller turns away an Ingress for it that came later, so it counts as the stronger. */
function nginx (server: KubeObject): Entry[] {
  const host = string(at(server.spec, 'host'))
  const redirect = at(server.spec, 'tls', 'redirect', 'enable') === true
  if (host === '') return []
  const settings: Setting[] = redirect ? [{ effect: 'redirect', field: 'spec.tls.redirect', value: 'enable: true' }] : []
  const routes = fieldsList(at(server.spec, 'routes'))
  return (routes.length > 0 ? routes : [{}]).map((entry: Fields) => {
    const path = string(entry.path) || '/'
    return { host, path: path.replace(/^=/, ''), pathType: path.startsWith('=') ? 'Exact' : path.startsWith('~') ? 'RegularExpression' : 'Prefix', backend: string(at(entry.action, 'pass')), settings, tls: at(server.spec, 'tls') !== undefined, why: ownKind('VirtualServer') }
  })
}

function apisix (route: KubeObject): Entry[] {
  return fieldsList(at(route.spec, 'http')).flatMap(entry => {
    const hosts = strings(at(entry.match, 'hosts'))
    const plugins = fieldsList(entry.plugins).filter(({ enable }) => enable !== false).map(({ name }) => string(name))
    const settings = plugins.flatMap((name): Setting[] => /redirect/.test(name) ? [{ effect: 'redirect', field: 'http.plugins', value: name }] : /auth|openid|jwt/.test(name) ? [{ effect: 'auth', field: 'http.plugins', value: name }] : /ip-restriction/.test(name) ? [{ effect: 'allow-list', field: 'http.plugins', value: name }] : /rewrite/.test(name) ? [{ effect: 'rewrite', field: 'http.plugins', value: name }] : [])
    return (hosts.length > 0 ? hosts : ['']).flatMap(host => strings(at(entry.match, 'paths')).map((path): Entry => ({
      host, path: path.replace(/\*$/, ''), pathType: path.endsWith('*') ? 'Prefix' : 'Exact', backend: string(fieldsList(entry.backends)[0]?.serviceName), settings, tls: false, why: ownKind('ApisixRoute')
    })))
  })
}

/** The ingress-to-route controller makes a Route of each Ingress: those only repeat it. */
function openshift (route: KubeObject): Entry[] {
  if (controllerOf(route, 'Ingress') !== undefined) return []
  const insecure = string(at(route.spec, 'tls', 'insecureEdgeTerminationPolicy'))
  const list = annotationsOf(route).get('haproxy.router.openshift.io/ip_allowlist') ?? annotationsOf(route).get('haproxy.router.openshift.io/ip_whitelist')
  const settings: Setting[] = [
    ...insecure === 'Redirect' ? [{ effect: 'redirect' as const, field: 'spec.tls.insecureEdgeTerminationPolicy', value: insecure }] : [],
    ...list === undefined ? [] : [{ effect: 'allow-list' as const, field: 'haproxy.router.openshift.io/ip_allowlist', value: list.slice(0, 120) }]
  ]
  return [{ host: string(at(route.spec, 'host')), path: string(at(route.spec, 'path')) || '/', pathType: 'Prefix', backend: string(fields(at(route.spec, 'to')).name), settings, tls: at(route.spec, 'tls') !== undefined, why: ownKind('Route') }]
}
