import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { domainToASCII } from 'node:url'
import type { Millis } from '../shared/types/common.ts'
import { makeCertificate } from './certificate-der.ts'
import type { TlsRow } from './case-directory.ts'

interface Authority { pem: string, publicKey: KeyObject, privateKey: KeyObject, key: string }

const authorityName = 'acme-triage world authority'
const day = 86_400_000

let authority: Authority | undefined
const contexts = new Map<string, SecureContext>()

/** The authority that signs the world's TLS, made once a process, as PEM. */
export function worldTrust (): string {
  return getAuthority().pem
}

/** A server certificate as the case describes it. Made once a process for each description; the key is shared. */
export function secureContextFor (row: TlsRow, names: readonly string[], now: Millis): SecureContext {
  const description = { ...row, names: [...row.names ?? names], now: row.notAfter === undefined ? Math.floor(now / day) * day : 0 }
  const key = JSON.stringify(description)
  const known = contexts.get(key)
  if (known !== undefined) return known
  const made = makeContext(description)
  contexts.set(key, made)
  // Hundreds of worlds may be opened in one process.
  if (contexts.size > 500) contexts.delete(contexts.keys().next().value!)
  return made
}

function getAuthority (): Authority {
  if (authority !== undefined) return authority
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = makeCertificate({ subject: authorityName, issuer: authorityName, names: [], notBefore: Date.UTC(2000), notAfter: Date.UTC(2099), authority: true }, publicKey, privateKey)
  authority = { pem, publicKey, privateKey, key: String(privateKey.export({ format: 'pem', type: 'pkcs8' })) }
  return authority
}

function makeContext ({ names, notBefore, notAfter, issuer, selfSigned, now }: TlsRow & { names: string[], now: Millis }): SecureContext {
  const { publicKey, privateKey, key } = getAuthority()
  const hosts = names.map(toAscii).filter((name) => name !== '')
  const ends = notAfter ?? now + 60 * day
  const subject = selfSigned && issuer !== undefined ? issuer : hosts[0] ?? 'localhost'
  const pem = makeCertificate({
    subject,
    // Chains are built by name: an issuer of another name leads to no root that anybody trusts.
    issuer: selfSigned ? subject : issuer ?? authorityName,
    names: hosts,
    notBefore: notBefore ?? ends - 90 * day,
    notAfter: ends,
    authority: false
  }, publicKey, privateKey)
  return createSecureContext({ cert: pem, key })
}

/** Certificates carry names in ASCII; what cannot be written so is cut down. */
function toAscii (name: string): string {
  if (isIP(name) !== 0) return name
  const wildcard = name.startsWith('*.')
  const ascii = domainToASCII(wildcard ? name.slice(2) : name)
  return ascii === '' ? name.replace(/[^\x21-\x7e]/g, '') : wildcard ? `*.${ascii}` : ascii
}
