import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { Snapshot } from '../snapshot.ts'
import { at, fields, fieldsList, string, strings, type Fields } from './fields.ts'

/**
 * The ingress rules of a namespace's CiliumNetworkPolicies as NetworkPolicies, which add up in the same way.
 * Rules of all policies count together, so one that has no such translation (denials, cluster-wide policies,
 * peers by anything but labels and entities) leaves all of them unjudged: an empty list.
 */
export function ciliumIngress (view: Snapshot, namespace: string): KubeObject[] {
  if (view.byKind('CiliumClusterwideNetworkPolicy').length > 0) return []
  const translated = view.byKind('CiliumNetworkPolicy', namespace).map(translate)
  return translated.every(policy => policy !== undefined) ? translated : []
}

function translate (policy: KubeObject): KubeObject | undefined {
  const spec = fields(policy.spec)
  if (policy.spec === undefined || spec.ingressDeny !== undefined || spec.nodeSelector !== undefined) return undefined
  const rules = fieldsList(spec.ingress).map(ruleOf)
  if (rules.includes(undefined)) return undefined
  // Without an ingress section a policy changes nothing for what comes in.
  return { ...policy, spec: { podSelector: selectorOf(fields(spec.endpointSelector)), policyTypes: spec.ingress === undefined ? ['Egress'] : ['Ingress'], ingress: rules } }
}

function ruleOf (rule: Fields): Fields | undefined {
  const ports = fieldsList(rule.toPorts).flatMap(entry => fieldsList(entry.ports)).map(({ port, protocol }) => ({ port: /^\d+$/.test(string(port)) ? Number(port) : string(port), protocol: string(protocol) === 'ANY' ? 'TCP' : string(protocol) }))
  const peers = Object.keys(rule).filter(key => key.startsWith('from'))
  if (peers.some(key => key !== 'fromEndpoints' && key !== 'fromEntities')) return undefined
  // Whoever comes through Cilium's own proxy or a node is some entity: taken as everybody, so that nothing is called blocked that may be open.
  if (peers.length === 0 || strings(rule.fromEntities).length > 0) return { ports }
  const from = fieldsList(rule.fromEndpoints).map(endpoint => {
    const labels = fields(at(endpoint, 'matchLabels'))
    const home = Object.entries(labels).find(([key]) => key.endsWith('io.kubernetes.pod.namespace'))?.[1]
    const podSelector = selectorOf(endpoint)
    return home === undefined ? { podSelector } : { podSelector, namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': home } } }
  })
  return /io\.kubernetes\.pod\.namespace|io\.cilium\.|reserved:/.test(JSON.stringify(from)) ? undefined : { from, ports }
}

/** Label keys carry their source in front (`k8s:app`, `any:app`); the Pod's namespace is no label of its own. */
function selectorOf ({ matchLabels, matchExpressions }: Fields): Fields {
  const own = (key: string): string => key.replace(/^(k8s|any):/, '')
  return {
    matchLabels: Object.fromEntries(Object.entries(fields(matchLabels)).filter(([key]) => !key.endsWith('io.kubernetes.pod.namespace')).map(([key, value]) => [own(key), value])),
    matchExpressions: fieldsList(matchExpressions).map(expression => ({ ...expression, key: own(string(expression.key)) }))
  }
}
