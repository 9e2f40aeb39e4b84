import type { Alert, Evidence, Look, Millis } from './common.ts'
import type { Condition, IssuerRef, KubeObject } from './kubernetes.ts'
import type { DnsFailure, HttpHop, ConnectFailure, Subject, Vantage, RecordedState, LookReport } from './observations.ts'

/**
 * What correlate makes of the observations: the failing attempt with its gaps, one timeline,
 * every text that bears on it, and facts per identifier. Plain JSON; made by `correlate()`,
 * read by the causes and by publish.
 */
export interface Case {
  format: 1
  now: Millis
  /** By how much this service's own clock was ahead of the API server's; negative: behind. Every time here is the API server's. */
  clockAhead?: Millis
  alert: Alert
  subject: Subject
  /** The time the windows are laid around, and where it comes from. */
  anchor: { time: Millis, from: string }
  chain: ChainLink[]
  /** The identifiers of the attempt; the failing ones first. Never empty: an unknown one has the name ''. */
  identifiers: IdentifierCase[]
  /** Facts of the whole attempt. */
  facts: { [K in SharedFact]: Look<FactMap[K]> }
  texts: Text[]
  timeline: TimelineEntry[]
  changes: Change[]
  attempts: Attempt[]
  /** The attempts in one sentence: the same failure all along, or changed at attempt N. */
  history?: string
  next: NextTry
  blast: BlastRadius
  /** cert-manager's version as numbers, when known: it decides what absence means. */
  version?: { major: number, minor: number, patch: number, text: string }
  kubernetesVersion?: string
  unavailable: { source: string, why: string, fix?: string }[]
  looks: LookReport[]
}

/** One object of the chain, or the gap where it should be. */
export interface ChainLink {
  kind: 'Certificate' | 'CertificateRequest' | 'CertificateSigningRequest' | 'Order' | 'Challenge' | 'Issuer' | 'ClusterIssuer'
  namespace?: string
  name: string
  uid?: string
  is: 'seen' | 'gone' | 'unavailable'
  state?: string
  note?: string
}

/** One name (or IP) of the attempt, with the facts that bear on it. */
export interface IdentifierCase {
  /** Without `*.`; '' when no identifier is known at all. */
  name: string
  type: 'dns' | 'ip'
  wildcard: boolean
  /** `failed`: its own challenge or the CA says so; `pending`: not final; `passed`: valid. `unknown`: nothing tells. */
  state: 'failed' | 'pending' | 'passed' | 'unknown'
  challengeType?: 'HTTP-01' | 'DNS-01'
  /** Every vantage side by side; for finding, page and thread. */
  vantages?: VantageTable
  facts: { [K in IdentifierFact]: Look<FactMap[K]> }
}

/** Facts that are the same for each identifier of the attempt. */
export type SharedFact =
  | 'certificate' | 'request' | 'order' | 'issuer' | 'controller' | 'namespace' | 'directory' | 'siblings'
/** Facts of one identifier. */
export type IdentifierFact =
  | 'challenge' | 'solverChoice' | 'solver' | 'routing' | 'networkPolicy' | 'addresses' | 'txt' | 'caa' | 'delegation'
  | 'probeFromCluster' | 'probeFromOutside' | 'caRecord' | 'served'

/** Every fact carries the evidence that states it, so that a cause can cite it by name. */
export interface FactMap {
  certificate: CertificateFacts
  request: RequestFacts
  order: OrderFacts
  issuer: IssuerFacts
  controller: ControllerFacts
  namespace: NamespaceFacts
  directory: DirectoryFacts
  siblings: SiblingFacts
  challenge: ChallengeFacts
  solverChoice: SolverChoiceFacts
  solver: SolverFacts
  routing: RoutingFacts
  networkPolicy: NetworkPolicyFacts
  addresses: AddressFacts
  txt: TxtFacts
  caa: CaaFacts
  delegation: DelegationFacts
  probeFromCluster: ProbeFacts
  probeFromOutside: ProbeFacts
  caRecord: CaRecordFacts
  served: ServedFacts
}

interface Fact { evidence: Evidence[] }

export interface CertificateFacts extends Fact {
  namespace: string
  name: string
  uid: string
  created: Millis
  dnsNames: string[]
  ipAddresses: string[]
  commonName?: string
  secretName: string
  issuerRef: IssuerRef
  ready?: Condition
  issuing?: Condition
  notAfter?: Millis
  renewalTime?: Millis
  revision?: number
  failedIssuanceAttempts: number
  lastFailureTime?: Millis
  /** Names of other Certificates of the namespace with the same secretName. */
  sharesSecretWith: string[]
  /** `Ingress shop/web` or `Gateway …` when a shim made it. */
  madeBy?: string
  duration?: string
  annotations: Record<string, string>
  deleting: boolean
}

export interface RequestFacts extends Fact {
  namespace: string
  name: string
  uid: string
  created: Millis
  revision?: number
  ready?: Condition
  approved?: Condition
  denied?: Condition
  invalid?: Condition
  failureTime?: Millis
  issuerRef: IssuerRef
}

export interface OrderFacts extends Fact {
  namespace: string
  name: string
  uid: string
  created: Millis
  /** '' while the CA has not accepted it. */
  state: string
  reason: string
  failureTime?: Millis
  url?: string
  /** What the CA says now of the order, which the object may not know. */
  stateAtCa?: string
  hasCertificate: boolean
  authorizations: { identifier: string, wildcard: boolean, initialState: string, challengeTypes: string[], url: string }[]
  profile?: string
  duration?: string
  /** State of each Challenge that is left, by name. */
  challenges: { name: string, dnsName: string, type: string, state: string, processing: boolean, presented: boolean, reason: string, created: Millis }[]
}

export interface ChallengeFacts extends Fact {
  namespace: string
  name: string
  uid: string
  created: Millis
  type: 'HTTP-01' | 'DNS-01'
  dnsName: string
  wildcard: boolean
  state: string
  reason: string
  processing: boolean
  presented: boolean
  deleting: boolean
  token: string
  /** HTTP-01: the key authorization. DNS-01: the TXT value itself (recorded.md 4). */
  key: string
  /** The CA was asked to validate: a self-check failure says nothing about it. */
  asked: boolean
  /** `ingress`, `gatewayHTTPRoute`, or the DNS provider's stanza name (`route53`, `webhook` …); '' when unknown. */
  solver: string
  /** The chosen solver stanza as it stands in spec.solver (credentials are references only). */
  solverConfig: Record<string, unknown>
  /** While it waits untouched: the Challenge of another Order for the same name and type that is being worked on. */
  heldBy?: Evidence
}

export interface IssuerFacts extends Fact {
  kind: 'Issuer' | 'ClusterIssuer' | string
  name: string
  namespace?: string
  /** False: the reference leads to nothing (its list was readable). */
  exists: boolean
  group: string
  ready?: Condition
  acme?: {
    server: string
    email?: string
    accountUri?: string
    solvers: Record<string, unknown>[]
    caBundle: boolean
    skipTLSVerify: boolean
    eab: boolean
    preferredChain?: string
    profile?: string
    enableDurationFeature: boolean
    disableAccountKeyGeneration: boolean
    accountKeySecret?: string
  }
  /** Issuers of any kind with a similar name, for "did you mean". */
  similar: string[]
}

export interface ControllerFacts extends Fact {
  namespace: string
  /** Name of the ServiceAccount that it runs as; absent when its Pod template does not say. */
  serviceAccount?: string
  version?: string
  args: string[]
  env: Record<string, string>
  replicas: number
  ready: number
  pods: { name: string, ready: boolean, started?: Millis, restarts: number, lastTermination?: { reason: string, exitCode: number, at?: Millis }, waiting?: string }[]
  lease?: { holder: string, renewed?: Millis }
  webhook: { ready: number, replicas: number } | undefined
  cainjector: { ready: number, replicas: number } | undefined
  maxConcurrentChallenges: number
  processingChallenges: number
  /** The APIService of each DNS webhook group in use: `acme.example.com/v1alpha1`. */
  apiServices: { group: string, available: boolean, reason?: string, message?: string }[]
  gatewayApiEnabled?: boolean
}

export interface NamespaceFacts extends Fact { name: string, phase: string, deletedAt?: Millis, labels: Record<string, string> }

export interface DirectoryFacts extends Fact {
  url: string
  /** The directory answered as a directory. */
  reachable: boolean
  failure?: { code: string, text: string }
  status?: number
  trusted?: boolean
  caaIdentities: string[]
  profiles: string[]
  externalAccountRequired?: boolean
  /** The CA's Date minus the API server's clock, or ours where that is not known. */
  skewMs?: number
}

/** Other attempts around this one: same issuer, and how they fare. */
export interface SiblingFacts extends Fact {
  sameIssuer: { total: number, failing: number, names: string[] }
}

export interface SolverChoiceFacts extends Fact {
  /** Index into the issuer's solvers; absent when none fits. */
  chosen?: number
  challengeType?: 'HTTP-01' | 'DNS-01'
  /** Why each solver fits or not, in the issuer's order. */
  considered: { index: number, type: string, fits: boolean, why: string }[]
}

export interface SolverFacts extends Fact {
  pods: { name: string, phase: string, ready: boolean, node?: string, waiting?: string, terminated?: string, restarts: number, image?: string, message?: string, unschedulable?: string, labels: Record<string, string> }[]
  services: { name: string, type: string, readyEndpoints: number }[]
  ingresses: { name: string, className?: string, classAnnotation?: string, addresses: string[], pathType?: string }[]
  routes: { name: string, parents: { ref: string, controller?: string, accepted?: Condition, resolvedRefs?: Condition, conditions: Condition[] }[] }[]
  objects: KubeObject[]
}

export interface RoutingFacts extends Fact {
  /** Everything that claims the host, winner first. */
  claims: RouteClaim[]
  classes: { name: string, controller: string, isDefault: boolean }[]
  gateways: { namespace: string, name: string, className: string, addresses: string[], listeners: { name: string, port: number, protocol: string, hostname?: string, conditions: Condition[] }[], conditions: Condition[] }[]
  /** Addresses this cluster owns: LoadBalancer Services, Ingress and Gateway status, external IPs, Nodes. */
  clusterAddresses: { address: string, owner: string }[]
  controllers: string[]
  /** Settings outside the claims that change what port 80 answers. */
  hints?: RoutingHint[]
}
/** One setting of a controller, load balancer, namespace or mesh: `where` names the object and field, `value` quotes it. */
export interface RoutingHint {
  kind: 'proxy-protocol' | 'mesh' | 'force-https' | 'https-entrypoint-only' | 'no-port-80' | 'controller-down' | 'no-address' | 'address-per-ingress' | 'hosts-not-merged'
  where: string
  value: string
}
export interface RouteClaim {
  kind: 'Ingress' | 'HTTPRoute' | 'IngressRoute' | 'VirtualService' | 'HTTPProxy' | 'VirtualServer' | 'ApisixRoute' | 'Route'
  namespace: string
  name: string
  host: string
  path: string
  pathType: string
  className?: string
  solver: boolean
  wins: boolean
  why: string
  /** Does a running controller take this object as its own? `why` says what tells. */
  ownership?: 'owned' | 'unowned' | 'unknown'
  /** `ingress-nginx`, `nginx.org`, `traefik`, `gce` …; a Gateway's controller name for an HTTPRoute. */
  controller?: string
  /** What the backend Service leads to. */
  backendState?: 'ready' | 'no-endpoints' | 'service-missing' | 'unknown'
  addresses: string[]
  /** Settings that redirect, authenticate, allow-list, rewrite or inject: object field and value. */
  settings: { effect: 'redirect' | 'auth' | 'allow-list' | 'rewrite' | 'snippet' | 'client-certificate' | 'other', field: string, value: string }[]
  backend?: string
  tls: boolean
}

export interface NetworkPolicyFacts extends Fact {
  /** Does some policy select the solver Pod and let nobody from the ingress controller in on 8089? */
  solverIngress: { verdict: 'open' | 'allowed' | 'blocked' | 'unknown', policies: string[], why: string }
  controllerEgress: { verdict: 'open' | 'allowed' | 'blocked' | 'unknown', ports: number[], policies: string[], why: string }
  /** Policy kinds that are present and were not evaluated (Cilium, Calico). */
  notEvaluated: string[]
}

export type AddressClass = 'public' | 'private' | 'reserved' | 'loopback' | 'link-local' | 'cgnat' | 'unique-local'
export interface AddressFacts extends Fact {
  views: AddressView[]
  /** Union of the public views' final addresses. */
  publicAddresses: { address: string, family: 4 | 6, class: AddressClass, ownedBy?: string }[]
  clusterAddresses: string[]
  /** Public and cluster answers differ. */
  split: boolean
  /** `NXDOMAIN`, `NODATA`, `SERVFAIL` …, or `ok`, as the public views agree. */
  publicState: 'ok' | 'nxdomain' | 'nodata' | 'servfail' | 'refused' | 'timeout' | 'mixed' | 'unknown'
  clusterState: 'ok' | 'nxdomain' | 'nodata' | 'servfail' | 'refused' | 'timeout' | 'unknown'
  /** Host names of load balancers of this cluster whose addresses nobody could tell. */
  unresolvedHosts?: string[]
}
export interface AddressView {
  vantage: Vantage
  server: string
  a: string[]
  aaaa: string[]
  cname: string[]
  rcode?: string
  failure?: DnsFailure
  ede?: { code: number, text: string }
}

export interface TxtFacts extends Fact {
  name: string
  /** Where `_acme-challenge.<name>` leads by CNAME, last target; undefined without one. */
  cname?: string[]
  expected?: string
  servers: { vantage: Vantage, server: string, rcode?: string, failure?: DnsFailure, values: string[], hasExpected: boolean, serial?: number, negativeTtl?: number }[]
  state: 'everywhere' | 'partial' | 'none' | 'other-values' | 'unknown'
  /** Every other value found looks like an ACME digest (43 base64url characters). */
  foreignDigests: string[]
  wildcardAnswer: boolean
  /** A value stands at `_acme-challenge.<name>.<zone>`: the zone's name was typed twice. */
  doubledAt?: string
}

export interface CaaFacts extends Fact {
  /** The name whose record set decides, closest first; undefined when none was found up to the top. */
  foundAt?: string
  records: { flags: number, tag: string, value: string }[]
  allows?: boolean
  /** Why not: other-ca, wildcard, account, method, critical, empty. */
  why?: string
  lookupFailed?: { name: string, what: string }
}

export interface DelegationFacts extends Fact {
  zone?: string
  /** The zone that the cluster's own resolver shows for the name, and the one that the world does. */
  clusterZone?: string
  publicZone?: string
  /** The primary server that the cluster's resolver names for that same zone, when no server of the world's zone is called so. */
  clusterPrimary?: string
  /** `tcp: false`: it answers over UDP alone. `caseChanged`: it does not repeat a question's letters (0x20). */
  nameServers: { name: string, addresses: string[], answers: boolean, lame: boolean, failure?: string, serial?: number, tcp?: boolean, caseChanged?: boolean }[]
  parentNs: string[]
  childNs: string[]
  registeredDomainState: 'ok' | 'nxdomain' | 'servfail' | 'lame' | 'unknown'
  dnssec: 'ok' | 'bogus' | 'unsigned' | 'unknown'
  dnssecText?: string
}

export type ProbeOutcome =
  | 'token-served' | 'wrong-body' | 'other-token' | 'empty-body' | 'status' | 'redirect-invalid'
  | 'timeout' | 'refused' | 'reset' | 'closed' | 'unreachable' | 'tls-failed' | 'blocked' | 'not-recorded' | 'other'
export type BodyKind =
  | 'key-authorization' | 'other-key-authorization' | 'default-backend' | 'load-balancer-404' | 'login-page' | 'cdn-challenge'
  | 'cdn-error' | 'maintenance' | 'spa-index' | 'html' | 'empty' | 'tls-on-80' | 'proxy-protocol-error' | 'waf-block' | 'forward-proxy' | 'parking' | 'other'

/** One vantage's view of the challenge path, over every address. */
export interface ProbeFacts extends Fact {
  /** The worst address decides what a CA may meet; `token-served` only when all that answered serve it. */
  outcome: ProbeOutcome
  address: string
  status?: number
  bodyKind?: BodyKind
  /** The real token was asked for; otherwise a made-up one, so that a 404 is the honest answer. */
  tokenAsked: boolean
  /** The first answer redirected to https. */
  redirectedToHttps: boolean
  perAddress: { vantage: Vantage, address: string, family: 4 | 6, outcome: ProbeOutcome, status?: number, bodyKind?: BodyKind, hops: HttpHop[], failure?: { code: ConnectFailure, text: string } }[]
  /** Headers name a CDN (cloudflare, akamai, fastly, cloudfront …). */
  cdn?: string
}

/** The CA's own word: authorization and challenge by plain GET. */
export interface CaRecordFacts extends Fact {
  status: string
  validated?: Millis
  problem?: AcmeProblem
  hops: { url: string, hostname: string, port: string, addressUsed: string, addressesResolved: string[] }[]
  /** DNS now gives none of the addresses the CA used. */
  addressChanged: boolean
}

export interface ServedFacts extends Fact {
  address: string
  issuer: string
  names: string[]
  notAfter?: Millis
  daysLeft?: number
  selfSigned: boolean
  /** `staging`, `ingress-default`, `temporary` (cert-manager's own stand-in), or undefined. */
  fake?: string
  matchesName: boolean
}

/** What each place sees of one name. `addresses` and `answer` are short texts for a table cell. */
export interface VantageRow { vantage: string, addresses: string, answer: string, agrees: boolean }
export type VantageDifference = 'hairpin' | 'split-horizon' | 'geo-block' | 'partial-propagation' | 'ipv6-only' | 'address-changed' | 'dnssec' | 'delegation'
export interface VantageTable { rows: VantageRow[], differences: { kind: VantageDifference, text: string }[] }

/** An ACME problem document, peeled out of all that wrapped it (acme-ca.md §3.1, §6). */
export interface AcmeProblem {
  status?: number
  /** `rateLimited`, `dns` …: the URN's last part; '' when the text had an empty type, undefined when none was there. */
  type?: string
  /** The innermost text. */
  detail: string
  /** `Error creating new order`, `Unable to validate JWS` … */
  stage?: string
  secondary: boolean
  caa?: { name: string, recheck: boolean }
  ip?: string
  family?: 4 | 6
  url?: string
  /** The name in `authorization error for <name>`. */
  identifier?: string
  subproblems: { type: string, identifier?: string, detail: string }[]
}

/** Who wrapped a text: tells which stage of issuance it belongs to. */
export type Wrapper =
  | 'self-check' | 'present' | 'cleanup' | 'accept' | 'authorization' | 'order-create' | 'order-finalize' | 'order-other'
  | 'account' | 'issuer' | 'solver-selection' | 'request' | 'certificate' | 'object' | 'log' | 'alert' | 'ca'

/** One text that some program wrote about this attempt. */
export interface Text {
  /** Stable within the case: index in `texts`. */
  index: number
  evidence: Evidence
  wrapper: Wrapper
  /** Wrappers peeled off, white space folded; what patterns are matched against together with `whole`. */
  core: string
  whole: string
  problem?: AcmeProblem
  /** Identifiers it concerns; empty means the whole attempt. */
  about: string[]
  /** `current`: the failing attempt. `earlier`: another attempt of the same Certificate. `standing`: state, no attempt. */
  attempt: 'current' | 'earlier' | 'standing'
  /** How often it was said (folded lines, Event count). */
  count: number
  first?: Millis
  last?: Millis
  /** A log line at info level, or a Normal event: weak. */
  severity: 'error' | 'warning' | 'info'
  /** Kind of object for `wrapper: 'object'`: Pod, Ingress, HTTPRoute, APIService … */
  objectKind?: string
  /** A log line that names nobody: taken for the attempt's because nobody else was seen whose it could be. */
  guessed?: true
}

export interface TimelineEntry { time: Millis, source: Evidence['source'], ref: string, text: string, count?: number, last?: Millis }

/** A change of an object before the failure (managedFields, ReplicaSets, generations). */
export interface Change {
  at: Millis
  object: string
  by: string
  fields: string[]
  /** Before (negative) or after the anchor. */
  beforeAnchorMs: number
  /** Before (negative) or after the first attempt that failed in this way; absent where that is the anchor. */
  beforeFirstFailureMs?: number
  /** A certificate was issued before it, not after; absent where no issuance is known. */
  afterLastSuccess?: boolean
  relevance: number
}

export interface Attempt {
  number?: number
  order?: string
  uid?: string
  at: Millis
  state: string
  /** The texts of that attempt, peeled, worst first. */
  texts: string[]
  current: boolean
  /** What an earlier look of ours made of it; of the current attempt only when it was looked at before. */
  said?: { cause: string, confidence: string }
  /** It failed with the same words as the current one; absent where either has none. */
  same?: boolean
  recorded?: RecordedState[]
}

/** What is left of one of the CA's limits: from its own text, or (an upper bound) from our history. */
export interface RateBudget {
  limit: string
  /** The name that is counted; '' for the whole order. */
  about: string
  left: number
  of?: number
  used?: number
  /** When the limit ends, or gives back one more try. */
  ends?: Millis
  from: 'ca' | 'history'
  text: string
}

export interface NextTry {
  at?: Millis
  why: string
  attempt?: number
  budgets?: RateBudget[]
  /** How to start again safely, and what would burn a rate limit. */
  restart: { text: string, command?: string, changes: boolean }[]
}

export interface BlastRadius {
  issuer: { name: string, total: number, failing: number, since?: Millis }
  /** Other certificates that share something with this one beside the issuer; only groups that have members. `same` fail with the same words. */
  groups?: { by: 'issuer' | 'zone' | 'ingress class' | 'gateway', name: string, total: number, failing: number, same: number, since?: Millis }[]
  others: { namespace: string, certificate: string, same: boolean }[]
}


