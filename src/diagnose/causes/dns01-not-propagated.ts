import { defineCause, notApplicable } from '../cause.ts'
import { anotherValue, notOfTxt, ofTxt, withTheCa } from '../sources.ts'

/** The record was written (or should have been) and the servers that count do not serve it yet. */
export default defineCause({
  id: 'dns01-not-propagated',
  since: '0.1.0',
  stage: 'self-check',
  needs: [],
  variants: ['none', 'partial'],
  wants: ['txt', 'challenge', 'delegation'],
  title: 'The TXT record of _acme-challenge.{dnsName} is not served by {lacking}',
  meaning: 'The challenge needs the same TXT value at every authoritative server; {lacking} did not serve it.',
  remedy: [
    { do: 'Ask every authoritative server of the zone.', run: 'for ns in $(dig +short NS {dnsName}); do dig +norecurse TXT _acme-challenge.{dnsName} @$ns; done' },
    'Compare the SOA serials: a server that lags needs its zone transfer repaired; if no server has the record, look at the provider\'s console for the zone it went to.',
    'Then wait: cert-manager asks again every 10 seconds, without spending a rate limit.'
  ],
  related: ['dns01-stale-txt-record', 'dns01-split-horizon', 'dns01-wrong-hosted-zone', 'dns01-cname-delegation-broken'],
  texts: [
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'No TXT records? found (?:at|for)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'NXDOMAIN looking up TXT', confidence: 'proven' },
    // step-ca's and Pebble's words.
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'looking up TXT records? for domain .{0,200}no such host|Error retrieving TXT records for DNS challenge.{0,200}(?:NXDOMAIN|no such host)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: ofTxt('\\blacks?\\b|not (?:yet |be )?(?:there|found|located|present|exist|published|visible|detected|seen|resolvable|resolve)|returned nothing|nothing (?:was )?(?:found|returned)|inconsistent|not (?:all|every)\\b|(?:only )?some of (?:the|its)|\\b(?:no|any|zero|0) (?:\\w+ ){0,2}(?:TXT|records?|answers?|data|entry|entries|results?)\\b|NXDOMAIN|NODATA|no such (?:host|name|domain)|(?:not|n\'t) (?:find|exist|see|locate|have)|unable to (?:find|locate|see)|failed to (?:find|locate)|\\bmissing\\b|\\bempty\\b|\\babsent\\b|non-?existent') + '|\\b(?:no|zero|0) (?:\\w+ )?TXT records?\\b', unless: `${notOfTxt}|Error retrieving TXT|SERVFAIL|${anotherValue}`, confidence: 'likely', when: { wrapper: withTheCa } },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'did not return the expected TXT record', confidence: 'likely' },
    { in: ['challenge', 'log', 'alert'], match: 'DNS record for \\S+ not yet propagated', confidence: 'possible' }
  ],

  examine ({ hits, txt, challenge }) {
    const [best] = hits
    if (txt.is !== 'seen' || txt.value.state === 'unknown') {
      return best === undefined ? notApplicable : { is: 'found', confidence: best.rule.confidence === 'possible' ? 'possible' : 'likely', variant: 'none', blanks: { lacking: 'the authoritative servers' }, because: [best] }
    }
    const { state, servers, expected, foreignDigests } = txt.value
    // What the CA and the self-check ask are the authoritative servers; a resolver only repeats them.
    const authoritative = servers.filter(({ vantage, failure }) => vantage === 'authoritative' && failure === undefined)
    const asked = authoritative.length > 0 ? authoritative : servers.filter(({ vantage, failure }) => vantage === 'public' && failure === undefined)
    const lacking = asked.filter(({ hasExpected }) => !hasExpected)
    const having = asked.filter(({ hasExpected }) => hasExpected)
    const presented = challenge.is === 'seen' && challenge.value.presented
    const heard = best !== undefined || presented
    if (!heard || expected === undefined || asked.length === 0) return best === undefined ? notApplicable : { is: 'found', confidence: 'possible', variant: 'none', blanks: { lacking: 'the authoritative servers' }, because: [best] }
    if (lacking.length === 0) {
      return best?.rule.confidence === 'proven'
        ? { is: 'found', confidence: 'likely', variant: 'none', blanks: { lacking: 'the servers that the CA asked (they do now)' }, because: [best, 'txt'] }
        : { is: 'ruled-out', by: ['txt'], because: 'Every authoritative server serves the expected TXT value.' }
    }
    const names = lacking.map(({ server }) => server.replace(/ \(.*\)$/, '')).join(', ')
    if (having.length > 0) return { is: 'found', confidence: 'proven', variant: 'partial', blanks: { lacking: names }, because: best === undefined ? ['txt'] : ['txt', best] }
    // The record is taken away after a failure, so its absence now says little about then.
    const gone = challenge.is === 'seen' && !challenge.value.presented
    if (gone && best === undefined) return notApplicable
    // A value that is no digest, an SPF policy say, comes of a wildcard record: nobody's challenge stands there.
    if (state === 'other-values' && foreignDigests.length > 0 && lacking.every(({ values }) => values.length > 0)) return { is: 'ruled-out', by: ['txt'], because: 'The servers answer with other TXT values.' }
    return { is: 'found', confidence: best?.rule.confidence === 'proven' && !gone ? 'proven' : 'likely', variant: 'none', blanks: { lacking: names }, because: best === undefined ? ['txt'] : [best, 'txt'] }
  }
})
