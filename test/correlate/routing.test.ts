import t from 'tap'
import { facts as routingFacts } from '../../src/correlate/facts/routing.ts'
import { facts as solverFacts } from '../../src/correlate/facts/solver.ts'
import { solverLabels } from '../../src/correlate/facts/solver-objects.ts'
import { takeSnapshot, type CorrelateContext, type IdentifierSeed } from '../../src/correlate/snapshot.ts'
import type { RoutingFacts, SolverFacts } from '../../src/shared/types/case.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import type { ListLook, Observations } from '../../src/shared/types/observations.ts'

let count = 0
interface Parts { labels?: Record<string, string>, annotations?: Record<string, string>, owner?: string, spec?: Record<string, unknown>, status?: Record<string, unknown>, created?: string, data?: Record<string, string>, more?: Record<string, unknown> }
function object (kind: string, namespace: string | undefined, name: string, { labels, annotations, owner, created, more, ...rest }: Parts = {}): KubeObject {
  return {
    apiVersion: 'v1', kind, ...rest, ...more,
    metadata: { name, namespace, uid: `uid-${count++}`, labels, annotations, creationTimestamp: created ?? '2026-11-01T00:00:00Z', ...owner === undefined ? {} : { ownerReferences: [{ apiVersion: 'acme.cert-manager.io/v1', kind: 'Challenge', name: 'ch', uid: owner, controller: true }] } }
  }
}
const host = 'shop.example.com'
const token = 'tok-tok-tok-tok-tok-tok-tok-tok-tok-tok-tok'
const path = `/.well-known/acme-challenge/${token}`
const backend = (name: string) => ({ service: { name, port: { number: 8089 } } })
const rule = (paths: Record<string, unknown>[], name = host) => ({ host: name, http: { paths } })
const at = (...addresses: string[]) => ({ loadBalancer: { ingress: addresses.map(ip => ({ ip })) } })

const challenge: KubeObject = { apiVersion: 'acme.cert-manager.io/v1', kind: 'Challenge', metadata: { name: 'ch', namespace: 'shop', uid: 'challenge' }, spec: { dnsName: host, token, type: 'HTTP-01', solver: { http01: { ingress: { ingressClassName: 'nginx' } } } }, status: { state: 'pending', presented: true } }
const seed: IdentifierSeed = { name: host, type: 'dns', wildcard: false, challengeType: 'HTTP-01', challenge }
const solverIngress = (parts: Parts = {}, pathType = 'Exact') => object('Ingress', 'shop', 'cm-acme-http-solver-abcde', { owner: 'challenge', created: '2026-11-24T09:55:00Z', ...parts, spec: { ingressClassName: 'nginx', rules: [rule([{ path, pathType, backend: backend('cm-acme-http-solver-abcde') }])], ...parts.spec } })
const site = (parts: Parts = {}, paths: Record<string, unknown>[] = [{ path: '/', pathType: 'Prefix', backend: backend('web') }]) => object('Ingress', 'shop', 'web', { ...parts, spec: { ingressClassName: 'nginx', rules: [rule(paths)], ...parts.spec } })
const ingressClass = (name: string, controller: string, annotations: Record<string, string> = {}) => object('IngressClass', undefined, name, { spec: { controller }, annotations })
const controller = (image: string, args: string[] = [], ready = 1, name = 'controller', namespace = 'door') => object('Deployment', namespace, name, { spec: { template: { spec: { containers: [{ image, args }] } } }, status: { replicas: 1, readyReplicas: ready } })
const nginx = controller('registry.k8s.io/ingress-nginx/controller:v1.12.0', ['--ingress-class=nginx', '--controller-class=k8s.io/ingress-nginx', '--configmap=door/config'])
const front = (parts: Parts = {}, ports = [80, 443]) => object('Service', 'door', 'front', { status: at('203.0.113.10'), ...parts, spec: { type: 'LoadBalancer', ports: ports.map(port => ({ port })), ...parts.spec } })

const everything: ListLook[] = ['ingresses.networking.k8s.io', 'httproutes.gateway.networking.k8s.io', 'ingressclasses.networking.k8s.io', 'services', 'pods', 'endpointslices.discovery.k8s.io'].map(resource => ({ resource, look: { is: 'seen', value: { count: 0 } } }))

function context (objects: KubeObject[], over: { seed?: IdentifierSeed, lists?: ListLook[], recorded?: Observations['recorded'] } = {}): CorrelateContext {
  const lists = over.lists ?? everything
  return { observations: { objects, lists, recorded: over.recorded ?? [], dns: [] } as unknown as Observations, snapshot: takeSnapshot({ objects, lists }), attempt: { challenges: [challenge] }, identifiers: [over.seed ?? seed], namespace: 'shop', anchor: Date.UTC(2026, 10, 24, 10) }
}
function routing (objects: KubeObject[], over: Parameters<typeof context>[1] = {}): RoutingFacts {
  const look = routingFacts(context(objects, over), over.seed ?? seed)
  if (look.is !== 'seen') throw new Error(`expected routing to be seen, got ${look.is}`)
  return look.value
}
const solverOf = (facts: RoutingFacts) => facts.claims.find(({ solver }) => solver)

t.test('solver objects of a challenge that cannot be read are found by the name in their labels', t => {
  const labels = Object.fromEntries(solverLabels({ dnsName: host, token }))
  const pod = object('Pod', 'shop', 'cm-acme-http-solver-fghij', { owner: 'challenge', labels, status: { phase: 'Pending' } })
  const unread = { ...seed, challenge: undefined }
  const find = (objects: KubeObject[]) => solverFacts(context(objects, { seed: unread }), unread)
  const names = (look: ReturnType<typeof find>): string[] => look.is === 'seen' ? look.value.objects.map(({ metadata }) => metadata.name) : []
  t.same(names(find([pod, solverIngress({ labels })])), ['cm-acme-http-solver-fghij', 'cm-acme-http-solver-abcde'], 'the path of the Ingress tells the token')
  const older = solverIngress({ labels: Object.fromEntries(solverLabels({ dnsName: host, token: 'older' })), created: '2026-11-20T00:00:00Z' })
  t.same(names(find([pod, older, solverIngress({ labels })])), ['cm-acme-http-solver-fghij', 'cm-acme-http-solver-abcde'], 'the newest counts')
  t.equal(find([pod, solverIngress({ labels }), challenge]).is, 'absent', 'a challenge that is there to own them is another attempt\'s')
  t.equal(find([solverIngress({ labels: { ...labels, 'acme.cert-manager.io/http-domain': '1' } })]).is, 'absent', 'another name')
  t.same(names(find([pod])), ['cm-acme-http-solver-fghij'], 'a Pod alone')
  t.equal(solverOf(routing([solverIngress({ labels })], { seed: unread }))?.name, 'cm-acme-http-solver-abcde')
  t.end()
})

t.test('who owns the solver Ingress', t => {
  const rows: [title: string, objects: KubeObject[], ownership: string, why: RegExp][] = [
    ['an address in its status settles it', [solverIngress({ status: at('203.0.113.10') })], 'owned', /203\.0\.113\.10/],
    ['a class that a running controller serves', [solverIngress(), ingressClass('nginx', 'k8s.io/ingress-nginx'), nginx], 'owned', /controller serves/],
    ['a class that no IngressClass object has', [solverIngress({ spec: { ingressClassName: 'public' } }), ingressClass('nginx', 'k8s.io/ingress-nginx'), nginx], 'unowned', /no IngressClass has that name/],
    ['a class of another controller', [solverIngress(), ingressClass('nginx', 'nginx.org/ingress-controller'), nginx], 'unowned', /does not serve/],
    ['only the annotation, another value than the controller reads', [solverIngress({ spec: { ingressClassName: undefined }, annotations: { 'kubernetes.io/ingress.class': 'public-nginx' } }), ingressClass('public-nginx', 'k8s.io/public-nginx'), controller('ingress-nginx/controller:v1.1.1', ['--controller-class=k8s.io/public-nginx'])], 'unowned', /only the annotation/],
    ['only the annotation, which the controller still honours', [solverIngress({ spec: { ingressClassName: undefined }, annotations: { 'kubernetes.io/ingress.class': 'nginx' } }), nginx], 'owned', /annotation/],
    ['no class, and a controller of version 1 that wants one', [solverIngress({ spec: { ingressClassName: undefined } }), nginx], 'unowned', /has no class/],
    ['no class, and the controller watches such Ingresses', [solverIngress({ spec: { ingressClassName: undefined } }), controller('ingress-nginx/controller:v1.12.0', ['--watch-ingress-without-class=true'])], 'owned', /has no class/],
    ['no class, and an old controller with the default class', [solverIngress({ spec: { ingressClassName: undefined } }), controller('k8s.gcr.io/ingress-nginx/controller:v0.41.2')], 'owned', /has no class/],
    ['Traefik without an IngressClass object skips a named class', [solverIngress({ spec: { ingressClassName: 'traefik' } }), controller('traefik:v3.1')], 'unowned', /no IngressClass/],
    ['Traefik takes an Ingress without a class', [solverIngress({ spec: { ingressClassName: undefined } }), controller('docker.io/traefik:v3.1')], 'owned', /has no class/],
    ['GKE\'s annotation, while the site goes by a class', [solverIngress({ spec: { ingressClassName: undefined }, annotations: { 'kubernetes.io/ingress.class': 'gce' } }), site({ status: at('203.0.113.10') })], 'unknown', /has no address/],
    ['no controller to be seen, but another class works', [solverIngress({ spec: { ingressClassName: undefined } }), site({ status: at('203.0.113.10') })], 'unowned', /web has ingressClassName nginx and has one/],
    ['nothing else to be seen', [solverIngress(), ingressClass('nginx', 'k8s.io/ingress-nginx')], 'unknown', /no address/]
  ]
  for (const [title, objects, ownership, why] of rows) t.match(solverOf(routing(objects)), { ownership, why }, title)
  t.match(solverOf(routing([solverIngress({ spec: { ingressClassName: 'public' } }), nginx], { lists: everything.filter(({ resource }) => !resource.startsWith('ingressclasses')) })), { ownership: 'unowned', why: /does not serve/ }, 'classes that could not be listed are not called missing')
  t.end()
})

t.test('who wins the path', t => {
  const up = { status: at('203.0.113.10') }
  const base = [ingressClass('nginx', 'k8s.io/ingress-nginx'), nginx]
  const rows: [title: string, objects: KubeObject[], winner: string][] = [
    ['Exact wins over the site\'s catch-all', [...base, solverIngress(up), site(up)], 'cm-acme-http-solver-abcde'],
    ['ImplementationSpecific is a long prefix for nginx', [...base, solverIngress(up, 'ImplementationSpecific'), site(up)], 'cm-acme-http-solver-abcde'],
    ['Cilium ranks ImplementationSpecific below a Prefix', [ingressClass('nginx', 'cilium.io/ingress-controller'), solverIngress(up, 'ImplementationSpecific'), site(up)], 'web'],
    ['a closer host wins over a longer path', [...base, solverIngress({ spec: { ingressClassName: 'gone' } }), object('Ingress', 'shop', 'wild', { ...up, spec: { ingressClassName: 'nginx', rules: [rule([{ path, pathType: 'Exact', backend: backend('other') }], '*.example.com')] } }), site(up)], 'web'],
    ['another Ingress with the very same Exact path and more age', [...base, solverIngress(up), site(up, [{ path, pathType: 'Exact', backend: backend('other') }])], 'web'],
    ['the NGINX Inc. controller gives the host to the oldest Ingress', [ingressClass('nginx', 'nginx.org/ingress-controller'), solverIngress(up), site(up)], 'web'],
    ['the NGINX Inc. controller merges master and minion', [ingressClass('nginx', 'nginx.org/ingress-controller'), solverIngress({ ...up, annotations: { 'nginx.org/mergeable-ingress-type': 'minion' } }), site({ ...up, annotations: { 'nginx.org/mergeable-ingress-type': 'master' } })], 'cm-acme-http-solver-abcde'],
    ['an Ingress at another address does not compete', [...base, solverIngress(up), site({ status: at('203.0.113.99') }, [{ path, pathType: 'Exact', backend: backend('other') }])], 'cm-acme-http-solver-abcde'],
    ['an unowned solver loses', [...base, solverIngress({ spec: { ingressClassName: 'gone' } }), site(up)], 'web'],
    ['a path that merely begins alike is no prefix', [...base, solverIngress(up), site(up, [{ path: '/.well-known/acme', pathType: 'Prefix', backend: backend('other') }])], 'cm-acme-http-solver-abcde']
  ]
  for (const [title, objects, winner] of rows) {
    const { claims } = routing(objects)
    t.equal(claims.find(({ wins }) => wins)?.name, winner, title)
    t.equal(claims.filter(({ wins }) => wins).length, 1, `${title}: one winner`)
  }
  t.equal(routing([...base, site(up, [{ path, pathType: 'Exact', backend: backend('cm-acme-http-solver-xyzzy') }, { path: '/', pathType: 'Prefix', backend: backend('web') }])]).claims[0]?.solver, true, 'edit-in-place: the site\'s own Ingress carries the solver')
  const gone = routing([...base, site(up)])
  t.match(solverOf(gone), { ownership: 'owned', wins: true, why: /the solver Ingress is gone/ }, 'a solver Ingress that is gone is judged by what it would have been')
  t.end()
})

t.test('settings that touch the request', t => {
  const rows: [title: string, annotations: Record<string, string>, effect: string | undefined, extra?: KubeObject[]][] = [
    ['the solver\'s own open allow-list is no setting', { 'nginx.ingress.kubernetes.io/whitelist-source-range': '0.0.0.0/0,::/0' }, undefined],
    ['an allow-list', { 'nginx.ingress.kubernetes.io/whitelist-source-range': '192.0.2.0/24' }, 'allow-list'],
    ['external authentication', { 'nginx.ingress.kubernetes.io/auth-url': 'https://sso.example.com' }, 'auth'],
    ['client certificates', { 'nginx.ingress.kubernetes.io/auth-tls-secret': 'shop/ca' }, 'client-certificate'],
    ['a forced redirect', { 'nginx.ingress.kubernetes.io/force-ssl-redirect': 'true' }, 'redirect'],
    ['a redirect switched off', { 'nginx.ingress.kubernetes.io/force-ssl-redirect': 'false' }, undefined],
    ['a rewrite', { 'nginx.ingress.kubernetes.io/rewrite-target': '/app' }, 'rewrite'],
    ['a snippet', { 'nginx.ingress.kubernetes.io/server-snippet': 'return 403;' }, 'snippet'],
    ['F5 basic auth', { 'nginx.org/basic-auth-secret': 'users' }, 'auth'],
    ['HAProxy', { 'haproxy.org/ssl-redirect': 'true' }, 'redirect'],
    ['an ALB redirect action', { 'alb.ingress.kubernetes.io/actions.ssl': '{"Type":"redirect","RedirectConfig":{"Protocol":"HTTPS"}}' }, 'redirect'],
    ['Kong strips the path', { 'konghq.com/strip-path': 'true' }, 'rewrite'],
    ['Kong hides the host', { 'konghq.com/preserve-host': 'false' }, 'rewrite'],
    ['a Kong plugin, looked up', { 'konghq.com/plugins': 'login' }, 'auth', [object('KongPlugin', 'shop', 'login', { more: { plugin: 'key-auth' } })]],
    ['APISIX', { 'k8s.apisix.apache.org/http-to-https': 'true' }, 'redirect'],
    ['Cilium', { 'ingress.cilium.io/force-https': 'enabled' }, 'redirect'],
    ['a Traefik middleware, looked up', { 'traefik.ingress.kubernetes.io/router.middlewares': 'shop-up@kubernetescrd' }, 'redirect', [object('Middleware', 'shop', 'up', { spec: { redirectScheme: { scheme: 'https' } } })]],
    ['a Traefik middleware that cannot be read, by its name', { 'traefik.ingress.kubernetes.io/router.middlewares': 'shop-basic-auth@kubernetescrd' }, 'auth'],
    ['a GKE FrontendConfig', { 'networking.gke.io/v1beta1.FrontendConfig': 'fc' }, 'redirect', [object('FrontendConfig', 'shop', 'fc', { spec: { redirectToHttps: { enabled: true } } })]],
    ['what nobody knows', { 'example.com/anything': 'true' }, undefined]
  ]
  for (const [title, annotations, effect, extra = []] of rows) t.equal(routing([site({ annotations }), ...extra]).claims.find(({ name }) => name === 'web')?.settings[0]?.effect, effect, title)
  t.end()
})

t.test('what stands in front', t => {
  const hints = (objects: KubeObject[]) => (routing(objects).hints ?? []).map(({ kind }) => kind)
  const rows: [title: string, objects: KubeObject[], kind: string, there: boolean][] = [
    ['PROXY protocol by the load balancer\'s annotation', [nginx, front({ annotations: { 'load-balancer.hetzner.cloud/uses-proxyprotocol': 'true' } })], 'proxy-protocol', true],
    ['the same annotation switched off', [nginx, front({ annotations: { 'load-balancer.hetzner.cloud/uses-proxyprotocol': 'false' } })], 'proxy-protocol', false],
    ['PROXY protocol by target group attributes', [nginx, front({ annotations: { 'service.beta.kubernetes.io/aws-load-balancer-target-group-attributes': 'proxy_protocol_v2.enabled=true' } })], 'proxy-protocol', true],
    ['PROXY protocol by the controller\'s ConfigMap', [nginx, object('ConfigMap', 'door', 'config', { data: { 'use-proxy-protocol': 'true' } })], 'proxy-protocol', true],
    ['another ConfigMap of the namespace does not count', [nginx, object('ConfigMap', 'door', 'other', { data: { 'use-proxy-protocol': 'true' } })], 'proxy-protocol', false],
    ['a load balancer without port 80', [nginx, front({}, [443])], 'no-port-80', true],
    ['a database\'s load balancer is no front', [nginx, front({}, [5432])], 'no-port-80', false],
    ['a load balancer that never got an address', [nginx, front({ status: {} })], 'no-address', true],
    ['a controller with no Pod ready', [controller('traefik:v3', [], 0)], 'controller-down', true],
    ['Traefik redirects the whole entrypoint', [controller('traefik:v3', ['--entryPoints.web.http.redirections.entryPoint.to=websecure'])], 'force-https', true],
    ['Traefik puts routers on the secure entrypoint only', [controller('traefik:v3', ['--entryPoints.websecure.asDefault=true'])], 'https-entrypoint-only', true],
    ['with both entrypoints as default it does not', [controller('traefik:v3', ['--entryPoints.websecure.asDefault=true', '--entryPoints.web.asDefault=true'])], 'https-entrypoint-only', false],
    ['strict mutual TLS in the mesh\'s root namespace', [object('PeerAuthentication', 'istio-system', 'default', { spec: { mtls: { mode: 'STRICT' } } })], 'mesh', true],
    ['strict mutual TLS of another namespace', [object('PeerAuthentication', 'far', 'default', { spec: { mtls: { mode: 'STRICT' } } })], 'mesh', false],
    ['strict mutual TLS of other Pods beside it', [object('PeerAuthentication', 'istio-system', 'default', { spec: { selector: { matchLabels: { app: 'db' } }, mtls: { mode: 'STRICT' } } })], 'mesh', false],
    ['strict mutual TLS of every solver', [object('PeerAuthentication', 'istio-system', 'default', { spec: { selector: { matchLabels: { 'acme.cert-manager.io/http01-solver': 'true' } }, mtls: { mode: 'STRICT' } } })], 'mesh', true],
    ['ambient mode', [object('Namespace', undefined, 'shop', { labels: { 'istio.io/dataplane-mode': 'ambient' } })], 'mesh', true],
    ['a load balancer for each Ingress', [solverIngress({ spec: { ingressClassName: undefined }, annotations: { 'kubernetes.io/ingress.class': 'gce' } })], 'address-per-ingress', true],
    ['an ALB group shares one', [solverIngress({ spec: { ingressClassName: undefined }, annotations: { 'kubernetes.io/ingress.class': 'alb', 'alb.ingress.kubernetes.io/group.name': 'web' } })], 'address-per-ingress', false],
    ['an ALB that listens on 443 only', [site({ annotations: { 'alb.ingress.kubernetes.io/listen-ports': '[{"HTTPS":443}]' } })], 'no-port-80', true]
  ]
  for (const [title, objects, kind, there] of rows) t.equal(hints(objects.some(({ kind }) => kind === 'Ingress') ? objects : [site(), ...objects]).includes(kind as never), there, title)
  t.same(routing([site({ status: at('203.0.113.7') }), front({ spec: { externalIPs: ['203.0.113.8'] } })]).clusterAddresses.map(({ address }) => address), ['203.0.113.10', '203.0.113.8', '203.0.113.7'], 'the cluster\'s own addresses, each with its owner')
  t.end()
})

t.test('Gateways and routes', t => {
  const parentRefs = [{ name: 'public', namespace: 'infra', sectionName: 'http' }]
  const gateway = object('Gateway', 'infra', 'public', { spec: { gatewayClassName: 'eg', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] }, status: { addresses: [{ value: '203.0.113.36' }] } })
  const route = (name: string, parts: Parts, value = path, type = 'Exact') => object('HTTPRoute', 'shop', name, { ...parts, spec: { parentRefs, hostnames: [host], rules: [{ matches: [{ path: { type, value } }], backendRefs: [{ name: 'cm', port: 8089 }], filters: parts.spec?.filters }] } })
  const answer = (status: string, reason: string) => ({ parents: [{ parentRef: parentRefs[0], controllerName: 'gateway.envoyproxy.io/x', conditions: [{ type: 'Accepted', status, reason, message: 'm' }] }] })
  const accepted = routing([gateway, route('solver', { owner: 'challenge', status: answer('True', 'Accepted') }), route('web', { status: answer('True', 'Accepted') }, '/', 'PathPrefix')])
  t.match(accepted.claims[0], { name: 'solver', solver: true, wins: true, ownership: 'owned', addresses: ['203.0.113.36'], className: 'eg' })
  t.match(accepted.gateways[0], { name: 'public', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] })
  t.match(solverOf(routing([gateway, route('solver', { owner: 'challenge', status: answer('False', 'NotAllowedByListeners') })])), { ownership: 'unowned', wins: false, why: /NotAllowedByListeners/ })
  t.match(routing([gateway, route('web', { spec: { filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https' } }] } }, '/', 'PathPrefix')]).claims[0]?.settings, [{ effect: 'redirect' }])
  const look = solverFacts(context([gateway, route('solver', { owner: 'challenge' })]), seed)
  t.match(look, { is: 'seen', value: { routes: [{ parents: [{ ref: 'Gateway infra/public (http)', conditions: [] }] }] } }, 'a parent that nobody answered for')
  t.end()
})

t.test('solver objects', t => {
  const labels = Object.fromEntries(solverLabels({ dnsName: host, token }))
  const solver = (objects: KubeObject[], over = {}) => solverFacts(context(objects, over), seed)
  const podIn = (status: Record<string, unknown>, parts: Parts = {}) => object('Pod', 'shop', 'cm-acme-http-solver-abcde', { labels, status, ...parts })
  const rows: [title: string, status: Record<string, unknown>, expected: Partial<SolverFacts['pods'][number]>][] = [
    ['ready', { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [{ state: { running: {} }, restartCount: 0 }] }, { ready: true, waiting: undefined }],
    ['unschedulable', { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' }] }, { unschedulable: '0/3 nodes are available' }],
    ['waiting for its image', { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } }] }, { waiting: 'ImagePullBackOff', message: 'Back-off' }],
    ['still being created is no fault', { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] }, { waiting: undefined }],
    ['killed for memory', { phase: 'Running', containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } }, restartCount: 4 }] }, { waiting: 'CrashLoopBackOff', terminated: 'OOMKilled (exit code 137)', restarts: 4 }],
    ['half an object', {}, { phase: 'Unknown', ready: false }]
  ]
  for (const [title, status, expected] of rows) t.match(solver([podIn(status)]), { is: 'seen', value: { pods: [expected] } }, title)
  t.equal(solver([podIn({}, { labels: {}, owner: 'challenge' })]).is, 'seen', 'by its owner, whatever its labels')
  t.equal(solver([podIn({}, { owner: 'another-challenge' })]).is, 'absent', 'a twin\'s Pod is the twin\'s')
  t.equal(solver([]).is, 'absent')
  t.match(solver([], { lists: [{ resource: 'pods', namespace: 'shop', look: { is: 'unavailable', why: 'forbidden', fix: 'pods: list' } }] }), { is: 'unavailable', why: 'forbidden' }, 'not looked is not absent')
  const recorded = [{ at: 1, kind: 'Challenge' as const, namespace: 'shop', name: 'ch', uid: 'challenge', state: 'pending', reason: '', dnsName: host, objects: [podIn({ phase: 'Pending' }), solverIngress()] }]
  t.match(solver([], { recorded }), { is: 'seen', value: { pods: [{ phase: 'Pending' }] } }, 'what the recorder saw stands in for what is gone')
  t.match(solverOf(routing([site()], { recorded })), { name: 'cm-acme-http-solver-abcde' }, 'and its Ingress is judged as it was')
  t.end()
})

t.test('routing that could not be seen', t => {
  t.match(routingFacts(context([], { lists: [{ resource: 'ingresses.networking.k8s.io', look: { is: 'unavailable', why: 'forbidden', fix: 'ingresses: list' } }] }), seed), { is: 'unavailable', fix: 'ingresses: list' })
  t.equal(routingFacts(context([site()]), { ...seed, challengeType: 'DNS-01' }).is, 'absent', 'DNS-01 needs none')
  t.match(routing([object('Ingress', 'shop', 'broken', { spec: { rules: 'not a list', tls: [null], defaultBackend: 3 } as never, status: { loadBalancer: null } })]).claims, [{ solver: true, why: /gone/ }], 'half-empty objects are read as far as they go')
  t.end()
})

t.test('routes of the controllers\' own kinds claim the host, and compete with the solver only where they are stronger', t => {
  const solver = solverIngress({ status: at('203.0.113.10') })
  const traefikSolver = solverIngress({ spec: { ingressClassName: undefined }, status: at('203.0.113.10') })
  const traefik = controller('traefik:v3.1')
  const middleware = object('Middleware', 'shop', 'login', { spec: { forwardAuth: { address: 'http://auth' } } })
  const router = (match: string, over: Record<string, unknown> = {}, entryPoints = ['web']) => object('IngressRoute', 'shop', 'router', { spec: { entryPoints, routes: [{ match, services: [{ name: 'web' }], ...over }] } })
  const rows: [title: string, objects: KubeObject[], claim: Partial<RoutingFacts['claims'][number]> | undefined, winner: string][] = [
    ['an IngressRoute with a login', [traefikSolver, traefik, middleware, router(`Host(\`${host}\`)`, { middlewares: [{ name: 'login' }] })], { kind: 'IngressRoute', path: '/', settings: [{ effect: 'auth', field: 'Middleware shop/login', value: 'forwardAuth' }] }, 'cm-acme-http-solver-abcde'],
    ['one whose priority beats the solver', [traefikSolver, traefik, router(`Host(\`${host}\`) && PathPrefix(\`/\`)`, { priority: 1_000 })], { kind: 'IngressRoute' }, 'router'],
    ['a priority in another controller\'s world', [solver, ingressClass('nginx', 'k8s.io/ingress-nginx'), nginx, router(`Host(\`${host}\`)`, { priority: 1_000 })], { kind: 'IngressRoute' }, 'cm-acme-http-solver-abcde'],
    ['one on HTTPS alone', [traefikSolver, traefik, router(`Host(\`${host}\`)`, {}, ['websecure'])], undefined, 'cm-acme-http-solver-abcde'],
    ['one by a header', [traefikSolver, traefik, router(`Host(\`${host}\`) && Header(\`x\`, \`y\`)`)], undefined, 'cm-acme-http-solver-abcde'],
    ['another host', [traefikSolver, traefik, router('Host(`other.example.com`)')], undefined, 'cm-acme-http-solver-abcde'],
    ['a VirtualService that redirects', [solver, object('VirtualService', 'shop', 'vs', { spec: { hosts: [host], gateways: ['infra/public'], http: [{ redirect: { scheme: 'https' } }] } })], { kind: 'VirtualService', settings: [{ effect: 'redirect', field: 'http.redirect', value: '{"scheme":"https"}' }] }, 'cm-acme-http-solver-abcde'],
    ['a VirtualService for the mesh alone', [solver, object('VirtualService', 'shop', 'vs', { spec: { hosts: [host], http: [{}] } })], undefined, 'cm-acme-http-solver-abcde'],
    ['an HTTPProxy with TLS redirects by itself', [solver, object('HTTPProxy', 'shop', 'proxy', { spec: { virtualhost: { fqdn: host, tls: {} }, routes: [{ conditions: [{ prefix: '/' }], services: [{ name: 'web' }] }] } })], { kind: 'HTTPProxy', backend: 'web', settings: [{ effect: 'redirect', field: 'spec.virtualhost.tls', value: 'without permitInsecure' }] }, 'cm-acme-http-solver-abcde'],
    ['a Route that redirects', [solver, object('Route', 'shop', 'route', { spec: { host, to: { name: 'web' }, tls: { insecureEdgeTerminationPolicy: 'Redirect' } } })], { kind: 'Route', tls: true }, 'cm-acme-http-solver-abcde'],
    ['a VirtualServer', [solver, object('VirtualServer', 'shop', 'server', { spec: { host, routes: [{ path: '/', action: { pass: 'web' } }] } })], { kind: 'VirtualServer' }, 'cm-acme-http-solver-abcde'],
    ['an ApisixRoute with a login', [solver, object('ApisixRoute', 'shop', 'apisix', { spec: { http: [{ match: { hosts: [host], paths: ['/*'] }, plugins: [{ name: 'openid-connect', enable: true }], backends: [{ serviceName: 'web' }] }] } })], { kind: 'ApisixRoute', path: '/', settings: [{ effect: 'auth', field: 'http.plugins', value: 'openid-connect' }] }, 'cm-acme-http-solver-abcde']
  ]
  for (const [title, objects, expected, winner] of rows) {
    const { claims } = routing(objects)
    const own = claims.find(({ kind }) => kind !== 'Ingress')
    if (expected === undefined) t.equal(own, undefined, title)
    else t.match(own, expected, title)
    t.equal(claims.find(({ wins }) => wins)?.name, winner, `${title}: who answers`)
  }
  const istio = { ...object('Gateway', 'infra', 'public', { spec: { servers: [{ port: { number: 80 }, hosts: [`shop/${host}`], tls: { httpsRedirect: true } }] } }), apiVersion: 'networking.istio.io/v1' }
  const facts = routing([solverIngress(), istio])
  t.match(facts.hints, [{ kind: 'force-https', where: 'Gateway infra/public of Istio' }])
  t.same(facts.gateways, [], 'it is no Gateway of the Gateway API')
  t.end()
})
