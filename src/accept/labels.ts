import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** Labels by lower-case key: rules, relabelling and exporters disagree about case. */
export type LabelMap = Map<string, string>

/** Labels ready to be looked up; empty values do not count, very long ones (a challenge's `reason`) are no names. */
export function readLabels (labels: Record<string, string>): LabelMap {
  const map: LabelMap = new Map()
  for (const [key, value] of Object.entries(labels)) {
    const trimmed = typeof value === 'string' ? value.trim() : ''
    if (trimmed !== '' && trimmed.length <= 2_000) map.set(key.toLowerCase(), trimmed)
  }
  return map
}

/** Spellings of one meaning, most telling first (alertmanager.md §8 and hand-written rules). */
export const aliases = {
  objectNamespace: ['exported_namespace', 'k8s_namespace', 'k8s_namespace_name', 'certificate_namespace', 'cert_namespace', 'order_namespace', 'challenge_namespace', 'involved_object_namespace', 'involvedobject_namespace', 'object_namespace', 'resource_namespace', 'target_namespace', 'kubernetes_namespace', 'kubernetes_namespace_name', 'secret_namespace'],
  challenge: ['challenge', 'challenge_name', 'exported_challenge', 'acme_challenge'],
  order: ['order', 'order_name', 'exported_order', 'acme_order', 'acmeorder'],
  request: ['certificaterequest', 'certificate_request', 'certificaterequest_name', 'certificate_request_name', 'certificaterequests'],
  certificate: ['certificate', 'certificate_name', 'exported_certificate', 'cert', 'cert_name', 'crt', 'certname', 'certificatename', 'cert_manager_certificate'],
  signingRequest: ['certificatesigningrequest', 'certificate_signing_request', 'csr', 'csr_name'],
  domain: ['domain', 'domain_name', 'dns_name', 'dnsname', 'dns_names', 'dnsnames', 'identifier', 'fqdn', 'hostname', 'server_name', 'sni', 'common_name', 'commonname', 'subject_cn', 'cn', 'san', 'sans', 'subject_alternative_names'],
  secret: ['secret', 'secret_name', 'exported_secret', 'secretname', 'tls_secret', 'tls_secret_name'],
  ingress: ['ingress', 'ingress_name', 'exported_ingress'],
  clusterIssuer: ['clusterissuer', 'cluster_issuer', 'clusterissuer_name', 'cluster_issuer_name'],
  issuer: ['issuer', 'issuer_name', 'issuername', 'issuer_ref', 'exported_issuer'],
  uid: ['uid', 'order_uid', 'exported_uid', 'resource_uid', 'involved_object_uid'],
  name: ['name', 'exported_name', 'resource_name', 'resource', 'object_name', 'involved_object_name', 'involvedobject_name'],
  kind: ['customresource_kind', 'involved_object_kind', 'involvedobject_kind', 'resource_kind', 'object_kind', 'kind']
} as const

/** The first spelling that the labels use, with the value. */
export function pick (labels: LabelMap, spellings: readonly string[]): { key: string, value: string } | undefined {
  for (const key of spellings) {
    const value = labels.get(key)
    if (value !== undefined) return { key, value }
  }
  return undefined
}

/** Host names and addresses inside a label's value: lists, URLs, ports, final dots, IDN and `*.` are all met. */
export function domainsIn (value: string): string[] {
  const found: string[] = []
  for (const part of value.slice(0, 2_000).split(/[\s,;"']+/)) {
    const domain = oneDomain(part)
    if (domain !== undefined && !found.includes(domain)) found.push(domain)
  }
  return found
}

function oneDomain (part: string): string | undefined {
  let host = part.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/^[^@/]*@/, '').replace(/[/?#].*$/, '')
  const address = /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(host)?.[1] ?? host.replace(/^\[|\]$/g, '')
  if (isIP(address)) return address.toLowerCase()
  host = address.replace(/:\d+$/, '').replace(/\.$/, '')
  if (isIP(host)) return host
  const wildcard = host.startsWith('*.')
  const ascii = domainToASCII(wildcard ? host.slice(2) : host).toLowerCase()
  // Underscores are no host name, but people put them into certificates and wonder (domainToASCII lets them pass).
  if (ascii.length > 253 || !/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+$/.test(ascii)) return undefined
  return wildcard ? `*.${ascii}` : ascii
}

/** Hash and revision suffixes that cert-manager appends (pkg/api/util/names.go): FNV-32 in decimal. */
const hash = /-\d{5,10}$/

/** Order, CertificateRequest and Certificate names that a Challenge or Order name was made from; prefixes are cut at 52 characters. */
export function ancestorNames (name: string, kind: 'Challenge' | 'Order' | 'CertificateRequest'): { order?: string, request?: string, certificate?: string } {
  const names: { order?: string, request?: string, certificate?: string } = {}
  let rest = name
  if (kind === 'Challenge') {
    if (!hash.test(rest)) return names
    rest = names.order = rest.replace(hash, '')
  }
  if (kind !== 'CertificateRequest') {
    if (!hash.test(rest)) return names
    rest = names.request = rest.replace(hash, '')
  }
  const certificate = rest.replace(/-\d{1,4}$|-[bcdfghjklmnpqrstvwxz2456789]{5}$/, '')
  // Cut at 52, the revision itself may be gone: then the whole rest is the start of the Certificate's name.
  if (certificate !== rest) names.certificate = certificate
  else if (rest.length >= 45) names.certificate = rest
  return names
}

/** How many generated suffixes a name ends with: two make a Challenge, one an Order. */
export function generatedSuffixes (name: string): 0 | 1 | 2 {
  if (!hash.test(name)) return 0
  return hash.test(name.replace(hash, '')) ? 2 : 1
}
