import { subjectHints } from '../../../src/accept/subject.ts'
import { collect } from '../../../src/collect/run.ts'
import { correlate } from '../../../src/correlate/correlate.ts'
import { diagnose } from '../../../src/diagnose/run.ts'
import { kubernetesClient } from '../counting-client.ts'
import { megabytes, memoryOf, rounded, spread, startHelper, type Row, type Section } from '../measure.ts'

const limit = 50 * 1_048_576

/** One diagnosis in a large cluster, and many at once that share their looks. */
export const cluster: Section = {
  name: 'cluster',
  title: 'A large cluster: one diagnosis, and many incidents at once with shared looks (cluster and logs; probes off)',
  async run (options) {
    const size = {
      failing: options.number('incidents', 50), certificates: options.number('certificates', 10_000), orders: options.number('orders', 2_000),
      ingresses: options.number('ingresses', 3_000), events: options.number('events', 50_000), logMegabytes: options.number('log-megabytes', 500)
    }
    const world = await startHelper<{ kubeconfig: string, now: number }>('world-process.ts', size)
    const client = kubernetesClient(world.ready.kubeconfig, { now: () => world.ready.now })
    const look = async (index: number): Promise<{ milliseconds: number, cause: string, unavailable: number }> => {
      const began = performance.now()
      const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: `shop-${index}`, certificate: `web-${index}-tls` }
      const { hints, domains, lint } = subjectHints(labels, {}, { clusterLabel: 'cluster', cluster: undefined })
      const alert = { status: 'firing' as const, labels, annotations: {}, startsAt: world.ready.now - 240_000, generatorURL: '', fingerprint: `f${index}` }
      const observations = await collect({ alerts: [alert], hints, domains, lint }, { kubernetes: client.kubernetes }, { now: () => world.ready.now }, { deadline: 30_000, logBytes: limit })
      const incident = correlate(observations)
      const { causes } = diagnose(incident)
      return { milliseconds: performance.now() - began, cause: causes[0]?.id ?? 'unknown', unavailable: observations.looks.filter(({ is }) => is === 'unavailable').length }
    }
    const measure = async (what: string, indexes: number[], atOnce: number, aim?: (milliseconds: number) => Row['aim']): Promise<Row> => {
      client.reset()
      globalThis.gc?.()
      const began = performance.now()
      const results: Awaited<ReturnType<typeof look>>[] = []
      const queue = [...indexes]
      await Promise.all(Array.from({ length: atOnce }, async () => {
        for (let index = queue.shift(); index !== undefined; index = queue.shift()) results.push(await look(index))
      }))
      const seconds = (performance.now() - began) / 1_000
      const asked = client.asked()
      const { p50, max } = spread(results.map(({ milliseconds }) => milliseconds))
      const causes = [...new Set(results.map(({ cause }) => cause))].join(', ')
      return {
        what,
        values: { 'API calls': asked.calls, 'MB lists': megabytes(asked.listBytes), 'MB logs': megabytes(asked.logBytes), 's in all': rounded(seconds, 2), 'p50 s': rounded(p50 / 1_000, 2), 'max s': rounded(max / 1_000, 2), 'RSS MB': memoryOf(process.pid).now, result: `${causes}${results.some(({ unavailable }) => unavailable > 0) ? ', with gaps' : ''}` },
        aim: aim?.(max)
      }
    }
    try {
      const all = Array.from({ length: size.failing }, (_, index) => index)
      return [
        await measure(`first: ${size.certificates} Certificates, ${size.orders} Orders, ${size.ingresses} Ingresses, ${size.events} Events, ${size.logMegabytes} MB of log`, [0], 1, max => ({ text: 'under 5 s', met: max < 5_000 })),
        await measure('again, everything compiled', [1], 1, max => ({ text: 'under 5 s', met: max < 5_000 })),
        await measure(`${size.failing} incidents, 4 side by side as the service does`, all, 4),
        await measure(`${size.failing} incidents, all at once`, all, all.length)
      ]
    } finally {
      await client.close()
      await world.stop()
    }
  }
}
