import { nearest } from '../shared/config/nearest.ts'
import type { Confidence } from '../shared/types/diagnosis.ts'
import type { Cause } from './cause.ts'

/** What the operator may say of a cause: see `causes:` in the configuration. */
export type Policy = Record<string, { off?: boolean, lowest?: Confidence, thresholds?: Record<string, number> }>

/** What in `causes:` names nothing that exists: the path of the key, and what to write instead. */
export function policyFaults (policy: Policy, causes: readonly Cause[]): { path: string, why: string }[] {
  const byId = new Map(causes.map(cause => [cause.id, cause]))
  return Object.entries(policy).flatMap(([id, { thresholds = {} }]) => {
    const cause = byId.get(id)
    if (cause === undefined) return [{ path: `causes.${id}`, why: `there is no cause ${id}${suggestion(id, [...byId.keys()])}` }]
    const names = Object.keys(cause.thresholds)
    return Object.keys(thresholds).filter(name => !names.includes(name)).map(name => ({
      path: `causes.${id}.thresholds.${name}`,
      why: names.length === 0 ? `${id} has no thresholds` : `${id} has no threshold ${name}${suggestion(name, names)}; it has ${names.join(', ')}`
    }))
  })
}

function suggestion (word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === undefined ? '' : `; did you mean ${near}?`
}
