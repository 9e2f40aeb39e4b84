import { randomBytes, randomInt } from 'node:crypto'
import { domainToASCII } from 'node:url'
import packet from 'dns-packet'
import type { DnsAnswer, DnsRecord, DnsType } from '../types/observations.ts'

export interface DnsQuestion {
  name: string
  type: DnsType
  /** RD: false when an authoritative server is asked. Default true. */
  recursion?: boolean
  /** CD: a validating resolver is to answer without validating. */
  checkingDisabled?: boolean
  /** Asked as a CA's resolver may have to: over TCP, and in mixed case. */
  overTcp?: boolean
}

/** `foreign`: not an answer to this question, so somebody else's or forged; `malformed`: ours, and not readable. */
export type Decoded =
  | { is: 'answer', answer: DnsAnswer, truncated: boolean, edns: boolean }
  | { is: 'foreign' }
  | { is: 'malformed', why: string }

/** RFC 9018's recommended size: no fragments on any usual path. */
const udpPayloadSize = 1232
const extendedError = 15
/** Kept of one section: no honest answer to our questions has more. */
const mostRecords = 200
/** Signatures and denial proofs come with DO=1 and say nothing that the AD bit and EDE do not. */
const notKept = new Set(['RRSIG', 'NSEC', 'NSEC3', 'DNSKEY', 'OPT'])
const rcodes16 = new Map([[16, 'BADVERS'], [23, 'BADCOOKIE']])

/** The name as DNS carries it (lower case, A-labels, no final dot); undefined for what no server can be asked. */
export function dnsName (text: string): string | undefined {
  const plain = text.trim().replace(/\.$/, '')
  // domainToASCII refuses underscores in some positions, so only names that need it pass through it.
  const ascii = (/^[\x21-\x7e]+$/.test(plain) ? plain : domainToASCII(plain)).toLowerCase()
  if (ascii === '' || ascii.length > 253 || /[\s\\/@:]/.test(ascii)) return undefined
  return ascii.split('.').every((label) => label.length > 0 && label.length <= 63) ? ascii : undefined
}

/** Letters in random case, as the resolvers of CAs ask (0x20): an honest server repeats them as they came. */
const mixedCase = (name: string): string => {
  const bits = randomBytes(name.length)
  return [...name].map((letter, index) => (bits[index]! & 1) === 1 ? letter.toUpperCase() : letter).join('')
}

/** A query with a random id; `edns: false` for servers that choke on EDNS. */
export function encodeQuery (question: DnsQuestion, edns = true): { id: number, message: Buffer, written: string } {
  const id = randomInt(0x10000)
  const written = question.overTcp === true ? mixedCase(question.name) : question.name
  const flags = (question.recursion === false ? 0 : packet.RECURSION_DESIRED) | (question.checkingDisabled === true ? packet.CHECKING_DISABLED : 0)
  const options = { type: 'OPT', name: '.', udpPayloadSize, flags: packet.DNSSEC_OK, extendedRcode: 0, ednsVersion: 0, flag_do: true, options: [] } as const
  const message = packet.encode({
    type: 'query',
    id,
    flags,
    questions: [{ type: question.type, name: written }],
    additionals: edns ? [{ ...options, options: [] }] : []
  })
  return { id, message, written }
}

/** Reads an answer without ever throwing; anything that is not the answer to this query is `foreign`. */
export function decodeAnswer (message: Buffer, id: number, question: DnsQuestion, written = question.name): Decoded {
  if (message.length < 12) return { is: 'malformed', why: 'shorter than a DNS header' }
  if (message.readUInt16BE(0) !== id || (message[2]! & 0x80) === 0) return { is: 'foreign' }
  try {
    const decoded = packet.decode(message) as packet.DecodedPacket & { rcode: string }
    const asked = decoded.questions?.[0]
    if (asked !== undefined && (asked.name.toLowerCase() !== question.name || asked.type !== question.type)) return { is: 'foreign' }
    // Some servers leave the question out of an error answer; an answer with records must repeat it.
    if (asked === undefined && (decoded.answers ?? []).length > 0) return { is: 'malformed', why: 'the answer repeats no question' }
    const options = (decoded.additionals ?? []).find((record) => record.type === 'OPT') as packet.OptAnswer | undefined
    const ede = readExtendedError(options)
    return {
      is: 'answer',
      truncated: decoded.flag_tc,
      edns: options !== undefined,
      answer: {
        rcode: rcodeOf(decoded.rcode, message[3]! & 0x0f, options?.extendedRcode ?? 0),
        answers: records(decoded.answers),
        authority: records(decoded.authorities),
        aa: decoded.flag_aa,
        ad: decoded.flag_ad,
        ...(ede && { ede }),
        ...(asked !== undefined && asked.name !== written && { caseChanged: true as const })
      }
    }
  } catch (error) {
    return { is: 'malformed', why: error instanceof Error ? error.message : 'not decodable' }
  }
}

function rcodeOf (text: string, low: number, high: number): string {
  if (high === 0) return text
  const code = high * 16 + low
  return rcodes16.get(code) ?? `RCODE_${code}`
}

function readExtendedError (options: packet.OptAnswer | undefined): DnsAnswer['ede'] {
  const option = (options?.options ?? []).find((entry) => (entry as { code: number }).code === extendedError)
  const data = option?.data
  if (data === undefined || data.length < 2) return undefined
  return { code: data.readUInt16BE(0), text: printable(data.toString('utf8', 2)).replace(/\0+$/, '').slice(0, 300) }
}

function records (list: packet.Answer[] | undefined): DnsRecord[] {
  return (list ?? [])
    .filter((record) => !notKept.has(record.type))
    .slice(0, mostRecords)
    .map((record) => ({ name: hostName(record.name), type: record.type, ttl: (record as { ttl?: number }).ttl ?? 0, data: presentation(record) }))
}

/** The record's data as a zone file shows it, without final dots. */
function presentation (record: packet.Answer): string {
  switch (record.type) {
    case 'A': case 'AAAA': return record.data
    case 'CNAME': case 'NS': case 'DNAME': case 'PTR': return hostName(record.data)
    case 'TXT': return printable([record.data].flat().map((part) => part.toString()).join('')).slice(0, 4096)
    case 'CAA': return `${record.data.flags ?? 0} ${printable(record.data.tag)} "${printable(record.data.value)}"`
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data
      return [hostName(mname), hostName(rname), serial, refresh, retry, expire, minimum].join(' ')
    }
    case 'DS': return `${record.data.keyTag} ${record.data.algorithm} ${record.data.digestType} ${record.data.digest.toString('hex')}`
    default: {
      const data = (record as { data?: unknown }).data
      return Buffer.isBuffer(data) ? data.toString('hex').slice(0, 512) : printable(JSON.stringify(data ?? '')).slice(0, 512)
    }
  }
}

const hostName = (name: string): string => printable(name.toLowerCase()).replace(/\.$/, '')

/** Control characters as DNS writes them (`\009`): an answer is other people's text. */
const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`)
