import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { LogRole } from '../shared/types/observations.ts'
import { list, text, texts } from './fields.ts'
import type { Gathering } from './gathering.ts'

/** Where cert-manager lives and what tells it. */
export interface CertManager {
  namespace: string
  /** How the namespace was found; `guess` when nothing showed it. */
  from: 'configured' | 'workload' | 'pod' | 'guess'
  /** Deployments, as a rule; DaemonSets and StatefulSets where somebody made them so. */
  workloads: KubeObject[]
  pods: KubeObject[]
  clusterResourceNamespace: string
  recursiveNameservers: string[]
  /** Where a flag says that the Lease is. */
  leaseNamespace?: string
}

export const workloadResources = ['deployments.apps', 'daemonsets.apps', 'statefulsets.apps'] as const

type Component = Extract<LogRole, 'controller' | 'webhook' | 'cainjector'>

/** What runs Pods for good, of one namespace or of all. */
export async function listWorkloads (gathering: Gathering, namespace?: string): Promise<KubeObject[]> {
  const question = namespace === undefined ? { partial: true } : { namespace }
  return (await Promise.all(workloadResources.map(resource => gathering.items(resource, question)))).flat()
}

/** Which part of cert-manager a workload or Pod is; old charts have no component label, and image mirrors keep the last word. */
export function componentOf (object: KubeObject): Component | undefined {
  const spec = object.kind === 'Pod' ? object.spec : (object.spec?.template as Record<string, unknown> | undefined)?.spec
  const images = list(spec, 'containers').map(container => text(container, 'image'))
  const labels = { ...(object.kind === 'Pod' ? {} : labelsOfTemplate(object)), ...object.metadata.labels }
  for (const image of images) {
    const [, part] = /cert-manager-(controller|webhook|cainjector)(?=[:@]|$)/.exec(image) ?? []
    if (part !== undefined) return part as Component
  }
  const component = labels['app.kubernetes.io/component'] ?? ''
  if (labels['app.kubernetes.io/name'] === 'cert-manager' && (component === 'controller' || component === 'cert-manager' || component === '')) return 'controller'
  if (labels['app.kubernetes.io/name'] === 'webhook' && (labels['app.kubernetes.io/instance'] ?? labels.app ?? '').startsWith('cert-manager')) return 'webhook'
  if (labels['app.kubernetes.io/name'] === 'cainjector') return 'cainjector'
  if (labels.app === 'cert-manager' || labels.app === 'cert-manager-controller') return 'controller'
  if (labels.app === 'webhook' && object.metadata.name.startsWith('cert-manager')) return 'webhook'
  if (labels.app === 'cainjector') return 'cainjector'
  const containers = list(spec, 'containers').map(container => text(container, 'name'))
  if (containers.some(name => name === 'cert-manager-controller') || (containers.includes('cert-manager') && /^cert-manager(-[a-z0-9]+){0,2}$/.test(object.metadata.name))) return 'controller'
  return undefined
}

const labelsOfTemplate = (object: KubeObject): Record<string, string> => {
  const labels = ((object.spec?.template as Record<string, unknown> | undefined)?.metadata as Record<string, unknown> | undefined)?.labels
  return typeof labels === 'object' && labels !== null ? labels as Record<string, string> : {}
}

/** By what it runs, wherever that is; the usual name is only the last resort. */
export async function findCertManager (gathering: Gathering, configured: string | undefined): Promise<CertManager> {
  const guess = configured ?? 'cert-manager'
  const [everywhere, guessed] = await Promise.all([
    listWorkloads(gathering),
    gathering.items('pods', { namespace: guess })
  ])
  const controllers = everywhere.filter(workload => componentOf(workload) === 'controller')
  const inGuess = controllers.find(({ metadata }) => metadata.namespace === guess)
  const found = inGuess ?? controllers[0]
  const namespace = configured ?? found?.metadata.namespace ?? guess
  const pods = namespace === guess ? guessed : await gathering.items('pods', { namespace })
  const workloads = everywhere.length > 0 ? everywhere.filter(({ metadata }) => metadata.namespace === namespace) : await listWorkloads(gathering, namespace)
  const controllerPods = pods.filter(pod => componentOf(pod) === 'controller')
  const flags = flagsOf(workloads.find(workload => componentOf(workload) === 'controller') ?? controllerPods[0])
  const lease = flags.get('leader-election-namespace')?.[0]
  const resourceNamespace = flags.get('cluster-resource-namespace')?.[0]
  return {
    namespace,
    from: configured !== undefined ? 'configured' : found !== undefined ? 'workload' : controllerPods.length > 0 ? 'pod' : 'guess',
    workloads,
    pods,
    // The chart passes $(POD_NAMESPACE).
    ...(lease === undefined || lease.startsWith('$(') ? {} : { leaseNamespace: lease }),
    clusterResourceNamespace: resourceNamespace === undefined || resourceNamespace.startsWith('$(') ? namespace : resourceNamespace,
    recursiveNameservers: (flags.get('dns01-recursive-nameservers') ?? []).flatMap(value => value.split(',')).map(value => value.trim()).filter(value => value !== '')
  }
}

/** `--flag=value` and `--flag value` of every container. */
function flagsOf (object: KubeObject | undefined): Map<string, string[]> {
  const flags = new Map<string, string[]>()
  if (object === undefined) return flags
  const spec = object.kind === 'Pod' ? object.spec : (object.spec?.template as Record<string, unknown> | undefined)?.spec
  for (const container of list(spec, 'containers')) {
    const args = [...texts(container, 'command'), ...texts(container, 'args')]
    for (const [index, argument] of args.entries()) {
      const [, name, value] = /^--?([\w-]+)(?:=(.*))?$/s.exec(argument) ?? []
      if (name === undefined) continue
      const given = value ?? (args[index + 1]?.startsWith('-') === false ? args[index + 1]! : 'true')
      flags.set(name, [...flags.get(name) ?? [], given])
    }
  }
  return flags
}
