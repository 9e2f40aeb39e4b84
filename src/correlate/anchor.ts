import type { Millis } from '../shared/types/common.ts'
import type { Observations } from '../shared/types/observations.ts'
import type { Chain } from './chain.ts'
import { at, nameOf, string } from './facts/fields.ts'
import { conditionOf, stateOf } from './objects.ts'
import { millisOf, type Snapshot } from './snapshot.ts'
import { plainEvent } from './texts/events.ts'

/** The moment that the windows are laid around: the Order's failure, else the Challenge's complaint, else the request's, else the alert's start. */
export function anchorOf (chain: Chain, snapshot: Snapshot, { alerts, recorded, now }: Observations): { time: Millis, from: string } {
  const { order, challenges, request, certificate, orderName } = chain
  const failure = millisOf(at(order?.status, 'failureTime'))
  if (failure !== undefined) return { time: failure, from: `failureTime of ${nameOf(order!)}` }

  const complaints = challenges.flatMap(challenge => snapshot.eventsOf('Challenge', challenge.metadata.namespace, challenge.metadata.name, challenge.metadata.uid)).map(plainEvent).filter(({ type, last }) => type === 'Warning' && last !== undefined)
  const latest = complaints.sort((a, b) => b.last! - a.last!)[0]
  if (latest?.last !== undefined) return { time: latest.last, from: `Event ${latest.reason} of Challenge ${latest.namespace ?? ''}/${latest.name}` }

  const kept = recorded.filter(state => state.kind === 'Order' && (order === undefined ? state.name === orderName : state.uid === order.metadata.uid) && ['invalid', 'errored', 'expired'].includes(state.state)).at(-1)
  if (kept !== undefined) return { time: kept.at, from: 'the flight recorder' }
  const requested = millisOf(at(request?.status, 'failureTime'))
  if (requested !== undefined) return { time: requested, from: `failureTime of ${nameOf(request!)}` }
  const issuing = conditionOf(certificate, 'Issuing')
  const failed = millisOf(at(certificate?.status, 'lastFailureTime'))
  // With the request gone, the Certificate still says when; not while a newer attempt runs.
  if (failed !== undefined && request === undefined && order === undefined && issuing?.status !== 'True') return { time: failed, from: `lastFailureTime of ${nameOf(certificate!)}` }
  const pending = request === undefined || stateOf(order) !== '' || order !== undefined ? undefined : conditionOf(request, 'Ready')
  const since = pending === undefined || string(pending.reason) === '' ? undefined : millisOf(pending.lastTransitionTime)
  if (since !== undefined && pending!.status !== 'True') return { time: since, from: `condition Ready of ${nameOf(request!)}` }
  const firing = alerts.filter(({ status }) => status === 'firing').map(({ startsAt }) => startsAt).filter(time => time > 0 && time <= now + 300_000)
  return firing.length === 0 ? { time: now, from: 'the time of the look' } : { time: Math.max(...firing), from: 'startsAt of the alert' }
}
