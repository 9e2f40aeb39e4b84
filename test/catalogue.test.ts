import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { causeFiles, indexSource, readmeTable } from '../src/diagnose/catalogue.ts'
import { faultsOf } from '../src/diagnose/check.ts'
import { causes } from '../src/diagnose/index.ts'
import { explains } from '../src/diagnose/rank.ts'
import { errorTable, replaceSection } from '../src/cli/generate.ts'
import { errors } from '../src/shared/errors.ts'
import { catalogueIds } from './catalogue-ids.ts'

const top = new URL('../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, top), 'utf8')
const ids = Object.keys(catalogueIds)
const byId = new Map(causes.map(cause => [cause.id, cause]))

/** One assertion that lists all faults at once: each line says what to do. */
const none = (faults: string[], claim: string): void => { t.same(faults, [], claim) }

none(ids.filter(id => !causeFiles().includes(id)).map(id => `write src/diagnose/causes/${id}.ts (npm run new-cause ${id})`), 'each id of the catalogue has its module')
none(causeFiles().filter(id => !(id in catalogueIds)).map(id => `add ${id} to test/catalogue-ids.ts, or remove src/diagnose/causes/${id}.ts`), 'each module stands in the catalogue')
none(read('src/diagnose/index.ts') === indexSource(causeFiles()) ? [] : ['run npm run generate'], 'index.ts lists the modules as they are')
none(causes.flatMap(({ id }, place) => id === causeFiles()[place] ? [] : [`${causeFiles()[place]}.ts calls itself ${id}: make both the same`]), 'the file name is the id')

const tests = readdirSync(new URL('test/diagnose/', top)).filter(name => name.endsWith('.test.ts')).map(name => read(`test/diagnose/${name}`)).join('\n')
none(ids.filter(id => !tests.includes(`causes/${id}.ts`) && !tests.includes(`'${id}': [`) && !tests.includes(`cause('${id}'`)).map(id => `write a table test for ${id} in test/diagnose/`), 'each cause has its table test')
none(ids.filter(id => !hasCase(id)).map(id => `put a case into test/cases/${id}/<situation>/`), 'each cause has a case of its own')

function hasCase (id: string): boolean {
  const folder = new URL(`test/cases/${id}/`, top)
  return existsSync(folder) && readdirSync(folder).some(name => existsSync(new URL(`${name}/case.yaml`, folder)) && existsSync(new URL(`${name}/expect.yaml`, folder)))
}

const readme = existsSync(new URL('README.md', top)) ? read('README.md') : ''
none(readme.includes('<!-- causes -->') && readme === replaceSection(readme, 'causes', readmeTable(causes)) ? [] : ['README.md needs <!-- causes --> … <!-- /causes -->; then run npm run generate'], 'the README lists each cause')

none(readme.includes('<!-- errors -->') && readme === replaceSection(readme, 'errors', errorTable()) ? [] : ['README.md needs <!-- errors --> … <!-- /errors -->; then run npm run generate'], 'the README lists each error')

const sources = readdirSync(new URL('src/', top), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts') && name !== 'shared/errors.ts').map(name => read(`src/${name}`)).join('\n')
none(Object.keys(errors).filter(code => !new RegExp(`\\b${code}\\b`).test(sources)).map(code => `nothing raises ${code}: remove it from src/shared/errors.ts`), 'each error of the registry is raised somewhere')

none(ids.flatMap(id => {
  const [wanted, given] = [[...catalogueIds[id]!.variants ?? []].sort(), [...byId.get(id)?.variants ?? []].sort()]
  if (id === 'cert-manager-known-bug' || !byId.has(id)) return []
  return wanted.join() === given.join() ? [] : [`${id}: variants are ${given.join(', ') || 'none'}, and should be ${wanted.join(', ') || 'none'}`]
}), 'variants are the public ones')

none(causes.flatMap(cause => faultsOf(cause, new Set(ids))), 'each module keeps the rules of admission')

const claims = new Map<string, string[]>()
for (const { id, texts } of causes) for (const { match, when, in: sources } of texts) {
  // A known defect and "no solver" share their words with the cause that they narrow; facts tell them apart.
  if (id === 'cert-manager-known-bug' || id === 'wildcard-needs-dns01') continue
  const claim = JSON.stringify([match.toLowerCase(), when ?? {}, sources])
  claims.set(claim, [...claims.get(claim) ?? [], id])
}
none([...claims].flatMap(([claim, owners]) => new Set(owners).size === 1 ? [] : [`${[...new Set(owners)].join(' and ')} both claim ${claim}: let one have it`]), 'no two causes claim the same text')

none(Object.entries(explains).flatMap(([root, list]) => [root, ...list]).map(name => name.replace(/\[.*/, '')).filter(name => !(name in catalogueIds)).map(name => `rank.ts: ${name} does not exist`), 'the table of roots names existing causes')
