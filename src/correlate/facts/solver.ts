import { absent, seen, unavailable } from '../../shared/types/common.ts'
import type { SolverFacts } from '../../shared/types/case.ts'
import type { FactsOf } from '../snapshot.ts'
import { challengeView } from './challenge-objects.ts'
import { solverFacts } from './solver-objects.ts'

/** The solver's Pod, Service, Ingress and HTTPRoute, live or as the recorder last saw them. */
export const facts: FactsOf<SolverFacts> = (context, identifier) => {
  if (identifier === undefined || identifier.name === '' || identifier.challengeType === 'DNS-01') return absent
  const view = challengeView(context, identifier)
  if (view.objects.length > 0) return seen(solverFacts(context.snapshot, view.objects))
  const pods = context.snapshot.list('Pod', view.namespace)
  return pods.is === 'unavailable' ? unavailable(pods.why, pods.fix) : absent
}
