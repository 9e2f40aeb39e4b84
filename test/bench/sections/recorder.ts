import { statSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWorld } from '../../../src/world/world.ts'
import { aBigCluster } from '../big-cluster.ts'
import { megabytes, memoryOf, pause, rounded, type Row, type Section } from '../measure.ts'
import { serve } from '../serve.ts'

const aim = 40

/** What the flight recorder costs while Challenges change all the time: the service with it beside the same service without. */
export const recorder: Section = {
  name: 'recorder',
  title: 'Flight recorder: memory and disk of the service with it, beside the same service without, at one API',
  async run (options) {
    const size = { failing: options.number('incidents', 300), certificates: options.number('certificates', 10_000), orders: options.number('orders', 2_000), ingresses: 0, events: options.number('events', 5_000), logMegabytes: 0 }
    const perSecond = options.number('changes-per-second', 90)
    const seconds = options.number('seconds', 20)
    const { directory, remove } = await aBigCluster(size)
    const objects = directory.objects.map(object => object.kind === 'Challenge' ? { ...object, status: { state: 'pending', processing: true, presented: true, reason: 'Waiting for HTTP-01 challenge propagation' } } : object)
    const challenges = objects.filter(({ kind }) => kind === 'Challenge')
    const world = await openWorld({ ...directory, objects })
    const kubeconfig = await world.kubeconfigFile()
    const data = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
    const start = (enabled: boolean): ReturnType<typeof serve> => serve({ KUBECONFIG: kubeconfig, ACME_TRIAGE_DATA_DIR: join(data, String(enabled)) }, `recorder: {enabled: ${enabled}}\n`)
    const [without, recording] = await Promise.all([start(false), start(true)])

    const row = async (what: string): Promise<Row> => {
      const [plain, more] = [memoryOf(without.pid).peak, memoryOf(recording.pid).peak]
      return { what, values: { 'MB without': plain, 'MB with': more, 'MB of the recorder': rounded(more - plain), 'MB on disk': megabytes(await bytesOf(join(data, 'true'))) }, aim: { text: `under ${aim} MB`, met: more - plain < aim } }
    }
    const loop = async (of: typeof challenges): Promise<void> => {
      for (let change = 0; change < perSecond * seconds; change++) {
        const challenge = of[change % of.length]!
        world.emit('MODIFIED', { ...challenge, status: { ...challenge.status, reason: `error presenting challenge: try ${change}: pods "cm-acme-http-solver-abcde" is forbidden: exceeded quota` } })
        if (change % perSecond === perSecond - 1) await pause(1_000)
      }
      await pause(1_500)
    }
    try {
      // The first solvers are photographed after five seconds.
      await pause(8_000)
      const rows = [await row(`${size.certificates} Certificates, ${size.orders} Orders, ${size.failing} pending Challenges: everything listed`)]
      await loop(challenges)
      rows.push(await row(`a hot loop over all Challenges: ${perSecond} changes a second for ${seconds} s, each in words of its own`))
      await loop(challenges.slice(0, 1))
      rows.push(await row('the same of one Challenge alone, of which the first 200 changes are kept'))
      world.endWatches('expired')
      await pause(3_000)
      rows.push(await row('after expired watches, everything listed again'))
      return rows
    } finally {
      await Promise.all([without.stop(), recording.stop()])
      await world.close()
      await Promise.all([remove(), rm(data, { recursive: true, force: true })])
    }
  }
}

async function bytesOf (directory: string): Promise<number> {
  return (await readdir(directory)).reduce((sum, file) => sum + statSync(join(directory, file)).size, 0)
}
