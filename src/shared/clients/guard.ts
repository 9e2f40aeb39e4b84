import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What the operator and the mode of running let through beside public addresses. */
export interface GuardOptions {
  /** CIDRs or single addresses the operator listed. */
  allow: readonly string[]
  /** Replay: documentation ranges stand for public ones. */
  documentationIsPublic?: boolean
}

/** Decides where a probe may go. One rule for every address, every hop and every port. */
export interface Guard {
  /** Why this address and port may not be dialled; undefined when it may. */
  refuses (address: string, port: number): string | undefined
  /** The same guard, letting through the cluster's own ingress addresses too. */
  owning (addresses: readonly string[]): Guard
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Cidr = [Address, number]

const ports = new Set([53, 80, 443])

/** Cloud metadata and host services: refused even inside a range that the operator allows. */
const neverRanges: Cidr[] = [
  '169.254.0.0/16', 'fe80::/10', '0.0.0.0/8', '::/128', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32',
  'fd00:ec2::/32', 'fd20:ce::254/128', '224.0.0.0/4', 'ff00::/8', '255.255.255.255/32'
].map((text) => ipaddr.parseCIDR(text))

const documentation: Cidr[] = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32'].map((text) => ipaddr.parseCIDR(text))
const globalUnicast6 = ipaddr.parseCIDR('2000::/3')

/** The plain words for what ipaddr.js calls a range. */
const rangeWords = new Map([
  ['private', 'a private address'], ['loopback', 'a loopback address'], ['linkLocal', 'a link-local address'],
  ['carrierGradeNat', 'a carrier-grade NAT address'], ['uniqueLocal', 'a unique-local address'], ['rfc6052', 'a NAT64 address'],
  ['6to4', 'a 6to4 address'], ['teredo', 'a Teredo address'], ['multicast', 'a multicast address'], ['unspecified', 'the unspecified address']
])

/**
 * The address as a value, IPv4-mapped unwrapped; undefined for anything that is not a plain
 * literal (octal, decimal and zoned forms are how filters get tricked).
 */
export function parseAddress (text: string): Address | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined
  const address = ipaddr.parse(text)
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

/** Documentation addresses (RFC 5737, RFC 3849), which a recorded case uses for public ones. */
export function isDocumentation (text: string): boolean {
  const address = parseAddress(text)
  return address !== undefined && within(address, documentation)
}

/** Link-local, metadata and multicast: not even the CA's client may go there. */
export function isNeverDialled (text: string): boolean {
  const address = parseAddress(text)
  return address === undefined || within(address, neverRanges)
}

/** The one SSRF guard: public unicast, what the operator lists, what is this cluster's own; ports 53, 80, 443. */
export function buildGuard (options: GuardOptions): Guard {
  const allowed = options.allow.map(parseRange).filter((range) => range !== undefined)
  const build = (own: Set<string>): Guard => ({
    refuses (text, port) {
      if (!ports.has(port)) return `port ${port} is not probed (only 53, 80 and 443)`
      const address = parseAddress(text)
      if (address === undefined) return `${text} is not an IP address`
      const canonical = address.toString()
      if (within(address, neverRanges)) return `${canonical} is ${describe(address)}, which is never probed`
      if (own.has(canonical) && address.range() !== 'loopback') return undefined
      if (within(address, allowed)) return undefined
      if (options.documentationIsPublic === true && within(address, documentation)) return undefined
      if (isPublic(address)) return undefined
      return `${canonical} is ${describe(address)}, which is not probed unless probes.allow lists it`
    },
    owning: (addresses) => build(new Set([...own, ...addresses.flatMap((text) => parseAddress(text)?.toString() ?? [])]))
  })
  return build(new Set())
}

function isPublic (address: Address): boolean {
  if (address.range() !== 'unicast') return false
  // ipaddr.js calls everything unassigned "unicast", IPv4-compatible ::a.b.c.d included.
  return address instanceof ipaddr.IPv4 || address.match(globalUnicast6 as [ipaddr.IPv6, number])
}

function within (address: Address, ranges: readonly Cidr[]): boolean {
  return ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range as never, bits))
}

function parseRange (text: string): Cidr | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  const address = parseAddress(text)
  return address && [address, address.kind() === 'ipv4' ? 32 : 128]
}

function describe (address: Address): string {
  return rangeWords.get(address.range()) ?? (address.range() === 'unicast' ? 'a cloud metadata address' : 'a reserved address')
}
