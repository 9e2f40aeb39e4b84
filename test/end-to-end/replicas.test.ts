import t from 'tap'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { Service } from '../faults/service.ts'
import { startFakeSlack } from '../support/fake-slack.ts'
import { startPostgres, type Postgres } from '../support/postgres.ts'
import { eventually, freePort } from '../support/real-alertmanager.ts'

t.test('two replicas on PostgreSQL: every alert goes to both, one is killed, each incident is one message', { timeout: 290_000 }, async t => {
  let database: Postgres
  try {
    database = await startPostgres()
  } catch (error) {
    if (process.env.CI === 'true') throw error
    t.pass('two replicas on PostgreSQL', { skip: `no PostgreSQL here: ${String(error)}` })
    return
  }
  const slack = await startFakeSlack()
  const services: Service[] = []
  t.teardown(async () => {
    await Promise.all(services.map(service => service.kill('SIGTERM')))
    for (const service of services) service.remove()
    await slack.close()
    await database.stop()
  })
  const start = async (): Promise<Service> => {
    const service = new Service(await freePort(), { slack: slack.url, alertmanager: '', config: '{}', databaseUrl: database.url })
    services.push(service)
    await service.start()
    return service
  }
  const [one, two] = [await start(), await start()]

  const post = async ({ port }: Service, name: string): Promise<number | undefined> => {
    const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: name, certificate: name, severity: 'warning' }
    const body = JSON.stringify({
      version: '4', receiver: 'acme', status: 'firing', groupKey: `{}:{namespace="${name}"}`, groupLabels: {}, commonLabels: labels, commonAnnotations: {}, externalURL: 'http://alertmanager:9093', truncatedAlerts: 0,
      alerts: [{ status: 'firing', labels, annotations: {}, startsAt: '2026-01-01T00:00:00Z', endsAt: '0001-01-01T00:00:00Z', generatorURL: '', fingerprint: fingerprint(labels) }]
    })
    return (await fetch(`http://127.0.0.1:${port}/webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => undefined))?.status
  }
  const roots = (name: string) => slack.roots().filter(({ text }) => text.includes(`${name}/${name}`))
  const first = ['pair-a', 'pair-b', 'pair-c', 'pair-d']
  t.same(await Promise.all(first.flatMap(name => [post(one, name), post(two, name)])), first.flatMap(() => [200, 200]))
  await eventually(() => first.every(name => roots(name).length > 0), 'the first messages', 30_000)

  // The killed one may have taken rows with it: their leases run out and the other looks for them.
  slack.latency = 200
  const later = ['pair-e', 'pair-f', 'pair-g']
  const taken = await Promise.all(later.flatMap(name => [post(one, name), post(two, name)]))
  await one.kill()
  slack.latency = 0
  t.ok(taken.every(status => status === 200))
  await eventually(() => later.every(name => roots(name).length > 0), 'the later messages', 120_000)
  t.equal(await post(two, 'pair-a'), 200, 'a redelivery to the one that is left')
  await eventually(() => [...first, ...later].every(name => roots(name).some(({ ts }) => slack.replies(ts).some(({ text }) => text.startsWith('Runbook')))), 'the runbook in every thread', 120_000)
  for (const name of [...first, ...later]) {
    t.equal(roots(name).length, 1, name)
    t.equal(roots(name).flatMap(({ ts }) => slack.replies(ts)).filter(({ text }) => text.startsWith('Runbook')).length, 1, `${name}: one runbook`)
  }
})
