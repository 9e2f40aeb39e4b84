import type { Clock, Look, Millis } from '../types/common.ts'
import type { KubernetesClient, Listed } from './kubernetes.ts'
import { shareLogs } from './kubernetes-share-logs.ts'
import { orAborted } from './or-aborted.ts'

const giveUp = 15_000

/**
 * Many incidents at once ask for the same cluster-wide lists and logs: one request serves all that ask
 * within `keep` milliseconds. Objects are shared, so callers copy before they change anything.
 */
export function shareLooks (client: KubernetesClient, clock: Clock, keep: Millis = 2_000): KubernetesClient {
  const kept = new Map<string, { until: Millis, look: Promise<Look<unknown>> }>()

  async function shared<T> (key: string, signal: AbortSignal | undefined, look: (signal: AbortSignal) => Promise<Look<T>>): Promise<Look<T>> {
    const now = clock.now()
    for (const [other, { until }] of kept) if (until <= now) kept.delete(other)
    let entry = kept.get(key)
    if (entry === undefined) {
      // Not the caller's signal: others may still be waiting when its deadline comes.
      const made = look(AbortSignal.timeout(giveUp))
      entry = { until: Infinity, look: made }
      kept.set(key, entry)
      const own = entry
      void made.then(({ is }) => { if (is === 'unavailable') kept.delete(key); else own.until = clock.now() + keep })
    }
    return orAborted(entry.look as Promise<Look<T>>, signal, key)
  }

  return {
    ...client,
    list: (resource, options = {}) => {
      const { signal, ...question } = options
      return shared<Listed>(`list ${resource} ${JSON.stringify(question)}`, signal, own => client.list(resource, { ...question, signal: own }))
    },
    get: (resource, namespace, name, { signal } = {}) => shared(`get ${resource} ${namespace ?? ''}/${name}`, signal, own => client.get(resource, namespace, name, { signal: own })),
    log: shareLogs(client.log, clock, keep),
    version: ({ signal } = {}) => shared('version', signal, own => client.version({ signal: own }))
  }
}
