import type { Case } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'

const minute: Millis = 60_000
/** Looks after the first one, counted from the opening of the incident. */
const early: readonly Millis[] = [1 * minute, 5 * minute, 15 * minute]
/** cert-manager needs a moment from the start of an attempt to its failure. */
const attemptTakes: Millis = 30_000

/**
 * When an open incident is looked at again: after 1, 5 and 15 minutes, when the next attempt is
 * due, and else more and more seldom, so that healing is noticed before Alertmanager tells it.
 */
export function nextLook ({ now, opened, nextTry }: { now: Millis, opened: Millis, nextTry?: Millis }): Millis {
  const age = now - opened
  const regular = early.find(after => age < after - 5_000)
  const late = age < 2 * 60 * minute ? 15 * minute : 60 * minute
  const at = regular === undefined ? now + late : opened + regular
  return nextTry !== undefined && nextTry + attemptTakes > now && nextTry + attemptTakes < at ? nextTry + attemptTakes : at
}

/**
 * Says what healed the incident, or undefined while it fails. Ready alone is no sign: while a
 * renewal fails, the old certificate stays Ready.
 */
export function healedBy ({ attempts, facts, anchor }: Case): string | undefined {
  const newest = attempts.reduce<Case['attempts'][number] | undefined>((best, attempt) => best === undefined || attempt.at > best.at ? attempt : best, undefined)
  const failing = attempts.find(({ current }) => current)
  if (newest !== undefined && newest !== failing && newest.state === 'valid' && newest.at > (failing?.at ?? anchor.time)) {
    return `Order ${newest.order ?? 'of a later attempt'} is valid`
  }
  if (facts.certificate.is !== 'seen') return undefined
  const { ready, issuing, lastFailureTime, failedIssuanceAttempts, revision } = facts.certificate.value
  if (ready?.status !== 'True' || issuing?.status === 'True' || lastFailureTime !== undefined || failedIssuanceAttempts > 0) return undefined
  const since = Date.parse(ready.lastTransitionTime ?? '')
  if (since > anchor.time) return 'the Certificate became Ready'
  const request = facts.request.is === 'seen' ? facts.request.value : undefined
  const failedRevision = request?.ready?.status === 'False' && request.failureTime !== undefined ? request.revision : undefined
  if (revision !== undefined && failedRevision !== undefined && revision >= failedRevision) return `the certificate was issued (revision ${revision})`
  return undefined
}
