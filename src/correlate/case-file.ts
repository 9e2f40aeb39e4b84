import { TriageError } from '../shared/errors.ts'
import type { Observations } from '../shared/types/observations.ts'

/** Observations as one line of JSON. */
export const saveObservations = (observations: Observations): string => JSON.stringify(observations)

/** Reads what `saveObservations` wrote; throws CASE_SCHEMA with the reason for anything else. */
export function readObservations (text: string, where = 'saved look'): Observations {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new TriageError('CASE_JSON', { where, why: error instanceof Error ? error.message : String(error) })
  }
  const why = whatIsWrong(value)
  if (why !== undefined) throw new TriageError('CASE_SCHEMA', { where, why })
  return value as Observations
}

const lists = ['alerts', 'objects', 'lists', 'logs', 'dns', 'http', 'acme', 'recorded', 'looks'] as const

function whatIsWrong (value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is no object'
  const saved = value as Record<string, unknown>
  if (saved.format !== 1) return `has format ${JSON.stringify(saved.format)}, and this version reads format 1`
  if (typeof saved.now !== 'number' || !Number.isFinite(saved.now)) return 'has no time in "now"'
  if (typeof saved.subject !== 'object' || saved.subject === null) return 'has no "subject"'
  for (const name of lists) if (!Array.isArray(saved[name])) return `has no list "${name}"`
  if ((saved.alerts as unknown[]).length === 0) return 'has no alert'
  const nameless = (saved.objects as { kind?: unknown, metadata?: { name?: unknown } }[]).findIndex(object => typeof object?.kind !== 'string' || typeof object.metadata?.name !== 'string')
  return nameless < 0 ? undefined : `objects[${nameless}] has no kind or name`
}
