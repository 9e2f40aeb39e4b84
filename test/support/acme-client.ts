import { createHash, createSign, generateKeyPairSync } from 'node:crypto'
import { request } from 'node:https'

interface AcmeReply { status: number, location: string, body: Record<string, unknown> }

/** The little of RFC 8555 that it takes to place an order and let it fail: one account, ES256. */
export interface AcmeClient {
  /** The signed request; `payload` undefined is POST-as-GET. */
  post (url: string, payload?: unknown): Promise<AcmeReply>
  /** What the challenge expects: token, dot, thumbprint of the account's key. */
  keyAuthorization (token: string): string
  newOrder (names: string[]): Promise<AcmeReply>
}

export interface AcmeClientOptions {
  /** Where the CA really listens, on loopback. */
  port: number
  /** The name that it is asked by, and that its URLs carry. */
  host: string
  /** PEM of the authority of its certificate. */
  ca: string
  directory: string
}

const base64url = (data: string | Buffer): string => Buffer.from(data).toString('base64url')

/** Registers an account at the CA. */
export async function registerAccount (options: AcmeClientOptions): Promise<AcmeClient> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  const jwk = { crv, kty, x, y }
  const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')
  let account: string | undefined

  const send = (method: string, url: string, body?: string): Promise<AcmeReply & { nonce: string }> => new Promise((resolve, reject) => {
    const { pathname, search } = new URL(url)
    const headers = { host: options.host, ...(body !== undefined && { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }) }
    request({ host: '127.0.0.1', port: options.port, servername: options.host, ca: options.ca, agent: false, method, path: pathname + search, headers }, (response) => {
      let text = ''
      response.on('data', (data) => { text += String(data) })
      response.on('error', reject)
      response.on('end', () => resolve({
        status: response.statusCode ?? 0, location: response.headers.location ?? '', nonce: String(response.headers['replay-nonce'] ?? ''),
        body: text.startsWith('{') ? JSON.parse(text) as Record<string, unknown> : {}
      }))
    }).on('error', reject).end(body)
  })

  const directory = (await send('GET', options.directory)).body as { newNonce: string, newAccount: string, newOrder: string }
  const post = async (url: string, payload?: unknown): Promise<AcmeReply> => {
    const { nonce } = await send('HEAD', directory.newNonce)
    const header = base64url(JSON.stringify({ alg: 'ES256', nonce, url, ...(account === undefined ? { jwk } : { kid: account }) }))
    const content = payload === undefined ? '' : base64url(JSON.stringify(payload))
    const signature = createSign('sha256').update(`${header}.${content}`).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' })
    return send('POST', url, JSON.stringify({ protected: header, payload: content, signature: base64url(signature) }))
  }
  const registered = await post(directory.newAccount, { termsOfServiceAgreed: true })
  if (registered.status !== 201) throw new Error(`no account: ${JSON.stringify(registered)}`)
  account = registered.location
  return {
    post,
    keyAuthorization: (token) => `${token}.${thumbprint}`,
    newOrder: (names) => post(directory.newOrder, { identifiers: names.map((value) => ({ type: 'dns', value })) })
  }
}
