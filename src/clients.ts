import type { Config } from './shared/config/config.ts'
import { direct } from './shared/clients/route.ts'
import type { Log } from './shared/log.ts'
import type { Clock } from './shared/types/common.ts'
import type { LookClients } from './investigate.ts'

export interface OpenedClients extends LookClients {
  /** Why there is no cluster although one was configured. */
  unavailable?: unknown
  close (): Promise<void>
}

/** Opens what production looks through. A kubeconfig that cannot be used costs the cluster, not the service. */
export async function openClients (config: Config, clock: Clock, log: Log): Promise<OpenedClients> {
  // Each of them is heavy, and neither is needed to print a help text.
  const [{ openKubernetes }, { shareLooks }, { buildOutsideClients }] = await Promise.all([
    import('./shared/clients/kubernetes.ts'), import('./shared/clients/kubernetes-share.ts'), import('./collect/outside-clients.ts')
  ])
  const outside = buildOutsideClients(config.probes, { route: direct, clock })
  try {
    const kubernetes = openKubernetes({ kubeconfig: config.kubernetes.kubeconfig })
    return { kubernetes: kubernetes && shareLooks(kubernetes, clock), outside, close: async () => { await kubernetes?.close() } }
  } catch (error) {
    log.error({ err: error }, 'the kubeconfig cannot be used')
    return { outside, unavailable: error, close: async () => {} }
  }
}
