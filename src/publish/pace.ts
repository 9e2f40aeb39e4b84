import type { Millis } from '../shared/types/common.ts'

/** Tokens per second and how many may be saved up. */
export interface Rate { perSecond: number, burst: number }

interface Bucket { rate: Rate, tokens: number, at: Millis, blockedUntil: Millis }

/**
 * Token buckets by name. Time comes in with each call, so that a clock that is set back neither
 * blocks for ever nor opens the gate: only forward steps refill, and never more than the burst.
 */
export class Pace {
  readonly #buckets = new Map<string, Bucket>()
  readonly #rateOf: (key: string) => Rate

  constructor (rateOf: (key: string) => Rate) {
    this.#rateOf = rateOf
  }

  /** When the next one may go: `now` or earlier means at once. `keep` are left for what is more urgent. */
  at (key: string, now: Millis, keep = 0): Millis {
    const bucket = this.#bucket(key, now)
    const need = Math.min(bucket.rate.burst, 1 + keep)
    const wait = bucket.tokens >= need ? 0 : Math.ceil((need - bucket.tokens) / bucket.rate.perSecond * 1000)
    return Math.max(now + wait, bucket.blockedUntil)
  }

  /** Takes one; false when it is not time yet. */
  take (key: string, now: Millis, keep = 0): boolean {
    if (this.at(key, now, keep) > now) return false
    this.#bucket(key, now).tokens -= 1
    return true
  }

  /** The other side said how long to wait; what was saved up is gone. */
  block (key: string, now: Millis, wait: Millis): void {
    const bucket = this.#bucket(key, now)
    bucket.blockedUntil = Math.max(bucket.blockedUntil, now + wait)
    bucket.tokens = Math.min(bucket.tokens, 1)
  }

  #bucket (key: string, now: Millis): Bucket {
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      if (this.#buckets.size > 1_000) this.#buckets.clear()
      const rate = this.#rateOf(key)
      bucket = { rate, tokens: rate.burst, at: now, blockedUntil: 0 }
      this.#buckets.set(key, bucket)
    }
    if (now < bucket.at) {
      // The clock was set back: what was to come at a certain time comes after the same wait.
      bucket.blockedUntil -= bucket.at - now
    } else {
      bucket.tokens = Math.min(bucket.rate.burst, bucket.tokens + (now - bucket.at) / 1000 * bucket.rate.perSecond)
    }
    bucket.at = now
    return bucket
  }
}
