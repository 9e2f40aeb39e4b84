import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { replayDirectory } from '../../../src/cli/replay-case.ts'
import { replayAll } from '../../../src/cli/replay.ts'
import { correlate } from '../../../src/correlate/correlate.ts'
import { causes } from '../../../src/diagnose/index.ts'
import { compilePatterns } from '../../../src/diagnose/patterns.ts'
import { buildDiagnoser } from '../../../src/diagnose/run.ts'
import type { Observations } from '../../../src/shared/types/observations.ts'
import { megabytes, rounded, spread, type Row, type Section } from '../measure.ts'

const folder = fileURLToPath(new URL('../../cases', import.meta.url))

/** Recorded incidents, and what judging one costs. */
export const replay: Section = {
  name: 'replay',
  title: 'Replay and diagnosis of the cases under test/cases',
  async run (options) {
    const directories = caseDirectories(folder)
    const wanted = options.number('cases', 200)
    const many = Array.from({ length: wanted }, (_, index) => directories[index % directories.length]!)
    const observed: Observations[] = []
    for (const directory of directories.slice(0, options.number('distinct', 60))) observed.push((await replayDirectory(directory)).observations)

    const began = performance.now()
    let failed = 0
    for await (const { outcome } of replayAll(many, 4)) if ('error' in outcome) failed++
    const seconds = (performance.now() - began) / 1_000

    const { milliseconds, correlating } = judge(observed)
    const all = spread(milliseconds)
    return [
      { what: `${wanted} cases replayed, 4 side by side, world and probes included`, values: { value: rounded(wanted / seconds), unit: 'cases/s', more: `${rounded(seconds)} s, ${failed} failed` } },
      { what: `correlate + diagnose, ${milliseconds.length} cases, processor time p50`, values: { value: all.p50, unit: 'ms', more: `p99 ${all.p99}, worst ${all.max}; correlate alone p50 ${spread(correlating).p50}` }, aim: { text: 'p50 under 20 ms', met: all.p50 < 20 } },
      ...await patternsOver(observed, options.number('pattern-megabytes', 8)),
      hostile()
    ]
  }
}

/** Each case with other names, so that its words are new; code and patterns have been in use for a while. */
function judge (observed: Observations[]): { milliseconds: number[], correlating: number[] } {
  const milliseconds: number[] = []
  const correlating: number[] = []
  const { diagnose } = buildDiagnoser(causes)
  for (const observations of observed) diagnose(correlate(observations))
  for (const observations of observed) {
    const renamed = JSON.parse(JSON.stringify(observations).replaceAll('example', 'sample').replaceAll('shop', 'stall')) as Observations
    const spent = processor()
    const incident = correlate(renamed)
    correlating.push(spent())
    diagnose(incident)
    milliseconds.push(spent())
  }
  return { milliseconds, correlating }
}

/** All patterns of the catalogue over log lines of which each is new, beside ripgrep with the same patterns. */
async function patternsOver (observed: Observations[], size: number): Promise<Row[]> {
  const lines = observed.flatMap(({ logs }) => logs.flatMap(({ look }) => look.is === 'seen' ? look.value.lines.map(({ text }) => text) : [])).filter(line => line.length > 20)
  const texts: string[] = []
  for (let bytes = 0, index = 0; bytes < size * 1_000_000; index++) {
    const line = `${lines[index % lines.length]!} attempt="${index}"`
    texts.push(line)
    bytes += line.length + 1
  }
  const bytes = texts.reduce((sum, text) => sum + text.length + 1, 0)
  const patterns = compilePatterns([...causes])
  const began = performance.now()
  let hits = 0
  for (const [index, text] of texts.entries()) hits += patterns.match({ core: text, whole: text, wrapper: 'none', attempt: 'this', index, evidence: { source: 'log', ref: 'log', text } } as never).length
  const seconds = (performance.now() - began) / 1_000
  const rows: Row[] = [{ what: `${causes.reduce((sum, cause) => sum + cause.texts.length, 0)} patterns over log lines, each new`, values: { value: megabytes(bytes / seconds), unit: 'MB/s', more: `${rounded(seconds * 1_000_000 / texts.length, 0)} µs a line, ${hits} hits in ${texts.length} lines` } }]

  const place = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
  try {
    await writeFile(join(place, 'log'), texts.join('\n'))
    await writeFile(join(place, 'patterns'), causes.flatMap(cause => cause.texts.map(({ match }) => match)).filter(match => !match.includes('\\n')).map(match => match.replaceAll(/\(\?P?<\w+>/g, '(?:')).join('\n'))
    const start = performance.now()
    const { status, error, stderr } = spawnSync('rg', ['--no-config', '-c', '-i', '--regex-size-limit', '1G', '--dfa-size-limit', '1G', '-f', 'patterns', 'log'], { cwd: place, encoding: 'utf8', timeout: 60_000 })
    const took = (performance.now() - start) / 1_000
    rows.push({ what: 'the same patterns in rg', values: status === 0 || status === 1 ? { value: megabytes(bytes / took), unit: 'MB/s', more: 'tells lines that match any of them, not which' } : { value: '–', unit: '', more: error === undefined ? stderr.trim().split('\n').at(-1)!.slice(0, 100) : 'ripgrep is not installed' } })
  } finally {
    await rm(place, { recursive: true, force: true })
  }
  return rows
}

/** Text that is made to be slow, of the longest kind that is matched. */
function hostile (): Row {
  const patterns = compilePatterns([...causes])
  const words = ['acme: authorization error for ', 'urn:ietf:params:acme:error:', 'error presenting challenge: ', 'Timeout during connect ', 'dns01 nameserver ', 'a'.repeat(60), '%E2%80%AE', '\u202e<!channel>', 'no such host lookup ']
  const times: number[] = []
  for (let round = 0; round < 20; round++) {
    let text = ''
    for (let index = 0; text.length < 16_384; index++) text += words[(index * 7 + round * 3) % words.length]!
    const spent = processor()
    patterns.match({ core: text, whole: text, wrapper: 'none', attempt: 'this', index: 0, evidence: { source: 'challenge', ref: 'challenge', text } } as never)
    times.push(spent())
  }
  const { p50, max } = spread(times)
  return { what: 'hostile text of 16 kB, all patterns, processor time', values: { value: max, unit: 'ms at worst', more: `p50 ${p50} ms` }, aim: { text: 'under 50 ms', met: max < 50 } }
}

/** Milliseconds of processor time from now on: others on this machine do not count. */
function processor (): () => number {
  const began = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1_000
  }
}

function caseDirectories (path: string): string[] {
  if (existsSync(join(path, 'case.yaml'))) return [path]
  return readdirSync(path).toSorted().map(name => join(path, name)).filter(each => statSync(each).isDirectory()).flatMap(caseDirectories)
}
