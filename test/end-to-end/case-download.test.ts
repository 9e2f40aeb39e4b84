import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { buildApp, type App } from '../../src/app.ts'
import { openWorldClients, replayConfig, replayDirectory } from '../../src/cli/replay-case.ts'
import { unpackObservations } from '../../src/packed-observations.ts'
import { buildLog } from '../../src/shared/log.ts'
import type { Diagnosis } from '../../src/shared/types/diagnosis.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import { readCaseDirectory } from '../../src/world/case-directory.ts'
import { openWorld, type World } from '../../src/world/world.ts'
import { aCaseDirectory, aFailingCluster } from '../support/cluster.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const port80 = fileURLToPath(new URL('../cases/http01-port80-blocked/firewall-drops-port-80', import.meta.url))

/** Gives way to the program until it holds. */
async function until (condition: () => Promise<boolean>): Promise<void> {
  for (const end = AbortSignal.timeout(30_000); !await condition();) {
    if (end.aborted) throw new Error('it did not happen')
    await new Promise(resolve => { setImmediate(resolve) })
  }
}

/** The whole service over a world, with a store in `dataDir`. */
async function serve (world: World, dataDir: string, { recorder = true } = {}): Promise<{ app: App, post (): Promise<void>, close (): Promise<void> }> {
  const usual = replayConfig(world)
  const config = { ...usual, dataDir, listen: { host: '127.0.0.1', port: 0 }, recorder: { ...usual.recorder, enabled: recorder } }
  const clients = openWorldClients(world, config)
  const app = await buildApp(config, { clients, clock: world.clock, log: buildLog({ level: 'silent' }) })
  return {
    app,
    async post () {
      const body = { version: '4', receiver: 'r', status: 'firing', groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: '', groupKey: '{}', truncatedAlerts: 0, ...world.directory.alerts[0] as object }
      const alerts = (body as unknown as { alerts: object[] }).alerts.map(alert => ({ annotations: {}, generatorURL: '', fingerprint: 'f', endsAt: '0001-01-01T00:00:00Z', ...alert }))
      const { statusCode } = await app.server.inject({ method: 'POST', url: '/webhook', payload: { ...body, alerts } })
      if (statusCode !== 200) throw new Error(`the webhook answered ${statusCode}`)
    },
    async close () {
      await app.close()
      await clients.close()
    }
  }
}

const first = async (app: App) => (await app.store.incidents.page({ limit: 1 })).rows[0]!

t.test('an incident is downloaded as a case and replayed to the same diagnosis, and --diff reads the store', async t => {
  const world = await openWorld(await readCaseDirectory(port80))
  const directory = t.testdir({ data: {}, out: {} })
  const { app, post, close } = await serve(world, join(directory, 'data'))
  await post()
  await until(async () => (await first(app)).looks > 0)
  const { id } = await first(app)
  const incident = await app.store.incidents.get(id)
  const page = await app.server.inject({ url: `/incidents/${id}` })
  t.match(page.body, `/incidents/${id}/case.tar`)
  const answer = await app.server.inject({ url: `/incidents/${id}/case.tar` })
  t.match(answer, { statusCode: 200, headers: { 'content-type': 'application/x-tar' } })
  t.equal((await app.server.inject({ url: '/incidents/none/case.tar' })).statusCode, 404)
  t.equal((await app.server.inject({ url: `/incidents/${id}/case.tar?look=none` })).statusCode, 404)
  const compare = () => spawnSync(process.execPath, [main, 'replay', '--diff'], { env: { PATH: process.env.PATH, ACME_TRIAGE_DATA_DIR: join(directory, 'data') }, encoding: 'utf8' })
  t.match(compare(), { status: 0, stdout: '1 compared, 0 changed\n' }, 'while the service has the store locked')
  t.same(readdirSync(join(directory, 'data')).filter(name => !name.startsWith('acme-triage.db')), [], 'and nothing is left of the copy')
  await close()
  await world.close()
  t.match(compare(), { status: 0, stdout: '1 compared, 0 changed\n' }, 'and when nobody has')

  writeFileSync(join(directory, 'case.tar'), answer.rawPayload)
  t.equal(spawnSync('tar', ['-xf', join(directory, 'case.tar'), '-C', join(directory, 'out'), '--strip-components=1']).status, 0)
  const saved = JSON.parse(incident!.diagnosis!) as Diagnosis
  const { diagnosis } = await replayDirectory(join(directory, 'out'))
  t.equal(saved.causes[0]?.id, 'http01-port80-blocked')
  t.same(diagnosis.causes.map(({ id: cause, variant, confidence, domains }) => [cause, variant, confidence, domains]), saved.causes.map(({ id: cause, variant, confidence, domains }) => [cause, variant, confidence, domains]))
  t.match(JSON.parse(readFileSync(join(directory, 'out', 'diagnosis.json'), 'utf8')), { verdict: 'cause', causes: [{ id: 'http01-port80-blocked' }] })
})

t.test('what the recorder saw outlives a restart, belongs to its own Certificate, and a refusal of it is told', async t => {
  const pending = (object: KubeObject): KubeObject => object.kind === 'Challenge' ? { ...object, status: { state: 'pending', processing: true, presented: true, reason: 'words that are overwritten later' } } : object
  const stranger: KubeObject = { apiVersion: 'acme.cert-manager.io/v1', kind: 'Order', metadata: { name: 'other-1-1', namespace: 'shop', uid: 'other-order', annotations: { 'cert-manager.io/certificate-name': 'other' } }, status: { state: 'errored', reason: 'somebody else\'s' } }
  const world = await openWorld(aCaseDirectory({ objects: [...aFailingCluster().map(pending), stranger] }))
  const dataDir = t.testdir({})
  const before = await serve(world, dataDir)
  await before.app.listen()
  await until(async () => (await before.app.store.recorder.read({ namespace: 'shop', since: 0 })).length >= 3)
  await before.close()

  for (const object of aFailingCluster().filter(({ kind }) => kind === 'Challenge')) world.emit('DELETED', object)
  const refused = await openWorld(aCaseDirectory({ objects: aFailingCluster().filter(({ kind }) => kind !== 'Challenge'), api: { forbidden: [{ resource: 'challenges', group: 'acme.cert-manager.io' }] } }))
  const after = await serve(refused, dataDir)
  await after.app.listen()
  await until(async () => refused.requests.some(({ url }) => url.includes('/challenges')))
  await after.post()
  await until(async () => (await first(after.app)).looks > 0)
  const { id } = await first(after.app)
  const observations = await unpackObservations((await after.app.store.incidents.latestObservations(id))!)
  await after.close()
  await Promise.all([world.close(), refused.close()])
  t.ok(observations.recorded.some(({ kind, reason }) => kind === 'Challenge' && reason === 'words that are overwritten later'))
  t.notOk(observations.recorded.some(({ uid }) => uid === 'other-order'), 'another Certificate\'s Order is none of its attempts')
  t.match(observations.looks.find(({ what }) => what.startsWith('the flight recorder')), { is: 'unavailable', why: /forbidden/, fix: /resources: \["challenges"\]/ })
})

t.test('a recorder that is switched off watches nothing, and nobody misses it', async t => {
  const world = await openWorld(aCaseDirectory())
  const { app, post, close } = await serve(world, t.testdir({}), { recorder: false })
  await app.listen()
  await post()
  await until(async () => (await first(app)).looks > 0)
  const observations = await unpackObservations((await app.store.incidents.latestObservations((await first(app)).id))!)
  t.notOk(world.requests.some(({ url }) => url.includes('watch=true')))
  t.same(await app.store.recorder.read({ namespace: 'shop', since: 0 }), [])
  t.same(observations.looks.filter(({ what }) => what.includes('recorder')), [])
  await close()
  await world.close()
})
