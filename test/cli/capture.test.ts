import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { tarOf } from '../../src/collect/tar.ts'
import { readCaseDirectory } from '../../src/world/case-directory.ts'
import { openWorld } from '../../src/world/world.ts'
import { aCaseDirectory, aFailingCluster, anObject, thumbprint, token } from '../support/cluster.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const port80 = fileURLToPath(new URL('../cases/http01-port80-blocked/firewall-drops-port-80', import.meta.url))

/** Runs the program as people do; the world it looks at is served by this process. */
function call (values: string[], env: Record<string, string> = {}): Promise<{ status: number | null, out: string, errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...values], { env: { PATH: process.env.PATH, NODE_OPTIONS: '', ACME_TRIAGE_PROBES: 'off', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, errors] = ['', '']
    child.stdout.on('data', data => { out += String(data) })
    child.stderr.on('data', data => { errors += String(data) })
    child.on('error', reject)
    child.on('close', status => { resolve({ status, out, errors }) })
  })
}

const filesOf = (directory: string): string[] => readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))

t.test('what capture writes of a cluster, replay reads to the same diagnosis, and --diff tells when that changes', async t => {
  const world = await openWorld(await readCaseDirectory(port80))
  t.teardown(() => world.close())
  const directory = t.testdir({ kubeconfig: world.kubeconfig })
  const output = join(directory, 'case')
  const captured = await call(['capture', 'harbour/harbour-tls', '-o', output], { KUBECONFIG: join(directory, 'kubeconfig') })
  t.match(captured, { status: 0, out: `${output}\n`, errors: /the diagnosis now: http01-port80-blocked/ })
  for (const file of ['case.yaml', 'alerts/01.json', 'objects.yaml', 'diagnosis.json']) t.ok(existsSync(join(output, file)), file)
  t.ok(filesOf(join(output, 'logs')).length > 0, 'the log is there')
  t.notOk(world.requests.some(({ url }) => /secret/i.test(url)), 'never a Secret')

  const [first] = (await call(['replay', output, '--json'])).out.split('\n')
  const [before, after] = [JSON.parse(readFileSync(join(output, 'diagnosis.json'), 'utf8')), JSON.parse(first!)] as { causes: { id: string, confidence: string, domains: string[] }[] }[]
  t.same(after!.causes.map(({ id, confidence, domains }) => [id, confidence, domains]), before!.causes.map(({ id, confidence, domains }) => [id, confidence, domains]))

  t.match(await call(['replay', '--diff', output]), { status: 0, out: '1 compared, 0 changed\n' })
  writeFileSync(join(output, 'diagnosis.json'), JSON.stringify({ verdict: 'unknown', causes: [] }))
  const changed = await call(['replay', '--diff', output, port80])
  t.match(changed, { status: 1, out: /- unknown\n {2}\+ http01-port80-blocked \(timeout\), likely, www\.harbour\.example\.com\n/ })
  t.match(changed.out, /cannot be compared: diagnosis\.json.*\n2 compared, 1 changed, 1 unreadable\n$/s)

  t.match(await call(['capture', 'harbour/harbour-tls', '-o', output], { KUBECONFIG: join(directory, 'kubeconfig') }), { status: 2, errors: /is not empty/ })
  t.match(await call(['capture', 'harbour/nothing', '-o', join(directory, 'other')], { KUBECONFIG: join(directory, 'kubeconfig') }), { status: 1, errors: /nothing/ })
  t.match(await call(['capture', 'harbour', '-o', output]), { status: 2, errors: /NAMESPACE\/CERTIFICATE/ })
})

t.test('a capture holds no token, no key and no value of the environment', async t => {
  const world = await openWorld(aCaseDirectory({ objects: [...aFailingCluster(), anObject('v1', 'ConfigMap', 'coredns', { metadata: { namespace: 'kube-system' }, data: { key: 'unrelated' } })] }))
  t.teardown(() => world.close())
  const directory = t.testdir({ kubeconfig: world.kubeconfig })
  const output = join(directory, 'case')
  t.match(await call(['capture', 'shop/web-tls', '-o', output], { KUBECONFIG: join(directory, 'kubeconfig') }), { status: 0 })
  const written = filesOf(output).map(file => readFileSync(file, 'utf8')).join('\n')
  for (const secret of [token, thumbprint, 'sesame-open-wide', 'unrelated']) t.notMatch(written, secret)
})

t.test('the archive of a case is read by tar, long names and all', t => {
  const directory = t.testdir({})
  const long = `logs/${'n'.repeat(60)}/${'p'.repeat(120)}/controller.log`
  const files = new Map([['case.yaml', 'format: 1\n'], [long, 'ünïcode\n'.repeat(200)], ['empty', '']])
  const archive = tarOf(files, { root: 'case-1', time: Date.parse('2026-11-24T10:00:00Z') })
  t.equal(archive.length % 512, 0)
  t.ok(archive.equals(tarOf(files, { root: 'case-1', time: Date.parse('2026-11-24T10:00:00Z') })), 'the same bytes each time')
  writeFileSync(join(directory, 'case.tar'), archive)
  mkdirSync(join(directory, 'out'))
  t.equal(spawnSync('tar', ['-xf', join(directory, 'case.tar'), '-C', join(directory, 'out')]).status, 0)
  for (const [path, content] of files) t.equal(readFileSync(join(directory, 'out', 'case-1', path), 'utf8'), content, path.slice(0, 20))
  t.end()
})
