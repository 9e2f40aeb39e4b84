import { Agent, buildConnector } from 'undici'
import type { Route } from './route.ts'

/** The connection was never made, so that nothing of the request can have arrived. */
class NotConnected extends Error {
  constructor (message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NotConnected'
  }
}

export interface RoutedAgentOptions {
  connectTimeout?: number
  headersTimeout?: number
  bodyTimeout?: number
  /** Connections for each origin. */
  connections?: number
  ca?: string
  rejectUnauthorized?: boolean
}

/**
 * An undici dispatcher whose every connection goes where `route` says. TLS keeps the name that
 * was asked for; a connection that fails is told apart from a request that fails.
 */
export function routedAgent (route: Route, { ca, rejectUnauthorized, connectTimeout = 5_000, headersTimeout = 15_000, bodyTimeout = 30_000, connections = 8 }: RoutedAgentOptions = {}): Agent {
  const connector = buildConnector({ timeout: connectTimeout, ...(ca === undefined ? {} : { ca }), ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }) })
  return new Agent({
    connections,
    headersTimeout,
    bodyTimeout,
    keepAliveTimeout: 20_000,
    connect (options, callback) {
      const host = options.hostname.replace(/^\[|\]$/g, '')
      const secure = options.protocol === 'https:'
      const port = Number(options.port) || (secure ? 443 : 80)
      const destination = route(host, port)
      if ('fails' in destination) {
        callback(new NotConnected(`${host}:${port}: ${destination.fails}`), null)
        return
      }
      connector({
        ...options,
        hostname: destination.host,
        port: String(destination.port),
        ...(secure ? { servername: options.servername ?? host } : {})
      }, (error, socket) => {
        if (error === null) callback(null, socket)
        else callback(new NotConnected(`${host}:${port}: ${error.message || (error as NodeJS.ErrnoException).code || error.name}`, { cause: error }), null)
      })
    }
  })
}

/** Was it certain that nothing was sent? Looks through the causes that fetch wraps around an error. */
export function neverSent (error: unknown): boolean {
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 8; each = (each as { original?: unknown }).original ?? each.cause, depth++) {
    if (each instanceof NotConnected || each.name === 'NotConnected') return true
    const { code } = each as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'UND_ERR_CONNECT_TIMEOUT') return true
  }
  return false
}
