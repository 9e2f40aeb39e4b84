import { sign, X509Certificate, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import type { Millis } from '../shared/types/common.ts'

/** What a certificate says; names must be ASCII. */
export interface CertificateContent {
  subject: string
  issuer: string
  /** DNS names and IP literals. */
  names: readonly string[]
  notBefore: Millis
  notAfter: Millis
  /** Names itself an authority that may sign others. */
  authority: boolean
}

/**
 * Signs an X.509 v3 certificate (RFC 5280) for the key itself, with ECDSA and SHA-256, as PEM.
 * Written out because the usual library wants a reflection polyfill and 100 ms to load.
 */
export function makeCertificate (content: CertificateContent, publicKey: KeyObject, signingKey: KeyObject): string {
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const extensions = sequence(
    extension('551d13', true, sequence(...(content.authority ? [tag(0x01, Buffer.from([0xff]))] : []))),
    ...(content.authority ? [extension('551d0f', true, tag(0x03, Buffer.from([1, 0x06])))] : []),
    ...(content.names.length > 0 ? [extension('551d11', false, sequence(...content.names.map(generalName)))] : [])
  )
  const body = sequence(
    tag(0xa0, tag(0x02, Buffer.from([2]))),
    tag(0x02, serial(content)),
    ecdsaWithSha256,
    commonName(content.issuer),
    sequence(time(content.notBefore), time(content.notAfter)),
    commonName(content.subject),
    publicKey.export({ format: 'der', type: 'spki' }),
    tag(0xa3, extensions)
  )
  const signature = sign('sha256', body, signingKey)
  const der = sequence(body, ecdsaWithSha256, tag(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return new X509Certificate(der).toString()
}

function tag (type: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : length < 0x1_0000 ? [0x82, length >> 8, length & 255] : [0x83, length >> 16, (length >> 8) & 255, length & 255]
  return Buffer.concat([Buffer.from([type, ...size]), content])
}

const sequence = (...contents: Buffer[]): Buffer => tag(0x30, ...contents)
const oid = (hex: string): Buffer => tag(0x06, Buffer.from(hex, 'hex'))
const commonName = (text: string): Buffer => sequence(tag(0x31, sequence(oid('550403'), tag(0x0c, Buffer.from(text)))))

function extension (id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [tag(0x01, Buffer.from([0xff]))] : []), tag(0x04, value))
}

function generalName (name: string): Buffer {
  return isIP(name) === 0 ? tag(0x82, Buffer.from(name, 'latin1')) : tag(0x87, addressBytes(name))
}

function addressBytes (address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  // The URL parser writes IPv4-mapped tails in hex and shortens zeros once.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const words = (part: string): number[] => part === '' ? [] : part.split(':').map((word) => parseInt(word, 16))
  const [front, back] = [words(head), words(tail ?? '')]
  const all = tail === undefined ? front : [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 255]))
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
function time (at: Millis): Buffer {
  const digits = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
  const year = Number(digits.slice(0, 4))
  return year >= 1950 && year < 2050 ? tag(0x17, Buffer.from(digits.slice(2))) : tag(0x18, Buffer.from(digits))
}

/** Positive, not empty, and different for different contents. */
function serial ({ names, subject, notAfter }: CertificateContent): Buffer {
  let hash = 17n
  for (const character of `${subject} ${names.join()} ${notAfter}`) hash = (hash * 31n + BigInt(character.codePointAt(0)!)) & 0x3fff_ffff_ffff_ffffn
  return Buffer.from((hash | 0x1000_0000_0000_0000n).toString(16), 'hex')
}
