import type { LogLine, LogLook } from '../../shared/types/observations.ts'
import { parseJson, startsJson } from './json.ts'
import { parseKlog, startsKlog } from './klog.ts'
import { maxBlockLength, maxLineLength, type LogRecord } from './record.ts'

/**
 * Turns kept log lines into entries: joins blocks (`err=<` … ` >`) and strings that run over several lines,
 * reads whichever grammar each entry is in, and keeps what is in none as `foreign`. One pass;
 * never throws. `before` bounds the year of a header without one.
 */
export function readLog (lines: readonly LogLine[], from: LogRecord['from'], before: number): LogRecord[] {
  const records: LogRecord[] = []
  let open: { time?: number, lines: string[], length: number, cut: boolean, until: 'block' | 'string' } | undefined

  const close = (): void => {
    if (open === undefined) return
    records.push(parse(open.lines.join('\n'), open.time, open.cut, from, before))
    open = undefined
  }

  for (const line of lines) {
    const { time, text, cut } = normal(line)
    const begins = startsKlog(text) || startsJson(text)
    if (begins) {
      close()
      if (text.endsWith('=<')) {
        open = { time, lines: [text], length: text.length, cut, until: 'block' }
        continue
      }
      const record = parse(text, time, cut, from, before)
      // A string that has not ended may go on in the next lines.
      if (record.cut === true && !cut && !text.startsWith('{')) open = { time, lines: [text], length: text.length, cut, until: 'string' }
      else records.push(record)
      continue
    }
    if (open !== undefined) {
      if (open.length + text.length < maxBlockLength) {
        open.lines.push(text)
        open.length += text.length
      } else open.cut = true
      if (open.until === 'block' ? text.startsWith(' >') : endsString(text)) {
        // Behind ` >` another block may begin.
        if (!text.endsWith('=<')) close()
      }
      continue
    }
    records.push(parse(text, time, cut, from, before))
  }
  if (open !== undefined) open.cut = true
  close()
  return records
}

/** All records of a look; an unavailable log has none. */
export function recordsOf ({ look, namespace, pod, container, role }: LogLook, before: number): LogRecord[] {
  return look.is === 'seen' ? readLog(look.value.lines, { namespace, pod, container, role }, before) : []
}

const kubeletTime = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})) /

function normal (line: LogLine): { time?: number, text: string, cut: boolean } {
  let { time, text } = line
  const stamp = kubeletTime.exec(text.slice(0, 64))
  if (stamp !== null) {
    const parsed = Date.parse(stamp[1]!)
    if (!Number.isNaN(parsed)) time ??= parsed
    text = text.slice(stamp[0].length)
  }
  if (text.endsWith('\r')) text = text.slice(0, -1)
  return text.length > maxLineLength ? { time, text: text.slice(0, maxLineLength), cut: true } : { time, text, cut: false }
}

/** The string that ran over lines ends here when pairs follow or nothing does. */
const endsString = (text: string): boolean => /(?:^|[^\\])"(?: "?[\w.-]+"?=.*)?$/.test(text)

function parse (raw: string, time: number | undefined, cut: boolean, from: LogRecord['from'], before: number): LogRecord {
  const entry = raw.startsWith('{') ? parseJson(raw) : parseKlog(raw, before)
  if (entry === undefined) return { time, level: 'unknown', caller: '', logger: '', message: raw, fields: new Map(), raw, from, foreign: true, ...cut ? { cut } : {} }
  return { ...entry, time: time ?? entry.time, raw, from, ...cut || entry.cut === true ? { cut: true } : {} }
}
