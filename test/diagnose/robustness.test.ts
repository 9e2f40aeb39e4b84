import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import t from 'tap'
import { diagnosisJson } from '../../src/cli/replay-json.ts'
import { replayDirectory } from '../../src/cli/replay-case.ts'
import { writeCaseDirectory } from '../../src/collect/case-directory.ts'
import { correlate } from '../../src/correlate/correlate.ts'
import { diagnose } from '../../src/diagnose/run.ts'
import type { Investigation } from '../../src/investigate.ts'
import type { Confidence, Diagnosis } from '../../src/shared/types/diagnosis.ts'
import type { Expectation } from '../../src/world/case-directory.ts'
import { essence, mapStrings, readMaterial, replayMaterial, type Material } from '../support/material.ts'
import { labelSpellings, withLabels } from '../support/mutate-labels.ts'
import { renameAll } from '../support/mutate-names.ts'
import { withEarlierAttempt, withNeighbour } from '../support/mutate-neighbours.ts'
import { hostile } from '../support/mutate-texts.ts'
import { shiftTime } from '../support/mutate-time.ts'
import { harmless, losses, shuffled, type Changed, type Mutation } from '../support/mutations.ts'

/** Every case and every change takes minutes: the normal run takes some of the pairs, always the same ones. */
const everything = process.env['ACME_TRIAGE_ALL_CASES'] === '1'
const root = fileURLToPath(new URL('../cases', import.meta.url))
const all = readdirSync(root).toSorted().flatMap((id) => readdirSync(join(root, id)).toSorted().map((name) => join(root, id, name)))
const sample = everything ? all : all.filter((_, index) => index % 16 === 3)
const sparse = everything ? 1 : 5

interface Known { path: string, material: Material, expectation: Expectation | undefined, base: Investigation }
const known: Known[] = []

t.before(async () => {
  await inTurn(sample, async (path) => {
    const read = await readMaterial(path)
    known.push({ path, material: read.material, expectation: read.expectation, base: await replayMaterial(read.material) })
  })
  known.sort((a, b) => a.path < b.path ? -1 : 1)
})

t.setTimeout(everything ? 7_200_000 : 240_000)

t.test('what means nothing changes nothing', async (t) => { t.same(await faults(Object.entries(harmless), unchanged), []) })

t.test('without some evidence the answer is the same, less sure, or unknown, and never another one that calls itself proven', async (t) => {
  t.same(await faults(Object.entries(losses), ({ base, expectation }, { diagnosis }) => lessSure(base.diagnosis, expectation, diagnosis)), [])
})

t.test('somebody else\'s failure, and an earlier one of the same Certificate, are not this one\'s', async (t) => {
  const others = ['acme-rate-limited', 'dns01-permission-denied', 'http01-auth-on-path', 'acme-caa-forbids-issuer']
  const materials = await Promise.all(others.map(async (id) => [id, (await readMaterial(all.find((path) => path.includes(`/${id}/`))!)).material] as const))
  const near = materials.flatMap(([id, other]): [string, Mutation][] => {
    const changed = (material: Material | undefined): Changed | undefined => material && { material }
    return [
      [`beside ${id}`, (material) => changed(withNeighbour(material, other))],
      [`beside ${id} of the same name`, (material) => changed(withNeighbour(material, other, { sameName: true }))],
      [`after ${id}`, (material) => changed(withEarlierAttempt(material, other))]
    ]
  })
  t.same(await faults(near, unchanged), [])
})

t.test('however the labels name it, it is the same object', async (t) => {
  const spellings = [...new Set(known.flatMap(({ material, base }) => Object.keys(labelSpellings(material, base.diagnosis))))]
  t.ok(spellings.length >= 16)
  const relabelled = spellings.map((spelling): [string, (material: Material, base: Diagnosis) => Changed | undefined] => [spelling, (material, base) => {
    const labels = labelSpellings(material, base)[spelling]
    return labels === undefined ? undefined : { material: withLabels(material, labels) }
  }])
  t.same(await faults(relabelled, unchanged), [])
})

t.test('any names, any order and any time give the same diagnosis', async () => {
  const changes = fc.record({ place: fc.nat(), salt: fc.string({ minLength: 1, maxLength: 6 }), seed: fc.nat(1_000), hours: fc.integer({ min: -30_000, max: 30_000 }), international: fc.boolean() })
  await fc.assert(fc.asyncProperty(changes, async ({ place, salt, seed, hours, international }) => {
    const each = known[place % known.length]!
    const { material, rename } = renameAll(shiftTime(each.material, hours * 3_600_000), { salt, international })
    const got = await replayMaterial({ ...material, directory: { ...material.directory, objects: shuffled(material.directory.objects, seed) } })
    const [before, after] = [essence(each.base.diagnosis, rename).join('\n'), essence(got.diagnosis).join('\n')]
    if (before !== after) throw new Error(`${each.path}\nwas ${before}\nis ${after}`)
  }), { numRuns: everything ? 300 : 8, seed: 20_261_124 })
})

t.test('the same case gives the same bytes, alone or among others, and so does what was captured of it', async (t) => {
  await inTurn(known.slice(0, everything ? undefined : 4), async ({ path, base }) => {
    const again = await Promise.all([replayDirectory(path), replayDirectory(path), replayDirectory(path)])
    const texts = new Set(again.map(({ diagnosis }) => JSON.stringify(diagnosisJson(diagnosis))))
    t.equal(texts.size, 1, path)
    const captured = t.testdir({})
    await writeCaseDirectory(base.observations, captured)
    t.same(essence((await replayDirectory(captured)).diagnosis), essence(base.diagnosis), `${path}, captured and replayed`)
  }, 1)
})

t.test('hostile texts in every field are survived', async (t) => {
  const spent: number[] = []
  const survive = (observations: Investigation['observations']): void => {
    const began = performance.now()
    const { verdict, causes } = diagnose(correlate(observations))
    spent.push(performance.now() - began)
    if (verdict !== 'cause' && verdict !== 'unknown' || !Array.isArray(causes)) throw new Error('no verdict')
  }
  const spoil = (text: string, before: boolean) => (value: string): string => value.includes(' ') ? before ? `${text} ${value}` : `${value} ${text}` : value
  const some = known.filter((_, index) => everything || index % 4 === 0)
  for (const { base: { observations } } of some) for (const text of hostile) survive({ ...observations, objects: mapStrings(observations.objects, spoil(text, false)), logs: mapStrings(observations.logs, spoil(text, false)) })
  fc.assert(fc.property(fc.nat(), fc.string({ unit: 'binary', maxLength: 200 }), fc.boolean(), (place, text, before) => {
    survive(mapStrings(known[place % known.length]!.base.observations, spoil(text, before)))
  }), { numRuns: 40, seed: 7 })
  spent.sort((a, b) => a - b)
  t.comment(`correlate and diagnose with hostile texts: median ${spent[spent.length >> 1]!.toFixed(1)} ms, slowest ${spent.at(-1)!.toFixed(1)} ms of ${spent.length}`)
})

/** What is wrong after each change, one line each. */
async function faults (changes: [string, (material: Material, base: Diagnosis) => Changed | undefined][], compare: (each: Known, got: Investigation, changed: Changed) => string | undefined): Promise<string[]> {
  const pairs = changes.flatMap(([name, change], row) => known.filter((_, column) => (row + column) % sparse === 0).map((each) => ({ name, change, each })))
  const found: string[] = []
  await inTurn(pairs, async ({ name, change, each }) => {
    const changed = change(structuredClone(each.material), each.base.diagnosis)
    if (changed === undefined) return
    const fault = compare(each, await replayMaterial(changed.material), changed)
    if (fault !== undefined) found.push(`${each.path.slice(root.length + 1)}, ${name}: ${fault}`)
  })
  return found.toSorted()
}

function unchanged ({ base }: Known, { diagnosis }: Investigation, { rename }: Changed): string | undefined {
  const [before, after] = [essence(base.diagnosis, rename).join(', '), essence(diagnosis).join(', ')]
  return before === after ? undefined : `was ${before}, is ${after}`
}

const sureness: Record<Confidence, number> = { possible: 1, likely: 2, proven: 3 }

/** The causes that were there, no surer than they were, or what may be named beside them; others may at most be suspected. */
function lessSure ({ causes }: Diagnosis, expectation: Expectation | undefined, after: Diagnosis): string | undefined {
  const may = [...expectation?.causes ?? [], ...expectation?.also ?? []]
  const wrong = after.causes.filter(({ id, confidence }) => {
    const before = causes.find((cause) => cause.id === id)
    return before === undefined ? confidence === 'proven' && !may.includes(id) : sureness[confidence] > sureness[before.confidence]
  })
  return wrong.length === 0 ? undefined : wrong.map(({ id, confidence, evidence }) => `${id} ${confidence} (${evidence[0]?.text.slice(0, 120)})`).join(', ')
}

/** A few at a time. */
async function inTurn<T> (items: readonly T[], work: (item: T) => Promise<void>, workers = 3): Promise<void> {
  const waiting = items.values()
  await Promise.all(Array.from({ length: workers }, async () => { for (const item of waiting) await work(item) }))
}
