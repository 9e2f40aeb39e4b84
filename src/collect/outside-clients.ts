import { getServers } from 'node:dns'
import { LRUCache } from 'lru-cache'
import type { Config } from '../shared/config/config.ts'
import type { AcmeClientOptions } from '../shared/clients/acme.ts'
import { buildDnsClient } from '../shared/clients/dns.ts'
import type { DnsClient } from '../shared/clients/dns.ts'
import { postDnsMessage } from '../shared/clients/dns-over-https.ts'
import { buildGuard } from '../shared/clients/guard.ts'
import type { Guard } from '../shared/clients/guard.ts'
import type { HttpProbeOptions } from '../shared/clients/http-probe.ts'
import { trustContext } from '../shared/clients/http-probe-connect.ts'
import { buildOutsideProbe } from '../shared/clients/outside-probe.ts'
import type { OutsideProbe } from '../shared/clients/outside-probe.ts'
import type { Route } from '../shared/clients/route.ts'
import type { Clock } from '../shared/types/common.ts'

/** Milliseconds. Replay sets short ones, because its silent servers stay silent. */
interface OutsideTimeouts {
  /** One try of one DNS question; there are two. */
  dns: number
  connect: number
  /** One HTTP hop altogether. */
  hop: number
  acme: number
  /** A whole question to an outside probe. */
  probe: number
}

export interface OutsideClientsOptions {
  route: Route
  clock: Clock
  timeouts?: Partial<OutsideTimeouts>
  /** PEM of an authority that is trusted beside the machine's roots (replay's world). */
  trust?: string
  /** Replay: documentation addresses stand for public ones. */
  documentationIsPublic?: boolean
  /** Probes beside the configured ones: replay's recorded vantages. */
  moreProbes?: OutsideProbe[]
}

/** Everything that may open a socket to the outside, ready to use; made once and shared by all incidents. */
export interface OutsideClients {
  enabled: boolean
  clock: Clock
  dns: DnsClient
  http: HttpProbeOptions
  guard: Guard
  clusterResolvers: string[]
  publicResolvers: string[]
  dohResolvers: string[]
  probes: OutsideProbe[]
  acme (server: string, caBundle: string | undefined, skipTlsVerify: boolean): AcmeClientOptions
  /** Looks of the last `interval` milliseconds: a second round for the same name reads them instead. */
  recent: LRUCache<string, { at: number, look: Promise<unknown> }>
  interval: number
}

const usual: OutsideTimeouts = { dns: 1200, connect: 3000, hop: 4000, acme: 4000, probe: 4500 }

/** Builds the clients from `config.probes`. No cluster resolver configured: the pod's own (/etc/resolv.conf). */
export function buildOutsideClients (probes: Config['probes'], options: OutsideClientsOptions): OutsideClients {
  const { route, clock, trust } = options
  const timeouts = { ...usual, ...options.timeouts }
  const context = trustContext(trust)
  const userAgent = `acme-triage/0.1 (ACME failure diagnosis; ${printable(probes.contact) || 'no contact configured'})`
  return {
    enabled: probes.enabled,
    clock,
    dns: buildDnsClient({ route, timeout: timeouts.dns, tries: 2, overHttps: (url, message, signal) => postDnsMessage({ route, context, userAgent }, url, message, signal) }),
    http: { route, context, connectTimeout: timeouts.connect, hopTimeout: timeouts.hop, userAgent },
    guard: buildGuard({ allow: probes.allow, documentationIsPublic: options.documentationIsPublic }),
    clusterResolvers: probes.clusterResolvers.length > 0 ? probes.clusterResolvers : getServers(),
    publicResolvers: probes.publicResolvers,
    dohResolvers: probes.dohResolvers,
    probes: [
      ...probes.outside.map(({ name, url, token, ca }) => buildOutsideProbe({ name, url, token, route, context: trustContext(trust, ca), timeout: timeouts.probe, userAgent })),
      ...options.moreProbes ?? []
    ],
    acme: (server, caBundle, skipTlsVerify) => ({ route, clock, timeout: timeouts.acme, context: trustContext(trust, caBundle), server, skipTlsVerify, userAgent }),
    recent: new LRUCache({ max: 20_000 }),
    interval: probes.interval
  }
}

/** The contact comes from the operator's YAML and goes into a header. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '').slice(0, 200)
