/** One kind of the API: where it is listed and what its items are. `versions` are tried in order. */
export interface ResourceType {
  /** `orders.acme.cert-manager.io`, `pods`: the word of Role rules and of ListLook. */
  resource: string
  group: string
  plural: string
  versions: string[]
  kind: string
  namespaced: boolean
}

const table: [group: string, versions: string, kinds: [plural: string, kind: string][], scope: 'namespaced' | 'cluster'][] = [
  ['', 'v1', [
    ['events', 'Event'], ['pods', 'Pod'], ['services', 'Service'], ['endpoints', 'Endpoints'], ['configmaps', 'ConfigMap'],
    ['resourcequotas', 'ResourceQuota'], ['limitranges', 'LimitRange'], ['serviceaccounts', 'ServiceAccount']
  ], 'namespaced'],
  ['', 'v1', [['namespaces', 'Namespace'], ['nodes', 'Node']], 'cluster'],
  ['cert-manager.io', 'v1', [['certificates', 'Certificate'], ['certificaterequests', 'CertificateRequest'], ['issuers', 'Issuer']], 'namespaced'],
  ['cert-manager.io', 'v1', [['clusterissuers', 'ClusterIssuer']], 'cluster'],
  ['acme.cert-manager.io', 'v1', [['orders', 'Order'], ['challenges', 'Challenge']], 'namespaced'],
  ['apps', 'v1', [['deployments', 'Deployment'], ['replicasets', 'ReplicaSet'], ['daemonsets', 'DaemonSet'], ['statefulsets', 'StatefulSet']], 'namespaced'],
  ['networking.k8s.io', 'v1', [['ingresses', 'Ingress'], ['networkpolicies', 'NetworkPolicy']], 'namespaced'],
  ['networking.k8s.io', 'v1', [['ingressclasses', 'IngressClass']], 'cluster'],
  ['discovery.k8s.io', 'v1', [['endpointslices', 'EndpointSlice']], 'namespaced'],
  ['coordination.k8s.io', 'v1', [['leases', 'Lease']], 'namespaced'],
  ['certificates.k8s.io', 'v1', [['certificatesigningrequests', 'CertificateSigningRequest']], 'cluster'],
  ['gateway.networking.k8s.io', 'v1 v1beta1 v1alpha2', [['gateways', 'Gateway'], ['httproutes', 'HTTPRoute']], 'namespaced'],
  ['gateway.networking.k8s.io', 'v1 v1beta1 v1alpha2', [['gatewayclasses', 'GatewayClass']], 'cluster'],
  ['gateway.networking.k8s.io', 'v1beta1 v1', [['referencegrants', 'ReferenceGrant']], 'namespaced'],
  ['gateway.networking.k8s.io', 'v1 v1alpha1', [['listenersets', 'ListenerSet']], 'namespaced'],
  ['apiregistration.k8s.io', 'v1', [['apiservices', 'APIService']], 'cluster'],
  ['apiextensions.k8s.io', 'v1', [['customresourcedefinitions', 'CustomResourceDefinition']], 'cluster'],
  ['admissionregistration.k8s.io', 'v1', [['validatingwebhookconfigurations', 'ValidatingWebhookConfiguration'], ['mutatingwebhookconfigurations', 'MutatingWebhookConfiguration']], 'cluster'],
  ['admissionregistration.k8s.io', 'v1 v1beta1', [['validatingadmissionpolicies', 'ValidatingAdmissionPolicy'], ['validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding']], 'cluster'],
  ['rbac.authorization.k8s.io', 'v1', [['clusterroles', 'ClusterRole'], ['clusterrolebindings', 'ClusterRoleBinding']], 'cluster'],
  ['security.istio.io', 'v1 v1beta1', [['peerauthentications', 'PeerAuthentication'], ['authorizationpolicies', 'AuthorizationPolicy']], 'namespaced'],
  ['networking.istio.io', 'v1 v1beta1 v1alpha3', [['destinationrules', 'DestinationRule'], ['virtualservices', 'VirtualService'], ['gateways', 'Gateway']], 'namespaced'],
  ['networking.istio.io', 'v1alpha3', [['envoyfilters', 'EnvoyFilter']], 'namespaced'],
  ['traefik.io', 'v1alpha1', [['middlewares', 'Middleware'], ['ingressroutes', 'IngressRoute']], 'namespaced'],
  ['traefik.containo.us', 'v1alpha1', [['middlewares', 'Middleware'], ['ingressroutes', 'IngressRoute']], 'namespaced'],
  ['configuration.konghq.com', 'v1', [['kongplugins', 'KongPlugin'], ['kongingresses', 'KongIngress']], 'namespaced'],
  ['configuration.konghq.com', 'v1', [['kongclusterplugins', 'KongClusterPlugin']], 'cluster'],
  ['networking.gke.io', 'v1beta1', [['frontendconfigs', 'FrontendConfig']], 'namespaced'],
  ['cloud.google.com', 'v1', [['backendconfigs', 'BackendConfig']], 'namespaced'],
  ['projectcontour.io', 'v1', [['httpproxies', 'HTTPProxy']], 'namespaced'],
  ['k8s.nginx.org', 'v1', [['virtualservers', 'VirtualServer']], 'namespaced'],
  ['apisix.apache.org', 'v2 v2beta3', [['apisixroutes', 'ApisixRoute']], 'namespaced'],
  ['route.openshift.io', 'v1', [['routes', 'Route']], 'namespaced'],
  ['gateway.envoyproxy.io', 'v1alpha1', [['clienttrafficpolicies', 'ClientTrafficPolicy'], ['securitypolicies', 'SecurityPolicy']], 'namespaced'],
  ['policy.networking.k8s.io', 'v1alpha1', [['adminnetworkpolicies', 'AdminNetworkPolicy'], ['baselineadminnetworkpolicies', 'BaselineAdminNetworkPolicy']], 'cluster'],
  ['cilium.io', 'v2', [['ciliumnetworkpolicies', 'CiliumNetworkPolicy']], 'namespaced'],
  ['cilium.io', 'v2', [['ciliumclusterwidenetworkpolicies', 'CiliumClusterwideNetworkPolicy']], 'cluster'],
  ['crd.projectcalico.org', 'v1', [['networkpolicies', 'NetworkPolicy']], 'namespaced'],
  ['crd.projectcalico.org', 'v1', [['globalnetworkpolicies', 'GlobalNetworkPolicy']], 'cluster']
]

/** Groups that every cluster with cert-manager serves: asked without a look at discovery. */
export const alwaysServed: ReadonlySet<string> = new Set([
  '', 'apps', 'networking.k8s.io', 'discovery.k8s.io', 'coordination.k8s.io', 'certificates.k8s.io', 'apiregistration.k8s.io', 'apiextensions.k8s.io',
  'admissionregistration.k8s.io', 'rbac.authorization.k8s.io', 'cert-manager.io', 'acme.cert-manager.io'
])

const types = new Map<string, ResourceType>()
for (const [group, versions, kinds, scope] of table) {
  for (const [plural, kind] of kinds) {
    const resource = group === '' ? plural : `${plural}.${group}`
    types.set(resource, { resource, group, plural, kind, versions: versions.split(' '), namespaced: scope === 'namespaced' })
  }
}

/** Every resource that this program may read. Secrets are not among them, and never will be. */
export const readableResources: readonly string[] = [...types.keys()]

/** Throws for a resource outside the table: that is a mistake in this program, not of the cluster. */
export function resourceType (resource: string): ResourceType {
  if (/^secrets\b/.test(resource)) throw new Error('Secrets are never read')
  const type = types.get(resource)
  if (type === undefined) throw new Error(`the resource ${resource} is not in the table of kubernetes-resources.ts`)
  return type
}

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

/** Labels of alerts are other people's text: only what can be a namespace gets into a path. */
export const isNamespaceName = (text: string): boolean => text.length <= 63 && label.test(text)
/** Only what can be an object's name gets into a path. */
export const isObjectName = (text: string): boolean => text.length <= 253 && subdomain.test(text) && !text.includes('..')

/** The path of a list or of one object, without query. */
export function resourcePath (type: ResourceType, version: string, namespace?: string, name?: string): string {
  const root = type.group === '' ? `/api/${version}` : `/apis/${type.group}/${version}`
  const inside = namespace === undefined || !type.namespaced ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `${root}${inside}/${type.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
}

/** The missing rule in the words of a ClusterRole. */
export function roleRule (group: string, resource: string, verbs: string[] = ['get', 'list', 'watch']): string {
  return `Add to the ClusterRole of acme-triage: apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${verbs.map(verb => `"${verb}"`).join(', ')}]`
}
