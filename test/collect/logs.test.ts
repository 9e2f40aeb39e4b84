import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { subjectHints } from '../../src/accept/subject.ts'
import { Gathering } from '../../src/collect/gathering.ts'
import { readLogs, type LogSource } from '../../src/collect/logs.ts'
import { collect } from '../../src/collect/run.ts'
import { correlate } from '../../src/correlate/correlate.ts'
import { diagnose } from '../../src/diagnose/run.ts'
import { openKubernetes, type KubernetesClient } from '../../src/shared/clients/kubernetes.ts'
import type { LogOptions, LogQuery, LogRead } from '../../src/shared/clients/kubernetes-log.ts'
import { shareLooks } from '../../src/shared/clients/kubernetes-share.ts'
import { absent, seen, unavailable, type Look } from '../../src/shared/types/common.ts'
import type { LogLook } from '../../src/shared/types/observations.ts'
import { openWorld } from '../../src/world/world.ts'
import { writeLog } from '../bench/big-cluster.ts'
import { aCaseDirectory, aFailingCluster, anObject, controllerLogKey, failureTime } from '../support/cluster.ts'

const clock = Date.parse('2026-11-24T10:00:00Z')
const line = (second: number, text: string): string => `${new Date(clock + second * 1_000).toISOString().replace('Z', '123456Z')} E1124 10:00:00.000000       1 sync.go:1] "${text}"\n`
const pod = (name: string, containers: string[], restartCount = 0) => anObject('v1', 'Pod', name, { metadata: { namespace: 'certs' }, spec: { containers: containers.map(container => ({ name: container })) }, status: { containerStatuses: containers.map(container => ({ name: container, restartCount })) } })
const settings = { needles: ['web-tls'], since: clock - 86_400_000, narrowSince: clock, limitBytes: 1_000 }

type Answer = (query: LogQuery, read: number) => Look<LogRead> & { text?: string }

async function read (source: LogSource, answer: Answer): Promise<{ logs: LogLook[], asked: LogQuery[] }> {
  const asked: LogQuery[] = []
  const kubernetes = {
    log: async (query: LogQuery, onChunk: (chunk: Buffer) => void) => {
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

/** What a look at shop/web-tls says when only the controller's log has the reason, and how many bytes of it were read. */
async function diagnosed (log: string, whileReading = (): void => {}): Promise<{ top: string | undefined, controller: LogLook['look'], bytes: number[] }> {
  const objects = aFailingCluster().map(object => object.kind === 'Challenge' ? { ...object, status: { state: 'valid' } } : object)
  const world = await openWorld(aCaseDirectory({ objects, logs: new Map([[controllerLogKey, log]]) }))
  const opened = openKubernetes({ kubeconfig: world.kubeconfig }, { route: world.route('cluster'), clock: world.clock })!
  const bytes: number[] = []
  const kubernetes: KubernetesClient = {
    ...opened,
    log (query, onChunk, options) {
      const index = bytes.push(0) - 1
      return opened.log(query, chunk => {
        if (bytes[index] === 0) whileReading()
        bytes[index]! += chunk.length
        onChunk(chunk)
      }, options)
    }
  }
  try {
    const labels = { namespace: 'shop', certificate: 'web-tls' }
    const alert = { status: 'firing' as const, labels, annotations: {}, startsAt: failureTime + 60_000, generatorURL: '', fingerprint: 'f' }
    const seen = await collect({ alerts: [alert], ...subjectHints(labels, {}, { clusterLabel: 'cluster' }) }, { kubernetes }, world.clock, { deadline: 60_000 })
    return { top: diagnose(correlate(seen)).causes[0]?.id, controller: seen.logs.find(({ role }) => role === 'controller')!.look, bytes: bytes.filter(count => count > 0) }
  } finally {
    await opened.close()
    await world.close()
  }
}
/** Said nowhere but in the log. */
const refusal = `${new Date(failureTime).toISOString().replace('Z', '000000Z')} E1124 10:00:41.000000       1 controller.go:155] "re-queuing item due to error processing" err="error finalizing order: acme: order https://acme-v02.api.letsencrypt.org/acme/order/1/22222 status: invalid; problem: 403 urn:ietf:params:acme:error:caa: While processing CAA for shop.example.com: CAA record for shop.example.com prevents issuance" logger="cert-manager.controller"\n`

t.test('fifty megabytes in the window hide nothing, and no more is kept of them than what matters', async t => {
  const log = join(t.testdir(), 'log')
  await writeLog(log, { failing: 0, logMegabytes: 55 })
  t.not((await diagnosed(log)).top, 'acme-caa-forbids-issuer', 'nothing but the log has the reason')
  appendFileSync(log, refusal)
  const { top, controller, bytes } = await diagnosed(log)
  t.equal(top, 'acme-caa-forbids-issuer')
  t.equal(bytes.length, 2, 'the window, then the attempt')
  t.equal(bytes[0], 50_000_000)
  t.ok(bytes[1]! < 1_000_000, `${bytes[1]} bytes since the attempt began`)
  t.match(controller, { is: 'seen', value: { cut: /too large to be read whole/ } })
  const kept = controller.is === 'seen' ? controller.value.lines.reduce((sum, { text }) => sum + text.length, 0) : 0
  t.ok(kept > 0 && kept < 4_000_000, `${kept} characters are kept`)
})

t.test('a log that is rotated while it is read costs at most what the rotation took', async t => {
  const place = t.testdir()
  const log = join(place, 'log')
  const begin = async (): Promise<void> => {
    await writeLog(log, { failing: 0, logMegabytes: 40 })
    appendFileSync(log, refusal)
  }
  const after = `${new Date(failureTime + 1_000).toISOString()} I1124 10:00:42.000000       1 x.go:1] "after the rotation"\n`
  await begin()
  const renamed = await diagnosed(log, () => {
    renameSync(log, join(place, 'log.1'))
    writeFileSync(log, after)
  })
  t.equal(renamed.top, 'acme-caa-forbids-issuer', 'the file that was opened is read to its end')
  await begin()
  const emptied = await diagnosed(log, () => {
    truncateSync(log)
    writeFileSync(log, after)
  })
  t.match(emptied.controller, { is: 'seen' })
  t.not(emptied.top, 'acme-caa-forbids-issuer', 'what is gone is not made up')
})

/** An API with one log, of which the test decides what comes and when. */
function sharedLog (): { kubernetes: KubernetesClient, reads: { query: LogQuery, send (text: string | Buffer): void, end (look: Look<LogRead>): void, signal: AbortSignal }[], clock: { time: number } } {
  const reads: ReturnType<typeof sharedLog>['reads'] = []
  const time = { time: clock }
  const client = {
    log: (query: LogQuery, onChunk: (chunk: Buffer) => void, { signal }: LogOptions) => new Promise<Look<LogRead>>(resolve => {
      reads.push({ query, send: text => { onChunk(Buffer.from(text)) }, end: resolve, signal: signal! })
      signal!.addEventListener('abort', () => { resolve(seen({ bytes: 0, cut: 'time was up' })) })
    })
  } as unknown as KubernetesClient
  return { kubernetes: shareLooks(client, { now: () => time.time }, 2_000), reads, clock: time }
}
const ofController: LogQuery = { namespace: 'certs', pod: 'cert-manager', container: 'controller', sinceTime: clock }

/** One who asks, and what came until now. */
function asking (kubernetes: KubernetesClient, query: Partial<LogQuery> = {}, options?: LogOptions): { text: () => string, look: Promise<Look<LogRead>> } {
  let text = ''
  const look = kubernetes.log({ ...ofController, ...query }, chunk => { text += chunk.toString() }, options)
  return { text: () => text, look }
}

t.test('looks at once read a log once, and each gets all of it', async t => {
  const { kubernetes, reads, clock: now } = sharedLog()
  const first = asking(kubernetes)
  const second = asking(kubernetes, { sinceTime: clock + 30_000 })
  await pause(0)
  reads[0]!.send('one ')
  const late = asking(kubernetes)
  reads[0]!.send('two ')
  reads[0]!.end(seen({ bytes: 8 }))
  for (const look of [first, second, late]) {
    t.match(await look.look, { is: 'seen', value: { bytes: 8 } })
    t.equal(look.text(), 'one two ')
  }
  now.time += 1_999
  const soon = asking(kubernetes)
  t.match(await soon.look, { is: 'seen' })
  t.equal(soon.text(), 'one two ')
  t.equal(reads.length, 1)
})

t.test('a later look, an older window, another container and the run before read for themselves', async t => {
  const { kubernetes, reads, clock: now } = sharedLog()
  const first = asking(kubernetes)
  await pause(0)
  reads[0]!.send('one ')
  reads[0]!.end(seen({ bytes: 4 }))
  await first.look
  const others = [asking(kubernetes, { sinceTime: clock - 1 }), asking(kubernetes, { container: 'other' }), asking(kubernetes, { previous: true }), asking(kubernetes, {}, { limitBytes: 10 })]
  now.time += 2_000
  others.push(asking(kubernetes))
  await pause(0)
  t.same(reads.slice(1).map(({ query: { sinceTime, container, previous } }) => [sinceTime, container, previous]), [[clock - 600_000, 'controller', undefined], [clock, 'other', undefined], [clock, 'controller', true], [clock, 'controller', undefined], [clock, 'controller', undefined]])
  for (const [index, read] of reads.slice(1).entries()) {
    read.send(`own ${index}`)
    read.end(seen({ bytes: 5 }))
  }
  await Promise.all(others.map(({ look }) => look))
  t.same(others.map(({ text }) => text()), [0, 1, 2, 3, 4].map(index => `own ${index}`))
})

t.test('what broke off or failed is shared with nobody who comes later; what is absent is', async t => {
  const rows: [Look<LogRead>, number][] = [[seen({ bytes: 4, cut: 'the connection was cut' }), 2], [unavailable('403'), 2], [absent, 1], [seen({ bytes: 10, cut: 'only the first 0 MB were read' }), 1]]
  for (const [answer, expected] of rows) {
    const { kubernetes, reads } = sharedLog()
    const first = asking(kubernetes, {}, { limitBytes: 10 })
    await pause(0)
    reads[0]!.end(answer)
    t.same(await first.look, answer)
    void asking(kubernetes, {}, { limitBytes: 10 })
    await pause(0)
    t.equal(reads.length, expected, JSON.stringify(answer))
  }
})

t.test('who has no more time goes with what came, and the last to go ends the read', async t => {
  const { kubernetes, reads } = sharedLog()
  const [hasty, patient] = [new AbortController(), new AbortController()]
  const first = asking(kubernetes, {}, { signal: hasty.signal })
  const second = asking(kubernetes, {}, { signal: patient.signal })
  await pause(0)
  reads[0]!.send('one ')
  hasty.abort()
  t.match(await first.look, { is: 'seen', value: { bytes: 4, cut: 'time was up' } })
  reads[0]!.send('two ')
  t.equal(first.text(), 'one ')
  t.equal(second.text(), 'one two ')
  t.equal(reads[0]!.signal.aborted, false)
  patient.abort()
  await second.look
  t.equal(reads[0]!.signal.aborted, true)
  const nothing = new AbortController()
  const third = asking(kubernetes, {}, { signal: nothing.signal })
  nothing.abort()
  t.match(await third.look, { is: 'unavailable', why: /in time/ })
})

t.test('a log that does not end in time is left with what came, and nobody goes on reading it', async t => {
  const alarm = new AbortController()
  const left = Promise.withResolvers<void>()
  const server = createServer((_, response) => {
    response.on('close', left.resolve)
    response.write(line(1, 'web-tls begins'))
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  const kubeconfig = JSON.stringify({ 'current-context': 'a', contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }], clusters: [{ name: 'a', cluster: { server: `http://127.0.0.1:${port}` } }], users: [{ name: 'a', user: {} }] })
  const opened = openKubernetes({ kubeconfig }, { clock: { now: () => clock } })!
  t.teardown(async () => {
    await opened.close()
    server.close()
  })
  // The time is up once the first line is here.
  const hasty: KubernetesClient = { ...opened, log: (query, onChunk, options) => opened.log(query, chunk => { onChunk(chunk); alarm.abort() }, options) }
  const logs = await readLogs(new Gathering(shareLooks(hasty, { now: () => clock }), alarm.signal), [controller], settings)
  t.match(logs, [{ look: { is: 'seen', value: { lines: [{ text: /begins/ }], cut: 'time was up' } } }])
  await left.promise
  t.pass('the connection is closed')
})

t.test('more than 64 MB of logs are passed on, not kept', async t => {
  const { kubernetes, reads } = sharedLog()
  const megabyte = Buffer.alloc(1_048_576, 'x')
  const read = async (query: Partial<LogQuery>, size: number): Promise<number> => {
    let bytes = 0
    const answer = kubernetes.log({ ...ofController, ...query }, chunk => { bytes += chunk.length })
    await pause(0)
    const own = reads.at(-1)!
    for (let count = 0; count < size; count++) own.send(megabyte)
    own.end(seen({ bytes: size * megabyte.length }))
    await answer
    return bytes / megabyte.length
  }
  t.equal(await read({}, 65), 65)
  t.equal(await read({}, 40), 40, 'it was not kept')
  t.equal(await read({ container: 'other' }, 30), 30)
  t.equal(reads.length, 3)
  void kubernetes.log({ ...ofController, container: 'other' }, () => {})
  await pause(0)
  t.equal(reads.length, 3, 'the newest is kept')
  void kubernetes.log(ofController, () => {})
  await pause(0)
  t.equal(reads.length, 4, 'the older one made room')
})
