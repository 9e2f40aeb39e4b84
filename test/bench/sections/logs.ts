import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LogFilter, narrow } from '../../../src/collect/log-filter.ts'
import { openKubernetes } from '../../../src/shared/clients/kubernetes.ts'
import { controllerLogKey } from '../../support/cluster.ts'
import { writeLog } from '../big-cluster.ts'
import { median, megabytes, memoryOf, rounded, startHelper, type Row, type Section } from '../measure.ts'

/** Ten names and URLs of one order: what a diagnosis looks for in the controller's log. */
const needles = [
  'web-7-tls', 'web-7-tls-1', 'web-7-tls-1-1234567890', 'shop7.example.com', 'www.shop7.example.com', 'api.shop7.example.com', 'web-7-tls-1-1234567890-987654321',
  '/acme/order/1/77777', '/acme/authz/1/88888', '/acme/chall/1/99999'
]
/** What else the filter keeps, in ripgrep's words: complaints of klog, of JSON lines, and last words. */
const complaints = ['Z [EWF][0-9]{4} [0-9][0-9]:', '"err(or)?":', '"level":"(error|warn)', 'Z (panic|Error|fatal error): ']
const rounds = 5

/** The log filter beside ripgrep: same file, same run. */
export const logs: Section = {
  name: 'logs',
  title: 'Log filter: one controller log, ten identifiers of one order and the errors of all',
  async run (options) {
    const size = { failing: 20, logMegabytes: options.number('log-megabytes', 500), certificates: 0, orders: 0, ingresses: 0, events: 0 }
    const place = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
    const world = await startHelper<{ kubeconfig: string, now: number }>('world-process.ts', size)
    const kubernetes = openKubernetes({ kubeconfig: world.ready.kubeconfig }, { clock: { now: () => world.ready.now } })!
    try {
      const file = join(place, 'controller.log')
      await writeLog(file, size)
      await writeFile(join(place, 'names'), needles.join('\n'))
      // The fewest, as the filter has them: ripgrep is a third slower with all ten.
      await writeFile(join(place, 'all'), [...narrow(needles).map(needle => needle.replaceAll('.', '\\.')), ...complaints].join('\n'))
      const bytes = (await stat(file)).size
      const times = { mapped: [] as number[], piped: [] as number[], names: [] as number[], file: [] as number[], pipe: [] as number[], api: [] as number[] }
      let kept = 0
      // In turns: whatever else the machine does meets all of them.
      for (let round = 0; round < rounds; round++) {
        times.mapped.push(...await ripgrep(place, 'rg --no-config -f all controller.log'))
        times.file.push(await timed(() => { kept = filterFile(file) }))
        times.piped.push(...await ripgrep(place, 'cat controller.log | rg --no-config -f all'))
        times.pipe.push(await timed(() => filterPipe(file)))
        times.api.push(await timed(() => filterStream(kubernetes)))
        times.names.push(...await ripgrep(place, 'rg --no-config -F -c -f names controller.log'))
      }
      const rate = (of: keyof typeof times): Row['values'] => ({ 'MB/s': times[of].length === 0 ? 'not installed' : megabytes(bytes / median(times[of]) * 1_000) })
      const beside = (ours: number[], theirs: number[]): Pick<Row, 'aim'> => {
        const share = median(theirs) / median(ours)
        return theirs.length === 0 ? {} : { aim: { text: `at least a third of ripgrep on the same bytes with the same filter: ${rounded(share * 100, 0)} %`, met: share >= 1 / 3 } }
      }
      return [
        { what: `rg -f, ${megabytes(bytes)} MB in a file that it maps`, values: { ...rate('mapped'), more: 'writes every line with an identifier or a complaint' } },
        { what: 'LogFilter, the same file', values: { ...rate('file'), more: `keeps ${kept} of these lines, folded and with their times; RSS ${memoryOf(process.pid).now} MB` }, ...beside(times.file, times.mapped) },
        { what: 'rg -f, from a pipe', values: { ...rate('piped'), more: 'a stream, as logs come' } },
        { what: 'LogFilter, from a pipe', values: rate('pipe'), ...beside(times.pipe, times.piped) },
        { what: 'LogFilter, from the Kubernetes API', values: { ...rate('api'), more: 'over HTTP from another process, as a diagnosis reads it' } },
        { what: 'rg -F -c -f, identifiers only', values: { ...rate('names'), more: 'counts lines: less than what is needed' } }
      ] satisfies Row[]
    } finally {
      await kubernetes.close()
      await world.stop()
      await rm(place, { recursive: true, force: true })
    }
  }
}

async function timed (work: () => unknown): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Milliseconds, or nothing where ripgrep is not installed. */
async function ripgrep (place: string, command: string): Promise<number[]> {
  let status: number | null = null
  const milliseconds = await timed(() => { ({ status } = spawnSync('sh', ['-c', `${command} > found`], { cwd: place, timeout: 60_000, stdio: 'ignore' })) })
  return status === 0 ? [milliseconds] : []
}

function filterFile (path: string): number {
  const filter = new LogFilter({ needles })
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(65_536)
  for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) filter.write(buffer.subarray(0, read))
  closeSync(file)
  return filter.finish().lines.length
}

async function filterPipe (path: string): Promise<void> {
  const filter = new LogFilter({ needles })
  const { stdout } = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000 })
  for await (const chunk of stdout) filter.write(chunk as Buffer)
  filter.finish()
}

async function filterStream (kubernetes: NonNullable<ReturnType<typeof openKubernetes>>): Promise<void> {
  const filter = new LogFilter({ needles })
  const [namespace, pod, container] = controllerLogKey.split('/') as [string, string, string]
  const look = await kubernetes.log({ namespace, pod, container }, chunk => { filter.write(chunk) })
  if (look.is !== 'seen' || look.value.cut !== undefined) throw new Error(`the log did not come: ${JSON.stringify(look)}`)
  filter.finish()
}
