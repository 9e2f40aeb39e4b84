import { cannotTell, defineCause, notApplicable } from '../cause.ts'
import { http01Facts, isPublicCa, readHttp01, saidByCa, strayedTo } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** Nobody in public DNS knows an address for the name, so neither the CA nor a visitor can find the server. */
export default defineCause({
  id: 'http01-dns-record-missing',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: [...http01Facts, 'addresses', 'issuer'],
  title: '{dnsName} has no address record in public DNS',
  meaning: 'The CA looks {dnsName} up in public DNS before it connects, and finds no A or AAAA record ({what}). A record that only the cluster or the office network knows does not count.',
  remedy: [
    { do: 'Ask a public resolver.', run: 'dig +short A {dnsName} @1.1.1.1; dig +short AAAA {dnsName} @1.1.1.1' },
    'Create the A or AAAA record for the public address of the ingress; with external-dns, look why it did not.',
    'For a name that must stay internal, use a DNS-01 solver or a private CA.',
    { do: 'Then start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    ...saidByCa('nxdomain looking up (a|aaaa) for', { confidence: 'proven' }),
    // Also said when every address is a reserved one: proven only when public DNS is seen to be empty.
    ...saidByCa('no valid (a|aaaa) records found|no valid ip addresses found', { confidence: 'likely' }),
    ...saidByCa('could not resolve url', { confidence: 'proven' }),
    // Resolvers of Go, Java and Python, which private CAs ask: the name is not known.
    ...saidByCa('no such host|name or service not known|unknown ?host(exception)?\\b|enotfound|could not resolve host\\b|dns (query )?name does not exist|nodename nor servname|\\bno (a|aaaa|a or aaaa|address|ip address)\\b.{0,16}\\brecords?\\b', { confidence: 'likely', unless: 'txt record|dns-01|_acme-challenge' }),
    { in: everywhere, match: 'nxdomain|\\b(does|did|do) not (resolve|exist)|\\bno such (host|name|domain)|\\b(host|name|domain)\\b.{0,80}\\bnot (found|known)', when: { problem: ['dns'], wrapper: ['authorization', 'ca'], secondary: false, caa: false }, unless: 'looking up|txt|dns-01|_acme-challenge|caa|nameserver|ds record', confidence: 'likely' }
  ],
  related: ['http01-cluster-dns-wrong', 'domain-delegation-broken', 'http01-dns-private-address'],

  examine ({ hits, addresses, issuer, ...rest }) {
    const seen = valueIn(addresses)
    const reading = readHttp01(rest)
    // The host of a redirect is not the name.
    const [best] = hits.filter(({ text }) => strayedTo(text.core, rest.identifier.name) === undefined)
    if (best !== undefined) {
      // The same words are used when every address is a reserved one.
      if (seen !== undefined && seen.publicAddresses.length > 0 && seen.publicAddresses.every(({ class: kind }) => kind !== 'public')) return { is: 'ruled-out', by: ['addresses'], because: 'Public DNS does give an address, though a private one.' }
      const since = seen?.publicState === 'ok'
      const empty = seen?.publicState === 'nxdomain' || seen?.publicState === 'nodata'
      return { is: 'found', confidence: since ? 'likely' : empty ? 'proven' : best.rule.confidence, blanks: { what: since ? 'the CA found none; by now there is one' : 'the CA says so' }, because: seen === undefined ? [best] : [best, 'addresses'] }
    }
    if (seen === undefined) {
      const text = reading.selfCheck?.kind === 'dns' && strayedTo(reading.selfCheck.words, rest.identifier.name) === undefined && /no such host/i.test(reading.selfCheck.words) ? reading.selfCheck.cite : undefined
      if (typeof text === 'object') return { is: 'found', confidence: 'possible', blanks: { what: 'the cluster finds none; public DNS could not be asked' }, because: [text] }
      return addresses.is === 'unavailable' && reading.failure?.kind === 'dns' ? cannotTell(`addresses: ${addresses.why}`) : notApplicable
    }
    if (seen.publicState !== 'nxdomain' && seen.publicState !== 'nodata') return seen.publicState === 'ok' ? { is: 'ruled-out', by: ['addresses'] } : notApplicable
    if (reading.ca !== undefined && reading.ca.kind !== 'dns' && reading.ca.kind !== 'other' && typeof reading.ca.cite === 'object') return { is: 'ruled-out', by: [reading.ca.cite], because: 'The CA found an address and connected to it.' }
    const cited = reading.selfCheck?.kind === 'dns' && typeof reading.selfCheck.cite === 'object' ? [reading.selfCheck.cite] : []
    // A private CA may have a view of its own; with none inside either, no view is left that has the name.
    const nowhere = seen.clusterState === 'nxdomain' || seen.clusterState === 'nodata'
    const failed = nowhere && reading.ca !== undefined && typeof reading.ca.cite === 'object' ? [reading.ca.cite] : []
    return {
      is: 'found',
      confidence: isPublicCa(valueIn(issuer)) || failed.length > 0 ? 'likely' : 'possible',
      blanks: { what: seen.publicState === 'nxdomain' ? 'NXDOMAIN: the name does not exist there' : 'the name exists there, without an address' },
      because: ['addresses', ...cited, ...failed]
    }
  }
})
