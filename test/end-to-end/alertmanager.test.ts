import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { openClients } from '../../src/clients.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { buildLog } from '../../src/shared/log.ts'
import { eventually, freePort, missing, startAlertmanager } from '../support/real-alertmanager.ts'
import { startFakeSlack } from '../support/fake-slack.ts'

interface Shown { labels: Record<string, string>, annotations: Record<string, string>, startsAt: string, endsAt: string, generatorURL: string, fingerprint: string }

const skip = missing('prometheus-alertmanager')

t.test('alert → Alertmanager → webhook → Slack, and the cause stands on the alert beside what stood there', { skip }, async t => {
  const slack = await startFakeSlack()
  const port = await freePort()
  const alertmanager = await startAlertmanager(`http://127.0.0.1:${port}/webhook`)
  const dataDir = mkdtempSync(join(tmpdir(), 'acme-triage-e2e-'))
  const config = loadConfig({
    ACME_TRIAGE_DATA_DIR: dataDir, ACME_TRIAGE_LISTEN: `127.0.0.1:${port}`, ACME_TRIAGE_PROBES: 'off', SLACK_BOT_TOKEN: 'xoxb-test', SLACK_CHANNEL: 'C1', SLACK_API_URL: slack.url, ALERTMANAGER_URLS: alertmanager.url
  })
  config.alertmanager.poll = 200
  const clock = { now: Date.now }
  const log = buildLog({ level: process.env.TEST_LOG ?? 'silent', secrets: [] })
  const clients = await openClients(config, clock)
  const app = await buildApp(config, { clients, clock, log })
  await app.listen()
  t.teardown(async () => {
    await app.close()
    await clients.close()
    await alertmanager.stop()
    await slack.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const original = {
    labels: { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', certificate: 'shop-tls', name: 'shop-tls-1-42', severity: 'warning' },
    annotations: { summary: 'ACME order failed', runbook_url: 'https://runbooks.example/acme' },
    startsAt: new Date(Date.now() - 60_000).toISOString(), endsAt: new Date(Date.now() + 600_000).toISOString(), generatorURL: 'http://prometheus.example/graph?g0.expr=1'
  }
  const post = (alert: unknown) => fetch(`${alertmanager.url}/api/v2/alerts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify([alert]) })
  const shown = async (): Promise<Shown | undefined> => (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json() as Shown[])[0]
  t.equal((await post(original)).status, 200)

  await slack.until(() => slack.roots().length === 1, 'the notice')
  await slack.until(() => slack.roots()[0]!.edits > 0, 'the diagnosis')
  await slack.until(() => slack.replies(slack.roots()[0]!.ts).length === 1, 'the runbook in the thread')
  const enriched = await eventually(async () => {
    const alert = await shown()
    return alert?.annotations.acme_triage_cause === undefined ? undefined : alert
  }, 'our annotations at Alertmanager')
  t.match(enriched!.annotations, original.annotations, 'what stood there still stands')
  t.equal(enriched!.endsAt, original.endsAt, 'the alert lives as long as its sender said')
  t.equal(enriched!.startsAt, original.startsAt)
  t.equal(enriched!.generatorURL, original.generatorURL)
  t.same(enriched!.labels, original.labels)

  // The sender posts again and wipes ours: they come back.
  await post(original)
  t.equal((await shown())!.annotations.acme_triage_cause, undefined)
  await eventually(async () => (await shown())?.annotations.acme_triage_cause !== undefined, 'our annotations again')
  t.equal(slack.roots().length, 1)

  await post({ ...original, endsAt: new Date().toISOString() })
  await slack.until(() => slack.roots()[0]!.text.startsWith('Resolved'), 'the end in the message')
  t.equal(await shown(), undefined, 'and nobody has fired it again')
  t.equal(slack.roots().length, 1)
})
