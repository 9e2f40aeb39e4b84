import type { Look } from '../types/common.ts'
import { unavailable } from '../types/common.ts'

/** The look, or what it means that there was no time for it. */
export function orAborted<T> (look: Promise<Look<T>>, signal: AbortSignal | undefined, what: string): Promise<Look<T>> {
  if (signal === undefined) return look
  const late = unavailable(`the Kubernetes API did not answer in time (${what})`)
  if (signal.aborted) return Promise.resolve(late)
  return new Promise(resolve => {
    const stop = (): void => { resolve(late) }
    signal.addEventListener('abort', stop, { once: true })
    void look.then(value => { signal.removeEventListener('abort', stop); resolve(value) })
  })
}
