import { defineCause, notApplicable } from '../cause.ts'
import { anotherValue, notOfTxt, ofTxt, withTheCa } from '../sources.ts'

/** Another TXT value stands at the challenge name: left over, a second client's, or a remembered absence. */
export default defineCause({
  id: 'dns01-stale-txt-record',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  variants: ['leftover', 'second-client', 'negative-cache'],
  wants: ['txt', 'challenge'],
  title: 'Another TXT value is found at _acme-challenge.{dnsName}',
  meaning: 'The value that was found is not the one of this challenge: {found}',
  remedy: [
    { do: 'See all values at each authoritative server.', run: 'for ns in $(dig +short NS {dnsName}); do dig +norecurse +short TXT _acme-challenge.{dnsName} @$ns; done' },
    'Delete the values that are left over, lower the record\'s TTL, and let one ACME client only write at this name.'
  ],
  related: ['dns01-not-propagated', 'dns01-split-horizon'],
  texts: [
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'Incorrect TXT record "(?P<value>[\\w-]{43})"', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'Incorrect TXT record', unless: 'Incorrect TXT record "[\\w-]{43}"', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'Correct value not found for DNS challenge', confidence: 'proven' },
    // step-ca, of all values found; of an HTTP-01 answer it gives one without brackets.
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'keyAuthorization does not match; expected \\S+, but got \\[[^\\]]', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: ofTxt(`${anotherValue}|\\bdiffers?\\b|\\bstale\\b|belongs? to (?:another|other|a different)|\\b(?:multiple|several|too many|duplicate|old|outdated)\\b.{0,20}\\b(?:TXT|records?|values?)\\b|expected\\b.{0,120}\\b(?:saw|got|received)\\b`) + '|\\bexpected\\b.{0,120}\\bTXT\\b.{0,120}\\b(?:saw|got|received)\\b', unless: notOfTxt + '|Error retrieving TXT|DNSSEC|Incorrect TXT|Correct value not found|keyAuthorization does not', confidence: 'likely', when: { wrapper: withTheCa } },
    { in: ['challenge', 'event', 'log', 'acme', 'alert'], match: 'dns-01: challenge failed against \\d+ records', confidence: 'likely' }
  ],

  examine ({ hits, txt, challenge }) {
    const [best] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, ...(/and\s+\d+\s+more/.test(best.text.whole) ? { variant: 'leftover' } : {}), blanks: { found: best.text.core }, because: txt.is === 'seen' && txt.value.foreignDigests.length > 0 ? [best, 'txt'] : [best] }
    if (txt.is !== 'seen' || challenge.is !== 'seen' || !challenge.value.presented) return notApplicable
    const { state, foreignDigests, servers, expected } = txt.value
    if (expected === undefined) return notApplicable
    if (state === 'everywhere') return { is: 'ruled-out', by: ['txt'], because: 'Every server has the expected value.' }
    const authoritative = servers.filter(({ vantage, failure }) => vantage === 'authoritative' && failure === undefined)
    const worldHas = authoritative.length > 0 && authoritative.every(({ hasExpected }) => hasExpected)
    const remembering = servers.filter(({ vantage, failure, hasExpected }) => vantage !== 'authoritative' && failure === undefined && !hasExpected)
    if (worldHas && remembering.length > 0) {
      const remembersOther = remembering.some(({ values }) => values.length > 0)
      return { is: 'found', confidence: remembersOther ? 'likely' : 'possible', variant: remembersOther ? 'leftover' : 'negative-cache', blanks: { found: `${remembering.map(({ server }) => server).join(', ')} still ${remembersOther ? 'gives an old value' : 'remembers that there is none'}.` }, because: ['txt'] }
    }
    if (state === 'other-values' && foreignDigests.length > 0) return { is: 'found', confidence: 'likely', ...(foreignDigests.length > 1 ? { variant: 'leftover' } : {}), blanks: { found: `${foreignDigests.length} other value${foreignDigests.length === 1 ? '' : 's'}.` }, because: ['txt'] }
    return notApplicable
  }
})
