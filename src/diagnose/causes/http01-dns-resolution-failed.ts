import { defineCause, notApplicable } from '../cause.ts'
import { http01Facts, readHttp01, saidByCa } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** The name's servers do not give an answer that a validating resolver accepts. */
export default defineCause({
  id: 'http01-dns-resolution-failed',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: [...http01Facts, 'addresses', 'delegation'],
  title: 'The address of {dnsName} cannot be resolved: {what}',
  meaning: 'The name servers of {dnsName} answer with an error, not at all, or with signatures that do not hold ({what}). It is not that the record is missing: nobody can tell.',
  remedy: [
    { do: 'Ask with and without validation.', run: 'dig A {dnsName} @1.1.1.1; dig +cd A {dnsName} @1.1.1.1' },
    { do: 'Ask each authoritative server.', run: 'dig +nssearch {dnsName}; dig +trace A {dnsName}' },
    'Repair the name servers, the delegation or the DS record at the registrar.'
  ],
  texts: [
    ...saidByCa('(?P<what>servfail|refused|formerr|notimp) looking up (a|aaaa) for', { confidence: 'proven' }),
    ...saidByCa('query timed out( \\(and was canceled\\))? looking up (a|aaaa) for', { confidence: 'likely' }),
    ...saidByCa('looking up (a|aaaa) for \\S+: (?P<what>dnssec: [a-z ]+|no reachable authority|network error between resolver and authority|not authoritative|prohibited|blocked|filtered|invalid data|stale[a-z ]*)', { confidence: 'proven' }),
    ...saidByCa('looking up (a|aaaa) for \\S+: (?P<what>cached error|unknown extended dns error code \\d+)', { confidence: 'likely' }),
    ...saidByCa('servfail|dns server failure', { confidence: 'likely', unless: 'servfail looking up|looking up (a|aaaa) for|caa|txt|_acme-challenge' }),
    ...saidByCa('problem with a dns query during identifier validation|could not resolve|dns resolution failed|temporary failure in name resolution', { confidence: 'possible', unless: 'could not resolve (url|host\\b)|does not exist|txt record|dns-01|_acme-challenge' }),
    { in: everywhere, match: '.', when: { problem: ['dns'], wrapper: ['authorization', 'ca'], secondary: false, caa: false }, unless: 'no valid|nxdomain|not (exist|found|known|resolve)|no such|enotfound|records? (could|was|were|found)|txt|dns-01|_acme-challenge|caa|reserved|private', confidence: 'possible' }
  ],
  related: ['domain-delegation-broken', 'http01-dns-record-missing'],

  examine ({ hits, addresses, delegation, ...rest }) {
    const seen = valueIn(addresses)
    const [best, ...more] = hits
    if (best !== undefined) {
      const gone = seen?.publicState === 'ok' && best.rule.confidence === 'proven'
      return { is: 'found', confidence: gone ? 'likely' : best.rule.confidence, blanks: { what: best.groups.what ?? 'the CA got no usable answer' }, because: [best, ...more.slice(0, 2)] }
    }
    if (seen === undefined) return notApplicable
    const reading = readHttp01(rest)
    if (reading.ca !== undefined && reading.ca.kind !== 'dns' && reading.ca.kind !== 'other' && typeof reading.ca.cite === 'object') return { is: 'ruled-out', by: [reading.ca.cite], because: 'The CA found an address and connected to it.' }
    if (seen.publicState === 'ok') return { is: 'ruled-out', by: ['addresses'] }
    if (seen.publicState !== 'servfail' && seen.publicState !== 'refused' && seen.publicState !== 'timeout') return notApplicable
    const bogus = valueIn(delegation)?.dnssec === 'bogus'
    // A time-out of ours may be a closed port 53 on our side.
    return {
      is: 'found', confidence: seen.publicState === 'timeout' ? 'possible' : 'likely',
      blanks: { what: bogus ? 'DNSSEC does not validate' : seen.publicState === 'timeout' ? 'no answer in time' : seen.publicState.toUpperCase() },
      because: bogus ? ['addresses', 'delegation'] : ['addresses']
    }
  }
})
