import type { Millis } from '../shared/types/common.ts'
import type { LogLine } from '../shared/types/observations.ts'

export interface LogFilterOptions {
  /** Texts that make a line the subject's: names, host names, URLs. */
  needles: string[]
  /** Programs that are not cert-manager log in other shapes: their complaints count, too. */
  foreign?: boolean
  /** Short logs of which every line tells something: the solver's. */
  all?: boolean
  /** Nothing but lines with a needle: access logs, of which every other line is somebody else's. */
  only?: boolean
  maxLines?: number
  maxBytes?: number
}

export interface FilteredLog { lines: LogLine[], droppedLines: number, cut?: string }

const longestLine = 16_384
/** Longer strings leave V8's young space, which costs more than the whole scan. */
const piece = 65_536
/** What a JSON line says when it complains. A klog line tells by its first letter. */
const jsonTroubles = ['"err(?:or)?":', '"level":"(?:error|warn)']
/** What a dying Go program prints without a header. */
const lastWords = /^(?:panic|Error|fatal error): /
/** Said once when the controller starts: version, flags, resolvers, who leads. */
const startup = ['starting cert-manager', '"starting controller"', 'dns01 nameservers', 'enabled controllers', '[ "]lease ', 'maximum concurrent challenge']
const startupBytes = 2_000_000
const complaint = /\b(?:error|err|fail|failed|failure|panic|fatal|denied|refused|forbidden|unauthorized|timeout|timed out|warn|exception|acme-challenge)\b/i
/** Lines of one text inside this time are folded; windows are at least as wide. */
const foldMillis: Millis = 300_000
const keptOfEach = 3
const continuationLimit = 100

interface Kept { line: LogLine, own: boolean, bytes: number }

/**
 * Keeps the few lines of a log that may matter. Bytes are looked at as latin1: a line's first letter tells
 * klog's severity, each expression passes over the text once, and only kept lines are decoded.
 */
export class LogFilter {
  /** The begin of a line whose end has not come. */
  private rest = ''
  /** Inside a line longer than any that is kept. */
  private skipping = false
  private readonly own: Search
  private readonly startup = new Search(startup)
  private readonly json = new Search(jsonTroubles)
  private readonly foreign: boolean
  private readonly all: boolean
  private readonly only: boolean
  private readonly maxLines: number
  private readonly maxBytes: number
  private kept: Kept[] = []
  private bytes = 0
  private scanned = 0
  private total = 0
  private overflowed = false
  /** How many lines may still belong to the record that was kept last. */
  private continuation = 0
  private readonly folds = new Map<string, { count: number, last?: Kept }>()

  constructor ({ needles, foreign = false, all = false, only = false, maxLines = 20_000, maxBytes = 4_000_000 }: LogFilterOptions) {
    this.own = new Search(narrow(needles).map(needle => Buffer.from(needle).toString('latin1').replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')))
    this.foreign = foreign
    this.all = all
    this.only = only
    this.maxLines = maxLines
    this.maxBytes = maxBytes
  }

  /** Takes the next bytes of the log. */
  write (chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += piece) this.add(chunk.toString('latin1', at, at + piece))
  }

  /** What is worth keeping, in order. */
  finish (): FilteredLog {
    if (this.rest !== '' && !this.skipping) this.scan(this.rest, 0, this.rest.length)
    this.rest = ''
    for (const { count, last } of this.folds.values()) if (last !== undefined && count > keptOfEach + 1) last.line.repeated = count - keptOfEach
    const lines = this.kept.map(({ line }) => line)
    return { lines, droppedLines: Math.max(0, this.total - lines.length), ...(this.overflowed ? { cut: `only ${this.maxLines} lines or ${Math.round(this.maxBytes / 1e6)} MB are kept; older ones of other objects were dropped` } : {}) }
  }

  private add (text: string): void {
    let from = 0
    if (this.skipping || this.rest !== '') {
      const end = text.indexOf('\n')
      if (!this.skipping) this.rest += end === -1 ? text : text.slice(0, end)
      if (end !== -1 || this.rest.length > longestLine * 4) {
        if (!this.skipping) this.scan(this.rest, 0, this.rest.length)
        this.skipping = end === -1
        this.rest = ''
      }
      if (end === -1) return
      from = end + 1
    }
    const end = text.lastIndexOf('\n')
    if (end >= from) this.scan(text, from, end)
    // A slice would keep the whole piece alive.
    this.rest = Buffer.from(text.slice(Math.max(from, end + 1)), 'latin1').toString('latin1')
  }

  /** Looks at whole lines; the last one ends at `end`. */
  private scan (text: string, from: number, end: number): void {
    const { own, json } = this
    const starting = this.scanned < startupBytes && !this.only && !this.foreign ? this.startup : undefined
    this.scanned += end - from
    for (const search of [own, json, this.startup]) search.begin()
    for (let start = from; start < end;) {
      const stop = lineEnd(text, start, end)
      this.total++
      const isOwn = own.hits(text, start, stop)
      if (isOwn || this.all || starting?.hits(text, start, stop) === true || (!this.only && this.worth(text, start, stop))) this.take(text, start, stop, isOwn)
      start = stop + 1
    }
  }

  /** Complaints, and lines that continue the record that was kept last. */
  private worth (text: string, start: number, stop: number): boolean {
    const body = bodyStart(text, start, stop)
    const first = text.charCodeAt(body)
    if (isHeader(text, body)) {
      this.continuation = 0
      if (first === 123 ? this.json.hits(text, start, stop) : first !== 73) return true
      if (!this.foreign) return false
    } else if (this.continuation > 0) {
      this.continuation--
      return true
    }
    return (this.foreign ? complaint : lastWords).test(text.slice(body, Math.min(stop, body + 2_000)))
  }

  private take (text: string, start: number, stop: number, own: boolean): void {
    const cut = Math.min(stop, start + longestLine)
    const line = Buffer.from(text.slice(start, cut), 'latin1').toString('utf8').replace(/\r$/, '')
    if (line === '') return
    if (isHeader(line, bodyStart(line, 0, line.length))) this.continuation = continuationLimit
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
        return false
      })
      this.bytes = bytes
    }
  }
}

/** An expression on its way through a text: it passes over each character once, however many lines ask. */
class Search {
  private readonly wanted: RegExp | undefined
  /** A character of the next hit; before the first question, before all. */
  private at = -1

  constructor (alternatives: string[]) {
    this.wanted = alternatives.length === 0 ? undefined : new RegExp(alternatives.join('|'), 'g')
  }

  begin (): void {
    this.at = -1
  }

  hits (text: string, start: number, stop: number): boolean {
    if (this.wanted === undefined) return false
    if (this.at < start) {
      this.wanted.lastIndex = start
      this.at = this.wanted.test(text) ? this.wanted.lastIndex - 1 : Infinity
    }
    return this.at < stop
  }
}

/** Where the line's own text begins behind the time that the kubelet puts in front. */
function bodyStart (text: string, start: number, stop: number): number {
  const digit = text.charCodeAt(start)
  if (digit < 48 || digit > 57 || text.charCodeAt(start + 4) !== 45 || text.charCodeAt(start + 10) !== 84) return start
  for (let index = start + 19; index < stop && index < start + 40; index++) if (text.charCodeAt(index) === 32) return index + 1
  return start
}

/** A klog header or a JSON object begins a record. */
function isHeader (text: string, body: number): boolean {
  const first = text.charCodeAt(body)
  if (first === 123) return true
  const second = text.charCodeAt(body + 1)
  return (first === 69 || first === 87 || first === 70 || first === 73) && second >= 48 && second <= 57 && text.charCodeAt(body + 5) === 32
}

function lineEnd (text: string, from: number, end: number): number {
  const stop = text.indexOf('\n', from)
  return stop === -1 || stop > end ? end : stop
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
