import type { Condition, KubeObject } from '../../shared/types/kubernetes.ts'
import type { SolverFacts } from '../../shared/types/case.ts'
import type { Evidence } from '../../shared/types/common.ts'
import { adler32 } from '../../shared/adler32.ts'
import { compare, createdAt, type Snapshot } from '../snapshot.ts'
import { annotationsOf, at, conditions, fields, fieldsList, labelsOf, nameOf, string, stringMap, strings, type Fields } from './fields.ts'

/** The Challenge as far as its solver objects need it. */
export interface ChallengeRef { namespace: string, uid: string, dnsName: string, token: string }

const solverKinds = ['Pod', 'Service', 'Ingress', 'HTTPRoute'] as const

/** The two labels that tell the solver objects of one challenge from those of another. */
export function solverLabels ({ dnsName, token }: Pick<ChallengeRef, 'dnsName' | 'token'>): Map<string, string> {
  return new Map([
    ['acme.cert-manager.io/http-domain', String(adler32(dnsName))],
    ['acme.cert-manager.io/http-token', String(adler32(token))],
    ['acme.cert-manager.io/http01-solver', 'true']
  ])
}

/** Pod, Service, Ingress and HTTPRoute of a challenge: by owner UID, else by the checksums in their labels. */
export function solverObjects (view: Snapshot, challenge: ChallengeRef): KubeObject[] {
  if (challenge.uid === '' && challenge.token === '') return objectsOfName(view, challenge)
  const wanted = solverLabels(challenge)
  return solverKinds.flatMap(kind => view.byKind(kind, challenge.namespace).filter(object => {
    const owners = object.metadata.ownerReferences ?? []
    if (challenge.uid !== '' && owners.some(({ uid }) => uid === challenge.uid)) return true
    // Owned by another challenge: its twin with the same name keeps its own objects.
    if (owners.some(({ kind: owner }) => owner === 'Challenge') && challenge.uid !== '') return false
    const labels = labelsOf(object)
    return [...wanted].every(([key, value]) => labels.get(key) === value)
  }))
}

/** Of a challenge that cannot be read itself its name is known: the newest solver for it, should several attempts have left one. */
function objectsOfName (view: Snapshot, { namespace, dnsName }: ChallengeRef): KubeObject[] {
  const domain = String(adler32(dnsName))
  const all = solverKinds.flatMap(kind => view.byKind(kind, namespace)).filter(({ metadata }) =>
    metadata.labels?.['acme.cert-manager.io/http-domain'] === domain &&
    // A challenge that is there to own it is another attempt's.
    !(metadata.ownerReferences ?? []).some(({ kind, uid }) => kind === 'Challenge' && view.byUid(uid) !== undefined))
  const [newest] = [...all].sort((a, b) => createdAt(b) - createdAt(a) || compare(a.metadata.uid, b.metadata.uid))
  return all.filter(({ metadata }) => metadata.labels?.['acme.cert-manager.io/http-token'] === newest?.metadata.labels?.['acme.cert-manager.io/http-token'])
}

const pathOf = ({ spec }: KubeObject): string => string(fields(fieldsList(at(fieldsList(at(spec, 'rules'))[0], 'http', 'paths'))[0]).path) || string(at(fieldsList(fields(fieldsList(at(spec, 'rules'))[0]).matches)[0], 'path', 'value'))

/** The token of a challenge that cannot be read itself: the path of its Ingress or HTTPRoute ends with it. */
export function tokenOfSolver (objects: readonly KubeObject[]): string | undefined {
  return objects.map(object => /\/acme-challenge\/([\w-]+)$/.exec(pathOf(object))?.[1]).find(token => token !== undefined)
}

/** What the solver objects say, with the words of scheduler and kubelet. */
export function solverFacts (view: Snapshot, objects: readonly KubeObject[]): SolverFacts {
  const pods = objects.filter(({ kind }) => kind === 'Pod').map(podOf)
  const services = objects.filter(({ kind }) => kind === 'Service').map(object => ({
    name: object.metadata.name, type: string(at(object.spec, 'type')) || 'ClusterIP', readyEndpoints: readyEndpoints(view, object)
  }))
  const ingresses = objects.filter(({ kind }) => kind === 'Ingress').map(object => ({
    name: object.metadata.name,
    className: string(at(object.spec, 'ingressClassName')) || undefined,
    classAnnotation: annotationsOf(object).get('kubernetes.io/ingress.class'),
    addresses: statusAddresses(object),
    pathType: string(fields(fieldsList(at(fieldsList(at(object.spec, 'rules'))[0], 'http', 'paths'))[0]).pathType) || undefined
  }))
  const routes = objects.filter(({ kind }) => kind === 'HTTPRoute').map(object => ({ name: object.metadata.name, parents: parentsOf(object) }))
  return { pods, services, ingresses, routes, objects: [...objects], evidence: evidenceOf(objects, pods, services, ingresses, routes) }
}

/** Addresses in `status.loadBalancer.ingress` of an Ingress or Service. */
export function statusAddresses (object: KubeObject): string[] {
  return fieldsList(at(object.status, 'loadBalancer', 'ingress')).map(({ ip, hostname }) => string(ip) || string(hostname)).filter(address => address !== '')
}

/** Ready endpoints of a Service, from its EndpointSlices, else from Endpoints. */
export function readyEndpoints (view: Snapshot, service: KubeObject): number {
  const { namespace, name } = service.metadata
  const slices = view.byKind('EndpointSlice', namespace).filter(slice => labelsOf(slice).get('kubernetes.io/service-name') === name)
  const ready = new Set(slices.flatMap(slice => fieldsList(slice.endpoints).filter(({ conditions: state }) => fields(state).ready !== false).flatMap(({ addresses }) => strings(addresses))))
  if (slices.length > 0) return ready.size
  const endpoints = view.find('Endpoints', namespace, name)
  return fieldsList(endpoints?.subsets).reduce((count, { addresses }) => count + fieldsList(addresses).length, 0)
}

/** Parents of an HTTPRoute with what their controllers answered; a parent without an answer has no controller. */
export function parentsOf (route: KubeObject): SolverFacts['routes'][number]['parents'] {
  const answered = fieldsList(at(route.status, 'parents'))
  return fieldsList(at(route.spec, 'parentRefs')).flatMap((ref): SolverFacts['routes'][number]['parents'] => {
    const name = parentName(ref, route)
    const answers = answered.filter(({ parentRef }) => parentName(fields(parentRef), route) === name)
    if (answers.length === 0) return [{ ref: name, conditions: [] }]
    return answers.map(({ controllerName, conditions: raw }) => {
      const list = conditions(raw)
      const find = (type: string): Condition | undefined => list.find(condition => condition.type === type)
      return { ref: name, controller: string(controllerName) || undefined, accepted: find('Accepted'), resolvedRefs: find('ResolvedRefs'), conditions: list }
    })
  })
}

/** `Gateway infra/public (http)`: kind, namespace, name and section of a parent reference. */
export function parentName ({ kind, namespace, name, sectionName }: Fields, route: KubeObject): string {
  const section = string(sectionName)
  return `${string(kind) || 'Gateway'} ${string(namespace) || (route.metadata.namespace ?? '')}/${string(name)}${section === '' ? '' : ` (${section})`}`
}

function podOf (pod: KubeObject): SolverFacts['pods'][number] {
  const statuses = [...fieldsList(at(pod.status, 'initContainerStatuses')), ...fieldsList(at(pod.status, 'containerStatuses'))]
  const state = conditions(at(pod.status, 'conditions'))
  const scheduled = state.find(({ type }) => type === 'PodScheduled')
  const waiting = statuses.map(({ state: now }) => fields(at(now, 'waiting'))).find(({ reason }) => string(reason) !== '' && string(reason) !== 'ContainerCreating' && string(reason) !== 'PodInitializing')
  const ended = statuses.flatMap(({ state: now, lastState }) => [fields(at(now, 'terminated')), fields(at(lastState, 'terminated'))]).find(({ reason, exitCode }) => string(reason) !== '' && string(reason) !== 'Completed' && exitCode !== 0)
  return {
    name: pod.metadata.name,
    phase: string(at(pod.status, 'phase')) || 'Unknown',
    ready: state.some(({ type, status }) => type === 'Ready' && status === 'True'),
    node: string(at(pod.spec, 'nodeName')) || undefined,
    waiting: waiting === undefined ? undefined : string(waiting.reason),
    terminated: ended === undefined ? undefined : `${string(ended.reason)} (exit code ${string(ended.exitCode)})`,
    restarts: Math.max(0, ...statuses.map(({ restartCount }) => typeof restartCount === 'number' ? restartCount : 0)),
    image: string(fields(fieldsList(at(pod.spec, 'containers'))[0]).image) || undefined,
    message: string(waiting?.message) || string(ended?.message) || string(at(pod.status, 'message')) || undefined,
    unschedulable: scheduled?.status === 'False' ? scheduled.message || scheduled.reason || 'not scheduled' : undefined,
    labels: Object.fromEntries(stringMap(pod.metadata.labels))
  }
}

function evidenceOf (
  objects: readonly KubeObject[], pods: SolverFacts['pods'], services: SolverFacts['services'], ingresses: SolverFacts['ingresses'], routes: SolverFacts['routes']
): Evidence[] {
  const ref = (kind: string, name: string): string => {
    const object = objects.find(item => item.kind === kind && item.metadata.name === name)
    return object === undefined ? `${kind} ${name}` : nameOf(object)
  }
  return [
    ...pods.map(({ name, phase, ready, waiting, terminated, unschedulable, message }) => {
      const state = unschedulable ?? [waiting, terminated, message].filter(item => item !== undefined).join(': ')
      return { source: 'object' as const, ref: ref('Pod', name), text: `${phase}, ${ready ? 'ready' : 'not ready'}${state === '' ? '' : `: ${state}`}` }
    }),
    ...services.map(({ name, type, readyEndpoints: count }) => ({ source: 'object' as const, ref: ref('Service', name), text: `${type}, ${count} ready endpoint(s)` })),
    ...ingresses.map(({ name, className, classAnnotation, addresses }) => ({
      source: 'object' as const, ref: ref('Ingress', name),
      text: `${className === undefined ? classAnnotation === undefined ? 'no class' : `annotation kubernetes.io/ingress.class=${classAnnotation}` : `ingressClassName ${className}`}, ${addresses.length > 0 ? `address ${addresses.join(', ')}` : 'no address'}`
    })),
    ...routes.flatMap(({ name, parents }) => parents.map(({ ref: parent, accepted, resolvedRefs }) => ({
      source: 'object' as const, ref: ref('HTTPRoute', name),
      text: `${parent}: ${accepted === undefined ? 'no answer from any controller' : `Accepted=${accepted.status} ${accepted.reason}${accepted.message === '' ? '' : ` (${accepted.message})`}`}${resolvedRefs?.status === 'False' ? `, ResolvedRefs=False ${resolvedRefs.reason} (${resolvedRefs.message})` : ''}`
    })))
  ]
}
