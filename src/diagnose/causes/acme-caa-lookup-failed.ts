import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere, withTheCa } from '../sources.ts'

/** The name was validated, and then the CA could not find out whether CAA allows it; without an answer it must refuse. */
export default defineCause({
  id: 'acme-caa-lookup-failed',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: ['caa', 'order', 'challenge'],
  title: 'The CA could not look up CAA for {zone}',
  meaning: 'The challenge for {dnsName} was answered well, but the name servers of {zone} gave no usable answer to the CAA question ({what}). A CA must not issue without it.',
  remedy: [
    { do: 'Ask the same question, and once more without DNSSEC checks.', run: 'dig CAA {zone}; dig +cd CAA {zone}' },
    { do: 'Ask each name server of the zone itself.', run: 'dig +nssearch {zone}' },
    'Repair the name servers of {zone}: they must answer CAA with records or an empty NOERROR, not with SERVFAIL, REFUSED or silence; repair DS and signatures when only +cd answers.',
    { do: 'When CAA is answered, start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: '(?P<what>\\w+) looking up caa for (?P<zone>[^\\s:,;]+)', unless: 'prevents issuance', confidence: 'proven' },
    { in: everywhere, match: 'looking up caa(?: for)? ?(?P<zone>[\\w.*-]*)|caa.{0,60}(lookup|query|response|record response).{0,60}(fail|error|timed? ?out|truncated|servfail|dnssec)', unless: 'prevents issuance', confidence: 'proven' },
    { in: everywhere, match: 'dnssec.{0,80}\\bcaa\\b.{0,60} for (?P<zone>[\\w-]+(\\.[\\w-]+)+)', unless: 'prevents issuance', confidence: 'proven' },
    { in: everywhere, match: '(dns problem|servfail|timed out|timeout|dnssec|refused)', when: { caa: true }, unless: 'prevents issuance|error finalizing order :: rechecking caa for', confidence: 'proven' },
    { in: everywhere, match: '\\bcaa\\b', when: { wrapper: withTheCa, problem: ['dns', 'serverInternal', 'connection'] }, unless: 'prevents issuance|rechecking caa for|more identifiers failed|rpc failed|looking up caa', confidence: 'likely' },
    { in: everywhere, match: 'servfail|timed out|timeout|dnssec|refused by|lookup', when: { problem: ['caa'] }, unless: 'prevents issuance|rechecking caa for|more identifiers failed', confidence: 'likely' },
    { in: everywhere, match: 'unable to (check|retrieve|look ?up|fetch|query|resolve|get|determine) caa|(error|fail\\w*|unable)( while| to)? (checking|retrieving|fetching|querying|resolving|check|retrieve|fetch|query|resolve) (the )?caa|caa (record )?(check|lookup|query|resolution) (has )?(failed|error|timed? ?out)', unless: 'self-check', confidence: 'proven' }
  ],
  related: ['acme-caa-forbids-issuer', 'dns01-dnssec-invalid', 'domain-delegation-broken'],

  examine ({ hits, caa, challenge, order, identifier }) {
    const live = valueIn(caa)
    const [best] = hits
    if (best !== undefined) {
      const group = (name: string): string | undefined => hits.map(({ groups }) => groups[name]).find(value => value !== undefined && value !== '')
      const blanks = { zone: trimmed(group('zone')) ?? best.text.problem?.caa?.name ?? live?.lookupFailed?.name ?? identifier.name, what: group('what') ?? 'an error' }
      return { is: 'found', confidence: best.rule.confidence, blanks, because: live?.lookupFailed === undefined ? [best, ...hits.slice(1, 4)] : [best, 'caa'] }
    }
    if (live === undefined) return notApplicable
    if (live.lookupFailed === undefined) return { is: 'ruled-out', by: ['caa'], because: 'CAA can be looked up.' }
    const seen = valueIn(challenge)
    const ended = (seen !== undefined && seen.asked && seen.state !== 'pending') || ['invalid', 'errored'].includes(valueIn(order)?.state ?? '')
    return { is: 'found', confidence: ended ? 'likely' : 'possible', blanks: { zone: live.lookupFailed.name, what: live.lookupFailed.what }, because: ['caa'] }
  }
})

const trimmed = (name: string | undefined): string | undefined => name?.replace(/\.+$/, '').toLowerCase()
