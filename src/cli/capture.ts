import { mkdir, readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openClients } from '../clients.ts'
import { writeCaseDirectory } from '../collect/case-directory.ts'
import { buildInvestigate } from '../investigate.ts'
import { loadConfig, secretsOf } from '../shared/config/load.ts'
import { TriageError } from '../shared/errors.ts'
import { buildLog } from '../shared/log.ts'
import type { Alert } from '../shared/types/common.ts'

/** `acme-triage capture NAMESPACE/CERTIFICATE [-o DIR]`: what can be seen now, as a redacted case directory that `replay` reads. Status 0. */
export async function run ([subject = '']: string[], options: { config?: string, output?: string }): Promise<number> {
  const [namespace, certificate, ...rest] = subject.split('/')
  if (!namespace || !certificate || rest.length > 0) throw new TriageError('USAGE', { why: `${subject} is not NAMESPACE/CERTIFICATE` })
  const config = loadConfig(process.env, { file: options.config })
  const clock = { now: () => Date.now() }
  const log = buildLog({ level: 'error', secrets: secretsOf(config), destination: process.stderr })
  const clients = await openClients(config, clock, log)
  try {
    if (clients.kubernetes === undefined) throw new TriageError('NO_CLUSTER')
    const now = clock.now()
    const alert: Alert = { status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed', namespace, certificate }, annotations: {}, startsAt: now, generatorURL: '', fingerprint: '' }
    const { observations, diagnosis } = await buildInvestigate(config, clients, clock)([alert])
    const { subject: found, lists } = observations
    const readable = lists.some(({ resource, look }) => resource.startsWith('certificates.') && look.is !== 'unavailable')
    if (found.certificate?.uid === undefined && found.order === undefined && readable) throw new TriageError('NO_SUCH_SUBJECT', { name: certificate, namespace })
    const directory = resolve(options.output ?? `case-${namespace}-${certificate}`.replace(/[^\w.-]/g, '_'))
    await emptyDirectory(directory)
    const files = await writeCaseDirectory(observations, directory, { diagnosis })
    process.stdout.write(`${directory}\n`)
    process.stderr.write(`${files.length} files; the diagnosis now: ${diagnosis.causes[0]?.id ?? 'unknown'}. Tokens, keys and credentials are replaced; host names, addresses and object names are not: look through it before you share it.\n`)
    return 0
  } finally {
    await clients.close()
  }
}

async function emptyDirectory (directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  if ((await readdir(directory)).length > 0) throw new TriageError('USAGE', { why: `${directory} is not empty` })
}
