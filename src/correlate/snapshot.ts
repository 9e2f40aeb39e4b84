import { absent, seen, unavailable, type Look } from '../shared/types/common.ts'
import { ownComponent, type IssuerRef, type KubeObject } from '../shared/types/kubernetes.ts'
import type { ListLook, Observations } from '../shared/types/observations.ts'

/** The plural, group-qualified resource of each kind, as it stands in `ListLook.resource`. */
const resourceOfKind: ReadonlyMap<string, string> = new Map([
  ['Certificate', 'certificates.cert-manager.io'], ['CertificateRequest', 'certificaterequests.cert-manager.io'],
  ['Issuer', 'issuers.cert-manager.io'], ['ClusterIssuer', 'clusterissuers.cert-manager.io'],
  ['Order', 'orders.acme.cert-manager.io'], ['Challenge', 'challenges.acme.cert-manager.io'],
  ['Ingress', 'ingresses.networking.k8s.io'], ['IngressClass', 'ingressclasses.networking.k8s.io'],
  ['NetworkPolicy', 'networkpolicies.networking.k8s.io'], ['EndpointSlice', 'endpointslices.discovery.k8s.io'],
  ['Gateway', 'gateways.gateway.networking.k8s.io'], ['GatewayClass', 'gatewayclasses.gateway.networking.k8s.io'],
  ['HTTPRoute', 'httproutes.gateway.networking.k8s.io'], ['ReferenceGrant', 'referencegrants.gateway.networking.k8s.io'],
  ['ListenerSet', 'listenersets.gateway.networking.k8s.io'],
  ['Pod', 'pods'], ['Service', 'services'], ['Event', 'events'], ['Namespace', 'namespaces'], ['Node', 'nodes'], ['ConfigMap', 'configmaps'],
  ['Deployment', 'deployments.apps'], ['ReplicaSet', 'replicasets.apps'], ['DaemonSet', 'daemonsets.apps'], ['StatefulSet', 'statefulsets.apps'],
  ['Lease', 'leases.coordination.k8s.io'], ['APIService', 'apiservices.apiregistration.k8s.io'],
  ['CustomResourceDefinition', 'customresourcedefinitions.apiextensions.k8s.io'],
  ['CertificateSigningRequest', 'certificatesigningrequests.certificates.k8s.io'],
  ['ValidatingWebhookConfiguration', 'validatingwebhookconfigurations.admissionregistration.k8s.io'],
  ['MutatingWebhookConfiguration', 'mutatingwebhookconfigurations.admissionregistration.k8s.io']
])

/** An index over one incident's observations: objects by kind, name, UID and owner, and how each list ended. */
export interface Snapshot {
  /** Every object of a kind, sorted by namespace, name, UID; the kinds of other API groups with the same name included, but `IstioGateway` apart. */
  byKind (kind: string, namespace?: string): readonly KubeObject[]
  byUid (uid: string | undefined): KubeObject | undefined
  /** The newest of that name: a retry re-uses names with new UIDs, so prefer `byUid`. */
  find (kind: string, namespace: string | undefined, name: string): KubeObject | undefined
  /** Objects with an ownerReference to this UID. */
  ownedBy (uid: string, kind?: string): readonly KubeObject[]
  /** All objects of a kind or resource; empty and unreadable are told apart. */
  list (kindOrResource: string, namespace?: string): Look<readonly KubeObject[]>
  /** One object: seen, absent (its list or its own GET was answered), or unavailable. */
  get (kind: string, namespace: string | undefined, name: string): Look<KubeObject>
  /** Events whose involvedObject has this UID, or (without UID) this kind, namespace and name. */
  eventsOf (kind: string, namespace: string | undefined, name: string, uid?: string): readonly KubeObject[]
}

/** Indexes the observations once. */
export function takeSnapshot ({ objects, lists }: Pick<Observations, 'objects' | 'lists'>): Snapshot {
  const kinds = new Map<string, KubeObject[]>()
  const uids = new Map<string, KubeObject>()
  const owners = new Map<string, KubeObject[]>()
  const names = new Map<string, KubeObject>()
  const events = new Map<string, KubeObject[]>()
  const sorted = objects.filter(object => !isOwnEvent(object)).sort(byPlace)
  for (const object of sorted) {
    const { metadata } = object
    const kind = kindOf(object)
    add(kinds, kind, object)
    if (metadata.uid !== '' && metadata.uid !== undefined) uids.set(metadata.uid, object)
    const name = nameKey(kind, metadata.namespace, metadata.name)
    const other = names.get(name)
    if (other === undefined || createdAt(other) <= createdAt(object)) names.set(name, object)
    for (const owner of metadata.ownerReferences ?? []) add(owners, owner.uid, object)
    if (kind === 'Event') {
      const involved = involvedObject(object)
      add(events, nameKey(involved.kind, involved.namespace, involved.name), object)
    }
  }

  const byKind = (kind: string, namespace?: string): readonly KubeObject[] => {
    const all = kinds.get(kind) ?? []
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace)
  }
  const list = (kindOrResource: string, namespace?: string): Look<readonly KubeObject[]> => {
    const resource = resourceOfKind.get(kindOrResource) ?? kindOrResource
    const kind = resourceOfKind.has(kindOrResource) ? kindOrResource : kindOfResource(kindOrResource)
    const found = kind === undefined ? [] : byKind(kind, namespace)
    const { refused, answered } = howListed(lists, resource, namespace)
    if (found.length > 0) return seen(found)
    if (refused !== undefined) return refused
    return answered ? seen([]) : unavailable(`nobody asked for ${resource}`)
  }
  return {
    byKind,
    byUid: uid => uid === undefined ? undefined : uids.get(uid),
    find: (kind, namespace, name) => names.get(nameKey(kind, namespace, name)),
    ownedBy: (uid, kind) => (owners.get(uid) ?? []).filter(object => kind === undefined || object.kind === kind),
    list,
    get: (kind, namespace, name) => {
      const found = names.get(nameKey(kind, namespace, name))
      if (found !== undefined) return seen(found)
      const resource = resourceOfKind.get(kind) ?? kind
      const { refused, answered } = howListed(lists, resource, namespace, name)
      if (answered) return absent
      return refused ?? unavailable(`nobody asked for ${resource}`)
    },
    eventsOf: (kind, namespace, name, uid) => (events.get(nameKey(kind, namespace, name)) ?? events.get(nameKey(kind, undefined, name)) ?? []).filter(event => {
      const involved = involvedObject(event)
      return uid === undefined || involved.uid === '' || involved.uid === uid
    })
  }
}

/** Istio's Gateway has nothing but the name in common with the Gateway API's. */
const kindOf = ({ apiVersion, kind }: KubeObject): string => kind === 'Gateway' && apiVersion.startsWith('networking.istio.io/') ? 'IstioGateway' : kind

const kindsByResource = new Map([...resourceOfKind].map(([kind, resource]) => [resource, kind]))
function kindOfResource (resource: string): string | undefined {
  return kindsByResource.get(resource) ?? [...kindsByResource].find(([full]) => full.split('.')[0] === resource)?.[1]
}

/** A whole list that was answered makes what is not in it absent; a cut one does not. */
function howListed (lists: readonly ListLook[], resource: string, namespace: string | undefined, name?: string): { answered: boolean, refused?: Extract<ListLook['look'], { is: 'unavailable' }> } {
  let answered = false
  let refused: Extract<ListLook['look'], { is: 'unavailable' }> | undefined
  for (const entry of lists) {
    if (!sameResource(entry.resource, resource)) continue
    const covers = entry.namespace === undefined || entry.namespace === '' || entry.namespace === namespace || namespace === undefined
    if (!covers || (entry.name !== undefined && entry.name !== name)) continue
    if (entry.look.is === 'unavailable') refused ??= entry.look
    else if (name === undefined || entry.look.is === 'absent' || entry.look.value.truncated !== true) answered = true
  }
  return { answered, refused: answered ? undefined : refused }
}

const sameResource = (a: string, b: string): boolean => a === b || (a.includes('.') !== b.includes('.') && a.split('.')[0] === b.split('.')[0])

/** Our own words on a Certificate (kubernetes.certificateEvents) would prove themselves at the next look. */
const isOwnEvent = ({ kind, reportingComponent }: KubeObject): boolean => kind === 'Event' && reportingComponent === ownComponent

/** What an Event is about; new-style events call it `regarding`. */
export function involvedObject (event: KubeObject): { kind: string, namespace?: string, name: string, uid: string, apiVersion: string } {
  const about = (event.involvedObject ?? event.regarding ?? {}) as Record<string, unknown>
  const text = (field: string): string => typeof about[field] === 'string' ? about[field] : ''
  const namespace = text('namespace')
  return { kind: text('kind'), namespace: namespace === '' ? undefined : namespace, name: text('name'), uid: text('uid'), apiVersion: text('apiVersion') }
}

/** The controller's ownerReference of that kind, whatever others stand beside it (v1.20 adds a second). */
export function controllerOf (object: KubeObject, kind?: string): { kind: string, name: string, uid: string } | undefined {
  const owners = (object.metadata.ownerReferences ?? []).filter(owner => kind === undefined || owner.kind === kind)
  return owners.find(({ controller }) => controller === true) ?? (kind === undefined ? undefined : owners[0])
}

/** What runs Pods for good. */
export const workloadKinds: readonly string[] = ['Deployment', 'DaemonSet', 'StatefulSet']
export const workloadsOf = (snapshot: Snapshot): KubeObject[] => workloadKinds.flatMap(kind => snapshot.byKind(kind))

/** When the API server made it; 0 when it does not say. */
export const createdAt = ({ metadata }: KubeObject): number => millisOf(metadata.creationTimestamp) ?? 0

/** RFC 3339 → milliseconds; undefined for anything that is not a time. */
export function millisOf (text: unknown): number | undefined {
  if (typeof text !== 'string' || text === '') return undefined
  const time = Date.parse(text)
  return Number.isFinite(time) ? time : undefined
}

function byPlace (a: KubeObject, b: KubeObject): number {
  return compare(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || compare(a.metadata.name, b.metadata.name) || compare(a.metadata.uid ?? '', b.metadata.uid ?? '')
}
/** Order of code units: the same on every machine, unlike localeCompare. */
export const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

const nameKey = (kind: string, namespace: string | undefined, name: string): string => `${kind}\n${namespace ?? ''}\n${name}`

function add<V> (map: Map<string, V[]>, key: string, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** The failing attempt, as far as its objects are left. */
export interface AttemptObjects {
  certificate?: KubeObject
  request?: KubeObject
  order?: KubeObject
  challenges: KubeObject[]
  issuer?: KubeObject
  /** The reference to the issuer, also when it leads to nothing. */
  issuerRef?: IssuerRef
}

/** One name of the attempt, before its facts. */
export interface IdentifierSeed {
  /** Without `*.`; '' when none is known. */
  name: string
  type: 'dns' | 'ip'
  wildcard: boolean
  challengeType?: 'HTTP-01' | 'DNS-01'
  challenge?: KubeObject
  authorization?: { url: string, initialState: string, challengeTypes: string[], tokens?: string[] }
}

/** What every facts module reads. */
export interface CorrelateContext {
  observations: Observations
  snapshot: Snapshot
  attempt: AttemptObjects
  identifiers: readonly IdentifierSeed[]
  /** Namespace of the attempt, also when its objects are gone. */
  namespace: string
  /** The moment the windows are laid around. */
  anchor: number
}

/** Every facts module follows it: `export const facts: FactsOf<AddressFacts> = (context, identifier) => …`. */
export type FactsOf<Facts> = (context: CorrelateContext, identifier?: IdentifierSeed) => Look<Facts>
