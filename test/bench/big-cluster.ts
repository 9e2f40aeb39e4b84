import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import type { CaseDirectory, EndpointRow, RecordRow } from '../../src/world/case-directory.ts'
import { aCaseDirectory, aFailingCluster, anObject, controllerLogKey, failureTime } from '../support/cluster.ts'

export interface BigCluster {
  /** Certificates that failed their HTTP-01 challenge: shop-N/web-N-tls. */
  failing: number
  /** Of others, healthy, each in one of 200 namespaces. */
  certificates: number
  orders: number
  ingresses: number
  events: number
  logMegabytes: number
}

export const address = '203.0.113.10'
const iso = (time: number): string => new Date(time).toISOString().replace('.000', '')

/** A cluster made up for measuring: some certificates that fail for one cause, and the bulk of a large one around them. */
export async function aBigCluster (size: BigCluster): Promise<{ directory: CaseDirectory, remove (): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
  const log = join(folder, 'controller.log')
  await writeLog(log, size)
  const objects = [...failing(size.failing), ...bulk(size)]
  const names = Array.from({ length: size.failing }, (_, index) => `shop${index}.example.com`)
  const directory = aCaseDirectory({ objects, logs: new Map([[controllerLogKey, log]]), dns: dnsOf(names), http: [web()] })
  return { directory, remove: () => rm(folder, { recursive: true, force: true }) }
}

function failing (count: number): KubeObject[] {
  const shared = new Set(['ClusterIssuer', 'Namespace'])
  const base = aFailingCluster()
  const own = JSON.stringify(base.filter(({ kind, metadata }) => !shared.has(kind) && metadata.namespace === 'shop')).replace(/Error accepting authorization: [^"]*/, `Error accepting authorization: ${problem('shop.example.com')}`)
  return [
    ...base.filter(({ kind, metadata }) => shared.has(kind) || metadata.namespace !== 'shop'),
    ...Array.from({ length: count }, (_, index) => JSON.parse(named(own, index)) as KubeObject[]).flat(),
    ...Array.from({ length: count }, (_, index) => anObject('v1', 'Namespace', `shop-${index}`))
  ]
}

/** What Let's Encrypt says when somebody else answers for the path. */
const problem = (name: string): string => `acme: authorization error for ${name}: 403 urn:ietf:params:acme:error:unauthorized: ${address}: Invalid response from http://${name}/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA: 404`

const named = (text: string, index: number): string =>
  text.replaceAll('web-tls', `web-${index}-tls`).replaceAll('shop.example.com', `shop${index}.example.com`).replaceAll('"shop"', `"shop-${index}"`).replaceAll('"uid-', `"uid${index}-`)

function bulk ({ certificates, orders, ingresses, events }: BigCluster): KubeObject[] {
  const place = (index: number): { namespace: string, resourceVersion: string, labels: Record<string, string>, managedFields: { manager: string, operation: string, time: string, fieldsV1: Record<string, unknown> }[] } => ({
    namespace: `team-${index % 200}`, resourceVersion: String(1_000 + index), labels: { app: `app-${index}`, 'app.kubernetes.io/managed-by': 'Helm' },
    managedFields: [{ manager: 'helm', operation: 'Update', time: iso(failureTime - 86_400_000), fieldsV1: { 'f:metadata': { 'f:labels': { 'f:app': {} } }, 'f:spec': { 'f:dnsNames': {}, 'f:secretName': {} } } }]
  })
  const issuerRef = { name: 'letsencrypt', kind: 'ClusterIssuer' }
  const made: KubeObject[] = []
  for (let index = 0; index < certificates; index++) {
    made.push(anObject('cert-manager.io/v1', 'Certificate', `app-${index}-tls`, { metadata: place(index), spec: { dnsNames: [`app${index}.example.org`, `www.app${index}.example.org`], secretName: `app-${index}-tls`, issuerRef }, status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: 'Certificate is up to date and has not expired' }], notAfter: iso(failureTime + 60 * 86_400_000), revision: 3 } }))
  }
  for (let index = 0; index < orders; index++) {
    made.push(anObject('acme.cert-manager.io/v1', 'Order', `app-${index}-tls-3-1234567`, { metadata: place(index), spec: { issuerRef, dnsNames: [`app${index}.example.org`, `www.app${index}.example.org`], request: 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K'.repeat(20) }, status: { state: 'valid', url: `https://acme-v02.api.letsencrypt.org/acme/order/1/${index}`, certificate: 'LS0t'.repeat(1_000) } }))
  }
  for (let index = 0; index < ingresses; index++) {
    made.push(anObject('networking.k8s.io/v1', 'Ingress', `app-${index}`, { metadata: place(index), spec: { ingressClassName: 'nginx', tls: [{ hosts: [`app${index}.example.org`], secretName: `app-${index}-tls` }], rules: [{ host: `app${index}.example.org`, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: `app-${index}`, port: { number: 80 } } } }] } }] }, status: { loadBalancer: { ingress: [{ ip: address }] } } }))
  }
  for (let index = 0; index < events; index++) {
    made.push(anObject('v1', 'Event', `app-${index}.17a`, { metadata: place(index), involvedObject: { kind: 'Pod', namespace: `team-${index % 200}`, name: `app-${index}` }, type: 'Normal', reason: 'Pulled', message: `Container image "registry.example/app-${index}:1.2.3" already present on machine`, count: 3, firstTimestamp: iso(failureTime - 600_000), lastTimestamp: iso(failureTime - 60_000) }))
  }
  return made
}

function dnsOf (names: string[]): NonNullable<CaseDirectory['dns']> {
  const row = (name: string, type: string, answer: string[]): RecordRow => ({ name, type, answer, timeout: false })
  const rows = [...names.map(name => row(name, 'A', [address])), row('example.com', 'SOA', ['ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300']), row('example.com', 'NS', ['ns1.example.com.']), row('ns1.example.com', 'A', ['203.0.113.53'])]
  return { resolvers: new Map([['cluster', rows], ['public', rows], ['ns1.example.com', rows]]), outside: new Map() }
}

const web = (): EndpointRow => ({ address, port: 80, requests: [{ status: 404, headers: { server: 'nginx', 'content-type': 'text/html' }, body: 'default backend - 404' }] })

/** The controller's log of a day: mostly of others, a share of errors, the failing ones' own lines near the end. */
export async function writeLog (path: string, { failing, logMegabytes }: Pick<BigCluster, 'failing' | 'logMegabytes'>): Promise<void> {
  const file = createWriteStream(path)
  const bytes = logMegabytes * 1_000_000
  const begin = failureTime - 86_400_000
  let written = 0
  for (let block = 0; written < bytes; block++) {
    let text = ''
    for (let line = 0; line < 4_000; line++) text += logLine(begin + Math.min(0.999, written / bytes) * 86_400_000 + line, block * 4_000 + line)
    written += text.length
    if (!file.write(text)) await once(file, 'drain')
  }
  for (let index = 0; index < failing; index++) {
    file.write(stamped(failureTime, `E${klog(failureTime)}       1 sync.go:473] "error waiting for authorization" err="${problem(`shop${index}.example.com`)}" logger="cert-manager.controller" resource_name="web-${index}-tls-1-1234567890-987654321" resource_namespace="shop-${index}" resource_kind="Challenge" resource_version="v1"`))
  }
  file.end()
  await once(file, 'finish')
}

const klog = (time: number): string => {
  const [, month, day, clock] = /^\d{4}-(\d\d)-(\d\d)T(.{8})/.exec(new Date(time).toISOString())!
  return `${month}${day} ${clock}.000000`
}
const stamped = (time: number, line: string): string => `${new Date(time).toISOString().replace('Z', '000000Z')} ${line}\n`

function logLine (time: number, index: number): string {
  const key = `team-${index % 200}/app-${index % 9_973}-tls`
  const head = (level: string): string => `${level}${klog(time)}       1`
  if (index % 100 === 7) return stamped(time, `${head('E')} controller.go:157] "re-queuing item due to error processing" err="Operation cannot be fulfilled on certificates.cert-manager.io \\"app-${index % 9_973}-tls\\": the object has been modified; please apply your changes to the latest version and try again" logger="cert-manager.certificates-readiness" key="${key}"`)
  if (index % 3 === 0) return stamped(time, `${head('I')} dns.go:90] "Presenting DNS01 challenge for domain" logger="cert-manager.controller.Present" resource_name="app-${index % 9_973}-tls-1-99" resource_namespace="team-${index % 200}" resource_kind="Challenge" resource_version="v1" dnsName="app${index % 9_973}.example.org" type="DNS-01"`)
  return stamped(time, `${head('I')} conditions.go:203] "Setting lastTransitionTime for Certificate condition" certificate="${key}" condition="Ready" lastTransitionTime="${new Date(time).toISOString()}" logger="cert-manager.certificates-readiness"`)
}
