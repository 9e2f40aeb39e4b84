import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere, withTheCa } from '../sources.ts'

/** The issuer asks for a certificate profile that this CA, or this account, does not have. */
export default defineCause({
  id: 'acme-profile-rejected',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  wants: ['issuer', 'directory', 'order'],
  title: '{acmeHost} does not offer the profile {profile}',
  meaning: 'spec.acme.profile of {issuerKind} {issuer} names a profile that the CA does not offer to this account. It offers: {offered}.',
  remedy: [
    { do: 'See the profiles of the CA.', run: 'curl -sS {acmeServer}' },
    { do: 'Correct or remove spec.acme.profile.', run: 'kubectl -n {namespace} edit {issuerKind} {issuer}', changes: true },
    { do: 'Then start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'profile name .{1,80} not recognized|unrecognized profile|not permitted to use certificate profile|error:invalidprofile|invalid profile requested|no such (certificate )?profile', confidence: 'proven' },
    { in: everywhere, match: 'certificate authority does not (support profiles|advertise a profile)', confidence: 'proven' },
    { in: everywhere, match: 'profile .{1,60}(unknown|unsupported|not (supported|allowed|offered|available))', when: { wrapper: withTheCa }, unless: 'identifiers', confidence: 'likely' },
    { in: everywhere, match: '\\bprofiles?\\b', when: { wrapper: ['order-create'], problem: ['malformed', 'unauthorized', 'invalidProfile'] }, unless: 'identifiers|\\bcsr\\b|end entity|dns ?name|\\bsans?\\b|\\bnames\\b', confidence: 'likely' }
  ],
  examine ({ hits, issuer, directory, order }) {
    const wanted = valueIn(order)?.profile ?? valueIn(issuer)?.acme?.profile
    const seen = valueIn(directory)
    const blanks = { profile: wanted ?? 'that was asked for', offered: seen === undefined ? 'not known' : seen.profiles.join(', ') || 'none' }
    const [best, ...rest] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks, because: [best, ...rest.slice(0, 3)] }
    if (wanted === undefined || wanted === '' || seen?.reachable !== true) return notApplicable
    if (seen.profiles.includes(wanted)) return { is: 'ruled-out', by: ['directory'], because: `The CA offers the profile ${wanted}.` }
    return { is: 'found', confidence: 'possible', blanks, because: ['directory'] }
  }
})
