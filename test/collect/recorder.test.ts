import t from 'tap'
import { startRecorder, type Recorder } from '../../src/collect/recorder.ts'
import { openKubernetes } from '../../src/shared/clients/kubernetes.ts'
import type { RecordedState } from '../../src/shared/types/observations.ts'
import type { KubeObject } from '../../src/shared/types/kubernetes.ts'
import type { CaseDirectory } from '../../src/world/case-directory.ts'
import { openWorld, type World } from '../../src/world/world.ts'
import { aCaseDirectory, aFailingCluster, anObject, thumbprint, token } from '../support/cluster.ts'

interface Recording { world: World, recorder: Recorder, states: RecordedState[], warnings: string[], until (condition: () => boolean): Promise<void>, pruned: number[] }

/** A recorder over a world, whose pauses pass at once. */
async function record (test: { teardown (close: () => Promise<void>): void }, directory: CaseDirectory, wrongBy = 0): Promise<Recording> {
  const world = await openWorld(directory)
  const clock = { now: () => world.clock.now() + wrongBy }
  const kubernetes = openKubernetes({ kubeconfig: world.kubeconfig }, { clock })!
  const states: RecordedState[] = []
  const warnings: string[] = []
  const pruned: number[] = []
  const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
  const recorder = startRecorder({
    kubernetes, clock, keep: 1_000, maxBytes: 1_000_000,
    store: { async add (added) { states.push(...added) }, async prune (before) { pruned.push(before) } },
    warn: (fields, message) => { warnings.push(`${message} ${JSON.stringify(fields)}`) },
    // Long pauses last until the end of the test; short ones one turn of the loop.
    wait: (ms, signal) => ms < 60_000 ? turn() : new Promise(resolve => { if (signal.aborted) resolve(); else signal.addEventListener('abort', () => { resolve() }) })
  })
  test.teardown(async () => { await recorder.stop(); await kubernetes.close(); await world.close() })
  return { world, recorder, states, warnings, pruned, async until (condition) { while (!condition()) { await turn(); await recorder.flush() } } }
}

const challengeOf = (objects: KubeObject[]): KubeObject => objects.find(({ kind }) => kind === 'Challenge')!
const watched = (world: World): boolean => ['challenges', 'orders'].every(plural => world.requests.some(({ url }) => url.includes(`/${plural}?watch=true`)))
const withStatus = (object: KubeObject, status: Record<string, unknown>): KubeObject => ({ ...object, status })
const pending = (): KubeObject[] => aFailingCluster().map(object => object.kind === 'Challenge' ? withStatus(object, { state: 'pending', processing: true, presented: true, reason: 'waiting' }) : object)

t.test('every change is kept once, with its time, and solver objects while they live', async t => {
  const { world, states, until, pruned } = await record(t, aCaseDirectory({ objects: pending() }))
  await until(() => states.some(({ objects }) => objects !== undefined) && world.requests.some(({ url }) => url.includes('/challenges?watch=true')))
  const snapshot = states.find(({ objects }) => objects !== undefined)
  t.ok(snapshot?.objects?.some(({ kind }) => kind === 'Pod'))
  const challenge = challengeOf(pending())
  world.clock.advance(5_000)
  world.emit('MODIFIED', withStatus(challenge, { state: 'pending', processing: true, presented: true, reason: `wrong status at /.well-known/acme-challenge/${token}` }))
  world.emit('MODIFIED', withStatus(challenge, { state: 'invalid', reason: '403' }))
  world.emit('MODIFIED', withStatus(challenge, { state: 'invalid', reason: '403' }))
  await until(() => states.some(({ state, kind }) => kind === 'Challenge' && state === 'invalid'))
  const own = states.filter(({ kind, objects }) => kind === 'Challenge' && objects === undefined)
  t.same(own.map(({ state }) => state), ['pending', 'pending', 'invalid'])
  t.match(own[2], { at: world.clock.now(), order: 'uid-Order-web-tls-1-1234567890', dnsName: 'shop.example.com', reason: '403' })
  t.notMatch(JSON.stringify(states), token, 'no token')
  t.notMatch(JSON.stringify(states), thumbprint, 'no key authorization')
  t.equal(pruned[0], aCaseDirectory().now - 1_000)
})

for (const how of ['expired', 'clean', 'cut'] as const) {
  t.test(`a watch that ends (${how}) loses no change`, async t => {
    const { world, states, until, recorder } = await record(t, aCaseDirectory({ objects: pending() }))
    await until(() => recorder.status().every(({ watching }) => watching) && states.length > 0 && watched(world))
    world.endWatches(how)
    world.emit('MODIFIED', withStatus(challengeOf(pending()), { state: 'errored', reason: 'gone wrong' }))
    await until(() => states.some(({ reason }) => reason === 'gone wrong'))
    if (how === 'expired') t.ok(world.requests.filter(({ url }) => /\/challenges\?limit/.test(url)).length >= 2, 'listed again')
    t.equal(states.filter(({ state, objects, kind }) => kind === 'Challenge' && state === 'pending' && objects === undefined).length, 1, 'and repeats none')
  })
}

t.test('what is recorded has the time of the API, whatever ours says', async t => {
  const { world, states, until } = await record(t, aCaseDirectory({ objects: pending() }), 3_600_000)
  await until(() => states.length > 0)
  t.ok(Math.abs(states[0]!.at - world.clock.now()) < 1_000)
})

t.test('thousands of Orders are read page by page', async t => {
  const many = Array.from({ length: 120 }, (_, index) => anObject('acme.cert-manager.io/v1', 'Order', `many-${index}`, { status: { state: 'pending' } }))
  const { world, states, until } = await record(t, aCaseDirectory({ objects: [...pending(), ...many] }))
  await until(() => states.filter(({ name }) => name.startsWith('many-')).length === many.length)
  t.ok(world.requests.filter(({ url }) => url.includes('/orders?') && url.includes('continue=')).length >= 2)
  const [last] = many.slice(-1)
  await until(() => watched(world))
  world.endWatches('expired')
  world.emit('MODIFIED', withStatus(last!, { state: 'invalid', reason: 'refused' }))
  await until(() => states.some(({ reason }) => reason === 'refused'))
  t.equal(states.filter(({ name }) => name === 'many-3').length, 1, 'and known ones are not repeated when all are read again')
})

t.test('a refusal is said with the rule that is missing, and the other resource is watched', async t => {
  const { recorder, states, warnings, until } = await record(t, aCaseDirectory({ objects: pending(), api: { forbidden: [{ resource: 'orders', group: 'acme.cert-manager.io' }] } }))
  await until(() => states.some(({ kind }) => kind === 'Challenge') && recorder.status().some(({ why }) => why !== undefined))
  t.match(recorder.status().find(({ resource }) => resource.startsWith('orders')), { watching: false, fix: /resources: \["orders"\]/ })
  t.equal(warnings.filter(text => text.includes('cannot watch')).length, 1, 'once, not at each try')
})

t.test('a hot loop that changes the reason each time is kept small', async t => {
  const { world, states, until } = await record(t, aCaseDirectory({ objects: pending() }))
  await until(() => states.length > 0 && world.requests.some(({ url }) => url.includes('/challenges?watch=true')))
  const challenge = challengeOf(pending())
  for (let index = 0; index < 300; index++) world.emit('MODIFIED', withStatus(challenge, { state: 'pending', processing: true, reason: `pods "cm-acme-http-solver-${index % 2 === 0 ? 'abcde' : 'fghij'}" is forbidden` }))
  world.emit('MODIFIED', withStatus(challenge, { state: 'errored', reason: 'the end' }))
  await until(() => states.some(({ reason }) => reason === 'the end'))
  t.equal(states.filter(({ reason }) => reason.includes('is forbidden')).filter(({ objects }) => objects === undefined).length, 1)
})
