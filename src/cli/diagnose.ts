import { openClients } from '../clients.ts'
import { buildInvestigate } from '../investigate.ts'
import { makeFinding } from '../publish/finding.ts'
import { renderText } from '../publish/text/render.ts'
import { loadConfig, secretsOf } from '../shared/config/load.ts'
import { TriageError } from '../shared/errors.ts'
import { buildLog } from '../shared/log.ts'
import type { Alert } from '../shared/types/common.ts'

/** `acme-triage diagnose NAMESPACE/CERTIFICATE`: what the service would say now, without an alert. Status 0 when a cause was found, else 3. */
export async function run ([subject = '']: string[], options: { config?: string, json?: boolean }): Promise<number> {
  const [namespace, certificate, ...rest] = subject.split('/')
  if (!namespace || !certificate || rest.length > 0) throw new TriageError('USAGE', { why: `${subject} is not NAMESPACE/CERTIFICATE` })
  const config = loadConfig(process.env, { file: options.config })
  const clock = { now: () => Date.now() }
  const log = buildLog({ level: 'error', secrets: secretsOf(config), destination: process.stderr })
  const clients = await openClients(config, clock, log)
  try {
    if (clients.kubernetes === undefined) throw new TriageError('NO_CLUSTER')
    const now = clock.now()
    const alert: Alert = {
      status: 'firing', labels: { alertname: 'acme-triage diagnose', namespace, certificate }, annotations: {}, startsAt: now, generatorURL: '', fingerprint: ''
    }
    const { case: seen, diagnosis } = await buildInvestigate(config, clients, clock)([alert])
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify(diagnosis)}\n`)
      return diagnosis.verdict === 'cause' ? 0 : 3
    }
    const { subject: found } = seen
    if (found.certificate === undefined && found.order === undefined && !seen.chain.some(({ is }) => is === 'unavailable')) throw new TriageError('NO_SUCH_SUBJECT', { name: certificate, namespace })
    const finding = makeFinding({
      incident: { id: '', state: 'diagnosed', namespace, certificate: found.certificate?.name ?? certificate, order: found.order?.name ?? '', opened: now },
      alert, case: seen, diagnosis, links: {}, timings: { diagnosis: clock.now() - now }
    })
    process.stdout.write(`${renderText(finding)}\n`)
    return diagnosis.verdict === 'cause' ? 0 : 3
  } finally {
    await clients.close()
  }
}
