import type { Look, Millis } from '../types/common.ts'
import { absent, seen } from '../types/common.ts'
import { connectionReason, refusal, type Purpose, type Transport } from './kubernetes-transport.ts'

export interface LogQuery {
  namespace: string
  pod: string
  container?: string
  /** The container before the last restart. */
  previous?: boolean
  sinceTime?: Millis
}
export interface LogOptions { limitBytes?: number, signal?: AbortSignal }
export interface LogRead {
  bytes: number
  /** Why the reading ended before the log did. */
  cut?: string
}

/**
 * client-node's Log.log kills the process when the server cuts the stream (stack notes), so this
 * reads itself. The limit is ours, not the API's limitBytes, which cannot be told from the end.
 */
export async function readLog (transport: Transport, query: LogQuery, onChunk: (chunk: Buffer) => void, { limitBytes = Infinity, signal }: LogOptions): Promise<Look<LogRead>> {
  const parameters = new URLSearchParams({ timestamps: 'true' })
  if (query.container !== undefined) parameters.set('container', query.container)
  if (query.previous) parameters.set('previous', 'true')
  // Whole seconds: the API's sinceTime drops fractions.
  if (query.sinceTime !== undefined) parameters.set('sinceTime', `${new Date(query.sinceTime).toISOString().slice(0, 19)}Z`)
  const purpose: Purpose = { group: '', resource: 'pods/log', verbs: ['get'], what: `log of ${query.namespace}/${query.pod}` }
  const answer = await transport.get(`/api/v1/namespaces/${encodeURIComponent(query.namespace)}/pods/${encodeURIComponent(query.pod)}/log?${parameters}`, { purpose, signal, stream: true })
  if ('is' in answer) return answer
  if (answer.statusCode === 404) { await answer.body.dump().catch(() => {}); return absent }
  if (answer.statusCode === 400) {
    const why = await refusal(answer, purpose)
    // `previous terminated container … not found`, `is waiting to start`: there is no log, nothing is forbidden.
    return /previous terminated container|waiting to start|is not valid for pod|not found/.test(why.why) ? absent : why
  }
  if (answer.statusCode !== 200) return refusal(answer, purpose)

  let bytes = 0
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const room = limitBytes - bytes
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk
      bytes += part.length
      onChunk(part)
      if (bytes >= limitBytes) { answer.body.destroy(); return seen({ bytes, cut: `only the first ${Math.round(limitBytes / 1e6)} MB were read` }) }
    }
  } catch (error) {
    answer.body.destroy()
    return seen({ bytes, cut: signal?.aborted ? 'time was up' : connectionReason(error, purpose.what, signal) })
  }
  return seen({ bytes })
}
