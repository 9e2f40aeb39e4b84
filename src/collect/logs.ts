import type { Millis } from '../shared/types/common.ts'
import { seen } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { LogLook, LogRole } from '../shared/types/observations.ts'
import { list, text } from './fields.ts'
import type { Gathering } from './gathering.ts'
import { LogFilter } from './log-filter.ts'

/** `needles` instead of those of all, for logs of which nothing else is of interest. */
export interface LogSource { pod: KubeObject, role: LogRole, needles?: string[] }

export interface LogSettings {
  needles: string[]
  /** Begin of the widest window. */
  since: Millis
  /** Begin of the attempt: what a log that is too large to read whole is read from. */
  narrowSince: Millis
  /** Bytes read of one container. */
  limitBytes: number
}

/** Containers that are no program of interest: service meshes put theirs beside everything. */
const sidecars = /^(istio-proxy|linkerd-proxy|vault-agent|fluent|filebeat|datadog)/

/** Reads the logs of these Pods side by side: each container, and what it said before its last restart. */
export async function readLogs (gathering: Gathering, sources: LogSource[], settings: LogSettings): Promise<LogLook[]> {
  const wanted = sources.flatMap(({ pod, role, needles }) => list(pod, 'spec', 'containers').map(container => text(container, 'name')).filter(name => name !== '' && !sidecars.test(name)).flatMap(container => {
    const status = list(pod, 'status', 'containerStatuses').find(entry => text(entry, 'name') === container)
    const restarts = (status as { restartCount?: unknown } | undefined)?.restartCount
    const place = { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name, container, role, own: needles }
    return [{ ...place, previous: false }, ...(typeof restarts === 'number' && restarts > 0 ? [{ ...place, previous: true }] : [])]
  }))
  return Promise.all(wanted.map(({ own, ...place }) => readOne(gathering, place, own === undefined ? settings : { ...settings, needles: own, since: settings.narrowSince })))
}

async function readOne (gathering: Gathering, place: Omit<LogLook, 'look'>, settings: LogSettings): Promise<LogLook> {
  const began = performance.now()
  const what = `log ${place.namespace}/${place.pod} ${place.container}${place.previous ? ' before its restart' : ''}`
  let look = await read(gathering, place, settings, settings.since)
  // Too large: its beginning says nothing of the attempt, so it is read again from there.
  if (look.is === 'seen' && look.value.cut !== undefined && look.value.bytes >= settings.limitBytes && settings.narrowSince > settings.since && !gathering.signal.aborted) {
    const again = await read(gathering, place, settings, settings.narrowSince)
    if (again.is === 'seen') {
      const early = look.value
      const from = again.value.lines.find(({ time }) => time !== undefined)?.time ?? settings.narrowSince
      look = seen({ ...again.value, lines: [...early.lines.filter(({ time }) => time !== undefined && time < from), ...again.value.lines], since: settings.since, bytes: early.bytes + again.value.bytes, droppedLines: early.droppedLines + again.value.droppedLines, cut: again.value.cut ?? `the part before the attempt is too large to be read whole` })
    }
  }
  gathering.note(what, look, began, 'log')
  return { ...place, look }
}

async function read (gathering: Gathering, { namespace, pod, container, previous, role }: Omit<LogLook, 'look'>, { needles, limitBytes }: LogSettings, since: Millis): Promise<LogLook['look']> {
  const filter = new LogFilter({ needles, foreign: role === 'dns-webhook', only: role === 'ingress', all: role === 'solver' })
  const answer = await gathering.kubernetes.log({ namespace, pod, container, previous, sinceTime: since }, chunk => { filter.write(chunk) }, { limitBytes, signal: gathering.signal })
  if (answer.is !== 'seen') return answer
  const { lines, droppedLines, cut } = filter.finish()
  const why = answer.value.cut ?? cut
  return seen({ lines, since, bytes: answer.value.bytes, droppedLines, ...(why === undefined ? {} : { cut: why }) })
}
