import { reasonOf, TriageError } from '../shared/errors.ts'
import { diagnosisJson } from './replay-json.ts'
import { replayDirectory, type ReplayResult } from './replay-case.ts'

export interface ReplayOptions { json?: boolean, concurrency?: string, diff?: boolean, config?: string }

/** `acme-triage replay DIR…`: one verdict for each directory, in the order given. Status 1 when one cannot be read. */
export async function run (directories: string[], { json = false, concurrency, diff = false, config }: ReplayOptions): Promise<number> {
  if (directories.length === 0 && !diff) throw new TriageError('USAGE', { why: 'replay needs at least one case directory' })
  const workers = concurrency === undefined ? 4 : Number(concurrency)
  if (!Number.isInteger(workers) || workers < 1 || workers > 64) throw new TriageError('USAGE', { why: `--concurrency ${concurrency} is not a number from 1 to 64` })
  if (diff) return (await import('./replay-diff.ts')).runDiff(directories, { json, config, concurrency: workers })
  let failed = false
  for await (const { path, outcome } of replayAll(directories, workers)) {
    if ('error' in outcome) failed = true
    process.stdout.write(json ? `${JSON.stringify('error' in outcome ? { format: 1, error: outcome.error } : diagnosisJson(outcome.diagnosis))}\n` : `${textOf(path, outcome)}\n`)
  }
  return failed ? 1 : 0
}

export type ReplayOutcome = ReplayResult | { error: { code: string, message: string, hint?: string } }

/** Replays several directories side by side and yields them in the order given. */
export async function * replayAll (directories: string[], workers: number): AsyncGenerator<{ path: string, outcome: ReplayOutcome }> {
  const running: Promise<ReplayOutcome>[] = []
  let next = 0
  const start = (): void => { if (next < directories.length) running.push(attempt(directories[next++]!)) }
  for (let count = 0; count < workers; count++) start()
  for (const path of directories) {
    const outcome = await running.shift()!
    start()
    yield { path, outcome }
  }
}

async function attempt (path: string): Promise<ReplayOutcome> {
  try {
    return await replayDirectory(path)
  } catch (error) {
    if (error instanceof TriageError) return { error: { code: error.code, message: error.message, hint: error.hint } }
    return { error: { code: 'INTERNAL', message: reasonOf(error) } }
  }
}

function textOf (path: string, outcome: ReplayOutcome): string {
  if ('error' in outcome) return `${path}\n  cannot be replayed: ${outcome.error.message} [${outcome.error.code}]${outcome.error.hint === undefined ? '' : `\n  ${outcome.error.hint}`}\n`
  const { diagnosis, milliseconds } = outcome
  const { incident: { namespace, certificate, order }, verdict, causes, unavailable } = diagnosis
  const lines = [`${path}  ${namespace}/${certificate || order}  (${Math.round(milliseconds)} ms)`]
  if (verdict === 'unknown') lines.push(`  unknown: windows ${diagnosis.searched.join(', ')} searched`)
  for (const { id, variant, confidence, domains, window, summary, evidence, steps } of causes) {
    lines.push(`  ${id}${variant === undefined ? '' : ` (${variant})`}, ${confidence}, window ${window}${domains.length === 0 ? '' : `, ${domains.join(', ')}`}`, `    ${summary}`)
    const [first] = evidence
    if (first !== undefined) lines.push(`    ${first.ref}: ${first.text.replaceAll(/\s+/g, ' ').slice(0, 200)}`)
    if (steps[0] !== undefined) lines.push(`    do: ${steps[0].text}`)
  }
  if (unavailable.length > 0) lines.push(`  could not see: ${unavailable.map(({ source }) => source).join(', ')}`)
  return `${lines.join('\n')}\n`
}
