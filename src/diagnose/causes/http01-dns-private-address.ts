import { cannotTell, defineCause, notApplicable } from '../cause.ts'
import { http01Facts, isLoopback, isPublicCa, readHttp01, saidByCa } from '../http01.ts'
import { valueIn } from '../reading.ts'

/** The private address that a name spells, as those of nip.io, sslip.io and their like do. */
const spelled = /(?:^|[.-])((?:10|127)(?:[.-]\d{1,3}){3}|(?:192[.-]168|172[.-](?:1[6-9]|2\d|3[01]))(?:[.-]\d{1,3}){2})(?=[.-]|$)/

/** Public DNS gives an address that only exists behind some router; the CA does not even try it. */
export default defineCause({
  id: 'http01-dns-private-address',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'addresses', 'issuer'],
  title: '{dnsName} leads to {address}, a {kind} address that the CA cannot reach',
  meaning: 'Public DNS answers with {address}. Addresses of that kind are not routed on the internet, and CAs leave them out before they connect.',
  remedy: [
    { do: 'Ask a public resolver.', run: 'dig +short A {dnsName} @1.1.1.1' },
    'Let the record lead to the public address of the load balancer or router, with port 80 forwarded to the ingress.',
    'For a name that must stay internal, use a DNS-01 solver: it needs no connection to the name.'
  ],
  texts: saidByCa('\\b(resolves?|points?|leads?)\\b.{0,24}\\b((private|reserved|internal|loopback|non-?public|rfc ?1918)\\b.{0,12}\\baddress|address that is not (permitted|allowed))', { confidence: 'likely' }),
  related: ['http01-dns-record-missing', 'http01-dns-points-elsewhere'],

  examine ({ hits, addresses: looked, issuer, ...rest }) {
    const addresses = valueIn(looked)
    const [best] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { address: /\b\d+\.\d+\.\d+\.\d+\b/.exec(best.text.core)?.[0] ?? 'an address', kind: 'private' }, because: addresses === undefined ? [best] : [best, 'addresses'] }
    const reading = readHttp01(rest)
    const said = reading.ca?.kind === 'dns' && typeof reading.ca.cite === 'object' && /no valid (a|aaaa|ip)/i.test(reading.ca.words) ? reading.ca.cite : undefined
    if (addresses === undefined) {
      const own = spelled.exec(rest.identifier.name)?.[1]?.replaceAll('-', '.')
      if (said !== undefined && own !== undefined) return { is: 'found', confidence: 'likely', blanks: { address: own, kind: 'private' }, because: [said] }
      // No hairpin and no firewall: the check called on itself, since the name says so.
      const { selfCheck } = reading
      if (selfCheck !== undefined && isLoopback(selfCheck.address)) return { is: 'found', confidence: 'possible', blanks: { address: selfCheck.address!, kind: 'loopback' }, because: [selfCheck.cite] }
      return looked.is === 'unavailable' ? cannotTell(`addresses: ${looked.why}`) : notApplicable
    }
    const { publicAddresses } = addresses
    const hidden = publicAddresses.filter(({ class: kind }) => kind !== 'public')
    const [first] = hidden
    if (first === undefined) return publicAddresses.length > 0 ? { is: 'ruled-out', by: ['addresses'] } : notApplicable
    if (reading.servedOutside) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const blanks = { address: first.address, kind: first.class }
    if (said !== undefined && hidden.length === publicAddresses.length) return { is: 'found', confidence: 'proven', blanks, because: [said, 'addresses'] }
    // A private CA may well live in the same network.
    if (!isPublicCa(valueIn(issuer))) return reading.failure === undefined ? notApplicable : { is: 'found', confidence: 'possible', blanks, because: ['addresses'] }
    return { is: 'found', confidence: hidden.length === publicAddresses.length ? 'likely' : 'possible', blanks, because: ['addresses'] }
  }
})
