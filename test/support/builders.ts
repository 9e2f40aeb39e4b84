import type {
  AddressFacts, CaRecordFacts, CaaFacts, Case, CertificateFacts, ChallengeFacts, ControllerFacts, DelegationFacts, DirectoryFacts,
  FactMap, IdentifierCase, IdentifierFact, IssuerFacts, NamespaceFacts, NetworkPolicyFacts, OrderFacts, ProbeFacts, RequestFacts,
  RoutingFacts, SharedFact, SolverChoiceFacts, SolverFacts, Text, TxtFacts
} from '../../src/shared/types/case.ts'
import type { Diagnosis, FoundCause } from '../../src/shared/types/diagnosis.ts'
import { absent, seen, unavailable, type Evidence, type Look, type Source } from '../../src/shared/types/common.ts'
import type { Cause } from '../../src/diagnose/cause.ts'
import { buildDiagnoser, type Policy } from '../../src/diagnose/run.ts'

/** The moment of the failure in every built case: 2026-11-24T10:00:00Z. */
export const failure = Date.UTC(2026, 10, 24, 10)
const minute = 60_000

type Values<K extends keyof FactMap> = { [F in K]?: FactMap[F] | Look<FactMap[F]> }

/** One thing seen, with a source that fits most tests. */
const anEvidence = (over: Partial<Evidence> = {}): Evidence =>
  ({ source: 'challenge', ref: 'Challenge shop/shop-tls-1-2881-77', text: 'seen', ...over })

/** Facts given as plain values become seen; looks stay as they are; the rest is absent. */
function looks<K extends keyof FactMap> (names: readonly K[], values: Values<K>): { [F in K]: Look<FactMap[F]> } {
  const pairs = names.map(name => {
    const value = values[name]
    if (value === undefined) return [name, absent]
    return [name, 'is' in value ? value : seen(value)]
  })
  return Object.fromEntries(pairs) as { [F in K]: Look<FactMap[F]> }
}

const sharedNames = ['certificate', 'request', 'order', 'issuer', 'controller', 'namespace', 'directory', 'siblings'] as const satisfies readonly SharedFact[]
const identifierNames = [
  'challenge', 'solverChoice', 'solver', 'routing', 'networkPolicy', 'addresses', 'txt', 'caa', 'delegation',
  'probeFromCluster', 'probeFromOutside', 'caRecord', 'served'
] as const satisfies readonly IdentifierFact[]

/** The failing name shop.example.com over HTTP-01; facts that are not given are absent. */
export function anIdentifier (over: Partial<Omit<IdentifierCase, 'facts'>> & { facts?: Values<IdentifierFact> } = {}): IdentifierCase {
  const { facts = {}, ...rest } = over
  return { name: 'shop.example.com', type: 'dns', wildcard: false, state: 'failed', challengeType: 'HTTP-01', ...rest, facts: looks(identifierNames, facts) }
}

type CaseOver = Partial<Omit<Case, 'facts' | 'texts' | 'identifiers'>> & {
  facts?: Values<SharedFact>
  /** Facts of the one identifier, when `identifiers` is not given. */
  about?: Values<IdentifierFact>
  identifiers?: IdentifierCase[]
  texts?: Text[]
}

/** A case of one failed attempt, shop/shop-tls, that says nothing but what is given. */
export function aCase (over: CaseOver = {}): Case {
  const { facts = {}, about = {}, identifiers = [anIdentifier({ facts: about })], texts = [], ...rest } = over
  return {
    format: 1,
    now: failure + 5 * minute,
    alert: {
      status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', name: 'shop-tls' }, annotations: {},
      startsAt: failure + minute, generatorURL: '', fingerprint: '00000000deadbeef'
    },
    subject: {
      hint: { kind: 'Certificate', namespace: 'shop', name: 'shop-tls', from: 'namespace + name' }, tried: [], namespace: 'shop',
      certificate: { name: 'shop-tls' }, order: { name: 'shop-tls-1-2881' }, domains: ['shop.example.com'], candidates: [], lint: []
    },
    anchor: { time: failure, from: 'Order.status.failureTime' },
    chain: [],
    identifiers,
    facts: looks(sharedNames, facts),
    texts: texts.map((text, index) => ({ ...text, index })),
    timeline: [], changes: [], attempts: [],
    next: { why: 'not known', restart: [] },
    blast: { issuer: { name: 'letsencrypt', total: 1, failing: 1 }, others: [] },
    unavailable: [], looks: [],
    ...rest
  }
}

/** A text of the failing attempt. `core` is the text itself unless given; the source decides the usual wrapper. */
export function aText (text: string, over: Partial<Omit<Text, 'evidence'>> & { source?: Source, ref?: string, time?: number } = {}): Text {
  const { source = 'challenge', ref = 'Challenge shop/shop-tls-1-2881-77', time = failure, ...rest } = over
  const folded = text.replaceAll(/\s+/g, ' ').trim()
  return {
    index: 0, evidence: { source, ref, text, ...(rest.attempt === 'standing' ? {} : { time }) },
    wrapper: source === 'log' ? 'log' : source === 'acme' ? 'ca' : source === 'issuer' ? 'issuer' : 'authorization',
    core: folded, whole: folded, about: [], attempt: 'current', count: 1, severity: 'error', ...rest
  }
}

export const aChallenge = (over: Partial<ChallengeFacts> = {}): ChallengeFacts => ({
  namespace: 'shop', name: 'shop-tls-1-2881-77', uid: 'challenge-uid', created: failure - 5 * minute, type: 'HTTP-01', dnsName: 'shop.example.com',
  wildcard: false, state: 'invalid', reason: '', processing: false, presented: false, deleting: false, token: 'token', key: 'token.thumbprint',
  asked: true, solver: 'ingress', solverConfig: { http01: { ingress: { ingressClassName: 'nginx' } } },
  evidence: [anEvidence({ text: `state ${over.state ?? 'invalid'}` })], ...over
})

export const aCertificate = (over: Partial<CertificateFacts> = {}): CertificateFacts => ({
  namespace: 'shop', name: 'shop-tls', uid: 'certificate-uid', created: failure - 90 * 86_400_000, dnsNames: ['shop.example.com'], ipAddresses: [],
  secretName: 'shop-tls', issuerRef: { name: 'letsencrypt', kind: 'ClusterIssuer', group: 'cert-manager.io' }, failedIssuanceAttempts: 1,
  lastFailureTime: failure, sharesSecretWith: [], annotations: {}, deleting: false,
  evidence: [anEvidence({ source: 'certificate', ref: 'Certificate shop/shop-tls', text: 'Ready=False' })], ...over
})

export const aRequest = (over: Partial<RequestFacts> = {}): RequestFacts => ({
  namespace: 'shop', name: 'shop-tls-1', uid: 'request-uid', created: failure - 5 * minute,
  issuerRef: { name: 'letsencrypt', kind: 'ClusterIssuer', group: 'cert-manager.io' },
  approved: { type: 'Approved', status: 'True', reason: 'cert-manager.io', message: 'Certificate request has been approved by cert-manager.io' },
  evidence: [anEvidence({ source: 'request', ref: 'CertificateRequest shop/shop-tls-1', text: 'Ready=False' })], ...over
})

export const anOrder = (over: Partial<OrderFacts> = {}): OrderFacts => ({
  namespace: 'shop', name: 'shop-tls-1-2881', uid: 'order-uid', created: failure - 5 * minute, state: 'invalid', reason: '', failureTime: failure,
  url: 'https://acme-v02.api.letsencrypt.org/acme/order/1/2', hasCertificate: false, authorizations: [], challenges: [],
  evidence: [anEvidence({ source: 'order', ref: 'Order shop/shop-tls-1-2881', text: `state ${over.state ?? 'invalid'}` })], ...over
})

export const anIssuer = (over: Partial<IssuerFacts> = {}): IssuerFacts => ({
  kind: 'ClusterIssuer', name: 'letsencrypt', exists: true, group: 'cert-manager.io',
  ready: { type: 'Ready', status: 'True', reason: 'ACMEAccountRegistered', message: 'The ACME account was registered with the ACME server' },
  acme: {
    server: 'https://acme-v02.api.letsencrypt.org/directory', email: 'ops@example.com', solvers: [{ http01: { ingress: { ingressClassName: 'nginx' } } }],
    caBundle: false, skipTLSVerify: false, eab: false, enableDurationFeature: false, disableAccountKeyGeneration: false, accountKeySecret: 'letsencrypt-account'
  },
  similar: [], evidence: [anEvidence({ source: 'issuer', ref: 'ClusterIssuer letsencrypt', text: 'Ready=True ACMEAccountRegistered' })], ...over
})

export const aController = (over: Partial<ControllerFacts> = {}): ControllerFacts => ({
  namespace: 'cert-manager', version: 'v1.21.1', args: [], env: {}, replicas: 1, ready: 1,
  pods: [{ name: 'cert-manager-7d9f', ready: true, started: failure - 86_400_000, restarts: 0 }],
  webhook: { ready: 1, replicas: 1 }, cainjector: { ready: 1, replicas: 1 }, maxConcurrentChallenges: 60, processingChallenges: 1, apiServices: [],
  evidence: [anEvidence({ source: 'object', ref: 'Deployment cert-manager/cert-manager', text: '1 of 1 replicas ready' })], ...over
})

export const aNamespace = (over: Partial<NamespaceFacts> = {}): NamespaceFacts =>
  ({ name: 'shop', phase: 'Active', labels: {}, evidence: [anEvidence({ source: 'object', ref: 'Namespace shop', text: 'phase Active' })], ...over })

export const aDirectory = (over: Partial<DirectoryFacts> = {}): DirectoryFacts => ({
  url: 'https://acme-v02.api.letsencrypt.org/directory', reachable: true, status: 200, trusted: true, caaIdentities: ['letsencrypt.org'], profiles: [],
  evidence: [anEvidence({ source: 'acme', ref: 'https://acme-v02.api.letsencrypt.org/directory', text: 'answers 200' })], ...over
})

export const aSolverChoice = (over: Partial<SolverChoiceFacts> = {}): SolverChoiceFacts => ({
  chosen: 0, challengeType: 'HTTP-01', considered: [{ index: 0, type: 'http01', fits: true, why: 'has no selector' }],
  evidence: [anEvidence({ source: 'issuer', ref: 'ClusterIssuer letsencrypt', text: 'solver 0 (http01) fits: has no selector' })], ...over
})

export const aSolver = (over: Partial<SolverFacts> = {}): SolverFacts =>
  ({ pods: [], services: [], ingresses: [], routes: [], objects: [], evidence: [anEvidence({ source: 'object', ref: 'Ingress shop/cm-acme-http-solver-abcde', text: 'there' })], ...over })

export const aRouting = (over: Partial<RoutingFacts> = {}): RoutingFacts => ({
  claims: [], classes: [{ name: 'nginx', controller: 'k8s.io/ingress-nginx', isDefault: false }], gateways: [], clusterAddresses: [{ address: '203.0.113.10', owner: 'Service ingress-nginx/controller' }],
  controllers: ['ingress-nginx'], evidence: [anEvidence({ source: 'object', ref: 'Ingress shop/web', text: 'claims shop.example.com' })], ...over
})

export const aNetworkPolicy = (over: Partial<NetworkPolicyFacts> = {}): NetworkPolicyFacts => ({
  solverIngress: { verdict: 'open', policies: [], why: 'no policy selects the solver Pod' }, controllerEgress: { verdict: 'open', ports: [], policies: [], why: 'no policy selects cert-manager' },
  notEvaluated: [], evidence: [anEvidence({ source: 'object', ref: 'NetworkPolicy shop/*', text: 'no policy selects the solver Pod' })], ...over
})

export const anAddresses = (over: Partial<AddressFacts> = {}): AddressFacts => ({
  views: [{ vantage: 'public', server: '1.1.1.1', a: ['203.0.113.10'], aaaa: [], cname: [], rcode: 'NOERROR' }],
  publicAddresses: [{ address: '203.0.113.10', family: 4, class: 'public', ownedBy: 'Service ingress-nginx/controller' }], clusterAddresses: ['203.0.113.10'], split: false,
  publicState: 'ok', clusterState: 'ok', evidence: [anEvidence({ source: 'dns', ref: 'A shop.example.com at public 1.1.1.1', text: '203.0.113.10' })], ...over
})

export const aTxt = (over: Partial<TxtFacts> = {}): TxtFacts => ({
  name: '_acme-challenge.shop.example.com', expected: 'expected', servers: [], state: 'none', foreignDigests: [], wildcardAnswer: false,
  evidence: [anEvidence({ source: 'dns', ref: 'TXT _acme-challenge.shop.example.com at authoritative ns1', text: 'NXDOMAIN' })], ...over
})

export const aCaa = (over: Partial<CaaFacts> = {}): CaaFacts =>
  ({ records: [], allows: true, evidence: [anEvidence({ source: 'dns', ref: 'CAA shop.example.com at public 1.1.1.1', text: 'no CAA record up to the top' })], ...over })

export const aDelegation = (over: Partial<DelegationFacts> = {}): DelegationFacts => ({
  zone: 'example.com', nameServers: [], parentNs: [], childNs: [], registeredDomainState: 'ok', dnssec: 'unsigned',
  evidence: [anEvidence({ source: 'dns', ref: 'NS example.com at public 1.1.1.1', text: 'ns1.provider.example' })], ...over
})

export const aProbe = (over: Partial<ProbeFacts> = {}): ProbeFacts => ({
  outcome: 'token-served', address: '203.0.113.10', tokenAsked: true, redirectedToHttps: false, perAddress: [],
  evidence: [anEvidence({ source: 'http', ref: 'http://shop.example.com/.well-known/acme-challenge/… at 203.0.113.10', text: over.outcome ?? 'token-served' })], ...over
})

export const aCaRecord = (over: Partial<CaRecordFacts> = {}): CaRecordFacts => ({
  status: 'invalid', hops: [], addressChanged: false,
  evidence: [anEvidence({ source: 'acme', ref: 'https://acme-v02.api.letsencrypt.org/acme/authz/1/2', text: 'status invalid' })], ...over
})

/** A look that failed, for "cannot tell". */
export const noLook = (why = 'forbidden'): Look<never> => unavailable(why)

/** What one cause alone says of a case: its entry, or undefined, with the whole diagnosis beside it. */
export function examineAlone (cause: Cause, incident: Case, policy: Policy = {}): { found?: FoundCause, diagnosis: Diagnosis, answer: 'found' | 'ruled-out' | 'cannot-tell' | 'not-applicable' } {
  const diagnosis = buildDiagnoser([cause], policy).diagnose(incident)
  const [found] = diagnosis.causes
  const answer = found !== undefined ? 'found' : diagnosis.ruledOut.length > 0 ? 'ruled-out' : diagnosis.cannotTell.length > 0 ? 'cannot-tell' : 'not-applicable'
  return { found, diagnosis, answer }
}
