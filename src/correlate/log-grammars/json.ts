import type { ParsedEntry } from './record.ts'

/** Does a physical line begin a JSON entry? */
export const startsJson = (line: string): boolean => line.startsWith('{') && line.includes('"msg"')

/**
 * klog's JSON: `ts` in epoch milliseconds (seconds in other programs), `err` means error, `v` means
 * info; `key` and the like are strings up to 1.15 and objects after. A cut line is read as far as
 * its strings go.
 */
export function parseJson (text: string): ParsedEntry | undefined {
  let entry: Record<string, unknown>
  let cut = false
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    entry = value as Record<string, unknown>
  } catch {
    entry = salvage(text)
    cut = true
    if (typeof entry.msg !== 'string') return undefined
  }
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(entry)) if (!own.has(name)) fields.set(name, wordOf(value))
  const err = typeof entry.err === 'string' ? entry.err : typeof entry.error === 'string' ? entry.error : undefined
  return {
    level: levelOf(entry),
    caller: wordOf(entry.caller).replace(/^.*\//, ''),
    logger: wordOf(entry.logger),
    message: wordOf(entry.msg),
    fields,
    time: timeOf(entry.ts ?? entry.time ?? entry.timestamp),
    ...err === undefined || err === '' ? {} : { err },
    ...cut ? { cut } : {}
  }
}

const own = new Set(['ts', 'caller', 'msg', 'logger', 'err', 'v', 'errCauses', 'level'])

function levelOf ({ level, err, v }: Record<string, unknown>): ParsedEntry['level'] {
  const said = typeof level === 'string' ? level.toLowerCase() : ''
  if (said.startsWith('err')) return 'error'
  if (said.startsWith('warn')) return 'warning'
  if (said.startsWith('fatal') || said.startsWith('panic')) return 'fatal'
  if (err !== undefined) return 'error'
  // Error() without an error value prints neither `err` nor `v`.
  return said === '' && v === undefined ? 'error' : 'info'
}

function timeOf (value: unknown): number | undefined {
  if (typeof value === 'string') {
    const parsed = Date.parse(value)
    return Number.isNaN(parsed) ? undefined : parsed
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return Math.floor(value < 100_000_000_000 ? value * 1000 : value)
}

/** `{"name":"a","namespace":"b"}` is `b/a`, as the text grammars print it. */
function wordOf (value: unknown): string {
  if (typeof value === 'string') return value
  if (value === undefined || value === null) return ''
  if (typeof value !== 'object') return String(value)
  const { name, namespace } = value as Record<string, unknown>
  if (typeof name === 'string') return typeof namespace === 'string' && namespace !== '' ? `${namespace}/${name}` : name
  return JSON.stringify(value)
}

/** The string and number members of a line that is no whole JSON any more. */
function salvage (text: string): Record<string, unknown> {
  const entry = Object.create(null) as Record<string, unknown>
  const member = /"(\w+)":(?:"((?:[^"\\]|\\.)*)("?)|(-?\d+(?:\.\d+)?))/g
  for (const [, name, string, , number] of text.matchAll(member)) {
    if (number !== undefined) entry[name!] = Number(number)
    else try { entry[name!] = JSON.parse(`"${(string ?? '').replace(/\\$/, '')}"`) as string } catch { entry[name!] = string }
  }
  return entry
}
