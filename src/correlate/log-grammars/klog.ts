import { readPairs, readQuoted } from './pairs.ts'
import type { ParsedEntry } from './record.ts'

const header = /^([IWEF])(\d{2})(\d{2}) (\d{2}):(\d{2}):(\d{2})\.(\d{1,9})\s+\d+ ([^\s\]]+)\] ?/
const levels = { I: 'info', W: 'warning', E: 'error', F: 'fatal' } as const

/** Does a physical line begin a klog entry? */
export const startsKlog = (line: string): boolean => header.test(line)

/**
 * The four text grammars of cert-manager 1.0 to 1.21: `logger "msg"="…" "error"="…"` (≤1.11),
 * `"logger: msg" err="…"` (1.12, 1.13), `"msg" err="…" logger="…"` (≥1.14), and bare klog text.
 * klog's header has no year: the caller gives the moment that the entry lies before.
 */
export function parseKlog (text: string, before: number): ParsedEntry | undefined {
  const match = header.exec(text)
  if (match === null) return undefined
  const level = levels[match[1] as keyof typeof levels]
  const caller = match[8]!
  const body = text.slice(match[0].length)
  return { level, caller, time: timeOf(match, before), ...parseBody(body) }
}

function parseBody (body: string): Pick<ParsedEntry, 'logger' | 'message' | 'fields' | 'err' | 'cut'> {
  const classic = /^([\w./-]*) ?"msg"=/.exec(body)
  if (classic !== null) {
    const { fields, cut } = readPairs(body, classic[0].length - '"msg"='.length)
    const message = fields.get('msg') ?? ''
    fields.delete('msg')
    return finish(classic[1]!, message, fields, cut)
  }
  if (body.startsWith('"')) {
    const quoted = readQuoted(body, 0)
    const { fields, cut } = readPairs(body, quoted.end)
    const glued = /^(cert-manager(?:\/[\w.-]+)*): /.exec(quoted.text)
    const message = glued === null ? quoted.text : quoted.text.slice(glued[0].length)
    return finish(fields.get('logger') ?? glued?.[1] ?? '', message, fields, cut || quoted.cut)
  }
  // Free text, perhaps with pairs of klogr behind it.
  return { logger: '', message: body, fields: new Map() }
}

function finish (logger: string, message: string, fields: Map<string, string>, cut: boolean): Pick<ParsedEntry, 'logger' | 'message' | 'fields' | 'err' | 'cut'> {
  // `error` is the error of an Error() call in the oldest grammar and of an info line in the others.
  const err = fields.get('err') ?? fields.get('error')
  fields.delete('logger')
  return { logger: logger.replaceAll('/', '.'), message, fields, err: err === '' ? undefined : err, ...cut ? { cut } : {} }
}

const day = 86_400_000

/** The year is the one that puts the entry at most a day after `before`. */
function timeOf ([, , month, date, hour, minute, second, fraction]: RegExpExecArray, before: number): number | undefined {
  const latest = before + day
  const at = (year: number): number => Date.UTC(year, Number(month) - 1, Number(date), Number(hour), Number(minute), Number(second), Math.floor(Number(`0.${fraction}`) * 1000))
  const year = new Date(latest).getUTCFullYear()
  const time = at(year) <= latest ? at(year) : at(year - 1)
  return Number.isFinite(time) ? time : undefined
}
