import t from 'tap'
import type { Cause } from '../../src/diagnose/cause.ts'
import type { Case } from '../../src/shared/types/case.ts'
import type { Confidence } from '../../src/shared/types/diagnosis.ts'
import certificateCommonNameInvalid from '../../src/diagnose/causes/certificate-common-name-invalid.ts'
import certificateDuplicateSecret from '../../src/diagnose/causes/certificate-duplicate-secret.ts'
import certificateDurationRejected from '../../src/diagnose/causes/certificate-duration-rejected.ts'
import certificateNotStored from '../../src/diagnose/causes/certificate-not-stored.ts'
import certificateRequestNotApproved from '../../src/diagnose/causes/certificate-request-not-approved.ts'
import issuerNoMatchingSolver from '../../src/diagnose/causes/issuer-no-matching-solver.ts'
import issuerNotFound from '../../src/diagnose/causes/issuer-not-found.ts'
import issuerNotReady from '../../src/diagnose/causes/issuer-not-ready.ts'
import issuerSolverInvalid from '../../src/diagnose/causes/issuer-solver-invalid.ts'
import wildcardNeedsDns01 from '../../src/diagnose/causes/wildcard-needs-dns01.ts'
import {
  aCase, aCertificate, aChallenge, aRequest, aSolverChoice, aText, anIdentifier, anIssuer, anOrder, examineAlone, failure, noLook
} from '../support/builders.ts'

type Answer = Confidence | `${Confidence} ${string}` | 'ruled-out' | 'not-applicable' | 'cannot-tell' | 'hint'
type Row = [title: string, cause: Cause, incident: Case, answer: Answer]

const condition = (type: string, status: 'True' | 'False', reason: string, message: string): { type: string, status: 'True' | 'False', reason: string, message: string } => ({ type, status, reason, message })
const missing = anIssuer({ exists: false, ready: undefined, acme: undefined, name: 'letsencrypt-production', similar: ['ClusterIssuer letsencrypt-prod'] })
const unready = (reason: string, message: string): ReturnType<typeof anIssuer> => anIssuer({ ready: condition('Ready', 'False', reason, message) })
const ofRequest = (text: string): Case => aCase({ facts: { request: aRequest() }, texts: [aText(text, { source: 'request', wrapper: 'request' })] })
const noSolver = 'Failed to determine a valid solver configuration for the set of domains on the Order: no configured challenge solvers can be used for this challenge'
const solverEvent = aText(noSolver, { source: 'event', wrapper: 'solver-selection', severity: 'warning' })
const noChoice = aSolverChoice({ chosen: undefined, considered: [{ index: 0, type: 'http01', fits: false, why: 'dnsZones has only campaigns.example' }] })
const wildcard = (facts: Parameters<typeof anIdentifier>[0] = {}): ReturnType<typeof anIdentifier> => anIdentifier({ wildcard: true, challengeType: undefined, ...facts })
const valid = anOrder({ state: 'valid', hasCertificate: true, failureTime: undefined })
const offers = (...challengeTypes: string[]): ReturnType<typeof anOrder> => anOrder({ state: 'pending', authorizations: [{ identifier: 'shop.example.com', wildcard: false, initialState: 'pending', challengeTypes, url: 'https://ca.example/1' }] })
const dns01 = anIssuer({ acme: { ...anIssuer().acme!, solvers: [{ dns01: { route53: {} }, selector: { dnsZones: ['other.example'] } }] } })

const open = (reason: string): ReturnType<typeof anOrder>['challenges'][number] => ({ name: 'shop-tls-1-2881-78', dnsName: 'shop.example.com', type: 'HTTP-01', state: 'pending', processing: true, presented: false, reason, created: failure - 600_000 })

const rows: Row[] = [
  ['not among the names, in cert-manager\'s words', certificateCommonNameInvalid, ofRequest('The CSR PEM requests a commonName that is not present in the list of dnsNames or ipAddresses. If a commonName is set, ACME requires that the value is also present in the list: "root" does not exist in [a.example] or []'), 'proven not-in-dnsnames'],
  ['too long, in the webhook\'s words', certificateCommonNameInvalid, ofRequest('spec.commonName: Too long: may not be more than 64 bytes'), 'proven too-long'],
  ['too long, in the CA library\'s words', certificateCommonNameInvalid, ofRequest('CN was longer than 64 bytes'), 'proven too-long'],
  ['not among the names, as it stands', certificateCommonNameInvalid, aCase({ facts: { issuer: anIssuer(), certificate: aCertificate({ commonName: 'root' }) } }), 'likely not-in-dnsnames'],
  ['too long, as it stands', certificateCommonNameInvalid, aCase({ facts: { issuer: anIssuer(), certificate: aCertificate({ commonName: `${'a'.repeat(61)}.example` }) } }), 'likely too-long'],
  ['one of the names', certificateCommonNameInvalid, aCase({ facts: { issuer: anIssuer(), certificate: aCertificate({ commonName: 'shop.example.com' }) } }), 'ruled-out'],
  ['no Certificate seen', certificateCommonNameInvalid, aCase(), 'not-applicable'],

  ['another Certificate names the same Secret', certificateDuplicateSecret, aCase({ facts: { certificate: aCertificate({ sharesSecretWith: ['web-tls'] }) } }), 'likely'],
  ['the Secret belongs to another', certificateDuplicateSecret, aCase({ facts: { certificate: aCertificate() }, texts: [aText('Secret was issued for "web-tls". If this message is not transient, you might have two conflicting Certificates pointing to the same secret.', { source: 'certificate', wrapper: 'certificate' })] }), 'likely'],
  ['one Ingress names it twice', certificateDuplicateSecret, aCase({ texts: [aText('spec.tls[0].secretName: Invalid value: "x": this secret name must only appear in a single TLS entry but is also used in spec.tls[1].secretName', { source: 'event', wrapper: 'object', objectKind: 'Ingress' })] }), 'proven'],
  ['a Secret of its own', certificateDuplicateSecret, aCase({ facts: { certificate: aCertificate() } }), 'ruled-out'],
  ['no Certificate seen', certificateDuplicateSecret, aCase(), 'not-applicable'],

  ['the CA takes no duration', certificateDurationRejected, aCase({ texts: [aText('Failed to create Order: 400 urn:ietf:params:acme:error:malformed: NotBefore and NotAfter are not supported', { source: 'order', wrapper: 'order-create' })] }), 'proven'],
  ['a private CA allows less', certificateDurationRejected, aCase({ texts: [aText('requested duration of 2160h0m0s is more than the authorized maximum certificate duration of 24h1m0s', { source: 'order', wrapper: 'order-create' })] }), 'proven'],
  ['nothing about duration', certificateDurationRejected, aCase({ texts: [aText('Timeout after connect (your server may be slow or overloaded)')] }), 'not-applicable'],

  ['denied', certificateRequestNotApproved, aCase({ facts: { request: aRequest({ approved: undefined, denied: condition('Denied', 'True', 'policy.cert-manager.io', 'No policy approved this request') }) } }), 'proven'],
  ['denied, and the request is gone', certificateRequestNotApproved, aCase({ texts: [aText('Denied: The certificate request has failed to complete and will be retried: No policy approved this request: [web: spec.allowed.dnsNames: Invalid value]', { source: 'certificate', wrapper: 'certificate' })] }), 'proven'],
  ['nobody approves', certificateRequestNotApproved, aCase({ facts: { request: aRequest({ approved: undefined }) } }), 'likely'],
  ['approved', certificateRequestNotApproved, aCase({ facts: { request: aRequest() } }), 'ruled-out'],
  ['too young to wonder', certificateRequestNotApproved, aCase({ now: failure, facts: { request: aRequest({ approved: undefined, created: failure - 5000 }) } }), 'not-applicable'],
  ['a version that knows no approval', certificateRequestNotApproved, aCase({ version: { major: 1, minor: 0, patch: 2, text: 'v1.0.2' }, facts: { request: aRequest({ approved: undefined }) } }), 'not-applicable'],
  ['it is past approval', certificateRequestNotApproved, aCase({ facts: { request: aRequest({ approved: undefined, ready: condition('Ready', 'False', 'Pending', 'Waiting on certificate issuance from order shop/a: "pending"') }) } }), 'not-applicable'],
  ['requests cannot be read', certificateRequestNotApproved, aCase({ facts: { request: noLook() } }), 'cannot-tell'],

  ['the Secret is immutable', certificateNotStored, aCase({ facts: { order: valid }, texts: [aText('Secret "shop-tls" is invalid: data: Forbidden: field is immutable when `immutable` is set', { source: 'log' })] }), 'proven'],
  ['the keystore has no password', certificateNotStored, aCase({ facts: { order: valid }, texts: [aText('failed to fetch keystore password: secrets "keystore" not found', { source: 'event', wrapper: 'certificate' })] }), 'proven'],
  ['admission refuses what is left to write', certificateNotStored, aCase({ facts: { order: valid, certificate: aCertificate({ issuing: { type: 'Issuing', status: 'True' } }) }, texts: [aText('admission webhook "secrets.policy.example" denied the request: label team is missing', { source: 'log', wrapper: 'log' })] }), 'likely'],
  ['nothing is left to write', certificateNotStored, aCase({ facts: { order: valid, certificate: aCertificate({ issuing: undefined }) }, texts: [aText('admission webhook "secrets.policy.example" denied the request: label team is missing', { source: 'log', wrapper: 'log' })] }), 'not-applicable'],
  ['the same words before the order is issued', certificateNotStored, aCase({ facts: { order: anOrder() }, texts: [aText('secrets "shop-tls" is forbidden: User "system:serviceaccount:cert-manager:cert-manager" cannot update resource "secrets"', { source: 'log' })] }), 'not-applicable'],
  ['issued and silent', certificateNotStored, aCase({ facts: { order: valid } }), 'not-applicable'],

  ['a ClusterIssuer that is not there, in cert-manager\'s words', issuerNotFound, aCase({ facts: { issuer: missing }, texts: [aText('Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "letsencrypt-production" not found', { source: 'request', wrapper: 'request' })] }), 'proven'],
  ['the reference leads nowhere', issuerNotFound, aCase({ facts: { issuer: missing } }), 'likely'],
  ['a foreign issuer is not ours to miss', issuerNotFound, aCase({ facts: { issuer: anIssuer({ exists: false, group: 'awspca.cert-manager.io' }) } }), 'not-applicable'],
  ['it went while its challenge was open, and nothing else is said', issuerNotFound, aCase({ facts: { issuer: missing, order: anOrder({ state: 'pending', failureTime: undefined, challenges: [open('')] }) } }), 'likely'],
  ['it went, and the challenge says what is wrong', issuerNotFound, aCase({ facts: { issuer: missing, order: anOrder({ state: 'pending', failureTime: undefined, challenges: [open('Waiting for HTTP-01 challenge propagation: wrong status code \'404\', expected \'200\'')] }) } }), 'hint'],
  ['it exists', issuerNotFound, aCase({ facts: { issuer: anIssuer() } }), 'ruled-out'],
  ['an old text, and by now an order of it', issuerNotFound, aCase({ facts: { issuer: anIssuer(), order: anOrder() }, texts: [aText('Referenced "Issuer" not found: issuer.cert-manager.io "letsencrypt" not found', { source: 'event', wrapper: 'request' })] }), 'ruled-out'],
  ['issuers cannot be read', issuerNotFound, aCase({ facts: { issuer: noLook() } }), 'not-applicable'],

  ['an ACME v1 address', issuerNotReady, aCase({ facts: { issuer: unready('InvalidConfig', 'Your ACME server URL is set to a v1 endpoint (https://acme-v01.api.letsencrypt.org/directory).') }, texts: [aText('Your ACME server URL is set to a v1 endpoint (https://acme-v01.api.letsencrypt.org/directory). You should update the spec.acme.server field', { source: 'issuer', wrapper: 'issuer', attempt: 'standing' })] }), 'proven'],
  ['a directory that is not there', issuerNotReady, aCase({ facts: { issuer: unready('ErrRegisterACMEAccount', 'Failed to register ACME account: 404 : 404 page not found') }, texts: [aText('Failed to register ACME account: 404 : 404 page not found', { source: 'issuer', wrapper: 'account', attempt: 'standing' })] }), 'likely'],
  ['not ready for a reason that nobody knows', issuerNotReady, aCase({ facts: { issuer: unready('Strange', 'something new') } }), 'likely'],
  ['ready', issuerNotReady, aCase({ facts: { issuer: anIssuer() } }), 'ruled-out'],
  ['not ready now, but the CA took the order', issuerNotReady, aCase({ facts: { issuer: unready('Strange', 'something new'), order: anOrder() } }), 'hint'],
  ['not there at all', issuerNotReady, aCase({ facts: { issuer: missing } }), 'not-applicable'],

  ['no solver fits', issuerNoMatchingSolver, aCase({ facts: { issuer: anIssuer() }, about: { solverChoice: noChoice }, texts: [solverEvent] }), 'proven'],
  ['no solver fits, and no event is left', issuerNoMatchingSolver, aCase({ facts: { issuer: anIssuer() }, about: { solverChoice: noChoice } }), 'likely'],
  ['the CA offers only the other type', issuerNoMatchingSolver, aCase({ facts: { issuer: anIssuer(), order: offers('http-01') }, about: { solverChoice: aSolverChoice({ challengeType: 'DNS-01' }) }, texts: [solverEvent] }), 'proven'],
  ['a solver fits this name', issuerNoMatchingSolver, aCase({ facts: { issuer: anIssuer(), order: offers('http-01', 'dns-01') }, about: { solverChoice: aSolverChoice() }, texts: [solverEvent] }), 'ruled-out'],
  ['nothing is known of solvers', issuerNoMatchingSolver, aCase(), 'not-applicable'],

  ['class and ingressClassName together', issuerSolverInvalid, aCase({ texts: [aText('the fields ingressClassName and class cannot be set at the same time', { wrapper: 'present' })] }), 'proven'],
  ['override annotations together', issuerSolverInvalid, aCase({ texts: [aText('may not specify more than one of: name, class, ingressClassName override annotations', { source: 'event', wrapper: 'solver-selection' })] }), 'proven'],
  ['the named Ingress is missing', issuerSolverInvalid, aCase({ texts: [aText('ingress.networking.k8s.io "web" not found', { wrapper: 'present' })] }), 'likely'],
  ['a solver Ingress that is gone is no fault', issuerSolverInvalid, aCase({ texts: [aText('ingresses.networking.k8s.io "cm-acme-http-solver-abcde" not found', { source: 'log' })] }), 'not-applicable'],
  ['a plain solver', issuerSolverInvalid, aCase({ about: { challenge: aChallenge({ presented: false }) } }), 'not-applicable'],

  ['a wildcard whose issuer is gone may want DNS-01', issuerNoMatchingSolver, aCase({ identifiers: [wildcard()], texts: [solverEvent] }), 'likely'],

  ['a wildcard and HTTP-01 only, with the event', wildcardNeedsDns01, aCase({ facts: { issuer: anIssuer() }, identifiers: [wildcard({ facts: { solverChoice: noChoice } })], texts: [solverEvent] }), 'proven'],
  ['a wildcard and HTTP-01 only', wildcardNeedsDns01, aCase({ facts: { issuer: anIssuer() }, identifiers: [wildcard()] }), 'likely'],
  ['a DNS-01 solver for another zone', wildcardNeedsDns01, aCase({ facts: { issuer: dns01 }, identifiers: [wildcard({ facts: { solverChoice: noChoice } })], texts: [solverEvent] }), 'ruled-out'],
  ['no wildcard', wildcardNeedsDns01, aCase({ facts: { issuer: anIssuer() }, texts: [solverEvent] }), 'not-applicable'],
  ['issuers cannot be read', wildcardNeedsDns01, aCase({ facts: { issuer: noLook() }, identifiers: [wildcard()] }), 'cannot-tell']
]

for (const [title, cause, incident, answer] of rows) {
  const { found, answer: given, diagnosis } = examineAlone(cause, incident)
  const told = found === undefined ? diagnosis.alsoFits.length > 0 ? 'hint' : given : `${found.confidence}${found.variant === undefined ? '' : ` ${found.variant}`}`
  t.equal(told, answer, `${cause.id}: ${title}`)
  if (found !== undefined) t.notMatch(`${found.summary} ${found.meaning}`, /[{}]|undefined|<(?!secret)/, `${cause.id}: ${title}: the wording is whole`)
}

t.test('a near name is offered', async t => {
  t.match(examineAlone(issuerNotFound, aCase({ facts: { issuer: missing } })).found?.meaning, /Did you mean ClusterIssuer letsencrypt-prod\?/)
})

t.test('apex and wildcard of one order are told apart', async t => {
  const both = aCase({ facts: { issuer: anIssuer() }, identifiers: [anIdentifier({ facts: { solverChoice: aSolverChoice() } }), wildcard({ facts: { solverChoice: noChoice } })], texts: [solverEvent] })
  t.same(examineAlone(wildcardNeedsDns01, both).found?.domains, ['*.shop.example.com'])
  t.same(examineAlone(issuerNoMatchingSolver, both).found?.domains, ['*.shop.example.com'])
})
