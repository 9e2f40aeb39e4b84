import { defineCause } from '../cause.ts'
import { notOfTxt, ofTxt, withTheCa } from '../sources.ts'

/** The name servers are reached and answer SERVFAIL, REFUSED or as if the zone were not theirs. */
export default defineCause({
  id: 'dns01-nameserver-failing',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  wants: ['delegation', 'txt'],
  title: 'Name servers of {dnsName} answer with an error',
  meaning: 'The servers that hold the zone, or the resolver that is asked, do not answer properly: {text}',
  remedy: [
    { do: 'Ask each server for the zone.', run: 'for ns in $(dig +short NS {dnsName}); do dig +norecurse SOA {dnsName} @$ns; done' },
    'Repair or remove the server that answers SERVFAIL or REFUSED; a REFUSED at every server usually means that the zone is not hosted there any more.'
  ],
  related: ['dns01-dnssec-invalid', 'domain-delegation-broken'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'NS \\S+ returned (?:SERVFAIL|REFUSED|NOTIMP|FORMERR|NOTAUTH) for', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'rcode was expected to be .{0,40}but got \\W*(?:SERVFAIL|REFUSED|NOTIMP|FORMERR)', confidence: 'likely' },
    // The second: the zone was found, then the resolver named no server for it, whatever its rcode.
    { in: ['challenge', 'event', 'log', 'alert'], match: 'unexpected response code \\W*(?:SERVFAIL|REFUSED)|could not determine authoritative nameservers for', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: ofTxt('(?:could|can) ?not (?:be )?(?:resolved?|determined?)\\b|(?:no|none of the) (?:authoritative )?name ?servers?\\b.{0,60}(?:answer\\w*|respon\\w+|repl\\w+)|SERVFAIL|server (?:failure|failed|misbehaving)|servers?\\b.{0,40}\\b(?:broken|malfunction\\w*)|\\brcode\\W{1,3}(?:2|5)\\b|\\bREFUSED\\b|refused (?:the |our |to )|\\blame\\b|not authoritative|(?:malformed|invalid|garbled) (?:DNS )?(?:response|reply|packet)|FORMERR|NOTIMP'), unless: notOfTxt + '|connection refused', confidence: 'likely', when: { wrapper: withTheCa } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:^|: )dns: (?:bad rdata|bad rr|buffer size too small|overflow\\w*|id mismatch|failed to unpack|short read)', confidence: 'likely', when: { wrapper: ['self-check', 'present'] } },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: '(?:SERVFAIL|REFUSED|FORMERR|NOTIMP) looking up TXT', when: { caa: false }, confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'looking up TXT for \\S+: (?:Not Authoritative|Invalid Data|Cached Error|Prohibited)|Error retrieving TXT records for DNS challenge', when: { caa: false }, confidence: 'likely' }
  ],

  examine ({ hits, delegation }) {
    const [best] = hits
    if (best === undefined) return { is: 'not-applicable' }
    // A server that fails because its signatures do belongs to DNSSEC.
    const bogus = delegation.is === 'seen' && delegation.value.dnssec === 'bogus'
    return { is: 'found', confidence: bogus ? 'possible' : best.rule.confidence, blanks: {}, because: delegation.is === 'seen' ? [best, 'delegation'] : [best] }
  }
})
