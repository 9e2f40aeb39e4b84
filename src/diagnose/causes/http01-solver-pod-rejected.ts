import { defineCause, notApplicable } from '../cause.ts'
import { denials, deniedObject } from '../http01-denials.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The API did not let cert-manager create the solver's Pod. */
export default defineCause({
  id: 'http01-solver-pod-rejected',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['solver'],
  variants: ['pod-security', 'quota', 'limit-range', 'policy'],
  title: 'The solver Pod of {dnsName} was refused: {by}',
  meaning: 'cert-manager could not create the Pod that answers the challenge in namespace {namespace}, so nothing was ever served. The refusal comes from {by}.',
  remedy: [
    { do: 'Read the whole refusal.', run: 'kubectl -n {namespace} describe challenge {challenge}' },
    { do: 'See quotas, limits and Pod security of the namespace.', run: 'kubectl -n {namespace} describe resourcequota,limitrange; kubectl get namespace {namespace} --show-labels' },
    'Make room in the quota, or set requests, limits and securityContext that fit through solvers[].http01.ingress.podTemplate (or --acme-http01-solver-resource-…).',
    'Exempt Pods with the label acme.cert-manager.io/http01-solver=true in the policy.'
  ],
  texts: [
    { in: andObjects, match: 'violates podsecurity', confidence: 'proven', variant: 'pod-security' },
    { in: andObjects, match: 'unable to (validate against any (pod security policy|security context constraint)|admit pod)|podsecuritypolicy', confidence: 'proven', variant: 'pod-security' },
    { in: andObjects, match: '(exceeded|failed) quota', confidence: 'proven', variant: 'quota', unless: 'services? "|services\\.(nodeports|loadbalancers)|ingress(es)?\\S* "|count/(ingresses|services)|secrets? "|orders?\\.acme|certificaterequests?\\.' },
    { in: andObjects, match: '(minimum|maximum) (cpu|memory|ephemeral-storage) (usage|limit|request)|limit to request ratio', confidence: 'proven', variant: 'limit-range' },
    { in: andObjects, match: '\\bpod "cm-acme-http-solver[^"]*" is invalid', confidence: 'proven' },
    { in: andObjects, match: 'pods "[^"]*" is forbidden', confidence: 'proven', variant: 'policy', unless: 'is forbidden: user "|being terminated|quota|violates podsecurity|unable to|(minimum|maximum) (cpu|memory)|limit to request' }
  ],
  related: ['http01-ingress-rejected', 'http01-solver-service-rejected', 'namespace-terminating', 'cert-manager-rbac-denied'],

  examine ({ hits, solver, case: incident, identifier }) {
    const [best, ...more] = hits
    const seen = valueIn(solver)
    const names = { 'pod-security': 'the Pod security rules of the namespace', quota: 'its ResourceQuota', 'limit-range': 'its LimitRange', policy: 'an admission policy' } as const
    if (best !== undefined) {
      const variant = best.rule.variant as keyof typeof names | undefined
      return { is: 'found', confidence: best.rule.confidence, variant, blanks: { by: variant === undefined ? 'the API\'s own validation' : names[variant] }, because: [best, ...more.slice(0, 2)] }
    }
    const denied = denials(incident, identifier)
    const text = denied.find(item => deniedObject(item, seen) === 'Pod')
    if (text !== undefined) {
      const by = /webhook "([^"]+)"/i.exec(text.core)?.[1]
      return { is: 'found', confidence: 'proven', variant: 'policy', blanks: { by: by === undefined ? names.policy : `the webhook ${by}` }, because: [text] }
    }
    const unclear = denied.find(item => deniedObject(item, seen) === undefined)
    if (unclear !== undefined) return { is: 'found', confidence: 'likely', variant: 'policy', blanks: { by: names.policy }, because: [unclear] }
    return seen !== undefined && seen.pods.length > 0 ? { is: 'ruled-out', by: ['solver'], because: 'The solver Pod was created.' } : notApplicable
  }
})
