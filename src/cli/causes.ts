import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { causes as catalogue } from '../diagnose/index.ts'
import { loadLocalCauses } from '../diagnose/local-causes.ts'
import { buildDiagnoser } from '../diagnose/run.ts'
import { reasonOf, TriageError } from '../shared/errors.ts'
import { replayDirectory } from './replay-case.ts'

/**
 * `acme-triage causes list` prints the catalogue; `acme-triage causes test DIR` checks site-local
 * modules and replays their cases (`DIR/cases/<id>/<situation>/`). Status 1 when one is at fault.
 */
export async function run ([action = 'list', directory]: string[]): Promise<number> {
  if (action === 'list') {
    for (const { id, variants } of catalogue) process.stdout.write(`${id}${variants.length === 0 ? '' : `  [${variants.join(', ')}]`}\n`)
    return 0
  }
  if (action !== 'test' || directory === undefined) throw new TriageError('USAGE', { why: 'causes list, or causes test DIR' })

  const { causes, faults } = await loadLocalCauses(directory, catalogue)
  const diagnoser = buildDiagnoser([...catalogue, ...causes])
  for (const { id } of causes) {
    const cases = caseDirectories(join(directory, 'cases', id))
    if (cases.length === 0) faults.push(`${id}: put a case into ${join(directory, 'cases', id)}/<situation>/`)
    for (const path of cases) {
      const fault = await faultOfCase(path, id)
      process.stdout.write(`${fault === undefined ? 'right' : 'wrong'}  ${path}\n`)
      if (fault !== undefined) faults.push(fault)
    }
  }
  for (const fault of faults) process.stdout.write(`${fault}\n`)
  process.stdout.write(`${causes.length} ${causes.length === 1 ? 'cause' : 'causes'}, ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}\n`)
  return faults.length === 0 ? 0 : 1

  async function faultOfCase (path: string, id: string): Promise<string | undefined> {
    try {
      const replayed = await replayDirectory(path)
      const [top] = diagnoser.diagnose(replayed.case).causes
      return top?.id === id ? undefined : `${id}: ${path} is diagnosed as ${top?.id ?? 'unknown'}`
    } catch (error) {
      return `${id}: ${path} cannot be replayed: ${reasonOf(error)}`
    }
  }
}

function caseDirectories (folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter(name => existsSync(join(folder, name, 'case.yaml'))).sort().map(name => join(folder, name)) : []
}
