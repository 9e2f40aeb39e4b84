import { defineCause } from '../cause.ts'
import { andObjects, ofOthers, withTheCa } from '../sources.ts'

/** The wanted lifetime is refused; many CAs do not let the client choose it at all. */
export default defineCause({
  id: 'certificate-duration-rejected',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  title: 'The requested lifetime of {certificate} is refused',
  meaning: 'The order asks for a certain notAfter (enableDurationFeature of the issuer with spec.duration), and the CA, or cert-manager itself, does not accept that.',
  remedy: [
    { do: 'See the wanted duration.', run: 'kubectl -n {namespace} get certificate {certificate} -o jsonpath="{.spec.duration}"' },
    { do: 'See whether the issuer sends it to the CA.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o jsonpath="{.spec.acme.enableDurationFeature}"' },
    { do: 'Let\'s Encrypt takes no duration: switch enableDurationFeature off. A private CA: ask for no more than it allows.', run: 'kubectl -n {namespace} edit {issuerKind} {issuer}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'notbefore and notafter are not supported', confidence: 'proven' },
    { in: andObjects, match: 'requested duration of .{1,80}(more|less) than the authorized|requested certificate (notafter|notbefore|duration)|notafter .{1,80}(too far|beyond|exceeds|after the)|(validity|duration).{0,40}(exceeds|longer than) the maximum', when: { notWrapper: ofOthers }, confidence: 'proven' },
    { in: andObjects, match: '\\bnot(after|before)\\b.{0,60}\\b(not (supported|allowed|accepted|permitted)|invalid|must|longer|outside)|\\b(validity|duration|lifetime|ttl)\\b.{0,60}\\b(exceeds?|longer|greater|larger|above|too long|not (allowed|supported|permitted)|outside)\\b', unless: 'notbefore and notafter are not supported|nonce|token', when: { wrapper: withTheCa }, confidence: 'likely' },
    { in: andObjects, match: '\\b(duration|validity period|lifetime|notafter|notbefore)\\b', when: { wrapper: ['order-create', 'order-finalize'], problem: ['malformed', 'unauthorized'] }, unless: 'profile|account|authori[sz]ation', confidence: 'likely' },
    { in: andObjects, match: 'certificate duration must be greater than|spec\\.(duration|renewbefore)\\w*: invalid value', confidence: 'proven' }
  ],
  related: ['acme-profile-rejected']
})
