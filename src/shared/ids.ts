import { randomBytes } from 'node:crypto'
import type { Millis } from './types/common.ts'

/** Makes ids that sort by the order in which they were made. */
export type NewId = (now: Millis) => string

const digits = '0123456789abcdefghijklmnopqrstuvwxyz'
let last = { time: 0, count: 0 }

/** Nine characters of time, three that count within it, seven of chance: unique without a coordinator, safe in a URL and in a file name. */
export const newId: NewId = now => {
  last = { time: now, count: now === last.time ? last.count + 1 : 0 }
  let chance = ''
  for (const byte of randomBytes(7)) chance += digits[byte % 36]
  return `${now.toString(36).padStart(9, '0')}${(last.count % 46_656).toString(36).padStart(3, '0')}${chance}`
}
