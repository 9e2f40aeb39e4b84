import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import { seen } from '../../src/shared/types/common.ts'
import type { AcmeLook, LogLook, Observations, SubjectHint } from '../../src/shared/types/observations.ts'

/** When the attempt of every built observation failed: 2026-11-24T10:00:00Z. */
export const failedAt = Date.UTC(2026, 10, 24, 10)
const minute = 60_000
export const iso = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z')

interface Shape {
  name?: string
  namespace?: string
  uid?: string
  created?: number
  owner?: KubeObject
  spec?: Record<string, unknown>
  status?: Record<string, unknown>
  annotations?: Record<string, string>
  labels?: Record<string, string>
  managedFields?: KubeObject['metadata']['managedFields']
}

/** Any object; the controller's ownerReference comes from `owner`. */
export function anObject (kind: string, apiVersion: string, { name = 'x', namespace = 'shop', uid = `${kind}-${namespace}-${name}`, created = failedAt - 2 * minute, owner, spec, status, ...metadata }: Shape = {}): KubeObject {
  return {
    apiVersion, kind,
    metadata: {
      name, ...namespace === '' ? {} : { namespace }, uid, creationTimestamp: iso(created), ...metadata,
      ...owner === undefined ? {} : { ownerReferences: [{ apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid, controller: true }] }
    },
    ...spec === undefined ? {} : { spec }, ...status === undefined ? {} : { status }
  }
}

const issuerRef = { name: 'letsencrypt', kind: 'ClusterIssuer', group: 'cert-manager.io' }

export const certificate = ({ spec, ...shape }: Shape = {}): KubeObject => anObject('Certificate', 'cert-manager.io/v1', {
  name: 'shop-tls', created: failedAt - 24 * 60 * minute, spec: { dnsNames: ['shop.example.com'], secretName: 'shop-tls', issuerRef, ...spec }, status: { failedIssuanceAttempts: 1, lastFailureTime: iso(failedAt) }, ...shape
})
export const request = (owner: KubeObject, { annotations, ...shape }: Shape = {}): KubeObject => anObject('CertificateRequest', 'cert-manager.io/v1', {
  name: 'shop-tls-1', owner, annotations: { 'cert-manager.io/certificate-name': owner.metadata.name, 'cert-manager.io/certificate-revision': '1', ...annotations }, spec: { issuerRef }, ...shape
})
export const order = (owner: KubeObject, { spec, status, ...shape }: Shape = {}): KubeObject => anObject('Order', 'acme.cert-manager.io/v1', {
  name: 'shop-tls-1-2881', owner, annotations: owner.metadata.annotations, spec: { dnsNames: ['shop.example.com'], issuerRef, ...spec }, status: status ?? { state: 'invalid', failureTime: iso(failedAt), url: 'https://ca.example/acme/order/1' }, ...shape
})
export const challenge = (owner: KubeObject, { spec, status, ...shape }: Shape = {}): KubeObject => anObject('Challenge', 'acme.cert-manager.io/v1', {
  name: `${owner.metadata.name}-77`, owner, status: status ?? { state: 'invalid', reason: 'Error accepting authorization: acme: authorization error for shop.example.com: 400 urn:ietf:params:acme:error:connection: 203.0.113.10: Fetching http://shop.example.com/.well-known/acme-challenge/tok: Timeout during connect (likely firewall problem)' },
  spec: { dnsName: 'shop.example.com', type: 'HTTP-01', token: 'token-of-shop-0001', key: 'token-of-shop-0001.print', wildcard: false, url: 'https://ca.example/acme/chall/1', authorizationURL: 'https://ca.example/acme/authz/1', solver: { http01: { ingress: { ingressClassName: 'nginx' } } }, issuerRef, ...spec }, ...shape
})
export const clusterIssuer = ({ spec, ...shape }: Shape = {}): KubeObject => anObject('ClusterIssuer', 'cert-manager.io/v1', {
  name: 'letsencrypt', namespace: '', created: failedAt - 48 * 60 * minute, spec: { acme: { server: 'https://ca.example/directory', solvers: [{ http01: { ingress: { ingressClassName: 'nginx' } } }], ...spec } },
  status: { acme: { uri: 'https://ca.example/acme/acct/1' }, conditions: [{ type: 'Ready', status: 'True', reason: 'ACMEAccountRegistered', lastTransitionTime: iso(failedAt - 48 * 60 * minute) }] }, ...shape
})

let events = 0
/** An Event of an object. */
export function event (about: KubeObject | { kind: string, namespace: string, name: string, uid?: string }, reason: string, message: string, { type = 'Warning', time = failedAt, count = 1 }: { type?: string, time?: number, count?: number } = {}): KubeObject {
  const involvedObject = 'metadata' in about ? { kind: about.kind, namespace: about.metadata.namespace, name: about.metadata.name, uid: about.metadata.uid } : about
  return { ...anObject('Event', 'v1', { name: `event-${events++}`, namespace: involvedObject.namespace ?? 'default', created: time }), involvedObject, type, reason, message, count, firstTimestamp: iso(time), lastTimestamp: iso(time) }
}

/** cert-manager's log, each line with its time. */
export const log = (lines: readonly { time: number, text: string }[], over: Partial<LogLook> = {}): LogLook => ({
  namespace: 'cert-manager', pod: 'cert-manager-0', container: 'cert-manager-controller', previous: false, role: 'controller',
  look: seen({ lines: [...lines], since: failedAt - 24 * 60 * minute, bytes: 1, droppedLines: 0 }), ...over
})

/** A klog line of v1.16 and later. */
export function line (time: number, level: 'I' | 'E', message: string, err?: string, keys = ''): { time: number, text: string } {
  const at = new Date(time).toISOString()
  return { time, text: `${level}${at.slice(5, 7)}${at.slice(8, 10)} ${at.slice(11, 23)}000 1 sync.go:1] ${JSON.stringify(message)}${err === undefined ? '' : ` err=${JSON.stringify(err)}`} logger="cert-manager.controller"${keys === '' ? '' : ` ${keys}`}` }
}
export const keysOf = (object: KubeObject, dnsName?: string): string => `resource_name="${object.metadata.name}" resource_namespace="${object.metadata.namespace ?? ''}" resource_kind="${object.kind}" resource_version="v1"${dnsName === undefined ? '' : ` dnsName="${dnsName}" type="HTTP-01"`}`

export const authorization = (url: string, body: unknown): AcmeLook => ({ kind: 'authorization', url, at: failedAt, look: seen({ status: 200, body }) })

/** Everything was listed and could be read; nothing looked outward. */
export function observe (hint: SubjectHint, objects: KubeObject[], over: Partial<Observations> = {}): Observations {
  return {
    format: 1, now: failedAt + 5 * minute,
    alerts: [{ status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed' }, annotations: {}, startsAt: failedAt + minute, generatorURL: '', fingerprint: '00000000deadbeef' }],
    subject: subjectOf(hint, objects),
    objects,
    lists: ['certificates.cert-manager.io', 'certificaterequests.cert-manager.io', 'clusterissuers.cert-manager.io', 'issuers.cert-manager.io', 'orders.acme.cert-manager.io', 'challenges.acme.cert-manager.io', 'events', 'pods', 'services', 'namespaces', 'ingresses.networking.k8s.io'].map(resource => ({ resource, look: seen({ count: 1 }) })),
    logs: [], dns: [], http: [], acme: [], recorded: [], looks: [], ...over
  }
}

function subjectOf (hint: SubjectHint, objects: readonly KubeObject[]): Observations['subject'] {
  const find = (kind: string): { name: string, uid: string } | undefined => {
    const found = objects.find(object => object.kind === kind && object.metadata.name === hint.name && object.metadata.namespace === hint.namespace)
    return found === undefined ? undefined : { name: found.metadata.name, uid: found.metadata.uid }
  }
  const named = { certificate: find('Certificate'), request: find('CertificateRequest'), order: find('Order') }
  return { hint, tried: [{ hint, found: true }], namespace: hint.namespace, ...Object.fromEntries(Object.entries(named).filter(([kind, ref]) => ref !== undefined && kind.toLowerCase() === (hint.kind === 'CertificateRequest' ? 'request' : hint.kind.toLowerCase()))), domains: [], candidates: [], lint: [] }
}
