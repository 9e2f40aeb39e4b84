import type { DnsType, DnsLook } from '../../shared/types/observations.ts'
import { unavailable } from '../../shared/types/common.ts'
import type { Round } from '../outside-round.ts'
import { ancestors, dataOf } from './dns-names.ts'

/** A zone and its authoritative servers with their addresses. */
export interface Zone { name: string, servers: { name: string, addresses: string[] }[] }

const mostServers = 8
/** Of one server and family: more are the same anycast cloud. */
const mostAddresses = 2

/**
 * The zone that a name stands in: the closest name above it with an SOA or NS set of its own, as
 * public resolvers see it. Its servers are resolved over A and AAAA.
 */
export async function findZone (round: Round, name: string, brief = false): Promise<Zone | undefined> {
  const report = `delegation of ${name}`
  const candidates = await Promise.all(ancestors(name).map(async (candidate) => {
    // Hosts of a large order are seldom zones of their own: one question tells.
    const [soa, ns] = await Promise.all((['SOA', 'NS'] as const).map((type) => brief && candidate === name && type === 'NS' ? undefined : round.askPublic({ name: candidate, type }, report)))
    return { candidate, cut: dataOf(soa, 'SOA', candidate).length > 0 || dataOf(ns, 'NS', candidate).length > 0, ns: dataOf(ns, 'NS', candidate) }
  }))
  const zone = candidates.find(({ cut }) => cut)
  if (zone === undefined) return undefined
  const names = [...new Set(zone.ns)].sort().slice(0, mostServers)
  return { name: zone.candidate, servers: await resolveServers(round, names, report) }
}

async function resolveServers (round: Round, names: string[], report: string): Promise<Zone['servers']> {
  return Promise.all(names.map(async (name) => {
    const [a, aaaa] = await Promise.all((['A', 'AAAA'] as const).map((type) => round.askPublic({ name, type }, report)))
    return { name, addresses: [...dataOf(a, 'A').slice(0, mostAddresses), ...dataOf(aaaa, 'AAAA').slice(0, 1)] }
  }))
}

/** Asks every authoritative server of the zone the same question, recursion off. */
export async function askAuthoritative (round: Round, zone: Zone, name: string, type: DnsType): Promise<DnsLook[]> {
  const looks = await Promise.all(zone.servers.map(async (server) => {
    if (server.addresses.length === 0) {
      const look: DnsLook = { vantage: 'authoritative', server: server.name, name, type, at: round.clients.clock.now(), ms: 0, look: unavailable(`no address is known for the name server ${server.name}`), failure: 'name-server-unknown' }
      round.take([look], [])
      return [look]
    }
    return Promise.all(server.addresses.map((address) => askServer(round, server.name, address, name, type)))
  }))
  return looks.flat()
}

async function askServer (round: Round, server: string, address: string, name: string, type: DnsType): Promise<DnsLook> {
  const label = `${server} (${address})`
  const refusal = round.clients.guard.refuses(address, 53)
  if (refusal !== undefined) {
    const look: DnsLook = { vantage: 'authoritative', server: label, name, type, at: round.clients.clock.now(), ms: 0, look: unavailable(refusal), failure: 'blocked' }
    round.take([look], [])
    return look
  }
  return round.ask({ vantage: 'authoritative', server: label, address, name, type, recursion: false, report: `${type} ${name} at ${label}` })
}

/** SOA at every server (lame servers, serials), DS for DNSSEC, and the parent's own view of the NS set. */
export async function checkDelegation (round: Round, zone: Zone): Promise<void> {
  await Promise.all([
    askAuthoritative(round, zone, zone.name, 'SOA').then((looks) => askStrictly(round, zone, looks)),
    askAuthoritative(round, zone, zone.name, 'NS'),
    round.askPublic({ name: zone.name, type: 'DS' }, `delegation of ${zone.name}`),
    askParent(round, zone)
  ])
}

/** The servers that answer are asked once more as a CA's resolver may have to ask: over TCP and in mixed case. */
async function askStrictly (round: Round, zone: Zone, looks: DnsLook[]): Promise<void> {
  const well = new Set(looks.filter((look) => dataOf(look, 'SOA').length > 0).map(({ server }) => server))
  await Promise.all(zone.servers.flatMap(({ name, addresses }) => addresses.map(async (address) => {
    const server = `${name} (${address})`
    if (well.has(server)) await round.ask({ vantage: 'authoritative', server, address, name: zone.name, type: 'SOA', recursion: false, overTcp: true, report: `SOA ${zone.name} over TCP at ${server}` })
  })))
}

/** Two servers of the parent are enough: the question is what the delegation says, not whether the parent is well. */
async function askParent (round: Round, zone: Zone): Promise<void> {
  const above = zone.name.split('.').slice(1).join('.')
  if (above === '') return
  const report = `delegation of ${zone.name}`
  for (const candidate of ancestors(above)) {
    const names = dataOf(await round.askPublic({ name: candidate, type: 'NS' }, report), 'NS', candidate).sort().slice(0, 2)
    if (names.length === 0) continue
    const servers = await resolveServers(round, names, report)
    await askAuthoritative(round, { name: candidate, servers: servers.map((server) => ({ ...server, addresses: server.addresses.slice(0, 1) })) }, zone.name, 'NS')
    return
  }
}
