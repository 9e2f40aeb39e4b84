import { cannotTell, defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** Nobody approved the CertificateRequest, or somebody denied it; so no order is made. */
export default defineCause({
  id: 'certificate-request-not-approved',
  since: '0.1.0',
  stage: 'request',
  needs: [],
  wants: ['request', 'order'],
  title: 'The CertificateRequest for {certificate} was {what}',
  meaning: 'cert-manager asks the CA only for approved requests. Its own approver may be switched off (approver-policy in its place), or no policy matches this request, or one forbids it.',
  remedy: [
    { do: 'See the conditions and who set them.', run: 'kubectl -n {namespace} describe certificaterequest {request}' },
    { do: 'See the approval policies.', run: 'kubectl get certificaterequestpolicies.policy.cert-manager.io' },
    'Repair the policy or its RBAC (the requester must be allowed to `use` it), or switch cert-manager\'s own approver on.',
    { do: 'After a denial, start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'certificaterequest was denied|request was denied by an approval|has been denied by|no policy approved this request|^denied: ', confidence: 'proven' },
    { in: andObjects, match: 'no (certificaterequestpolicy|policy|policies) .{0,80}(bound|matched|applicable|found|suitable)', confidence: 'likely' }
  ],
  // Approval takes a moment; a request older than this waits for somebody who does not come.
  thresholds: { patienceSeconds: 60 },

  examine ({ hits, request: look, order, thresholds, case: { now, version } }) {
    const request = valueIn(look)
    const [denial] = hits.filter(({ rule }) => rule.confidence === 'proven')
    if (denial !== undefined) return { is: 'found', confidence: 'proven', blanks: { what: 'denied' }, because: request === undefined ? [denial] : [denial, 'request'] }
    if (look.is === 'unavailable') return cannotTell(`request: ${look.why}`)
    if (request === undefined) return notApplicable
    if (request.denied?.status === 'True') return { is: 'found', confidence: 'proven', blanks: { what: 'denied' }, because: ['request'] }
    if (request.approved?.status === 'True') return { is: 'ruled-out', by: ['request'], because: 'The request was approved.' }
    // A Ready condition comes after approval, and before 1.3 there was no approval at all.
    const approvalExists = version === undefined || version.major > 1 || version.minor >= 3
    if (!approvalExists || request.ready !== undefined || valueIn(order) !== undefined || now - request.created < thresholds.patienceSeconds! * 1000) return notApplicable
    return { is: 'found', confidence: 'likely', blanks: { what: 'never approved' }, because: hits[0] === undefined ? ['request'] : ['request', hits[0]] }
  }
})
