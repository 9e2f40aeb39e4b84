import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { buildApp } from '../../src/app.ts'
import type { Finding } from '../../src/cli/doctor.ts'
import { fit } from '../../src/publish/annotations/fit.ts'
import { ruleAnnotations } from '../../src/publish/annotations/metric-mode.ts'
import { lookAtSetup, type PeerSetup, type Setup } from '../../src/publish/annotations/setup.ts'
import { direct } from '../../src/shared/clients/route.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { buildLog } from '../../src/shared/log.ts'
import { openWorld } from '../../src/world/world.ts'
import { aCaseDirectory } from '../support/cluster.ts'
import { startFakeAlertmanager } from '../support/fake-alertmanager.ts'
import { eventually, freePort, missing, startAlertmanager, startPrometheus } from '../support/real-alertmanager.ts'

type Sender = Extract<NonNullable<Setup['prometheus']>, { ok: true }>['value']
const peer = (change: Partial<PeerSetup> = {}): PeerSetup => ({ url: 'http://am:9093', name: 'A', version: '0.34.2', peers: 1, ...change })
const sender = (change: Partial<Sender> = {}): Setup['prometheus'] => ({ ok: true, value: { version: '3.10.0', sendsToUs: false, others: 1, labelsDiffer: false, scraped: false, rule: { annotations: { summary: 's' }, labels: [], period: 90_000 }, ...change } })
const setup = (change: Partial<Setup> = {}): Setup => ({ mode: 'api', poll: 5_000, tenant: false, peers: [peer()], own: 'triage:8080', replicas: true, ...change })
const asking = { annotations: ruleAnnotations(), labels: ['name', 'namespace'] }

t.test('the mode that fits, by what stands there', async t => {
  const table: [string, Setup, string, { broken?: RegExp, change?: RegExp, better?: RegExp }][] = [
    ['an Alertmanager, nothing known of the sender', setup(), 'api', {}],
    ['an Alertmanager and a Prometheus that could send here too', setup({ prometheus: sender() }), 'api', { better: /targets: \['triage:8080'\][^]*regex: CertManagerACMEOrderFailed, action: keep/ }],
    ['a Prometheus that is too old for relabelling of single targets', setup({ prometheus: sender({ version: '2.42.0+ds' }) }), 'api', { better: /triage:8080'\]\}\]$/ }],
    ['nothing configured at all', setup({ mode: 'off', peers: [] }), 'metric', { change: /mode: metric[^]*honor_labels: true[^]*query \(printf/ }],
    ['an Alertmanager that takes no posts', setup({ peers: [peer({ closed: 'it takes no posts: HTTP 405' })], prometheus: sender() }), 'metric', { broken: /mode api needs an Alertmanager that takes posts/, change: /mode: metric/ }],
    ['… and a rule that has the annotations already', setup({ mode: 'metric', peers: [peer({ closed: 'read-only' })], prometheus: sender({ scraped: true, rule: asking }) }), 'metric', {}],
    ['the rule asks, but nobody scrapes', setup({ mode: 'metric', prometheus: sender({ rule: asking }) }), 'api', { broken: /does not scrape this service/ }],
    ['the alerts carry exported_namespace', setup({ mode: 'off', peers: [], prometheus: sender({ rule: { annotations: {}, labels: ['exported_namespace'] } }) }), 'metric', { change: /\$labels\.exported_namespace \$labels\.name/ }],
    ['Prometheus sends here too', setup({ mode: 'tee', prometheus: sender({ sendsToUs: true }) }), 'tee', {}],
    ['… and nothing is configured for it', setup({ prometheus: sender({ sendsToUs: true }) }), 'tee', { change: /^# acme-triage\nalertmanager:\n {2}mode: tee$/ }],
    ['… with other labels than Alertmanager gets', setup({ mode: 'tee', prometheus: sender({ sendsToUs: true, labelsDiffer: true }) }), 'api', { broken: /second alert/ }],
    ['tee is configured, and Prometheus does not know', setup({ mode: 'tee', prometheus: sender() }), 'api', { broken: /waits for alerts/ }],
    ['Prometheus sends here alone', setup({ mode: 'relay', prometheus: sender({ sendsToUs: true, others: 0 }) }), 'relay', {}],
    ['… and nothing passes its alerts on', setup({ prometheus: sender({ sendsToUs: true, others: 0 }) }), 'relay', { broken: /every alert of that Prometheus is lost/, change: /mode: relay/ }],
    ['relay is configured, and Prometheus does not know', setup({ mode: 'relay', prometheus: sender() }), 'api', { broken: /it sends nothing/ }]
  ]
  for (const [title, given, mode, { broken, change, better }] of table) {
    const result = fit(given)
    t.equal(result.mode, mode, title)
    const lacks = result.lacks.filter(lack => lack.broken).map(({ text }) => text).join('\n')
    if (broken === undefined) t.equal(lacks, '', `${title}: nothing is broken`)
    else t.match(lacks, broken, `${title}: what is broken`)
    if (change === undefined) t.ok(result.change === undefined || given.mode !== mode, `${title}: nothing to change`)
    else t.match(result.change, change, `${title}: what to write`)
    if (better !== undefined) t.match(result.better?.change, better, `${title}: what would be better`)
    for (const lines of [result.change, result.better?.change]) if (lines !== undefined) t.doesNotThrow(() => parse(lines.replace(/\n# the rule[^]*?\nannotations:/, '\nannotations:')), `${title}: it is YAML`)
  }
  t.match(fit(setup({ mode: 'tee', prometheus: sender() })).lacks, [{ change: /mode: tee[^]*beside the targets[^]*triage:8080/ }], 'what would complete the mode that was chosen')
  t.match(fit(setup({ mode: 'relay', prometheus: sender() })).lacks, [{ change: /mode: relay[^]*in the place of the targets/ }])
  t.match(fit(setup({ mode: 'metric', prometheus: sender() })).lacks, [{ text: /does not scrape this service, and the rule/, change: /scrape_configs:[^]*annotations:/ }])
  t.match(fit(setup({ prometheus: sender() })).why, /about 97 % of the time \(Prometheus sends again every 90 s/)
  t.match(fit(setup({ prometheus: sender({ rule: { annotations: {}, labels: [], period: 10_000 } }) })).why, /about 90 %/, 'a sender that is faster than we look')
  t.match(fit(setup({ mode: 'relay', replicas: false, prometheus: sender({ sendsToUs: true, others: 0 }) })).lacks, [{ text: /one replica/, broken: false }])
})

/** A Prometheus that says what it is told to. */
async function fakePrometheus (t: Test, answers: Record<string, unknown>): Promise<string> {
  const server = createServer((request, response) => {
    const data = answers[request.url!.replace('/api/v1/', '').split('?')[0]!]
    response.writeHead(data === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ status: data === undefined ? 'error' : 'success', data }))
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise<void>(resolve => { server.close(() => { resolve() }); server.closeAllConnections() }))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('what is looked at: peers with and without posts, targets, rule, relabelling; a part that is not told costs only itself', async t => {
  const [open, closed] = await Promise.all([startFakeAlertmanager(), startFakeAlertmanager()])
  t.teardown(async () => { await open.close(); await closed.close() })
  closed.onlyReads = true
  const rules = { groups: [{ interval: 30, rules: [{ type: 'alerting', name: 'CertManagerACMEOrderFailed', annotations: { summary: 's', only: 'here' }, alerts: [{ labels: { name: 'x', exported_namespace: 'shop' } }] }, { name: 'CertManagerACMEOrderFailed', annotations: { summary: 's' }, alerts: [] }] }] }
  const yaml = 'alerting:\n  alertmanagers:\n  - alert_relabel_configs:\n    - {source_labels: [alertname], regex: x, action: keep}\n  - scheme: http\n'
  const config = loadConfig({ ALERTMANAGER_URLS: `${open.url},${closed.url}`, ACME_TRIAGE_PUBLIC_URL: 'http://triage:8080' })
  const look = async (answers: Record<string, unknown>): Promise<Setup> => lookAtSetup(config, { prometheusUrl: await fakePrometheus(t, answers), route: direct })
  const whole = {
    alertmanagers: { activeAlertmanagers: [{ url: `${open.url}/api/v2/alerts` }, { url: 'http://triage:8080/api/v2/alerts' }] }, 'status/buildinfo': { version: '3.1.0' }, 'status/config': { yaml },
    'status/flags': { 'rules.alert.resend-delay': '1m' }, rules, query: { result: [{ value: [1, '0'] }] }
  }
  const seen = await look(whole)
  t.match(seen.peers, [{ url: open.url, version: '0.34.2', closed: undefined }, { url: closed.url, closed: /takes no posts: HTTP 405/ }])
  t.same(open.shown(), [], 'nothing was posted')
  t.same(seen.prometheus, { ok: true, value: { version: '3.1.0', sendsToUs: true, others: 1, labelsDiffer: false, scraped: true, rule: { annotations: { summary: 's' }, labels: ['exported_namespace', 'name'], period: 90_000 } } }, 'an annotation that one rule of the name lacks does not count; action keep changes no label')
  const differs = await look({ ...whole, 'status/config': { yaml: yaml.replace('action: keep', 'target_label: x') } })
  t.match(differs.prometheus, { value: { labelsDiffer: true } })
  t.same((await look({ alertmanagers: { activeAlertmanagers: null } })).prometheus, { ok: true, value: { sendsToUs: false, others: 0, labelsDiffer: false, scraped: false } })
  t.match((await look({})).prometheus, { ok: false, error: /HTTP 404 for \/api\/v1\/alertmanagers/ })
  config.alertmanager.urls = ['http://127.0.0.1:1', 'https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/alertmanager', `${open.url}/api/alertmanager/grafana`]
  t.match((await lookAtSetup(config, { route: direct })).peers, [{ unreadable: { error: String } }, { closed: /signed/ }, { closed: /no alerts from outside/ }])
})

async function doctor (env: Record<string, string>): Promise<{ findings: Finding[], status: number | null }> {
  const child = spawn(process.execPath, ['src/main.ts', 'doctor', '--json'], { env: { PATH: process.env.PATH, HOME: process.env.HOME, ACME_TRIAGE_PROBES: 'off', ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  const status = await new Promise<number | null>(resolve => { child.once('close', resolve) })
  return { findings: JSON.parse(out) as Finding[], status }
}

t.test('Events on Certificates: with the option, whether the API lets us; without it, not a word', async t => {
  const world = await openWorld(aCaseDirectory())
  t.teardown(() => world.close())
  const config = join(t.testdir({ 'config.yaml': 'kubernetes:\n  certificateEvents: true\n' }), 'config.yaml')
  const events = async (env: Record<string, string>) => (await doctor({ KUBECONFIG: await world.kubeconfigFile(), ...env })).findings.filter(({ text }) => text.includes('Events'))
  t.match(await events({ ACME_TRIAGE_CONFIG: config }), [{ ok: 'unknown', text: /may not be created in every namespace/, fix: /kubectl apply -f deploy\/optional\/certificate-events\.yaml/ }])
  t.same(await events({}), [])
})

t.test('with the real Alertmanager and Prometheus: from api to tee, metric and relay', { skip: missing('prometheus-alertmanager', 'prometheus') }, async t => {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'acme-triage-doctor-'))
  const alertmanager = await startAlertmanager(`http://127.0.0.1:${port}/webhook`)
  const config = loadConfig({ ACME_TRIAGE_DATA_DIR: directory, ACME_TRIAGE_LISTEN: `127.0.0.1:${port}`, ACME_TRIAGE_PROBES: 'off', ALERTMANAGER_URLS: alertmanager.url })
  const app = await buildApp(config, { clients: {}, clock: { now: Date.now }, log: buildLog({ level: 'silent', secrets: [] }) })
  await app.listen()
  t.teardown(async () => {
    await app.close()
    await alertmanager.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  async function stage (title: string, targets: number[], annotations: Record<string, string>, mode: Setup['mode'], check: (url: string) => Promise<void>): Promise<void> {
    const prometheus = await startPrometheus({ metricsPort: port, targets: targets.map(target => ({ port: target })), annotations })
    try {
      const ask = async (path: string): Promise<string> => (await fetch(`${prometheus.url}/api/v1/${path}`)).text()
      await eventually(async () => {
        const known = await ask('alertmanagers')
        return targets.every(target => known.includes(`:${target}/`)) && (await ask('query?query=acme_triage_queue_depth')).includes('"value"')
      }, 'its targets and a first scrape')
      config.alertmanager.mode = mode
      await check(prometheus.url)
    } catch (error) {
      t.fail(`${title}: ${String(error)}`)
    } finally {
      await prometheus.stop()
    }
  }
  const fits = (mode: string) => async (prometheusUrl: string): Promise<void> => {
    const { mode: best, change, lacks } = fit(await lookAtSetup(config, { prometheusUrl, route: direct }))
    t.same([best, change, lacks.filter(({ broken }) => broken)], [mode, undefined, []], `${mode} fits`)
  }
  const plain = { summary: 's' }
  await stage('an Alertmanager alone', [alertmanager.port], plain, 'api', fits('api'))
  await stage('a second target', [alertmanager.port, port], plain, 'tee', fits('tee'))
  await stage('a rule that asks', [alertmanager.port], ruleAnnotations(), 'metric', fits('metric'))
  await stage('everything goes here, and nothing is passed on', [port], plain, 'api', async url => {
    const { findings, status } = await doctor({ ALERTMANAGER_URLS: alertmanager.url, PROMETHEUS_URL: url })
    t.match(findings.find(({ area }) => area === 'alertmanager'), { ok: true, text: /version 0\.\d+\.\d+.*takes posts/ })
    t.match(findings.filter(({ area }) => area === 'write-back'), [{ ok: 'unknown', text: /^relay fits \(configured: api\)/, snippet: /mode: relay/ }, { ok: false, text: /every alert of that Prometheus is lost/ }])
    t.equal(status, 1)
  })
})
