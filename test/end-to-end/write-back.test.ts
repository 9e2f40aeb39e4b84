import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { ruleAnnotations } from '../../src/publish/annotations/metric-mode.ts'
import { startWriteBack } from '../../src/publish/annotations/write-back.ts'
import { direct } from '../../src/shared/clients/route.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { openStore } from '../../src/shared/store/store.ts'
import { eventually, freePort, missing, startAlertmanager, startPrometheus } from '../support/real-alertmanager.ts'

interface Shown { annotations: Record<string, string>, endsAt: string }

const skip = missing('prometheus-alertmanager', 'prometheus')
/** How long each mode is watched: the printed shares mean something after a minute. */
const seconds = Number(process.env.COVERAGE_SECONDS ?? (process.env.CI === 'true' ? 60 : 12))
const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', name: 'shop-tls-1-42', certificate: 'shop-tls', severity: 'warning' }
const ours = { acme_triage_cause: 'http01-port80-blocked', acme_triage_confidence: 'proven', acme_triage_summary: 'port 80 is closed', acme_triage_next_step: 'Open port 80.', acme_triage_report: 'http://triage/1' }
/** The least share of looks that must show ours, with room for a slow machine; the measured one is printed (aims: 97 %, 99 %, all, all). */
const least = { api: 0.9, tee: 0.95, relay: 1, metric: 1 } as const

t.jobs = 4
for (const mode of ['api', 'tee', 'relay', 'metric'] as const) {
  t.test(`${mode}: ours stand on the alert that Prometheus sends again and again, and it ends when Prometheus says so`, { skip, buffered: true }, async t => {
    let notifications = 0
    let failing = true
    const outside = createServer((request, response) => {
      if (request.url === '/webhook') {
        notifications++
        request.resume()
        return response.end()
      }
      response.end(failing ? `test_order_state{namespace="shop",name="shop-tls-1-42",certificate="shop-tls",state="invalid"} 1\n${mode === 'metric' ? metric : ''}` : mode === 'metric' ? metric : '')
    })
    let metric = ''
    await new Promise<void>(resolve => { outside.listen(0, '127.0.0.1', resolve) })
    const port = (outside.address() as AddressInfo).port
    const alertmanager = await startAlertmanager(`http://127.0.0.1:${port}/webhook`)
    const store = await openStore({ dataDir: ':memory:', clock: { now: Date.now }, flapWindow: 0 })
    await store.context.database.insertInto('annotation_target').values({ fingerprint: fingerprint(labels), incident_id: 'i', labels: JSON.stringify(labels), annotations: JSON.stringify(ours), hash: 'h', active: 1, until: Date.now() + 3_600_000, created_at: 0, updated_at: 0 }).execute()
    const config = loadConfig({ ALERTMANAGER_URLS: alertmanager.url })
    config.alertmanager.mode = mode
    config.alertmanager.poll = 200
    config.alertmanager.hold = 0
    const presence: number[] = []
    const writeBack = startWriteBack({ config, store, clock: { now: Date.now }, route: direct, log: pino({ level: 'silent' }), metrics: { delivery () {}, presence: share => { presence.push(share) } } })
    const server = fastify()
    await writeBack.routes(server)
    await server.listen({ host: '127.0.0.1', port: await freePort() })
    const own = (server.server.address() as AddressInfo).port
    metric = await writeBack.metricsText()
    const annotations = { summary: 'ACME order {{ $labels.name }} failed', ...(mode === 'metric' ? ruleAnnotations() : {}) }
    const prometheus = await startPrometheus({ metricsPort: port, annotations, evaluate: '1s', resend: '3s', targets: mode === 'relay' ? [{ port: own }] : mode === 'tee' ? [{ port: alertmanager.port }, { port: own }] : [{ port: alertmanager.port }] })
    t.teardown(async () => {
      await prometheus.stop()
      await server.close()
      await writeBack.stop()
      await alertmanager.stop()
      await store.close()
      outside.closeAllConnections()
      outside.close()
    })
    const shown = async (): Promise<Shown | undefined> => (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json() as Shown[])[0]

    await eventually(async () => (await shown())?.annotations.acme_triage_cause === ours.acme_triage_cause, 'our annotations', 30_000)
    const before = notifications
    let looks = 0
    let present = 0
    let original = 0
    const end = Date.now() + seconds * 1000
    while (Date.now() < end) {
      const alert = await shown()
      if (alert !== undefined) {
        looks++
        if (alert.annotations.acme_triage_cause === ours.acme_triage_cause) present++
        if (alert.annotations.summary === 'ACME order shop-tls-1-42 failed') original++
      }
      await new Promise(resolve => { setTimeout(resolve, 25) })
    }
    t.comment(`${mode}: ours stood there in ${(present / looks * 100).toFixed(1)} % of ${looks} looks over ${seconds} s (sender's period 4 s, poll 0.2 s)`)
    t.ok(present / looks >= least[mode], `${present} of ${looks}`)
    if (mode === 'api' || mode === 'tee') t.ok(presence.at(-1)! > 0.3, `the gauge says ${presence.at(-1)}`)
    t.equal(original, looks, 'the sender\'s own annotations were never lost')
    t.ok(notifications - before <= 1, 'no notification because of us')

    failing = false
    await eventually(async () => await shown() === undefined, 'the end of the alert', 20_000)
    const after = notifications
    await new Promise(resolve => { setTimeout(resolve, 2_500) })
    t.equal(await shown(), undefined, 'nobody fired it again')
    t.ok(notifications - after <= 1, 'one resolved notification at most')
  })
}
