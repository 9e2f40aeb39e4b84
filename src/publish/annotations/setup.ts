import { alertmanagerClient } from '../../shared/clients/alertmanager.ts'
import { prometheusSetup, type PrometheusSetup } from '../../shared/clients/prometheus.ts'
import type { Route } from '../../shared/clients/route.ts'
import type { Config } from '../../shared/config/config.ts'
import { alertName } from './sent-alert.ts'

/** How one configured Alertmanager answered. */
export interface PeerSetup {
  url: string
  /** Its own name in the cluster; '' when it has none. */
  name: string
  version: string
  /** Members of its cluster, itself among them. */
  peers: number
  /** Why it cannot be read. */
  unreadable?: { error: string, status?: number }
  /** Why nothing can be posted to it. */
  closed?: string
}

/** Everything that the choice of a write-back mode depends on. */
export interface Setup {
  mode: Config['alertmanager']['mode']
  poll: number
  /** One URL stands for all peers: Mimir, Cortex. */
  tenant: boolean
  peers: PeerSetup[]
  /** Undefined: nobody said where it is. */
  prometheus?: { ok: true, value: PrometheusSetup } | { ok: false, error: string }
  /** host:port under which Prometheus finds this service. */
  own: string
  /** Several replicas can share one store. */
  replicas: boolean
}

/** Looks at both sides. Reads, but for one post of no alerts, which tells whether posts are taken and changes nothing. */
export async function lookAtSetup (config: Config, { prometheusUrl, route }: { prometheusUrl?: string, route: Route }): Promise<Setup> {
  const { mode, poll, headers, urls } = config.alertmanager
  const own = new URL(config.publicUrl).host
  const [peers, prometheus] = await Promise.all([Promise.all(urls.map(url => lookAtPeer(url, config, route))), prometheusUrl === undefined ? undefined : prometheusSetup(prometheusUrl, route, { alertName, own })])
  return {
    mode, poll, peers, own, replicas: config.databaseUrl !== undefined,
    tenant: Object.keys(headers).some(name => name.toLowerCase() === 'x-scope-orgid'),
    ...(prometheus === undefined ? {} : { prometheus })
  }
}

async function lookAtPeer (url: string, { alertmanager: { bearer, basic, ca, headers } }: Config, route: Route): Promise<PeerSetup> {
  const unknown = { url, name: '', version: '', peers: 0 }
  if (/\/\/aps-workspaces\.[^/]*amazonaws\.com/.test(url)) return { ...unknown, closed: 'Amazon Managed Service for Prometheus wants each request signed (SigV4)' }
  const client = alertmanagerClient({ url, route, clock: { now: Date.now }, headers, ...(bearer === undefined ? {} : { bearer }), ...(basic === undefined ? {} : { basic }), ...(ca === undefined ? {} : { ca }) })
  try {
    const status = await client.status()
    if (!status.ok) return { ...unknown, unreadable: { error: status.error, ...(status.status === undefined ? {} : { status: status.status }) } }
    const { version, name, peers } = status.value
    const seen = { url, name, version, peers }
    if (url.includes('/api/alertmanager/grafana')) return { ...seen, closed: 'Grafana\'s own Alertmanager takes no alerts from outside' }
    const post = await client.post([])
    // 400 and 422 come from the Alertmanager itself: an empty list is not to every one's taste.
    return post.ok || post.status === 400 || post.status === 422 ? seen : { ...seen, closed: `it takes no posts: ${post.error}` }
  } finally {
    await client.close()
  }
}
