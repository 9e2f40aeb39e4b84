import { absent, seen, unavailable } from '../../shared/types/common.ts'
import type { SolverChoiceFacts } from '../../shared/types/case.ts'
import type { FactsOf } from '../snapshot.ts'
import { annotationsOf, at, fieldsList, labelsOf, nameOf } from './fields.ts'
import { chooseSolver, overridesOf } from './solver-picker.ts'

/** Which of the issuer's solvers cert-manager picks for this name, and why, or why none. */
export const facts: FactsOf<SolverChoiceFacts> = ({ attempt }, identifier) => {
  if (identifier === undefined || identifier.name === '') return absent
  const { issuer, order, request, certificate } = attempt
  if (issuer === undefined) return unavailable('the issuer was not seen')
  const acme = at(issuer.spec, 'acme')
  if (acme === undefined) return absent
  // The Order carries the labels and annotations of the Certificate; older links may be all that is left.
  const carrier = order ?? request ?? certificate
  const choice = chooseSolver({
    name: identifier.name, wildcard: identifier.wildcard, solvers: fieldsList(at(acme, 'solvers')),
    labels: carrier === undefined ? new Map() : labelsOf(carrier), offered: identifier.authorization?.challengeTypes ?? [], ref: nameOf(issuer)
  })
  const overrides = carrier === undefined ? [] : overridesOf(annotationsOf(carrier))
  if (carrier === undefined || overrides.length === 0) return seen(choice)
  return seen({ ...choice, evidence: [...choice.evidence, { source: 'order', ref: nameOf(carrier), text: `overrides the solver: ${overrides.join(', ')}` }] })
}
