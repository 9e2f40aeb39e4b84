import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { judge } from '../../src/cli/accuracy.ts'
import { replayDirectory } from '../../src/cli/replay-case.ts'
import { diagnosisJson } from '../../src/cli/replay-json.ts'
import type { Diagnosis, FoundCause } from '../../src/shared/types/diagnosis.ts'
import { copyStore } from '../../src/shared/store/copy.ts'
import { openStore } from '../../src/shared/store/store.ts'
import type { Expectation } from '../../src/world/case-directory.ts'
import { makeCase, plainCase } from '../world/make-case.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const caseOf = (name: string): string => fileURLToPath(new URL(`../cases/${name}`, import.meta.url))
const port80 = caseOf('http01-port80-blocked/firewall-drops-port-80')

/** Runs the program as people do; what it printed and its exit status. */
function call (...values: string[]): Promise<{ status: number | null, lines: string[], text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...values], { env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (data) => { text += String(data) })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, lines: text.split('\n').filter((line) => line !== ''), text }))
  })
}

t.test('replay prints one line for each directory, in order, broken ones among them', async (t) => {
  const dir = t.testdir({ one: {}, two: {} })
  const broken = makeCase(`${dir}/one`, { 'case.yaml': 'format: 1\nnow: [' })
  const bare = makeCase(`${dir}/two`)
  const { status, lines } = await call('replay', bare, broken, port80, `${dir}/nowhere`, '--json', '--concurrency', '3')
  t.equal(status, 1)
  t.equal(lines.length, 4)
  const [unknown, unreadable, found, missing] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(unknown, { format: 1, verdict: 'unknown', causes: [], incident: { namespace: 'shop' } }, 'an alert alone is unknown and not a guess')
  t.match(unreadable, { format: 1, error: { code: 'CASE_YAML', message: /case\.yaml:2:\d+/ } })
  t.match(missing, { format: 1, error: { code: 'CASE_MISSING', message: String } })
  t.match(found, {
    format: 1,
    verdict: 'cause',
    incident: { namespace: 'harbour', certificate: 'harbour-tls', domains: ['www.harbour.example.com'] },
    causes: [{ id: 'http01-port80-blocked', confidence: 'proven', domains: ['www.harbour.example.com'], summary: String, evidence: [{ source: String, ref: String, text: String }] }],
    ruledOut: Array,
    unavailable: Array
  })
  const [cause] = found!['causes'] as { steps: unknown[], evidence: { time?: unknown }[] }[]
  t.ok(cause!.steps.every((step) => typeof step === 'string'), 'steps are sentences')
  t.ok(cause!.evidence.every(({ time }) => time === undefined || /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(String(time))), 'times are RFC 3339')
})

t.test('replay without --json is for people; every directory with a verdict is status 0', async (t) => {
  const { status, text } = await call('replay', port80)
  t.equal(status, 0)
  t.match(text, /harbour\/harbour-tls[^]*http01-port80-blocked/)
  t.equal((await call('replay', port80, '--concurrency', 'many')).status, 2)
})

t.test('the same case gives the same diagnosis, byte for byte, and never asks for a Secret', async (t) => {
  const [one, other] = await Promise.all([replayDirectory(port80), replayDirectory(port80)])
  t.equal(JSON.stringify(diagnosisJson(one.diagnosis)), JSON.stringify(diagnosisJson(other.diagnosis)))
  t.notMatch(one.observations.lists, [{ resource: 'secrets' }])
})

t.test('an API that refuses, fails or is gone costs what it guards and nothing else', async (t) => {
  for (const api of ['unreachable: true', 'forbidden: [{resource: "*"}]', 'failing: [{resource: "*", status: 500}]']) {
    const { diagnosis, observations } = await replayDirectory(makeCase(t.testdir({}), { 'case.yaml': `${plainCase}api: {${api}}\n` }))
    t.equal(diagnosis.verdict, 'unknown', api)
    t.ok(diagnosis.unavailable.length > 0)
    t.equal(observations.objects.length, 0)
  }
})

t.test('a store is copied whole while another writes to it', async (t) => {
  const dataDir = t.testdir({})
  t.equal(await copyStore(dataDir), undefined, 'no store, no copy')
  const open = (place: string) => openStore({ dataDir: place, clock: { now: Date.now }, flapWindow: 0 })
  const store = await open(dataDir)
  const state = (at: number) => ({ at, kind: 'Order' as const, namespace: 'shop', name: 'a', uid: 'a', state: 'pending', reason: 'x'.repeat(1_000) })
  let written = 0
  const stop = new AbortController()
  const writing = (async () => {
    // Enough for the write-ahead log to begin anew now and then.
    for (; !stop.signal.aborted; written += 20) {
      await store.recorder.add(Array.from({ length: 20 }, (_, index) => state(written + index)))
      await new Promise((resolve) => { setImmediate(resolve) })
    }
  })()
  for (let count = 0; count < 4; count++) {
    const before = written
    const copy = await copyStore(dataDir)
    const copied = await open(copy!.dataDir)
    const kept = (await copied.recorder.read({ namespace: 'shop', since: 0 })).map(({ at }) => at)
    t.equal(kept.length % 20, 0, 'whole commits')
    t.ok(kept.length >= Math.min(before, 5_000), 'all that was committed before')
    t.same(kept, kept.map((_, index) => kept[0]! + index), 'without gaps')
    await copied.close()
    await copy!.remove()
  }
  stop.abort()
  await writing
  await store.close()
})

t.test('the demo shows every step and ends by itself', async (t) => {
  const { status, text } = await call('demo')
  t.equal(status, 0)
  for (const part of [/POST \/webhook: .* answered 200/, /first message/, /the message is edited/, /reply in the thread/, /Runbook, filled in/, /acme_triage_cause: http01-port80-blocked/, /report: http:\/\/127\.0\.0\.1:\d+\/incidents\/\w+/, /alert to notice \d+ ms/]) t.match(text, part)
})

const cause = (id: string, more: Partial<FoundCause> = {}): FoundCause => ({ id, confidence: 'likely', domains: ['a.example'], window: '5m', summary: '', meaning: '', steps: [], evidence: [{ source: 'challenge', ref: 'Challenge a/b', text: 'misled' }], ...more })
const diagnosis = (...causes: FoundCause[]): Diagnosis => ({
  format: 1, incident: { namespace: '', certificate: '', order: '', domains: [] }, verdict: causes.length > 0 ? 'cause' : 'unknown', causes, alsoFits: [], ruledOut: [], cannotTell: [], unavailable: [], searched: [], anchor: { time: 0, from: '' }, nextLooks: [], fallback: []
})
const expected = (more: Partial<Expectation>): Expectation => ({ verdict: 'cause', causes: ['one'], also: ['three'], domains: [], because: '', ...more })

const judgements: [title: string, diagnosis: Diagnosis, expectation: Expectation, right: object][] = [
  ['the top cause is one of the right ones', diagnosis(cause('two')), expected({ causes: ['one', 'two'] }), { right: true, rightOfThree: true, harmful: [], misleading: [] }],
  ['a right cause below the top is right of three', diagnosis(cause('four'), cause('one')), expected({}), { right: false, rightOfThree: true, misleading: ['Challenge a/b: misled'] }],
  ['a wrong cause that calls itself proven is the worst', diagnosis(cause('four', { confidence: 'proven' })), expected({}), { right: false, wrongButProven: true }],
  ['unknown for unknown is right', diagnosis(), expected({ verdict: 'unknown', causes: [] }), { right: true, wrongButProven: false, got: { id: 'unknown' } }],
  ['a proven guess where unknown is right is the worst', diagnosis(cause('one', { confidence: 'proven' })), expected({ verdict: 'unknown', causes: [] }), { right: false, wrongButProven: true }],
  ['what is named below and may not be is counted', diagnosis(cause('one'), cause('three'), cause('five')), expected({}), { right: true, harmful: ['five'] }],
  ['variant and names are compared', diagnosis(cause('one', { variant: 'dns', domains: ['*.A.example'] })), expected({ variant: 'timeout', domains: ['a.example'] }), { variantRight: false, domainsRight: true }],
  ['another name than the failing one is seen', diagnosis(cause('one')), expected({ domains: ['b.example'] }), { right: true, domainsRight: false }]
]
for (const [title, given, expectation, right] of judgements) t.test(`accuracy: ${title}`, async (t) => t.match(judge('case', given, expectation), right))
