import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import { groupVersion, installedGroups, pluralOf, resourcesOf, type ApiResource } from './api-resources.ts'
import type { CaseDirectory, Refusal } from './case-directory.ts'
import { readPodLog } from './pod-log.ts'
import { fieldSelector, labelSelector, type Selector } from './selectors.ts'
import { Watches, type WatchEvent } from './watches.ts'

const user = 'system:serviceaccount:acme-triage:acme-triage'

/** What a request's path means. */
interface Target { group: string, version: string, plural: string, namespace?: string, name?: string, subresource?: string }

export interface KubernetesApiOptions { directory: CaseDirectory, clock: Clock, latencyMs: number, asked: (request: { method: string, url: string }) => void }

/** Serves the objects and logs of a case as a Kubernetes API, with its refusals in Kubernetes' own words. */
export class KubernetesApi {
  readonly port: number
  private readonly options: KubernetesApiOptions
  private readonly server: Server
  private readonly resources: ApiResource[]
  private readonly missing: ReadonlySet<string>
  private readonly groups: ReadonlySet<string>
  private readonly byResource = new Map<string, KubeObject[]>()
  private readonly watches = new Watches()
  private version: number

  private constructor (options: KubernetesApiOptions, server: Server) {
    const { api, objects } = options.directory
    this.options = options
    this.server = server
    this.port = (server.address() as AddressInfo).port
    this.missing = new Set(api.missing)
    const stored = objects.map(asStored)
    this.resources = resourcesOf(stored, this.missing)
    this.groups = new Set(this.resources.map(({ group }) => group))
    for (const object of stored) this.shelf(groupVersion(object.apiVersion).group, pluralOf(object.kind)).push(object)
    this.version = stored.reduce((highest, { metadata }) => Math.max(highest, Number(metadata.resourceVersion) || 0), 1)
  }

  static async open (options: KubernetesApiOptions): Promise<KubernetesApi> {
    const server = createServer({ keepAliveTimeout: 5_000 })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    const api = new KubernetesApi(options, server)
    server.on('request', (request, response) => { void api.handle(request, response) })
    return api
  }

  async close (): Promise<void> {
    this.watches.end()
    const closed = new Promise<void>((resolve) => { this.server.close(() => resolve()) })
    this.server.closeAllConnections()
    await closed
  }

  /** Changes the cluster and tells the watches: what a controller's write does. */
  emit (type: WatchEvent['type'], given: KubeObject): void {
    const object = asStored({ ...given, metadata: { ...given.metadata, resourceVersion: String(++this.version) } })
    const { group } = groupVersion(object.apiVersion)
    const plural = pluralOf(object.kind)
    const shelf = this.shelf(group, plural)
    const at = shelf.findIndex(({ metadata }) => metadata.name === object.metadata.name && metadata.namespace === object.metadata.namespace)
    if (at >= 0) shelf.splice(at, 1)
    if (type !== 'DELETED') shelf.push(object)
    this.watches.tell(`${group}/${plural}`, { type, object })
  }

  /** Ends every watch: with an expired resourceVersion (410), cleanly, or by a cut connection. */
  endWatches (how: 'expired' | 'clean' | 'cut'): void {
    this.watches.end(how)
  }

  private async handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    this.options.asked({ method, url })
    response.setHeader('date', new Date(this.options.clock.now()).toUTCString())
    const body = method === 'POST' ? await readBody(request) : (request.resume(), '')
    if (this.options.latencyMs > 0) await new Promise((resolve) => { setTimeout(resolve, this.options.latencyMs) })
    try {
      await this.answer(method, new URL(url, 'http://api'), body, response)
    } catch (error) {
      refuse(response, 500, 'InternalError', `Internal error occurred: ${(error as Error).message}`)
    }
  }

  private async answer (method: string, url: URL, body: string, response: ServerResponse): Promise<void> {
    const { pathname } = url
    if (pathname === '/version') return json(response, 200, versionInfo(this.options.directory.kubernetes))
    if (['/healthz', '/livez', '/readyz'].includes(pathname)) return void response.writeHead(200, { 'content-type': 'text/plain' }).end('ok')
    const discovery = this.discover(pathname)
    if (discovery !== undefined) return json(response, 200, discovery)

    const target = parseTarget(pathname)
    if (target === undefined || !this.hasGroup(target.group)) return notFoundPage(response)
    if (target.plural === 'selfsubjectaccessreviews' && method === 'POST') return json(response, 201, this.review(body))
    const resource = target.subresource === undefined ? target.plural : `${target.plural}/${target.subresource}`
    const watching = url.searchParams.get('watch') === 'true' || url.searchParams.get('watch') === '1'
    const verb = method === 'GET' ? target.name === undefined ? watching ? 'watch' : 'list' : 'get' : writes[method] ?? method.toLowerCase()
    const failing = this.options.directory.api.failing.find((rule) => matches(rule, target, resource))
    if (failing !== undefined) return fail(response, failing.status ?? 500, resource)
    // This program only reads, and never a Secret.
    if (method !== 'GET' || target.plural === 'secrets' || this.isForbidden(target, resource)) return refuse(response, 403, 'Forbidden', forbiddenWords(verb, resource, target))

    if (resource === 'pods/log') return this.log(target, url.searchParams, response)
    if (target.subresource !== undefined && target.subresource !== 'status') return notFoundPage(response)
    if (target.name !== undefined) return this.get(target, response)
    return this.list(target, url.searchParams, watching, response)
  }

  private get ({ group, plural, namespace, name }: Target, response: ServerResponse): void {
    const found = this.shelf(group, plural).find(({ metadata }) => metadata.name === name && (metadata.namespace ?? '') === (namespace ?? ''))
    if (found === undefined) return refuse(response, 404, 'NotFound', `${qualified(plural, group)} "${name}" not found`, { name: name!, kind: plural, group })
    return json(response, 200, found)
  }

  private list (target: Target, query: URLSearchParams, watching: boolean, response: ServerResponse): void {
    const { group, version, plural, namespace } = target
    let select: Selector
    try {
      const byLabel = labelSelector(query.get('labelSelector') ?? '')
      const byField = fieldSelector(query.get('fieldSelector') ?? '')
      select = (object) => byLabel(object) && byField(object)
    } catch (error) {
      return refuse(response, 400, 'BadRequest', (error as Error).message)
    }
    const inScope: Selector = (object) => (namespace === undefined || (object as KubeObject).metadata.namespace === namespace) && select(object)
    const items = this.shelf(group, plural).filter(inScope)
    if (watching) {
      const from = query.get('resourceVersion') ?? ''
      const after = Number(from) || 0
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      const initial = items.filter(({ metadata }) => after === 0 || Number(metadata.resourceVersion) > after)
      return this.watches.open(`${group}/${plural}`, inScope, response, initial, Number(query.get('timeoutSeconds')) || undefined)
    }
    const begin = Number(query.get('continue') ?? '') || 0
    const limit = Number(query.get('limit')) || items.length
    const page = items.slice(begin, begin + limit)
    const left = items.length - begin - page.length
    const kind = this.resources.find((each) => each.group === group && each.plural === plural)?.kind
    return json(response, 200, {
      kind: kind === undefined ? 'List' : `${kind}List`,
      apiVersion: group === '' ? version : `${group}/${version}`,
      metadata: { resourceVersion: String(this.version), ...(left > 0 && { continue: String(begin + page.length), remainingItemCount: left }) },
      items: page
    })
  }

  private async log (target: Target, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { namespace = '', name = '' } = target
    const pod = this.shelf('', 'pods').find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
    const answer = await readPodLog(this.options.directory.logs, { namespace, pod: name, query }, pod, this.options.clock.now())
    if ('stream' in answer) answer.stream.on('error', () => response.destroy()).pipe(response.writeHead(200, { 'content-type': 'text/plain' }))
    else if ('text' in answer) response.writeHead(200, { 'content-type': 'text/plain' }).end(answer.text)
    else refuse(response, answer.status, answer.reason, answer.message, { name, kind: 'pods', group: '' })
  }

  private review (body: string): unknown {
    const { spec } = JSON.parse(body) as { spec?: { resourceAttributes?: { group?: string, resource?: string, subresource?: string, namespace?: string, verb?: string } } }
    const { group = '', resource = '', subresource, namespace, verb = '' } = spec?.resourceAttributes ?? {}
    const target = { group, version: 'v1', plural: resource, ...(namespace && { namespace }) }
    const allowed = ['get', 'list', 'watch'].includes(verb) && resource !== 'secrets' && !this.isForbidden(target, subresource ? `${resource}/${subresource}` : resource)
    return { kind: 'SelfSubjectAccessReview', apiVersion: 'authorization.k8s.io/v1', spec, status: { allowed } }
  }

  /** Permissions only add up: who may not read one namespace may not read all of them at once. */
  private isForbidden (target: Target, resource: string): boolean {
    return this.options.directory.api.forbidden.some((rule) => matches(target.namespace === undefined ? { ...rule, namespace: undefined } : rule, target, resource))
  }

  private discover (pathname: string): unknown {
    const legacy = { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
    if (pathname === '/api' || pathname === '/api/') return legacy
    const groups = [...new Set(this.resources.map(({ group }) => group))].filter((group) => group !== '')
    const describe = (group: string): unknown => {
      const versions = [...new Set(this.resources.filter((each) => each.group === group).map(({ version }) => version))].map((version) => ({ groupVersion: `${group}/${version}`, version }))
      return { name: group, versions, preferredVersion: versions[0] }
    }
    if (pathname === '/apis' || pathname === '/apis/') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(describe) }
    const [, group] = /^\/apis\/([^/]+)\/?$/.exec(pathname) ?? []
    if (group !== undefined && groups.includes(group)) return { kind: 'APIGroup', apiVersion: 'v1', ...describe(group) as object }
    const versioned = /^\/(?:api|apis\/([^/]+))\/([^/]+)\/?$/.exec(pathname)
    if (versioned === null) return undefined
    const [, named = '', version] = versioned
    const resources = this.resources.filter((each) => each.group === named && each.version === version)
    if (resources.length === 0) return undefined
    return {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: named === '' ? version : `${named}/${version}`,
      resources: resources.map(({ plural, kind, namespaced }) => ({ name: plural, singularName: kind.toLowerCase(), namespaced, kind, verbs: ['get', 'list', 'watch'] }))
    }
  }

  private hasGroup (group: string): boolean {
    return !this.missing.has(group) && (this.groups.has(group) || installedGroups.has(group))
  }

  private shelf (group: string, plural: string): KubeObject[] {
    const key = `${group === 'events.k8s.io' ? '' : group}/${plural}`
    const known = this.byResource.get(key)
    if (known !== undefined) return known
    const made: KubeObject[] = []
    this.byResource.set(key, made)
    return made
  }
}

function matches (rule: Refusal, target: Target, resource: string): boolean {
  return (rule.resource === '*' || rule.resource === resource || rule.resource === qualified(target.plural, target.group)) &&
    (rule.group === undefined || (rule.group === 'core' ? '' : rule.group) === target.group) &&
    (rule.namespace === undefined || rule.namespace === target.namespace)
}

const qualified = (plural: string, group: string): string => group === '' ? plural : `${plural}.${group}`

/** How the API names a method when it forbids it. */
const writes: Record<string, string> = { POST: 'create', PUT: 'update' }

function forbiddenWords (verb: string, resource: string, { group, namespace, name, plural }: Target): string {
  const what = name === undefined ? qualified(plural, group) : `${qualified(plural, group)} "${name}"`
  return `${what} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" ${namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`}`
}

/** `/api/v1/namespaces/a/pods/b/log`, `/apis/g/v/orders`; undefined for a path of another form. */
function parseTarget (pathname: string): Target | undefined {
  const parts = pathname.split('/').filter((part) => part !== '').map(decode)
  const [root, ...rest] = parts
  const group = root === 'api' ? '' : root === 'apis' ? rest.shift() : undefined
  const version = rest.shift()
  if (group === undefined || version === undefined || rest.length === 0 || rest.length > 5) return undefined
  // /namespaces/a is the Namespace itself, /namespaces/a/pods its pods.
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status') {
    const [, namespace, plural, name, subresource] = rest
    return { group, version, plural: plural!, namespace: namespace!, ...(name !== undefined && { name }), ...(subresource !== undefined && { subresource }) }
  }
  const [plural, name, subresource] = rest
  return { group, version, plural: plural!, ...(name !== undefined && { name }), ...(subresource !== undefined && { subresource }) }
}

function decode (part: string): string {
  try { return decodeURIComponent(part) } catch { return part }
}

/** Events of both API groups are one store: kept in the core group's form. */
function asStored (object: KubeObject): KubeObject {
  if (!object.apiVersion.startsWith('events.k8s.io/')) return object
  const { regarding, note, deprecatedCount, deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedSource, ...rest } = object
  return {
    ...rest,
    apiVersion: 'v1',
    involvedObject: regarding,
    message: note,
    ...(deprecatedCount !== undefined && { count: deprecatedCount }),
    ...(deprecatedFirstTimestamp !== undefined && { firstTimestamp: deprecatedFirstTimestamp }),
    ...(deprecatedLastTimestamp !== undefined && { lastTimestamp: deprecatedLastTimestamp }),
    ...(deprecatedSource !== undefined && { source: deprecatedSource })
  }
}

function versionInfo (gitVersion: string): unknown {
  const [, major = '1', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(gitVersion) ?? []
  return { major, minor, gitVersion, gitTreeState: 'clean', platform: 'linux/amd64' }
}

function json (response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function refuse (response: ServerResponse, code: number, reason: string, message: string, details: object = {}): void {
  if (response.headersSent) return void response.destroy()
  json(response, code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code })
}

const failures = new Map<number, [string, string]>([
  [401, ['Unauthorized', 'Unauthorized']],
  [403, ['Forbidden', 'forbidden']],
  [404, ['NotFound', 'the server could not find the requested resource']],
  [409, ['Conflict', 'the object has been modified']],
  [410, ['Expired', 'The resourceVersion for the provided watch is too old.']],
  [429, ['TooManyRequests', 'Too many requests, please try again later.']],
  [500, ['InternalError', 'Internal error occurred: etcdserver: request timed out']],
  [503, ['ServiceUnavailable', 'the server is currently unable to handle the request']],
  [504, ['Timeout', 'the server was unable to return a response in the time allotted, but may still be processing the request']]
])

function fail (response: ServerResponse, status: number, resource: string): void {
  const [reason, message] = failures.get(status) ?? ['Unknown', `the server answered ${status} for ${resource}`]
  refuse(response, status, reason, message)
}

function notFoundPage (response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n')
}

async function readBody (request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
