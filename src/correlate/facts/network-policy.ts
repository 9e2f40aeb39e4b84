import { absent, seen, unavailable } from '../../shared/types/common.ts'
import type { NetworkPolicyFacts } from '../../shared/types/case.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { workloadsOf, type CorrelateContext, type FactsOf } from '../snapshot.ts'
import { challengeView } from './challenge-objects.ts'
import { at, fieldsList, labelsOf, stringMap, string } from './fields.ts'
import { findControllers } from './ingress-controllers.ts'
import { evaluatePolicies, podEndpoint } from './network-policy-evaluation.ts'
import type { Endpoint } from './policy-rules.ts'
import { solverLabels } from './solver-objects.ts'

/** Whether NetworkPolicies let the ingress controller reach the solver, and cert-manager reach the name. */
export const facts: FactsOf<NetworkPolicyFacts> = (context, identifier) => {
  if (identifier === undefined || identifier.name === '') return absent
  const { snapshot } = context
  const challenge = challengeView(context, identifier)
  const list = snapshot.list('NetworkPolicy', challenge.namespace)
  if (list.is === 'unavailable' && snapshot.byKind('NetworkPolicy').length === 0) return unavailable(list.why, list.fix)
  const pod = challenge.objects.find(({ kind }) => kind === 'Pod')
  const http01 = identifier.challengeType !== 'DNS-01'
  const sources = findControllers(snapshot).flatMap(({ pods }) => pods).map(podEndpoint)
  return seen(evaluatePolicies({
    view: snapshot,
    // The Pod is gone within seconds; its labels follow from the name and the token, and nobody selects by a token.
    solver: !http01 ? undefined : pod !== undefined
      ? { namespace: challenge.namespace, labels: labelsOf(pod), portNames: portNames(pod) }
      : challenge.namespace === '' ? undefined : { namespace: challenge.namespace, labels: new Map([...solverLabels(challenge), ...templateLabels(challenge.http01)]) },
    sources,
    controller: controllerOf(context),
    targets: http01 ? [...targetsOf(context, identifier.name), ...sources] : []
  }))
}

/** Labels that the issuer's podTemplate adds. */
function templateLabels (http01: Record<string, unknown>): Map<string, string> {
  const stanza = at(http01, 'ingress') ?? at(http01, 'gatewayHTTPRoute')
  return stringMap(at(stanza, 'podTemplate', 'metadata', 'labels'))
}

const portNames = (pod: KubeObject): string[] => fieldsList(at(pod.spec, 'containers')).flatMap(({ ports }) => fieldsList(ports).filter(({ containerPort }) => containerPort === 8089).map(({ name }) => string(name)))

/** cert-manager's controller, by the image it runs. */
function controllerOf ({ snapshot }: CorrelateContext): { namespace: string, labels: Map<string, string> } | undefined {
  const runs = (spec: unknown): boolean => fieldsList(at(spec, 'containers')).some(({ image }) => /cert-manager-controller/.test(string(image)))
  const pod = snapshot.byKind('Pod').find(({ spec }) => runs(spec))
  if (pod !== undefined) return { namespace: pod.metadata.namespace ?? '', labels: labelsOf(pod) }
  const workload = workloadsOf(snapshot).find(({ spec }) => runs(at(spec, 'template', 'spec')))
  return workload === undefined ? undefined : { namespace: workload.metadata.namespace ?? '', labels: stringMap(at(workload.spec, 'template', 'metadata', 'labels')) }
}

/** Addresses of the name as the cluster's resolver gives them. */
function targetsOf ({ observations }: CorrelateContext, name: string): Endpoint[] {
  const answers = observations.dns.filter(look => look.vantage === 'cluster' && (look.type === 'A' || look.type === 'AAAA') && look.name.toLowerCase() === name.toLowerCase())
    .flatMap(({ look }) => look.is === 'seen' ? look.value.answers : [])
  const addresses = answers.filter(({ type }) => type === 'A' || type === 'AAAA').map(({ data }) => data)
  return [...new Set(addresses)].sort().map(address => ({ what: address, addresses: [address] }))
}
