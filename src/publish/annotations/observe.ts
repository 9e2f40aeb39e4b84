import { createHash } from 'node:crypto'
import type { Millis } from '../../shared/types/common.ts'
import { ourPrefix } from './merge.ts'

/** Learns how often a sender sends from the times at which Alertmanager took its posts. */
export class SenderPeriod {
  #last: Millis | undefined
  readonly #gaps: Millis[] = []

  sent (at: Millis): void {
    if (Number.isNaN(at)) return
    if (this.#last !== undefined && at > this.#last) {
      this.#gaps.push(at - this.#last)
      if (this.#gaps.length > 7) this.#gaps.shift()
    }
    this.#last = at
  }

  /** The middle one of the last gaps; undefined before three were seen. */
  period (): Millis | undefined {
    if (this.#gaps.length < 3) return undefined
    return [...this.#gaps].sort((a, b) => a - b)[Math.floor(this.#gaps.length / 2)]
  }
}

const looksKept = 1_000

/** In how many of the last looks at a firing alert ours stood there. */
export class Presence {
  readonly #looks: boolean[] = []
  #there = 0

  /** Answers the share with this look. */
  seen (there: boolean): number {
    this.#looks.push(there)
    if (there) this.#there++
    if (this.#looks.length > looksKept && this.#looks.shift() === true) this.#there--
    return this.#there / this.#looks.length
  }
}

const window: Millis = 600_000
const tolerated = 5
const pause: Millis = 600_000

/**
 * Notices a second program that writes annotations: the set of foreign names differs between
 * the times at which ours are gone. Two such programs would take turns for ever.
 */
export class OtherWriter {
  #changes: Millis[] = []
  #last: string | undefined
  #until: Millis = 0

  /** Ours were gone; these annotations stood there instead. */
  lost (annotations: Record<string, string>, now: Millis): void {
    const foreign = createHash('sha256').update(JSON.stringify(Object.keys(annotations).filter(name => !name.startsWith(ourPrefix)).sort())).digest('hex')
    if (this.#last !== undefined && this.#last !== foreign) this.#changes = [...this.#changes.filter(at => now - at < window && at <= now), now]
    this.#last = foreign
    if (this.#changes.length > tolerated) {
      this.#until = now + pause
      this.#changes = []
    }
  }

  backsOff (now: Millis): boolean { return now < this.#until && this.#until - now <= pause }
}
