import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** cert-manager's own admission webhook does not answer, or refuses cert-manager, so its objects can be neither made nor changed. */
export default defineCause({
  id: 'cert-manager-webhook-unavailable',
  since: '0.1.0',
  stage: 'request',
  needs: [],
  wants: ['controller', 'request', 'order'],
  title: 'The admission webhook of cert-manager {fault}',
  meaning: 'The API server calls it for each Certificate, request, order and challenge; without its consent none can be made. {why}',
  remedy: [
    { do: 'See its pods.', run: 'kubectl -n {certManagerNamespace} get pods -l app.kubernetes.io/component=webhook' },
    { do: 'Ask the API whether it works.', run: 'cmctl check api --wait=30s' },
    'Let the API server reach port 10250 of the webhook pods (private GKE and EKS node firewalls), and let cainjector fill in the CA bundle.',
    { do: 'Start it anew.', run: 'kubectl -n {certManagerNamespace} rollout restart deployment -l app.kubernetes.io/component=webhook', changes: true }
  ],
  texts: [
    // The mutating half fills in who asks, the validating half compares: they are of different installations, or the first is gone.
    { in: andObjects, match: 'webhook\\.cert-manager\\.io" denied the request: .{0,80}identity must be that of the requester', confidence: 'likely' },
    { in: andObjects, match: 'failed calling webhook "[\\w.-]*webhook\\.cert-manager\\.io"', confidence: 'proven' },
    { in: andObjects, match: 'conversion webhook for [\\w./-]*cert-manager\\.io.{0,200}(connection refused|no endpoints|timeout|deadline exceeded|x509)', confidence: 'proven' },
    { in: andObjects, match: 'post "https://cert-manager-webhook\\.[^"]+".{0,120}(refused|timeout|deadline|no endpoints|x509|eof)|no endpoints available for service "cert-manager-webhook"', unless: 'cert-manager-webhook-', confidence: 'proven' }
  ],
  related: ['cert-manager-rbac-denied'],

  examine ({ hits, controller, request, order }) {
    const webhook = valueIn(controller)?.webhook
    const down = webhook?.ready === 0
    const why = webhook === undefined ? '' : `${webhook.ready} of ${webhook.replicas} of its pods are ready.`
    const [best, ...rest] = hits
    const refuses = best !== undefined && best.text.whole.includes('denied the request')
    const blanks = refuses ? { fault: 'refuses what cert-manager itself asks for', why: 'Its mutating and its validating webhook do not belong together: a second installation, or a half that is missing or old.' } : { fault: 'does not answer', why }
    // An order was placed all the same: that a call failed on the way is seen, that it stopped the attempt is not.
    const wentOn = best?.text.evidence.source === 'log' && valueIn(order) !== undefined
    if (best !== undefined) return { is: 'found', confidence: wentOn ? 'likely' : best.rule.confidence, blanks, because: down ? [best, 'controller'] : [best, ...rest.slice(0, 3)] }
    if (webhook === undefined) return notApplicable
    if (!down) return { is: 'ruled-out', by: ['controller'], because: 'The admission webhook of cert-manager is ready.' }
    // Later stages still went on: then it went down afterwards.
    return valueIn(order) !== undefined || valueIn(request) !== undefined ? notApplicable : { is: 'found', confidence: 'likely', blanks, because: ['controller'] }
  }
})
