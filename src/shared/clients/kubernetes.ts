import type { Clock, Look, Millis } from '../types/common.ts'
import { absent, seen, unavailable } from '../types/common.ts'
import type { KubeObject } from '../types/kubernetes.ts'
import { findCredentials } from './kubernetes-credentials.ts'
import { readLog, type LogOptions, type LogQuery, type LogRead } from './kubernetes-log.ts'
import { openDiscovery } from './kubernetes-discovery.ts'
import { isRecord, normalizeObject } from './kubernetes-objects.ts'
import { isNamespaceName, isObjectName, resourcePath, resourceType, type ResourceType } from './kubernetes-resources.ts'
import { connectionReason, openTransport, refusal, type Purpose, type Transport } from './kubernetes-transport.ts'
import { watchResource, type WatchHandlers, type WatchOptions } from './kubernetes-watch.ts'
import { direct, type Route } from './route.ts'

interface ListOptions {
  /** Absent: all namespaces. */
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  /** Items for one answer of the API (500). */
  pageSize?: number
  /** Reading stops after so many and says `truncated` (5,000). */
  maxItems?: number
  /** `next` of the part before: the list goes on there. */
  from?: string
  signal?: AbortSignal
}

export interface Listed {
  items: KubeObject[]
  /** There were more. */
  truncated: boolean
  /** Where the rest begins, when reading stopped at `maxItems`. */
  next?: string
  resourceVersion?: string
}

/** Read-only eyes on one cluster. No method throws for what the cluster does; a resource outside the table is a programming error. */
export interface KubernetesClient {
  list (resource: string, options?: ListOptions): Promise<Look<Listed>>
  get (resource: string, namespace: string | undefined, name: string, options?: { signal?: AbortSignal }): Promise<Look<KubeObject>>
  /** Streams a container's log. What came before a cut is kept and `cut` says why. */
  log (query: LogQuery, onChunk: (chunk: Buffer) => void, options?: LogOptions): Promise<Look<LogRead>>
  /** One watch connection; resolves when it ends. The caller lists first and starts again. */
  watch (resource: string, options: WatchOptions, handlers: WatchHandlers): Promise<Look<{ ended: 'closed' | 'expired' }>>
  /** `v1.34.2` */
  version (options?: { signal?: AbortSignal }): Promise<Look<string>>
  /** By how much our clock is ahead of the API server's, as its newest answer shows; negative: behind. 0 when they agree, or nothing answered. */
  clockAhead (): Millis
  close (): Promise<void>
}

/** The cluster of the kubeconfig (path or text), else our own, else undefined. Throws when a given kubeconfig is unusable. */
export function openKubernetes (settings: { kubeconfig?: string }, { route = direct, clock }: { route?: Route, clock: Clock }): KubernetesClient | undefined {
  const credentials = findCredentials(settings.kubeconfig)
  if (credentials === undefined) return undefined
  return kubernetesClient(openTransport(credentials, route, clock))
}

function kubernetesClient (transport: Transport): KubernetesClient {
  /** The version of a group that this cluster serves, once known. */
  const served = new Map<string, string>()
  const discovery = openDiscovery(transport)

  /** Tries the versions of a group until one is not 404; the body is parsed JSON. */
  async function read (type: ResourceType, namespace: string | undefined, name: string | undefined, query: string, purpose: Purpose, signal?: AbortSignal): Promise<Look<Record<string, unknown>>> {
    const known = served.get(type.resource)
    let notFound = false
    for (const version of known === undefined ? await discovery.versionsOf(type) : [known]) {
      const answer = await transport.get(resourcePath(type, version, namespace, name) + query, { purpose, signal })
      if ('is' in answer) return answer
      if (answer.statusCode === 404) {
        const body = await answer.body.text().catch(() => '')
        // The object is missing, not the kind: asking another version would find nothing either.
        if (name !== undefined && body.includes(`"${name}" not found`)) return absent
        notFound = true
        continue
      }
      if (answer.statusCode === 410) { await answer.body.dump().catch(() => {}); return unavailable(`the list expired while it was read (${purpose.what})`) }
      if (answer.statusCode < 200 || answer.statusCode > 299) return refusal(answer, purpose)
      try {
        const body: unknown = JSON.parse(await answer.body.text())
        if (!isRecord(body)) return unavailable(`the Kubernetes API answered something that is no object (${purpose.what})`)
        served.set(type.resource, version)
        return seen(body)
      } catch (error) {
        if (error instanceof SyntaxError) return unavailable(`the Kubernetes API answered something that is not JSON (${purpose.what})`)
        return unavailable(connectionReason(error, purpose.what, signal))
      }
    }
    if (notFound && name === undefined) { served.delete(type.resource); discovery.isMissing(type) }
    return absent
  }

  return {
    async list (resource, options = {}) {
      const type = resourceType(resource)
      const { namespace, pageSize = 500, maxItems = 5_000, signal } = options
      const badName = wrongNames(namespace)
      if (badName !== undefined) return badName
      const purpose: Purpose = { group: type.group, resource: type.plural, verbs: ['get', 'list', 'watch'], what: `list ${resource}${namespace === undefined ? '' : ` in ${namespace}`}` }
      const items: KubeObject[] = []
      let { from } = options
      let resourceVersion: string | undefined
      do {
        const query = new URLSearchParams({ limit: String(Math.min(pageSize, maxItems)) })
        if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector)
        if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector)
        if (from !== undefined) query.set('continue', from)
        const page = await read(type, namespace, undefined, `?${query}`, purpose, signal)
        // A page that fails after others came: those are still worth having.
        if (page.is !== 'seen') return items.length > 0 ? seen({ items, truncated: true, resourceVersion }) : page
        const metadata = isRecord(page.value.metadata) ? page.value.metadata : {}
        if (typeof metadata.resourceVersion === 'string') resourceVersion = metadata.resourceVersion
        if (page.value.items !== undefined && page.value.items !== null && !Array.isArray(page.value.items)) return unavailable(`the Kubernetes API answered a malformed list (${purpose.what})`)
        const apiVersion = typeof page.value.apiVersion === 'string' ? page.value.apiVersion : `${type.group}/${type.versions[0]}`
        for (const raw of (page.value.items ?? []) as unknown[]) {
          const object = normalizeObject(raw, type.kind, apiVersion)
          if (object !== undefined) items.push(object)
        }
        from = typeof metadata.continue === 'string' && metadata.continue !== '' ? metadata.continue : undefined
      } while (from !== undefined && items.length < maxItems)
      return seen({ items, truncated: from !== undefined, next: from, resourceVersion })
    },

    async get (resource, namespace, name, { signal } = {}) {
      const type = resourceType(resource)
      const badName = wrongNames(namespace, name)
      if (badName !== undefined) return badName
      const purpose: Purpose = { group: type.group, resource: type.plural, verbs: ['get', 'list', 'watch'], what: `get ${resource} ${namespace === undefined ? '' : `${namespace}/`}${name}` }
      const found = await read(type, namespace, name, '', purpose, signal)
      if (found.is !== 'seen') return found
      const object = normalizeObject(found.value, type.kind, type.group === '' ? 'v1' : `${type.group}/${type.versions[0]}`)
      return object === undefined ? unavailable(`the Kubernetes API answered a malformed object (${purpose.what})`) : seen(object)
    },

    async log (query, onChunk, options = {}) {
      return wrongNames(query.namespace, query.pod) ?? readLog(transport, query, onChunk, options)
    },

    async watch (resource, options, handlers) {
      const type = resourceType(resource)
      return wrongNames(options.namespace) ?? watchResource(transport, type, served.get(resource) ?? type.versions[0]!, options, handlers)
    },

    async version ({ signal } = {}) {
      const purpose: Purpose = { group: '', resource: 'version', verbs: ['get'], what: 'get /version' }
      const answer = await transport.get('/version', { purpose, signal })
      if ('is' in answer) return answer
      if (answer.statusCode !== 200) return refusal(answer, purpose)
      try {
        const body: unknown = JSON.parse(await answer.body.text())
        return isRecord(body) && typeof body.gitVersion === 'string' ? seen(body.gitVersion) : absent
      } catch { return unavailable('the Kubernetes API answered /version with something that is not JSON') }
    },

    clockAhead: () => transport.clockAhead(),
    close: () => transport.close()
  }
}

/** Names come from labels: what cannot be a name is not sent anywhere. */
function wrongNames (namespace?: string, name?: string): Look<never> | undefined {
  if (namespace !== undefined && !isNamespaceName(namespace)) return unavailable(`"${shorten(namespace)}" cannot be the name of a namespace`)
  if (name !== undefined && !isObjectName(name)) return unavailable(`"${shorten(name)}" cannot be the name of an object`)
  return undefined
}

const shorten = (text: string): string => text.length > 60 ? `${text.slice(0, 60)}…` : text
