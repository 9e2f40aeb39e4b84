import { Worker } from 'node:worker_threads'
import type { Assess, Assessment, AssessInput } from './assess.ts'
import type { Recorder } from './collect/recorder.ts'
import type { Recordings } from './collect/run.ts'
import type { Config } from './shared/config/config.ts'
import { secretsOf } from './shared/config/load.ts'
import type { Log } from './shared/log.ts'

/** From the thread of the looks to the service. */
export type FromThread =
  | { is: 'assessed', id: number, assessment: Assessment | undefined }
  | { is: 'failed', id: number, error: unknown }
  | { is: 'read', id: number, query: Parameters<Recordings['read']>[0] }

/** From the service to the thread of the looks. */
export type ToThread =
  | { is: 'assess', id: number, input: AssessInput, recorder: ReturnType<Recorder['status']> }
  | { is: 'states', id: number, states: Awaited<ReturnType<Recordings['read']>> }

export interface ThreadData { config: Config, /** What no line of the log may hold. */ secrets: string[] }

export interface Assessor {
  assess: Assess
  /** Reads and compiles what looks need, while nobody waits. */
  warm (): void
  close (): Promise<void>
}

interface AssessThreadOptions {
  /** The thread opens its clients from it. */
  config: Config
  log: Log
  /** What the flight recorder kept; it stays with the store. */
  recordings: Recordings & Pick<Recorder, 'status'>
}

interface Waiting { resolve (assessment: Assessment | undefined): void, reject (error: unknown): void }

/**
 * Looks in a thread of their own: reading a large cluster and judging it hold up no notification and
 * no message, and a look that needs more memory than there is ends that thread and not the service.
 */
export function startAssessThread ({ config, log, recordings }: AssessThreadOptions): Assessor {
  const waiting = new Map<number, Waiting>()
  let thread: Worker | undefined
  let count = 0
  let closing = false

  /** The one that runs, or another after one that died. */
  function running (): Worker {
    if (thread !== undefined) return thread
    const started = new Worker(new URL('assess-worker.ts', import.meta.url), { workerData: { config, secrets: secretsOf(config) } satisfies ThreadData, name: 'looks' })
    started.on('message', (message: FromThread) => { void take(started, message) })
    let why: unknown
    started.on('error', error => { why = error })
    started.on('exit', code => { lost(why ?? new Error(`the thread of the looks ended with ${code}`)) })
    return thread = started
  }

  async function take (from: Worker, message: FromThread): Promise<void> {
    if (message.is === 'read') {
      // As with a store that does not answer: the look goes on without.
      const states = await recordings.read(message.query).catch(() => [])
      from.postMessage({ is: 'states', id: message.id, states } satisfies ToThread)
      return
    }
    const asked = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.is === 'assessed') asked?.resolve(message.assessment)
    else asked?.reject(message.error)
  }

  function lost (error: unknown): void {
    thread = undefined
    if (!closing) log.error({ err: error, looks: waiting.size }, 'the thread of the looks ended; the next look starts another')
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }

  return {
    assess: input => new Promise((resolve, reject) => {
      const id = count++
      waiting.set(id, { resolve, reject })
      running().postMessage({ is: 'assess', id, input, recorder: recordings.status() } satisfies ToThread)
    }),
    warm () { running() },
    async close () {
      closing = true
      await thread?.terminate()
    }
  }
}
