import type { Look, Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { LogLook, LogRole } from '../shared/types/observations.ts'
import { componentOf, findCertManager, listWorkloads, workloadResources, type CertManager } from './cert-manager.ts'
import { keepControllerKinds, routeKinds, settingKinds } from './controller-kinds.ts'
import { at, conditionOf, created, list, ownerOf, text } from './fields.ts'
import type { Gathering } from './gathering.ts'
import { readLogs, type LogSource } from './logs.ts'
import { eventBears, ingressBears, isControllerConfig, isDoor, isDoorkeeper, isSolverObject, neighbours, outline, routeBears, slim } from './relevance.ts'
import type { Resolved } from './resolve.ts'

/** What vanishes first comes first: challenges, orders, solver objects, events. */
const ofNamespace = [
  'challenges.acme.cert-manager.io', 'orders.acme.cert-manager.io', 'pods', 'services', 'ingresses.networking.k8s.io', 'events',
  'certificaterequests.cert-manager.io', 'certificates.cert-manager.io', 'httproutes.gateway.networking.k8s.io', 'issuers.cert-manager.io',
  'endpointslices.discovery.k8s.io', 'networkpolicies.networking.k8s.io', 'resourcequotas', 'limitranges'
]
/** Kinds that every cluster has few of. */
const ofCluster = [
  'clusterissuers.cert-manager.io', 'ingressclasses.networking.k8s.io', 'gateways.gateway.networking.k8s.io', 'gatewayclasses.gateway.networking.k8s.io',
  'listenersets.gateway.networking.k8s.io', 'referencegrants.gateway.networking.k8s.io', 'namespaces', 'nodes', 'apiservices.apiregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io', 'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io', 'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'ciliumnetworkpolicies.cilium.io', 'ciliumclusterwidenetworkpolicies.cilium.io', 'networkpolicies.crd.projectcalico.org', 'globalnetworkpolicies.crd.projectcalico.org',
  'peerauthentications.security.istio.io', 'authorizationpolicies.security.istio.io', 'destinationrules.networking.istio.io'
]
/** Kinds of which a cluster may have thousands; what is of no interest is dropped after reading. */
const large = [...workloadResources, 'services', 'ingresses.networking.k8s.io', 'httproutes.gateway.networking.k8s.io', 'challenges.acme.cert-manager.io', 'orders.acme.cert-manager.io', 'certificates.cert-manager.io', 'issuers.cert-manager.io']

export interface Early { version: Promise<Look<string>>, certManager: Promise<CertManager> }

/** Sends every question that needs no answer first, the fleeting kinds in front. */
export function startEarly (gathering: Gathering, namespace: string | undefined, certManagerNamespace: string | undefined): Early {
  // Small, and any answer to it carries the API server's time.
  const began = performance.now()
  const version = gathering.kubernetes.version({ signal: gathering.signal })
  void version.then(look => { gathering.note('version of the cluster', look, began) })
  if (namespace !== undefined) for (const resource of ofNamespace) void gathering.list(resource, { namespace })
  // Other questions wait for these two: where an answer takes two seconds, three rounds are more than there is time for.
  void gathering.list('clusterissuers.cert-manager.io')
  const certManager = findCertManager(gathering, certManagerNamespace)
  for (const resource of large) void gathering.list(resource, { partial: true })
  for (const resource of [...ofCluster, ...settingKinds]) void gathering.list(resource)
  for (const resource of routeKinds) void gathering.list(resource, { partial: true })
  return { version, certManager }
}

export interface RestSettings { domains: string[], since: Millis, narrowSince: Millis, logBytes: number, ingressLogs: boolean }

/** Everything else of the case, once the subject is known: keeps what bears on it and reads the logs. */
export async function readRest (gathering: Gathering, early: Early, resolved: Resolved, settings: RestSettings): Promise<{ clusterResourceNamespace?: string, logs: LogLook[] }> {
  const { chain, subject } = resolved
  const { domains } = settings
  const namespace = subject.namespace
  const certManager = await early.certManager
  const issuer = await issuerOf(gathering, resolved)
  const webhookGroups = webhookGroupsOf(issuer)

  const [, logs] = await Promise.all([
    Promise.all([
      ...(namespace === undefined ? [] : [keepNamespace(gathering, namespace)]),
      keepFew(gathering),
      keepNeighbours(gathering, namespace, chain.certificate ?? chain.order ?? chain.request, domains),
      keepWay(gathering, namespace, domains),
      keepControllerKinds(gathering, domains),
      keepSigningRequest(gathering, chain.order),
      keepCertManager(gathering, certManager, webhookGroups),
      keepVersion(gathering, certManager)
    ]),
    readLogs_(gathering, certManager, resolved, webhookGroups, settings),
    ...(subject.issuer?.kind === 'ClusterIssuer' ? [keepEvents(gathering, 'default', event => text(event.involvedObject ?? event.regarding, 'kind') === 'ClusterIssuer')] : [])
  ])
  gathering.keep([chain.certificate, chain.request, chain.order, ...chain.challenges].filter(object => object !== undefined).map(object => slim(object)))
  return { clusterResourceNamespace: certManager.from === 'guess' ? undefined : certManager.clusterResourceNamespace, logs }
}

async function issuerOf (gathering: Gathering, { subject: { issuer } }: Resolved): Promise<KubeObject | undefined> {
  if (issuer === undefined) return undefined
  const all = issuer.kind === 'ClusterIssuer' ? await gathering.items('clusterissuers.cert-manager.io') : await gathering.items('issuers.cert-manager.io', { namespace: issuer.namespace })
  return all.find(({ metadata }) => metadata.name === issuer.name)
}

const webhookGroupsOf = (issuer: KubeObject | undefined): string[] =>
  [...new Set(list(issuer, 'spec', 'acme', 'solvers').map(solver => text(solver, 'dns01', 'webhook', 'groupName')).filter(group => group !== ''))]

/** The subject's own namespace: all of the kinds that bear on certificates. */
async function keepNamespace (gathering: Gathering, namespace: string): Promise<void> {
  await Promise.all(ofNamespace.map(async resource => {
    if (resource === 'events') { await keepEvents(gathering, namespace, eventBears); return }
    const items = await gathering.items(resource, { namespace })
    // Busy namespaces: a hundred workload Pods say nothing about a certificate.
    const crowded = items.length > 100 && (resource === 'pods' || resource === 'services' || resource.startsWith('endpointslices'))
    gathering.keep((crowded ? items.filter(isSolverObject) : items.slice(0, 1_000)).map(object => slim(object)))
  }))
}

const mostEvents = 1_500

async function keepEvents (gathering: Gathering, namespace: string, bears: (event: KubeObject) => boolean): Promise<void> {
  const events = await gathering.items('events', { namespace, maxItems: 10_000 })
  const wanted = events.length <= 300 && bears === eventBears ? events : events.filter(bears)
  const newest = wanted.length <= mostEvents ? wanted : [...wanted].sort((a, b) => created(b) - created(a)).slice(0, mostEvents)
  gathering.keep(newest.map(event => slim(event, false)))
}

async function keepFew (gathering: Gathering): Promise<void> {
  await Promise.all(ofCluster.map(async resource => { gathering.keep((await gathering.items(resource)).slice(0, 500).map(object => slim(object))) }))
}

/** What an Order without CertificateRequest was placed for. */
async function keepSigningRequest (gathering: Gathering, order: KubeObject | undefined): Promise<void> {
  const owner = order === undefined ? undefined : ownerOf(order, 'CertificateSigningRequest')
  if (owner === undefined) return
  const found = await gathering.get('certificatesigningrequests.certificates.k8s.io', undefined, owner.name)
  if (found.is === 'seen') gathering.keep([slim(found.value)])
}

/** Images of mirrors are often tagged by digest or by hand; then the label of cert-manager's own kinds tells its version. */
async function keepVersion (gathering: Gathering, { workloads, pods }: CertManager): Promise<void> {
  const told = [...workloads, ...pods].some(object => componentOf(object) === 'controller' && versionedImage.test(JSON.stringify(object.spec)))
  if (told) return
  const definition = await gathering.get('customresourcedefinitions.apiextensions.k8s.io', undefined, 'challenges.acme.cert-manager.io')
  if (definition.is === 'seen') gathering.keep([slim(definition.value)])
}
const versionedImage = /"image":"[^"]*cert-manager-controller:v?[01]\.\d+\.\d+/

/** Certificates, Orders and Challenges of others: duplicates, saturation, how far the failure reaches. */
async function keepNeighbours (gathering: Gathering, namespace: string | undefined, subject: KubeObject | undefined, domains: string[]): Promise<void> {
  const others = async (resource: string): Promise<KubeObject[]> => (await gathering.items(resource, { partial: true })).filter(({ metadata }) => metadata.namespace !== namespace)
  const [certificates, orders, challenges] = await Promise.all(['certificates.cert-manager.io', 'orders.acme.cert-manager.io', 'challenges.acme.cert-manager.io'].map(others)) as [KubeObject[], KubeObject[], KubeObject[]]
  gathering.keep(neighbours(certificates, subject, domains, 1_000))
  gathering.keep(neighbours(orders, subject, domains, 500))
  gathering.keep(challenges.slice(0, 500).map(outline))
  // For "did you mean": an Issuer of the same name in another namespace.
  gathering.keep((await others('issuers.cert-manager.io')).slice(0, 200).map(object => slim(object, false)))
}

/** What a request meets on its way: Services with addresses, Ingresses and routes for the names, their controllers and policies. */
async function keepWay (gathering: Gathering, namespace: string | undefined, domains: string[]): Promise<void> {
  const [running, services, ingresses, routes] = await Promise.all([
    listWorkloads(gathering), ...['services', 'ingresses.networking.k8s.io', 'httproutes.gateway.networking.k8s.io'].map(resource => gathering.items(resource, { partial: true }))
  ]) as [KubeObject[], KubeObject[], KubeObject[], KubeObject[]]
  const workloads = running.filter(isDoorkeeper)
  const doors = [...new Set(workloads.filter(isDoor).map(({ metadata }) => metadata.namespace).filter(door => door !== undefined && door !== namespace && door !== 'kube-system'))].slice(0, 6) as string[]
  gathering.keep([...workloads.slice(0, 100), ...running.filter(({ metadata }) => metadata.namespace === namespace).slice(0, 50)].map(object => slim(object)))
  gathering.keep(services.filter(service => text(service, 'spec', 'type') === 'LoadBalancer' || list(service, 'status', 'loadBalancer', 'ingress').length > 0 || list(service, 'spec', 'externalIPs').length > 0 || doors.includes(service.metadata.namespace ?? '')).slice(0, 300).map(object => slim(object)))
  gathering.keep(ingresses.filter(ingress => ingressBears(ingress, domains)).slice(0, 300).map(object => slim(object)))
  gathering.keep(routes.filter(route => routeBears(route, domains)).slice(0, 300).map(object => slim(object)))
  await Promise.all(doors.map(async door => {
    const [policies, maps, pods, slices] = await Promise.all([
      gathering.items('networkpolicies.networking.k8s.io', { namespace: door }), gathering.items('configmaps', { namespace: door, partial: true }),
      gathering.items('pods', { namespace: door }), gathering.items('endpointslices.discovery.k8s.io', { namespace: door }),
      // A load balancer that could not be made says so in the Events of its Service.
      keepEvents(gathering, door, event => event.type === 'Warning' && /^(Service|Gateway)$/.test(text(event.involvedObject ?? event.regarding, 'kind')))
    ])
    gathering.keep([...policies, ...maps.filter(isControllerConfig), ...pods.slice(0, 50), ...slices.slice(0, 50)].map(object => slim(object)))
  }))
  // Cilium keeps the switches of its ingress controller in one map.
  if (workloads.some(({ metadata }) => metadata.name.startsWith('cilium')) || await hasCilium(gathering)) {
    const config = await gathering.get('configmaps', 'kube-system', 'cilium-config')
    if (config.is === 'seen') gathering.keep([slim(config.value)])
  }
  if ((await gathering.items('namespaces')).some(({ metadata }) => metadata.name === 'istio-system') && !doors.includes('istio-system')) {
    const mesh = await gathering.get('configmaps', 'istio-system', 'istio')
    if (mesh.is === 'seen') gathering.keep([slim(mesh.value)])
  }
}

const hasCilium = async (gathering: Gathering): Promise<boolean> => (await gathering.items('ingressclasses.networking.k8s.io')).some(ingressClass => text(ingressClass, 'spec', 'controller').includes('cilium'))

/** cert-manager's own state, and that of the DNS webhooks that the issuer uses. */
async function keepCertManager (gathering: Gathering, certManager: CertManager, webhookGroups: string[]): Promise<void> {
  const { namespace, workloads, pods } = certManager
  gathering.keep([...workloads, ...pods.slice(0, 100)].map(object => slim(object)))
  // Before 1.x and with Helm the lease stands in kube-system, or where --leader-election-namespace says.
  const leases = (certManager.leaseNamespace === undefined ? [...new Set([namespace, 'kube-system'])] : [certManager.leaseNamespace]).map(async place => {
    gathering.keep((await gathering.items('leases.coordination.k8s.io', { namespace: place, partial: true })).filter(({ metadata }) => metadata.name.startsWith('cert-manager')).map(object => slim(object)))
  })
  await Promise.all([
    ...leases,
    keepEvents(gathering, namespace, () => true),
    ...['networkpolicies.networking.k8s.io', 'replicasets.apps', 'services', 'endpointslices.discovery.k8s.io', 'issuers.cert-manager.io', 'resourcequotas'].map(async resource => {
      gathering.keep((await gathering.items(resource, { namespace })).slice(0, 200).map(object => slim(object)))
    }),
    gathering.items('configmaps', { namespace, partial: true }).then(maps => { gathering.keep(maps.filter(isControllerConfig).map(object => slim(object))) }),
    ...(webhookGroups.length === 0 ? [] : [keepWebhooks(gathering, certManager, webhookGroups)])
  ])
}

async function keepWebhooks (gathering: Gathering, certManager: CertManager, groups: string[]): Promise<void> {
  const { namespaces, pods } = await webhookPods(gathering, certManager, groups)
  gathering.keep(pods.map(object => slim(object)))
  await Promise.all([
    ...namespaces.filter(place => place !== certManager.namespace).flatMap(place => [
      ...['networkpolicies.networking.k8s.io', ...workloadResources, 'services', 'endpointslices.discovery.k8s.io'].map(async resource => { gathering.keep((await gathering.items(resource, { namespace: place })).slice(0, 100).map(object => slim(object))) }),
      keepEvents(gathering, place, () => true)
    ]),
    // Without these the webhook's group cannot be reached by cert-manager: a classic of hand-made installations.
    ...['clusterroles.rbac.authorization.k8s.io', 'clusterrolebindings.rbac.authorization.k8s.io'].map(async resource => {
      gathering.keep((await gathering.items(resource, { partial: true })).filter(role => groups.some(group => JSON.stringify(role.rules ?? '').includes(group)) || /webhook|domain-solver|cert-manager/.test(role.metadata.name)).slice(0, 100).map(object => slim(object)))
    }),
    gathering.items('serviceaccounts', { namespace: certManager.namespace, partial: true }).then(accounts => { gathering.keep(accounts.filter(({ metadata }) => metadata.name.includes('cert-manager')).map(object => slim(object))) })
  ])
}

/** groupName → APIService → Service → Pods; where the APIService is missing, by the usual name of the Deployment. */
async function webhookPods (gathering: Gathering, certManager: CertManager, groups: string[]): Promise<{ namespaces: string[], pods: KubeObject[] }> {
  const services = (await gathering.items('apiservices.apiregistration.k8s.io')).filter(service => groups.includes(text(service, 'spec', 'group')))
  const namespaces = [...new Set([...services.map(service => text(service, 'spec', 'service', 'namespace')).filter(place => place !== ''), certManager.namespace])]
  const found: KubeObject[] = []
  for (const place of namespaces) {
    const pods = place === certManager.namespace ? certManager.pods : await gathering.items('pods', { namespace: place })
    const names = services.filter(service => text(service, 'spec', 'service', 'namespace') === place).map(service => text(service, 'spec', 'service', 'name'))
    const others = pods.filter(pod => componentOf(pod) === undefined)
    const named = others.filter(pod => names.some(name => pod.metadata.name.startsWith(name)))
    // A webhook of another issuer says nothing of this one.
    found.push(...named.length > 0 ? named : others.filter(pod => /webhook/.test(pod.metadata.name)))
  }
  return { namespaces, pods: found.slice(0, 10) }
}

const hasRestarted = (pod: KubeObject): boolean => list(pod, 'status', 'containerStatuses').some(status => Number(at(status, 'restartCount') ?? 0) > 0)

/** Pods of the ingress and gateway controllers; so many show where a request went. */
async function doorPods (gathering: Gathering): Promise<KubeObject[]> {
  const workloads = (await listWorkloads(gathering)).filter(isDoor)
  const places = [...new Set(workloads.map(({ metadata }) => metadata.namespace))].slice(0, 6)
  const found = await Promise.all(places.map(async namespace => (await gathering.items('pods', { namespace })).filter(pod => workloads.some(({ metadata }) => metadata.namespace === namespace && pod.metadata.name.startsWith(`${metadata.name}-`)))))
  return found.flat().slice(0, 8)
}

async function readLogs_ (gathering: Gathering, certManager: CertManager, { chain, subject }: Resolved, webhookGroups: string[], settings: RestSettings): Promise<LogLook[]> {
  const sources: LogSource[] = []
  for (const pod of certManager.pods) {
    const component = componentOf(pod)
    if (component === 'controller') sources.push({ pod, role: 'controller' })
    // A healthy webhook has nothing to say that the API's own error text does not.
    else if (component !== undefined && (conditionOf(pod, 'Ready')?.status === 'False' || hasRestarted(pod))) sources.push({ pod, role: component })
  }
  if (webhookGroups.length > 0) for (const pod of (await webhookPods(gathering, certManager, webhookGroups)).pods) sources.push({ pod, role: 'dns-webhook' })
  const { namespace } = subject
  if (namespace !== undefined) {
    const attempt = new Set(chain.challenges.map(({ metadata }) => metadata.uid))
    const pods = (await gathering.items('pods', { namespace })).filter(isSolverObject)
    for (const pod of pods.filter(each => attempt.size === 0 || (each.metadata.ownerReferences ?? []).length === 0 || each.metadata.ownerReferences!.some(({ uid }) => attempt.has(uid))).slice(0, 10)) sources.push({ pod, role: 'solver' })
  }
  if (settings.ingressLogs && chain.challenges.some(challenge => text(challenge, 'spec', 'type') === 'HTTP-01')) {
    // Most access logs tell the path and not the host, so that only the token tells whose request it was.
    const tokens = chain.challenges.map(challenge => text(challenge, 'spec', 'token')).filter(token => token !== '')
    for (const pod of await doorPods(gathering)) sources.push({ pod, role: 'ingress', needles: tokens })
  }
  const names = [chain.certificate?.metadata.name, chain.certificateName, chain.request?.metadata.name, chain.order?.metadata.name, ...chain.challenges.map(({ metadata }) => metadata.name), subject.certificate?.name, subject.order?.name]
  const urls = [text(chain.order, 'status', 'url'), ...list(chain.order, 'status', 'authorizations').map(authorization => text(authorization, 'url'))].map(url => url.replace(/^https?:\/\/[^/]+/, '')).filter(path => path.length > 8)
  const needles = [...names.filter(name => name !== undefined), ...settings.domains.map(domain => domain.replace(/^\*\./, '')), ...urls]
  const logs = await readLogs(gathering, sources, { needles, since: settings.since, narrowSince: settings.narrowSince, limitBytes: settings.logBytes })
  const roles = new Set<LogRole>(logs.map(({ role }) => role))
  if (!roles.has('controller')) {
    const pods = await gathering.list('pods', { namespace: certManager.namespace })
    // No Pod, no log: said once, with the reason of the list.
    const look: LogLook['look'] = pods.is === 'unavailable' ? pods : { is: 'absent' }
    logs.push({ namespace: certManager.namespace, pod: '', container: '', previous: false, role: 'controller', look })
    gathering.note(`log of cert-manager in ${certManager.namespace}`, look, performance.now(), 'log')
  }
  return logs
}
