import { openClients } from '../clients.ts'
import { buildInvestigate, type Investigation } from '../investigate.ts'
import { loadConfig } from '../shared/config/load.ts'
import { reasonOf, TriageError } from '../shared/errors.ts'
import type { Alert, Millis } from '../shared/types/common.ts'

/** A look at a Certificate that nobody sent an alert about. */
export interface LookedAt extends Investigation { namespace: string, certificate: string, alert: Alert, began: Millis, took: Millis }

/** Looks at `NAMESPACE/CERTIFICATE` as the service would; throws USAGE, NO_CLUSTER or NO_SUCH_SUBJECT. */
export async function lookNow (subject: string, options: { config?: string }): Promise<LookedAt> {
  const [namespace, certificate, ...rest] = subject.split('/')
  if (!namespace || !certificate || rest.length > 0) throw new TriageError('USAGE', { why: `${subject} is not NAMESPACE/CERTIFICATE` })
  const config = loadConfig(process.env, { file: options.config })
  const clock = { now: () => Date.now() }
  const clients = await openClients(config, clock)
  try {
    if (clients.kubernetes === undefined) throw new TriageError('NO_CLUSTER', { why: clients.unavailable === undefined ? 'none is configured' : reasonOf(clients.unavailable) })
    const began = clock.now()
    const alert: Alert = { status: 'firing', labels: { alertname: 'CertManagerACMEOrderFailed', namespace, certificate }, annotations: {}, startsAt: began, generatorURL: '', fingerprint: '' }
    const investigation = await buildInvestigate(config, clients, clock)([alert])
    const { subject: found, lists } = investigation.observations
    const readable = lists.some(({ resource, look }) => resource.startsWith('certificates.') && look.is !== 'unavailable')
    if (found.certificate?.uid === undefined && found.order === undefined && readable) throw new TriageError('NO_SUCH_SUBJECT', { name: certificate, namespace })
    return { ...investigation, namespace, certificate, alert, began, took: clock.now() - began }
  } finally {
    await clients.close()
  }
}
