import t from 'tap'
import { evaluatePolicies, podEndpoint, type PolicyQuestion } from '../../src/correlate/facts/network-policy-evaluation.ts'
import { takeSnapshot } from '../../src/correlate/snapshot.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'

let count = 0
const object = (kind: string, namespace: string | undefined, name: string, more: Record<string, unknown> = {}, apiVersion = 'v1'): KubeObject =>
  ({ apiVersion, kind, ...more, metadata: { name, namespace, uid: `uid-${count++}`, ...more.metadata as object } })
const policy = (namespace: string, spec: Record<string, unknown>, name = 'p') => object('NetworkPolicy', namespace, name, { spec }, 'networking.k8s.io/v1')
const pod = (namespace: string, name: string, labels: Record<string, string>, ip: string, hostNetwork = false) =>
  object('Pod', namespace, name, { metadata: { labels }, spec: { hostNetwork }, status: { podIP: ip } })

const door = pod('ingress-nginx', 'controller-abc', { app: 'ingress' }, '10.42.2.8')
const namespaces = [object('Namespace', undefined, 'ingress-nginx', { metadata: { labels: { 'kubernetes.io/metadata.name': 'ingress-nginx', role: 'edge' } } }), object('Namespace', undefined, 'shop', { metadata: { labels: { 'kubernetes.io/metadata.name': 'shop' } } })]
const solver = new Map([['acme.cert-manager.io/http01-solver', 'true'], ['acme.cert-manager.io/http-domain', '1'], ['acme.cert-manager.io/http-token', '2']])

function ask (policies: KubeObject[], over: Partial<PolicyQuestion> = {}) {
  return evaluatePolicies({
    view: takeSnapshot({ objects: [...namespaces, ...policies], lists: [] }), solver: { namespace: 'shop', labels: solver }, sources: [podEndpoint(door)],
    controller: { namespace: 'cert-manager', labels: new Map([['app', 'cert-manager']]) }, targets: [{ what: '203.0.113.10', addresses: ['203.0.113.10'] }], ...over
  })
}

t.test('ingress controller to solver', t => {
  const rows: [title: string, policies: KubeObject[], verdict: string, over?: Partial<PolicyQuestion>][] = [
    ['without a policy everything is open', [], 'open'],
    ['a policy that selects other Pods does not matter', [policy('shop', { podSelector: { matchLabels: { app: 'web' } } })], 'open'],
    ['a policy of another namespace does not matter', [policy('other', { podSelector: {} })], 'open'],
    ['a default deny blocks', [policy('shop', { podSelector: {}, policyTypes: ['Ingress'] })], 'blocked'],
    ['policyTypes left out means Ingress', [policy('shop', { podSelector: {} })], 'blocked'],
    ['a policy for egress only does not limit ingress', [policy('shop', { podSelector: {}, policyTypes: ['Egress'] })], 'open'],
    ['an empty rule allows everybody', [policy('shop', { podSelector: {}, ingress: [{}] })], 'allowed'],
    ['Pods of the same namespace only: the controller is not among them', [policy('shop', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] })], 'blocked'],
    ['an empty namespaceSelector takes every namespace', [policy('shop', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] })], 'allowed'],
    ['the namespace by its label', [policy('shop', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { role: 'edge' } } }] }] })], 'allowed'],
    ['both selectors in one peer must hold together', [policy('shop', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { role: 'edge' } }, podSelector: { matchLabels: { app: 'other' } } }] }] })], 'blocked'],
    ['two peers are alternatives', [policy('shop', { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'other' } } }, { namespaceSelector: { matchExpressions: [{ key: 'role', operator: 'In', values: ['edge', 'lb'] }] } }] }] })], 'allowed'],
    ['another port does not help', [policy('shop', { podSelector: {}, ingress: [{ ports: [{ port: 8080 }] }] })], 'blocked'],
    ['the port by number', [policy('shop', { podSelector: {}, ingress: [{ ports: [{ port: 8089, protocol: 'TCP' }] }] })], 'allowed'],
    ['the port by the name in the container', [policy('shop', { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] })], 'allowed'],
    ['a range with endPort', [policy('shop', { podSelector: {}, ingress: [{ ports: [{ port: 8000, endPort: 8100 }] }] })], 'allowed'],
    ['UDP is not TCP', [policy('shop', { podSelector: {}, ingress: [{ ports: [{ port: 8089, protocol: 'UDP' }] }] })], 'blocked'],
    ['an address block that holds the controller', [policy('shop', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.42.0.0/16' } }] }] })], 'allowed'],
    ['an exception inside the block', [policy('shop', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.42.0.0/16', except: ['10.42.2.0/24'] } }] }] })], 'blocked'],
    ['policies add up: one that allows is enough', [policy('shop', { podSelector: {} }), policy('shop', { podSelector: { matchLabels: { 'acme.cert-manager.io/http01-solver': 'true' } }, ingress: [{ ports: [{ port: 8089 }] }] }, 'q')], 'allowed'],
    ['selectors with NotIn and DoesNotExist select the solver', [policy('shop', { podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }, { key: 'tier', operator: 'NotIn', values: ['db'] }] } })], 'blocked'],
    ['a host-network controller is not judged by selectors', [policy('shop', { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] })], 'unknown', { sources: [podEndpoint(pod('ingress-nginx', 'c', { app: 'ingress' }, '10.0.0.5', true))] }],
    ['an unknown controller leaves a rule undecided', [policy('shop', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] })], 'unknown', { sources: [] }],
    ['an unknown controller does not save it from a default deny', [policy('shop', { podSelector: {} })], 'blocked', { sources: [] }],
    ['without labels there is no verdict', [policy('shop', { podSelector: {} })], 'unknown', { solver: undefined }]
  ]
  for (const [title, policies, verdict, over] of rows) t.equal(ask(policies, over).solverIngress.verdict, verdict, title)
  t.end()
})

t.test('Cilium\'s own policies, as far as labels and entities go', t => {
  const cilium = (spec: Record<string, unknown>, kind = 'CiliumNetworkPolicy') => object(kind, kind === 'CiliumNetworkPolicy' ? 'shop' : undefined, 'c', { spec }, 'cilium.io/v2')
  const rows: [title: string, policies: KubeObject[], verdict: string][] = [
    ['only Pods of the own namespace', [cilium({ endpointSelector: {}, ingress: [{ fromEndpoints: [{}] }] })], 'blocked'],
    ['an empty list lets nobody in', [cilium({ endpointSelector: {}, ingress: [] })], 'blocked'],
    ['the namespace of the controller', [cilium({ endpointSelector: {}, ingress: [{ fromEndpoints: [{ matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'ingress-nginx' } }] }] })], 'allowed'],
    ['that namespace, on another port', [cilium({ endpointSelector: {}, ingress: [{ fromEndpoints: [{ matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'ingress-nginx' } }], toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }] }] }] })], 'blocked'],
    ['the port alone', [cilium({ endpointSelector: {}, ingress: [{ toPorts: [{ ports: [{ port: '8089', protocol: 'ANY' }] }] }] })], 'allowed'],
    ['an entity may be anybody', [cilium({ endpointSelector: {}, ingress: [{ fromEntities: ['ingress'] }] })], 'allowed'],
    ['other Pods are selected', [cilium({ endpointSelector: { matchLabels: { 'k8s:app': 'web' } }, ingress: [{ fromEndpoints: [{}] }] })], 'open'],
    ['egress only', [cilium({ endpointSelector: {}, egress: [{}] })], 'open'],
    ['peers of another kind leave all unjudged', [cilium({ endpointSelector: {}, ingress: [{ fromEndpoints: [{}] }] }), cilium({ endpointSelector: {}, ingress: [{ fromCIDR: ['10.0.0.0/8'] }] })], 'open'],
    ['a reserved identity is no Pod', [cilium({ endpointSelector: {}, ingress: [{ fromEndpoints: [{ matchLabels: { 'reserved:ingress': '' } }] }] })], 'open'],
    ['a cluster-wide one leaves all unjudged', [cilium({ endpointSelector: {}, ingress: [{ fromEndpoints: [{}] }] }), cilium({ endpointSelector: {} }, 'CiliumClusterwideNetworkPolicy')], 'open']
  ]
  for (const [title, policies, verdict] of rows) t.equal(ask(policies).solverIngress.verdict, verdict, title)
  t.match(ask([cilium({ endpointSelector: {}, ingress: [] })]).solverIngress.policies, ['shop/c (CiliumNetworkPolicy)'])
  t.end()
})

t.test('egress of cert-manager', t => {
  const rows: [title: string, spec: Record<string, unknown> | undefined, verdict: string, ports: number[]][] = [
    ['no policy, no limit', undefined, 'open', []],
    ['only 443 and DNS: port 80 is missing', { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 53, protocol: 'UDP' }, { port: 443 }] }] }, 'blocked', [80]],
    ['deny all', { podSelector: {}, policyTypes: ['Egress'] }, 'blocked', [53, 80, 443]],
    ['egress rules alone make it an egress policy', { podSelector: {}, egress: [{ ports: [{ port: 443 }] }] }, 'blocked', [53, 80]],
    ['everything allowed', { podSelector: {}, policyTypes: ['Egress'], egress: [{}] }, 'allowed', []],
    ['port 80 to another block only', { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 53, protocol: 'UDP' }, { port: 443 }] }, { to: [{ ipBlock: { cidr: '198.51.100.0/24' } }], ports: [{ port: 80 }] }] }, 'blocked', [80]],
    ['the world, except private ranges', { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }, { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }] }, 'allowed', []],
    ['it selects other Pods', { podSelector: { matchLabels: { app: 'webhook' } }, policyTypes: ['Egress'] }, 'open', []]
  ]
  for (const [title, spec, verdict, ports] of rows) {
    const { controllerEgress } = ask(spec === undefined ? [] : [policy('cert-manager', spec)])
    t.match({ verdict: controllerEgress.verdict, ports: controllerEgress.ports }, { verdict, ports }, title)
  }
  t.end()
})

t.test('kinds with other rules are named and not judged', t => {
  const facts = ask([object('CiliumNetworkPolicy', 'shop', 'c', {}, 'cilium.io/v2'), object('CiliumNetworkPolicy', 'far', 'd', {}, 'cilium.io/v2'), ...['shop', 'istio-system', 'far'].map(place => object('AuthorizationPolicy', place, 'a', {}, 'security.istio.io/v1')), object('GlobalNetworkPolicy', undefined, 'g', {}, 'crd.projectcalico.org/v1'), object('NetworkPolicy', 'shop', 'calico', { spec: { selector: 'all()' } }, 'crd.projectcalico.org/v1')])
  t.same(facts.notEvaluated, ['AuthorizationPolicy istio-system/a', 'AuthorizationPolicy shop/a', 'CiliumNetworkPolicy shop/c', 'GlobalNetworkPolicy g', 'NetworkPolicy shop/calico'])
  t.equal(facts.solverIngress.verdict, 'open', 'Calico\'s NetworkPolicy is not taken for the other one')
  t.end()
})
