import type { Attempt, Change } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { annotationsOf, at, fieldsList, labelsOf, nameOf, string } from './facts/fields.ts'
import { writesOf } from './managed-fields.ts'
import { conditionOf } from './objects.ts'
import { compare, controllerOf, createdAt, millisOf, workloadKinds, workloadsOf, type Snapshot } from './snapshot.ts'
import type { Scope } from './attempt-scope.ts'

const hour = 3_600_000
const kept = 30
const lookBack = 7 * 24 * hour

/** Who changed what before the failure began (and since), most telling first: near in time and close to the attempt. */
export function changesBefore (scope: Scope, snapshot: Snapshot, anchor: Millis, attempts: readonly Attempt[] = []): Change[] {
  const lastSuccess = successBefore(scope, attempts, anchor)
  const first = firstFailure(scope, attempts, anchor, lastSuccess)
  const changes: Change[] = []
  const add = (object: KubeObject, related: number, change: { at: Millis, by: string, fields: string[] }): void => {
    const distance = change.at - first
    if (distance < -lookBack || change.at > scope.now) return
    const near = 1 / (1 + Math.abs(distance) / (6 * hour))
    // What came after the failure did not bring it about, but may have been meant to mend it; and issuance has survived what came before it.
    const doubt = distance > 60_000 ? 0.3 : lastSuccess !== undefined && change.at <= lastSuccess ? 0.5 : 1
    const relevance = Math.round(related * near * doubt * 1000) / 1000
    changes.push({
      ...change, object: nameOf(object), beforeAnchorMs: change.at - anchor,
      ...first === anchor ? {} : { beforeFirstFailureMs: distance }, ...lastSuccess === undefined ? {} : { afterLastSuccess: change.at > lastSuccess },
      relevance
    })
  }
  for (const { object, related } of watched(scope, snapshot)) {
    const writes = writesOf(object)
    if (writes.length === 0 && createdAt(object) > 0) add(object, related * 0.8, { at: createdAt(object), by: 'unknown', fields: ['created'] })
    for (const { at: time, by, fields, created } of writes) {
      if (/^cert-manager-|^kube-controller-manager|^kubelet$/.test(by) && !workloadKinds.includes(object.kind)) continue
      add(object, created ? related * 0.8 : related, { at: time, by, fields: created ? ['created', ...fields.slice(0, 5)] : fields })
    }
  }
  for (const set of snapshot.byKind('ReplicaSet')) {
    const owner = controllerOf(set, 'Deployment')
    if (owner === undefined || createdAt(set) === 0) continue
    const images = fieldsList(at(set.spec, 'template', 'spec', 'containers')).map(({ image }) => string(image)).filter(image => image !== '')
    add(set, relatedWorkload(owner.name) || 0.2, { at: createdAt(set), by: `rollout of Deployment ${owner.name}, revision ${annotationsOf(set).get('deployment.kubernetes.io/revision') ?? '?'}`, fields: images.slice(0, 3) })
  }
  return changes
    .sort((a, b) => b.relevance - a.relevance || b.at - a.at || compare(a.object, b.object) || compare(a.by, b.by))
    .slice(0, kept)
}

const relatedWorkload = (name: string): number => /cert-manager/.test(name) ? 0.7 : /ingress|gateway|traefik|nginx|haproxy|contour|kong|envoy/.test(name) ? 0.6 : 0

/** When a certificate was issued last, as far as it can be seen. */
function successBefore ({ chain }: Scope, attempts: readonly Attempt[], anchor: Millis): Millis | undefined {
  const issued = [
    millisOf(at(chain.certificate?.status, 'notBefore')),
    ...chain.requests.map(request => conditionOf(request, 'Ready')).map(ready => ready?.status === 'True' ? millisOf(ready.lastTransitionTime) : undefined),
    ...attempts.map(({ state, at: time }) => state === 'valid' ? time : undefined)
  ].filter(time => time !== undefined && time < anchor) as Millis[]
  return issued.length === 0 ? undefined : Math.max(...issued)
}

/** When the attempts began to fail in this way. */
function firstFailure ({ chain }: Scope, attempts: readonly Attempt[], anchor: Millis, lastSuccess = 0): Millis {
  let first = anchor
  for (const { state, same, at: time, uid } of attempts.slice(0, attempts.findIndex(({ current }) => current)).toReversed()) {
    if (state === 'valid' || same === false || time <= lastSuccess) break
    const order = chain.orders.find(({ metadata }) => metadata.uid === uid)
    first = Math.min(first, millisOf(at(order?.status, 'failureTime')) ?? time)
  }
  return first
}

/** The kinds that bear on issuance, with how close each object is to the attempt. */
function watched (scope: Scope, snapshot: Snapshot): { object: KubeObject, related: number }[] {
  const { chain, namespace, names } = scope
  const list: { object: KubeObject, related: number }[] = []
  const add = (object: KubeObject | undefined, related: number): void => {
    if (object !== undefined && labelsOf(object).get('acme.cert-manager.io/http01-solver') !== 'true') list.push({ object, related })
  }
  add(chain.certificate, 1)
  add(chain.issuer, 1)
  for (const ingress of snapshot.byKind('Ingress')) add(ingress, fieldsList(at(ingress.spec, 'rules')).some(({ host }) => names.has(string(host).toLowerCase())) ? 0.95 : ingress.metadata.namespace === namespace ? 0.3 : 0)
  for (const route of snapshot.byKind('HTTPRoute')) add(route, JSON.stringify(at(route.spec, 'hostnames') ?? []).split('"').some(host => names.has(host.toLowerCase())) ? 0.95 : route.metadata.namespace === namespace ? 0.3 : 0)
  for (const policy of snapshot.byKind('NetworkPolicy')) add(policy, policy.metadata.namespace === namespace ? 0.9 : 0.7)
  for (const gateway of snapshot.byKind('Gateway')) add(gateway, 0.7)
  for (const service of snapshot.byKind('Service')) add(service, string(at(service.spec, 'type')) === 'LoadBalancer' ? 0.7 : service.metadata.namespace === namespace ? 0.3 : 0)
  for (const ingressClass of snapshot.byKind('IngressClass')) add(ingressClass, 0.6)
  for (const workload of workloadsOf(snapshot)) add(workload, relatedWorkload(workload.metadata.name))
  for (const config of snapshot.byKind('ConfigMap')) add(config, /ingress|nginx|traefik|haproxy|kong/.test(config.metadata.name) ? 0.7 : 0)
  for (const kind of ['PeerAuthentication', 'AuthorizationPolicy', 'CiliumNetworkPolicy', 'ValidatingAdmissionPolicy', 'ResourceQuota', 'LimitRange']) for (const object of snapshot.byKind(kind)) add(object, object.metadata.namespace === undefined || object.metadata.namespace === namespace ? 0.7 : 0.2)
  return list.filter(({ related }) => related > 0)
}
