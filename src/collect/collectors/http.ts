import { isIPv6 } from 'node:net'
import { seen, unavailable } from '../../shared/types/common.ts'
import type { HttpHop, HttpLook, Vantage } from '../../shared/types/observations.ts'
import { walk } from '../../shared/clients/http-probe.ts'
import type { Guard } from '../../shared/clients/guard.ts'
import type { OutsideIdentifier } from '../outside-request.ts'
import type { Round } from '../outside-round.ts'
import { resolveName } from './dns.ts'

/** Asked for when the token is unknown: shows who answers the path, and that is worth knowing too. */
const madeUpToken = 'acme-triage-no-such-token'
const mostAddresses = 6

/** The challenge path of an identifier as the CA would ask for it. */
function challengeUrl (identifier: Pick<OutsideIdentifier, 'name' | 'token'>): string {
  return `http://${isIPv6(identifier.name) ? `[${identifier.name}]` : identifier.name}${challengePath(identifier.token)}`
}

/** `/.well-known/acme-challenge/<token>`; a token that is no base64url text is not put into a URL. */
export function challengePath (token: string | undefined): string {
  return `/.well-known/acme-challenge/${token !== undefined && /^[\w-]+$/.test(token) ? token : madeUpToken}`
}

/** Walks the challenge path on each address separately, as the CA does: one address may be broken alone. */
export async function probeChallenge (round: Round, identifier: OutsideIdentifier, addresses: readonly string[], guard: Guard): Promise<void> {
  const url = challengeUrl(identifier)
  await Promise.all(addresses.slice(0, mostAddresses).map((address) => walkOnce(round, 'cluster', identifier, url, address, guard)))
}

async function walkOnce (round: Round, vantage: Vantage, identifier: OutsideIdentifier, url: string, address: string, guard: Guard): Promise<HttpLook> {
  const resolve = async (host: string): Promise<string[]> => {
    const { cluster, public: outside } = await resolveName(round, host).early
    return [...outside, ...cluster]
  }
  const what = `http ${identifier.name} at ${address} from ${vantage}`
  return round.look(['http', vantage, url, address, identifier.key ?? ''].join('|'), what, 'http', `${address}:80`, async () => {
    const at = round.clients.clock.now()
    const began = performance.now()
    const { hops, served } = await walk(round.clients.http, { url, address, guard, resolve, expected: identifier.key, signal: round.signal })
    return httpLook({ vantage, purpose: 'challenge', dnsName: identifier.name, url, address, at, ms: Math.round(performance.now() - began), ...(served !== undefined && { served }) }, hops, round.cutShort(began))
  })
}

/** A walk that never left (nothing recorded, refused by the guard) or was cut short saw nothing; every other end is something seen. */
export function httpLook (look: Omit<HttpLook, 'look'>, hops: HttpHop[], cutShort: boolean): HttpLook {
  const failure = hops[0]?.failure
  const neverLeft = hops.length <= 1 && (failure?.code === 'not-recorded' || failure?.code === 'blocked')
  if (neverLeft) return { ...look, look: unavailable(failure.text) }
  if (cutShort && hops.at(-1)?.failure?.code === 'timeout') return { ...look, look: unavailable('the deadline of this look came before an answer') }
  return { ...look, look: seen({ hops }) }
}
