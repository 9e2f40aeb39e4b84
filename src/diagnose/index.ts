import type { Cause } from './cause.ts'
import acmeAccountInvalid from './causes/acme-account-invalid.ts'
import acmeAuthorizationExpired from './causes/acme-authorization-expired.ts'
import acmeCaUnavailable from './causes/acme-ca-unavailable.ts'
import acmeCaaForbidsIssuer from './causes/acme-caa-forbids-issuer.ts'
import acmeCaaLookupFailed from './causes/acme-caa-lookup-failed.ts'
import acmeContactInvalid from './causes/acme-contact-invalid.ts'
import acmeCsrRejected from './causes/acme-csr-rejected.ts'
import acmeEabRejected from './causes/acme-eab-rejected.ts'
import acmeFinalizeFailed from './causes/acme-finalize-failed.ts'
import acmeIdentifierPaused from './causes/acme-identifier-paused.ts'
import acmeIdentifierRejected from './causes/acme-identifier-rejected.ts'
import acmeProfileRejected from './causes/acme-profile-rejected.ts'
import acmeRateLimited from './causes/acme-rate-limited.ts'
import acmeSecondaryValidationFailed from './causes/acme-secondary-validation-failed.ts'
import acmeServerUnreachable from './causes/acme-server-unreachable.ts'
import acmeServerUntrusted from './causes/acme-server-untrusted.ts'
import acmeTooManyNames from './causes/acme-too-many-names.ts'
import certManagerKnownBug from './causes/cert-manager-known-bug.ts'
import certManagerNotRunning from './causes/cert-manager-not-running.ts'
import certManagerQueueSaturated from './causes/cert-manager-queue-saturated.ts'
import certManagerRbacDenied from './causes/cert-manager-rbac-denied.ts'
import certManagerVersionIncompatible from './causes/cert-manager-version-incompatible.ts'
import certManagerWebhookUnavailable from './causes/cert-manager-webhook-unavailable.ts'
import certificateCommonNameInvalid from './causes/certificate-common-name-invalid.ts'
import certificateDuplicateSecret from './causes/certificate-duplicate-secret.ts'
import certificateDurationRejected from './causes/certificate-duration-rejected.ts'
import certificateNotStored from './causes/certificate-not-stored.ts'
import certificateRequestNotApproved from './causes/certificate-request-not-approved.ts'
import clockSkew from './causes/clock-skew.ts'
import dns01AcmednsNotRegistered from './causes/dns01-acmedns-not-registered.ts'
import dns01AmbientCredentialsDisabled from './causes/dns01-ambient-credentials-disabled.ts'
import dns01CnameDelegationBroken from './causes/dns01-cname-delegation-broken.ts'
import dns01CredentialsRejected from './causes/dns01-credentials-rejected.ts'
import dns01DnssecInvalid from './causes/dns01-dnssec-invalid.ts'
import dns01NameserverFailing from './causes/dns01-nameserver-failing.ts'
import dns01NameserverUnreachable from './causes/dns01-nameserver-unreachable.ts'
import dns01NotPropagated from './causes/dns01-not-propagated.ts'
import dns01PermissionDenied from './causes/dns01-permission-denied.ts'
import dns01ProviderConfigInvalid from './causes/dns01-provider-config-invalid.ts'
import dns01ProviderError from './causes/dns01-provider-error.ts'
import dns01ProviderThrottled from './causes/dns01-provider-throttled.ts'
import dns01SearchDomainHijack from './causes/dns01-search-domain-hijack.ts'
import dns01SecretMissing from './causes/dns01-secret-missing.ts'
import dns01SplitHorizon from './causes/dns01-split-horizon.ts'
import dns01StaleTxtRecord from './causes/dns01-stale-txt-record.ts'
import dns01UpdateRefused from './causes/dns01-update-refused.ts'
import dns01WebhookConfigInvalid from './causes/dns01-webhook-config-invalid.ts'
import dns01WebhookForbidden from './causes/dns01-webhook-forbidden.ts'
import dns01WebhookUnavailable from './causes/dns01-webhook-unavailable.ts'
import dns01WrongHostedZone from './causes/dns01-wrong-hosted-zone.ts'
import dns01ZoneNotFound from './causes/dns01-zone-not-found.ts'
import domainDelegationBroken from './causes/domain-delegation-broken.ts'
import http01AuthOnPath from './causes/http01-auth-on-path.ts'
import http01BackendError from './causes/http01-backend-error.ts'
import http01CdnInterferes from './causes/http01-cdn-interferes.ts'
import http01ClusterDnsWrong from './causes/http01-cluster-dns-wrong.ts'
import http01ConnectionFiltered from './causes/http01-connection-filtered.ts'
import http01DnsIpv6Broken from './causes/http01-dns-ipv6-broken.ts'
import http01DnsPointsElsewhere from './causes/http01-dns-points-elsewhere.ts'
import http01DnsPrivateAddress from './causes/http01-dns-private-address.ts'
import http01DnsRecordMissing from './causes/http01-dns-record-missing.ts'
import http01DnsResolutionFailed from './causes/http01-dns-resolution-failed.ts'
import http01GatewayApiDisabled from './causes/http01-gateway-api-disabled.ts'
import http01GatewayListenerMissing from './causes/http01-gateway-listener-missing.ts'
import http01HairpinBlocked from './causes/http01-hairpin-blocked.ts'
import http01HostOrPathRewritten from './causes/http01-host-or-path-rewritten.ts'
import http01IngressClassMismatch from './causes/http01-ingress-class-mismatch.ts'
import http01IngressHostConflict from './causes/http01-ingress-host-conflict.ts'
import http01IngressRejected from './causes/http01-ingress-rejected.ts'
import http01LoadBalancerNotSynced from './causes/http01-load-balancer-not-synced.ts'
import http01MeshBlocks from './causes/http01-mesh-blocks.ts'
import http01NetworkPolicyBlocks from './causes/http01-network-policy-blocks.ts'
import http01OtherBackendAnswers from './causes/http01-other-backend-answers.ts'
import http01PathTypeUnsupported from './causes/http01-path-type-unsupported.ts'
import http01Port80Blocked from './causes/http01-port80-blocked.ts'
import http01ProxyProtocolMismatch from './causes/http01-proxy-protocol-mismatch.ts'
import http01RedirectInvalid from './causes/http01-redirect-invalid.ts'
import http01RedirectedToHttps from './causes/http01-redirected-to-https.ts'
import http01RouteNotAccepted from './causes/http01-route-not-accepted.ts'
import http01SelfCheckEgressBlocked from './causes/http01-self-check-egress-blocked.ts'
import http01SolverImagePullFailed from './causes/http01-solver-image-pull-failed.ts'
import http01SolverPodCrashing from './causes/http01-solver-pod-crashing.ts'
import http01SolverPodRejected from './causes/http01-solver-pod-rejected.ts'
import http01SolverPodUnschedulable from './causes/http01-solver-pod-unschedulable.ts'
import http01SolverServiceRejected from './causes/http01-solver-service-rejected.ts'
import http01TokenMismatch from './causes/http01-token-mismatch.ts'
import issuerNoMatchingSolver from './causes/issuer-no-matching-solver.ts'
import issuerNotFound from './causes/issuer-not-found.ts'
import issuerNotReady from './causes/issuer-not-ready.ts'
import issuerSolverInvalid from './causes/issuer-solver-invalid.ts'
import namespaceTerminating from './causes/namespace-terminating.ts'
import orderOrphaned from './causes/order-orphaned.ts'
import wildcardNeedsDns01 from './causes/wildcard-needs-dns01.ts'

/** The catalogue. Generated from src/diagnose/causes by `npm run generate`; do not edit. */
export const causes: readonly Cause[] = [
  acmeAccountInvalid,
  acmeAuthorizationExpired,
  acmeCaUnavailable,
  acmeCaaForbidsIssuer,
  acmeCaaLookupFailed,
  acmeContactInvalid,
  acmeCsrRejected,
  acmeEabRejected,
  acmeFinalizeFailed,
  acmeIdentifierPaused,
  acmeIdentifierRejected,
  acmeProfileRejected,
  acmeRateLimited,
  acmeSecondaryValidationFailed,
  acmeServerUnreachable,
  acmeServerUntrusted,
  acmeTooManyNames,
  certManagerKnownBug,
  certManagerNotRunning,
  certManagerQueueSaturated,
  certManagerRbacDenied,
  certManagerVersionIncompatible,
  certManagerWebhookUnavailable,
  certificateCommonNameInvalid,
  certificateDuplicateSecret,
  certificateDurationRejected,
  certificateNotStored,
  certificateRequestNotApproved,
  clockSkew,
  dns01AcmednsNotRegistered,
  dns01AmbientCredentialsDisabled,
  dns01CnameDelegationBroken,
  dns01CredentialsRejected,
  dns01DnssecInvalid,
  dns01NameserverFailing,
  dns01NameserverUnreachable,
  dns01NotPropagated,
  dns01PermissionDenied,
  dns01ProviderConfigInvalid,
  dns01ProviderError,
  dns01ProviderThrottled,
  dns01SearchDomainHijack,
  dns01SecretMissing,
  dns01SplitHorizon,
  dns01StaleTxtRecord,
  dns01UpdateRefused,
  dns01WebhookConfigInvalid,
  dns01WebhookForbidden,
  dns01WebhookUnavailable,
  dns01WrongHostedZone,
  dns01ZoneNotFound,
  domainDelegationBroken,
  http01AuthOnPath,
  http01BackendError,
  http01CdnInterferes,
  http01ClusterDnsWrong,
  http01ConnectionFiltered,
  http01DnsIpv6Broken,
  http01DnsPointsElsewhere,
  http01DnsPrivateAddress,
  http01DnsRecordMissing,
  http01DnsResolutionFailed,
  http01GatewayApiDisabled,
  http01GatewayListenerMissing,
  http01HairpinBlocked,
  http01HostOrPathRewritten,
  http01IngressClassMismatch,
  http01IngressHostConflict,
  http01IngressRejected,
  http01LoadBalancerNotSynced,
  http01MeshBlocks,
  http01NetworkPolicyBlocks,
  http01OtherBackendAnswers,
  http01PathTypeUnsupported,
  http01Port80Blocked,
  http01ProxyProtocolMismatch,
  http01RedirectInvalid,
  http01RedirectedToHttps,
  http01RouteNotAccepted,
  http01SelfCheckEgressBlocked,
  http01SolverImagePullFailed,
  http01SolverPodCrashing,
  http01SolverPodRejected,
  http01SolverPodUnschedulable,
  http01SolverServiceRejected,
  http01TokenMismatch,
  issuerNoMatchingSolver,
  issuerNotFound,
  issuerNotReady,
  issuerSolverInvalid,
  namespaceTerminating,
  orderOrphaned,
  wildcardNeedsDns01
]
