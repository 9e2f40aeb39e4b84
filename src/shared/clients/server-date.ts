import type { Millis } from '../types/common.ts'

/**
 * By how much our clock is ahead of a server's; negative: behind; undefined without a usable Date header.
 * Only what is certain counts: the server wrote its Date, in whole seconds, at some moment between question and answer.
 */
export function clockDifference (header: unknown, asked: Millis, answered: Millis): Millis | undefined {
  const date = typeof header === 'string' ? Date.parse(header) : NaN
  if (Number.isNaN(date)) return undefined
  return asked > date + 999 ? asked - (date + 999) : answered < date ? answered - date : 0
}
