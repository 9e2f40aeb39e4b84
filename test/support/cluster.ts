import type { CaseDirectory } from '../../src/world/case-directory.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'

export const failureTime = Date.parse('2026-11-24T10:00:41Z')
export const now = failureTime + 5 * 60_000
const iso = (time: number): string => new Date(time).toISOString().replace('.000', '')
const order = 'web-tls-1-1234567890'
const challenge = `${order}-987654321`
export const token = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'
export const thumbprint = '9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI'

type Over = Partial<Omit<KubeObject, 'metadata'>> & { metadata?: Partial<KubeObject['metadata']> }

/** One object with what every object has. */
export function anObject (apiVersion: string, kind: string, name: string, { metadata, ...over }: Over = {}): KubeObject {
  const clusterWide = ['ClusterIssuer', 'IngressClass', 'Namespace', 'Node', 'APIService'].includes(kind)
  return { apiVersion, kind, metadata: { name, uid: `uid-${kind}-${name}`, creationTimestamp: iso(failureTime - 60_000), resourceVersion: '10', ...(clusterWide ? {} : { namespace: 'shop' }), ...metadata }, ...over }
}

const ownedBy = (kind: string, name: string): NonNullable<KubeObject['metadata']['ownerReferences']> => [{ apiVersion: 'v1', kind, name, uid: `uid-${kind}-${name}`, controller: true }]
const issuerRef = { name: 'letsencrypt', kind: 'ClusterIssuer' }

/** A cluster in which shop/web-tls failed its HTTP-01 challenge. */
export function aFailingCluster (): KubeObject[] {
  const { container, labels } = { container: { name: 'cert-manager-controller', image: 'quay.io/jetstack/cert-manager-controller:v1.21.1', args: ['--cluster-resource-namespace=$(POD_NAMESPACE)'], env: [{ name: 'API_TOKEN', value: 'sesame-open-wide' }] }, labels: { 'app.kubernetes.io/name': 'cert-manager', 'app.kubernetes.io/component': 'controller' } }
  return [
    anObject('cert-manager.io/v1', 'Certificate', 'web-tls', { spec: { dnsNames: ['shop.example.com'], secretName: 'web-secret', issuerRef }, status: { conditions: [{ type: 'Ready', status: 'False' }], lastFailureTime: iso(failureTime) } }),
    anObject('cert-manager.io/v1', 'CertificateRequest', 'web-tls-1', { metadata: { ownerReferences: ownedBy('Certificate', 'web-tls'), annotations: { 'cert-manager.io/certificate-name': 'web-tls', 'cert-manager.io/certificate-revision': '1' } }, spec: { issuerRef, request: 'LS0t' } }),
    anObject('acme.cert-manager.io/v1', 'Order', order, { metadata: { ownerReferences: ownedBy('CertificateRequest', 'web-tls-1'), annotations: { 'cert-manager.io/certificate-name': 'web-tls' } }, spec: { issuerRef, dnsNames: ['shop.example.com'], request: 'LS0t' }, status: { state: 'invalid', failureTime: iso(failureTime), url: 'https://acme-v02.api.letsencrypt.org/acme/order/1/22222' } }),
    anObject('acme.cert-manager.io/v1', 'Challenge', challenge, { metadata: { ownerReferences: ownedBy('Order', order) }, spec: { type: 'HTTP-01', dnsName: 'shop.example.com', token, key: `${token}.${thumbprint}`, issuerRef }, status: { state: 'invalid', reason: `Error accepting authorization: http://shop.example.com/.well-known/acme-challenge/${token}: 404` } }),
    anObject('cert-manager.io/v1', 'ClusterIssuer', 'letsencrypt', { spec: { acme: { server: 'https://acme-v02.api.letsencrypt.org/directory', solvers: [{ http01: { ingress: {} } }] } } }),
    anObject('v1', 'Event', 'web-tls.1', { involvedObject: { kind: 'Challenge', namespace: 'shop', name: challenge }, reason: 'Failed', message: 'Accepting challenge authorization failed' }),
    anObject('v1', 'Pod', 'cm-acme-http-solver-abcde', { metadata: { ownerReferences: ownedBy('Challenge', challenge), labels: { 'acme.cert-manager.io/http01-solver': 'true' } }, spec: { containers: [{ name: 'acmesolver', args: [`--token=${token}`, `--key=${token}.${thumbprint}`] }] } }),
    anObject('networking.k8s.io/v1', 'Ingress', 'web', { spec: { rules: [{ host: 'shop.example.com' }] }, status: { loadBalancer: { ingress: [{ ip: '203.0.113.10' }] } } }),
    anObject('apps/v1', 'Deployment', 'cert-manager', { metadata: { namespace: 'certs', labels }, spec: { template: { metadata: { labels }, spec: { containers: [container] } } } }),
    anObject('v1', 'Pod', 'cert-manager-7d9f', { metadata: { namespace: 'certs', labels }, spec: { containers: [container] }, status: { containerStatuses: [{ name: 'cert-manager-controller', restartCount: 0 }] } }),
    anObject('v1', 'Namespace', 'shop')
  ]
}

/** Key of `logs`. */
export const controllerLogKey = 'certs/cert-manager-7d9f/cert-manager-controller'
export const controllerLog = [
  `I1124 10:00:00.000000       1 controller.go:1] "starting cert-manager controller" version="v1.21.1"`,
  `I1124 10:00:10.000000       1 trigger.go:1] "Certificate must be re-issued" key="docs/handbook-tls"`,
  `I1124 10:00:11.000000       1 trigger.go:1] "Certificate must be re-issued" key="shop/web-tls"`,
  `E1124 10:00:41.000000       1 sync.go:473] "error waiting for authorization" err="403" resource_name="${challenge}"`
].map((line, index) => `2026-11-24T10:00:${10 + index}.123456789Z ${line}`).join('\n') + '\n'

/** The cluster as a case whose world can be opened; nothing answers outside of it. `logs` are paths of files. */
export function aCaseDirectory (over: Partial<Omit<CaseDirectory, 'api'>> & { api?: Partial<CaseDirectory['api']> } = {}): CaseDirectory {
  const { api, ...rest } = over
  return {
    path: 'made by a test', id: 'test', title: 'test', source: 'composed', now, kubernetes: 'v1.34.2',
    alerts: [{ alerts: [{ status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', certificate: 'web-tls' }, startsAt: iso(failureTime + 60_000) }] }],
    objects: aFailingCluster(), logs: new Map(), ...rest,
    api: { forbidden: [], missing: [], failing: [], unreachable: false, latencyMs: 0, ...api }
  }
}
