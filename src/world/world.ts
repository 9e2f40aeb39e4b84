import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, isIP, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Destination, Route } from '../shared/clients/route.ts'
import type { Clock, Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { plainName, readCaseDirectory, type AcmeAnswer, type CaseDirectory, type EndpointRow } from './case-directory.ts'
import { worldTrust } from './certificates.ts'
import { DnsView } from './dns-records.ts'
import { openDnsServer, type DnsServer } from './dns-server.ts'
import { KubernetesApi } from './kubernetes-api.ts'
import { Web } from './web.ts'
import type { WatchEvent } from './watches.ts'

const loopback = '127.0.0.1'
const clusterResolver = '10.96.0.10'
/** Addresses that mean `public`, whichever of them is asked. */
const publicResolvers = ['1.1.1.1', '1.0.0.1', '8.8.8.8', '8.8.4.4', '9.9.9.9', '149.112.112.112', '208.67.222.222', '208.67.220.220', '2606:4700:4700::1111', '2606:4700:4700::1001', '2001:4860:4860::8888', '2001:4860:4860::8844', '2620:fe::fe', '2620:fe::9']

export interface WorldOptions {
  /** Added to what case.yaml says. */
  latencyMs?: number
  /** The clock runs on from case.now: for a service that paces itself. */
  ticking?: boolean
}

/** What was asked of a world, in order: for tests that hold what production code never asks. */
interface WorldRequest { to: 'kubernetes' | 'dns' | 'web', method: string, url: string }

/** The clock of a case: it stands still until somebody moves it. */
interface WorldClock extends Clock { advance(by: Millis): void }

/** A case directory served on loopback: Kubernetes API, DNS, web servers and CA. */
export interface World {
  directory: CaseDirectory
  clock: WorldClock
  /** YAML for @kubernetes/client-node. */
  kubeconfig: string
  /** The same as a file in a directory of its own, which `close` removes. */
  kubeconfigFile(): Promise<string>
  /** Where connections go that begin `cluster`, on the `internet`, or at a place under `outside`. */
  route(vantage: string): Route
  /** PEM of the authority that signs the world's TLS. */
  trust: string
  resolvers: { cluster: string[], public: string[] }
  /** The names under `outside`. */
  outsideNames: string[]
  /** Where probes stood that saw something: `internet`, when anything of the case was seen from there, and the names under `outside`. */
  outsideVantages(): string[]
  /** Lets every route of this world through to a server of ours, such as an outside probe. */
  pass(host: string, port: number): void
  requests: WorldRequest[]
  /** A write by some controller: changes the objects and tells the watches. */
  emit(type: WatchEvent['type'], object: KubeObject): void
  endWatches(how: 'expired' | 'clean' | 'cut'): void
  close(): Promise<void>
}

/** Opens the world of a case. Everything listens on 127.0.0.1; `close` leaves nothing open. */
export async function openWorld (given: CaseDirectory | string, { latencyMs = 0, ticking = false }: WorldOptions = {}): Promise<World> {
  const directory = typeof given === 'string' ? await readCaseDirectory(given) : given
  const requests: WorldRequest[] = []
  let now = directory.now
  const opened = performance.now()
  const clock: WorldClock = { now: () => ticking ? Math.floor(now + performance.now() - opened) : now, advance (by) { now += by } }

  const passed = new Set<string>()
  const answers = acmeAnswers(directory)
  const web = new Web({ clock, answers, asked: ({ method, url }) => { requests.push({ to: 'web', method, url }) } })
  const [kubernetes, dns, endpoints, authorities] = await Promise.all([
    openKubernetes(directory, clock, latencyMs, ({ method, url }) => { requests.push({ to: 'kubernetes', method, url }) }),
    openResolvers(directory, (key, { name, type }) => { requests.push({ to: 'dns', method: type, url: `${key} ${name}` }) }),
    openEndpoints(directory, web),
    openAuthorities(answers, web)
  ])
  passed.add(`${loopback}:${kubernetes.port}`)

  const views: Views = { dns, outsideNames: [...directory.dns?.outside.keys() ?? []] }
  const clusterResolvers = [clusterDns(directory) ?? clusterResolver]
  const nameServers = nameServerAddresses(dns)
  let files: Promise<string> | undefined
  const kubeconfig = kubeconfigFor(kubernetes.port)

  return {
    directory,
    clock,
    kubeconfig,
    kubeconfigFile () {
      files ??= mkdtemp(join(tmpdir(), 'acme-triage-world-'))
      return files.then(async (path) => {
        const file = join(path, 'kubeconfig.yaml')
        await writeFile(file, kubeconfig, { mode: 0o600 })
        return file
      })
    },
    route: (vantage) => (host, port) => {
      const name = plainName(host.replace(/^\[|\]$/g, ''))
      if (passed.has(`${name}:${port}`)) return kubernetes.unreachable && port === kubernetes.port ? { fails: 'refused' } : { host: name, port }
      if (port === 53) return routeDns(views, nameServers, clusterResolvers, vantage, name)
      return routeWeb({ endpoints, authorities, views, vantage }, name, port)
    },
    trust: worldTrust(),
    // One is enough, since all answer alike; a second would only be asked when this machine is slow.
    resolvers: { cluster: clusterResolvers, public: ['1.1.1.1'] },
    outsideNames: views.outsideNames,
    outsideVantages: () => [...(seesInternet(directory) ? ['internet'] : []), ...views.outsideNames],
    pass (host, port) { passed.add(`${plainName(host)}:${port}`) },
    requests,
    emit: (type, object) => kubernetes.api?.emit(type, object),
    endWatches: (how) => kubernetes.api?.endWatches(how),
    async close () {
      await Promise.all([
        web.close(),
        kubernetes.api?.close(),
        ...[...dns.values()].map(({ server }) => server.close()),
        files?.then((path) => rm(path, { recursive: true, force: true }))
      ])
    }
  }
}

/** Something in the case was seen from the internet, so that a probe there would have answered. */
function seesInternet ({ dns, http }: CaseDirectory): boolean {
  return dns?.resolvers.has('public') === true || (http ?? []).some(({ from }) => from === undefined || from.some((name) => name !== 'cluster'))
}

interface Resolver { view: DnsView, server: DnsServer }
interface Views { dns: Map<string, Resolver>, outsideNames: string[] }
interface Endpoint { row: EndpointRow, port?: number }
const outsideKey = (name: string): string => `outside ${name}`

async function openKubernetes (directory: CaseDirectory, clock: Clock, latencyMs: number, asked: (request: { method: string, url: string }) => void): Promise<{ port: number, unreachable: boolean, api?: KubernetesApi }> {
  if (directory.api.unreachable) {
    // A port that was ours and is closed again refuses connections.
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, loopback, resolve))
    const { port } = server.address() as AddressInfo
    await new Promise<void>((resolve) => { server.close(() => resolve()) })
    return { port, unreachable: true }
  }
  const api = await KubernetesApi.open({ directory, clock, latencyMs: directory.api.latencyMs + latencyMs, asked })
  return { port: api.port, unreachable: false, api }
}

async function openResolvers (directory: CaseDirectory, asked: (key: string, question: { name: string, type: string }) => void): Promise<Map<string, Resolver>> {
  const listed = [...directory.dns?.resolvers ?? []]
  const outside = [...directory.dns?.outside ?? []].map(([name, rows]) => [outsideKey(name), rows] as const)
  const recursive = (key: string): boolean => key === 'cluster' || key === 'public' || key.startsWith('outside ') || publicResolvers.includes(key)
  return new Map(await Promise.all([...listed, ...outside].map(async ([key, rows]) => {
    // A resolver that is listed by address recurses when it is listed by no name server's name.
    const view = new DnsView(rows, !recursive(key) && isIP(key) === 0)
    return [key, { view, server: await openDnsServer(view, (question) => asked(key, question)) }] as const
  })))
}

async function openEndpoints (directory: CaseDirectory, web: Web): Promise<Endpoint[]> {
  return Promise.all((directory.http ?? []).map(async (row) => row.behaviour === 'refuse' || row.behaviour === 'timeout' ? { row } : { row, port: await web.openEndpoint(row) }))
}

/** Loopback ports of the CA by `host:port`. */
async function openAuthorities (answers: ReadonlyMap<string, AcmeAnswer>, web: Web): Promise<Map<string, number>> {
  const origins = [...new Set([...answers.keys()].map((url) => new URL(url).origin))].map((origin) => new URL(origin))
  return new Map(await Promise.all(origins.map(async (origin) => [
    `${plainName(origin.hostname.replace(/^\[|\]$/g, ''))}:${origin.port || (origin.protocol === 'https:' ? 443 : 80)}`,
    await web.openAuthority(origin)
  ] as const)))
}

/**
 * What the CA answers. A case that records authorizations and not the directory must not say
 * that there is no directory: a CA that answers the one has the other. The smallest one stands in.
 */
function acmeAnswers ({ acme }: CaseDirectory): Map<string, AcmeAnswer> {
  if (acme === undefined) return new Map()
  const answers = new Map(acme.get)
  const directory = acme.directory === undefined || !URL.canParse(acme.directory) ? undefined : new URL(acme.directory)
  if (directory === undefined || answers.has(directory.href)) return answers
  if (![...answers.keys()].some((url) => new URL(url).origin === directory.origin)) return answers
  const at = (path: string): string => new URL(`/acme/${path}`, directory).href
  const body = JSON.stringify({ newNonce: at('new-nonce'), newAccount: at('new-acct'), newOrder: at('new-order'), revokeCert: at('revoke-cert') })
  return answers.set(directory.href, { status: 200, headers: { 'content-type': 'application/json' }, body })
}

/** The cluster IP of the cluster's DNS Service, when the case shows it. */
function clusterDns ({ objects }: CaseDirectory): string | undefined {
  const service = objects.find(({ kind, apiVersion, metadata }) => kind === 'Service' && apiVersion === 'v1' && metadata.namespace === 'kube-system' && metadata.labels?.['k8s-app'] === 'kube-dns') ??
    objects.find(({ kind, metadata }) => kind === 'Service' && metadata.namespace === 'kube-system' && metadata.name === 'kube-dns')
  const address = service?.spec?.['clusterIP']
  return typeof address === 'string' && isIP(address) !== 0 ? address : undefined
}

/** Addresses of the listed authoritative servers, as anybody who is listed resolves them. */
function nameServerAddresses (dns: Map<string, Resolver>): Map<string, string> {
  const addresses = new Map<string, string>()
  const askable = ['public', 'cluster', ...dns.keys()].flatMap((key) => dns.get(key)?.view ?? [])
  for (const key of dns.keys()) {
    if (key === 'cluster' || key === 'public' || key.startsWith('outside ') || isIP(key) !== 0) continue
    const found = askable.map((view) => view.addresses(key)).find((list) => list.length > 0) ?? []
    for (const address of found) if (!addresses.has(address)) addresses.set(address, key)
  }
  return addresses
}

function routeDns ({ dns }: Views, nameServers: Map<string, string>, clusterResolvers: string[], vantage: string, host: string): Destination {
  const to = (key: string): Destination => {
    const resolver = dns.get(key)
    return resolver === undefined ? { fails: 'unreachable' } : { host: loopback, port: resolver.server.port }
  }
  if (host !== 'cluster' && host !== 'public' && dns.has(host)) return to(host)
  const nameServer = nameServers.get(host)
  if (nameServer !== undefined) return to(nameServer)
  if (vantage === 'cluster' && (clusterResolvers.includes(host) || host === clusterResolver)) return to('cluster')
  if (publicResolvers.includes(host)) return to(dns.has(outsideKey(vantage)) ? outsideKey(vantage) : 'public')
  return { fails: 'unreachable' }
}

interface WebSide { endpoints: Endpoint[], authorities: Map<string, number>, views: Views, vantage: string }

function routeWeb (side: WebSide, host: string, port: number): Destination {
  const { endpoints, authorities, views: { dns }, vantage } = side
  // The vantage's own view first; a name that it does not list may still be the CA's or a probe's.
  const asked = [vantage === 'cluster' ? 'cluster' : outsideKey(vantage), 'public', 'cluster'].flatMap((key) => dns.get(key)?.view ?? [])
  const addresses = isIP(host) === 0 ? asked.map((view) => view.addresses(host)).find((list) => list.length > 0) ?? [] : [host]
  for (const address of [host, ...addresses]) {
    // What http.yaml says of an address holds for the CA's, too: that is how a case shuts it off.
    const endpoint = endpoints.find(({ row }) => row.port === port && sameAddress(row.address, address) && seenFrom(row.from, vantage))
    if (endpoint === undefined) continue
    if (endpoint.port !== undefined) return { host: loopback, port: endpoint.port }
    return { fails: endpoint.row.behaviour === 'refuse' ? 'refused' : 'timeout' }
  }
  for (const [authority, listening] of authorities) {
    const colon = authority.lastIndexOf(':')
    if (Number(authority.slice(colon + 1)) !== port) continue
    const name = authority.slice(0, colon)
    if (name === host || (isIP(host) !== 0 && [...dns.values()].some(({ view }) => !view.authoritative && view.addresses(name).some((address) => sameAddress(address, host))))) return { host: loopback, port: listening }
  }
  return { fails: 'not-recorded' }
}

/** A place under `outside` is on the internet, too, unless an endpoint names it. */
function seenFrom (from: string[] | undefined, vantage: string): boolean {
  return from === undefined || from.includes(vantage) || (vantage !== 'cluster' && from.includes('internet'))
}

/** IPv6 has many spellings. */
function sameAddress (one: string, other: string): boolean {
  return one === other || (isIP(one) === 6 && isIP(other) === 6 && new URL(`http://[${one}]`).hostname === new URL(`http://[${other}]`).hostname)
}

function kubeconfigFor (port: number): string {
  return `apiVersion: v1
kind: Config
current-context: world
clusters:
  - name: world
    cluster: {server: "http://${loopback}:${port}", insecure-skip-tls-verify: true}
users:
  - name: world
    user: {}
contexts:
  - name: world
    context: {cluster: world, user: world}
`
}
