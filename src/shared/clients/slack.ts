import { readFile } from 'node:fs/promises'
import type { WebClient, WebAPICallResult } from '@slack/web-api'
import { fetch as undiciFetch, Response as UndiciResponse, type Agent } from 'undici'
import type { Millis } from '../types/common.ts'
import type { Route } from './route.ts'
import { neverSent, routedAgent } from './routed-agent.ts'

/** What one call to Slack came to. Nothing is thrown: a failure is an answer too. */
type SlackReply<T = Record<string, unknown>> =
  | { ok: true, data: T, scopes: string[] }
  | SlackRefusal

export interface SlackRefusal {
  ok: false
  /** Slack's own word, or ours for what never got that far: `timeout`, `not_connected`, `reset`, `http_503`. */
  error: string
  status?: number
  retryAfter?: Millis
  /** Slack answered, so nothing of the call is still under way. */
  answered: boolean
  /** The connection was never made. */
  neverSent: boolean
  /** JSON pointers of refused blocks, or the scope that is missing. */
  details: string[]
}

export interface SlackClientOptions {
  token?: string
  tokenFile?: string
  /** Base of the Web API. */
  apiUrl: string
  route: Route
  timeout?: Millis
}

export interface SlackClient {
  call<T = Record<string, unknown>> (method: string, args: Record<string, unknown>): Promise<SlackReply<T>>
  upload (args: { channel: string, threadTs?: string, filename: string, title: string, altText: string, data: Buffer, comment?: string }): Promise<SlackReply>
  /** Posts JSON to a URL that stands for itself: an incoming webhook or a response_url. */
  hook (url: string, body: unknown): Promise<SlackReply<{ text: string }>>
  /** Reads the token file again; true when another token was in it. */
  refresh (): Promise<boolean>
  readonly hasToken: boolean
  close (): Promise<void>
}

const quiet = { debug () {}, info () {}, warn () {}, error () {}, setLevel () {}, getLevel: () => 'error' as never, setName () {} }
/** A 429 that does not say how long. */
const defaultRetryAfter = 30

/**
 * Slack's Web API with its own retries off: whoever retries must know whether the message may
 * stand already, and only the outbox does. The library is loaded at the first call.
 */
export function slackClient (options: SlackClientOptions): SlackClient {
  const timeout = options.timeout ?? 10_000
  const agent = routedAgent(options.route, { connections: 16, headersTimeout: timeout, bodyTimeout: timeout })
  let token = options.token
  let client: WebClient | undefined

  async function webClient (): Promise<WebClient> {
    if (client !== undefined) return client
    if (token === undefined && options.tokenFile !== undefined) token = await readToken(options.tokenFile)
    const { WebClient } = await import('@slack/web-api')
    return client = new WebClient(token, {
      slackApiUrl: options.apiUrl.endsWith('/') ? options.apiUrl : `${options.apiUrl}/`,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      timeout,
      allowAbsoluteUrls: false,
      logger: quiet,
      fetch: (url, init) => fetchThrough(agent, String(url), init ?? {})
    })
  }

  async function attempt<T> (work: (client: WebClient) => Promise<WebAPICallResult>): Promise<SlackReply<T>> {
    try {
      const data = await work(await webClient())
      return { ok: true, data: data as T, scopes: data.response_metadata?.scopes ?? [] }
    } catch (error) {
      return refusalOf(error)
    }
  }

  return {
    call: (method, args) => attempt(web => web.apiCall(method, args)),
    upload: ({ channel, threadTs, filename, title, altText, data, comment }) => attempt(async web => await web.filesUploadV2({
      channel_id: channel, filename, title, alt_text: altText, file: data,
      ...(threadTs === undefined ? {} : { thread_ts: threadTs }), ...(comment === undefined ? {} : { initial_comment: comment })
    } as Parameters<WebClient['filesUploadV2']>[0]) as WebAPICallResult),
    async hook (url, body) {
      try {
        const response = await undiciFetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), redirect: 'error', dispatcher: agent, signal: AbortSignal.timeout(timeout) })
        const text = (await response.text()).slice(0, 2_000)
        if (response.ok) return { ok: true, data: { text }, scopes: [] }
        const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
        return {
          ok: false, error: response.status === 429 ? 'ratelimited' : /^[a-z_]{3,60}$/.test(text) ? text : `http_${response.status}`, status: response.status, answered: true, neverSent: false, details: [],
          ...(response.status === 429 ? { retryAfter: (Number.isNaN(retryAfter) ? defaultRetryAfter : retryAfter) * 1000 } : {})
        }
      } catch (error) {
        return refusalOf(error)
      }
    },
    async refresh () {
      if (options.tokenFile === undefined) return false
      const fresh = await readToken(options.tokenFile)
      if (fresh === undefined || fresh === token) return false
      token = fresh
      client = undefined
      return true
    },
    get hasToken () { return token !== undefined || options.tokenFile !== undefined },
    async close () { await agent.destroy() }
  }
}

async function readToken (file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(file, 'utf8')).trim()
    return text === '' ? undefined : text
  } catch {
    return undefined
  }
}

type FetchInit = Parameters<NonNullable<NonNullable<ConstructorParameters<typeof WebClient>[1]>['fetch']>>[1] & {}

async function fetchThrough (agent: Agent, url: string, init: FetchInit): Promise<Awaited<ReturnType<typeof undiciFetch>>> {
  let body: string | Buffer | undefined = typeof init.body === 'string' ? init.body : undefined
  const headers: Record<string, string> = { ...init.headers }
  if (init.body !== undefined && typeof init.body !== 'string') {
    // A FormData of the global fetch is not one of undici's own: it travels as bytes.
    const encoded = new Response(init.body)
    const type = encoded.headers.get('content-type')
    if (type !== null) headers['content-type'] = type
    body = Buffer.from(await encoded.arrayBuffer())
  }
  const response = await undiciFetch(url, { method: init.method ?? 'POST', headers, body, redirect: init.redirect ?? 'error', signal: init.signal, dispatcher: agent })
  // Without the header the library throws an error that says nothing.
  if (response.status === 429 && response.headers.get('retry-after') === null) return new UndiciResponse(await response.text(), { status: 429, headers: { 'retry-after': String(defaultRetryAfter) } })
  return response
}

interface LibraryError { code?: string, message?: string, data?: { error?: string, response_metadata?: { messages?: string[] }, needed?: string, provided?: string }, statusCode?: number, retryAfter?: number, original?: Error }

function refusalOf (error: unknown): SlackRefusal {
  const { code, data, statusCode, retryAfter, message } = error as LibraryError
  if (code === 'slack_webapi_platform_error' && data !== undefined) {
    const needed = data.needed === undefined ? [] : [`needed: ${data.needed}`, `provided: ${data.provided ?? ''}`]
    return { ok: false, error: String(data.error ?? 'unknown').slice(0, 200), status: 200, answered: true, neverSent: false, details: [...(data.response_metadata?.messages ?? []), ...needed].map(text => String(text).slice(0, 300)).slice(0, 20) }
  }
  if (code === 'slack_webapi_rate_limited_error') return { ok: false, error: 'ratelimited', status: 429, retryAfter: (retryAfter ?? defaultRetryAfter) * 1000, answered: true, neverSent: false, details: [] }
  if (code === 'slack_webapi_http_error') return { ok: false, error: `http_${statusCode}`, status: statusCode, answered: true, neverSent: false, details: [] }
  const never = neverSent(error)
  const timedOut = /TimeoutError|timeout/i.test(`${(error as Error).name} ${message} ${((error as LibraryError).original ?? (error as Error).cause as Error | undefined)?.name ?? ''}`)
  return { ok: false, error: never ? 'not_connected' : timedOut ? 'timeout' : 'reset', answered: false, neverSent: never, details: [String(message).slice(0, 300)] }
}
