import { cannotTell, defineCause, notApplicable } from '../cause.ts'
import { utc, valueIn } from '../reading.ts'

/** Nobody works on the order, because the controller is not there. */
export default defineCause({
  id: 'cert-manager-not-running',
  since: '0.1.0',
  stage: 'controller',
  needs: [],
  wants: ['controller', 'order', 'request', 'challenge'],
  title: 'The cert-manager controller is not running: {what}',
  meaning: 'No order or challenge moves while the controller is down, crashes again and again, or has no leader. {detail}',
  remedy: [
    { do: 'See its pods and why they stop.', run: 'kubectl -n {certManagerNamespace} get pods; kubectl -n {certManagerNamespace} describe deployment cert-manager' },
    { do: 'Read the last words of the container that ended.', run: 'kubectl -n {certManagerNamespace} logs deploy/cert-manager --previous --tail=50' },
    'Raise the memory limit after OOMKilled, make the image pullable, repair what the last line names.',
    { do: 'Start it if it was scaled down.', run: 'kubectl -n {certManagerNamespace} scale deployment cert-manager --replicas=1', changes: true },
    'Where it was removed for good, take the finalizer off the Challenges that are left: nobody else will.'
  ],
  texts: [
    { in: ['log'], match: 'leader election lost|error retrieving resource lock|failed to renew lease', confidence: 'likely' },
    { in: ['log', 'event', 'object'], match: 'crds do not seem to be present, but|error (executing command|starting controller)', unless: 'leader election lost', confidence: 'likely' }
  ],
  related: ['cert-manager-queue-saturated', 'cert-manager-webhook-unavailable'],
  // The leader renews its lease every few seconds.
  thresholds: { staleLeaseSeconds: 300 },

  examine ({ controller: look, hits, order, challenge, thresholds, case: { now } }) {
    if (look.is === 'unavailable') return cannotTell(`controller: ${look.why}`)
    const controller = valueIn(look)
    // cert-manager lets a deleted Challenge go within seconds; where nothing of cert-manager is seen, it was removed first.
    if (controller === undefined) return valueIn(challenge)?.deleting === true ? { is: 'found', confidence: 'likely', blanks: { what: 'there is none', detail: 'A Challenge is being deleted and waits for it: its finalizer stays for ever.' }, because: ['challenge'] } : notApplicable
    const { replicas, ready, pods, lease } = controller
    const running = ready > 0 || pods.some(pod => pod.ready)
    // The CA or cert-manager decided this order: somebody was working then.
    const decided = ['invalid', 'errored', 'valid', 'expired'].includes(valueIn(order)?.state ?? '')
    const stale = lease?.renewed !== undefined && now - lease.renewed > thresholds.staleLeaseSeconds! * 1000
    if (running && !stale) return { is: 'ruled-out', by: ['controller'], because: `${ready} of ${replicas} controller replicas are ready.` }
    if (decided) return notApplicable
    const troubled = pods.find(({ waiting, lastTermination }) => waiting !== undefined || lastTermination !== undefined)
    const [best] = hits
    const what = replicas === 0 ? 'it is scaled to 0' : running ? 'no replica holds the lease' : `${ready} of ${replicas} replicas are ready`
    const ended = troubled?.lastTermination === undefined ? '' : `Its last end: ${troubled.lastTermination.reason} (exit code ${troubled.lastTermination.exitCode}).`
    const detail = troubled?.waiting === undefined ? stale ? `The lease was renewed last at ${utc(lease.renewed!)}.` : ended : `Pod ${troubled.name}: ${troubled.waiting}. ${ended}`
    const confidence = running ? best === undefined ? 'possible' : 'likely' : best !== undefined ? 'proven' : 'likely'
    return { is: 'found', confidence, blanks: { what, detail }, because: best === undefined ? ['controller'] : ['controller', best] }
  }
})
