import { mkdir, readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { writeCaseDirectory } from '../collect/case-directory.ts'
import { TriageError } from '../shared/errors.ts'
import { lookNow } from './look-now.ts'

/** `acme-triage capture NAMESPACE/CERTIFICATE [-o DIR]`: what can be seen now, as a redacted case directory that `replay` reads. Status 0. */
export async function run ([subject = '']: string[], options: { config?: string, output?: string }): Promise<number> {
  const { namespace, certificate, observations, diagnosis } = await lookNow(subject, options)
  const directory = resolve(options.output ?? `case-${namespace}-${certificate}`.replace(/[^\w.-]/g, '_'))
  await emptyDirectory(directory)
  const files = await writeCaseDirectory(observations, directory, { diagnosis })
  process.stdout.write(`${directory}\n`)
  process.stderr.write(`${files.length} files; the diagnosis now: ${diagnosis.causes[0]?.id ?? 'unknown'}. Tokens, keys and credentials are replaced; host names, addresses and object names are not: look through it before you share it.\n`)
  return 0
}

async function emptyDirectory (directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  if ((await readdir(directory)).length > 0) throw new TriageError('USAGE', { why: `${directory} is not empty` })
}
