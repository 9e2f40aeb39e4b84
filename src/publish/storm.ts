import type { KnownBlock } from '@slack/web-api'
import type { Candidate, Delivery, DigestEntry } from '../shared/store/delivery-row.ts'
import type { Finding } from './finding.ts'
import type { SlackMessage } from './message.ts'
import { issuerOf } from './routing.ts'
import { bold, bullets, context, header, linkButtons, paragraph, plain, preformatted } from './slack/blocks.ts'
import { clip, oneLine, plural, utcMinute } from './words.ts'

/** Room for the lines of one page: Slack refuses about 13,200 characters over all blocks. */
export const pageCharacters = 11_000
const blockCharacters = 2_800
const most = 5

/** What a digest says of an incident, from its labels and, once there is one, its finding. */
export function entryOf ({ incident, labels }: Pick<Candidate, 'incident' | 'labels'>): DigestEntry {
  const finding = incident.finding === null ? undefined : JSON.parse(incident.finding) as Finding
  const host = labels.domain ?? labels.dns_name ?? labels.host ?? finding?.impact.hosts[0] ?? ''
  return {
    namespace: clip(oneLine(incident.namespace), 80),
    certificate: clip(oneLine(incident.certificate), 80),
    order: clip(oneLine(incident.order_name), 100),
    cluster: clip(oneLine(incident.cluster), 40),
    issuer: clip(oneLine(finding?.blast?.issuer.name || issuerOf(labels)), 60),
    zone: zoneOf(clip(oneLine(host), 120)),
    cause: incident.cause,
    urgency: finding?.impact.urgency ?? 'unknown',
    headline: clip(oneLine(finding?.headline ?? ''), 160),
    state: incident.state
  }
}

/** The last two labels: near enough for counting what stands together. */
function zoneOf (host: string): string {
  const labels = host.replace(/^\*\./, '').split('.').filter(part => part !== '')
  return labels.length < 2 ? '' : labels.slice(-2).join('.')
}

/** A line is given room to grow: what it says of the cause comes later and must still fit. */
export const sizeOfEntry = ({ namespace, certificate, order }: DigestEntry): number => namespace.length + certificate.length + order.length + 60

const signs: Record<string, string> = { open: '•', healed: '🟢', resolved: '✅', merged: '✅' }

/** One incident in one line. */
function lineOf ({ namespace, certificate, order, cause, state, urgency }: DigestEntry): string {
  const object = [namespace, certificate].filter(part => part !== '').join('/') || 'no object named'
  return `${signs[state] ?? '•'} ${object}${order === '' ? '' : ` order ${order}`}${state === 'open' ? clip(cause === '' ? '' : ` – ${cause}`, 48) : ` – ${state}`}${state === 'open' && urgency === 'now' ? ' ‼' : ''}`
}

/** The card of a storm: how many, why, where, and the five most urgent. */
export function renderDigest (digest: Delivery, entries: { id: string, entry: DigestEntry }[], { first, publicUrl, separate }: { first: boolean, publicUrl: string, separate: number }): SlackMessage {
  const open = entries.filter(({ entry }) => entry.state === 'open')
  const running = digest.payload.open === true
  const symbol = open.length === 0 ? '✅' : open.some(({ entry }) => entry.urgency === 'now') ? '🔴' : '🟠'
  const since = utcMinute(digest.created_at)
  const title = open.length === 0 ? `All ${entries.length} of the storm since ${since} are over` : `${plural(open.length, 'certificate')} ${open.length === 1 ? 'fails' : 'fail'} at once, since ${since}`
  const causes = groups(open, ({ cause, issuer }) => `${cause === '' ? 'cause not known yet' : cause}${issuer === '' ? '' : `, issuer ${issuer}`}`)
  const zones = groups(open.filter(({ entry }) => entry.zone !== ''), ({ zone }) => zone)
  const lead = causes[0]
  const text = `${symbol} ${title}${lead === undefined ? '.' : `: ${lead.count} of them ${lead.name}.`} Every one is named in the thread.`
  const blocks: KnownBlock[] = [
    header(`${symbol} ${title}`),
    paragraph(bold(open.length === 0 ? 'Over. ' : running ? 'Storm. ' : 'After the storm. '), plain(`${plural(entries.length, 'incident')} in this digest, ${open.length} still open${separate > 0 ? `; ${separate} more have messages of their own` : ''}. Every one is named in the thread.`))
  ]
  if (causes.length > 0) blocks.push(bullets(causes.slice(0, 6).map(({ name, count }) => [bold(`${count} × `), plain(clip(name, 200))])))
  if (zones.length > 0) blocks.push(paragraph(bold('Zones: '), plain(clip(zones.slice(0, 8).map(({ name, count }) => `${name} ${count}`).join(' · '), 600))))
  // The first post names nobody: an incident that gets a message of its own later must not stand at the root of two.
  if (!first && open.length > 0) {
    const urgent = [...open].sort((a, b) => urgencyOf(b.entry) - urgencyOf(a.entry)).slice(0, most)
    blocks.push(paragraph(bold('Most urgent: ')), bullets(urgent.map(({ entry }) => [plain(clip(`${lineOf(entry).slice(2)}${entry.headline === '' ? '' : `: ${entry.headline}`}`, 330))])))
  }
  blocks.push(...linkButtons([{ text: 'All incidents', url: `${publicUrl}/`, id: 'report' }]), context('acme-triage · digest, edited as it grows'))
  return { text: clip(text, 1_000), blocks }
}

/** Said once in the channel that a cause leads to. No names and no numbers, which would grow old: those stand in the digest. */
export function renderDigestForward ({ created_at: since }: Delivery, entries: DigestEntry[], link: string | undefined): SlackMessage {
  const causes = [...new Set(entries.map(({ cause }) => cause))].sort().join(', ')
  const text = `🟠 A storm since ${utcMinute(since)} has certificates that fail for ${clip(causes, 300)}. All of them are told in its digest${link === undefined ? '' : `: ${link}`}`
  return { text, blocks: [paragraph(plain(text)), context('acme-triage · once for each storm; incidents that outlive it get messages of their own')] }
}

/** One reply of a digest: many incidents, a line each. */
export function renderPage (page: number, entries: DigestEntry[], { plainText }: { plainText: boolean }): SlackMessage {
  const lines = entries.map(lineOf)
  const title = `Incidents of this storm, page ${page}: ${entries.length}`
  if (plainText) return { text: clip([title, ...lines].join('\n'), 3_900) }
  const blocks: KnownBlock[] = [paragraph(bold(title))]
  let block = ''
  for (const line of lines) {
    if (block.length + line.length + 1 > blockCharacters) {
      blocks.push(preformatted(block))
      block = ''
    }
    block += `${block === '' ? '' : '\n'}${line}`
  }
  if (block !== '') blocks.push(preformatted(block))
  return { text: title, blocks }
}

const urgencyOf = ({ urgency, cause }: DigestEntry): number => ['unknown', 'can wait', 'today', 'now'].indexOf(urgency) * 2 + (cause === '' ? 0 : 1)

function groups (entries: { entry: DigestEntry }[], nameOf: (entry: DigestEntry) => string): { name: string, count: number }[] {
  const counts = new Map<string, number>()
  for (const { entry } of entries) {
    const name = nameOf(entry)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
}

/**
 * Which survivors of a storm get a message of their own: those that are not one of many with the
 * same cause and issuer. The many stay one story, told by the digest.
 */
export function ownMessages (rows: Delivery[], threshold: number): Delivery[] {
  const counts = new Map<string, number>()
  const keyOf = ({ payload }: Delivery): string => `${payload.entry?.cause ?? ''}\u0000${payload.entry?.issuer ?? ''}`
  for (const row of rows) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1)
  return rows.filter(row => (counts.get(keyOf(row)) ?? 0) <= threshold)
}
