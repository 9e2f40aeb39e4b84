import { defineCause } from '../cause.ts'

/** Credentials of the pod's surroundings (IRSA, workload identity, instance role) are switched off for this kind of issuer. */
export default defineCause({
  id: 'dns01-ambient-credentials-disabled',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  title: 'The solver counts on ambient credentials, which are switched off for {issuerKind}s',
  meaning: 'The solver names no credentials, so it needs those of the pod\'s surroundings; by default cert-manager allows that to ClusterIssuers only: {text}',
  remedy: [
    { do: 'See the controller\'s flags.', run: 'kubectl -n {certManagerNamespace} get deploy cert-manager -o jsonpath=\'{.spec.template.spec.containers[0].args}\'' },
    'Use a ClusterIssuer, or name credentials in the solver, or start the controller with --issuer-ambient-credentials (ClusterIssuer: --cluster-issuer-ambient-credentials).'
  ],
  texts: [
    { in: ['challenge', 'event', 'log', 'alert'], match: 'perhaps you meant to enable ambient credentials', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: '(?:without providing one of|but neither) .{0,5}--(?:cluster-)?issuer-ambient-credentials', confidence: 'proven' },
    { in: ['challenge', 'event', 'log', 'alert'], match: 'ambient credentials (?:are|is|were) (?:disabled|not (?:allowed|enabled|permitted))|(?:unable|cannot) to? ?use ambient credentials', confidence: 'proven' }
  ]
})
