import type { Change } from '../shared/types/case.ts'
import type { Millis } from '../shared/types/common.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** `27 days`, `3 h 10 min`, `42 s`: rounded for people. Negative durations count as zero. */
export function duration (milliseconds: Millis): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 1000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < minute) return `${Math.round(ms / 1000)} s`
  if (ms < hour) return `${Math.round(ms / minute)} min`
  if (ms < day) {
    const hours = Math.floor(ms / hour)
    const minutes = Math.round((ms % hour) / minute)
    return minutes === 0 || hours >= 10 ? `${hours} h` : `${hours} h ${minutes} min`
  }
  return plural(Math.floor(ms / day), 'day')
}

/** `1 day`, `2 days`, `1 try`, `2 tries`. */
export function plural (count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`
  return `${count} ${noun.endsWith('y') && !/[aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : /(?:s|x|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`}`
}

/** `04:12 UTC`. */
export function utcMinute (time: Millis): string { return `${new Date(time).toISOString().slice(11, 16)} UTC` }

/** `2026-11-24 04:12:09 UTC`. */
export function utcTime (time: Millis): string { return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC` }

/** `04:12 UTC`, with the date when it is not within half a day of `now`. */
export function when (time: Millis, now: Millis): string {
  return Math.abs(time - now) < 12 * hour ? utcMinute(time) : `${new Date(time).toISOString().slice(0, 10)} ${utcMinute(time)}`
}

/** `4 min before the first failure`: where a change stands in the story. */
export function whenChanged ({ beforeAnchorMs, beforeFirstFailureMs, afterLastSuccess }: Change): string {
  const distance = beforeFirstFailureMs ?? beforeAnchorMs
  const place = `${duration(Math.abs(distance))} ${distance < 0 ? 'before' : 'after'} the ${beforeFirstFailureMs === undefined ? '' : 'first '}failure`
  return afterLastSuccess === false ? `${place}, and before the last success` : place
}

/** `4th`. */
export function ordinal (n: number): string {
  const tens = n % 100
  if (tens >= 11 && tens <= 13) return `${n}th`
  return `${n}${['th', 'st', 'nd', 'rd'][n % 10] ?? 'th'}`
}

/** Cut to `length` characters, whole code points, with an ellipsis. */
export function clip (text: string, length: number): string {
  if (text.length <= length) return text
  const points = Array.from(text.slice(0, length + 2))
  let out = ''
  for (const point of points) {
    if (out.length + point.length > length - 1) break
    out += point
  }
  return `${out.trimEnd()}…`
}

/** One line: control characters and runs of white space become one blank. */
// eslint-disable-next-line no-control-regex
export function oneLine (text: string): string { return text.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029\s]+/g, ' ').trim() }
