import { createReadStream } from 'node:fs'
import { open, readFile, stat, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { KubeObject } from '../shared/types/kubernetes.ts'

/** What a log request asks for, and the files that a case has. */
export interface LogRequest { namespace: string, pod: string, query: URLSearchParams }
/** The text, or the status and words of the refusal. */
export type LogAnswer = { text: string } | { stream: Readable } | { status: number, reason: string, message: string }

const stamp = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?/

/** Answers as the kubelet does: lines of the container since a time, last lines, byte limit, with or without times. */
export async function readPodLog (files: ReadonlyMap<string, string>, { namespace, pod, query }: LogRequest, podObject: KubeObject | undefined, now: number): Promise<LogAnswer> {
  const gone = { status: 404, reason: 'NotFound', message: `pods "${pod}" not found` }
  const previous = query.get('previous') === 'true' || query.get('previous') === '1'
  const container = query.get('container') || defaultContainer(files, namespace, pod, podObject)
  if (Array.isArray(container)) {
    if (container.length === 0) return gone
    return { status: 400, reason: 'BadRequest', message: `a container name must be specified for pod ${pod}, choose one of: [${container.join(' ')}]` }
  }
  const file = files.get(`${namespace}/${pod}/${container}${previous ? '.previous' : ''}`)
  if (file === undefined) return previous && podObject !== undefined ? { ...gone, message: `previous terminated container "${container}" in pod "${pod}" not found` } : gone
  if (query.has('sinceTime') && query.has('sinceSeconds')) return { status: 422, reason: 'Invalid', message: 'PodLogOptions is invalid: sinceSeconds: Forbidden: at most one of sinceTime or sinceSeconds may be specified' }
  const since = query.has('sinceTime') ? Date.parse(query.get('sinceTime')!) : query.has('sinceSeconds') ? now - Number(query.get('sinceSeconds')) * 1000 : Number.NaN
  const { size } = await stat(file)
  // Recorded logs are short. One made for measuring is not read as a whole: its lines all have their times, and all are wanted with them.
  if (size > large && !query.has('tailLines')) return { stream: await streamFrom(file, size, since, query) }
  return { text: cut(await readFile(file, 'utf8'), since, query) }
}

const large = 32 * 1024 * 1024

async function streamFrom (file: string, size: number, since: number, query: URLSearchParams): Promise<Readable> {
  const handle = await open(file)
  const start = Number.isNaN(since) ? 0 : await firstLineSince(handle, size, since)
  await handle.close()
  const limit = Number(query.get('limitBytes') ?? size)
  return createReadStream(file, { start, end: Math.max(start, Math.min(size, start + limit) - 1), highWaterMark: 256 * 1024 })
}

/** Where the first line begins that is not older; times only grow, so halving finds it. */
async function firstLineSince (handle: FileHandle, size: number, since: number): Promise<number> {
  const lineAfter = async (at: number): Promise<{ at: number, time: number }> => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65_536), 0, 65_536, at)
    const text = buffer.toString('latin1', 0, bytesRead)
    const begin = at === 0 ? 0 : text.indexOf('\n') + 1
    return { at: at + begin, time: Date.parse(stamp.exec(text.slice(begin, begin + 40))?.[1] ?? '') }
  }
  let [low, high] = [0, size]
  while (high - low > 65_536) {
    const middle = Math.floor((low + high) / 2)
    if ((await lineAfter(middle)).time < since) low = middle
    else high = middle
  }
  return (await lineAfter(low)).at
}

/** The only container, the annotated one, or the names to choose from. */
function defaultContainer (files: ReadonlyMap<string, string>, namespace: string, pod: string, object: KubeObject | undefined): string | string[] {
  const prefix = `${namespace}/${pod}/`
  const written = [...new Set([...files.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length).replace(/\.previous$/, '')))].toSorted()
  const annotated = object?.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (annotated !== undefined) return annotated
  const declared = (object?.spec?.['containers'] as { name?: string }[] | undefined)?.flatMap(({ name }) => name ?? []) ?? []
  const names = declared.length > 0 ? declared : written
  if (names.length === 1) return names[0]!
  // Sidecars of which the case has no log leave one to read.
  return written.length === 1 ? written[0]! : names
}

function cut (whole: string, since: number, query: URLSearchParams): string {
  // Each line keeps its end; the last may have none.
  let lines = whole.split('\n').map((line, index, all) => index === all.length - 1 ? line : `${line}\n`)
  if (lines.at(-1) === '') lines.pop()
  if (!Number.isNaN(since)) {
    // A line without a time belongs to the one before.
    let late = false
    lines = lines.filter((line) => {
      const time = stamp.exec(line)?.[1]
      if (time !== undefined) late = Date.parse(time) >= since
      return late
    })
  }
  const tail = query.get('tailLines')
  if (tail !== null && Number(tail) >= 0) lines = Number(tail) === 0 ? [] : lines.slice(-Number(tail))
  if (query.get('timestamps') !== 'true' && query.get('timestamps') !== '1') lines = lines.map((line) => line.replace(stamp, ''))
  const text = lines.join('')
  const limit = query.get('limitBytes')
  return limit === null || Buffer.byteLength(text) <= Number(limit) ? text : Buffer.from(text).subarray(0, Number(limit)).toString('utf8')
}
