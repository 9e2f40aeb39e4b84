import { readFile } from 'node:fs/promises'
import { placeOf } from '../accept/subject.ts'
import { causeChannel, chooseChannel, issuerOf, routedCauses } from '../publish/routing.ts'
import { loadConfig } from '../shared/config/load.ts'
import { reasonOf, TriageError } from '../shared/errors.ts'

interface Options { config?: string, alert?: string, cause?: string, json?: boolean }
interface Body { alerts?: { labels?: Record<string, string> }[], labels?: Record<string, string> }

/** `acme-triage route --alert FILE`: which channel an alert goes to, why each route fits or not, and where its cause may lead. */
export async function run (_values: string[], options: Options): Promise<number> {
  if (options.alert === undefined) throw new TriageError('USAGE', { why: 'acme-triage route --alert FILE: a webhook body, one alert, or its labels as JSON' })
  const config = loadConfig(process.env, { file: options.config })
  for (const labels of await labelsOf(options.alert)) {
    const { place, note } = placeOf(labels, {}, config)
    const about = { namespace: place?.namespace ?? '', labels, issuer: issuerOf(labels), cause: options.cause ?? '', severity: labels.severity ?? '' }
    const choice = chooseChannel(config, about)
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify({ labels, ...choice })}\n`)
      continue
    }
    process.stdout.write(`${labels.alertname ?? 'alert'} of ${about.namespace || 'no namespace'} (${place?.key ?? note ?? 'no object named'}) → ${choice.channel}: ${choice.because}\n`)
    for (const { index, channel, fits, why } of choice.considered) process.stdout.write(`  ${fits ? '✓' : '✗'} slack.routes[${index}] ${channel}: ${why}\n`)
    if (about.cause !== '') continue
    for (const cause of routedCauses(config)) {
      const later = causeChannel(config, { ...about, cause })
      if (later !== undefined) process.stdout.write(`  later, if the cause is ${cause}: told once more in ${later.channel} (${later.because}), linked to this one; not for what a storm's digest tells\n`)
    }
  }
  return 0
}

async function labelsOf (file: string): Promise<Record<string, string>[]> {
  let body: unknown
  try {
    body = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new TriageError('USAGE', { why: `${file}: ${reasonOf(error)}` })
  }
  const entries = Array.isArray(body) ? body as Body[] : (body as Body).alerts ?? [body as Body]
  const list = entries.map(entry => entry.labels ?? entry as unknown as Record<string, unknown>)
  return list.map(labels => Object.fromEntries(Object.entries(labels).filter((pair): pair is [string, string] => typeof pair[1] === 'string')))
}
