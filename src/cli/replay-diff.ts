import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SavedDiagnosis } from '../collect/case-directory.ts'
import { correlate } from '../correlate/correlate.ts'
import type { Diagnoser } from '../diagnose/run.ts'
import { compileCatalogue } from '../investigate.ts'
import { unpackObservations } from '../packed-observations.ts'
import { loadConfig } from '../shared/config/load.ts'
import { reasonOf, TriageError } from '../shared/errors.ts'
import { copyStore } from '../shared/store/copy.ts'
import { openStore, type Store } from '../shared/store/store.ts'
import { replayAll } from './replay.ts'

export interface DiffOptions { json?: boolean, config?: string, concurrency: number }

/** One incident diagnosed again; `before` is what was saved when it was seen. */
interface Comparison { what: string, before: string[], after: string[] }

/** A diagnosis in lines that are the same when the reader would do the same. */
function answerLines ({ verdict, causes }: SavedDiagnosis): string[] {
  if (verdict === 'unknown') return ['unknown']
  return causes.map(({ id, variant, confidence, domains }) => [`${id}${variant === undefined ? '' : ` (${variant})`}`, confidence, ...domains].join(', '))
}

/** `acme-triage replay --diff`: what today's rules make of the incidents of the store, or of case directories with a `diagnosis.json`. Status 1 when one cannot be read. */
export async function runDiff (directories: string[], options: DiffOptions): Promise<number> {
  let [count, changed, failed] = [0, 0, 0]
  for await (const result of directories.length > 0 ? fromDirectories(directories, options) : fromStore(options)) {
    count++
    if ('error' in result) {
      failed++
      process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : `${result.what}\n  cannot be compared: ${result.error}\n`)
      continue
    }
    const same = result.before.join('\n') === result.after.join('\n')
    if (!same) changed++
    if (options.json === true) process.stdout.write(`${JSON.stringify({ ...result, changed: !same })}\n`)
    else if (!same) process.stdout.write(`${result.what}\n${[...result.before.filter(line => !result.after.includes(line)).map(line => `  - ${line}`), ...result.after.filter(line => !result.before.includes(line)).map(line => `  + ${line}`)].join('\n') || '  the same causes in another order'}\n`)
  }
  if (options.json !== true) process.stdout.write(`${count} compared, ${changed} changed${failed > 0 ? `, ${failed} unreadable` : ''}\n`)
  return failed > 0 ? 1 : 0
}

type Result = Comparison | { what: string, error: string }

async function * fromDirectories (directories: string[], { concurrency }: DiffOptions): AsyncGenerator<Result> {
  for await (const { path, outcome } of replayAll(directories, concurrency)) {
    if ('error' in outcome) { yield { what: path, error: outcome.error.message }; continue }
    try {
      const before = JSON.parse(await readFile(join(path, 'diagnosis.json'), 'utf8')) as SavedDiagnosis
      yield { what: path, before: answerLines(before), after: answerLines(outcome.diagnosis) }
    } catch (error) {
      yield { what: path, error: `diagnosis.json: ${reasonOf(error)}` }
    }
  }
}

/** The rules as they are now, with this configuration's policy, over what was seen then. A copy of the embedded store is read: the service may be using it. */
async function * fromStore ({ config: file }: DiffOptions): AsyncGenerator<Result> {
  const config = loadConfig(process.env, { file })
  const diagnoser = await compileCatalogue(config)
  const copy = config.databaseUrl === undefined ? await copyStore(config.dataDir) : undefined
  if (config.databaseUrl === undefined && copy === undefined) return
  let store: Store | undefined
  try {
    store = await openStore({ dataDir: copy?.dataDir ?? config.dataDir, databaseUrl: config.databaseUrl, clock: { now: Date.now }, flapWindow: config.slack.flapWindow })
    yield * compareAll(store, diagnoser)
  } finally {
    await store?.close()
    await copy?.remove()
  }
}

async function * compareAll (store: Store, diagnoser: Diagnoser): AsyncGenerator<Result> {
  for (const { id, incident_id: incident } of await store.incidents.keptLooks(100_000)) {
    const look = await store.incidents.keptLook(incident, { look: id })
    if (look === undefined) continue
    const what = `incident ${incident}, ${new Date(look.taken_at).toISOString().slice(0, 19)}Z`
    try {
      const observations = await unpackObservations(look.data)
      const after = diagnoser.diagnose(correlate(observations))
      const { namespace, certificate, order } = after.incident
      yield { what: `${namespace}/${certificate || order}  ${what}`, before: answerLines(JSON.parse(look.diagnosis) as SavedDiagnosis), after: answerLines(after) }
    } catch (error) {
      yield { what, error: error instanceof TriageError ? error.message : reasonOf(error) }
    }
  }
}
