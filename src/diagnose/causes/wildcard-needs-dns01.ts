import { defineCause, notApplicable } from '../cause.ts'
import { valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** A wildcard can be validated over DNS only, and the issuer has nothing but HTTP-01 solvers. */
export default defineCause({
  id: 'wildcard-needs-dns01',
  since: '0.1.0',
  stage: 'selection',
  needs: ['issuer'],
  wants: ['solverChoice'],
  title: '{dnsName} is a wildcard, and {issuerKind} {issuer} has only HTTP-01 solvers',
  meaning: 'CAs validate wildcard names over DNS-01 only. The issuer has no DNS-01 solver, so the Order stays pending for ever.',
  remedy: [
    { do: 'See the solvers.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o jsonpath="{.spec.acme.solvers}"' },
    { do: 'Add a dns01 solver for the zone of {dnsName}, or ask for single names instead of the wildcard.', run: 'kubectl -n {namespace} edit {issuerKind} {issuer}', changes: true },
    { do: 'Then delete the Order: it does not look again by itself.', run: 'kubectl -n {namespace} delete order {order}', changes: true }
  ],
  // The event is the same for each name without a solver; that it is a wildcard is seen here.
  texts: [{ in: everywhere, match: 'no configured challenge solvers? (can|could) be used', confidence: 'proven' }],
  related: ['issuer-no-matching-solver'],

  examine ({ hits, issuer, solverChoice, identifier }) {
    if (!identifier.wildcard || issuer.acme === undefined) return notApplicable
    const { solvers } = issuer.acme
    if (solvers.some(({ dns01 }) => dns01 !== undefined && dns01 !== null)) return { is: 'ruled-out', by: ['issuer'], because: 'The issuer has a DNS-01 solver.' }
    if (solvers.length === 0 || valueIn(solverChoice)?.chosen !== undefined) return notApplicable
    const [best] = hits
    return best === undefined ? { is: 'found', confidence: 'likely', blanks: {}, because: ['issuer'] } : { is: 'found', confidence: 'proven', blanks: {}, because: [best, 'issuer'] }
  }
})
