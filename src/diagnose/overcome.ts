import type { Case, IdentifierCase, Text, Wrapper } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'
import type { Condition } from '../shared/types/kubernetes.ts'

/** cert-manager presents until it succeeds, and then no more: what failed before that is not why the attempt fails. */
export function isOvercome ({ wrapper, evidence, core, whole, about, last }: Text, identifier: IdentifierCase, incident: Case): boolean {
  const { challenge } = identifier.facts
  if (evidence.source !== 'event' && evidence.source !== 'log') return false
  if ((last ?? evidence.time ?? incident.now) < overcomeUntil(incident)) return true
  if (wrapper === 'log' && about.length === 0 && /failed calling webhook/.test(whole) && wentOn(last ?? evidence.time ?? incident.now, identifier.name, incident.texts)) return true
  if (routeWatch.test(whole) && worksWithoutRoutes(identifier, incident)) return true
  if (challenge.is !== 'seen') return isPassed({ wrapper, whole, about, until: last ?? evidence.time ?? incident.now }, identifier, incident)
  if (!(challenge.value.presented || challenge.value.asked)) return false
  return wrapper === 'present' || (wrapper === 'log' && incident.texts.some(other => other.wrapper === 'present' && other.evidence.source === 'event' && other.core === core))
}

/** The Challenge cannot be asked; but what was presented since is checked, and the CA asked, and that is told later. */
function isPassed ({ wrapper, whole, about, until }: Pick<Text, 'wrapper' | 'whole' | 'about'> & { until: Millis }, { name }: IdentifierCase, { texts, identifiers }: Case): boolean {
  if (wrapper !== 'present' && !whole.startsWith('re-queuing item')) return false
  if (!about.includes(name) && identifiers.length > 1) return false
  return wentOn(until, name, texts)
}

/** Was anything told after that which only an attempt that goes on tells? */
function wentOn (until: Millis, name: string, texts: readonly Text[]): boolean {
  return texts.some(later => later.attempt === 'current' && (laterStages.includes(later.wrapper) || presented.test(later.whole)) && (later.about.length === 0 || later.about.includes(name)) && (later.last ?? later.evidence.time ?? 0) > until)
}

const laterStages: readonly Wrapper[] = ['self-check', 'accept', 'authorization']
const presented = /^Presented challenge using /

const routeWatch = /failed to (?:list|watch) \*v\d\w*\.(?:HTTPRoute|Gateway|X?ListenerSet)\b/i

/** A watch of routes that fails keeps cert-manager from starting, and is nothing to another solver that is at work all the same. */
function worksWithoutRoutes ({ name, facts: { challenge } }: IdentifierCase, { texts, facts: { order } }: Case): boolean {
  const seen = challenge.is === 'seen' ? challenge.value : undefined
  if (seen?.solver === 'gatewayHTTPRoute') return false
  if (seen?.presented === true || seen?.asked === true || (order.is === 'seen' && order.value.state !== '' && order.value.state !== 'pending')) return true
  return texts.some(text => text.attempt === 'current' && text.about.includes(name) && solverStages.includes(text.wrapper) && !/gateway|httproute/i.test(text.whole))
}

const solverStages: readonly Wrapper[] = ['present', ...laterStages]

/** Until when what was said has been overcome: the request was issued, or the Certificate became ready, after that. */
function overcomeUntil ({ facts: { certificate, request, order } }: Case): Millis {
  const answered = request.is === 'seen' ? readySince(request.value.ready) : undefined
  const stored = certificate.is === 'seen' && certificate.value.issuing?.status !== 'True' ? readySince(certificate.value.ready) : undefined
  const issued = order.is === 'seen' ? order.value.state === 'valid' && order.value.hasCertificate : answered !== undefined
  return issued && stored !== undefined ? Number.POSITIVE_INFINITY : Math.max(answered ?? 0, stored ?? 0)
}

const readySince = (ready: Condition | undefined): Millis | undefined => ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') || 0 : undefined
