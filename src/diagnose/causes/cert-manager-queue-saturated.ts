import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'

/** cert-manager works on a fixed number of challenges at a time; hopeless ones never end and keep their places. */
export default defineCause({
  id: 'cert-manager-queue-saturated',
  since: '0.1.0',
  stage: 'scheduling',
  needs: [],
  wants: ['challenge', 'controller', 'order'],
  title: 'The challenge for {dnsName} waits in the queue of cert-manager',
  meaning: '{why} It is not even presented; nothing is known yet about DNS or HTTP.',
  remedy: [
    { do: 'See the challenges that hold a place, oldest first.', run: 'kubectl get challenge -A --sort-by=.metadata.creationTimestamp -o wide' },
    'Repair or delete those that can never pass; each keeps its place until it ends.',
    { do: 'Delete a hopeless attempt (the Certificate makes a new one later).', run: 'kubectl -n <namespace> delete order <order>', changes: true },
    'Raise --max-concurrent-challenges of the controller if many are really needed at a time.'
  ],
  texts: [
    { in: ['log', 'challenge', 'event'], match: 'hit maximum concurrent challenge limit', confidence: 'proven' },
    { in: ['log', 'challenge', 'event'], match: 'already a challenge processing with this domain|already challenges? in progress for', confidence: 'likely' }
  ],
  related: ['cert-manager-not-running'],
  // A challenge is picked up within seconds; one that waited this long is kept waiting.
  thresholds: { patienceSeconds: 120 },

  examine ({ hits, challenge, controller, order, thresholds, case: { now } }) {
    const seen = valueIn(challenge)
    if (seen === undefined) return notApplicable
    if ((seen.state !== '' && seen.state !== 'pending') || seen.processing || seen.presented) return { is: 'ruled-out', by: ['challenge'], because: 'The challenge was worked on.' }
    const { maxConcurrentChallenges: limit, processingChallenges: busy } = valueIn(controller) ?? {}
    const full = limit !== undefined && busy !== undefined && busy >= limit
    const [best, ...rest] = hits
    if (best !== undefined) {
      const why = best.rule.confidence === 'proven' ? `All ${limit ?? ''} places are taken by other challenges.`.replace('  ', ' ') : 'Another challenge for the same name is being worked on; two are never done at once.'
      return { is: 'found', confidence: best.rule.confidence, blanks: { why }, because: full ? [best, 'controller'] : [best, ...rest.slice(0, 3)] }
    }
    const waited = now - seen.created >= thresholds.patienceSeconds! * 1000
    if (seen.heldBy !== undefined && waited) return { is: 'found', confidence: 'likely', blanks: { why: 'A challenge of another order for the same name is being worked on; two are never done at once.' }, because: ['challenge', seen.heldBy] }
    // Apex and wildcard of one order take turns: the other one tells what is wrong.
    const twin = valueIn(order)?.challenges.some(({ name, dnsName, type, processing }) => name !== seen.name && dnsName === seen.dnsName && type === seen.type && processing)
    if (twin === true || !full || !waited) return notApplicable
    return { is: 'found', confidence: 'likely', blanks: { why: `${busy} challenges are being worked on, and the limit is ${limit}.` }, because: ['controller', 'challenge'] }
  }
})
