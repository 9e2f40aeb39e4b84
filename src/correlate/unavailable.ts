import type { Case } from '../shared/types/case.ts'
import type { Observations } from '../shared/types/observations.ts'
import { compare } from './snapshot.ts'

/** What could not be looked at, each reason once, with what would make it visible. */
export function whatWasUnavailable ({ looks, lists, logs }: Observations): Case['unavailable'] {
  const found = new Map<string, Case['unavailable'][number]>()
  const add = (source: string, why: string, fix?: string): void => {
    const key = `${source}\n${why}`
    if (!found.has(key)) found.set(key, { source, why, ...fix === undefined ? {} : { fix } })
  }
  for (const { what, is, why, fix } of looks) if (is === 'unavailable') add(what, why ?? 'no answer', fix)
  // Looks that were never reported still count.
  if (found.size === 0) {
    for (const { resource, namespace, name, look } of lists) if (look.is === 'unavailable') add(`${resource}${namespace === undefined ? '' : ` in ${namespace}`}${name === undefined ? '' : ` ${name}`}`, look.why, look.fix)
    for (const { namespace, pod, container, previous, look } of logs) if (look.is === 'unavailable') add(`log ${namespace}/${pod} ${container}${previous ? ' (previous)' : ''}`, look.why, look.fix)
  }
  return [...found.values()].sort((a, b) => compare(a.source, b.source) || compare(a.why, b.why))
}
