import { Agent, ProxyAgent, buildConnector, request } from 'undici'
import type { Dispatcher } from 'undici'
import type { Clock, Millis, Unavailable } from '../types/common.ts'
import { unavailable } from '../types/common.ts'
import { isRecord } from './kubernetes-objects.ts'
import type { Credentials, TlsMaterial } from './kubernetes-credentials.ts'
import { roleRule } from './kubernetes-resources.ts'
import type { Route } from './route.ts'
import { clockDifference } from './server-date.ts'

/** An answer of the API whose body has not been read. */
export type Answer = Dispatcher.ResponseData
/** What a request was for, so that a refusal can name the missing rule. */
export interface Purpose { group: string, resource: string, verbs: string[], what: string }

/** GETs to one API server over few, kept connections. */
export interface Transport {
  /** Never throws: a failed connection is an Unavailable. The body must be consumed or dumped. */
  get (path: string, options: { purpose: Purpose, signal?: AbortSignal, stream?: boolean }): Promise<Answer | Unavailable>
  /** By how much `clock` is ahead of the API server's, by the newest answer's Date header; negative: behind. 0 when they agree, or nothing answered. */
  clockAhead (): Millis
  close (): Promise<void>
}

const silentMillis = 15_000
/** The first questions of a look go out side by side, so that a slow API costs one wait and not two. */
const mostConnections = 32
const retryWaits = [100, 300]

/** One request over connections that are kept until the TLS material changes; client-node opens a new Agent for each. Throws what the connection throws. */
export interface Connections {
  send (path: string, options: { method: 'GET' | 'POST', accept: string, body?: string, stream?: boolean, signal?: AbortSignal }): Promise<Answer>
  close (): Promise<void>
}

/** Connections to the API server of these credentials. */
export function openConnections (credentials: Credentials, route: Route): Connections {
  let agent: { key: string, dispatcher: Dispatcher } | undefined
  const retired: Dispatcher[] = []

  function dispatcherFor (tls: TlsMaterial): Dispatcher {
    const key = JSON.stringify([tls, credentials.proxy])
    if (agent?.key === key) return agent.dispatcher
    if (agent !== undefined) { void agent.dispatcher.close().catch(() => {}); retired.push(agent.dispatcher) }
    const material = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined))
    const timeouts = { headersTimeout: silentMillis, bodyTimeout: 60_000, keepAliveTimeout: 30_000, connections: mostConnections }
    const dispatcher = credentials.proxy === undefined
      ? new Agent({ ...timeouts, connect: routed(buildConnector({ ...material, timeout: 10_000 }), route) })
      : new ProxyAgent({ ...timeouts, uri: credentials.proxy, requestTls: material })
    agent = { key, dispatcher }
    return dispatcher
  }

  return {
    async send (path, { method, accept, body, stream = false, signal }) {
      const { headers, tls } = await credentials.current()
      return request(credentials.server + path, {
        method, dispatcher: dispatcherFor(tls), signal, headers: { ...headers, accept, 'user-agent': 'acme-triage', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body }), ...(stream ? { bodyTimeout: 300_000 } : {})
      })
    },
    async close () {
      await Promise.all([agent?.dispatcher, ...retired].map(dispatcher => dispatcher?.destroy().catch(() => {})))
    }
  }
}

/** Reads, with a second and third try when the API is out of breath. */
export function openTransport (credentials: Credentials, route: Route, clock: Clock): Transport {
  const connections = openConnections(credentials, route)
  let ahead: Millis = 0

  return {
    async get (path, { purpose, signal, stream = false }) {
      try {
        for (let attempt = 0; ; attempt++) {
          const asked = clock.now()
          const answer = await connections.send(path, { method: 'GET', accept: stream ? '*/*' : 'application/json', stream, signal })
          ahead = clockDifference(answer.headers.date, asked, clock.now()) ?? ahead
          const wait = retryWaits[attempt]
          if (wait === undefined || ![429, 502, 503, 504].includes(answer.statusCode)) return answer
          const patience = Number(answer.headers['retry-after'] ?? 0) * 1000
          // An API that asks for more patience than a diagnosis has is an API that did not answer.
          if (patience > 1000) return answer
          await answer.body.dump({ limit: 65_536, signal }).catch(() => {})
          await pause(Math.max(wait, patience), signal)
        }
      } catch (error) {
        return unavailable(connectionReason(error, purpose.what, signal))
      }
    },
    clockAhead: () => ahead,
    close: () => connections.close()
  }
}

function routed (connect: buildConnector.connector, route: Route): buildConnector.connector {
  return (options, callback) => {
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80))
    const destination = route(options.hostname, port)
    if ('fails' in destination) { callback(new Error(`connection ${destination.fails}`), null); return }
    const changed = destination.host !== options.hostname || destination.port !== port
    connect(changed ? { ...options, hostname: destination.host, host: destination.host, port: String(destination.port), servername: options.servername ?? options.hostname } : options, callback)
  }
}

const pause = (ms: number, signal?: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
  const timer = setTimeout(done, ms)
  function done (): void { signal?.removeEventListener('abort', stop); resolve() }
  function stop (): void { clearTimeout(timer); reject(signal?.reason instanceof Error ? signal.reason : new Error('stopped')) }
  if (signal?.aborted) stop()
  else signal?.addEventListener('abort', stop, { once: true })
})

/** Why no usable answer came, for people. */
export function connectionReason (error: unknown, what: string, signal?: AbortSignal): string {
  if (signal?.aborted) return `the Kubernetes API did not answer in time (${what})`
  const code = isRecord(error) && typeof error.code === 'string' ? error.code : undefined
  const message = error instanceof Error ? error.message : String(error)
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT') return `the Kubernetes API did not answer in time (${what})`
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || message === 'terminated') return `the connection to the Kubernetes API was cut (${what})`
  const cause = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0].message : message
  return `the Kubernetes API cannot be reached: ${cause || code || 'unknown error'}`
}

/** An answer that is not 2xx, read to its end and put into words. 404 is the caller's business. */
export async function refusal (answer: Answer, purpose: Purpose): Promise<Unavailable> {
  const body = await answer.body.text().catch(() => '')
  const message = statusMessage(body)
  switch (answer.statusCode) {
    case 401: return unavailable(`the Kubernetes API refused our credentials: ${message ?? '401 Unauthorized'}`, 'Check the ServiceAccount token or the kubeconfig of acme-triage')
    case 403: return unavailable(message ?? `403 Forbidden (${purpose.what})`, roleRule(purpose.group, purpose.resource, purpose.verbs))
    case 429: return unavailable(`the Kubernetes API is throttling us: ${message ?? '429 Too Many Requests'} (${purpose.what})`)
    default: return unavailable(`the Kubernetes API answered ${answer.statusCode}${message === undefined ? '' : `: ${message}`} (${purpose.what})`)
  }
}

/** The message of a Status body; HTML pages of proxies and other foreign bodies give undefined. */
function statusMessage (body: string): string | undefined {
  try {
    const status: unknown = JSON.parse(body)
    if (isRecord(status) && typeof status.message === 'string' && status.message !== '') return status.message.slice(0, 1000)
  } catch { /* not a Status */ }
  return undefined
}
