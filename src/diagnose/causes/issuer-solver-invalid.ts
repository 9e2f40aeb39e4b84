import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { andObjects } from '../sources.ts'

/** The chosen solver contradicts itself, or an annotation on the Ingress contradicts it. */
export default defineCause({
  id: 'issuer-solver-invalid',
  since: '0.1.0',
  stage: 'selection',
  needs: [],
  wants: ['challenge', 'issuer'],
  title: 'The solver of {issuerKind} {issuer} for {dnsName} is not usable as written',
  meaning: 'The solver stanza, together with the annotations of the Ingress or Gateway that asked, is contradictory or incomplete, so cert-manager cannot present the challenge. {why}',
  remedy: [
    { do: 'See the solver that was used.', run: 'kubectl -n {namespace} get challenge -o jsonpath="{.items[*].spec.solver}"' },
    { do: 'See the annotations of the Certificate that override it.', run: 'kubectl -n {namespace} get certificate {certificate} -o jsonpath="{.metadata.annotations}"' },
    'Keep one of ingressClassName, class and name; one of http01 and dns01; one provider. Remove the overriding annotation (acme.cert-manager.io/http01-ingress-class, …-ingressclassname, …-edit-in-place) if it is the other one.',
    { do: 'Correct the issuer (or the annotation), then start over.', run: 'kubectl -n {namespace} delete order {order}', changes: true }
  ],
  texts: [
    { in: andObjects, match: 'fields ingressclassname and class cannot be set|may not specify more than one (of: name, class|solver type|provider)|only one of .ingressclassname., .name. or .class.|only 1 http01 solver type|no (http01 )?solver type configured|multiple .{0,30}(solver|provider)s? .{0,30}(configured|specified|set)|cannot specify only one of parentref|must specify parentrefs', confidence: 'proven' },
    { in: andObjects, match: 'neither http01 ingress nor gateway solvers|no ingress nor gateway http01 solvers|no http01 ingress config provided', confidence: 'proven' },
    { in: andObjects, match: 'no dns01 challenge solver configuration|no dns provider config specified|no solver provider configured for', confidence: 'proven' },
    { in: ['challenge', 'event', 'log'], match: 'ingress(es)?\\.networking\\.k8s\\.io "(?P<ingress>[^"]+)" not found', unless: 'cm-acme-http-solver-', confidence: 'likely' }
  ],
  related: ['issuer-no-matching-solver'],

  examine ({ hits, challenge }) {
    const [best, ...rest] = hits
    const solver = valueIn(challenge)?.solverConfig.http01 as { ingress?: Record<string, unknown> } | undefined
    const set = ['class', 'ingressClassName', 'name'].filter(field => solver?.ingress?.[field] !== undefined && solver.ingress[field] !== null)
    const why = set.length > 1 ? `Set together: ${set.join(', ')}.` : best?.groups.ingress === undefined ? '' : `The Ingress ${best.groups.ingress} that it names does not exist.`
    if (best !== undefined) return { is: 'found', confidence: best.rule.confidence, blanks: { why }, because: set.length > 1 ? [best, 'challenge'] : [best, ...rest.slice(0, 3)] }
    return set.length > 1 && valueIn(challenge)?.presented === false ? { is: 'found', confidence: 'possible', blanks: { why }, because: ['challenge'] } : notApplicable
  }
})
