import type { Change, Text, TimelineEntry } from '../shared/types/case.ts'
import type { Alert, Millis, Source } from '../shared/types/common.ts'
import type { RecordedState } from '../shared/types/observations.ts'
import type { Scope } from './attempt-scope.ts'
import { at, conditions, nameOf } from './facts/fields.ts'
import { refOf, stateOf } from './objects.ts'
import { compare, createdAt, millisOf } from './snapshot.ts'

const kept = 150

/** One line of time over objects, Events, log, changes, recorder and alerts; oldest first. */
export function timelineOf (scope: Scope, texts: readonly Text[], changes: readonly Change[], recorded: readonly RecordedState[], alerts: readonly Alert[]): TimelineEntry[] {
  const entries: TimelineEntry[] = []
  const add = (time: Millis | undefined, source: Source, ref: string, text: string, more: { count?: number, last?: Millis } = {}): void => {
    if (time !== undefined && time > 0) entries.push({ time, source, ref, text, ...more })
  }
  const { certificate, request, orders, challenges, issuer } = scope.chain
  for (const [source, object] of [['certificate', certificate], ['request', request], ['issuer', issuer]] as const) {
    if (object === undefined) continue
    if (source === 'request') add(createdAt(object), source, nameOf(object), 'created')
    for (const { type, status, reason, message, lastTransitionTime } of conditions(at(object.status, 'conditions'))) {
      add(millisOf(lastTransitionTime), source, nameOf(object), `${type}=${status} ${reason ?? ''}: ${(message ?? '').slice(0, 300)}`.trim())
    }
  }
  for (const order of orders) {
    add(createdAt(order), 'order', nameOf(order), 'created')
    add(millisOf(at(order.status, 'failureTime')), 'order', nameOf(order), `failed: state ${stateOf(order)}`)
  }
  for (const challenge of challenges) add(createdAt(challenge), 'challenge', nameOf(challenge), 'created')
  for (const { evidence, core, first, last, count, severity, attempt } of texts) {
    if (!timed.has(evidence.source) || (severity === 'info' && evidence.source === 'log') || (attempt === 'earlier' && evidence.source === 'event' && severity === 'info')) continue
    add(first ?? evidence.time, evidence.source, evidence.ref, core === '' ? evidence.text : core, { ...count > 1 ? { count } : {}, ...last !== undefined && last !== first ? { last } : {} })
  }
  for (const change of changes) if (change.relevance >= 0.2) add(change.at, 'change', change.object, `${change.by}: ${change.fields.slice(0, 4).join(', ')}`)
  for (const { at: time, kind, namespace, name, state, reason } of recorded) add(time, kind === 'Order' ? 'order' : 'challenge', `${refOf(kind, namespace, name)} (recorded)`, `state ${state === '' ? 'not set' : state}${reason === '' ? '' : `: ${reason.slice(0, 300)}`}`)
  for (const { labels, startsAt } of alerts) add(startsAt, 'alert', `alert ${labels.alertname ?? ''}`.trim(), 'starts')
  // What lies far from the failure goes first when there is too much.
  const near = entries.length <= kept ? entries : entries.toSorted((a, b) => b.time - a.time).slice(0, kept)
  return near.sort((a, b) => a.time - b.time || compare(a.source, b.source) || compare(a.ref, b.ref) || compare(a.text, b.text))
}

const timed = new Set<Source>(['event', 'log', 'acme'])
