import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oneAlert } from '../bodies.ts'
import { load, type LoadOptions, type LoadResult } from '../load.ts'
import { pause, processorOf, rounded, spread, startHelper, type Row, type Section } from '../measure.ts'
import { serve } from '../serve.ts'

/** Acknowledgements: each is on disk before it is given. */
export const intake: Section = {
  name: 'intake',
  title: 'Intake: POST → 200, durable, one alert of 1 kB each, all distinct',
  async run (options) {
    const total = options.number('requests', 6_000)
    const rate = options.number('rate', 1_000)
    const body = (prefix: string) => (index: number): string => oneAlert({ namespace: `team-${index % 50}`, certificate: `${prefix}-${index}` })

    const bare = await startHelper<{ url: string }>('bare-process.ts', {})
    await load({ url: `${bare.ready.url}/webhook`, body: body('bare'), total, connections: 50 })
    const floor = await measured(bare.pid, { url: `${bare.ready.url}/webhook`, body: body('bare'), total, connections: 50 })
    await bare.stop()

    const served = await serve()
    await settle(served.url)
    await load({ url: `${served.url}/webhook`, body: body('warm'), total: 500, connections: 50 })
    const durable = await measured(served.pid, { url: `${served.url}/webhook`, body: body('load'), total, connections: 50 })
    const repeated = await measured(served.pid, { url: `${served.url}/webhook`, body: body('load'), total, connections: 50 })
    await served.stop()

    const again = await serve()
    await settle(again.url)
    await load({ url: `${again.url}/webhook`, body: body('warm'), total: 500, connections: 50 })
    await pause(500)
    const open = await measured(again.pid, { url: `${again.url}/webhook`, body: body('open'), total: rate * 3, connections: 100, rate })
    await again.stop()

    const share = perSecond(durable) / perSecond(floor)
    return [
      disk(),
      row('bare fastify route, keeps nothing, 50 connections', floor),
      row('POST /webhook, 50 connections', durable, { text: `at least half of the bare route's rate: ${rounded(share * 100, 0)} %`, met: share >= 0.5 }),
      row('POST /webhook, the same bodies again', repeated),
      row(`POST /webhook, ${rate} a second, open loop`, open, { text: 'p99 under 15 ms', met: spread(open.milliseconds).p99 < 15 })
    ]
  }
}

/** What a durable answer waits for at least. On a disk that others use it may be most of it. */
function disk (): Row {
  const folder = mkdtempSync(join(tmpdir(), 'acme-triage-bench-'))
  const file = openSync(join(folder, 'sync'), 'w')
  const times: number[] = []
  const page = Buffer.alloc(4_096)
  for (let round = 0; round < 300; round++) {
    writeSync(file, page)
    const began = performance.now()
    fdatasyncSync(file)
    times.push(performance.now() - began)
  }
  closeSync(file)
  rmSync(folder, { recursive: true })
  const { p50, p99, max } = spread(times)
  return { what: 'this disk: fdatasync of 4 kB', values: { 'p50 ms': p50, 'p99 ms': p99, 'max ms': max } }
}

/** The start is over when the service answers fast: the catalogue has been compiled. */
async function settle (url: string): Promise<void> {
  for (let quiet = 0, rounds = 0; quiet < 10 && rounds < 200; rounds++) {
    const began = performance.now()
    await (await fetch(`${url}/healthz`)).arrayBuffer()
    quiet = performance.now() - began < 5 ? quiet + 1 : 0
    await pause(30)
  }
}

interface Measured extends LoadResult { processor: number }

/** What the server's process used meanwhile, too: on a busy machine it says more than the rate. */
async function measured (pid: number, options: LoadOptions): Promise<Measured> {
  const before = processorOf(pid)
  const result = await load(options)
  return { ...result, processor: processorOf(pid) - before }
}

const perSecond = ({ milliseconds, seconds }: LoadResult): number => milliseconds.length / seconds

function row (what: string, result: Measured, aim?: Row['aim']): Row {
  const { p50, p99, max } = spread(result.milliseconds)
  const refused = Object.entries(result.statuses).filter(([status]) => status !== '200').reduce((sum, [, count]) => sum + count, 0)
  return { what, values: { 'requests/s': rounded(perSecond(result), 0), 'p50 ms': p50, 'p99 ms': p99, 'max ms': max, 'CPU µs each': rounded(result.processor / result.milliseconds.length * 1_000, 0), refused }, aim }
}
