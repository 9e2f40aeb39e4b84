import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { workloadsOf, type Snapshot } from '../snapshot.ts'
import { annotationsOf, at, conditions, fields, fieldsList, nameOf, string, strings } from './fields.ts'

/** The families of controllers whose habits are known. */
export type Family =
  | 'ingress-nginx' | 'nginx.org' | 'traefik' | 'haproxytech' | 'haproxy-ingress' | 'alb' | 'gce' | 'kong' | 'contour' | 'apisix' | 'cilium' | 'istio'
  | 'openshift' | 'azure-gateway' | 'envoy-gateway' | 'other'

/** One running ingress or gateway controller. */
export interface IngressController {
  family: Family
  /** `Deployment ingress-nginx/controller`, as it would be looked up. */
  name: string
  namespace: string
  pods: readonly KubeObject[]
  ready: number
  images: readonly string[]
  /** Flags in lower case without leading dashes; a flag without a value is 'true'. */
  flags: Map<string, string>
}

const byClassController: readonly [RegExp, Family][] = [
  [/^k8s\.io\/|ingress-nginx|webapprouting\.kubernetes\.azure\.com/, 'ingress-nginx'], [/^nginx\.(org|com)\//, 'nginx.org'], [/traefik/, 'traefik'],
  [/^haproxy\.org\//, 'haproxytech'], [/haproxy-ingress/, 'haproxy-ingress'], [/^ingress\.k8s\.aws\/|^eks\.amazonaws\.com\/alb/, 'alb'],
  [/(^|[./])gce(-internal)?$|networking\.gke\.io/, 'gce'], [/konghq/, 'kong'], [/projectcontour/, 'contour'], [/apisix/, 'apisix'], [/cilium/, 'cilium'],
  [/istio/, 'istio'], [/openshift\.io/, 'openshift'], [/azure\/application-gateway|alb\.networking\.azure/, 'azure-gateway'], [/gateway\.envoyproxy\.io/, 'envoy-gateway']
]
const byImage: readonly [RegExp, Family][] = [
  [/ingress-nginx\/controller|nginx-ingress-controller(-amd64)?[:@]|rancher\/nginx-ingress-controller/, 'ingress-nginx'], [/nginx\/nginx-(plus-)?ingress|nginx-ic/, 'nginx.org'],
  [/(^|\/)(rancher\/mirrored-library-)?traefik[:@]/, 'traefik'], [/haproxytech\/kubernetes-ingress/, 'haproxytech'], [/jcmoraisjr\/haproxy-ingress|haproxy-ingress/, 'haproxy-ingress'],
  [/aws-load-balancer-controller|aws-alb-ingress-controller/, 'alb'], [/ingress-gce|ingress-controller-glbc/, 'gce'], [/(^|\/)kong(\/|[:@])|kubernetes-ingress-controller|kong-gateway/, 'kong'],
  [/projectcontour\/contour/, 'contour'], [/apisix-ingress-controller/, 'apisix'], [/cilium\/operator/, 'cilium'], [/istio\/pilot|istio\/proxyv2/, 'istio'], [/envoyproxy\/gateway/, 'envoy-gateway']
]

/** The family of an IngressClass's or GatewayClass's controller name. */
export function familyOfClass (controller: string): Family { return byClassController.find(([pattern]) => pattern.test(controller))?.[1] ?? 'other' }

/** The family that a class name usually stands for, when nothing better is known. */
export function familyOfName (className: string): Family {
  const known: readonly [RegExp, Family][] = [[/^gce(-internal)?$/, 'gce'], [/^alb$/, 'alb'], [/traefik/, 'traefik'], [/haproxy/, 'haproxytech'], [/kong/, 'kong'], [/contour/, 'contour'], [/cilium/, 'cilium'], [/istio/, 'istio'], [/azure/, 'azure-gateway'], [/openshift/, 'openshift'], [/nginx/, 'ingress-nginx']]
  return known.find(([pattern]) => pattern.test(className))?.[1] ?? 'other'
}

/** Every controller that can be seen running, by its image: a Deployment, DaemonSet or StatefulSet, else its bare Pods. */
export function findControllers (view: Snapshot): IngressController[] {
  const pods = view.byKind('Pod').map(pod => ({ pod, family: familyOfPod(pod) })).filter((item): item is { pod: KubeObject, family: Family } => item.family !== undefined)
  const found: IngressController[] = []
  for (const workload of workloadsOf(view)) {
    const template = at(workload.spec, 'template', 'spec')
    const family = familyOfImages(template)
    if (family === undefined) continue
    const namespace = workload.metadata.namespace ?? ''
    const own = pods.filter(({ pod, family: other }) => other === family && pod.metadata.namespace === namespace && pod.metadata.name.startsWith(`${workload.metadata.name}-`)).map(({ pod }) => pod)
    const ready = numberOf(at(workload.status, 'readyReplicas')) ?? numberOf(at(workload.status, 'numberReady')) ?? own.filter(isReady).length
    found.push({ family, name: nameOf(workload), namespace, pods: own, ready, images: imagesOf(template), flags: flagsOf(template) })
  }
  const covered = new Set(found.flatMap(({ pods: own }) => own))
  for (const { pod, family } of pods) {
    if (covered.has(pod)) continue
    found.push({ family, name: nameOf(pod), namespace: pod.metadata.namespace ?? '', pods: [pod], ready: isReady(pod) ? 1 : 0, images: imagesOf(pod.spec), flags: flagsOf(pod.spec) })
  }
  return found
}

const numberOf = (value: unknown): number | undefined => typeof value === 'number' ? value : undefined
const isReady = (pod: KubeObject): boolean => conditions(at(pod.status, 'conditions')).some(({ type, status }) => type === 'Ready' && status === 'True')

function familyOfPod (pod: KubeObject): Family | undefined {
  // Sidecars carry istio's proxy image in every Pod of a mesh.
  const family = familyOfImages(pod.spec)
  return family === 'istio' && !/gateway/.test(pod.metadata.name) && !/istiod|pilot/.test(pod.metadata.name) ? undefined : family
}

function familyOfImages (spec: unknown): Family | undefined {
  for (const image of imagesOf(spec)) {
    const family = byImage.find(([pattern]) => pattern.test(image))?.[1]
    if (family !== undefined) return family
  }
  return undefined
}

const imagesOf = (spec: unknown): string[] => fieldsList(at(spec, 'containers')).map(({ image }) => string(image))

/** `--a=b`, `--a b`, `-a=b` and `--a` of all containers; names in lower case, as Traefik takes them. */
function flagsOf (spec: unknown): Map<string, string> {
  const flags = new Map<string, string>()
  for (const container of fieldsList(at(spec, 'containers'))) {
    const words = [...strings(container.command), ...strings(container.args)]
    for (const [index, word] of words.entries()) {
      const match = /^--?([^=\s]+)(?:=(.*))?$/s.exec(word)
      if (match === null) continue
      const next = words[index + 1]
      const value = match[2] ?? (next !== undefined && !next.startsWith('-') ? next : 'true')
      flags.set(match[1]!.toLowerCase(), value)
    }
  }
  return flags
}

/** ConfigMaps that this controller reads: named by a flag, else those of its namespace that look like its own. */
export function configOf (view: Snapshot, { family, namespace, flags }: IngressController): { map: KubeObject, data: Map<string, string> }[] {
  const named = [flags.get('configmap'), flags.get('nginx-configmaps'), flags.get('config-map')].find(value => value !== undefined)?.replace(/^.*\//, '')
  const own = view.byKind('ConfigMap', namespace).filter(({ metadata: { name } }) => named === undefined ? family === 'cilium' ? name === 'cilium-config' : familyOfName(name) === family || /ingress|controller|config/.test(name) : name === named)
  return own.map(map => ({ map, data: new Map(Object.entries(fields(map.data)).map(([key, value]) => [key, string(value)])) }))
}

/** The class of an Ingress: by spec, by the old annotation, or neither. */
export function classOf (ingress: KubeObject): { name?: string, by: 'spec' | 'annotation' | 'none' } {
  const bySpec = string(at(ingress.spec, 'ingressClassName'))
  if (bySpec !== '') return { name: bySpec, by: 'spec' }
  const byAnnotation = annotationsOf(ingress).get('kubernetes.io/ingress.class')
  return byAnnotation === undefined || byAnnotation === '' ? { by: 'none' } : { name: byAnnotation, by: 'annotation' }
}
