import type { Socket } from 'node:net'
import { Client } from 'undici'
import type { Dispatcher } from 'undici'
import { ConnectError } from './http-probe-connect.ts'

export interface OneRequest {
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body?: string | Buffer
  /** Bytes of the body after which reading stops. */
  limit: number
  signal: AbortSignal
}

export interface OneResponse {
  status: number
  headers: Dispatcher.ResponseData['headers']
  body: Buffer
  /** The body went on after `limit`. */
  cut: boolean
  /** The body broke off; what came is in `body`. */
  broken?: unknown
}

/** One request over a connection that is already open. No redirect, no retry, no second connection; the caller closes the socket. */
export async function requestOnce (url: URL, socket: Socket, request: OneRequest): Promise<OneResponse> {
  let handed = false
  const client = new Client(url.origin, {
    // A second connect would mean that undici retries. Not at once: undici hangs when its connector
    // answers before it returns.
    connect: (_options, callback) => setImmediate(() => {
      if (handed) return callback(new ConnectError('closed', 'the server closed the connection without an answer'), null)
      handed = true
      callback(null, socket as never)
    }),
    pipelining: 1,
    maxHeaderSize: 32_768,
    headersTimeout: 0,
    bodyTimeout: 0
  })
  try {
    const { statusCode: status, headers, body: stream } = await client.request({
      method: request.method,
      path: url.pathname + url.search,
      headers: { host: url.host, ...request.headers },
      body: request.body,
      signal: request.signal
    })
    const chunks: Buffer[] = []
    let bytes = 0
    let broken: unknown
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes >= request.limit) break
      }
    } catch (error) {
      broken = error
    }
    const body = Buffer.concat(chunks).subarray(0, request.limit)
    return { status, headers, body, cut: bytes > request.limit, ...(broken !== undefined && { broken }) }
  } finally {
    void client.destroy().catch(() => {})
  }
}
