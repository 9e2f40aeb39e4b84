import { makeFinding } from '../publish/finding.ts'
import { renderText } from '../publish/text/render.ts'
import { lookNow } from './look-now.ts'

/** `acme-triage diagnose NAMESPACE/CERTIFICATE`: what the service would say now, without an alert. Status 0 when a cause was found, else 3. */
export async function run ([subject = '']: string[], options: { config?: string, json?: boolean }): Promise<number> {
  const { namespace, certificate, alert, case: seen, diagnosis, began, took } = await lookNow(subject, options)
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(diagnosis)}\n`)
  } else {
    const finding = makeFinding({
      incident: { id: '', state: 'diagnosed', namespace, certificate: seen.subject.certificate?.name ?? certificate, order: seen.subject.order?.name ?? '', opened: began },
      alert, case: seen, diagnosis, links: {}, timings: { diagnosis: took }
    })
    process.stdout.write(`${renderText(finding)}\n`)
  }
  return diagnosis.verdict === 'cause' ? 0 : 3
}
