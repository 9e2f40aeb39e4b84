import t from 'tap'
import type { Cause } from '../../src/diagnose/cause.ts'
import type { Case } from '../../src/shared/types/case.ts'
import type { Confidence } from '../../src/shared/types/diagnosis.ts'
import certManagerKnownBug from '../../src/diagnose/causes/cert-manager-known-bug.ts'
import certManagerNotRunning from '../../src/diagnose/causes/cert-manager-not-running.ts'
import certManagerQueueSaturated from '../../src/diagnose/causes/cert-manager-queue-saturated.ts'
import certManagerRbacDenied from '../../src/diagnose/causes/cert-manager-rbac-denied.ts'
import certManagerVersionIncompatible from '../../src/diagnose/causes/cert-manager-version-incompatible.ts'
import certManagerWebhookUnavailable from '../../src/diagnose/causes/cert-manager-webhook-unavailable.ts'
import domainDelegationBroken from '../../src/diagnose/causes/domain-delegation-broken.ts'
import namespaceTerminating from '../../src/diagnose/causes/namespace-terminating.ts'
import orderOrphaned from '../../src/diagnose/causes/order-orphaned.ts'
import { knownBugs } from '../../src/diagnose/known-bugs.ts'
import { aCase, aChallenge, aController, aDelegation, aNamespace, aRequest, aText, anIssuer, anOrder, examineAlone, failure, noLook } from '../support/builders.ts'

type Answer = Confidence | `${Confidence} ${string}` | 'ruled-out' | 'not-applicable' | 'cannot-tell' | 'hint'
type Row = [title: string, cause: Cause, incident: Case, answer: Answer]

const minute = 60_000
const logged = (text: string, over: Parameters<typeof aCase>[0] = {}): Case => aCase({ ...over, texts: [aText(text, { source: 'log', ref: 'log cert-manager/cert-manager-7d9f' })] })
const version = (text: string): Case['version'] => {
  const [major = 0, minor = 0, patch = 0] = text.slice(1).split('.').map(Number)
  return { major, minor, patch, text }
}
const waiting = aChallenge({ state: '', processing: false, presented: false, asked: false })
const full = aController({ maxConcurrentChallenges: 60, processingChallenges: 60 })
const item = (state: string, over: Partial<ReturnType<typeof anOrder>['challenges'][number]> = {}): ReturnType<typeof anOrder>['challenges'][number] =>
  ({ name: 'shop-tls-1-2881-78', dnsName: 'shop.example.com', type: 'HTTP-01', state, processing: false, presented: false, reason: '', created: failure - 10 * minute, ...over })
const forbidden = (resource: string, group: string, account = 'cert-manager'): string => `User "system:serviceaccount:cert-manager:${account}" cannot create resource "${resource}" in API group "${group}" in the namespace "shop"`
const down = aController({ ready: 0, pods: [{ name: 'cert-manager-7d9f', ready: false, restarts: 9, waiting: 'CrashLoopBackOff', lastTermination: { reason: 'OOMKilled', exitCode: 137 } }] })
const cluster = anIssuer()
const secretGone = 'error getting cloudflare secret: secrets "cloudflare-api-token" not found'
const transport = 'unexpected non-ACME API error: context deadline exceeded'

const rows: Row[] = [
  ['the API forbids solver Ingresses', certManagerRbacDenied, logged(`ingresses.networking.k8s.io is forbidden: ${forbidden('ingresses', 'networking.k8s.io')}`), 'proven'],
  ['owner references need finalizers', certManagerRbacDenied, aCase({ texts: [aText('Failed create new order resource web/x: orders.acme.cert-manager.io "x" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on', { source: 'request', wrapper: 'request' })] }), 'proven'],
  ['the group of a DNS webhook is another matter', certManagerRbacDenied, logged(`hetzner.acme.corp.example is forbidden: ${forbidden('hetzner', 'acme.corp.example')}`), 'not-applicable'],
  ['the account of a DNS webhook is another matter', certManagerRbacDenied, logged(`secrets "token" is forbidden: ${forbidden('secrets', '', 'cert-manager-webhook-hetzner')}`), 'not-applicable'],
  ['the account of a DNS webhook that is not called so', certManagerRbacDenied, logged('secrets "token" is forbidden: User "system:serviceaccount:cert-manager:cm-ovh" cannot get resource "secrets" in API group "" in the namespace "shop"'), 'not-applicable'],
  ['the controller under a name of its own', certManagerRbacDenied, logged('secrets "token" is forbidden: User "system:serviceaccount:platform:cm" cannot get resource "secrets" in API group "" in the namespace "shop"', { facts: { controller: aController({ serviceAccount: 'cm' }) } }), 'proven'],
  ['a quota is another matter', certManagerRbacDenied, logged('pods "cm-acme-http-solver-abcde" is forbidden: exceeded quota: small, requested: pods=1'), 'not-applicable'],

  ['a time-out that ends the challenge for good', certManagerKnownBug, logged(transport, { version: version('v1.18.2') }), 'likely 7337'],
  ['the same in a version that tries again', certManagerKnownBug, logged(transport, { version: version('v1.21.0') }), 'not-applicable'],
  ['the same in a version that nobody knows', certManagerKnownBug, logged(transport), 'not-applicable'],
  ['credentials of a ClusterIssuer in the wrong namespace', certManagerKnownBug, logged(secretGone, { version: version('v1.16.0'), facts: { issuer: cluster } }), 'likely 7331'],
  ['the same with an Issuer', certManagerKnownBug, logged(secretGone, { version: version('v1.16.0'), facts: { issuer: anIssuer({ kind: 'Issuer', namespace: 'shop' }) } }), 'not-applicable'],
  ['the same after the fix', certManagerKnownBug, logged(secretGone, { version: version('v1.16.1'), facts: { issuer: cluster } }), 'not-applicable'],
  ['Cloudflare cannot be cleaned up', certManagerKnownBug, logged('Error cleaning up challenge: while querying the Cloudflare API for DELETE "/zones/1/dns_records/" \n\t Error: 7003: Could not route to /zones/1/dns_records/', { version: version('v1.15.3') }), 'likely 7540'],

  ['stored objects of an old version', certManagerVersionIncompatible, logged('Failed to watch *v1.Order: failed to list *v1.Order: request to convert CR from an invalid group/version: acme.cert-manager.io/v1alpha2'), 'proven'],
  ['an Ingress version that is gone', certManagerVersionIncompatible, logged('no matches for kind "Ingress" in version "networking.k8s.io/v1beta1"'), 'proven'],
  ['missing Gateway API CRDs are another matter', certManagerVersionIncompatible, logged('no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"'), 'not-applicable'],
  ['the schema of old CRDs refuses a status', certManagerVersionIncompatible, logged('Order.acme.cert-manager.io "shop-tls-1-2881" is invalid: status.certificate: Invalid value: "null": status.certificate in body must be of type string: "null"'), 'likely'],
  ['a name that is too long is nobody\'s version', certManagerVersionIncompatible, logged('CertificateRequest.cert-manager.io "shop-tls-1" is invalid: metadata.labels: Invalid value: "x": must be no more than 63 characters'), 'not-applicable'],
  ['nothing said', certManagerVersionIncompatible, aCase(), 'not-applicable'],

  ['the admission webhook refuses connections', certManagerWebhookUnavailable, aCase({ texts: [aText('Failed to create CertificateRequest: Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed to call webhook: Post "https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s": dial tcp 10.96.1.1:443: connect: connection refused', { source: 'event', wrapper: 'certificate' })] }), 'proven'],
  ['the webhook of an ingress controller is another matter', certManagerWebhookUnavailable, logged('Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": no endpoints available for service "ingress-nginx-controller-admission"'), 'not-applicable'],
  ['none of its pods is ready, and there is no request', certManagerWebhookUnavailable, aCase({ facts: { controller: aController({ webhook: { ready: 0, replicas: 1 } }) } }), 'likely'],
  ['none of its pods is ready, but an order was made', certManagerWebhookUnavailable, aCase({ facts: { controller: aController({ webhook: { ready: 0, replicas: 1 } }), request: aRequest(), order: anOrder() } }), 'not-applicable'],
  ['it is ready', certManagerWebhookUnavailable, aCase({ facts: { controller: aController() } }), 'ruled-out'],

  ['nothing may be made in the namespace', namespaceTerminating, logged('pods "cm-acme-http-solver-abcde" is forbidden: unable to create new content in namespace shop because it is being terminated'), 'proven'],
  ['the namespace is going away', namespaceTerminating, aCase({ facts: { namespace: aNamespace({ phase: 'Terminating', deletedAt: failure - minute }) } }), 'likely'],
  ['the namespace stays', namespaceTerminating, aCase({ facts: { namespace: aNamespace() } }), 'ruled-out'],
  ['the namespace cannot be read', namespaceTerminating, aCase({ facts: { namespace: noLook() } }), 'not-applicable'],

  ['all places are taken', certManagerQueueSaturated, aCase({ facts: { controller: full }, about: { challenge: waiting } }), 'likely'],
  ['cert-manager says that all places are taken', certManagerQueueSaturated, logged('hit maximum concurrent challenge limit. refusing to schedule more challenges.', { facts: { controller: full }, about: { challenge: waiting } }), 'proven'],
  ['it waits for its twin of the same order', certManagerQueueSaturated, aCase({ facts: { controller: full, order: anOrder({ state: 'pending', challenges: [item('pending', { processing: true })] }) }, about: { challenge: waiting } }), 'not-applicable'],
  ['places are free', certManagerQueueSaturated, aCase({ facts: { controller: aController() }, about: { challenge: waiting } }), 'not-applicable'],
  ['another namespace has the name', certManagerQueueSaturated, aCase({ facts: { controller: aController() }, about: { challenge: { ...waiting, heldBy: { source: 'challenge', ref: 'Challenge old/web-1-1-1', text: 'state pending (processing, presented)' } } } }), 'likely'],
  ['another namespace has the name, since a moment', certManagerQueueSaturated, aCase({ facts: { controller: aController() }, about: { challenge: { ...waiting, created: failure + 5 * minute, heldBy: { source: 'challenge', ref: 'Challenge old/web-1-1-1', text: 'state pending' } } } }), 'not-applicable'],
  ['it is being worked on', certManagerQueueSaturated, aCase({ facts: { controller: full }, about: { challenge: aChallenge({ state: 'pending', processing: true }) } }), 'ruled-out'],

  ['the parent zone does not know the domain', domainDelegationBroken, aCase({ about: { delegation: aDelegation({ zone: 'com', registeredDomainState: 'nxdomain' }), challenge: aChallenge() } }), 'likely'],
  ['a resolver that knows nothing at all', domainDelegationBroken, aCase({ about: { delegation: aDelegation({ zone: undefined, registeredDomainState: 'nxdomain' }), challenge: aChallenge() } }), 'not-applicable'],
  ['the name servers do not have the zone, and the CA says so', domainDelegationBroken, aCase({ about: { delegation: aDelegation({ registeredDomainState: 'lame' }), challenge: aChallenge() }, texts: [aText('400 urn:ietf:params:acme:error:dns: DNS problem: REFUSED looking up A for shop.example.com - Not Authoritative')] }), 'proven'],
  ['only the CA says so', domainDelegationBroken, aCase({ texts: [aText('400 urn:ietf:params:acme:error:dns: DNS problem: SERVFAIL looking up A for shop.example.com - DNSSEC: Not Authoritative: example.com')] }), 'likely'],
  ['the zone is served well', domainDelegationBroken, aCase({ about: { delegation: aDelegation() } }), 'ruled-out'],
  ['DNS cannot be asked', domainDelegationBroken, aCase({ about: { delegation: noLook() } }), 'not-applicable'],

  ['it crashes', certManagerNotRunning, aCase({ facts: { controller: down } }), 'likely'],
  ['it is scaled to 0', certManagerNotRunning, aCase({ facts: { controller: aController({ replicas: 0, ready: 0, pods: [] }) } }), 'likely'],
  ['it lost its lease and is down', certManagerNotRunning, logged('error executing command: error starting controller: leader election lost', { facts: { controller: down } }), 'proven'],
  ['it lost its lease once and runs', certManagerNotRunning, logged('error starting controller: leader election lost', { facts: { controller: aController() } }), 'ruled-out'],
  ['it is down now, but the order was decided before', certManagerNotRunning, aCase({ facts: { controller: down, order: anOrder() } }), 'not-applicable'],
  ['nobody renews the lease: a hint', certManagerNotRunning, aCase({ facts: { controller: aController({ lease: { holder: 'cert-manager-7d9f', renewed: failure - 60 * minute } }) } }), 'hint'],
  ['its Deployment cannot be read', certManagerNotRunning, aCase({ facts: { controller: noLook() } }), 'cannot-tell'],

  ['Route 53 has no such record any more, in a version that minds', certManagerKnownBug, logged('InvalidChangeBatch: [Tried to delete resource record set [name=\'_acme-challenge.shop.example.com.\', type=\'TXT\'] but it was not found]', { version: version('v1.16.3') }), 'likely 7547'],
  ['Route 53 has no such record any more, in a version that does not mind', certManagerKnownBug, logged('InvalidChangeBatch: [Tried to delete resource record set [name=\'_acme-challenge.shop.example.com.\', type=\'TXT\'] but it was not found]', { version: version('v1.18.0') }), 'not-applicable'],
  ['no region, in the version that forgets it', certManagerKnownBug, logged('endpoint rule error, Invalid Configuration: Missing Region', { version: version('v1.15.0') }), 'likely 7102'],
  ['no region, and nobody but the issuer to blame', certManagerKnownBug, logged('endpoint rule error, Invalid Configuration: Missing Region', { version: version('v1.17.0') }), 'not-applicable'],
  ['the challenge ended and the Order is pending', orderOrphaned, aCase({ facts: { order: anOrder({ state: 'pending', failureTime: undefined, challenges: [item('expired')] }) } }), 'likely'],
  ['another challenge is still open', orderOrphaned, aCase({ facts: { order: anOrder({ state: 'pending', challenges: [item('errored'), item('pending', { name: 'b' })] }) } }), 'not-applicable'],
  ['the challenge ended just now', orderOrphaned, aCase({ facts: { order: anOrder({ state: 'pending', challenges: [item('errored', { created: failure + 5 * minute })] }) } }), 'not-applicable'],
  ['the Order has failed as it should', orderOrphaned, aCase({ facts: { order: anOrder({ challenges: [item('invalid')] }) } }), 'ruled-out'],
  ['every challenge is valid, and the CA does not say that the order is ready', orderOrphaned, aCase({ facts: { order: anOrder({ state: 'pending', failureTime: undefined, challenges: [item('valid')] }) } }), 'likely'],
  ['the last challenge became valid just now', orderOrphaned, aCase({ facts: { order: anOrder({ state: 'pending', failureTime: undefined, challenges: [item('valid', { created: failure + 5 * minute })] }) } }), 'not-applicable'],
  ['its two halves do not belong together', certManagerWebhookUnavailable, logged('admission webhook "webhook.cert-manager.io" denied the request: [spec.uid: Forbidden: uid identity must be that of the requester]'), 'likely'],
  ['it refuses what is wrong', certManagerWebhookUnavailable, logged('admission webhook "webhook.cert-manager.io" denied the request: spec.privateKey.size: Invalid value: 1024'), 'not-applicable'],
  ['an old Order has had the name for minutes', orderOrphaned, aCase({ facts: { request: aRequest({ ready: undefined }) }, texts: [aText('found Order resource not owned by this CertificateRequest, retrying', { source: 'log', last: failure })] }), 'likely'],
  ['an old Order has the name for a moment', orderOrphaned, aCase({ facts: { request: aRequest({ ready: undefined }) }, texts: [aText('found Order resource not owned by this CertificateRequest, retrying', { source: 'log', last: aRequest().created + 6000 })] }), 'not-applicable'],
  ['a restored request has had the name for minutes', orderOrphaned, aCase({ facts: { order: { is: 'absent' } }, texts: [aText('certificaterequests.cert-manager.io "shop-tls-2" already exists', { source: 'log', first: failure - 9 * minute, last: failure })] }), 'likely'],
  ['a request had the name for a moment', orderOrphaned, aCase({ facts: { order: { is: 'absent' } }, texts: [aText('certificaterequests.cert-manager.io "shop-tls-2" already exists', { source: 'log', first: failure - 1000, last: failure })] }), 'not-applicable'],
  ['requests had the name before the Order was made', orderOrphaned, aCase({ facts: { order: anOrder({ state: 'pending', failureTime: undefined }) }, texts: [aText('certificaterequests.cert-manager.io "shop-tls-2" already exists', { source: 'log', first: anOrder().created - 9 * minute, last: anOrder().created - 1000 })] }), 'not-applicable'],
  ['it was removed before its Challenge', certManagerNotRunning, aCase({ facts: { controller: { is: 'absent' } }, about: { challenge: aChallenge({ deleting: true }) } }), 'likely'],
  ['no object of it was recognised', certManagerNotRunning, aCase({ facts: { controller: { is: 'absent' } } }), 'not-applicable'],
  ['Orders cannot be read', orderOrphaned, aCase({ facts: { order: noLook() } }), 'cannot-tell']
]

for (const [title, cause, incident, answer] of rows) {
  const { found, answer: given, diagnosis } = examineAlone(cause, incident)
  const told = found === undefined ? diagnosis.alsoFits.length > 0 ? 'hint' : given : `${found.confidence}${found.variant === undefined ? '' : ` ${found.variant}`}`
  t.equal(told, answer, `${cause.id}: ${title}`)
  if (found !== undefined) t.notMatch(`${found.summary} ${found.meaning}`, /[{}]|undefined|</, `${cause.id}: ${title}: the wording is whole`)
}

t.test('the operator\'s patience counts', async t => {
  const incident = aCase({ facts: { controller: full }, about: { challenge: waiting } })
  t.equal(examineAlone(certManagerQueueSaturated, incident, { 'cert-manager-queue-saturated': { thresholds: { patienceSeconds: 3600 } } }).answer, 'not-applicable')
})

t.test('each known defect has an end or none, and its variant', async t => {
  for (const { issue, versions, what } of knownBugs) {
    t.ok(certManagerKnownBug.variants.includes(issue), `${issue} is a variant`)
    t.ok(versions.every(([[a, b, c], [d, e, f]]) => a * 1e6 + b * 1e3 + c < d * 1e6 + e * 1e3 + f), `${issue} has versions in order`)
    t.notMatch(what, /\.$/, `${issue} is said without a full stop`)
  }
})
