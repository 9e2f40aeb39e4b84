import { defineCause, notApplicable } from '../cause.ts'
import { denials, deniedObject } from '../http01-denials.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The API did not let cert-manager create the solver's Service. */
export default defineCause({
  id: 'http01-solver-service-rejected',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: ['solver'],
  title: 'The solver Service of {dnsName} was refused: {why}',
  meaning: 'cert-manager could not create the Service in front of its solver ({why}). By default it is of type NodePort, which takes a port of a small range and is often under quota or policy.',
  remedy: [
    { do: 'Read the whole refusal.', run: 'kubectl -n {namespace} describe challenge {challenge}' },
    { do: 'See how many node ports are taken.', run: 'kubectl get service -A -o wide | grep -c NodePort' },
    'Set solvers[].http01.ingress.serviceType to ClusterIP (where the ingress controller does not need node ports), or make room in the range or quota.'
  ],
  texts: [
    { in: andObjects, match: 'failed to allocate a nodeport|provided port is already allocated|range is full|failed to allocate (a )?serviceip', confidence: 'proven' },
    { in: andObjects, match: 'services "[^"]*" is forbidden', confidence: 'proven', unless: 'is forbidden: user "|being terminated' },
    { in: andObjects, match: 'exceeded quota.{0,200}services(\\.nodeports|\\.loadbalancers)?=', confidence: 'proven', unless: 'services "[^"]*" is forbidden' },
    { in: andObjects, match: '\\bservice "cm-acme-http-solver[^"]*" is invalid', confidence: 'proven' }
  ],
  related: ['http01-solver-pod-rejected', 'http01-ingress-rejected'],

  examine ({ hits, solver, case: incident, identifier }) {
    const [best, ...more] = hits
    const whyOf = (text: string): string => /quota/i.test(text) ? 'a ResourceQuota' : /allocat|range is full/i.test(text) ? 'no free port or address' : 'an admission policy'
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { why: whyOf(best.text.core) }, because: [best, ...more.slice(0, 2)] }
    const text = denials(incident, identifier).find(item => deniedObject(item, valueIn(solver)) === 'Service')
    if (text !== undefined) return { is: 'found', confidence: 'proven', blanks: { why: 'an admission policy' }, because: [text] }
    return valueIn(solver)?.services.length ? { is: 'ruled-out', by: ['solver'], because: 'The solver Service was created.' } : notApplicable
  }
})
