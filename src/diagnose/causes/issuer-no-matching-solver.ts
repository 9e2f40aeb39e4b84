import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** cert-manager finds no solver of the issuer for the name; the order stays pending and nobody is told but an Event. */
export default defineCause({
  id: 'issuer-no-matching-solver',
  since: '0.1.0',
  stage: 'selection',
  needs: [],
  wants: ['solverChoice', 'issuer', 'order'],
  title: 'No solver of {issuerKind} {issuer} fits {dnsName}',
  meaning: 'Each solver is limited to other names, zones or labels, or to a challenge type that is not offered here. {why} The Order stays pending for ever.',
  remedy: [
    { do: 'See the solvers and their selectors.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o jsonpath="{.spec.acme.solvers}"' },
    { do: 'See the event that says so.', run: 'kubectl -n {namespace} describe order {order}' },
    { do: 'Add a solver, or widen dnsNames, dnsZones or matchLabels of one.', run: 'kubectl -n {namespace} edit {issuerKind} {issuer}', changes: true },
    { do: 'Then delete the Order: it does not look again by itself.', run: 'kubectl -n {namespace} delete order {order}', changes: true }
  ],
  texts: [{ in: everywhere, match: 'no configured challenge solvers can be used|no configured challenge solver|failed to determine a valid solver configuration|solver configuration for domain \\S+ not found', unless: 'may not specify more than one|parentref', confidence: 'proven' }],
  related: ['wildcard-needs-dns01', 'issuer-solver-invalid'],

  examine ({ hits, solverChoice, issuer, order, identifier, case: { identifiers } }) {
    const choice = valueIn(solverChoice)
    const offered = valueIn(order)?.authorizations.find(item => item.identifier === identifier.name && item.wildcard === identifier.wildcard)?.challengeTypes
    const wanted = choice?.challengeType?.toLowerCase()
    const offeredElse = offered !== undefined && offered.length > 0 && wanted !== undefined && !offered.some(type => type.toLowerCase() === wanted)
    const why = offeredElse
      ? `The CA offers only ${offered.join(', ')} for it (the authorization may be older than the solver).`
      : choice?.considered.filter(({ fits }) => !fits).slice(0, 3).map(({ index, type, why: reason }) => `Solver ${index} (${type}): ${reason}.`).join(' ') || 'The issuer has no solver for it.'
    const [best] = hits
    // What the CA offered is gone with the Order: cert-manager's word stands, unless another of its names explains it.
    const allFit = identifiers.every(({ facts }) => facts.solverChoice.is === 'seen' && facts.solverChoice.value.chosen !== undefined)
    if (best !== undefined && allFit && valueIn(order) === undefined) return { is: 'found', confidence: 'likely', blanks: { why: 'By its names one of them would fit, so the CA must have offered another type, or the issuer was changed since.' }, because: [best, ...hits.slice(1, 3)] }
    if (choice?.chosen !== undefined && !offeredElse) return { is: 'ruled-out', by: ['solverChoice'], because: `Solver ${choice.chosen} of the issuer fits ${identifier.name}.` }
    // A wildcard whose solvers nobody could see may as well lack DNS-01.
    const confidence = choice === undefined && identifier.wildcard ? 'likely' : 'proven'
    if (best !== undefined) return { is: 'found', confidence, blanks: { why }, because: choice === undefined ? [best, ...hits.slice(1, 4)] : [best, 'solverChoice'] }
    if (choice === undefined || valueIn(issuer)?.acme === undefined) return notApplicable
    // The solvers as they are now; without the event they may have been others then.
    return { is: 'found', confidence: 'likely', blanks: { why }, because: offeredElse ? ['solverChoice', 'order'] : ['solverChoice'] }
  }
})
