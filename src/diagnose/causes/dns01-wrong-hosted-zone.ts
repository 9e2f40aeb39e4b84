import { defineCause, notApplicable } from '../cause.ts'

/** The record goes into a zone of the same name that the world does not ask: private beside public, or one of two. */
export default defineCause({
  id: 'dns01-wrong-hosted-zone',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['txt', 'challenge', 'delegation'],
  title: 'The TXT record of {dnsName} goes into a zone that the world does not ask',
  meaning: 'The provider took the record, and it went into another zone of the same name (a private one, or the second of two), or the zone does not hold this name: {text}',
  remedy: [
    { do: 'Compare the zone\'s name servers at the provider with those that the world asks.', run: 'dig +short NS {dnsName} @1.1.1.1' },
    'Name the public zone in the solver (Route 53: hostedZoneID; Google: hostedZoneName; Azure: hostedZoneName and resource group).'
  ],
  related: ['dns01-not-propagated', 'dns01-split-horizon'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'RRSet with DNS name (?P<written>\\S+) is not permitted in zone', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'multiple (?:hosted )?zones (?:found )?(?:for|match)|too many (?:\\w+ )?(?:zones|domains) (?:found|match)|found (?:more than one|[2-9]|[1-9]\\d+) (?:hosted )?zones? (?:for|matching)', confidence: 'likely' }
  ],

  examine ({ hits, txt, challenge }) {
    const [hit] = hits
    // Another name than the challenge's stands at the end of a CNAME.
    const aliased = txt.is === 'seen' && txt.value.cname !== undefined || hit?.groups.written?.toLowerCase().startsWith('_acme-challenge.') === false
    if (hit !== undefined) return { is: 'found', confidence: !aliased ? hit.rule.confidence : 'possible', blanks: {}, because: [hit] }
    if (txt.is !== 'seen' || challenge.is !== 'seen' || !challenge.value.presented) return notApplicable
    const { servers, expected } = txt.value
    if (expected === undefined) return notApplicable
    // The cluster sees the record and the world does not: it stands in a zone that only the cluster's network has.
    const inside = servers.filter(({ vantage, failure }) => vantage === 'cluster' && failure === undefined)
    const outside = servers.filter(({ vantage, failure }) => vantage !== 'cluster' && failure === undefined)
    if (outside.length === 0 || inside.length === 0) return notApplicable
    if (outside.some(({ hasExpected }) => hasExpected)) return { is: 'ruled-out', by: ['txt'], because: 'The expected record is in the zone that the world asks.' }
    if (!inside.some(({ hasExpected }) => hasExpected)) return notApplicable
    return { is: 'found', confidence: 'likely', blanks: {}, because: ['txt', 'challenge'] }
  }
})
