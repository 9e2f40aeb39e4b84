import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { generatedFiles, replaceSection } from '../../src/cli/generate.ts'
import { filesOfNewCause } from '../../src/cli/new-cause.ts'
import { indexSource, readmeTable } from '../../src/diagnose/catalogue.ts'
import { defineCause } from '../../src/diagnose/cause.ts'
import { faultsOf } from '../../src/diagnose/check.ts'
import { causes } from '../../src/diagnose/index.ts'
import { loadLocalCauses } from '../../src/diagnose/local-causes.ts'
import { policyFaults } from '../../src/diagnose/policy.ts'
import { buildDiagnoser } from '../../src/diagnose/run.ts'
import { aCase, aText } from '../support/builders.ts'

const plain = `export default {
  id: 'site-firewall', since: '1', stage: 'validation', needs: [], title: 'our firewall', meaning: 'It is ours.',
  remedy: [{ do: 'Look.', run: 'kubectl get pods' }],
  texts: [{ in: ['challenge'], match: 'blocked by corp firewall', confidence: 'proven' }]
}
`
const made = `export default ({ defineCause, notApplicable }) => defineCause({
  id: 'site-maker', since: '1', stage: 'validation', needs: [], title: 'a', meaning: 'b', remedy: [{ do: 'Look.', run: 'kubectl get pods' }], examine: () => notApplicable
})
`

t.test('a folder of modules joins the catalogue; a broken one costs itself only', async t => {
  const folder = t.testdir({
    'site-firewall.js': plain, 'site-maker.ts': made, 'site-other.js': plain, 'site-empty.js': 'export const x = 1\n', 'site-broken.js': 'export default {',
    'acme-rate-limited.js': plain.replace('site-firewall', 'acme-rate-limited'), 'notes.md': 'not a module'
  })
  const { causes: local, faults } = await loadLocalCauses(folder, causes)
  t.same(local.map(({ id }) => id), ['site-firewall', 'site-maker'])
  t.equal(faults.length, 4)
  t.match(faults.join('\n'), /acme-rate-limited: the catalogue has this id/)
  t.match(faults.join('\n'), /site-broken: it cannot be loaded/)
  t.match(faults.join('\n'), /site-empty: it has no default export/)
  t.match(faults.join('\n'), /site-other: it calls itself site-firewall/)
  t.match(buildDiagnoser([...causes, ...local]).diagnose(aCase({ texts: [aText('Blocked by Corp Firewall 7')] })).causes, [{ id: 'site-firewall', confidence: 'proven' }])
})

t.test('a folder that is not there is said, not thrown', async t => {
  t.match(await loadLocalCauses(join(t.testdir(), 'nowhere'), causes), { causes: [], faults: [/does not exist/] })
})

t.test('each rule of admission tells what to do', async t => {
  const good = { id: 'site-x', since: '1', stage: 'order', needs: [], title: 'a', meaning: 'b', remedy: [{ do: 'Look.', run: 'kubectl get pods' }], texts: [{ in: ['log'], match: 'x', confidence: 'likely' }] } as const
  const faults = (over: object): string[] => faultsOf(defineCause({ ...good, ...over } as never), new Set(['site-x']))
  t.same(faults({}), [])
  for (const [over, fault] of [
    [{ stage: 'never' }, /no stage/],
    [{ related: ['gone'] }, /related gone does not exist/],
    [{ texts: [] }, /can never be found/],
    [{ texts: [{ in: ['log'], match: '(?=x)', confidence: 'likely' }] }, /not RE2/],
    [{ texts: [{ in: ['log'], match: 'x', variant: 'y', confidence: 'likely' }] }, /declare it/],
    [{ title: '{unknown}' }, /nothing fills \{unknown\}/],
    [{ remedy: ['Just do it.'] }, /one command that only reads/],
    [{ remedy: [{ do: 'a', run: 'kubectl get x' }, { do: 'b', run: 'kubectl delete x' }] }, /mark `kubectl delete x`/],
    [{ remedy: [{ do: 'b', run: 'kubectl delete x', changes: true }, { do: 'a', run: 'kubectl get x' }] }, /before those that change/],
    [{ title: 'A sentence.' }, /full stop/],
    [{ meaning: 'x'.repeat(421) }, /420/]
  ] as const) t.match(faults(over), [fault], String(fault))
})

t.test('policy names causes and thresholds that exist', async t => {
  t.same(policyFaults({ 'order-orphaned': { thresholds: { patienceSeconds: 9 } }, 'clock-skew': { off: true } }, causes), [])
  t.match(policyFaults({ 'acme-rate-limit': { off: true } }, causes), [{ path: 'causes.acme-rate-limit', why: /did you mean acme-rate-limited\?/ }])
  t.match(policyFaults({ 'order-orphaned': { thresholds: { patienceSecond: 9 } } }, causes), [{ path: 'causes.order-orphaned.thresholds.patienceSecond', why: /did you mean patienceSeconds\?/ }])
  t.match(policyFaults({ 'acme-too-many-names': { thresholds: { x: 1 } } }, causes), [{ why: /has no thresholds/ }])
})

t.test('a new cause begins with a module that is loaded, found and ruled out', async t => {
  const files = filesOfNewCause('site-new')
  t.same([...files.keys()], ['src/diagnose/causes/site-new.ts', 'test/diagnose/site-new.test.ts', ...['case.yaml', 'alerts/01.json', 'objects.yaml', 'expect.yaml'].map(name => `test/cases/site-new/composed/${name}`)])
  const folder = t.testdir()
  mkdirSync(join(folder, 'causes'))
  const here = new URL('../../src/diagnose/', import.meta.url).href
  writeFileSync(join(folder, 'causes/site-new.ts'), files.get('src/diagnose/causes/site-new.ts')!.replaceAll('\'../', `'${here}`))
  const { causes: [cause], faults } = await loadLocalCauses(join(folder, 'causes'), causes)
  t.same(faults, [])
  t.equal(cause?.id, 'site-new')
})

t.test('index and table are made from ids and modules', async t => {
  t.match(indexSource(['acme-rate-limited', 'clock-skew']), /import clockSkew from '\.\/causes\/clock-skew\.ts'\n[^]*\[\n {2}acmeRateLimited,\n {2}clockSkew\n\]/)
  t.match(readmeTable(causes.filter(({ id }) => id === 'clock-skew')), /^\| id \|[^]*\| `clock-skew` \| /)
  t.equal(replaceSection('a <!-- x -->\nold\n<!-- /x --> b', 'x', 'new'), 'a <!-- x -->\nnew\n<!-- /x --> b')
  t.equal(replaceSection('no marks', 'x', 'new'), 'no marks')
  t.ok((await generatedFiles()).some(({ path, text }) => path === 'src/diagnose/index.ts' && text !== undefined))
})
