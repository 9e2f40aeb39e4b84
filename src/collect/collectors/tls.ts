import { seeCertificate } from '../../shared/clients/http-probe.ts'
import type { Guard } from '../../shared/clients/guard.ts'
import type { OutsideIdentifier } from '../outside-request.ts'
import type { Round } from '../outside-round.ts'
import { httpLook } from './http.ts'

/** The certificate that clients of the name get on 443 now, at one address of each family. */
export async function seeServedCertificate (round: Round, identifier: OutsideIdentifier, addresses: readonly string[], guard: Guard): Promise<void> {
  const one = (family: (address: string) => boolean): string[] => addresses.filter(family).slice(0, 1)
  const chosen = [...one((address) => !address.includes(':')), ...one((address) => address.includes(':'))]
  await Promise.all(chosen.map((address) => round.look(['tls', identifier.name, address].join('|'), `certificate of ${identifier.name} at ${address}`, 'tls', `${address}:443`, async () => {
    const at = round.clients.clock.now()
    const began = performance.now()
    const hop = await seeCertificate(round.clients.http, identifier.name, address, guard, round.signal)
    return httpLook({ vantage: 'cluster', purpose: 'served-certificate', dnsName: identifier.name, url: hop.url, address, at, ms: hop.ms }, [hop], round.cutShort(began))
  })))
}
