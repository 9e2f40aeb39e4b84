import { defineCause, notApplicable } from '../cause.ts'
import { denials, deniedObject, ingressWebhooks } from '../http01-denials.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The API did not let cert-manager create the solver's Ingress. */
export default defineCause({
  id: 'http01-ingress-rejected',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['solver'],
  variants: ['controller-webhook', 'policy', 'schema'],
  title: 'The solver Ingress of {dnsName} was refused: {by}',
  meaning: 'cert-manager could not create the Ingress that leads to its solver, so the challenge was never served. The refusal comes from {by}.',
  remedy: [
    { do: 'Read the whole refusal.', run: 'kubectl -n {namespace} describe challenge {challenge}' },
    { do: 'See which admission webhooks and policies look at Ingresses.', run: 'kubectl get validatingwebhookconfiguration,mutatingwebhookconfiguration,validatingadmissionpolicy' },
    'Exempt objects with the label acme.cert-manager.io/http01-solver=true, or give the solver what the policy wants through solvers[].http01.ingress.ingressTemplate.',
    'If the webhook cannot be called, repair the ingress controller that serves it.'
  ],
  texts: [
    { in: andObjects, match: `admission webhook "(?P<by>${ingressWebhooks})" denied the request`, confidence: 'proven', variant: 'controller-webhook' },
    { in: andObjects, match: `failed calling webhook "(?P<by>${ingressWebhooks})"`, confidence: 'proven', variant: 'controller-webhook' },
    { in: andObjects, match: 'ingress(es)?\\.(networking\\.k8s\\.io|extensions) "[^"]*" is invalid', confidence: 'proven', variant: 'schema' },
    { in: andObjects, match: 'ingress(es)?\\.(networking\\.k8s\\.io|extensions) "[^"]*" is forbidden', confidence: 'proven', variant: 'policy', unless: 'is forbidden: user "|being terminated' }
  ],
  related: ['http01-path-type-unsupported', 'http01-ingress-host-conflict', 'cert-manager-rbac-denied'],

  examine ({ hits, solver, case: incident, identifier }) {
    const [best, ...more] = hits
    if (best !== undefined) {
      const by = best.groups.by === undefined ? best.rule.variant === 'schema' ? 'the API\'s validation' : 'an admission policy' : `the webhook ${best.groups.by}`
      return { is: 'found', confidence: best.rule.confidence, variant: best.rule.variant, blanks: { by }, because: [best, ...more.slice(0, 2)] }
    }
    const denied = denials(incident, identifier).find(text => deniedObject(text, valueIn(solver)) === 'Ingress')
    if (denied === undefined) return valueIn(solver)?.ingresses.length ? { is: 'ruled-out', by: ['solver'], because: 'The solver Ingress was created.' } : notApplicable
    const by = /webhook "([^"]+)"/i.exec(denied.core)?.[1]
    return { is: 'found', confidence: 'proven', variant: 'policy', blanks: { by: by === undefined ? 'an admission policy' : `the webhook ${by}` }, because: [denied] }
  }
})
