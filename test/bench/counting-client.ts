import { openKubernetes, type KubernetesClient } from '../../src/shared/clients/kubernetes.ts'
import { shareLooks } from '../../src/shared/clients/kubernetes-share.ts'
import type { Clock } from '../../src/shared/types/common.ts'

export interface CountingClient {
  kubernetes: KubernetesClient
  asked (): { calls: number, listBytes: number, logBytes: number }
  reset (): void
  close (): Promise<void>
}

/** Production's shared client, with every question that reaches the API counted. Sizes of lists are those of their JSON. */
export function kubernetesClient (kubeconfig: string, clock: Clock): CountingClient {
  const client = openKubernetes({ kubeconfig }, { clock })!
  let [calls, listBytes, logBytes] = [0, 0, 0]
  const counted: KubernetesClient = {
    ...client,
    async list (resource, options) {
      const look = await client.list(resource, options)
      calls += look.is === 'seen' ? Math.max(1, Math.ceil(look.value.items.length / (options?.pageSize ?? 500))) : 1
      if (look.is === 'seen') for (const item of look.value.items) listBytes += JSON.stringify(item).length
      return look
    },
    get (resource, namespace, name, options) {
      calls++
      return client.get(resource, namespace, name, options)
    },
    async log (query, onChunk, options) {
      calls++
      return client.log(query, chunk => {
        logBytes += chunk.length
        onChunk(chunk)
      }, options)
    },
    version (options) {
      calls++
      return client.version(options)
    }
  }
  // Time passes for what is shared, while the cluster's own clock stands still.
  const began = performance.now()
  return {
    kubernetes: shareLooks(counted, { now: () => clock.now() + performance.now() - began }),
    asked: () => ({ calls, listBytes, logBytes }),
    reset () { [calls, listBytes, logBytes] = [0, 0, 0] },
    close: () => client.close()
  }
}
