import type { RouteClaim } from '../../shared/types/case.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { Snapshot } from '../snapshot.ts'
import { annotationsOf, at, fields, fieldsList, nameOf, string } from './fields.ts'

export type Setting = RouteClaim['settings'][number]
type Effect = Setting['effect']

interface Rule { key: RegExp, effect: Effect, when?: (value: string) => boolean }

const isOn = (value: string): boolean => /^(true|on|yes|1|enabled|"true")$/i.test(value.trim())
const isOff = (value: string): boolean => /^(false|off|no|0|disabled)$/i.test(value.trim())
const limits = (value: string): boolean => !/(^|[,\s])(0\.0\.0\.0\/0|::\/0)($|[,\s])/.test(value)

/**
 * Annotations of the known controllers that touch a request for the challenge path.
 * First match wins; values that switch the habit off are no setting.
 */
const rules: readonly Rule[] = [
  // ingress-nginx, and haproxy-ingress under its two prefixes
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/(force-)?ssl-redirect$|^haproxy-ingress\.github\.io\/ssl-redirect$/, effect: 'redirect', when: isOn },
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/(permanent-redirect|temporal-redirect|from-to-www-redirect|redirect-entry-point|redirect-regex|redirect-to)$/, effect: 'redirect', when: value => !isOff(value) },
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/auth-tls-(secret|verify-client)$|^haproxy\.org\/client-ca$|\/auth-tls-secret$/, effect: 'client-certificate', when: value => !isOff(value) },
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/(auth-url|auth-type|auth-signin|auth-secret)$|^haproxy-ingress\.github\.io\/(auth-url|auth-secret)$/, effect: 'auth' },
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/(whitelist|allowlist|denylist)-source-range$|^haproxy-ingress\.github\.io\/(allow|deny)list-source-range$/, effect: 'allow-list', when: limits },
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/(rewrite-target|upstream-vhost|app-root|path-prefix-strip)$/, effect: 'rewrite' },
  { key: /^(nginx\.)?ingress\.kubernetes\.io\/(server-snippet|configuration-snippet|config-backend)$|^haproxy-ingress\.github\.io\/config-(backend|frontend)$/, effect: 'snippet' },
  { key: /^nginx\.ingress\.kubernetes\.io\/(enable-modsecurity|backend-protocol|canary|service-upstream)$/, effect: 'other', when: value => !isOff(value) && !/^https?$/i.test(value) },
  // F5 NGINX
  { key: /^nginx\.(org|com)\/redirect-to-https$/, effect: 'redirect', when: isOn },
  { key: /^nginx\.(org|com)\/(basic-auth-secret|jwt-key|jwt-login-url|policies)$/, effect: 'auth' },
  { key: /^nginx\.(org|com)\/rewrites$/, effect: 'rewrite' },
  { key: /^nginx\.(org|com)\/(server|location)-snippets$/, effect: 'snippet' },
  // Traefik: the middlewares themselves are looked up below
  { key: /^traefik\.ingress\.kubernetes\.io\/(redirect-entry-point|redirect-regex)$/, effect: 'redirect' },
  { key: /^traefik\.ingress\.kubernetes\.io\/(auth-type|auth-secret)$/, effect: 'auth' },
  { key: /^traefik\.ingress\.kubernetes\.io\/whitelist-source-range$/, effect: 'allow-list', when: limits },
  { key: /^traefik\.ingress\.kubernetes\.io\/rewrite-target$/, effect: 'rewrite' },
  // HAProxy Technologies
  { key: /^haproxy\.org\/(ssl-redirect|request-redirect)$/, effect: 'redirect', when: value => !isOff(value) },
  { key: /^haproxy\.org\/auth-(type|secret)$/, effect: 'auth' },
  { key: /^haproxy\.org\/(whitelist|allow-list|blacklist|deny-list)$/, effect: 'allow-list', when: limits },
  { key: /^haproxy\.org\/(path-rewrite|set-host)$/, effect: 'rewrite' },
  { key: /^haproxy\.org\/(backend|frontend)-config-snippet$/, effect: 'snippet' },
  // AWS, Azure, Google
  { key: /^alb\.ingress\.kubernetes\.io\/ssl-redirect$/, effect: 'redirect', when: value => value !== '' },
  { key: /^alb\.ingress\.kubernetes\.io\/actions\./, effect: 'redirect', when: value => /"?redirect"?/i.test(value) },
  { key: /^alb\.ingress\.kubernetes\.io\/auth-type$/, effect: 'auth', when: value => value !== 'none' },
  { key: /^alb\.ingress\.kubernetes\.io\/inbound-cidrs$/, effect: 'allow-list', when: limits },
  { key: /^alb\.ingress\.kubernetes\.io\/(wafv2-acl-arn|scheme)$/, effect: 'other', when: value => value !== 'internet-facing' },
  { key: /^appgw\.ingress\.kubernetes\.io\/ssl-redirect$/, effect: 'redirect', when: isOn },
  { key: /^appgw\.ingress\.kubernetes\.io\/(backend-path-prefix|backend-hostname)$/, effect: 'rewrite' },
  // Kong, Contour, APISIX, Cilium, OpenShift
  { key: /^konghq\.com\/https-redirect-status-code$/, effect: 'redirect' },
  { key: /^konghq\.com\/protocols$/, effect: 'redirect', when: value => !/\bhttp\b/.test(value) },
  { key: /^konghq\.com\/strip-path$/, effect: 'rewrite', when: isOn },
  { key: /^konghq\.com\/preserve-host$/, effect: 'rewrite', when: isOff },
  { key: /^k8s\.apisix\.apache\.org\/(http-to-https|http-redirect|http-redirect-code)$/, effect: 'redirect', when: value => !isOff(value) },
  { key: /^k8s\.apisix\.apache\.org\/(auth-type|auth-uri)$/, effect: 'auth' },
  { key: /^k8s\.apisix\.apache\.org\/(allow|block)list-source-range$/, effect: 'allow-list', when: limits },
  { key: /^k8s\.apisix\.apache\.org\/(rewrite-target|rewrite-target-regex|upstream-host)$/, effect: 'rewrite' },
  { key: /^ingress\.cilium\.io\/force-https$/, effect: 'redirect', when: isOn },
  { key: /^haproxy\.router\.openshift\.io\/ip_(white|allow)list$/, effect: 'allow-list', when: limits },
  { key: /^haproxy\.router\.openshift\.io\/rewrite-target$/, effect: 'rewrite' },
  { key: /^route\.openshift\.io\/insecure-edge-termination-policy$/, effect: 'redirect', when: value => value === 'Redirect' }
]

/** What the annotations of an Ingress, and the objects that they name, do to a request. */
export function ingressSettings (view: Snapshot, ingress: KubeObject): Setting[] {
  const settings: Setting[] = []
  for (const [key, value] of annotationsOf(ingress)) {
    const rule = rules.find(item => item.key.test(key) && (item.when?.(value) ?? true))
    if (rule !== undefined) settings.push({ effect: rule.effect, field: key, value: shorten(value) })
    settings.push(...referenced(view, ingress, key, value))
  }
  return settings
}

/** Objects that an annotation names: Traefik's Middleware, Kong's plugins, GKE's FrontendConfig. */
function referenced (view: Snapshot, { metadata: { namespace = '' } }: KubeObject, key: string, value: string): Setting[] {
  if (key === 'traefik.ingress.kubernetes.io/router.middlewares') {
    return value.split(',').flatMap(item => middlewareSettings(view, item.trim().replace(/@.*$/, ''), key))
  }
  if (key === 'konghq.com/plugins' || key === 'konghq.com/override') {
    return value.split(',').flatMap(item => {
      const plugin = view.find('KongPlugin', namespace, item.trim()) ?? view.find('KongClusterPlugin', undefined, item.trim())
      return plugin === undefined ? [] : [{ effect: kongEffect(string(plugin.plugin)), field: nameOf(plugin), value: string(plugin.plugin) }]
    }).filter(({ effect }) => effect !== 'other')
  }
  if (key === 'networking.gke.io/v1beta1.FrontendConfig') {
    const config = view.find('FrontendConfig', namespace, value)
    return at(config?.spec, 'redirectToHttps', 'enabled') === true ? [{ effect: 'redirect', field: nameOf(config!), value: 'redirectToHttps.enabled' }] : []
  }
  return []
}

/** What a Traefik Middleware does, called as its annotation calls it (`<namespace>-<name>`); one that cannot be seen is judged by its name. */
export function middlewareSettings (view: Snapshot, name: string, field: string): Setting[] {
  const middleware = view.byKind('Middleware').find(({ metadata }) => `${metadata.namespace}-${metadata.name}` === name)
  const settings = middleware === undefined ? [{ effect: middlewareEffect(name), field, value: name }] : Object.keys(fields(middleware.spec)).map(kind => ({ effect: middlewareEffect(kind), field: nameOf(middleware), value: kind }))
  return settings.filter(({ effect }) => effect !== 'other')
}

function middlewareEffect (kind: string): Effect {
  if (/redirect/i.test(kind)) return 'redirect'
  if (/auth/i.test(kind)) return 'auth'
  if (/(white|allow)-?list/i.test(kind)) return 'allow-list'
  return /strip|replace-?path|addprefix|rewrite/i.test(kind) ? 'rewrite' : 'other'
}

function kongEffect (plugin: string): Effect {
  if (/auth|jwt|oauth|openid|ldap|acl/.test(plugin)) return 'auth'
  if (/ip-restriction|bot-detection/.test(plugin)) return 'allow-list'
  return /redirect/.test(plugin) ? 'redirect' : /request-transformer|rewrite/.test(plugin) ? 'rewrite' : 'other'
}

/** What the filters of an HTTPRoute's rule do to a request. */
export function filterSettings (rule: unknown): Setting[] {
  return fieldsList(fields(rule).filters).flatMap((filter): Setting[] => {
    const type = string(filter.type)
    if (type === 'RequestRedirect') return [{ effect: 'redirect', field: 'filters.requestRedirect', value: shorten(JSON.stringify(fields(filter.requestRedirect))) }]
    if (type === 'URLRewrite') return [{ effect: 'rewrite', field: 'filters.urlRewrite', value: shorten(JSON.stringify(fields(filter.urlRewrite))) }]
    return type === 'ExtensionRef' ? [{ effect: 'other', field: 'filters.extensionRef', value: shorten(JSON.stringify(fields(filter.extensionRef))) }] : []
  })
}

const shorten = (value: string): string => value.length > 120 ? `${value.slice(0, 119)}…` : value
