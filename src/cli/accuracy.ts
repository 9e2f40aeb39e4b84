import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { TriageError } from '../shared/errors.ts'
import type { Diagnosis, FoundCause } from '../shared/types/diagnosis.ts'
import { readExpectation, type Expectation } from '../world/case-directory.ts'
import { replayAll } from './replay.ts'

/** How one case came out. */
export interface Judgement {
  path: string
  expectation: Expectation
  got: { id: string, variant?: string, confidence?: string }
  right: boolean
  /** One of the first three causes is right. */
  rightOfThree: boolean
  /** Undefined when the case names no variant or the cause is wrong. */
  variantRight?: boolean
  /** The failing identifiers are the expected ones; undefined when the case names none or the cause is wrong. */
  domainsRight?: boolean
  /** The worst fault there is. */
  wrongButProven: boolean
  /** Causes named below the top that are neither right nor harmless. */
  harmful: string[]
  /** What the wrong answer rests on. */
  misleading: string[]
}

const families = ['acme', 'certificate', 'issuer', 'http01', 'dns01', 'cert-manager', 'unknown'] as const

/** Compares a diagnosis with what is right. Pure. */
export function judge (path: string, diagnosis: Diagnosis, expectation: Expectation): Judgement {
  const { causes } = diagnosis
  const unknown = diagnosis.verdict === 'unknown'
  const [top] = causes
  const isRight = (cause: FoundCause | undefined): boolean => cause !== undefined && expectation.causes.includes(cause.id)
  const right = expectation.verdict === 'unknown' ? unknown : !unknown && isRight(top)
  const judged = right && top !== undefined && !unknown
  return {
    path,
    expectation,
    got: unknown || top === undefined ? { id: 'unknown' } : { id: top.id, ...(top.variant !== undefined && { variant: top.variant }), confidence: top.confidence },
    right,
    rightOfThree: right || (!unknown && causes.slice(0, 3).some(isRight)),
    ...(judged && expectation.variant !== undefined && { variantRight: top.variant === expectation.variant }),
    ...(judged && expectation.domains.length > 0 && { domainsRight: sameNames(causes.filter(isRight).flatMap(({ domains }) => domains), expectation.domains) }),
    wrongButProven: !right && !unknown && top?.confidence === 'proven',
    harmful: unknown ? [] : causes.slice(1).map(({ id }) => id).filter((id) => !expectation.causes.includes(id) && !expectation.also.includes(id)),
    misleading: right || top === undefined ? [] : top.evidence.slice(0, 3).map(({ ref, text }) => `${ref}: ${text.replaceAll(/\s+/g, ' ').slice(0, 240)}`)
  }
}

/** `npm run accuracy -- DIR…`: replays case directories, or directories of them, and says how often the answer was right. */
export async function run (given: string[], { concurrency = '4' }: { concurrency?: string }): Promise<number> {
  const directories = given.flatMap(expand)
  if (directories.length === 0) throw new TriageError('USAGE', { why: 'accuracy needs case directories, or directories of them' })
  const judgements: Judgement[] = []
  const broken: string[] = []
  for await (const { path, outcome } of replayAll(directories, Number(concurrency))) {
    if ('error' in outcome) {
      broken.push(`${path}: ${outcome.error.message} [${outcome.error.code}]`)
      continue
    }
    const expectation = await readExpectation(path)
    if (expectation === undefined) broken.push(`${path}: there is no expect.yaml to compare with`)
    else judgements.push(judge(path, outcome.diagnosis, expectation))
  }
  process.stdout.write(report(judgements, broken))
  return broken.length > 0 || judgements.some(({ right, wrongButProven }) => !right || wrongButProven) ? 1 : 0
}

/** A case directory is itself; any other directory stands for the case directories below it. */
function expand (path: string): string[] {
  if (existsSync(join(path, 'case.yaml')) || !existsSync(path)) return [path]
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name)).toSorted()
  return below.flatMap((each) => existsSync(join(each, 'case.yaml')) ? [each] : readdirSync(each, { withFileTypes: true }).some((entry) => entry.isDirectory()) ? expand(each) : [])
}

function report (judgements: Judgement[], broken: string[]): string {
  const count = (test: (judgement: Judgement) => boolean, of = judgements): number => of.filter(test).length
  const share = (part: number, whole: number): string => whole === 0 ? '–' : `${part}/${whole} (${(100 * part / whole).toFixed(1)} %)`
  const defined = (pick: (judgement: Judgement) => boolean | undefined): Judgement[] => judgements.filter((judgement) => pick(judgement) !== undefined)
  const lines = judgements.filter(({ right }) => !right).flatMap(({ path, expectation, got, misleading }) => [
    `${path}: expected ${expectation.verdict === 'unknown' ? 'unknown' : expectation.causes.join(' or ')}, got ${got.id}${got.variant === undefined ? '' : ` (${got.variant})`}${got.confidence === undefined ? '' : `, ${got.confidence}`}`,
    ...misleading.map((text) => `    ${text}`)
  ])
  const extras = judgements.filter(({ harmful }) => harmful.length > 0).map(({ path, harmful }) => `${path}: also named ${harmful.join(', ')}`)
  const variants = judgements.filter(({ variantRight }) => variantRight === false).map(({ path, expectation, got }) => `${path}: ${got.id} is ${got.variant ?? 'without variant'}, expected ${expectation.variant}`)
  const domains = judgements.filter(({ domainsRight }) => domainsRight === false).map(({ path, expectation }) => `${path}: the failing names are ${expectation.domains.join(', ')}`)
  const rows = families.map((family) => {
    const own = judgements.filter(({ expectation }) => familyOf(expectation) === family)
    return `  ${family.padEnd(14)}${share(count(({ right }) => right, own), own.length).padEnd(20)}${share(count(({ rightOfThree }) => rightOfThree, own), own.length)}`
  })
  const section = (title: string, items: string[]): string[] => items.length === 0 ? [] : [title, ...items.map((item) => `  ${item}`), '']
  return [
    ...section('Misses', lines),
    ...section('Named although they are neither right nor harmless', extras),
    ...section('Wrong variant', variants),
    ...section('Other names than the failing ones', domains),
    ...section('Not compared', broken),
    `  ${'family'.padEnd(14)}${'top 1'.padEnd(20)}top 3`,
    ...rows,
    '',
    `cases             ${judgements.length}${broken.length === 0 ? '' : `, and ${broken.length} not compared`}`,
    `top 1             ${share(count(({ right }) => right), judgements.length)}`,
    `top 3             ${share(count(({ rightOfThree }) => rightOfThree), judgements.length)}`,
    `wrong but proven  ${count(({ wrongButProven }) => wrongButProven)}`,
    `unknown           ${count(({ got }) => got.id === 'unknown')} (expected ${count(({ expectation }) => expectation.verdict === 'unknown')})`,
    `variant           ${share(count(({ variantRight }) => variantRight === true), defined(({ variantRight }) => variantRight).length)}`,
    `names             ${share(count(({ domainsRight }) => domainsRight === true), defined(({ domainsRight }) => domainsRight).length)}`,
    `harmful extras    ${extras.length}`,
    ''
  ].join('\n')
}

function familyOf ({ verdict, causes }: Expectation): typeof families[number] {
  const [id = ''] = causes
  if (verdict === 'unknown') return 'unknown'
  // The rows of the catalogue's sections, where an id does not begin with its family.
  if (id === 'clock-skew') return 'acme'
  if (id === 'wildcard-needs-dns01') return 'issuer'
  if (id === 'domain-delegation-broken') return 'http01'
  return families.find((family) => id.startsWith(`${family}-`)) ?? 'cert-manager'
}

function sameNames (some: string[], others: string[]): boolean {
  const plain = (names: string[]): string => [...new Set(names.map((name) => name.replace(/^\*\./, '').toLowerCase()))].toSorted().join()
  return plain(some) === plain(others)
}
