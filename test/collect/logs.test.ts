import t from 'tap'
import { Gathering } from '../../src/collect/gathering.ts'
import { readLogs, type LogSource } from '../../src/collect/logs.ts'
import type { KubernetesClient } from '../../src/shared/clients/kubernetes.ts'
import type { LogQuery, LogRead } from '../../src/shared/clients/kubernetes-log.ts'
import { absent, seen, unavailable, type Look } from '../../src/shared/types/common.ts'
import type { LogLook } from '../../src/shared/types/observations.ts'
import { anObject } from '../support/cluster.ts'

const clock = Date.parse('2026-11-24T10:00:00Z')
const line = (second: number, text: string): string => `${new Date(clock + second * 1_000).toISOString().replace('Z', '123456Z')} E1124 10:00:00.000000       1 sync.go:1] "${text}"\n`
const pod = (name: string, containers: string[], restartCount = 0) => anObject('v1', 'Pod', name, { metadata: { namespace: 'certs' }, spec: { containers: containers.map(container => ({ name: container })) }, status: { containerStatuses: containers.map(container => ({ name: container, restartCount })) } })
const settings = { needles: ['web-tls'], since: clock - 86_400_000, narrowSince: clock, limitBytes: 1_000 }

type Answer = (query: LogQuery, read: number) => Look<LogRead> & { text?: string }

async function read (source: LogSource, answer: Answer): Promise<{ logs: LogLook[], asked: LogQuery[] }> {
  const asked: LogQuery[] = []
  const kubernetes = {
    log: async (query: LogQuery, onChunk: (chunk: Buffer) => boolean | void) => {
      asked.push(query)
      const { text, ...look } = answer(query, asked.length)
      if (text !== undefined) onChunk(Buffer.from(text))
      return look as Look<LogRead>
    }
  } as unknown as KubernetesClient
  return { logs: await readLogs(new Gathering(kubernetes, new AbortController().signal), [source], settings), asked }
}
const controller: LogSource = { pod: pod('cert-manager', ['controller']), role: 'controller' }
const words = ({ look }: LogLook): string[] => look.is === 'seen' ? look.value.lines.map(({ text }) => /"(.*)"/.exec(text)![1]!) : [look.is]
const tooLarge = { bytes: 1_000, cut: 'only the first 0 MB were read' }

t.test('a log that is too large to be read whole is read again from the attempt on', async t => {
  const { logs: [log], asked } = await read(controller, (_, count) => count === 1
    ? { ...seen(tooLarge), text: line(-50_000, 'web-tls long ago') + line(-10, 'web-tls just before') }
    : { ...seen({ bytes: 300 }), text: line(1, 'web-tls begins') + line(2, 'web-tls fails') })
  t.same(asked.map(({ sinceTime }) => sinceTime), [settings.since, settings.narrowSince])
  t.same(words(log!), ['web-tls long ago', 'web-tls just before', 'web-tls begins', 'web-tls fails'])
  t.match(log?.look, { value: { bytes: 1_300, since: settings.since, cut: /before the attempt is too large/ } })
})

t.test('a log that rotates between the two readings, or is gone at the second, loses no line that was read', async t => {
  const first = { ...seen(tooLarge), text: line(-10, 'web-tls before') + line(1, 'web-tls begins') + line(2, 'web-tls fails') }
  const rotated = await read(controller, (_, count) => count === 1 ? first : { ...seen({ bytes: 100 }), text: line(9, 'web-tls again') })
  t.same(words(rotated.logs[0]!), ['web-tls before', 'web-tls begins', 'web-tls fails', 'web-tls again'])
  const overlapping = await read(controller, (_, count) => count === 1 ? first : { ...seen({ bytes: 100 }), text: line(2, 'web-tls fails') + line(9, 'web-tls again') })
  t.same(words(overlapping.logs[0]!), ['web-tls before', 'web-tls begins', 'web-tls fails', 'web-tls again'], 'none stands twice')
  for (const second of [absent, unavailable('the connection was cut')]) {
    const { logs: [log] } = await read(controller, (_, count) => count === 1 ? first : second)
    t.same(words(log!), ['web-tls before', 'web-tls begins', 'web-tls fails'])
    t.match(log?.look, { value: { cut: /first/ } }, 'and it is said that this is not all')
  }
})

t.test('a stream that ends in the middle of a line keeps what came', async t => {
  const { logs: [log], asked } = await read(controller, () => ({ ...seen({ bytes: 90, cut: 'the connection to the Kubernetes API was cut' }), text: line(1, 'web-tls begins') + line(2, 'web-tls fails').slice(0, 95) }))
  t.equal(asked.length, 1, 'what was cut is not too large')
  t.match(log?.look, { value: { lines: [{ text: /begins/ }, { text: /web-tls fa/ }], cut: /was cut/ } })
})

t.test('the container before the last restart is read as well, sidecars are not', async t => {
  const { logs, asked } = await read({ pod: pod('cert-manager', ['controller', 'istio-proxy'], 2), role: 'controller' }, ({ previous }) => previous === true ? absent : { ...seen({ bytes: 80 }), text: line(1, 'web-tls begins') })
  t.same(asked.map(({ container, previous }) => `${container} ${previous}`), ['controller false', 'controller true'])
  t.same(logs.map(words), [['web-tls begins'], ['absent']])
})

t.test('of an ingress controller only requests for the token are kept, from the attempt on', async t => {
  const access = (token: string): string => `2026-11-24T10:00:02.1Z 203.0.113.9 - - "GET /.well-known/acme-challenge/${token} HTTP/1.1" 404 19 "error"\n`
  const { logs: [log], asked } = await read({ pod: pod('ingress-nginx', ['controller']), role: 'ingress', needles: ['our-token'] }, () => ({ ...seen({ bytes: 200 }), text: access('our-token') + access('their-token') + '2026-11-24T10:00:03Z E1124 10:00:03.000000       1 x.go:1] "an error"\n' }))
  t.equal(asked[0]?.sinceTime, settings.narrowSince)
  t.match(log?.look, { value: { lines: [{ text: /our-token/ }], droppedLines: 2 } })
  t.equal(log?.look.is === 'seen' && log.look.value.lines.length, 1)
})
