import { randomBytes } from 'node:crypto'
import type { Millis } from './types/common.ts'

/** Makes ids that sort by the order in which they were made. */
export type NewId = (now: Millis) => string

const digits = '0123456789abcdefghijklmnopqrstuvwxyz'
let last = { time: 0, count: 0 }
/** Asking the system for chance costs as much for seven bytes as for thousands. */
const chances = { bytes: Buffer.alloc(0), used: 0 }
const perId = 7

/** Nine characters of time, three that count within it, seven of chance: unique without a coordinator, safe in a URL and in a file name. */
export const newId: NewId = now => {
  last = { time: now, count: now === last.time ? last.count + 1 : 0 }
  let chance = ''
  if (chances.used + perId > chances.bytes.length) Object.assign(chances, { bytes: randomBytes(perId * 512), used: 0 })
  for (const end = chances.used + perId; chances.used < end; chances.used++) chance += digits[chances.bytes[chances.used]! % 36]
  return `${now.toString(36).padStart(9, '0')}${(last.count % 46_656).toString(36).padStart(3, '0')}${chance}`
}
