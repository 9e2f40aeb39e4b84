import ipaddr from 'ipaddr.js'
import type { AddressFacts, RouteClaim, RoutingFacts } from '../../shared/types/case.ts'
import { cdnOfAddress } from '../cdn-addresses.ts'
import { cannotTell, defineCause, notApplicable, type Citation } from '../cause.ts'
import { classDiffers, http01Facts, isConnectFailure, isForeignAnswer, isPublicCa, readHttp01, solverClaim, strayedTo, type Failure, type Reading } from '../http01.ts'
import { valueIn } from '../reading.ts'

type Facts = 'addresses' | 'routing' | 'probeFromOutside' | 'probeFromCluster'

/** The name resolves, but to somebody else's server, or to a part of this cluster that does not serve the solver. */
export default defineCause({
  id: 'http01-dns-points-elsewhere',
  since: '0.1.0',
  stage: 'validation',
  needs: ['routing'],
  wants: [...http01Facts, 'addresses', 'issuer'],
  title: '{dnsName} leads to {address}, but the challenge is served at {own}',
  meaning: 'Public DNS sends the CA to {address} ({whose}). The solver is published at {own}, so the request for the token never reaches it.',
  remedy: [
    { do: 'Compare the record with the address of the ingress.', run: 'dig +short A {dnsName} @1.1.1.1; kubectl get ingress,gateway -A -o wide' },
    'Correct the A/AAAA/CNAME record (or external-dns) so that it leads to {own}, or let the solver use the ingress class or Gateway that the name already leads to.',
    { do: 'Then start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  related: ['http01-port80-blocked', 'http01-other-backend-answers', 'http01-ingress-class-mismatch'],

  examine ({ addresses: look, routing, issuer, ...rest }) {
    if (look.is === 'absent') return notApplicable
    if (look.is === 'unavailable') {
      const told = metByCa(readHttp01(rest), routing, rest.identifier.name)
      // A private CA may come by an address of its own network that the cluster knows nothing of.
      if (told === undefined || !isPublicCa(valueIn(issuer))) return cannotTell(`addresses: ${look.why}`)
      return { is: 'found', confidence: 'likely', blanks: { ...told, whose: 'not an address of this cluster' }, because: [told.cite, 'routing'] }
    }
    const addresses = look.value
    const { publicAddresses } = addresses
    const reachable = publicAddresses.filter(({ class: kind }) => kind === 'public')
    if (reachable.length === 0) return notApplicable
    const reading = readHttp01(rest)
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const seenCdn = reading.outside?.cdn ?? reading.inside?.cdn
    const cdn = seenCdn ?? cdnOfAddress(reachable[0]?.address)
    if (cdn !== undefined) return { is: 'ruled-out', by: [seenCdn === undefined ? 'addresses' : reading.outside?.cdn === undefined ? 'probeFromCluster' : 'probeFromOutside'], because: `${cdn} stands in front of the name.` }

    const misled = isConnectFailure(reading.failure) || isForeignAnswer(reading.failure) || reading.failure?.kind === 'tls'
    const because: [Citation<Facts>, ...Citation<Facts>[]] = reading.failure === undefined ? ['addresses', 'routing'] : [reading.failure.cite, 'addresses', 'routing']
    const foreign = reachable.filter(({ ownedBy }) => ownedBy === undefined)
    const [other] = foreign
    if (other !== undefined) {
      const own = publicOwn(routing)
      // Behind address translation the cluster does not know its own public address.
      const parked = reading.outside?.bodyKind === 'parking' || reading.inside?.bodyKind === 'parking'
      if (own === undefined && !parked) return misled ? cannotTell('the cluster shows no public address of its own to compare with') : notApplicable
      const hit = reading.failure?.address
      // An alias record gives the load balancer's addresses without its name: then only its own would tell.
      const blind = own !== undefined && addresses.unresolvedHosts?.includes(own) === true && addresses.views.every(({ cname }) => cname.length === 0)
      const all = foreign.length === reachable.length || (hit !== undefined && foreign.some(({ address }) => address === hit))
      // Only the IPv6 address leads elsewhere: that is a cause of its own.
      const onlySix = foreign.every(({ family }) => family === 6) && reachable.some(({ family, ownedBy }) => family === 4 && ownedBy !== undefined)
      return {
        // A private CA may come by an address of its own network that the cluster knows nothing of.
        is: 'found', confidence: !onlySix && ((all && misled && !blind && isPublicCa(valueIn(issuer))) || parked) ? 'likely' : 'possible',
        blanks: { address: other.address, own: own ?? 'another address', whose: 'not an address of this cluster' }, because
      }
    }
    return besideTheSolver(addresses, routing, misled, because)
  }
})

/** DNS cannot be asked; but the CA says which address it met, and the cluster shows its own. */
function metByCa ({ ca }: Reading, routing: RoutingFacts, name: string): { address: string, own: string, cite: Failure['cite'] } | undefined {
  const own = publicOwn(routing)
  const address = ca?.address
  if (ca === undefined || address === undefined || own === undefined || !(isConnectFailure(ca) || isForeignAnswer(ca) || ca.kind === 'tls') || cdnOfAddress(address) !== undefined) return undefined
  // Behind a redirect it is the address of another name.
  if (strayedTo(ca.words, name) !== undefined) return undefined
  // A load balancer whose name alone is known may have any address, and IPv6 is a cause of its own.
  const fronts = routing.clusterAddresses.filter(({ owner }) => !owner.startsWith('Node '))
  const comparable = !address.includes(':') && fronts.every(item => ipaddr.isValid(item.address))
  return comparable && !routing.clusterAddresses.some(item => item.address === address) ? { address, own, cite: ca.cite } : undefined
}

/** All addresses are the cluster's, but those of another controller or Gateway than the solver's. */
function besideTheSolver ({ publicAddresses }: AddressFacts, routing: RoutingFacts, misled: boolean, because: [Citation<Facts>, ...Citation<Facts>[]]) {
  const solver = solverClaim(routing)
  const stated = solver === undefined ? [] : solver.addresses.length > 0 ? solver.addresses : addressesOfClass(routing, solver)
  const published = stated.filter(address => ipaddr.isValid(address))
  const [first] = publicAddresses
  if (first === undefined) return notApplicable
  const ours = { is: 'ruled-out' as const, by: ['addresses'] as ['addresses'], because: `${first.address} is an address of this cluster (${first.ownedBy ?? 'its own'}).` }
  if (solver === undefined || published.length === 0 || published.length < stated.length) return ours
  // 127.0.0.1 and the like are published by controllers that do not know their own front.
  if (published.some(address => ['loopback', 'unspecified', 'linkLocal'].includes(ipaddr.parse(address).range())) || publicAddresses.some(({ address }) => published.includes(address))) return ours
  if (!misled) return notApplicable
  return {
    is: 'found' as const, confidence: classDiffers(routing) ? 'possible' as const : 'likely' as const,
    blanks: { address: first.address, own: published.join(', '), whose: first.ownedBy ?? 'of this cluster' }, because
  }
}

/** Where a solver that is gone was published: with the site's Ingress, if that is of the same class. */
function addressesOfClass ({ claims }: RoutingFacts, { className, ownership }: RouteClaim): string[] {
  if (ownership === 'unowned' || className === undefined) return []
  return claims.find(({ kind, solver, host, className: own, addresses }) => kind === 'Ingress' && !solver && host !== '' && own === className && addresses.length > 0)?.addresses ?? []
}

/** An address of the cluster that the internet could use. */
function publicOwn ({ clusterAddresses, claims }: RoutingFacts): string | undefined {
  const usable = (address: string): boolean => !ipaddr.isValid(address) || ipaddr.parse(address).range() === 'unicast' || ipaddr.parse(address).range() === 'reserved'
  const published = claims.filter(({ solver }) => solver).flatMap(({ addresses }) => addresses)
  return published.find(usable) ?? clusterAddresses.find(({ address, owner }) => !owner.startsWith('Node ') && usable(address))?.address
}
