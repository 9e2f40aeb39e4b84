import { defineCause, notApplicable } from '../cause.ts'
import { endedInSilence, valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

const reasons: Record<string, string> = {
  'other-ca': 'the records name other CAs only', wildcard: 'issuewild forbids the wildcard', account: 'another ACME account is named (accounturi)',
  method: 'another validation method is named (validationmethods)', critical: 'a critical tag is unknown to the CA', empty: 'the records forbid every CA'
}

/**
 * A CAA record does not let this CA issue. CAA is read only after the name was validated, so
 * the challenge itself was answered well when the CA says so.
 */
export default defineCause({
  id: 'acme-caa-forbids-issuer',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  wants: ['caa', 'challenge', 'directory', 'order'],
  title: 'A CAA record at {zone} does not allow {acmeHost} to issue for {dnsName}',
  meaning: 'DNS says which CAs may issue, and this one may not: {reason}. The challenge is not at fault.',
  remedy: [
    { do: 'See the records, at the name and at each parent.', run: 'dig +short CAA {zone}' },
    'Add a record that allows this CA: {record}. Mind accounturi, validationmethods and, for wildcards, issuewild.',
    { do: 'When the record is visible everywhere, start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'caa record for (?P<zone>\\S+) prevents issuance', confidence: 'proven' },
    { in: everywhere, match: 'prevents issuance|caa self-check failed', confidence: 'proven' },
    { in: everywhere, match: 'caa.{0,80}(forbid|prohibit|disallow|prevent|(does|do) not (allow|permit|authori[sz]e)|not (allowed|permitted|authori[sz]ed))', unless: 'looking up caa|servfail|timed out|dnssec|key authorization', confidence: 'proven' },
    { in: everywhere, match: '.', when: { problem: ['caa'] }, unless: 'prevents issuance|dns problem|looking up|servfail|timed out|dnssec|more identifiers failed', confidence: 'likely' }
  ],
  related: ['acme-caa-lookup-failed'],

  examine ({ hits, caa, case: incident, challenge, directory, order, identifier }) {
    const live = valueIn(caa)
    const record = `0 ${identifier.wildcard ? 'issuewild' : 'issue'} "${valueIn(directory)?.caaIdentities[0] ?? 'the identity of the CA'}"`
    const reason = reasons[live?.why ?? ''] ?? 'the CA is not among those named'
    const [best] = hits
    if (best !== undefined) {
      const zone = hits.map(({ groups }) => groups.zone).find(name => name !== undefined) ?? live?.foundAt ?? identifier.name
      return { is: 'found', confidence: best.rule.confidence, blanks: { zone, reason, record }, because: live?.allows === false ? [best, 'caa'] : [best, ...hits.slice(1, 4)] }
    }
    if (live?.allows === undefined) return notApplicable
    if (live.allows) return { is: 'ruled-out', by: ['caa'], because: 'CAA allows this CA.' }
    // The CA reads CAA only once the name was validated: a challenge that still waits is stopped by something else first.
    const seen = valueIn(challenge)
    const ended = (seen !== undefined && seen.asked && seen.state !== 'pending') || ['invalid', 'errored'].includes(valueIn(order)?.state ?? '') || endedInSilence(incident)
    return { is: 'found', confidence: ended ? 'likely' : 'possible', blanks: { zone: live.foundAt ?? identifier.name, reason, record }, because: ['caa'] }
  }
})
