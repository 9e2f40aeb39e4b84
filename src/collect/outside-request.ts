import type { AcmeLook, DnsLook, HttpLook, LookReport } from '../shared/types/observations.ts'

/** One name of the failing order, as far as the cluster knows it. */
export interface OutsideIdentifier {
  /** Without `*.`. */
  name: string
  type: 'dns' | 'ip'
  wildcard: boolean
  /** Unknown: both kinds of look are made. */
  challengeType?: 'HTTP-01' | 'DNS-01'
  /** Challenge.spec.token; without it a made-up path shows reachability and the default answer. */
  token?: string
  /** Challenge.spec.key: HTTP-01 the key authorization, DNS-01 the TXT value. */
  key?: string
  authorizationUrl?: string
  challengeUrl?: string
  /** Its challenge or authorization is valid: of a large order it is the last to be looked at. */
  passed?: boolean
}

/** What to ask the world about one attempt. */
export interface OutsideRequest {
  identifiers: OutsideIdentifier[]
  /** The issuer's ACME server; the only host that CA looks go to. `caBundle` is PEM text. */
  acme?: { server: string, caBundle?: string, skipTlsVerify?: boolean }
  orderUrl?: string
  /** Addresses that this cluster owns (Service, Ingress, Gateway status …): the guard lets these through. */
  clusterAddresses: string[]
  /** Load balancer host names from Ingress and Service status: resolved so that an address can be recognised as ours. */
  clusterHostnames?: string[]
  /** cert-manager's --dns01-recursive-nameservers: `10.0.0.10:53`, `https://…`. */
  recursiveNameservers?: string[]
}

/** All looks that were made; failed ones are in it with their reason. */
export interface OutsideFindings {
  dns: DnsLook[]
  http: HttpLook[]
  acme: AcmeLook[]
  looks: LookReport[]
}
