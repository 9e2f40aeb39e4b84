import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The reference to the issuer leads nowhere: wrong kind, namespace or spelling, or not created yet. */
export default defineCause({
  id: 'issuer-not-found',
  since: '0.1.0',
  stage: 'request',
  needs: [],
  wants: ['issuer', 'certificate', 'order'],
  title: '{issuerKind} {issuer} does not exist',
  meaning: 'The Certificate names an issuer that is not there, so the request waits and no order is made. An Issuer counts only in its own namespace; without `kind` an Issuer is meant. {hint}',
  remedy: [
    { do: 'See which issuers exist.', run: 'kubectl get clusterissuers; kubectl -n {namespace} get issuers' },
    { do: 'Correct issuerRef (name, kind) of the Certificate, or the annotation of its Ingress or Gateway, or create the issuer.', run: 'kubectl -n {namespace} edit certificate {certificate}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'referenced "(cluster)?issuer" not found|\\b(cluster)?issuers?(\\.cert-manager\\.io)? "[^"]+" not found', confidence: 'proven' },
    { in: andObjects, match: 'missing issuer type|could not determine issuer for ingress', confidence: 'likely' }
  ],
  related: ['issuer-not-ready'],

  examine ({ hits, issuer, order }) {
    const seen = valueIn(issuer)
    const near = seen?.similar ?? []
    const hint = near.length > 0 ? `Did you mean ${near.slice(0, 3).join(' or ')}?` : 'No issuer has a similar name.'
    const [best, ...rest] = hits
    // A text that was true a while ago: the issuer is there by now.
    if (best !== undefined) {
      if (seen?.exists === true && valueIn(order) !== undefined) return { is: 'ruled-out', by: ['issuer', 'order'], because: 'The issuer exists and an order was made.' }
      const confidence = seen?.exists === true ? 'possible' : best.rule.confidence
      return { is: 'found', confidence, blanks: { hint }, because: seen?.exists === false ? [best, 'issuer'] : [best, ...rest.slice(0, 3)] }
    }
    if (seen === undefined) return notApplicable
    if (seen.exists) return { is: 'ruled-out', by: ['issuer'], because: `${seen.kind} ${seen.name} exists.` }
    if (seen.group !== '' && seen.group !== 'cert-manager.io') return notApplicable
    // An open order waits for the issuer while no Challenge of it says anything else; one that ended did not need it.
    const made = valueIn(order)
    const waits = made === undefined || ((made.state === '' || made.state === 'pending') && made.challenges.every(({ state, reason }) => (state === '' || state === 'pending') && reason === ''))
    return { is: 'found', confidence: waits ? 'likely' : 'possible', blanks: { hint }, because: ['issuer'] }
  }
})
