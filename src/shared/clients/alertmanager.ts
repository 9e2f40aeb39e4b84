import { readFileSync } from 'node:fs'
import { fetch, type Response } from 'undici'
import { reasonOf } from '../errors.ts'
import type { Clock, Millis } from '../types/common.ts'
import type { Route } from './route.ts'
import { routedAgent } from './routed-agent.ts'
import { clockDifference } from './server-date.ts'

/** One alert as `GET /api/v2/alerts` shows it. Times stay the texts they are: they are sent back unchanged. */
export interface LiveAlert {
  fingerprint: string
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  endsAt: string
  updatedAt: string
  generatorURL: string
  state: string
}

/** What is posted to `/api/v2/alerts`. */
export interface PostedAlert {
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  endsAt: string
  generatorURL?: string
}

type AlertmanagerAnswer<T> = { ok: true, value: T } | { ok: false, status?: number, error: string }

export interface AlertmanagerClient {
  readonly url: string
  /** The peer's time, by the newest answer's Date: whether an alert has ended is for its clock to say. Ours where it never answered. */
  now (): Millis
  alerts (filters: string[]): Promise<AlertmanagerAnswer<LiveAlert[]>>
  post (alerts: PostedAlert[]): Promise<AlertmanagerAnswer<void>>
  /** Posts a body byte for byte. */
  forward (path: string, body: Buffer | string, headers: Record<string, string>, timeout?: Millis): Promise<AlertmanagerAnswer<{ status: number, body: string }>>
  /** `name` tells peers apart. */
  status (): Promise<AlertmanagerAnswer<{ version: string, cluster: string, name: string, peers: number }>>
  close (): Promise<void>
}

export interface AlertmanagerOptions {
  url: string
  route: Route
  clock: Clock
  bearer?: string
  basic?: { user: string, password: string }
  headers?: Record<string, string>
  /** File with the CA, or the PEM itself. */
  ca?: string
  timeout?: Millis
}

/** Marks posts of ours, so that a relay that is its own upstream notices. */
export const hopHeader = 'x-acme-triage-hop'

/** One Alertmanager peer (or Mimir tenant). The path of the URL is the prefix of the API. */
export function alertmanagerClient ({ url, route, clock, bearer, basic, headers = {}, ca, timeout = 5_000 }: AlertmanagerOptions): AlertmanagerClient {
  const base = url.replace(/\/+$/, '').replace(/\/api\/v2$/, '')
  const agent = routedAgent(route, { headersTimeout: timeout, bodyTimeout: timeout, ...(ca === undefined ? {} : { ca: ca.includes('-----BEGIN') ? ca : readFileSync(ca, 'utf8') }) })
  const common: Record<string, string> = {
    ...headers,
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(basic === undefined ? {} : { authorization: `Basic ${Buffer.from(`${basic.user}:${basic.password}`).toString('base64')}` })
  }

  let ahead: Millis = 0

  async function call<T> (path: string, init: { method: 'GET' | 'POST', body?: Buffer | string, headers?: Record<string, string>, timeout?: Millis }, read: (response: Response) => Promise<T>): Promise<AlertmanagerAnswer<T>> {
    try {
      const asked = clock.now()
      const response = await fetch(`${base}${path}`, {
        method: init.method, ...(init.body === undefined ? {} : { body: init.body }), headers: { ...common, ...init.headers }, redirect: 'manual', dispatcher: agent, signal: AbortSignal.timeout(init.timeout ?? timeout)
      })
      ahead = clockDifference(response.headers.get('date'), asked, clock.now()) ?? ahead
      if (!response.ok) return { ok: false, status: response.status, error: `HTTP ${response.status}: ${(await response.text()).slice(0, 300)}` }
      return { ok: true, value: await read(response) }
    } catch (error) {
      return { ok: false, error: reasonOf(error) }
    }
  }

  return {
    url: base,
    now: () => clock.now() - ahead,
    alerts: filters => call(`/api/v2/alerts?${new URLSearchParams([['active', 'true'], ['silenced', 'true'], ['inhibited', 'true'], ['unprocessed', 'true'], ...filters.map((filter): [string, string] => ['filter', filter])])}`, { method: 'GET' }, async response => {
      const list = await response.json()
      if (!Array.isArray(list)) throw new Error('the answer is not a list of alerts')
      return list.flatMap(liveAlert)
    }),
    post: alerts => call('/api/v2/alerts', { method: 'POST', body: JSON.stringify(alerts), headers: { 'content-type': 'application/json', [hopHeader]: '1' } }, async response => { await response.body?.cancel() }),
    forward: (path, body, forwarded, limit) => call(path, { method: 'POST', body, headers: forwarded, ...(limit === undefined ? {} : { timeout: limit }) }, async response => ({ status: response.status, body: (await response.text()).slice(0, 2_000) })),
    status: () => call('/api/v2/status', { method: 'GET' }, async response => {
      const value = await response.json() as { versionInfo?: { version?: string }, cluster?: { status?: string, name?: string, peers?: unknown[] } }
      return { version: value.versionInfo?.version ?? '', cluster: value.cluster?.status ?? '', name: value.cluster?.name ?? '', peers: value.cluster?.peers?.length ?? 0 }
    }),
    close: () => agent.destroy()
  }
}

function liveAlert (value: unknown): LiveAlert[] {
  if (typeof value !== 'object' || value === null) return []
  const { fingerprint, labels, annotations, startsAt, endsAt, updatedAt, generatorURL, status } = value as Record<string, unknown>
  if (typeof fingerprint !== 'string' || typeof labels !== 'object' || labels === null || typeof startsAt !== 'string' || typeof endsAt !== 'string') return []
  return [{
    fingerprint, labels: labels as Record<string, string>, annotations: (annotations ?? {}) as Record<string, string>, startsAt, endsAt,
    updatedAt: typeof updatedAt === 'string' ? updatedAt : '', generatorURL: typeof generatorURL === 'string' ? generatorURL : '',
    state: String((status as { state?: unknown } | undefined)?.state ?? '')
  }]
}
