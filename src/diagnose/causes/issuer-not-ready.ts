import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects, ofOthers } from '../sources.ts'

/** The issuer is there and says itself that it cannot work. */
export default defineCause({
  id: 'issuer-not-ready',
  since: '0.1.0',
  stage: 'account',
  needs: [],
  wants: ['issuer', 'order', 'request'],
  title: '{issuerKind} {issuer} is not ready: {reason}',
  meaning: 'Until the issuer is ready no request of it is worked on. It says: {message}',
  remedy: [
    { do: 'See the conditions and events of the issuer.', run: 'kubectl -n {namespace} describe {issuerKind} {issuer}' },
    'Correct what its message names: address of the ACME server (spec.acme.server must be the directory URL), account key Secret, credentials.',
    { do: 'Change the issuer; cert-manager then sets it up again.', run: 'kubectl -n {namespace} edit {issuerKind} {issuer}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'unsupported protocol scheme', when: { notWrapper: ['present', 'cleanup', 'self-check'] }, confidence: 'proven' },
    { in: andObjects, match: 'acme server url is set to a v1 endpoint|acmev1 .{0,40}(disabled|deprecated|brown)|failed to parse existing (acme server|account) uri|does not support the rfc 8555|\\bacme\\b[\\w ]{0,20}\\b(is )?(disabled|not enabled)\\b', confidence: 'proven' },
    { in: ['issuer', 'event', 'log', 'order', 'request'], match: '\\b404 : |\\b404 urn:.{0,60}page not found|invalid character .<. looking for', when: { notWrapper: ofOthers }, confidence: 'likely' },
    { in: ['issuer', 'event', 'log'], match: 'secrets "[^"]+" already exists', when: { wrapper: ['issuer', 'account'] }, confidence: 'likely' },
    { in: ['request', 'event', 'log'], match: 'does not have a ready status condition|acme client for issuer not initiali[sz]ed', confidence: 'possible' }
  ],
  related: ['issuer-not-found', 'acme-account-invalid'],

  examine ({ hits, issuer, order, request }) {
    const seen = valueIn(issuer)
    const ready = seen?.ready
    const blanks = { reason: ready?.reason ?? 'no reason given', message: ready?.message ?? hits[0]?.text.evidence.text ?? 'nothing' }
    const [best, ...rest] = hits
    if (ready?.status === 'True') {
      const settled = best === undefined || best.rule.confidence === 'possible'
      return settled ? { is: 'ruled-out', by: ['issuer'], because: `${seen!.kind} ${seen!.name} is ready.` } : { is: 'found', confidence: 'possible', blanks, because: [best, 'issuer'] }
    }
    if (best !== undefined && best.rule.confidence !== 'possible') return { is: 'found', confidence: best.rule.confidence, blanks, because: seen?.exists === true ? [best, 'issuer'] : [best, ...rest.slice(0, 3)] }
    if (seen?.exists === true && (ready !== undefined || seen.acme !== undefined)) {
      // An order that the CA already took was not stopped by this.
      const later = valueIn(order)?.url !== undefined && valueIn(order)?.url !== ''
      return { is: 'found', confidence: later ? 'possible' : 'likely', blanks: { reason: ready?.reason ?? 'it has no Ready condition yet', message: ready?.message ?? 'nothing' }, because: best === undefined ? ['issuer'] : ['issuer', best] }
    }
    if (best === undefined || seen?.exists === false) return notApplicable
    return { is: 'found', confidence: valueIn(request) === undefined ? 'possible' : 'likely', blanks, because: [best, ...rest.slice(0, 3)] }
  }
})
