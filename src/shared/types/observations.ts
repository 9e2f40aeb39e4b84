import type { Alert, Look, Millis } from './common.ts'
import type { KubeObject } from './kubernetes.ts'

/**
 * All that collect brings home of one incident: plain JSON, nothing judged. It can be saved,
 * read back, and turned into a case directory. Secrets are never in it; tokens and key
 * authorizations are, until `redactObservations` takes them out on the way to disk.
 */
export interface Observations {
  format: 1
  /** When the look began, by the API server's clock where it answered: what every age is measured against. */
  now: Millis
  /** By how much this service's own clock was ahead of the API server's; negative: behind. Taken out of every time here. */
  clockAhead?: Millis
  /** The alerts that belong to the incident, oldest first. Never empty. */
  alerts: Alert[]
  subject: Subject
  kubernetesVersion?: string
  /** cert-manager's --cluster-resource-namespace when known, else its own namespace. */
  clusterResourceNamespace?: string
  /** Every object seen, each once (by UID). */
  objects: KubeObject[]
  /** Which lists were asked and how each ended; tells absent from unavailable. */
  lists: ListLook[]
  logs: LogLook[]
  dns: DnsLook[]
  http: HttpLook[]
  acme: AcmeLook[]
  /** What the flight recorder saw of this subject, oldest first. */
  recorded: RecordedState[]
  /** What earlier looks made of this incident's attempts, oldest first. */
  earlier?: EarlierDiagnosis[]
  /** One row for each look that was tried, for "11 of 12 looks answered". */
  looks: LookReport[]
}

/** A reference that the alert's labels may mean. Tried in order. */
export interface SubjectHint {
  kind: 'Challenge' | 'Order' | 'CertificateRequest' | 'Certificate' | 'Domain' | 'Secret' | 'Ingress' | 'Issuer' | 'ClusterIssuer' | 'Host' | 'Uid' | 'Scan'
  namespace?: string
  name?: string
  /** The label or labels that gave it, e.g. `exported_namespace + name`. */
  from: string
}

/** The object that the alert led to, and how. */
export interface Subject {
  /** The hint that decided; `Scan` when the alert named nothing. */
  hint: SubjectHint
  tried: { hint: SubjectHint, found: boolean, why?: string }[]
  namespace?: string
  /** UIDs and names of what was found; any may be missing. */
  certificate?: { name: string, uid?: string }
  request?: { name: string, uid?: string }
  order?: { name: string, uid?: string }
  issuer?: { kind: string, name: string, namespace?: string }
  /** Names known from the labels alone (domain, IP). */
  domains: string[]
  /** Only for `Scan`, `Host`, `Issuer`: the orders that may be meant, best first. */
  candidates: { namespace: string, order: string, certificate?: string, state: string, failureTime?: Millis }[]
  /** What is wrong with the rule, and the expression to use instead. */
  lint: string[]
}

/** `resource` is `orders.acme.cert-manager.io`, `pods`, `ingresses.networking.k8s.io` …; no namespace means all. */
export interface ListLook {
  resource: string
  namespace?: string
  /** Set when a single object was asked for. */
  name?: string
  look: Look<{ count: number, truncated?: boolean }>
}

export interface LogLine {
  time?: Millis
  text: string
  /** So many lines of this text inside five minutes; the ones before this last one are left out. */
  repeated?: number
}

export type LogRole = 'controller' | 'webhook' | 'cainjector' | 'dns-webhook' | 'solver' | 'ingress'

export interface LogLook {
  namespace: string
  pod: string
  container: string
  previous: boolean
  role: LogRole
  /** Lines worth keeping, in order; `droppedLines` were read and found to be of no interest or over budget. */
  look: Look<{ lines: LogLine[], since: Millis, bytes: number, droppedLines: number, cut?: string }>
}

/** Where a DNS or HTTP question was asked from. `outside:<name>` is a configured probe. */
export type Vantage = 'cluster' | 'public' | 'authoritative' | `outside:${string}`

export type DnsType = 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'CAA' | 'NS' | 'SOA' | 'DS'

/** `data` in presentation format; a TXT's strings joined and unquoted, names without the final dot. */
export interface DnsRecord { name: string, type: string, ttl: number, data: string }

/** What one answer said. */
export interface DnsAnswer {
  rcode: string
  /** Answer section in order, CNAME links included; presentation format, names without the final dot. */
  answers: DnsRecord[]
  authority: DnsRecord[]
  aa: boolean
  ad: boolean
  ede?: { code: number, text: string }
  /** The server did not repeat the letters of the question as they were asked (draft-vixie-dnsext-dns0x20). */
  caseChanged?: true
}

export interface DnsLook {
  vantage: Vantage
  /** `10.96.0.10`, `1.1.1.1`, `ns1.provider.example (203.0.113.53)`. */
  server: string
  name: string
  type: DnsType
  /** CD=1 was set (asks a validating resolver to answer without validating). */
  checkingDisabled?: boolean
  /** Asked over TCP alone, to see whether the server listens there. */
  overTcp?: boolean
  at: Millis
  ms: number
  /** Unavailable = no answer at all (time-out, refused connection, not recorded). */
  look: Look<DnsAnswer>
  /** Why there was no answer, as a word to compare; absent when the question was cut short. */
  failure?: DnsFailure
}
export type DnsFailure = 'timeout' | 'refused' | 'unreachable' | 'malformed' | 'not-recorded' | 'blocked' | 'name-server-unknown'

export type ConnectFailure =
  | 'timeout' | 'refused' | 'reset' | 'closed' | 'unreachable' | 'tls' | 'blocked' | 'not-recorded' | 'other'
  /** The hop answered with a redirect that a CA would refuse to follow; `text` is Boulder's own sentence. */
  | 'redirect'

export interface TlsSeen {
  names: string[]
  issuer: string
  notBefore?: Millis
  notAfter?: Millis
  selfSigned: boolean
  /** Trusted by the roots in use (system roots, or the issuer's caBundle for the CA). */
  trusted: boolean
  error?: string
}

export interface HttpHop {
  url: string
  address: string
  port: number
  ms: number
  status?: number
  location?: string
  server?: string
  contentType?: string
  /** Other headers that tell who answered (via, x-cache, cf-ray, x-amz…, www-authenticate), lower-case names. */
  headers?: Record<string, string>
  /** First bytes of the body (at most 512), undecoded text. */
  body?: string
  bodyBytes?: number
  failure?: { code: ConnectFailure, text: string }
  tls?: TlsSeen
}

/** One walk to a URL on one address. */
export interface HttpLook {
  vantage: Vantage
  purpose: 'challenge' | 'served-certificate'
  dnsName: string
  url: string
  address: string
  at: Millis
  ms: number
  look: Look<{ hops: HttpHop[] }>
  /** The body at the end was exactly the expected key authorization (compared at collect time). */
  served?: boolean
}

export interface AcmeLook {
  kind: 'directory' | 'order' | 'authorization' | 'challenge'
  url: string
  at: Millis
  look: Look<{ status: number, body: unknown, date?: Millis, tls?: TlsSeen }>
  failure?: { code: ConnectFailure | 'dns', text: string }
}

/** A change of state that the flight recorder kept, with its own time. */
export interface RecordedState {
  at: Millis
  kind: 'Order' | 'Challenge'
  namespace: string
  name: string
  uid: string
  /** UID of the Order for a Challenge. */
  order?: string
  /** The Certificate that it is for, where an annotation says so. */
  certificate?: string
  state: string
  reason: string
  presented?: boolean
  processing?: boolean
  dnsName?: string
  /** Solver objects and their Events as they were while the challenge was pending. */
  objects?: KubeObject[]
  /** What the solver Pod had logged by then. */
  logs?: LogLook[]
}

/** What we said of an attempt when we looked at it last. */
export interface EarlierDiagnosis { at: Millis, orderUid: string, order: string, cause: string, confidence: string }

export interface LookReport {
  /** `orders in shop`, `A shop.example.com at public 1.1.1.1`. */
  what: string
  source: string
  is: 'seen' | 'absent' | 'unavailable'
  ms: number
  why?: string
  fix?: string
}
