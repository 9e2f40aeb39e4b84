import { reasonOf } from '../shared/errors.ts'
import type { Log } from '../shared/log.ts'
import type { Metrics } from '../shared/metrics.ts'
import type { Job } from '../shared/store/jobs.ts'
import { isStoreFailure } from '../shared/store/dialect.ts'
import type { Store } from '../shared/store/store.ts'
import type { Clock, Millis } from '../shared/types/common.ts'

/** Takes jobs out of the store and has them done, a few side by side. */
export interface Worker {
  /** There may be something to do. Cheap; call it after each commit. */
  wake (): void
  /** Jobs that are due, as last counted. */
  depth (): number
  /** Ends after the jobs that run; what they have not saved is done again by the next process. */
  stop (): Promise<void>
}

export interface WorkerOptions {
  store: Store
  clock: Clock
  metrics: Metrics
  log: Log
  concurrency: number
  /** Intake has so much to do that jobs should hold back. */
  busy (): boolean
  /** Does the job and saves its end in the same commit as its result. */
  handle (job: Job, signal: AbortSignal): Promise<void>
}

const lease: Millis = 60_000
const extendEvery: Millis = 20_000
/** Between counts while there is more to do than hands. */
const countEvery: Millis = 500
/** A clock that jumps or a job of another replica is noticed so soon. */
const longestSleep: Millis = 30_000
/** While intake is busy one round of jobs is begun so often, so that nothing stands still. */
const roundWhenBusy: Millis = 1_000
const backoff = (failures: number): Millis => Math.min(5_000 * 2 ** failures, 15 * 60_000)

export function startWorker ({ store, clock, metrics, log, concurrency, busy, handle }: WorkerOptions): Worker {
  const running = new Set<Promise<void>>()
  const ending = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let pumping: Promise<void> | undefined
  let again = false
  let due = 0
  let counted = 0
  let began = 0

  function wake (): void {
    if (ending.signal.aborted) return
    if (pumping !== undefined) {
      again = true
      return
    }
    pumping = pump().catch((error: unknown) => {
      log.error({ err: error }, 'jobs cannot be claimed')
      sleep(2_000)
    }).finally(() => {
      pumping = undefined
      if (!again) return
      again = false
      // Intake first: requests that wait come before the next job.
      setImmediate(wake)
    })
  }

  async function pump (): Promise<void> {
    if (busy() && performance.now() - began < roundWhenBusy) {
      sleep(50)
      return
    }
    began = performance.now()
    const free = concurrency - running.size
    if (free > 0) {
      const jobs = await store.jobs.claim(free, lease)
      for (const job of jobs) run(job)
      if (jobs.length === free && performance.now() - counted < countEvery) return
    } else if (performance.now() - counted < countEvery) return
    counted = performance.now()
    const depth = await store.jobs.depth()
    due = depth.due
    metrics.queueDepth.set(due)
    sleep(Math.min(depth.next === undefined ? longestSleep : Math.max(depth.next - clock.now(), 10), longestSleep))
  }

  function run (job: Job): void {
    const keeping = setInterval(() => { store.jobs.extend(job, lease).catch(() => {}) }, extendEvery)
    const done = handle(job, ending.signal)
      .then(() => { metrics.jobs.inc({ outcome: 'done' }) }, (error: unknown) => failed(job, error))
      .finally(() => {
        clearInterval(keeping)
        running.delete(done)
        wake()
      })
    running.add(done)
  }

  async function failed (job: Job, error: unknown): Promise<void> {
    metrics.jobs.inc({ outcome: 'failed' })
    log.error({ incident: job.incident_id, kind: job.kind, failures: job.failures + 1, err: error }, 'job failed')
    // A store that refuses the result refuses the retry as well: the lease brings the job back.
    await store.jobs.retry(job, clock.now() + backoff(isStoreFailure(error) ? 0 : job.failures), reasonOf(error)).catch(() => {})
  }

  function sleep (milliseconds: Millis): void {
    clearTimeout(timer)
    if (!ending.signal.aborted) timer = setTimeout(wake, milliseconds)
  }

  wake()
  return {
    wake,
    depth: () => due,
    async stop () {
      ending.abort()
      clearTimeout(timer)
      await pumping
      await Promise.allSettled(running)
    }
  }
}
