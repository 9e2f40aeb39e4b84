import { randomBytes } from 'node:crypto'
import type { Millis } from './types/common.ts'

/** Makes ids that sort by the time they were made. */
export type NewId = (now: Millis) => string

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Nine characters of time, nine of chance: unique without a coordinator, safe in a URL and in a file name. */
export const newId: NewId = now => {
  let chance = ''
  for (const byte of randomBytes(9)) chance += alphabet[byte % 36]
  return now.toString(36).padStart(9, '0') + chance
}
