import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { startFakeSlack } from '../support/fake-slack.ts'
import { startPostgres, type Postgres } from '../support/postgres.ts'
import { eventually, freePort } from '../support/real-alertmanager.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

t.test('two replicas on PostgreSQL: every alert goes to both, one is killed, each incident is one message', { timeout: 290_000 }, async t => {
  const home = mkdtempSync(join(tmpdir(), 'acme-triage-replicas-home-'))
  t.teardown(() => { rmSync(home, { recursive: true, force: true }) })
  let database: Postgres
  try {
    database = await startPostgres()
  } catch (error) {
    if (process.env.CI === 'true') throw error
    t.pass('two replicas on PostgreSQL', { skip: `no PostgreSQL here: ${String(error)}` })
    return
  }
  const slack = await startFakeSlack()
  const children: ChildProcess[] = []
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>(resolve => { child.once('exit', () => { resolve() }) })
    child.kill(signal)
    await ended
  }
  t.teardown(async () => {
    await Promise.all(children.map(child => end(child, 'SIGTERM')))
    await slack.close()
    await database.stop()
  })
  const start = async (): Promise<{ url: string, child: ChildProcess }> => {
    const own = await freePort()
    const child = spawn(process.execPath, [main, 'serve'], {
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH ?? '', HOME: home, DATABASE_URL: database.url, ACME_TRIAGE_LISTEN: `127.0.0.1:${own}`, ACME_TRIAGE_PROBES: 'off', ACME_TRIAGE_DATA_DIR: join(home, `own-${own}`),
        SLACK_BOT_TOKEN: 'xoxb-test', SLACK_CHANNEL: 'C1', SLACK_API_URL: slack.url, NODE_NO_WARNINGS: '1'
      }
    })
    children.push(child)
    const url = `http://127.0.0.1:${own}`
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`the replica ended with ${child.exitCode}`)
      return (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true
    }, 'the replica to be ready', 60_000)
    return { url, child }
  }
  const [one, two] = [await start(), await start()]

  const post = async (url: string, name: string): Promise<number | undefined> => {
    const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: name, certificate: name, severity: 'warning' }
    const body = JSON.stringify({
      version: '4', receiver: 'acme', status: 'firing', groupKey: `{}:{namespace="${name}"}`, groupLabels: {}, commonLabels: labels, commonAnnotations: {}, externalURL: 'http://alertmanager:9093', truncatedAlerts: 0,
      alerts: [{ status: 'firing', labels, annotations: {}, startsAt: '2026-01-01T00:00:00Z', endsAt: '0001-01-01T00:00:00Z', generatorURL: '', fingerprint: fingerprint(labels) }]
    })
    return (await fetch(`${url}/webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => undefined))?.status
  }
  const roots = (name: string) => slack.roots().filter(({ text }) => text.includes(`${name}/${name}`))
  const first = ['pair-a', 'pair-b', 'pair-c', 'pair-d']
  t.same(await Promise.all(first.flatMap(name => [post(one.url, name), post(two.url, name)])), first.flatMap(() => [200, 200]))
  await eventually(() => first.every(name => roots(name).length > 0), 'the first messages', 30_000)

  // The killed one may have taken rows with it: their leases run out and the other looks for them.
  slack.latency = 200
  const later = ['pair-e', 'pair-f', 'pair-g']
  const taken = await Promise.all(later.flatMap(name => [post(one.url, name), post(two.url, name)]))
  await end(one.child, 'SIGKILL')
  slack.latency = 0
  t.ok(taken.every(status => status === 200))
  await eventually(() => later.every(name => roots(name).length > 0), 'the later messages', 120_000)
  t.equal(await post(two.url, 'pair-a'), 200, 'a redelivery to the one that is left')
  await eventually(() => [...first, ...later].every(name => roots(name).some(({ ts }) => slack.replies(ts).some(({ text }) => text.startsWith('Runbook')))), 'the runbook in every thread', 120_000)
  for (const name of [...first, ...later]) {
    t.equal(roots(name).length, 1, name)
    t.equal(roots(name).flatMap(({ ts }) => slack.replies(ts)).filter(({ text }) => text.startsWith('Runbook')).length, 1, `${name}: one runbook`)
  }
})
