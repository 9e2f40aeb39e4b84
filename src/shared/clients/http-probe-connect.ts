import { X509Certificate } from 'node:crypto'
import { connect as connectTcp, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls, createSecureContext, getCACertificates } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'
import type { ConnectFailure, TlsSeen } from '../types/observations.ts'
import type { Route } from './route.ts'

/** A connection that failed, in the words of the observations. */
export class ConnectError extends Error {
  readonly failure: ConnectFailure
  readonly tls: TlsSeen | undefined

  constructor (failure: ConnectFailure, message: string, tls?: TlsSeen) {
    super(message)
    this.name = 'ConnectError'
    this.failure = failure
    this.tls = tls
  }
}

export interface ConnectTarget {
  /** What is dialled: an address for probes, the CA's host name for its client. */
  dial: string
  port: number
  /** The name sent as SNI; absent for plain HTTP. */
  tls?: { servername: string, context: SecureContext }
  /** Refuses the address that a dialled name resolved to. */
  refuses?: (address: string) => string | undefined
}

const contexts = new LRUCache<string, SecureContext>({ max: 64 })

/** Roots of the machine plus what the caller trusts beside them (PEM). Kept, since parsing the roots costs 40 ms. */
export function trustContext (...extra: (string | undefined)[]): SecureContext {
  const key = extra.join('\n')
  const known = contexts.get(key) ?? makeContext(extra)
  contexts.set(key, known)
  return known
}

function makeContext (extra: (string | undefined)[]): SecureContext {
  const pems = extra.flatMap((text) => text?.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [])
  const readable = pems.filter((pem) => {
    try { return new X509Certificate(pem).raw.length > 0 } catch { return false }
  })
  return createSecureContext({ ca: [...getCACertificates('default'), ...readable], minVersion: 'TLSv1' })
}

/**
 * Opens one connection through `route`. A bad certificate does not end it: it is recorded, and
 * the caller decides (`nameFits`: it names the host). Rejects with ConnectError, or with the
 * resolver's error when a dialled name does not resolve.
 */
export async function open (target: ConnectTarget, route: Route, signal: AbortSignal): Promise<{ socket: Socket, tls?: TlsSeen, nameFits?: boolean }> {
  const destination = route(target.dial, target.port)
  const name = `${isIP(target.dial) === 6 ? `[${target.dial}]` : target.dial}:${target.port}`
  if ('fails' in destination) throw new ConnectError(destination.fails, failureText(destination.fails, name))

  const tcp = connectTcp({ host: destination.host, port: destination.port, noDelay: true })
  // Somebody always listens: an error after the handover must not end the process.
  tcp.on('error', () => {})
  try {
    await happens(tcp, 'connect', signal, name)
    const remote = tcp.remoteAddress ?? ''
    const refusal = destination.host === target.dial && isIP(target.dial) === 0 ? target.refuses?.(remote) : undefined
    if (refusal !== undefined) throw new ConnectError('blocked', refusal)
    if (target.tls === undefined) return { socket: tcp }

    const { servername, context } = target.tls
    const secure = connectTls({
      socket: tcp,
      secureContext: context,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      checkServerIdentity: () => undefined,
      ...(isIP(servername) === 0 && { servername })
    })
    secure.on('error', () => {})
    await happens(secure, 'secureConnect', signal, name)
    // Once only: Node 24.21 hands the certificate out the first time it is asked, and never again.
    const certificate = secure.getPeerX509Certificate()
    const nameFits = (isIP(servername) === 0 ? certificate?.checkHost(servername) : certificate?.checkIP(servername)) !== undefined
    return { socket: secure, tls: describeTls(secure, certificate), nameFits }
  } catch (error) {
    tcp.destroy()
    throw error
  }
}

/** Why a connection ended, from Node's and undici's many ways of saying it. */
export function connectFailure (error: unknown): { code: ConnectFailure, text: string } {
  if (error instanceof ConnectError) return { code: error.failure, text: error.message }
  const { code, name, message, cause } = error as NodeJS.ErrnoException & { cause?: unknown }
  const text = String(message ?? error)
  if (name === 'TimeoutError' || name === 'AbortError') return { code: 'timeout', text: 'no answer in time' }
  switch (code) {
    case 'ECONNREFUSED': return { code: 'refused', text: 'connection refused' }
    case 'ECONNRESET': case 'EPIPE': return /before secure TLS|socket hang up/.test(text) ? { code: 'tls', text } : { code: 'reset', text: 'connection reset by peer' }
    case 'ETIMEDOUT': case 'UND_ERR_CONNECT_TIMEOUT': case 'UND_ERR_HEADERS_TIMEOUT': case 'UND_ERR_BODY_TIMEOUT': return { code: 'timeout', text: 'no answer in time' }
    case 'ENETUNREACH': case 'EHOSTUNREACH': case 'EADDRNOTAVAIL': case 'EAFNOSUPPORT': case 'EACCES': case 'EPERM': case 'EINVAL':
      return { code: 'unreachable', text: 'network unreachable' }
    case 'UND_ERR_SOCKET': return /other side closed/.test(text) ? { code: 'closed', text: 'the server closed the connection without an answer' } : { code: 'reset', text }
    case 'UND_ERR_HEADERS_OVERFLOW': return { code: 'other', text: 'the response headers are too long' }
  }
  if (typeof code === 'string' && /^(ERR_SSL|ERR_TLS|EPROTO|CERT_)/.test(code)) return { code: 'tls', text }
  if (name === 'HTTPParserError') return { code: 'other', text: notHttp((error as { data?: unknown }).data) ?? `not an HTTP answer: ${text}` }
  if (cause !== undefined && cause !== error) return connectFailure(cause)
  return { code: 'other', text }
}

/** What the bytes are that were not HTTP/1: a TLS alert or an HTTP/2 frame on port 80 is worth a name of its own. */
function notHttp (data: unknown): string | undefined {
  const bytes = Buffer.from(typeof data === 'string' ? data : data instanceof Uint8Array ? data : '')
  if ((bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3) return 'the server speaks TLS on this port'
  // The length of a SETTINGS frame is a multiple of six; its type is 4, on stream 0 (boulder va/http.go).
  if (bytes.length >= 9 && bytes[3] === 4 && bytes.readUIntBE(0, 3) % 6 === 0) return 'Server is speaking HTTP/2 over HTTP'
  return undefined
}

function failureText (code: ConnectFailure, name: string): string {
  switch (code) {
    case 'timeout': return `no answer from ${name}`
    case 'refused': return `${name} refused the connection`
    case 'not-recorded': return `nothing is recorded of ${name}`
    default: return `${name} cannot be reached`
  }
}

function happens (socket: Socket | TLSSocket, event: 'connect' | 'secureConnect', signal: AbortSignal, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      signal.removeEventListener('abort', expire)
      socket.removeListener('error', fail)
      socket.removeListener('close', close)
      if (error === undefined) resolve()
      else { socket.destroy(); reject(error) }
    }
    const expire = (): void => finish(new ConnectError('timeout', event === 'connect' ? `no answer from ${name}` : `${name} did not finish the TLS handshake in time`))
    const close = (): void => finish(event === 'connect' ? new ConnectError('closed', `${name} closed the connection`) : new ConnectError('tls', `${name} closed the connection during the TLS handshake`))
    const fail = (error: NodeJS.ErrnoException): void => {
      const { code, text } = connectFailure(error)
      if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return finish(error)
      finish(event === 'secureConnect' && code !== 'timeout' ? new ConnectError('tls', tlsWords(error)) : new ConnectError(code, text))
    }
    socket.once(event, () => finish())
    socket.once('error', fail)
    socket.once('close', close)
    if (signal.aborted) expire()
    else signal.addEventListener('abort', expire)
  })
}

/** OpenSSL's line is for OpenSSL's authors; the reason inside it is enough. */
function tlsWords (error: NodeJS.ErrnoException & { reason?: string }): string {
  if (error.code === 'ERR_SSL_WRONG_VERSION_NUMBER' || error.code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' || error.code === 'ERR_SSL_HTTP_REQUEST') return 'the server does not speak TLS on this port'
  if (error.code === 'ECONNRESET') return 'connection reset during the TLS handshake'
  return error.reason ?? error.message
}

const timeErrors = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

function describeTls (socket: TLSSocket, certificate: X509Certificate | undefined): TlsSeen {
  const code = socket.authorized ? undefined : String((socket.authorizationError as { code?: string } | string | undefined as never) ?? '')
  // Dates are judged against the injected clock by whoever reads notAfter; the chain is what is judged here,
  // and OpenSSL looks at dates only after it built a chain to a root.
  const trusted = code === undefined || timeErrors.has(code)
  if (certificate === undefined) return { names: [], issuer: '', selfSigned: false, trusted: false, error: 'the server sent no certificate' }
  return {
    names: certificateNames(certificate),
    issuer: issuerName(certificate),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    selfSigned: certificate.issuer === certificate.subject,
    trusted,
    ...(!trusted && code !== '' && { error: code })
  }
}

function certificateNames (certificate: X509Certificate): string[] {
  const common = /^CN=(.*)$/m.exec(certificate.subject)?.[1]
  const alternative = [...(certificate.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]+)/g)].map((match) => match[1]!.trim())
  return [...new Set([...(common === undefined ? [] : [common]), ...alternative])].slice(0, 100)
}

function issuerName (certificate: X509Certificate): string {
  const part = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(certificate.issuer)?.[1]
  return part('CN') ?? part('O') ?? certificate.issuer.replaceAll('\n', ', ')
}
