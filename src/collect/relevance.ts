import type { KubeObject } from '../shared/types/kubernetes.ts'
import { created, failedStates, list, namesOf, sameIssuer, text } from './fields.ts'
import { covers } from './resolve.ts'

/** Kinds whose change before the failure may be its cause: who changed which field stays with them. */
const withHistory = new Set(['Certificate', 'Issuer', 'ClusterIssuer', 'Ingress', 'IngressClass', 'Gateway', 'GatewayClass', 'HTTPRoute', 'ListenerSet', 'NetworkPolicy', 'Service', 'Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'ConfigMap', 'ResourceQuota', 'LimitRange', 'PeerAuthentication', 'AuthorizationPolicy', 'CiliumNetworkPolicy', 'ValidatingAdmissionPolicy'])

/** A copy without bulk that nobody reads: certificates in webhook configurations, last-applied JSON, history of busy kinds. */
export function slim (object: KubeObject, history = withHistory.has(object.kind)): KubeObject {
  const { managedFields, annotations, ...metadata } = object.metadata
  const slimmed: KubeObject = { ...object, metadata }
  if (annotations !== undefined) slimmed.metadata.annotations = without(annotations, ['kubectl.kubernetes.io/last-applied-configuration'])
  if (history && managedFields !== undefined) slimmed.metadata.managedFields = managedFields
  switch (object.kind) {
    case 'Pod': slimmed.spec = withoutValues(object.spec); break
    case 'Deployment': case 'DaemonSet': case 'StatefulSet': case 'ReplicaSet': {
      const template = object.spec?.template as { spec?: Record<string, unknown> } | undefined
      slimmed.spec = { ...object.spec, template: { ...template, spec: withoutValues(template?.spec) } }
      break
    }
    case 'ValidatingWebhookConfiguration': case 'MutatingWebhookConfiguration':
      slimmed.webhooks = list(object, 'webhooks').map(webhook => ({ ...webhook as object, clientConfig: { ...(webhook as { clientConfig?: object }).clientConfig, caBundle: undefined } }))
      break
    case 'APIService': slimmed.spec = { ...object.spec, caBundle: undefined }; break
    case 'CertificateSigningRequest': slimmed.spec = without(object.spec, ['request']); slimmed.status = without(object.status, ['certificate']); break
    // Schemas are megabytes; the label with the version and the served versions are what tells.
    case 'CustomResourceDefinition': slimmed.spec = { versions: list(object, 'spec', 'versions').map(version => ({ name: text(version, 'name'), served: (version as { served?: unknown }).served === true })) }; break
    case 'Node': slimmed.status = { addresses: list(object, 'status', 'addresses'), conditions: list(object, 'status', 'conditions') }; break
    case 'ConfigMap': {
      const data = Object.fromEntries(Object.entries((object.data ?? {}) as Record<string, unknown>).filter((entry): entry is [string, string] => typeof entry[1] === 'string').map(([key, value]) => [key, value.slice(0, 16_384)]))
      slimmed.data = data
      delete slimmed.binaryData
      break
    }
  }
  return slimmed
}

const tellingVariables = /^((HTTPS?|NO|ALL)_PROXY|.*NAMESPACE|POD_NAME|NODE_NAME|GROUP_NAME|.*REGION|.*(NAMESERVERS?|RESOLVER)|LOG_LEVEL)$/i

/** Environment variables often hold credentials: only those stay that explain how a program reaches others. */
function withoutValues (spec: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  if (spec === undefined) return undefined
  const containers = list(spec, 'containers').map(container => {
    const env = list(container, 'env')
    return env.length === 0 ? container : { ...container as object, env: env.map(variable => text(variable, 'value') === '' || tellingVariables.test(text(variable, 'name')) ? variable : { ...variable as object, value: '<redacted>' }) }
  })
  return { ...spec, containers }
}

function without<T extends object> (value: T | undefined, fields: string[]): T {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([key]) => !fields.includes(key))) as T
}

/** An Order or Certificate of somebody else: enough to count it, no CSR. */
export function outline (object: KubeObject): KubeObject {
  const { ownerReferences, annotations } = object.metadata
  const rest = without(slim(object, false).metadata, ['labels', 'ownerReferences', 'annotations'])
  const name = annotations?.['cert-manager.io/certificate-name']
  const outlined: KubeObject = { ...object, metadata: { ...rest, ...(ownerReferences === undefined ? {} : { ownerReferences }), ...(name === undefined ? {} : { annotations: { 'cert-manager.io/certificate-name': name } }) } }
  if (object.kind === 'Order') {
    outlined.spec = without(object.spec, ['request'])
    outlined.status = without(object.status, ['authorizations', 'certificate'])
  }
  return outlined
}

export const isSolverObject = (object: KubeObject): boolean =>
  object.metadata.labels?.['acme.cert-manager.io/http01-solver'] === 'true' || object.metadata.name.startsWith('cm-acme-http-solver-')

/** Others of the same issuer, of the same name, or failing: the neighbours that show how far a failure reaches. */
export function neighbours (objects: KubeObject[], chain: KubeObject | undefined, domains: string[], limit: number): KubeObject[] {
  const rank = (object: KubeObject): number => {
    if (domains.length > 0 && namesOf(object).some(name => domains.some(domain => covers(name, domain)))) return 0
    if (chain !== undefined && sameIssuer(object, chain)) return 1
    return failedStates.has(text(object, 'status', 'state')) ? 2 : 3
  }
  return objects.map(object => ({ object, rank: rank(object) })).sort((a, b) => a.rank - b.rank || created(b.object) - created(a.object)).slice(0, limit).map(({ object }) => outline(object))
}

/** Does a route for `host` bear on one of the names: equal, covering it, or for everybody (''). */
export const hostBears = (host: string, domains: string[]): boolean => host === '' || domains.some(domain => covers(host, domain))

export const ingressBears = (ingress: KubeObject, domains: string[]): boolean => {
  if (isSolverObject(ingress)) return true
  const rules = list(ingress, 'spec', 'rules')
  return rules.length === 0 || rules.some(rule => hostBears(text(rule, 'host'), domains)) || list(ingress, 'spec', 'tls').some(tls => list(tls, 'hosts').some(host => typeof host === 'string' && hostBears(host, domains)))
}

export const routeBears = (route: KubeObject, domains: string[]): boolean => {
  const hostnames = list(route, 'spec', 'hostnames')
  return isSolverObject(route) || hostnames.length === 0 || hostnames.some(host => typeof host === 'string' && hostBears(host, domains))
}

/** Programs that bring requests to Pods, or answer for DNS providers. */
const doorkeepers = /ingress|gateway|traefik|haproxy|contour|envoy|istio|kong|apisix|nginx|ambassador|emissary|cilium|skipper|voyager|webhook|external-dns|load-?balancer|metallb|cloudflared|caddy|pomerium|oauth2|router-/i

export const isDoorkeeper = (workload: KubeObject): boolean => {
  const containers = list(workload, 'spec', 'template', 'spec', 'containers')
  return doorkeepers.test(workload.metadata.name) || containers.some(container => doorkeepers.test(text(container, 'image')))
}

/** Namespaces of ingress and gateway controllers; those of webhooks and DNS tools are no doors. */
const doors = /ingress|router-|gateway|traefik|haproxy|contour|envoy|istio|kong|apisix|ambassador|emissary|skipper/i
export const isDoor = (workload: KubeObject): boolean => {
  const containers = list(workload, 'spec', 'template', 'spec', 'containers')
  return doors.test(workload.metadata.name) || containers.some(container => /ingress-controller|ingress-nginx|traefik|haproxy|contour|envoy|istio\/(pilot|proxyv2)|kong|apisix/i.test(text(container, 'image')))
}

/** Of a busy namespace's events only those that bear on certificates and the way of a request. */
const eventKinds = new Set(['Certificate', 'CertificateRequest', 'Order', 'Challenge', 'Issuer', 'ClusterIssuer', 'Ingress', 'Gateway', 'HTTPRoute', 'Service', 'NetworkPolicy', 'ResourceQuota', 'LimitRange', 'Namespace', 'ListenerSet'])
export function eventBears (event: KubeObject): boolean {
  const involved = (event.involvedObject ?? event.regarding) as unknown
  return eventKinds.has(text(involved, 'kind')) || text(involved, 'name').startsWith('cm-acme-http-solver')
}

const controllerConfigs = /nginx|ingress|traefik|haproxy|kong|contour|envoy|istio|apisix|cert-manager|controller|proxy|mesh|cilium-config/i
export const isControllerConfig = (map: KubeObject): boolean => controllerConfigs.test(map.metadata.name) && !/root-ca|leader|lock|dashboard|\.v\d+$/.test(map.metadata.name)
