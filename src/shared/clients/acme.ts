import { STATUS_CODES } from 'node:http'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import { unavailable } from '../types/common.ts'
import type { Clock } from '../types/common.ts'
import type { AcmeLook, TlsSeen } from '../types/observations.ts'
import { isNeverDialled } from './guard.ts'
import { ConnectError, connectFailure, open } from './http-probe-connect.ts'
import { requestOnce } from './http-probe-request.ts'
import type { Route } from './route.ts'

export interface AcmeClientOptions {
  route: Route
  clock: Clock
  /** One GET altogether, in milliseconds. */
  timeout: number
  /** Roots of the machine, the issuer's caBundle and what replay trusts. */
  context: SecureContext
  /** URL of the issuer's ACME directory: the only host that is ever asked. */
  server: string
  /** The issuer says so: an untrusted certificate is recorded and not minded. */
  skipTlsVerify: boolean
  userAgent: string
}

const bodyLimit = 262_144

/**
 * Asks the CA for one of its resources by plain GET (boulder docs/acme-divergences.md §6.3), the
 * way its users paste such URLs. Only https (or the server's own scheme), only the host of the
 * issuer's server, no redirects, no key. A CA that refuses, or answers HTML, is `unavailable`.
 */
export async function askAcme (options: AcmeClientOptions, kind: AcmeLook['kind'], url: string, signal: AbortSignal): Promise<AcmeLook> {
  const at = options.clock.now()
  const look = (rest: Pick<AcmeLook, 'look' | 'failure'>): AcmeLook => ({ kind, url, at, ...rest })
  const target = sameHost(url, options.server)
  if (target === undefined) return look({ look: unavailable(`${url.slice(0, 200)} is not on the host of the issuer's ACME server`) })
  try {
    return look({ look: await fetchDocument(options, kind, target, signal) })
  } catch (error) {
    const failure = isLookupFailure(error) ? { code: 'dns' as const, text: `${target.hostname} does not resolve here` } : connectFailure(error)
    return look({ look: unavailable(failure.code === 'not-recorded' ? failure.text : `${target.host}: ${failure.text}`), failure })
  }
}

async function fetchDocument (options: AcmeClientOptions, kind: AcmeLook['kind'], url: URL, signal: AbortSignal): Promise<AcmeLook['look']> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeout)])
  const refuses = (address: string): string | undefined => isNeverDialled(address) ? `${host} leads to ${address}, which is never asked` : undefined
  // Issuers are written by tenants: the CA may be private, but never a metadata service.
  const literal = isIP(host) === 0 ? undefined : refuses(host)
  if (literal !== undefined) throw new ConnectError('blocked', literal)

  const { socket, tls, nameFits } = await open({ dial: host, port, refuses, ...(url.protocol === 'https:' && { tls: { servername: host, context: options.context } }) }, options.route, limit)
  const distrust = tls === undefined || options.skipTlsVerify ? undefined : whyDistrusted(tls, nameFits === true, options.clock.now())
  if (distrust !== undefined) {
    socket.destroy()
    throw new ConnectError('tls', distrust, tls)
  }
  try {
    const response = await requestOnce(url, socket, { method: 'GET', headers: { accept: 'application/json', 'user-agent': options.userAgent }, limit: bodyLimit, signal: limit })
    if (response.broken !== undefined) throw response.broken
    const { status } = response
    const body = parseJson(response.body.toString('utf8'))
    const date = Date.parse(String(response.headers['date'] ?? ''))
    const seen = { status, body, ...(Number.isNaN(date) ? {} : { date }), ...(tls && { tls }) }
    // The directory's status is evidence by itself: 503 means maintenance, 404 a wrong URL.
    if (kind === 'directory') return { is: 'seen', value: seen }
    const said = `${status} ${STATUS_CODES[status] ?? ''}`.trim()
    if (status === 405 || status === 401 || status === 403) return unavailable(`the CA does not show its ${kind}s to a plain GET (${said})`)
    if (status === 404 || status === 410) return unavailable(`the CA no longer has this ${kind} (${said}${problemDetail(body)})`)
    if (status !== 200) return unavailable(`the CA answered ${said}${problemDetail(body)}`)
    if (body === undefined) return unavailable('the CA answered something that is not JSON')
    return { is: 'seen', value: seen }
  } finally {
    socket.destroy()
  }
}

function whyDistrusted (tls: TlsSeen, nameFits: boolean, now: number): string | undefined {
  if (!tls.trusted) return `the certificate is not trusted (${tls.error ?? 'unknown authority'}; issued by ${JSON.stringify(tls.issuer)})`
  if (!nameFits) return `the certificate is for ${tls.names.slice(0, 5).join(', ')}`
  if (tls.notAfter !== undefined && tls.notAfter < now) return `the certificate expired at ${new Date(tls.notAfter).toISOString()}`
  return undefined
}

function parseJson (text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function problemDetail (body: unknown): string {
  const detail = (body as { detail?: unknown } | undefined)?.detail
  return typeof detail === 'string' ? `: ${detail.slice(0, 200)}` : ''
}

function sameHost (url: string, server: string): URL | undefined {
  try {
    const target = new URL(url)
    const home = new URL(server)
    if (target.host !== home.host || target.username !== '' || target.password !== '') return undefined
    return target.protocol === 'https:' || (target.protocol === 'http:' && home.protocol === 'http:') ? target : undefined
  } catch {
    return undefined
  }
}

function isLookupFailure (error: unknown): boolean {
  return ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'ENODATA'].includes(String((error as NodeJS.ErrnoException | undefined)?.code))
}
