import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { TLSSocket, type SecureContext } from 'node:tls'
import type { Clock } from '../shared/types/common.ts'
import type { AcmeAnswer, EndpointRow, RequestRow } from './case-directory.ts'
import { secureContextFor } from './certificates.ts'

/** What stands behind one loopback port. `tls` is made when somebody first connects. */
interface Site { endpoint?: EndpointRow, tls?: () => SecureContext }

export interface WebOptions {
  clock: Clock
  /** What the CA answers, by full URL. */
  answers: ReadonlyMap<string, AcmeAnswer>
  asked: (request: { method: string, url: string }) => void
}

/** All web servers of a world: one HTTP parser, one listening port for each site. */
export class Web {
  private readonly options: WebOptions
  private readonly http: HttpServer
  private readonly sites = new WeakMap<Socket, Site>()
  private readonly listeners: Server[] = []
  private readonly open = new Set<Socket>()

  constructor (options: WebOptions) {
    this.options = options
    this.http = createHttpServer({ keepAliveTimeout: 5_000 }, (request, response) => this.answer(request, response))
  }

  /** An endpoint of http.yaml; its port. */
  async openEndpoint (endpoint: EndpointRow): Promise<number> {
    const hosts = [...new Set(endpoint.requests.flatMap(({ host }) => host !== undefined && !host.includes('*') ? [host] : []))]
    const now = this.options.clock.now()
    const secure = endpoint.tls !== undefined || endpoint.port === 443
    return this.listen({ endpoint, ...(secure && { tls: () => secureContextFor(endpoint.tls ?? { selfSigned: false }, hosts.length > 0 ? hosts : [endpoint.address], now) }) })
  }

  /** The CA at one of its origins; its port. */
  async openAuthority (origin: URL): Promise<number> {
    // Node judges dates by the real clock, which is not the case's.
    const always = { selfSigned: false, names: [origin.hostname.replace(/^\[|\]$/g, '')], notBefore: Date.UTC(2000), notAfter: Date.UTC(2098) }
    return this.listen(origin.protocol === 'https:' ? { tls: () => secureContextFor(always, [], 0) } : {})
  }

  async close (): Promise<void> {
    for (const socket of this.open) socket.destroy()
    await Promise.all(this.listeners.map((server) => new Promise<void>((resolve) => { server.close(() => resolve()) })))
    this.http.close()
  }

  private async listen (site: Site): Promise<number> {
    const server = createTcpServer({ noDelay: true }, (socket) => {
      this.open.add(socket)
      socket.on('close', () => this.open.delete(socket))
      socket.on('error', () => {})
      this.accept(socket, site)
    })
    this.listeners.push(server)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  private accept (socket: Socket, site: Site): void {
    const behaviour = site.endpoint?.behaviour
    if (behaviour === 'reset') {
      socket.once('data', () => socket.resetAndDestroy())
    } else if (behaviour === 'tls-alert') {
      // handshake_failure, fatal (RFC 8446 §6).
      socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 40])))
    } else if (behaviour === 'close' && site.tls === undefined) {
      socket.once('data', () => socket.end())
    } else if (site.tls === undefined) {
      this.serve(socket, site)
    } else {
      this.secure(socket, site, site.tls)
    }
  }

  private secure (socket: Socket, site: Site, makeContext: () => SecureContext): void {
    const secure = new TLSSocket(socket, { isServer: true, secureContext: makeContext(), ALPNProtocols: ['http/1.1'] })
    secure.on('error', () => socket.destroy())
    if (site.endpoint?.behaviour === 'close') secure.once('data', () => secure.end())
    else this.serve(secure, site)
  }

  private serve (socket: Socket, site: Site): void {
    this.sites.set(socket, site)
    this.http.emit('connection', socket)
  }

  private answer (request: IncomingMessage, response: ServerResponse): void {
    const site = this.sites.get(request.socket)
    const host = (request.headers.host ?? '').toLowerCase()
    const url = `${site?.tls === undefined ? 'http' : 'https'}://${host}${request.url ?? '/'}`
    this.options.asked({ method: request.method ?? 'GET', url })
    // Nothing here reads bodies; a client that sends one must not wait.
    request.resume()
    const row = site?.endpoint?.requests.find((each) => fits(each, host, request.url ?? '/'))
    if (row !== undefined) {
      response.sendDate = false
      send(response, row)
      return
    }
    response.setHeader('date', new Date(this.options.clock.now()).toUTCString())
    const known = URL.canParse(url) ? this.options.answers.get(new URL(url).href) : undefined
    if (known !== undefined) send(response, known)
    else if (site?.endpoint === undefined) send(response, unknownUrl)
    else send(response, { status: 404, headers: {}, body: '' })
  }
}

const unknownUrl: AcmeAnswer = {
  status: 404,
  headers: { 'content-type': 'application/problem+json' },
  body: JSON.stringify({ type: 'urn:ietf:params:acme:error:malformed', detail: 'No such resource', status: 404 })
}

function send (response: ServerResponse, { status, headers, body }: AcmeAnswer): void {
  // The parser of the client ends the message by its real length, whatever was recorded.
  const framing = new Set(['content-length', 'transfer-encoding', 'connection', 'content-encoding'])
  for (const [name, value] of Object.entries(headers)) {
    if (framing.has(name.toLowerCase())) continue
    // A recorded header may hold what HTTP does not allow; the rest of the answer still counts.
    try { response.setHeader(name, value) } catch { /* left out */ }
  }
  if (status >= 200 && status !== 204 && status !== 304) response.setHeader('content-length', Buffer.byteLength(body))
  response.writeHead(status).end(body)
}

function fits ({ host, path }: RequestRow, askedHost: string, askedUrl: string): boolean {
  if (host !== undefined && !glob(host, askedHost.replace(/:\d+$/, '').replace(/^\[|\]$/g, '').replace(/\.$/, ''))) return false
  return path === undefined || glob(path, askedUrl) || glob(path, askedUrl.split('?', 1)[0]!)
}

/** `*` stands for any text. Walks once forward, so that a pattern of many stars stays cheap. */
function glob (pattern: string, text: string): boolean {
  const [first, ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === text
  if (!text.startsWith(first!)) return false
  const last = rest.pop()!
  let at = first!.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
