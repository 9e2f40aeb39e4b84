import type { Clock, Look, Millis } from '../types/common.ts'
import { seen } from '../types/common.ts'
import type { KubernetesClient } from './kubernetes.ts'
import type { LogOptions, LogQuery, LogRead } from './kubernetes-log.ts'
import { orAborted } from './or-aborted.ts'

type ReadLog = KubernetesClient['log']

/** A log on its way, or read a moment ago. */
interface SharedLog {
  /** What has come, for those who ask later. */
  chunks: Buffer[]
  bytes: number
  readers: Set<(chunk: Buffer) => void>
  answer: Promise<Look<LogRead>>
  ended: boolean
  until: Millis
  stop: AbortController
}

/** Bytes of all logs that are kept together: one that was read to its limit (50 MB), and small ones. */
const room = 64 * 1_048_576
/** Incidents of one storm ask from moments that lie close together; all read from the same one, which is never later than what was asked for. */
const sinceStep: Millis = 600_000

/**
 * Many incidents at once ask for the same log, each with names of its own to look for: one stream feeds
 * all that ask while it runs or within `keep` milliseconds. It ends when the last of them has gone.
 */
export function shareLogs (read: ReadLog, clock: Clock, keep: Millis): ReadLog {
  const kept = new Map<string, SharedLog>()
  let held = 0

  function forget (key: string, log: SharedLog): void {
    if (kept.get(key) !== log) return
    kept.delete(key)
    held -= log.bytes
    log.chunks = []
  }

  function hold (key: string, log: SharedLog, chunk: Buffer): void {
    if (kept.get(key) !== log) return
    for (const [oldKey, old] of kept) if (old.ended && held + chunk.length > room) forget(oldKey, old)
    // Those who are reading go on; who comes now reads for himself.
    if (held + chunk.length > room) { forget(key, log); return }
    log.chunks.push(chunk)
    log.bytes += chunk.length
    held += chunk.length
  }

  function begin (key: string, query: LogQuery, limitBytes: number | undefined): SharedLog {
    const stop = new AbortController()
    // Not before the first reader has his place.
    const answer = Promise.resolve().then(() => read(query, chunk => {
      hold(key, log, chunk)
      for (const take of log.readers) take(chunk)
    }, { limitBytes, signal: stop.signal }))
    const log: SharedLog = { chunks: [], bytes: 0, readers: new Set(), answer, ended: false, until: Infinity, stop }
    kept.set(key, log)
    void answer.then(look => {
      log.ended = true
      // What broke off is nobody else's answer.
      if (look.is === 'unavailable' || (look.is === 'seen' && look.value.cut !== undefined && look.value.bytes !== limitBytes)) { forget(key, log); return }
      log.until = clock.now() + keep
      // The memory is given back although nobody asks again.
      setTimeout(forget, keep, key, log).unref()
    })
    return log
  }

  return async (query, onChunk, { limitBytes, signal }: LogOptions = {}) => {
    const sinceTime = query.sinceTime === undefined ? undefined : Math.floor(query.sinceTime / sinceStep) * sinceStep
    const { namespace, pod, container, previous = false } = query
    const key = JSON.stringify([namespace, pod, container, previous, sinceTime, limitBytes])
    const now = clock.now()
    for (const [other, log] of kept) if (log.until <= now) forget(other, log)
    const log = kept.get(key) ?? begin(key, { ...query, sinceTime }, limitBytes)
    let bytes = 0
    const take = (chunk: Buffer): void => {
      bytes += chunk.length
      onChunk(chunk)
    }
    for (const chunk of log.chunks) take(chunk)
    log.readers.add(take)
    const look = await orAborted(log.answer, signal, `log of ${namespace}/${pod}`)
    log.readers.delete(take)
    if (log.readers.size === 0 && !log.ended) {
      forget(key, log)
      log.stop.abort()
    }
    return look.is === 'unavailable' && signal?.aborted === true && bytes > 0 ? seen({ bytes, cut: 'time was up' }) : look
  }
}
