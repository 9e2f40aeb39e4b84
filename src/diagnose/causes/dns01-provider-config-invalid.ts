import { defineCause } from '../cause.ts'

/** A built-in solver's stanza is incomplete, ambiguous, or asks for what it cannot do. */
export default defineCause({
  id: 'dns01-provider-config-invalid',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'The {provider} solver of {issuerKind} {issuer} is configured in a way that cannot work',
  meaning: 'The provider\'s stanza in the issuer is incomplete, ambiguous, or asks for something the solver cannot do: {text}',
  remedy: [
    { do: 'Read the solver\'s stanza.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o jsonpath=\'{.spec.acme.solvers}\'' },
    'Complete it as the text asks: one identity only, the region or project, a public zone.'
  ],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'API key and API token secret references are both present', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'Multiple (?:user assigned )?identities exist|please specify the clientId|Multiple user assigned identities', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'private (?:hosted )?zones? (?:is|are) not supported|The zone type is not supported', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:MissingRegion|MissingEndpoint|could not find region configuration|an AWS region is required|Invalid Configuration: Missing Region|failed to resolve service endpoint)', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:subscriptionID|resourceGroupName|tenantID|project(?:ID)?|serviceConsumerDomain|hostedZoneName) (?:is|must be|was) (?:required|missing|empty|not set|specified)|(?:missing|no) (?:subscription ?id|resource group|tenant ?id|project) (?:in|for|specified)|project name missing|managedIdentity and ServiceAccountRef|can not be set at the same time as', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'unknown cloud configuration name|failed to satisfy constraint|ERROR CODE: (?:Invalid)?Subscription(?:NotFound|Id)|The subscription \\S+ could not be found', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'SharedConfigLoadError|unable to create aws session|failed to request token for \\S+: serviceaccounts "[^"]+" not found', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'error instantiating \\S+(?: \\S+)? challenge solver: .{0,120}(?:invalid|must be|required|not specified|missing)', unless: 'ambient credentials|unable to assume role|secret|AccessDenied|authentication|web identity|TSIG|algorithm|empty credentials', confidence: 'likely' }
  ]
})
