import type { KubeObject } from '../shared/types/kubernetes.ts'

/** A kind as the API's discovery names it. */
export interface ApiResource { group: string, version: string, plural: string, kind: string, namespaced: boolean }

const cores = ['', 'apps', 'batch', 'autoscaling', 'policy', 'networking.k8s.io', 'rbac.authorization.k8s.io', 'storage.k8s.io', 'coordination.k8s.io', 'discovery.k8s.io', 'events.k8s.io', 'admissionregistration.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'certificates.k8s.io', 'flowcontrol.apiserver.k8s.io', 'node.k8s.io', 'scheduling.k8s.io']

/** Groups that are there although no object uses them (case-format.md). */
export const installedGroups: ReadonlySet<string> = new Set([...cores, 'cert-manager.io', 'acme.cert-manager.io'])

// group: kinds, namespaced first, cluster-wide after the bar.
const wellKnown: Record<string, string> = {
  '': 'Pod Service Endpoints Event ConfigMap Secret ServiceAccount ResourceQuota LimitRange PersistentVolumeClaim ReplicationController | Namespace Node PersistentVolume',
  apps: 'Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision',
  batch: 'Job CronJob',
  autoscaling: 'HorizontalPodAutoscaler',
  policy: 'PodDisruptionBudget',
  'networking.k8s.io': 'Ingress NetworkPolicy | IngressClass',
  'rbac.authorization.k8s.io': 'Role RoleBinding | ClusterRole ClusterRoleBinding',
  'storage.k8s.io': '| StorageClass',
  'coordination.k8s.io': 'Lease',
  'discovery.k8s.io': 'EndpointSlice',
  'events.k8s.io': 'Event',
  'admissionregistration.k8s.io': '| ValidatingWebhookConfiguration MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding',
  'apiextensions.k8s.io': '| CustomResourceDefinition',
  'apiregistration.k8s.io': '| APIService',
  'authorization.k8s.io': '| SelfSubjectAccessReview',
  'certificates.k8s.io': '| CertificateSigningRequest',
  'scheduling.k8s.io': '| PriorityClass',
  'cert-manager.io': 'Certificate CertificateRequest Issuer | ClusterIssuer',
  'acme.cert-manager.io': 'Order Challenge',
  'gateway.networking.k8s.io': 'Gateway HTTPRoute GRPCRoute TLSRoute TCPRoute ReferenceGrant ListenerSet BackendTLSPolicy | GatewayClass'
}

const irregular: Record<string, string> = { Endpoints: 'endpoints', NetworkPolicy: 'networkpolicies', EndpointSlice: 'endpointslices' }

/** The plural that a kind's URL has: right for every kind known here, the usual English rules for others. */
export function pluralOf (kind: string): string {
  const lower = kind.toLowerCase()
  if (Object.hasOwn(irregular, kind)) return irregular[kind]!
  if (/[^aeiou]y$/.test(lower)) return `${lower.slice(0, -1)}ies`
  if (/(?:s|x|z|ch|sh)$/.test(lower)) return `${lower}es`
  return `${lower}s`
}

/** Splits `networking.k8s.io/v1`; the core group is ''. */
export function groupVersion (apiVersion: string): { group: string, version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** Everything that discovery lists: the well-known kinds of installed groups, and the kinds of the objects. */
export function resourcesOf (objects: readonly KubeObject[], missing: ReadonlySet<string>): ApiResource[] {
  const resources = new Map<string, ApiResource>()
  const versions = new Map<string, string>()
  for (const { apiVersion, kind, metadata } of objects) {
    const { group, version } = groupVersion(apiVersion)
    if (missing.has(group)) continue
    if (!versions.has(group)) versions.set(group, version)
    const key = `${group}/${kind}`
    const known = resources.get(key)
    if (known === undefined) resources.set(key, { group, version, kind, plural: pluralOf(kind), namespaced: metadata.namespace !== undefined })
    else known.namespaced ||= metadata.namespace !== undefined
  }
  for (const [group, kinds] of Object.entries(wellKnown)) {
    if (missing.has(group) || (!installedGroups.has(group) && !versions.has(group))) continue
    const [namespaced = '', cluster = ''] = kinds.split('|')
    for (const [list, own] of [[namespaced, true], [cluster, false]] as const) {
      for (const kind of list.split(' ').filter(Boolean)) {
        const key = `${group}/${kind}`
        const version = resources.get(key)?.version ?? versions.get(group) ?? (group === 'autoscaling' ? 'v2' : 'v1')
        resources.set(key, { group, version, kind, plural: pluralOf(kind), namespaced: own })
      }
    }
  }
  return [...resources.values()]
}
