import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { renderAnnotations } from '../../src/publish/annotations/text.ts'
import { startDeliveries, type Deliveries, type DeliveriesOptions } from '../../src/publish/deliveries.ts'
import type { Limits } from '../../src/publish/reach.ts'
import { direct } from '../../src/shared/clients/route.ts'
import type { Config } from '../../src/shared/config/config.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { openStore, type Store } from '../../src/shared/store/store.ts'
import type { Alert } from '../../src/shared/types/common.ts'
import { slackTransport } from '../../src/publish/slack/transport.ts'
import { makeFinding } from '../../src/publish/finding.ts'
import type { FoundCause } from '../../src/shared/types/diagnosis.ts'
import { startFakeSlack, type FakeSlack } from './fake-slack.ts'

export interface DeliveryWorld {
  slack: FakeSlack
  store: Store
  config: Config
  deliveries: Deliveries
  dataDir: string
  /** Accepts a notification with these alerts. */
  fire (alerts: Alert | Alert[]): Promise<string[]>
  /** Saves a look that found a cause. */
  diagnose (incident: string, cause?: string): Promise<void>
  /** Saves a look that finds it healed, and by what. */
  heal (incident: string, why: string): Promise<void>
  /** Resolves an alert, and lets the last look at its incident say so. */
  resolve (alert: Alert): Promise<void>
  /** Ends deliveries and starts them on the same store. */
  again (options?: Partial<DeliveriesOptions>): Promise<void>
}

/** Limits that let a test end soon; what is tested about limits sets them. */
export const quick: Partial<Limits> = { post: { perSecond: 1_000, burst: 1_000 }, edit: { perSecond: 1_000, burst: 1_000 }, editGap: 20, digestGap: 20, first: 50, patience: 500, digestPatience: 500 }

/** An alert as Alertmanager sends it. */
export function anAlert (name = 'shop-tls', change: Partial<Alert> = {}): Alert {
  const labels = { alertname: 'CertManagerACMEOrderFailed', severity: 'warning', namespace: 'shop', certificate: name, name: `${name}-1-42`, issuer: 'letsencrypt', ...change.labels }
  return { status: 'firing', startsAt: 1_790_000_000_000, generatorURL: 'http://prometheus/graph', annotations: { summary: 'failed' }, fingerprint: fingerprint(labels), ...change, labels }
}

/** A store, a fake Slack and deliveries between them; everything is closed with the test. */
export async function deliveryWorld (t: Test, options: { env?: Record<string, string>, change?: (config: Config) => void, limits?: Partial<Limits>, interactive?: boolean, timeout?: number, fault?: FakeSlack['fault'] } = {}): Promise<DeliveryWorld> {
  const slack = await startFakeSlack()
  if (options.fault !== undefined) slack.fault = options.fault
  const dataDir = mkdtempSync(join(tmpdir(), 'acme-triage-deliveries-'))
  const config = loadConfig({ ACME_TRIAGE_DATA_DIR: dataDir, SLACK_BOT_TOKEN: 'xoxb-test', SLACK_CHANNEL: 'C1', SLACK_API_URL: slack.url, ACME_TRIAGE_PUBLIC_URL: 'https://triage.example', ...options.env })
  options.change?.(config)
  const clock = { now: Date.now }
  const store = await openStore({ dataDir, clock, flapWindow: config.slack.flapWindow })
  const begin = (more: Partial<DeliveriesOptions> = {}): Promise<Deliveries> => startDeliveries({
    config, store, clock, route: direct, ...(options.timeout === undefined ? {} : { transport: slackTransport(config.slack, direct, options.timeout)! }), log: pino({ level: process.env.TEST_LOG ?? 'silent' }), limits: { ...quick, ...options.limits }, ...(options.interactive === undefined ? {} : { interactive: options.interactive }), ...more
  })
  const world: DeliveryWorld = {
    slack, store, config, dataDir,
    deliveries: await begin(),
    async fire (alerts) {
      const list = Array.isArray(alerts) ? alerts : [alerts]
      const accepted = await store.intake.accept({
        source: 'alertmanager', receiver: 'acme', groupKey: '{}', externalUrl: 'http://alertmanager:9093', reason: '', truncated: 0, raw: '{}',
        alerts: list.map(alert => ({
          alert, notes: [],
          place: { key: `${alert.labels.namespace}/${alert.labels.certificate}`, cluster: '', namespace: alert.labels.namespace!, certificate: alert.labels.certificate!, order: alert.labels.name! }
        }))
      })
      world.deliveries.wake()
      return [...accepted.opened, ...accepted.joined]
    },
    async resolve (alert) {
      await world.fire({ ...alert, status: 'resolved', endsAt: alert.startsAt + 600_000 })
      for (const { id, state } of (await store.incidents.page({ limit: 50 })).rows) if (state === 'resolved') await world.diagnose(id)
    },
    diagnose: (incident, cause = 'http01-port80-blocked') => look(incident, cause),
    heal: (incident, why) => look(incident, 'http01-port80-blocked', why),
    async again (more) {
      await world.deliveries.stop()
      world.deliveries = await begin(more)
    }
  }
  async function look (incident: string, cause: string, healed?: string): Promise<void> {
    const row = await store.incidents.get(incident)
    const [alert] = await store.incidents.alerts(incident)
    const closed = healed === undefined ? row!.closed_at : Date.now()
    const found: FoundCause = { id: cause, confidence: 'proven', domains: ['shop.example.com'], window: '10m', summary: `port 80 is closed (${cause})`, meaning: 'Nobody gets in.', steps: [{ text: 'Open port 80.', changes: true }], evidence: [{ source: 'acme', ref: 'CA record', text: 'timeout' }] }
    const finding = makeFinding({
      incident: { id: incident, state: healed !== undefined ? 'healed' : row!.state === 'open' ? 'diagnosed' : 'resolved', ...(closed === null ? {} : { closed }), ...(healed === undefined ? {} : { fixedBy: healed }), namespace: row!.namespace, certificate: row!.certificate, order: row!.order_name, opened: row!.opened_at },
      alert: alert!, links: { report: `https://triage.example/incidents/${incident}` }, timings: { diagnosis: 1_000 },
      diagnosis: {
        format: 1, incident: { namespace: row!.namespace, certificate: row!.certificate, order: row!.order_name, domains: [] }, verdict: 'cause', causes: [found], alsoFits: [], ruledOut: [], cannotTell: [],
        unavailable: [], searched: ['5m', '10m'], anchor: { time: 1_790_000_000_000, from: 'startsAt' }, nextLooks: [], fallback: []
      }
    })
    await store.jobs.requestLook(incident)
    const job = (await store.jobs.claim(100, 60_000)).find(each => each.incident_id === incident)!
    await store.incidents.saveLook(job, {
      incident, takenAt: Date.now(), milliseconds: 10, orderUid: 'u', orderName: row!.order_name, cause, confidence: 'proven', headline: finding.headline, diagnosis: '{}',
      finding: JSON.stringify(finding), changed: true, deliveries: [], annotations: renderAnnotations(finding), ...(healed === undefined ? {} : { healed: { why: healed } })
    })
    await store.jobs.release()
    world.deliveries.wake()
  }
  t.teardown(async () => {
    await world.deliveries.stop()
    await store.close()
    await slack.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return world
}
