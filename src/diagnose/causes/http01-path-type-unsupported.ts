import { defineCause, notApplicable } from '../cause.ts'
import { hintOf, http01Facts, isForeignAnswer, readHttp01, solverClaim, winningRival } from '../http01.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The controller does not serve the kind of path that cert-manager writes. */
export default defineCause({
  id: 'http01-path-type-unsupported',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'The ingress controller does not serve the solver\'s path with pathType {pathType}',
  meaning: 'cert-manager writes the challenge path with pathType {pathType} (Exact since 1.18, ImplementationSpecific before). The controller {what}.',
  remedy: [
    { do: 'See the path as it stands.', run: 'kubectl -n {namespace} get ingress -o yaml | grep -B2 -A8 acme-challenge' },
    'ingress-nginx: set strict-validate-path-type to "false" in its ConfigMap, or upgrade it.',
    'Or switch cert-manager\'s feature gate ACMEHTTP01IngressPathTypeExact off (for controllers that refuse Exact) or on (for those that rank ImplementationSpecific below a Prefix).',
    'Or use a separate solver Ingress instead of edit-in-place.'
  ],
  texts: [
    { in: andObjects, match: 'cannot be used with pathtype (?P<pathType>\\w+)', confidence: 'proven' },
    { in: andObjects, match: '(unsupported|invalid|unknown) path ?type "?(?P<pathType>exact|implementationspecific)', confidence: 'proven' },
    // OpenShift's router makes a Route of an Ingress, and of Exact paths it makes none.
    { in: andObjects, match: '(?P<pathType>exact|implementationspecific) path ?type is not implemented', confidence: 'proven' },
    { in: andObjects, match: 'path ?type "?(?P<pathType>exact|implementationspecific)"? (is )?not (be )?supported', confidence: 'proven' }
  ],
  related: ['http01-ingress-rejected', 'http01-ingress-host-conflict', 'http01-other-backend-answers'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    const [best, ...more] = hits
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { pathType: best.groups.pathType ?? 'Exact', what: 'refuses that' }, because: [best, ...more.slice(0, 2)] }
    if (reading.servedOutside || reading.servedInside) return { is: 'ruled-out', by: [reading.servedOutside ? 'probeFromOutside' : 'probeFromCluster'] }
    const facts = valueIn(routing)
    const claim = solverClaim(facts)
    const rival = winningRival(facts)
    if (claim === undefined || rival === undefined || claim.kind !== 'Ingress' || claim.pathType !== 'ImplementationSpecific' || claim.controller !== 'cilium') return notApplicable
    if (!isForeignAnswer(reading.failure) || reading.failure === undefined) return notApplicable
    // Where plain HTTP is switched off altogether, a 404 needs no rival.
    const confidence = reading.failure.status === 404 && hintOf(facts, 'force-https') !== undefined ? 'possible' : 'likely'
    return { is: 'found', confidence, blanks: { pathType: claim.pathType, what: `(${claim.controller}) ranks it below ${rival.path} ${rival.pathType} of ${rival.kind} ${rival.namespace}/${rival.name}` }, because: [reading.failure.cite, 'routing'] }
  }
})
