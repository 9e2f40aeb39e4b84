import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** A clock is wrong, so certificates look not yet valid, and signed requests look too old or too new. */
export default defineCause({
  id: 'clock-skew',
  since: '0.1.0',
  stage: 'controller',
  needs: [],
  wants: ['directory', 'issuer'],
  title: 'A clock in the cluster is wrong, so requests of cert-manager are refused',
  meaning: '{what} Certificates and request signatures are valid only around the right time.',
  remedy: [
    { do: 'See on which node cert-manager runs.', run: 'kubectl -n {certManagerNamespace} get pods -o wide' },
    { do: 'Compare the time of a pod with the time that the CA sends.', run: 'date -u; curl -sSI {acmeServer} | grep -i ^date' },
    'Repair time synchronisation (chrony, systemd-timesyncd, the hypervisor\'s clock) on that node, then restart cert-manager there.'
  ],
  texts: [
    { in: everywhere, match: 'not yet valid: current time \\S+ is before', confidence: 'likely' },
    { in: everywhere, match: 'not yet valid: current time (?P<future>\\S+) is after', confidence: 'likely' },
    { in: everywhere, match: 'requesttimetooskewed|signature (has )?expired: \\S+ is now earlier|signature not yet current|request has expired.{0,60}current server time', confidence: 'proven' },
    { in: everywhere, match: 'aadsts700024|client assertion is not within its valid time range|invalid jwt: token must be a short-lived token|token used before issued|dns: bad time|invalidtimestamp|signature_?expired?\\b|invalid timestamp|time ?stamp .{0,20}(is|has) expired|(date|time)\\b.{0,60}\\b(too far|way) (out of date|off|in the (past|future)|skewed)|check (the|your) system clock|\\bBADTIME\\b', confidence: 'proven' }
  ],
  related: ['acme-server-untrusted'],
  // Differences up to this are normal and harm nobody.
  thresholds: { toleratedSeconds: 300 },

  examine ({ hits: all, case: { now }, directory, issuer, thresholds }) {
    const skew = valueIn(directory)?.skewMs
    const tolerated = thresholds.toleratedSeconds! * 1000
    const off = skew !== undefined && Math.abs(skew) > tolerated
    // Expired by the client's clock: that it is the clock's fault shows when it is ahead of our time.
    const [best, ...rest] = all.filter(({ groups: { future } }) => future === undefined || Date.parse(future) > now + tolerated)
    const minutes = Math.round(Math.abs(skew ?? 0) / 60_000)
    if (best !== undefined) {
      const confidence = off ? 'proven' : best.rule.confidence
      const what = off ? `The time here differs from the CA's by ${minutes} minutes.` : 'The refused request shows a wrong time.'
      return { is: 'found', confidence, blanks: { what }, because: off ? [best, 'directory'] : [best, ...rest.slice(0, 3)] }
    }
    if (skew === undefined) return notApplicable
    if (!off) return { is: 'ruled-out', by: ['directory'], because: 'The clock here agrees with the CA\'s.' }
    // It is the API server's clock that was compared, or ours where it did not answer; cert-manager may run on another node.
    return { is: 'found', confidence: 'possible', blanks: { what: `The time here differs from the CA's by ${minutes} minutes.` }, because: valueIn(issuer)?.ready?.status === 'False' ? ['directory', 'issuer'] : ['directory'] }
  }
})
