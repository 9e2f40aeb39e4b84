import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { Millis } from '../shared/types/common.ts'
import type { Observations } from '../shared/types/observations.ts'
import { acmeFile, dnsFile, httpFile } from './case-outside.ts'
import { componentOf } from './cert-manager.ts'
import { list, text } from './fields.ts'
import { redactObservations } from './redact.ts'

/** What was said of the case when it was seen, for a comparison later. Its texts stay out: they quote what redaction takes away. */
export interface SavedDiagnosis { verdict: string, causes: { id: string, variant?: string, confidence: string, domains: string[] }[] }
export interface CaseAbout { id?: string, title?: string, diagnosis?: SavedDiagnosis }

/** Files of a case directory by their path inside it; redacted, and replay reads them back to the same diagnosis. */
export function caseFiles (observations: Observations, { id, title, diagnosis }: CaseAbout = {}): Map<string, string> {
  const redacted = redactObservations(observations, { pseudonyms: true })
  const { subject } = redacted
  const name = subject.certificate?.name ?? subject.order?.name ?? 'unnamed'
  const files = new Map<string, string>()
  files.set('case.yaml', yaml({
    format: 1,
    id: id ?? `${subject.namespace ?? 'cluster'}-${name}-${new Date(redacted.now).toISOString().slice(0, 16).replace(/[:T]/g, '')}`,
    title: title ?? `What was seen of ${subject.namespace === undefined ? '' : `${subject.namespace}/`}${name}`,
    source: 'captured',
    now: iso(redacted.now),
    kubernetes: redacted.kubernetesVersion,
    certManager: versionOf(redacted),
    clusterResourceNamespace: redacted.clusterResourceNamespace,
    api: shortcomings(redacted)
  }))
  files.set('alerts/01.json', `${JSON.stringify(webhookBody(redacted), null, 1)}\n`)
  files.set('objects.yaml', redacted.objects.map(object => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n'))
  for (const { namespace, pod, container, previous, look } of redacted.logs) {
    // Names come from a cluster, but they become paths here.
    if (look.is !== 'seen' || ![namespace, pod, container].every(part => /^[a-z0-9][a-z0-9.-]*$/.test(part))) continue
    files.set(`logs/${namespace}/${pod}/${container}${previous ? '.previous' : ''}.log`, look.value.lines.map(({ time, text: line }) => time === undefined ? line : `${nanoseconds(time)} ${line}`).join('\n') + (look.value.lines.length === 0 ? '' : '\n'))
  }
  const dns = dnsFile(redacted)
  if (dns !== undefined) files.set('dns.yaml', yaml(dns))
  const http = httpFile(redacted)
  if (http !== undefined) files.set('http.yaml', yaml(http))
  const acme = acmeFile(redacted)
  if (acme !== undefined) files.set('acme.yaml', yaml(acme))
  // The recorder's memory has no place in a cluster: replay hands it over as it is.
  if (redacted.recorded.length > 0) files.set('recorded.json', `${JSON.stringify(redacted.recorded, null, 1)}\n`)
  if (diagnosis !== undefined) {
    const causes = diagnosis.causes.map(({ id: cause, variant, confidence, domains }) => ({ id: cause, variant, confidence, domains }))
    files.set('diagnosis.json', `${JSON.stringify({ verdict: diagnosis.verdict, causes }, null, 1)}\n`)
  }
  return files
}

/** Writes a case directory; answers the paths that were written. Throws what the file system throws. */
export async function writeCaseDirectory (observations: Observations, directory: string, about: CaseAbout = {}): Promise<string[]> {
  const files = caseFiles(observations, about)
  for (const [path, content] of files) {
    const target = join(directory, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content)
  }
  return [...files.keys()]
}

const yaml = (value: unknown): string => stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0, aliasDuplicateObjects: false })
const iso = (time: Millis): string => new Date(time).toISOString()
/** As the kubelet writes it, so that the world's sinceTime works on text. */
const nanoseconds = (time: Millis): string => iso(time).replace('Z', '000000Z')

const workloadKinds = new Set(['Pod', 'Deployment', 'DaemonSet', 'StatefulSet'])

function versionOf ({ objects }: Observations): string | undefined {
  for (const object of objects) {
    if (!workloadKinds.has(object.kind) || componentOf(object) !== 'controller') continue
    const spec = object.kind === 'Pod' ? object.spec : (object.spec?.template as { spec?: unknown } | undefined)?.spec
    for (const container of list(spec, 'containers')) {
      const [, version] = /:(v\d+\.\d+\.\d+[\w.-]*)/.exec(text(container, 'image')) ?? []
      if (version !== undefined) return version
    }
  }
  return undefined
}

/** What could not be seen must not be seen in replay either: refusals, missing groups, errors. */
function shortcomings ({ lists, logs }: Observations): Record<string, unknown> | undefined {
  const answered = lists.filter(({ look }) => look.is !== 'unavailable')
  if (lists.length > 0 && answered.length === 0 && lists.every(({ look }) => look.is === 'unavailable' && /cannot be reached|no Kubernetes API/.test(look.why))) return { unreachable: true }
  const forbidden: Record<string, unknown>[] = []
  const failing: Record<string, unknown>[] = []
  const missing = new Set<string>()
  for (const { resource, namespace, name, look } of lists) {
    const [plural, ...rest] = resource.split('.')
    const group = rest.join('.')
    if (look.is === 'absent' && name === undefined && group !== '') missing.add(group)
    if (look.is !== 'unavailable') continue
    // A cluster-wide refusal beside a namespaced answer is the usual Role: only the wide list was refused.
    if (namespace === undefined && answered.some(other => other.resource === resource && other.namespace !== undefined)) continue
    const row = { resource: plural, ...(group === '' ? {} : { group }), ...(namespace === undefined ? {} : { namespace }) }
    if (/forbidden|403/i.test(look.why)) forbidden.push(row)
    else failing.push({ ...row, status: 500 })
  }
  for (const { namespace, look } of logs) {
    if (look.is === 'unavailable' && /forbidden|403/i.test(look.why) && !forbidden.some(row => row.resource === 'pods' && row.namespace === namespace)) forbidden.push({ resource: 'pods/log', namespace })
  }
  const unique = (rows: Record<string, unknown>[]): Record<string, unknown>[] => [...new Map(rows.map(row => [JSON.stringify(row), row])).values()]
  const api = {
    ...(forbidden.length === 0 ? {} : { forbidden: unique(forbidden) }),
    ...(missing.size === 0 ? {} : { missing: [...missing].sort() }),
    ...(failing.length === 0 ? {} : { failing: unique(failing) })
  }
  return Object.keys(api).length === 0 ? undefined : api
}

/** The alerts as Alertmanager would post them in one group. */
function webhookBody ({ alerts, now }: Observations): Record<string, unknown> {
  const common = (field: 'labels' | 'annotations'): Record<string, string> => Object.fromEntries(Object.entries(alerts[0]?.[field] ?? {}).filter(([key, value]) => alerts.every(alert => alert[field][key] === value)))
  return {
    receiver: 'acme-triage', status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    alerts: alerts.map(({ startsAt, endsAt, ...alert }) => ({ ...alert, startsAt: iso(Math.min(startsAt, now)), endsAt: endsAt === undefined ? '0001-01-01T00:00:00Z' : iso(endsAt) })),
    groupLabels: {}, commonLabels: common('labels'), commonAnnotations: common('annotations'), externalURL: '', version: '4', groupKey: '{}:{}', truncatedAlerts: 0
  }
}
