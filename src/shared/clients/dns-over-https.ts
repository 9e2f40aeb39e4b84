import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import { ConnectError, open } from './http-probe-connect.ts'
import { requestOnce } from './http-probe-request.ts'
import type { Route } from './route.ts'

/** RFC 8484: one DNS message in, one out. The endpoint is the operator's choice, so the guard is not asked. */
export async function postDnsMessage (options: { route: Route, context: SecureContext, userAgent: string }, endpoint: string, message: Buffer, signal: AbortSignal): Promise<Buffer> {
  const url = new URL(endpoint)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const { socket, tls, nameFits } = await open({ dial: host, port: Number(url.port || 443), tls: { servername: host, context: options.context } }, options.route, signal)
  try {
    if (tls?.trusted !== true || (nameFits !== true && isIP(host) === 0)) throw new ConnectError('tls', `${url.host} has no trusted certificate`)
    const { status, body } = await requestOnce(url, socket, {
      method: 'POST',
      headers: { 'content-type': 'application/dns-message', accept: 'application/dns-message', 'user-agent': options.userAgent },
      body: message,
      limit: 65_535,
      signal
    })
    if (status !== 200) throw new ConnectError('other', `${url.host} answered ${status}`)
    return body
  } finally {
    socket.destroy()
  }
}
