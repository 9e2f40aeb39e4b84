import { defineCause } from '../cause.ts'

/**
 * The solver's credentials are named in the issuer and are not where cert-manager (or the
 * webhook) looks: for a ClusterIssuer that is the cluster resource namespace.
 */
export default defineCause({
  id: 'dns01-secret-missing',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'The credentials Secret of the DNS solver, or its key, is not there',
  meaning: 'The DNS-01 solver of {issuerKind} {issuer} refers to a Secret or a key in it that cannot be found: {text}',
  remedy: [
    { do: 'See which Secret and key the solver names.', run: 'kubectl get {issuerKind} {issuer} -n {namespace} -o jsonpath=\'{.spec.acme.solvers}\'' },
    { do: 'See which Secrets are there, by name only: an Issuer looks in its own namespace, a ClusterIssuer in the cluster resource namespace.', run: 'kubectl get secrets -n {certManagerNamespace}; kubectl get secrets -n {namespace}' },
    'Create the Secret with the key that the solver names, in the namespace where it is looked for.'
  ],
  related: ['dns01-credentials-rejected', 'dns01-webhook-forbidden'],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'error getting [\\w -]+(?:secret|token|key|account|credentials?)s?[\\w -]*:.{0,200}(?:not found|no data)', unless: 'is forbidden', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'specified key \\S+ not found in secret', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'no data found in secret \\S+ at key', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'data entry with key \\S+ not found in secret', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'failed to (?:load|get) secret \\S+ ?:?.{0,120}not found', unless: 'external account binding|is forbidden', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert', 'issuer'], match: 'the secret \\S+ does not have key', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'key (?:not found )?\\S+ (?:not found )?in secret|key not found \\S+ in secret|no (?:api ?key|token|key) .{0,40}in secret|secret \\S+ (?:has no|does not contain|is missing) ', unless: 'is forbidden', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'secrets? "[^"]+" not found', unless: 'external account binding|account key|is forbidden|Issuing certificate|keystore', when: { wrapper: ['present', 'cleanup', 'self-check', 'log'] }, confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'error unmarshalling accountJSON', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:unable|failed|cannot|could not|error) .{0,60}secret.{0,120}not found', unless: 'is forbidden|external account binding', confidence: 'likely' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '\\bsecret\\b.{0,120}\\b(?:missing|has no|lacks|does not exist|doesn\'t exist|could not be found)\\b|\\bsecret\\b.{0,120}\\b(?:is|are|was) (?:empty|blank)\\b|\\bsecret\\b.{0,120}\\b(?:does|do)(?: not|n\'t)(?:$| exist| have| contain)|(?:get|read|find|load|fetch)(?:t?ing)?\\b.{0,40}\\bkey\\b.{0,40}\\bfrom (?:the )?secrets?\\b|\\bsecret\\b.{0,80}\\b(?:holds|contains|has|with) no\\b|\\bno\\b.{0,40}\\bin secret\\b|\\bmissing in secret\\b|(?:failed|unable) to (?:load|get|read|fetch|find|retrieve) (?:the )?secret\\b[\\w "\'`./-]{0,160}$|\\bsecret for\\b[\\w -]{0,40}\\bnot found\\b|/[\\w./-]*(?:secret|cred)[\\w./-]*:? (?:does not exist|not found|no such file)', unless: 'is forbidden|external account|client secret|serviceaccount|timed? ?out|deadline|dial tcp|connect: ', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:not (?:found|present|set)|missing|absent) (?:in|from) (?:the )?(?:\\w+ )?secret\\b', unless: 'is forbidden|external account', confidence: 'likely', when: { wrapper: ['present', 'cleanup', 'log'] } }
  ]
})
