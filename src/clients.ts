import type { Config } from './shared/config/config.ts'
import type { EventWriter } from './shared/clients/kubernetes-events.ts'
import { direct } from './shared/clients/route.ts'
import type { Clock } from './shared/types/common.ts'
import type { LookClients } from './investigate.ts'

export interface OpenedClients extends LookClients {
  /** Only when `kubernetes.certificateEvents` asks for it. */
  events?: EventWriter
  /** Why there is no cluster although one was configured. */
  unavailable?: unknown
  close (): Promise<void>
}

/** Opens what production looks through. A kubeconfig that cannot be used costs the cluster, not the service. */
export async function openClients (config: Config, clock: Clock): Promise<OpenedClients> {
  const [cluster, { shareLooks }, { buildOutsideClients }] = await Promise.all([openCluster(config, clock), import('./shared/clients/kubernetes-share.ts'), import('./collect/outside-clients.ts')])
  const { kubernetes } = cluster
  return { ...cluster, kubernetes: kubernetes && shareLooks(kubernetes, clock), outside: buildOutsideClients(config.probes, { route: direct, clock }) }
}

/** The cluster alone. */
export async function openCluster (config: Config, clock: Clock): Promise<Omit<OpenedClients, 'outside'>> {
  // Heavy, and not needed to print a help text.
  const { openKubernetes } = await import('./shared/clients/kubernetes.ts')
  const { kubeconfig, certificateEvents } = config.kubernetes
  try {
    const kubernetes = openKubernetes({ kubeconfig }, { clock })
    const events = certificateEvents ? (await import('./shared/clients/kubernetes-events.ts')).openEventWriter({ kubeconfig }, { clock }) : undefined
    return { kubernetes, ...(events === undefined ? {} : { events }), close: async () => { await kubernetes?.close() } }
  } catch (error) {
    return { unavailable: error, close: async () => {} }
  }
}
