import { fetch, type Response } from 'undici'
import { reasonOf } from '../errors.ts'
import type { Millis } from '../types/common.ts'
import type { Route } from './route.ts'
import { routedAgent } from './routed-agent.ts'

export interface JsonPoster {
  post (url: string, body: string, headers: Record<string, string>): Promise<{ ok: true, status: number } | { ok: false, status?: number, error: string, retryAfter?: Millis }>
  close (): Promise<void>
}

/** Posts JSON to URLs of the configuration. Redirects are not followed: the signature is for one receiver. */
export function jsonPoster (route: Route, timeout: Millis = 10_000): JsonPoster {
  const agent = routedAgent(route, { headersTimeout: timeout, bodyTimeout: timeout })
  return {
    async post (url, body, headers) {
      try {
        const response: Response = await fetch(url, { method: 'POST', body, headers: { ...headers, 'content-type': 'application/json' }, redirect: 'manual', dispatcher: agent, signal: AbortSignal.timeout(timeout) })
        await response.body?.cancel()
        if (response.ok) return { ok: true, status: response.status }
        const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
        return { ok: false, status: response.status, error: `HTTP ${response.status}`, ...(Number.isNaN(retryAfter) ? {} : { retryAfter: Math.min(3_600, retryAfter) * 1000 }) }
      } catch (error) {
        return { ok: false, error: reasonOf(error) }
      }
    },
    close: () => agent.destroy()
  }
}
