import { createHash } from 'node:crypto'
import type { Config } from '../shared/config/config.ts'
import type { DeliveryStore } from '../shared/store/deliveries.ts'
import type { Delivery } from '../shared/store/delivery-row.ts'
import type { IncidentTable } from '../shared/store/schema.ts'
import { closeFinding, isOpen, makeFinding, type Finding, type FindingInput, type FindingState } from './finding.ts'
import type { SlackMessage } from './message.ts'
import { clip, oneLine } from './words.ts'

/** The finding of an incident as it stands in the store; made from the alert alone while nobody has looked. */
export async function findingOf (store: DeliveryStore, config: Config, incident: IncidentTable, now: number, previousLink?: string): Promise<Finding> {
  const finding = await toldBy(store, config, incident, now, previousLink)
  if (incident.state !== 'merged' || incident.merged_into === null) return finding
  const survivor = await store.incident(incident.merged_into)
  return mergeFinding(finding, { name: survivor === undefined ? '' : [survivor.namespace, survivor.certificate].filter(part => part !== '').join('/'), report: `${config.publicUrl}/incidents/${incident.merged_into}` })
}

/** Two alerts were about one Certificate: the younger incident ends here and names the one that goes on. */
function mergeFinding (finding: Finding, { name, report }: { name: string, report: string }): Finding {
  const headline = `goes on in the incident of ${name === '' ? 'the same Certificate' : oneLine(name)} that began earlier`
  return { ...finding, symbol: '↪️', word: 'Merged', headline, closed: `into ${report}`, sentence: clip(`Merged: ${finding.name} ${headline}: ${report}`, 900), bullets: [], links: { ...finding.links, report } }
}

async function toldBy (store: DeliveryStore, config: Config, incident: IncidentTable, now: number, previousLink?: string): Promise<Finding> {
  const state = stateOf(incident)
  if (incident.finding !== null) {
    const finding = JSON.parse(incident.finding) as Finding
    const linked = previousLink === undefined ? finding : { ...finding, links: { ...finding.links, previous: previousLink } }
    return isOpen(state) || !isOpen(finding.incident.state) ? linked : closeFinding(linked, { state, fixedBy: incident.closed_why, ...(incident.closed_at === null ? {} : { closed: incident.closed_at }) })
  }
  const alert = await store.alert(incident.id)
  const labels = alert === undefined ? {} : JSON.parse(alert.row.labels) as Record<string, string>
  const annotations = alert === undefined ? {} : JSON.parse(alert.row.annotations) as Record<string, string>
  return makeFinding({
    incident: {
      id: incident.id,
      state,
      namespace: incident.namespace,
      certificate: incident.certificate,
      order: incident.order_name,
      ...(incident.cluster === '' ? {} : { cluster: incident.cluster }),
      opened: incident.opened_at,
      ...(incident.closed_at === null ? {} : { closed: incident.closed_at }),
      ...(alert === undefined ? {} : { alerts: alert.count, truncatedAlerts: alert.truncated })
    },
    alert: {
      status: alert?.row.status ?? 'firing',
      labels,
      annotations,
      startsAt: alert?.row.starts_at ?? incident.opened_at,
      ...(alert === undefined || alert.row.ends_at === null ? {} : { endsAt: alert.row.ends_at }),
      generatorURL: alert?.row.generator_url ?? '',
      fingerprint: alert?.row.fingerprint ?? ''
    },
    links: { ...linksOf(config, { incident: incident.id, labels, annotations, sender: alert?.externalUrl ?? '' }), ...(previousLink === undefined ? {} : { previous: previousLink }) },
    timings: { notice: Math.max(0, now - incident.opened_at) }
  })
}

/** The links of an incident: report, runbook (the cause's own first), and a silence filled in at the Alertmanager that sent it. */
export function linksOf (config: Pick<Config, 'publicUrl' | 'runbookUrl' | 'causes'>, { incident, labels, annotations, sender, cause = 'unknown' }: { incident: string, labels: Record<string, string>, annotations: Record<string, string>, sender: string, cause?: string }): FindingInput['links'] {
  const runbook = config.causes[cause]?.runbook ?? annotations.runbook_url ?? config.runbookUrl
  const matchers = Object.entries(labels)
    .filter(([name, value]) => /^(?:alertname|namespace|exported_namespace|certificate|order|name)/.test(name) && value.length <= 200)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return {
    report: `${config.publicUrl}/incidents/${incident}`,
    ...(runbook !== undefined && isWebUrl(runbook) ? { runbook } : {}),
    ...(isWebUrl(sender) && matchers.length > 0 ? { silence: `${sender.replace(/\/+$/, '')}/#/silences/new?filter=${encodeURIComponent(`{${matchers.join(',')}}`)}` } : {})
  }
}

const isWebUrl = (text: string): boolean => /^https?:\/\/[^\s<>"]+$/.test(text)

function stateOf ({ state, diagnosed_at: diagnosed }: IncidentTable): FindingState {
  if (state === 'healed') return 'healed'
  if (state === 'resolved' || state === 'merged') return 'resolved'
  return diagnosed === null ? 'noticed' : 'diagnosed'
}

/** What readers see, as far as a change of it is worth a word in the thread. */
export function shownOf (finding: Finding, message: SlackMessage): NonNullable<Delivery['payload']['shown']> {
  return {
    state: finding.incident.state,
    cause: finding.causes.map(({ id }) => id).join(','),
    urgency: finding.impact.urgency,
    hash: createHash('sha256').update(JSON.stringify([message.text, message.blocks ?? null])).digest('hex').slice(0, 16)
  }
}

const urgencies = ['unknown', 'can wait', 'today', 'now']

/** The words for the thread when a message changed; undefined when the edit says enough. */
export function noteOf (before: NonNullable<Delivery['payload']['shown']>, after: NonNullable<Delivery['payload']['shown']>, finding: Finding): { text: string, broadcast: boolean, kind: string } | undefined {
  const wasOpen = isOpen(before.state as FindingState)
  const open = isOpen(after.state as FindingState)
  if (wasOpen && !open) return { kind: 'closed', text: `${finding.symbol} ${finding.word} ${finding.closed ?? ''}`.trim(), broadcast: false }
  if (!wasOpen && open) return { kind: 'again', text: `${finding.symbol} It fires again: ${finding.name}: ${finding.headline}`, broadcast: true }
  if (!open || before.state === 'noticed') return undefined
  const worse = urgencies.indexOf(after.urgency) > Math.max(1, urgencies.indexOf(before.urgency)) && before.urgency !== 'unknown'
  if (before.cause !== after.cause && after.cause !== '') return { kind: 'cause', text: `${finding.symbol} The cause is another one now: ${finding.headline}`, broadcast: true }
  return worse ? { kind: 'urgency', text: `${finding.symbol} More urgent now: ${finding.sentence}`, broadcast: true } : undefined
}
