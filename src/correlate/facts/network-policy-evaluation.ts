import type { NetworkPolicyFacts } from '../../shared/types/case.ts'
import type { Evidence } from '../../shared/types/common.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { Snapshot } from '../snapshot.ts'
import { at, fieldsList, labelsOf, nameOf, string } from './fields.ts'
import { allows, mentionsPort, policiesFor, type Endpoint, type Port } from './policy-rules.ts'

/** Who talks to whom. Everything that is not known is left empty; the answer then says `unknown` where it matters. */
export interface PolicyQuestion {
  view: Snapshot
  /** The solver Pod, or the labels that it had. */
  solver?: { namespace: string, labels: Map<string, string>, portNames?: readonly string[] }
  /** Pods of the ingress or gateway controllers. */
  sources: readonly Endpoint[]
  /** cert-manager's controller Pod. */
  controller?: { namespace: string, labels: Map<string, string> }
  /** Where the self-check connects to: addresses of the name as the cluster resolves it. */
  targets: readonly Endpoint[]
}

/** Kinds with rules of their own that are named and not judged. */
const foreignKinds = [
  'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy', 'GlobalNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy',
  'ClusterNetworkPolicy', 'EgressFirewall', 'AuthorizationPolicy'
] as const

/** Judges the Kubernetes NetworkPolicies on both ways that HTTP-01 needs: controller → solver, cert-manager → outside. */
export function evaluatePolicies (question: PolicyQuestion): NetworkPolicyFacts {
  const solverIngress = judgeSolver(question)
  const controllerEgress = judgeEgress(question)
  const notEvaluated = foreignPolicies(question)
  const evidence: Evidence[] = [
    stated(question.solver?.namespace, solverIngress.policies, solverIngress.why),
    stated(question.controller?.namespace, controllerEgress.policies, controllerEgress.why),
    ...notEvaluated.map(ref => ({ source: 'object' as const, ref, text: 'present, not evaluated' }))
  ]
  return { solverIngress, controllerEgress, notEvaluated, evidence }
}

function stated (namespace: string | undefined, policies: string[], why: string): Evidence {
  return { source: 'object', ref: policies.length > 0 ? `NetworkPolicy ${policies.join(', ')}` : `NetworkPolicy ${namespace ?? ''}/*`, text: why }
}

function judgeSolver ({ view, solver, sources }: PolicyQuestion): NetworkPolicyFacts['solverIngress'] {
  if (solver === undefined) return { verdict: 'unknown', policies: [], why: 'the solver Pod and its labels are not known' }
  const port: Port = { number: 8089, protocol: 'TCP', names: solver.portNames ?? ['http'] }
  const selecting = policiesFor(view, solver.namespace, solver.labels, 'Ingress')
  const policies = selecting.map(named)
  if (selecting.length === 0) return { verdict: 'open', policies, why: 'no NetworkPolicy selects the solver Pod' }
  if (!mentionsPort(selecting, 'Ingress', port)) return { verdict: 'blocked', policies, why: `${policies.join(', ')} select the solver Pod, and no rule lets anybody in on port 8089` }
  if (sources.length === 0) {
    return { verdict: 'unknown', policies, why: `${policies.join(', ')} select the solver Pod; the Pods of the ingress controller are not known` }
  }
  const answers = sources.map(source => ({ source, answer: allows(view, selecting, 'Ingress', source, port) }))
  const allowed = answers.find(({ answer }) => answer === 'yes')
  if (allowed !== undefined) return { verdict: 'allowed', policies, why: `${policies.join(', ')} let ${allowed.source.what} reach port 8089` }
  const open = answers.find(({ answer }) => answer === 'unknown')
  if (open !== undefined) return { verdict: 'unknown', policies, why: `${policies.join(', ')} select the solver Pod; whether ${open.source.what} is let in cannot be told from the rules` }
  const from = [...new Set(sources.map(({ pod, what }) => pod === undefined ? what : `namespace ${pod.namespace}`))].join(', ')
  return { verdict: 'blocked', policies, why: `${policies.join(', ')} select the solver Pod, and no rule allows port 8089 from ${from}` }
}

function judgeEgress ({ view, controller, targets }: PolicyQuestion): NetworkPolicyFacts['controllerEgress'] {
  if (controller === undefined) return { verdict: 'unknown', ports: [], policies: [], why: 'the cert-manager controller Pod was not seen' }
  const selecting = policiesFor(view, controller.namespace, controller.labels, 'Egress')
  const policies = selecting.map(named)
  if (selecting.length === 0) return { verdict: 'open', ports: [], policies, why: 'no NetworkPolicy limits egress of cert-manager' }
  const blocked = ([[53, 'UDP'], [80, 'TCP'], [443, 'TCP']] as const).flatMap(([number, protocol]) => isBlocked(number, protocol) ? [number] : [])
  if (blocked.length > 0) return { verdict: 'blocked', ports: blocked, policies, why: `${policies.join(', ')} select cert-manager, and no egress rule allows port ${blocked.join(', ')}${targetNames()}` }
  const sure = targets.length > 0 && targets.every(target => allows(view, selecting, 'Egress', target, { number: 80, protocol: 'TCP' }) === 'yes')
  return sure
    ? { verdict: 'allowed', ports: [], policies, why: `${policies.join(', ')} select cert-manager and allow ports 53, 80 and 443` }
    : { verdict: 'unknown', ports: [], policies, why: `${policies.join(', ')} limit egress of cert-manager; the rules name single destinations` }

  function isBlocked (number: number, protocol: 'TCP' | 'UDP'): boolean {
    const port: Port = { number, protocol }
    if (!mentionsPort(selecting, 'Egress', port)) return true
    // Only for port 80 the destination is known: the host of the challenge.
    return number === 80 && targets.length > 0 && targets.every(target => allows(view, selecting, 'Egress', target, port) === 'no')
  }
  function targetNames (): string {
    return targets.length === 0 ? '' : ` to ${targets.slice(0, 3).map(({ what }) => what).join(', ')}`
  }
}

const named = ({ kind, metadata: { namespace = '', name } }: KubeObject): string => `${namespace}/${name}${kind === 'NetworkPolicy' ? '' : ` (${kind})`}`

/** Of other kinds: those of the namespaces in question, and the cluster-wide ones. */
function foreignPolicies ({ view, solver, controller }: PolicyQuestion): string[] {
  const namespaces = new Set([solver?.namespace, controller?.namespace])
  // Istio's root namespace holds for the whole mesh.
  const near = ({ kind, metadata: { namespace } }: KubeObject): boolean => namespace === undefined || namespaces.has(namespace) || (kind === 'AuthorizationPolicy' && namespace === 'istio-system')
  const calico = view.byKind('NetworkPolicy').filter(({ apiVersion }) => apiVersion.includes('projectcalico.org'))
  return [...foreignKinds.flatMap(kind => view.byKind(kind)), ...calico].filter(near).map(nameOf).sort()
}

/** A Pod as one end of a connection. */
export function podEndpoint (pod: KubeObject): Endpoint {
  const addresses = [...fieldsList(at(pod.status, 'podIPs')).map(({ ip }) => string(ip)), string(at(pod.status, 'podIP'))]
  return {
    what: nameOf(pod),
    pod: { namespace: pod.metadata.namespace ?? '', labels: labelsOf(pod), hostNetwork: at(pod.spec, 'hostNetwork') === true },
    addresses: [...new Set(addresses)].filter(address => address !== '')
  }
}
