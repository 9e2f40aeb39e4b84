import type { Confidence, WindowName } from '../shared/types/diagnosis.ts'
import { windows } from '../shared/types/diagnosis.ts'
import type { Evidence } from '../shared/types/common.ts'
import { stages, type Cause, type Stage } from './cause.ts'

/** A cause found for one identifier. */
export interface Finding {
  cause: Cause
  identifier: string
  confidence: Confidence
  variant?: string
  blanks: Record<string, string>
  evidence: Evidence[]
  window: WindowName
  authority: Authority
  /** Only words about the clean-up say so: true of something, but hardly of why the order failed. */
  afterwards: boolean
}

/** Who says so: the CA itself, a server or the API, cert-manager's self-check, or a comparison of ours. */
export const authorities = ['ca', 'server', 'self-check', 'inference'] as const
export type Authority = typeof authorities[number]

/**
 * Root before consequence: the key, when found at least `likely` beside one of its values,
 * is what made the other appear. The consequence is still named, below. A variant in brackets
 * narrows an entry.
 */
export const explains: Record<string, readonly string[]> = {
  'http01-network-policy-blocks': ['http01-backend-error', 'http01-port80-blocked'],
  'http01-solver-pod-unschedulable': ['http01-backend-error'],
  'http01-solver-image-pull-failed': ['http01-backend-error'],
  'http01-solver-pod-crashing': ['http01-backend-error'],
  'http01-mesh-blocks': ['http01-backend-error', 'http01-connection-filtered', 'http01-auth-on-path'],
  'http01-ingress-class-mismatch': ['http01-other-backend-answers'],
  'http01-ingress-host-conflict': ['http01-other-backend-answers', 'http01-backend-error'],
  'http01-auth-on-path': ['http01-other-backend-answers'],
  'http01-route-not-accepted': ['http01-other-backend-answers', 'http01-backend-error'],
  'http01-gateway-listener-missing': ['http01-other-backend-answers', 'http01-route-not-accepted', 'http01-port80-blocked'],
  'http01-load-balancer-not-synced': ['http01-other-backend-answers', 'http01-port80-blocked', 'http01-backend-error'],
  'http01-path-type-unsupported': ['http01-other-backend-answers', 'http01-backend-error'],
  'http01-host-or-path-rewritten': ['http01-other-backend-answers'],
  'http01-dns-points-elsewhere': ['http01-other-backend-answers', 'http01-port80-blocked'],
  'http01-dns-ipv6-broken': ['http01-port80-blocked', 'http01-other-backend-answers'],
  'http01-cdn-interferes': ['http01-auth-on-path', 'http01-other-backend-answers', 'http01-redirected-to-https', 'http01-redirect-invalid'],
  'http01-redirect-invalid': ['http01-other-backend-answers'],
  'http01-dns-private-address': ['http01-dns-record-missing'],
  'domain-delegation-broken': ['http01-dns-resolution-failed', 'http01-dns-record-missing', 'dns01-nameserver-failing', 'dns01-not-propagated', 'dns01-zone-not-found'],
  'dns01-dnssec-invalid': ['dns01-nameserver-failing'],
  'dns01-secret-missing': ['issuer-not-ready', 'dns01-not-propagated'],
  'dns01-cname-delegation-broken': ['dns01-not-propagated', 'dns01-zone-not-found'],
  'dns01-wrong-hosted-zone': ['dns01-not-propagated'],
  'dns01-acmedns-not-registered': ['dns01-not-propagated'],
  'dns01-split-horizon': ['dns01-not-propagated', 'dns01-nameserver-failing'],
  // A webhook that swallows its provider's error says "presented", and the record never comes.
  ...Object.fromEntries(['dns01-credentials-rejected', 'dns01-permission-denied', 'dns01-zone-not-found', 'dns01-webhook-config-invalid', 'dns01-provider-error', 'dns01-update-refused', 'dns01-webhook-forbidden[secret-reader]'].map(id => [id, ['dns01-not-propagated']])),
  'dns01-search-domain-hijack': ['dns01-zone-not-found', 'dns01-not-propagated'],
  'dns01-provider-throttled': ['dns01-provider-error', 'dns01-not-propagated'],
  'certificate-not-stored': ['cert-manager-rbac-denied'],
  'wildcard-needs-dns01': ['issuer-no-matching-solver'],
  'issuer-solver-invalid': ['issuer-no-matching-solver'],
  'acme-server-unreachable': ['issuer-not-ready'],
  'acme-server-untrusted': ['issuer-not-ready'],
  'acme-account-invalid': ['issuer-not-ready', 'acme-finalize-failed', 'order-orphaned'],
  'acme-eab-rejected': ['issuer-not-ready', 'acme-account-invalid'],
  'acme-contact-invalid': ['issuer-not-ready', 'acme-account-invalid'],
  'acme-ca-unavailable': ['issuer-not-ready', 'acme-finalize-failed', 'order-orphaned'],
  'acme-rate-limited': ['issuer-not-ready', 'order-orphaned'],
  'acme-csr-rejected': ['acme-finalize-failed'],
  'acme-caa-forbids-issuer': ['acme-finalize-failed'],
  'acme-caa-lookup-failed': ['acme-finalize-failed'],
  'acme-authorization-expired': ['order-orphaned', 'acme-finalize-failed'],
  'clock-skew': ['acme-server-untrusted', 'issuer-not-ready'],
  'cert-manager-known-bug[7102]': ['dns01-provider-config-invalid'],
  'cert-manager-known-bug[7331]': ['dns01-secret-missing'],
  'cert-manager-known-bug[7337]': ['order-orphaned', 'acme-server-unreachable'],
  // What the last self-check said is of the past where nobody asks any more.
  'cert-manager-not-running': ['http01-backend-error', 'http01-other-backend-answers', 'dns01-not-propagated', 'cert-manager-queue-saturated', 'certificate-request-not-approved', 'issuer-not-ready'],
  'cert-manager-version-incompatible': ['cert-manager-not-running', 'certificate-request-not-approved'],
  'certificate-duplicate-secret': ['acme-rate-limited[certificates-per-exact-set]', 'acme-rate-limited[new-orders-per-account]', 'acme-rate-limited[certificates-per-registered-domain]'],
  'namespace-terminating': ['http01-solver-pod-rejected', 'http01-solver-service-rejected', 'http01-ingress-rejected', 'cert-manager-rbac-denied', 'certificate-not-stored']
}

/** Limits and pauses that a run of failed validations brings about. */
const limitsOnFailures = ['acme-rate-limited[failed-validations]', 'acme-rate-limited[consecutive-failed-validations]', 'acme-identifier-paused']

/** Whether an earlier failure of the same name must have led to this. */
export const followsFailures = (finding: Finding): boolean => names(finding).some(name => limitsOnFailures.includes(name))

/** Stages at which a single attempt fails so that the CA counts it. */
const counted: readonly Stage[] = ['present', 'self-check', 'validation']
/** Whether a cause can be what failed in an earlier attempt. */
export const isFailureOfAttempt = ({ stage }: Cause): boolean => counted.includes(stage)

/** The id, and the id with its variant. */
function names ({ cause: { id }, variant }: Finding): string[] {
  return variant === undefined ? [id] : [id, `${id}[${variant}]`]
}

const confidences: readonly Confidence[] = ['proven', 'likely', 'possible']

/** Best first; total and deterministic. */
export function compareFindings (a: Finding, b: Finding): number {
  return confidences.indexOf(a.confidence) - confidences.indexOf(b.confidence) ||
    authorities.indexOf(a.authority) - authorities.indexOf(b.authority) ||
    siteFirst(a) - siteFirst(b) ||
    stageIndex(a.cause.stage) - stageIndex(b.cause.stage) ||
    lastResort(a) - lastResort(b) ||
    windowIndex(a.window) - windowIndex(b.window) ||
    (a.cause.id < b.cause.id ? -1 : a.cause.id > b.cause.id ? 1 : 0)
}

/**
 * Orders the findings of one identifier: first what nothing else explains, then the rest.
 * A root that is only `possible` explains nothing, and what is said of the clean-up nothing
 * that went wrong before it.
 */
export function rank (findings: readonly Finding[]): { leading: Finding[], explained: Finding[] } {
  const sorted = [...findings].sort(compareFindings)
  const roots = sorted.filter(({ confidence }) => confidence !== 'possible')
  const isExplained = (finding: Finding): boolean => roots.some(root => root !== finding && (finding.afterwards === root.afterwards ? accountsFor(root, finding) : finding.afterwards))
  return { leading: sorted.filter(finding => !isExplained(finding)), explained: sorted.filter(isExplained) }
}

const accountsFor = (root: Finding, finding: Finding): boolean => names(root).some(name => explains[name]?.some(explained => names(finding).includes(explained)))

const explainable = new Set(Object.values(explains).flat())

/** A finding that another cause could have brought about. */
export const isSymptom = (finding: Finding): boolean => finding.confidence !== 'possible' && names(finding).some(name => explainable.has(name))

/** Those of `wider` that explain something in `found` and are not known there yet. */
export function rootsOf (wider: readonly Finding[], found: readonly Finding[]): Finding[] {
  const isNew = ({ cause: { id }, identifier, confidence }: Finding): boolean => confidence !== 'possible' && !found.some(known => known.cause.id === id && known.identifier === identifier && known.confidence !== 'possible')
  return wider.filter(root => isNew(root) && found.some(symptom => symptom.identifier === root.identifier && accountsFor(root, symptom)))
}

/** Who wrote a cause for this site knows it better than the catalogue does. */
const siteFirst = ({ cause: { id } }: Finding): number => id.startsWith('site-') ? 0 : 1

/** Causes that stand for "a reason that no other cause names". */
const lastResorts = ['dns01-provider-error', 'issuer-not-ready', 'acme-finalize-failed']
const lastResort = ({ cause: { id } }: Finding): number => lastResorts.includes(id) ? 1 : 0

function stageIndex (stage: Stage): number { return stages.indexOf(stage) }
function windowIndex (window: WindowName): number { return window === 'state' ? -1 : windows.indexOf(window) }
