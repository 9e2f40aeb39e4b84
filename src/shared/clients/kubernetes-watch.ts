import type { Look } from '../types/common.ts'
import { seen, unavailable } from '../types/common.ts'
import type { KubeObject } from '../types/kubernetes.ts'
import { isRecord, normalizeObject } from './kubernetes-objects.ts'
import { resourcePath, type ResourceType } from './kubernetes-resources.ts'
import { connectionReason, refusal, type Purpose, type Transport } from './kubernetes-transport.ts'

export interface WatchOptions { namespace?: string, resourceVersion?: string, timeoutSeconds?: number, signal?: AbortSignal }
export interface WatchHandlers {
  /** `bookmark` carries no object but moves `resourceVersion` on. */
  event (type: 'added' | 'modified' | 'deleted', object: KubeObject): void
  /** The version to go on from. */
  progress? (resourceVersion: string): void
}

const longestLine = 4_000_000

/** `expired`: the version is too old (410), list again. `closed`: go on from the last version. */
export async function watchResource (transport: Transport, type: ResourceType, version: string, options: WatchOptions, handlers: WatchHandlers): Promise<Look<{ ended: 'closed' | 'expired' }>> {
  const { signal } = options
  const query = new URLSearchParams({ watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(options.timeoutSeconds ?? 240) })
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion)
  const purpose: Purpose = { group: type.group, resource: type.plural, verbs: ['get', 'list', 'watch'], what: `watch ${type.resource}` }
  const answer = await transport.get(`${resourcePath(type, version, options.namespace)}?${query}`, { purpose, signal, stream: true })
  if ('is' in answer) return answer
  if (answer.statusCode === 410) { await answer.body.dump().catch(() => {}); return seen({ ended: 'expired' }) }
  if (answer.statusCode !== 200) return refusal(answer, purpose)

  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      rest += decoder.decode(chunk, { stream: true })
      let end = rest.indexOf('\n')
      while (end !== -1) {
        const line = rest.slice(0, end)
        rest = rest.slice(end + 1)
        if (line !== '' && handle(line, type, version, handlers) === 'expired') { answer.body.destroy(); return seen({ ended: 'expired' }) }
        end = rest.indexOf('\n')
      }
      if (rest.length > longestLine) { answer.body.destroy(); return unavailable(`an event of ${type.resource} is larger than ${longestLine / 1e6} MB`) }
    }
    return seen({ ended: 'closed' })
  } catch (error) {
    answer.body.destroy()
    return unavailable(connectionReason(error, purpose.what, signal))
  }
}

function handle (line: string, type: ResourceType, version: string, handlers: WatchHandlers): 'expired' | undefined {
  let event: unknown
  try { event = JSON.parse(line) } catch { return undefined }
  if (!isRecord(event) || !isRecord(event.object)) return undefined
  if (event.type === 'ERROR') return 'expired'
  const metadata = isRecord(event.object.metadata) ? event.object.metadata : {}
  const resourceVersion = typeof metadata.resourceVersion === 'string' ? metadata.resourceVersion : undefined
  const kind = event.type === 'ADDED' ? 'added' : event.type === 'MODIFIED' ? 'modified' : event.type === 'DELETED' ? 'deleted' : undefined
  if (kind !== undefined) {
    const object = normalizeObject(event.object, type.kind, type.group === '' ? version : `${type.group}/${version}`)
    if (object !== undefined) handlers.event(kind, object)
  }
  if (resourceVersion !== undefined) handlers.progress?.(resourceVersion)
  return undefined
}
