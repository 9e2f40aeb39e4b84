import type { KubeObject } from '../../shared/types/kubernetes.ts'
import { compare, type CorrelateContext, type IdentifierSeed } from '../snapshot.ts'
import { at, string } from './fields.ts'
import { solverObjects, tokenOfSolver, type ChallengeRef } from './solver-objects.ts'

/** What is known of the challenge of one identifier, whether or not it is still there. */
export interface ChallengeView extends ChallengeRef {
  /** The chosen solver's `http01` stanza, from the Challenge or, when that is gone, from a recording. */
  http01: Record<string, unknown>
  /** Its solver objects: as they are now, else as the recorder last saw them. */
  objects: KubeObject[]
  /** True when `objects` comes from the recorder. */
  recorded: boolean
  known: boolean
}

/** Finds the challenge's own objects; a recording helps when cert-manager has already cleaned up. */
export function challengeView (context: CorrelateContext, identifier: IdentifierSeed): ChallengeView {
  const { snapshot, observations, attempt, namespace } = context
  const { challenge } = identifier
  const reference: ChallengeRef = {
    namespace: challenge?.metadata.namespace ?? namespace,
    uid: challenge?.metadata.uid ?? '',
    dnsName: identifier.name,
    token: string(at(challenge?.spec, 'token')) || identifier.authorization?.tokens?.[0] || ''
  }
  const live = solverObjects(snapshot, reference)
  const states = observations.recorded.filter(state => state.kind === 'Challenge' && state.dnsName === identifier.name &&
    (attempt.order === undefined || state.order === undefined || state.order === attempt.order.metadata.uid) && (state.objects?.length ?? 0) > 0)
  const last = states.sort((a, b) => a.at - b.at || compare(a.uid, b.uid)).at(-1)
  const objects = live.length > 0 ? live : last?.objects ?? []
  return {
    ...reference, token: reference.token || tokenOfSolver(live) || '', uid: reference.uid === '' ? last?.uid ?? '' : reference.uid,
    http01: (at(challenge?.spec, 'solver', 'http01') ?? {}) as Record<string, unknown>,
    objects, recorded: live.length === 0 && objects.length > 0, known: challenge !== undefined || last !== undefined
  }
}
