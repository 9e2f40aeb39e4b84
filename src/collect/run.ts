import type { KubernetesClient } from '../shared/clients/kubernetes.ts'
import { isNamespaceName } from '../shared/clients/kubernetes-resources.ts'
import { unavailable, type Alert, type Clock, type Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { EarlierDiagnosis, LogLook, Observations, RecordedState, Subject, SubjectHint } from '../shared/types/observations.ts'
import { readRest, startEarly } from './cluster.ts'
import { created, namesOf, text, time } from './fields.ts'
import { Gathering } from './gathering.ts'
import { lookOutside, type OutsideClients, type OutsideFindings } from './outside.ts'
import { ownEdges, outsideRequest } from './outside-from-cluster.ts'
import type { RecorderStatus } from './recorder.ts'
import { resolveSubject, type Resolved } from './resolve.ts'

export interface CollectRequest {
  /** The alerts of the incident, oldest first; at least one. */
  alerts: Alert[]
  hints: SubjectHint[]
  domains: string[]
  lint: string[]
}

export interface CollectClients { kubernetes?: KubernetesClient, outside?: OutsideClients }

/** Where the flight recorder's memory is read, and what it cannot watch at the moment. */
export interface Recordings {
  read (query: { namespace: string, since: Millis, orders?: string[] }): Promise<RecordedState[]>
  status? (): RecorderStatus[]
}

export interface CollectOptions {
  /** Everything must be home in this time (5 s). */
  deadline?: Millis
  /** Bytes read of one container's log (50 MB). */
  logBytes?: number
  /** The ingress controllers' logs are read for the challenge path. */
  ingressLogs?: boolean
  certManagerNamespace?: string
  /** What the flight recorder kept. */
  recorder?: Recordings
  /** What earlier looks made of this incident's attempts, oldest first. */
  earlier?: EarlierDiagnosis[]
}

const day: Millis = 86_400_000
const noCluster = unavailable('no Kubernetes API is configured', 'Set KUBECONFIG, or run inside the cluster with the ServiceAccount of deploy/')

/**
 * Asks the cluster, the logs and the outside about one incident, side by side under one deadline.
 * Never throws: what could not be seen is in the observations with its reason.
 */
export async function collect (request: CollectRequest, clients: CollectClients, clock: Clock, options: CollectOptions = {}): Promise<Observations> {
  const { deadline = 5_000, logBytes = 50_000_000 } = options
  const began = clock.now()
  const alarm = new AbortController()
  const timer = setTimeout(() => { alarm.abort(new Error('the deadline passed')) }, deadline)
  try {
    if (clients.kubernetes === undefined) return await withoutCluster(request, clients, clock, began, alarm.signal)

    const gathering = new Gathering(clients.kubernetes, alarm.signal)
    const namespaces = [...new Set(request.hints.map(({ namespace }) => namespace).filter(namespace => namespace !== undefined && isNamespaceName(namespace)))] as string[]
    const early = startEarly(gathering, namespaces[0], options.certManagerNamespace)
    // Everything in the cluster has the API server's time; ours may be wrong, and only the difference is told.
    const version = await early.version
    const clockAhead = clients.kubernetes.clockAhead()
    const clusterClock: Clock = { now: () => clock.now() - clockAhead }
    const now = began - clockAhead
    const startsAt = Math.min(now, ...request.alerts.map(alert => alert.startsAt))
    const resolved = await resolveSubject(gathering, { hints: request.hints, domains: request.domains, lint: request.lint, startsAt, now })
    const domains = knownNames(resolved, request.domains)
    const since = Math.min(startsAt, anchorOf(resolved, startsAt)) - day
    const [cluster, outside, recorded] = await Promise.all([
      readRest(gathering, early, resolved, { domains, since, narrowSince: attemptStart(resolved, startsAt), logBytes, ingressLogs: options.ingressLogs === true }),
      askOutside(gathering, early.certManager, resolved, request.domains, clients, clusterClock),
      readRecorded(options, resolved.subject, since)
    ])
    return {
      format: 1, now, ...(clockAhead === 0 ? {} : { clockAhead }), alerts: request.alerts, subject: resolved.subject,
      ...(version.is === 'seen' ? { kubernetesVersion: version.value } : {}),
      ...(cluster.clusterResourceNamespace === undefined ? {} : { clusterResourceNamespace: cluster.clusterResourceNamespace }),
      objects: gathering.kept().sort(byPlace), lists: gathering.lists, logs: cluster.logs.sort(byContainer),
      dns: outside.dns, http: outside.http, acme: outside.acme, recorded, looks: [...gathering.looks, ...outside.looks, ...recorderLooks(options)],
      ...(options.earlier === undefined || options.earlier.length === 0 ? {} : { earlier: options.earlier })
    }
  } finally {
    clearTimeout(timer)
  }
}

/** The alert alone, and what the outside says about the names in it. */
async function withoutCluster (request: CollectRequest, clients: CollectClients, clock: Clock, now: Millis, signal: AbortSignal): Promise<Observations> {
  const hint = request.hints[0] ?? { kind: 'Scan' as const, from: 'no label names an object' }
  const name = (kind: SubjectHint['kind']): { name: string } | undefined => {
    const found = request.hints.find(other => other.kind === kind && other.name !== undefined)
    return found?.name === undefined ? undefined : { name: found.name }
  }
  const [certificate, order] = [name('Certificate'), name('Order')]
  const subject: Subject = {
    hint, tried: [], ...(hint.namespace === undefined ? {} : { namespace: hint.namespace }), ...(certificate === undefined ? {} : { certificate }), ...(order === undefined ? {} : { order }),
    domains: request.domains, candidates: [], lint: request.lint
  }
  const outside = clients.outside === undefined || request.domains.length === 0 ? nowhere
    : await lookOutside(outsideRequest({ requests: [], orders: [], challenges: [] }, undefined, request.domains, [], []), clients.outside, clock, signal)
  const resources = ['certificates.cert-manager.io', 'certificaterequests.cert-manager.io', 'orders.acme.cert-manager.io', 'challenges.acme.cert-manager.io', 'issuers.cert-manager.io', 'clusterissuers.cert-manager.io', 'events', 'pods', 'ingresses.networking.k8s.io']
  return {
    format: 1, now, alerts: request.alerts, subject, objects: [], lists: resources.map(resource => ({ resource, look: noCluster })), logs: [],
    dns: outside.dns, http: outside.http, acme: outside.acme, recorded: [],
    looks: [{ what: 'the cluster', source: 'kubernetes', is: 'unavailable', ms: 0, why: noCluster.why, fix: noCluster.fix }, ...outside.looks]
  }
}

const nowhere: OutsideFindings = { dns: [], http: [], acme: [], looks: [] }

async function askOutside (gathering: Gathering, certManager: ReturnType<typeof startEarly>['certManager'], { chain, subject }: Resolved, domains: string[], clients: CollectClients, clock: Clock): Promise<OutsideFindings> {
  if (clients.outside === undefined) return nowhere
  const [issuer, edges, { recursiveNameservers }] = await Promise.all([findIssuer(gathering, subject), ownEdges(gathering), certManager])
  const request = outsideRequest(chain, issuer, domains, edges, recursiveNameservers)
  if (request.identifiers.length === 0 && request.acme === undefined) return nowhere
  return lookOutside(request, clients.outside, clock, gathering.signal)
}

async function findIssuer (gathering: Gathering, { issuer }: Subject): Promise<KubeObject | undefined> {
  if (issuer === undefined) return undefined
  const all = issuer.kind === 'ClusterIssuer' ? await gathering.items('clusterissuers.cert-manager.io') : await gathering.items('issuers.cert-manager.io', { namespace: issuer.namespace })
  return all.find(({ metadata }) => metadata.name === issuer.name)
}

async function readRecorded ({ recorder }: CollectOptions, { namespace, certificate, order }: Subject, since: Millis): Promise<RecordedState[]> {
  if (recorder === undefined || namespace === undefined) return []
  // A week: earlier attempts of the same Certificate are worth a comparison.
  const states = await recorder.read({ namespace, since: since - 6 * day }).catch(() => [])
  const isOwn = (state: RecordedState): boolean => state.uid === order?.uid || state.name === order?.name ||
    (certificate !== undefined && (state.certificate === certificate.name || (state.certificate === undefined && state.name.startsWith(`${certificate.name}-`) && /^\d+-\d+$/.test(state.name.slice(certificate.name.length + 1)))))
  const orders = new Set(states.filter(state => state.kind === 'Order' && isOwn(state)).map(({ uid }) => uid))
  if (order?.uid !== undefined) orders.add(order.uid)
  return states.filter(state => orders.has(state.kind === 'Order' ? state.uid : state.order ?? ''))
}

/** A recorder that may not watch is told like any other look that was refused; one that is off is not. */
function recorderLooks ({ recorder }: CollectOptions): Observations['looks'] {
  return (recorder?.status?.() ?? []).filter(({ why }) => why !== undefined).map(({ resource, why, fix }) => ({ what: `the flight recorder's watch of ${resource}`, source: 'kubernetes', is: 'unavailable', ms: 0, why: why!, ...(fix === undefined ? {} : { fix }) }))
}

const anchorOf = ({ chain }: Resolved, startsAt: Millis): Millis => time(text(chain.order, 'status', 'failureTime')) ?? startsAt

/** When the attempt began, with a little slack for clocks. */
function attemptStart ({ chain }: Resolved, startsAt: Millis): Millis {
  const begin = chain.request ?? chain.order ?? chain.challenges[0]
  return (begin === undefined ? startsAt - 3_600_000 : Math.min(created(begin), startsAt)) - 120_000
}

function knownNames ({ chain }: Resolved, domains: string[]): string[] {
  const names = [chain.certificate, chain.order].flatMap(object => object === undefined ? [] : namesOf(object))
  const challenged = chain.challenges.map(challenge => text(challenge, 'spec', 'dnsName').toLowerCase())
  return [...new Set([...names, ...challenged, ...domains])].filter(name => name !== '')
}

function byPlace (a: KubeObject, b: KubeObject): number {
  const key = ({ kind, metadata }: KubeObject): string => `${kind}\n${metadata.namespace ?? ''}\n${metadata.name}\n${metadata.uid}`
  return key(a) < key(b) ? -1 : 1
}

function byContainer (a: LogLook, b: LogLook): number {
  const key = ({ namespace, pod, container, previous }: LogLook): string => `${namespace}\n${pod}\n${container}\n${previous ? 0 : 1}`
  return key(a) < key(b) ? -1 : 1
}
