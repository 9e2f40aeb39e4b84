import type { LiveAlert, PostedAlert } from '../../shared/clients/alertmanager.ts'
import type { Millis } from '../../shared/types/common.ts'
import { fingerprint } from '../../shared/fingerprint.ts'

/** Our names begin so; nothing else on an alert is ever touched. */
export const ourPrefix = 'acme_triage_'
/** A post so close to the end could arrive after it. */
const leastLeft: Millis = 10_000

export type Decision =
  | { do: 'nothing', why: 'there' }
  /** Nothing may be posted. */
  | { do: 'nothing', why: 'ending' | 'not-firing' | 'fingerprint' | 'bad-time' | 'nothing-to-say' }
  | { do: 'post', alert: PostedAlert, lost: boolean }

/**
 * What to post back for an alert that was just read, by the rules that keep it alive no longer
 * and no shorter (alertmanager.md §6.1): labels and times as they were, the whole of its other
 * annotations, nothing when it is about to end.
 */
export function decide (live: LiveAlert, ours: Record<string, string>, now: Millis): Decision {
  if (Object.keys(ours).length === 0) return { do: 'nothing', why: 'nothing-to-say' }
  if (live.state === 'resolved') return { do: 'nothing', why: 'not-firing' }
  if (carries(live.annotations, ours)) return { do: 'nothing', why: 'there' }
  const ends = Date.parse(live.endsAt)
  if (Number.isNaN(ends) || Number.isNaN(Date.parse(live.startsAt))) return { do: 'nothing', why: 'bad-time' }
  if (ends - now < leastLeft) return { do: 'nothing', why: 'ending' }
  // A label that changed on the way would make a second alert that notifies.
  if (fingerprint(live.labels) !== live.fingerprint) return { do: 'nothing', why: 'fingerprint' }
  const lost = Object.keys(live.annotations).some(name => name.startsWith(ourPrefix))
  return { do: 'post', lost: !lost, alert: { labels: live.labels, annotations: merged(live.annotations, ours), startsAt: live.startsAt, endsAt: live.endsAt, generatorURL: live.generatorURL } }
}

/** All that stood there, ours replaced. */
export function merged (theirs: Record<string, string>, ours: Record<string, string>): Record<string, string> {
  return { ...Object.fromEntries(Object.entries(theirs).filter(([name]) => !name.startsWith(ourPrefix))), ...ours }
}

/** Exactly ours stand there, and no older ones beside them. */
export function carries (annotations: Record<string, string>, ours: Record<string, string>): boolean {
  const there = Object.keys(annotations).filter(name => name.startsWith(ourPrefix))
  return there.length === Object.keys(ours).length && there.every(name => annotations[name] === ours[name])
}
