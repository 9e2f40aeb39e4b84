import type { SecureContext } from 'node:tls'
import { isIP } from 'node:net'
import type { HttpHop, TlsSeen } from '../types/observations.ts'
import type { Guard } from './guard.ts'
import { ConnectError, connectFailure, open } from './http-probe-connect.ts'
import { requestOnce } from './http-probe-request.ts'
import type { OneResponse } from './http-probe-request.ts'
import { refuseRedirect } from './http-probe-redirect.ts'
import type { Route } from './route.ts'

export interface HttpProbeOptions {
  route: Route
  /** How long one hop may take to connect, and altogether, in milliseconds. */
  connectTimeout: number
  hopTimeout: number
  context: SecureContext
  userAgent: string
}

export interface Walk {
  url: string
  /** The address that the URL's host is pinned to. */
  address: string
  guard: Guard
  /** Addresses of another host that a redirect names, best first; called once for each host. */
  resolve: (host: string) => Promise<string[]>
  /** The body that the CA expects at the end; compared over the whole body, trailing white space aside. */
  expected?: string
  signal: AbortSignal
}

export interface WalkResult { hops: HttpHop[], served?: boolean }

const mostRedirects = 10
const bodyLimit = 65_536
const bodyKept = 512
/** Headers that tell who answered. */
const toldHeaders = new Set([
  'via', 'x-cache', 'cf-ray', 'cf-mitigated', 'www-authenticate', 'x-served-by', 'x-powered-by', 'x-amz-cf-id', 'x-amz-cf-pop', 'x-amzn-waf-action',
  'x-azure-ref', 'x-akamai-request-id', 'x-sucuri-id', 'x-iinfo', 'x-envoy-upstream-service-time', 'x-vercel-id', 'x-github-request-id', 'set-cookie'
])

/**
 * Fetches a URL as Let's Encrypt does (boulder va/http.go): the given address, at most ten
 * redirects to http and https on 80 and 443, certificates recorded and not judged. Every hop is
 * resolved once, guarded and pinned. Never throws; the last hop tells how it ended.
 */
export async function walk (options: HttpProbeOptions, request: Walk): Promise<WalkResult> {
  const hops: HttpHop[] = []
  const visited = new Set<string>()
  const pinned = new Map([[hostOf(new URL(request.url)), request.address]])
  let url = new URL(request.url)
  let served: boolean | undefined

  for (;;) {
    visited.add(url.href)
    const address = pinned.get(hostOf(url)) ?? await pin(request, url)
    pinned.set(hostOf(url), address)
    const { hop, body } = await visit(options, request, url, address)
    hops.push(hop)
    if (body !== undefined && request.expected !== undefined && hop.status === 200) served = body.toString('latin1').trimEnd() === request.expected
    if (hop.failure !== undefined || hop.status === undefined || hop.status < 300 || hop.status > 399 || hop.location === undefined) break

    const { next, refusal } = refuseRedirect({ from: url, status: hop.status, location: hop.location, count: hops.length, most: mostRedirects, visited, guard: request.guard })
    if (refusal !== undefined) hop.failure = { code: 'redirect', text: refusal }
    if (next === undefined || request.signal.aborted) break
    url = next
  }
  return served === undefined ? { hops } : { hops, served }
}

/** The address of a redirect's host, of the walk's own family when there is a choice; '' when it has none. */
async function pin (request: Walk, url: URL): Promise<string> {
  const host = hostOf(url)
  if (isIP(host) !== 0) return host
  const addresses = await request.resolve(host)
  return addresses.find((address) => isIP(address) === isIP(request.address)) ?? addresses[0] ?? ''
}

async function visit (options: HttpProbeOptions, request: Walk, url: URL, address: string): Promise<{ hop: HttpHop, body?: Buffer }> {
  const began = performance.now()
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  const hop: HttpHop = { url: url.href.slice(0, 2048), address, port, ms: 0 }
  let body: Buffer | undefined
  try {
    if (address === '') throw new ConnectError('redirect', `redirected to ${hostOf(url)}, for which no address is known`)
    const refusal = request.guard.refuses(address, port)
    if (refusal !== undefined) throw new ConnectError('blocked', refusal)
    body = await fetchOnce(options, url, address, port, hop, request.signal)
  } catch (error) {
    hop.failure = connectFailure(error)
  }
  hop.ms = Math.round(performance.now() - began)
  return { hop, body }
}

async function fetchOnce (options: HttpProbeOptions, url: URL, address: string, port: number, hop: HttpHop, signal: AbortSignal): Promise<Buffer> {
  const whole = AbortSignal.any([signal, AbortSignal.timeout(options.hopTimeout)])
  const connecting = AbortSignal.any([signal, AbortSignal.timeout(options.connectTimeout)])
  const tls = url.protocol === 'https:' ? { servername: hostOf(url), context: options.context } : undefined
  const { socket, tls: tlsSeen } = await open({ dial: address, port, tls }, options.route, connecting)
  if (tlsSeen !== undefined) hop.tls = tlsSeen

  try {
    const response = await requestOnce(url, socket, { method: 'GET', headers: { accept: '*/*', 'user-agent': options.userAgent }, limit: bodyLimit, signal: whole })
    describe(hop, response)
    return response.body
  } catch (error) {
    if (whole.aborted) throw new ConnectError('timeout', 'connected, but no answer came in time')
    throw error
  } finally {
    socket.destroy()
  }
}

function describe (hop: HttpHop, response: OneResponse): void {
  const header = (name: string): string | undefined => {
    const value = response.headers[name]
    return (Array.isArray(value) ? value[0] : value)?.slice(0, 2048)
  }
  hop.status = response.status
  hop.location = header('location')
  hop.server = header('server')?.slice(0, 200)
  hop.contentType = header('content-type')?.slice(0, 200)
  const told = Object.keys(response.headers).filter((name) => toldHeaders.has(name)).sort()
  // A cookie's name tells who answered (`__cf_bm`, `incap_ses`); its value is nobody's business.
  if (told.length > 0) hop.headers = Object.fromEntries(told.map((name) => [name, name === 'set-cookie' ? header(name)!.split('=')[0]!.slice(0, 80) : header(name)!.slice(0, 200)]))
  for (const key of ['location', 'server', 'contentType'] as const) if (hop[key] === undefined) delete hop[key]
  hop.body = response.body.subarray(0, bodyKept).toString('utf8')
  hop.bodyBytes = response.body.length
  // A body that breaks off or drips is kept as far as it came.
  if (response.broken !== undefined) {
    const failure = connectFailure(response.broken)
    hop.failure = failure.code === 'timeout' ? { code: 'timeout', text: 'the body did not end in time' } : failure
  }
}

/** The URL's host without the brackets of an IPv6 literal. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

/** Opens TLS to see the certificate that clients get, and asks for nothing. */
export async function seeCertificate (options: HttpProbeOptions, name: string, address: string, guard: Guard, signal: AbortSignal): Promise<HttpHop> {
  const began = performance.now()
  const hop: HttpHop = { url: `https://${isIP(name) === 6 ? `[${name}]` : name}/`, address, port: 443, ms: 0 }
  try {
    const refusal = guard.refuses(address, 443)
    if (refusal !== undefined) throw new ConnectError('blocked', refusal)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.connectTimeout)])
    const { socket, tls } = await open({ dial: address, port: 443, tls: { servername: name, context: options.context } }, options.route, limit)
    socket.destroy()
    hop.tls = tls as TlsSeen
  } catch (error) {
    hop.failure = connectFailure(error)
  }
  hop.ms = Math.round(performance.now() - began)
  return hop
}
