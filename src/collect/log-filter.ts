import type { Millis } from '../shared/types/common.ts'
import type { LogLine } from '../shared/types/observations.ts'

export interface LogFilterOptions {
  /** Texts that make a line the subject's: names, host names, URLs. */
  needles: string[]
  /** Programs that are not cert-manager log in other shapes: their complaints count, too. */
  foreign?: boolean
  /** Short logs of which every line tells something: the solver's. */
  all?: boolean
  maxLines?: number
  maxBytes?: number
}

export interface FilteredLog { lines: LogLine[], droppedLines: number, cut?: string }

const longestLine = 16_384
const startup = ['starting cert-manager', '"starting controller"', 'dns01 nameservers', 'enabled controllers', 'lease', 'maximum concurrent challenge', 'Backing off from issuance', 'ailed CertificateRequest']
const complaint = /\b(?:error|err|fail|failed|failure|panic|fatal|denied|refused|forbidden|unauthorized|timeout|timed out|warn|exception|acme-challenge)\b/i
/** Lines of one text inside this time are folded; windows are at least as wide. */
const foldMillis: Millis = 300_000
const keptOfEach = 3
const continuationLimit = 100

interface Kept { line: LogLine, own: boolean, bytes: number }

/**
 * Keeps the few lines of a log that may matter, at a third of ripgrep's speed: bytes are scanned as
 * latin1, an info line costs one comparison unless a needle stands in it, and only kept lines are decoded.
 */
export class LogFilter {
  private rest = ''
  /** Inside a line longer than any that is kept. */
  private skipping = false
  private readonly needles: string[]
  private readonly foreign: boolean
  private readonly all: boolean
  private readonly maxLines: number
  private readonly maxBytes: number
  private kept: Kept[] = []
  private bytes = 0
  private dropped = 0
  private overflowed = false
  /** How many lines may still belong to the record that was kept last. */
  private continuation = 0
  private readonly folds = new Map<string, { count: number, last?: Kept }>()

  constructor ({ needles, foreign = false, all = false, maxLines = 20_000, maxBytes = 4_000_000 }: LogFilterOptions) {
    this.needles = [...narrow(needles), ...(foreign ? [] : startup)].map(needle => Buffer.from(needle).toString('latin1'))
    this.foreign = foreign
    this.all = all
    this.maxLines = maxLines
    this.maxBytes = maxBytes
  }

  /** Takes the next bytes of the log. */
  write (chunk: Buffer): void {
    const text = this.rest === '' ? chunk.toString('latin1') : this.rest + chunk.toString('latin1')
    const end = text.lastIndexOf('\n')
    if (end === -1) {
      if (text.length > longestLine * 4) { if (!this.skipping) this.take(text, 0, longestLine, false); this.skipping = true; this.rest = '' } else this.rest = this.skipping ? '' : text
      return
    }
    let from = 0
    if (this.skipping) { from = text.indexOf('\n') + 1; this.skipping = false }
    this.scan(text, from, end)
    // A slice would keep the whole chunk alive.
    this.rest = end + 1 === text.length ? '' : Buffer.from(text.slice(end + 1), 'latin1').toString('latin1')
  }

  /** What is worth keeping, in order. */
  finish (): FilteredLog {
    if (this.rest !== '' && !this.skipping) this.scan(this.rest, 0, this.rest.length)
    this.rest = ''
    for (const { count, last } of this.folds.values()) if (last !== undefined && count > keptOfEach + 1) last.line.repeated = count - keptOfEach
    const lines = this.kept.map(({ line }) => line)
    return { lines, droppedLines: this.dropped, ...(this.overflowed ? { cut: `only ${this.maxLines} lines or ${Math.round(this.maxBytes / 1e6)} MB are kept; older ones of other objects were dropped` } : {}) }
  }

  private scan (text: string, from: number, end: number): void {
    const { needles } = this
    const next = needles.map(needle => text.indexOf(needle, from))
    let nearest = smallest(next)
    for (let start = from; start < end;) {
      let stop = text.indexOf('\n', start)
      if (stop === -1 || stop > end) stop = end
      while (nearest !== -1 && nearest < start) {
        for (let index = 0; index < next.length; index++) if (next[index] !== -1 && next[index]! < start) next[index] = text.indexOf(needles[index]!, start)
        nearest = smallest(next)
      }
      const own = nearest !== -1 && nearest < stop
      if (own || this.all || this.worth(text, start, stop)) this.take(text, start, stop, own)
      else this.dropped++
      start = stop + 1
    }
  }

  /** Severity of klog and JSON without parsing; lines that continue a kept record. */
  private worth (text: string, start: number, stop: number): boolean {
    const body = bodyStart(text, start, stop)
    const first = text.charCodeAt(body)
    if (first === 69 || first === 87 || first === 70 || first === 73) {
      const second = text.charCodeAt(body + 1)
      if (second >= 48 && second <= 57) {
        this.continuation = 0
        // E, W, F; what I says is the subject's or nobody's, except complaints of info level.
        if (first !== 73) return true
        return this.foreign && complaint.test(text.slice(body, Math.min(stop, body + 2_000)))
      }
    }
    if (first === 123) {
      this.continuation = 0
      const line = text.slice(body, Math.min(stop, body + longestLine))
      return line.includes('"err":') || line.includes('"error":') || line.includes('"level":"error"') || line.includes('"level":"warn"')
    }
    if (this.continuation > 0) { this.continuation--; return true }
    if (this.foreign || first === 112 || first === 69) return complaint.test(text.slice(body, Math.min(stop, body + 2_000)))
    return false
  }

  private take (text: string, start: number, stop: number, own: boolean): void {
    const cut = Math.min(stop, start + longestLine)
    const line = Buffer.from(text.slice(start, cut), 'latin1').toString('utf8').replace(/\r$/, '')
    if (line === '') return
    const head = line.charCodeAt(bodyStart(line, 0, line.length))
    if ((head >= 69 && head <= 87) || head === 123) this.continuation = continuationLimit
    const parsed = splitTime(line)
    const kept: Kept = { line: parsed, own, bytes: line.length }
    // Identical texts of a hot loop say nothing more the thousandth time.
    const key = `${Math.floor((parsed.time ?? 0) / foldMillis)} ${foldKey(parsed.text)}`
    const fold = this.folds.get(key)
    if (fold === undefined) {
      if (this.folds.size > 50_000) this.folds.clear()
      this.folds.set(key, { count: 1 })
    } else if (++fold.count > keptOfEach) {
      if (fold.last === undefined) fold.last = kept
      else {
        this.dropped++
        fold.last.line = parsed
        // Its place is where the last one stood; order is restored by time at the end of the fold.
        this.move(fold.last)
        return
      }
    }
    this.kept.push(kept)
    this.bytes += kept.bytes
    if (this.kept.length > this.maxLines || this.bytes > this.maxBytes) this.makeRoom()
  }

  /** The line at hand replaced an earlier one of the same text: it now stands at the end. */
  private move (entry: Kept): void {
    const index = this.kept.lastIndexOf(entry)
    // Far back: not worth the search for each of a hundred thousand lines; correlate sorts by time.
    if (index !== -1 && this.kept.length - index < 64) { this.kept.splice(index, 1); this.kept.push(entry) }
  }

  private makeRoom (): void {
    this.overflowed = true
    const lineGoal = this.maxLines * 0.75
    const byteGoal = this.maxBytes * 0.75
    for (const others of [true, false]) {
      let [lines, bytes] = [this.kept.length, this.bytes]
      if (lines <= lineGoal && bytes <= byteGoal) break
      this.kept = this.kept.filter(entry => {
        if ((others && entry.own) || (lines <= lineGoal && bytes <= byteGoal)) return true
        lines--
        bytes -= entry.bytes
        this.dropped++
        return false
      })
      this.bytes = bytes
    }
  }
}

/** Where the line's own text begins behind the time that the kubelet puts in front. */
function bodyStart (text: string, start: number, stop: number): number {
  const digit = text.charCodeAt(start)
  if (digit < 48 || digit > 57 || text.charCodeAt(start + 4) !== 45 || text.charCodeAt(start + 10) !== 84) return start
  for (let index = start + 19; index < stop && index < start + 40; index++) if (text.charCodeAt(index) === 32) return index + 1
  return start
}

function splitTime (line: string): LogLine {
  const body = bodyStart(line, 0, line.length)
  if (body === 0) return { text: line }
  const time = Date.parse(line.slice(0, body - 1))
  return Number.isNaN(time) ? { text: line } : { time, text: line.slice(body) }
}

/** The text without what differs from one repetition to the next: header, random names, long numbers. */
function foldKey (text: string): string {
  return text.slice(0, 1_000)
    .replace(/^[IWEF]\d{4} [\d:.]+\s+\d+ /, '')
    .replace(/^\{"ts":[\d.]+,/, '{')
    .replace(/cm-acme-http-solver-[a-z0-9]{5}/g, 'cm-acme-http-solver-')
    .replace(/\d{6,}/g, '#')
}

/** The fewest needles that find the same lines: one that contains another adds nothing; many host names share their parent. */
export function narrow (needles: string[]): string[] {
  let wanted = [...new Set(needles.filter(needle => needle.length >= 3))]
  if (wanted.length > 24) wanted = [...new Set(wanted.map(needle => /^[^/:]+\.[^/:.]+\.[^/:.]+$/.test(needle) ? needle.split('.').slice(-2).join('.') : needle))].slice(0, 24)
  return wanted.filter(needle => !wanted.some(other => other !== needle && needle.includes(other)))
}

function smallest (positions: number[]): number {
  let found = -1
  for (const position of positions) if (position !== -1 && (found === -1 || position < found)) found = position
  return found
}
