import ipaddr from 'ipaddr.js'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { ciliumIngress } from './cilium-policy.ts'
import { at, fields, fieldsList, labelsOf, string, strings, type Fields } from './fields.ts'
import { selects } from './label-selector.ts'
import type { Snapshot } from '../snapshot.ts'

/** One end of a connection as NetworkPolicy sees it. A host-network Pod is its Node, not a Pod. */
export interface Endpoint {
  /** For people: `Pod ingress-nginx/controller-abc`, `198.51.100.7`. */
  what: string
  /** Absent for an address outside the cluster. */
  pod?: { namespace: string, labels: Map<string, string>, hostNetwork: boolean }
  addresses: string[]
}

/** A port on the receiving side; names come from its containers. */
export interface Port { number: number, protocol: 'TCP' | 'UDP', names?: readonly string[] }

export type Direction = 'Ingress' | 'Egress'
export type Answer = 'yes' | 'no' | 'unknown'

/** Policies of the namespace that select these labels for the direction. `policyTypes` left out means Ingress, and Egress when there are egress rules. */
export function policiesFor (view: Snapshot, namespace: string, labels: Map<string, string>, direction: Direction): KubeObject[] {
  return [...view.byKind('NetworkPolicy', namespace), ...direction === 'Ingress' ? ciliumIngress(view, namespace) : []].filter(policy => {
    // Calico's kind of the same name has another group; its rules are not these.
    if (policy.kind === 'NetworkPolicy' && !policy.apiVersion.startsWith('networking.k8s.io/') && !policy.apiVersion.startsWith('extensions/')) return false
    const given = strings(at(policy.spec, 'policyTypes'))
    const types = given.length > 0 ? given : ['Ingress', ...fieldsList(at(policy.spec, 'egress')).length > 0 ? ['Egress'] : []]
    return types.includes(direction) && selects(at(policy.spec, 'podSelector'), labels)
  })
}

/** Do the policies together let this connection through? They add up: one rule that allows is enough. */
export function allows (view: Snapshot, policies: readonly KubeObject[], direction: Direction, peer: Endpoint, port: Port): Answer {
  let answer: Answer = 'no'
  for (const policy of policies) {
    for (const rule of fieldsList(at(policy.spec, direction.toLowerCase()))) {
      const byRule = ruleAllows(view, policy, rule, direction, peer, port)
      if (byRule === 'yes') return 'yes'
      if (byRule === 'unknown') answer = 'unknown'
    }
  }
  return answer
}

/** Does any rule speak of this port at all, whoever the peer is? */
export function mentionsPort (policies: readonly KubeObject[], direction: Direction, port: Port): boolean {
  return policies.some(policy => fieldsList(at(policy.spec, direction.toLowerCase())).some(rule => portMatches(rule.ports, port)))
}

function ruleAllows (view: Snapshot, policy: KubeObject, rule: Fields, direction: Direction, peer: Endpoint, port: Port): Answer {
  if (!portMatches(rule.ports, port)) return 'no'
  const peers = fieldsList(direction === 'Ingress' ? rule.from : rule.to)
  if (peers.length === 0) return 'yes'
  const answers = peers.map(item => peerMatches(view, policy, item, peer))
  return answers.includes('yes') ? 'yes' : answers.includes('unknown') ? 'unknown' : 'no'
}

function portMatches (ports: unknown, { number, protocol, names }: Port): boolean {
  const list = fieldsList(ports)
  if (list.length === 0) return true
  return list.some(({ port, endPort, protocol: wanted }) => {
    if ((string(wanted) || 'TCP') !== protocol) return false
    if (port === undefined) return true
    if (typeof port === 'number') return typeof endPort === 'number' ? port <= number && number <= endPort : port === number
    return names?.includes(string(port)) === true || string(port) === String(number)
  })
}

function peerMatches (view: Snapshot, policy: KubeObject, peer: Fields, { pod, addresses }: Endpoint): Answer {
  if (peer.ipBlock !== undefined) {
    if (addresses.length === 0) return 'unknown'
    // Whether a Pod's address or, after translation, its Node's is compared differs between plug-ins: only a hit counts.
    return addresses.some(address => inBlock(fields(peer.ipBlock), address)) ? 'yes' : 'no'
  }
  if (pod === undefined) return 'no'
  // What a selector says of a host-network Pod is left open by the API; plug-ins treat it as its Node.
  const undecided: Answer = pod.hostNetwork ? 'unknown' : 'yes'
  if (peer.namespaceSelector === undefined) {
    return pod.namespace === policy.metadata.namespace && selects(peer.podSelector, pod.labels) ? undecided : 'no'
  }
  if (peer.podSelector !== undefined && !selects(peer.podSelector, pod.labels)) return 'no'
  const namespace = view.find('Namespace', undefined, pod.namespace)
  // The API server gives every namespace its name as a label.
  const labels = new Map([['kubernetes.io/metadata.name', pod.namespace], ...namespace === undefined ? [] : labelsOf(namespace)])
  if (selects(peer.namespaceSelector, labels)) return undecided
  return namespace === undefined ? 'unknown' : 'no'
}

function inBlock ({ cidr, except }: Fields, address: string): boolean {
  return inCidr(address, string(cidr)) && !strings(except).some(block => inCidr(address, block))
}

function inCidr (address: string, cidr: string): boolean {
  if (!ipaddr.isValid(address) || !ipaddr.isValidCIDR(cidr)) return false
  const parsed = ipaddr.parse(address)
  const block = ipaddr.parseCIDR(cidr)
  return parsed.kind() === block[0].kind() && parsed.match(block)
}
