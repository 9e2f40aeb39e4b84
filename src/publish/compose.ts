import type { KnownBlock } from '@slack/web-api'
import type { Config } from '../shared/config/config.ts'
import type { Clock } from '../shared/types/common.ts'
import type { DeliveryStore } from '../shared/store/deliveries.ts'
import type { Delivery, DeliveryPayload, NewDelivery } from '../shared/store/delivery-row.ts'
import type { IncidentTable } from '../shared/store/schema.ts'
import type { Finding } from './finding.ts'
import { hasPlace } from './slack/transport.ts'
import type { SlackFile, SlackMessage, SlackPlace, Transport } from './message.ts'
import { paragraph, plain } from './slack/blocks.ts'
import { renderRoot, renderThread } from './slack/render.ts'
import { findingOf, noteOf, shownOf } from './story.ts'
import { renderDigest, renderDigestForward, renderPage } from './storm.ts'
import { causeChannel, issuerOf, routedCauses } from './routing.ts'

/** A message ready to go, and what the store is to know once it has gone. */
export interface Composed {
  message: SlackMessage
  /** What readers see once it has gone. */
  revision: number
  payload: DeliveryPayload
  /** The message whose thread it belongs to. */
  thread?: SlackPlace
  broadcast?: boolean
  /** Rows that follow from it. */
  also: NewDelivery[]
  finding?: Finding
  incident?: IncidentTable
}

/** Nothing to send: it is told elsewhere, must wait for another message, or has lost its point. */
export type Composition = Composed | { skip: 'told' | 'wait' | 'obsolete' }

export interface ComposeContext { store: DeliveryStore, config: Config, transport: Transport, clock: Clock, interactive: boolean }

/** Makes the message of a row from the store as it stands now, never from what was queued. */
export async function compose (context: ComposeContext, row: Delivery): Promise<Composition> {
  const made = row.kind === 'slack-root' ? await composeRoot(context, row)
    : row.kind === 'slack-thread' ? await composeThread(context, row)
    : row.kind === 'slack-forward' ? await composeForward(context, row)
    : row.kind === 'slack-note' ? await composeNote(context, row)
    : row.kind === 'slack-digest' ? await composeDigest(context, row)
    : row.kind === 'slack-digest-page' ? await composePage(context, row)
    : row.kind === 'slack-digest-forward' ? await composeDigestForward(context, row)
    : { skip: 'obsolete' as const }
  if ('skip' in made) return made
  const metadata = { incidentId: row.incident_id, deliveryId: deliveryId(row), revision: made.revision }
  // Plain text is the second try after blocks were refused; metadata may have been the reason too.
  return { ...made, message: row.payload.plain === true ? { text: made.message.text } : { ...made.message, metadata } }
}

/** Told apart by generation: a message that was deleted and posted anew is another one. */
export const deliveryId = ({ id, payload }: Delivery): string => `${id}.${payload.generation ?? 0}`

/** Where a message stands. */
export const placeOf = ({ external_channel: channel, external_id: ts }: Delivery): SlackPlace => ({ channel, ts })

async function composeRoot (context: ComposeContext, row: Delivery): Promise<Composition> {
  const { store, config, clock, transport } = context
  const incident = await store.incident(row.incident_id)
  if (incident === undefined) return { skip: 'obsolete' }
  const now = clock.now()
  const previous = row.payload.previous ?? await previousLink(store, transport, incident)
  const finding = await findingOf(store, config, incident, now, previous)
  const message = withActions(context, renderRoot(finding), finding, row, incident)
  const shown = shownOf(finding, message)
  const also: NewDelivery[] = []
  if (transport.can.thread && incident.diagnosed_at !== null) {
    also.push({ incident: incident.id, kind: 'slack-thread', target: row.target, uniqueKey: `slack-thread:${incident.id}`, wanted: incident.revision })
  }
  // A picture needs something to show; it is made when its turn comes.
  if (transport.can.file && incident.state === 'open' && finding.timeline.length > 1) {
    also.push({ incident: incident.id, kind: 'slack-file', target: row.target, uniqueKey: `slack-file:${incident.id}`, wanted: incident.revision })
  }
  const before = row.state === 'sent' ? row.payload.shown : undefined
  const note = before === undefined ? undefined : noteOf(before, shown, finding)
  if (note !== undefined && transport.can.thread) {
    also.push({
      incident: incident.id, kind: 'slack-note', target: row.target, uniqueKey: `slack-note:${incident.id}:${note.kind}:${incident.revision}`, wanted: 1,
      payload: { text: note.text, broadcast: note.broadcast }
    })
  }
  const calls = mentionOf(config, finding, row, now)
  if (calls !== undefined && transport.can.thread) {
    also.push({ incident: incident.id, kind: 'slack-note', target: row.target, uniqueKey: `slack-note:${incident.id}:mention`, wanted: 1, payload: { text: finding.impact.text, mention: calls } })
  }
  const elsewhere = transport.can.thread && transport.can.edit ? await elsewhereOf(context, row, incident) : undefined
  if (elsewhere !== undefined) {
    also.push(
      { incident: incident.id, kind: 'slack-forward', target: elsewhere.channel, uniqueKey: `slack-forward:${incident.id}`, wanted: incident.revision },
      {
        incident: incident.id, kind: 'slack-note', target: row.target, uniqueKey: `slack-note:${incident.id}:forward`, wanted: 1,
        payload: /^[CG][A-Z0-9]+$/.test(elsewhere.channel) ? { text: `Also told there (${elsewhere.because}).`, mention: `<#${elsewhere.channel}>` } : { text: `Also told in ${elsewhere.channel} (${elsewhere.because}).` }
      }
    )
  }
  return {
    message,
    revision: incident.revision,
    payload: { shown, ...(previous === undefined ? {} : { previous }), ...(calls === undefined ? {} : { mentioned: true }), ...(elsewhere === undefined ? {} : { forwarded: elsewhere.channel }) },
    also,
    finding,
    incident
  }
}

/** The channel of the cause, when it is another one than where the notice went. Told once: a cause that changes later moves nothing. */
export async function elsewhereOf ({ store, config }: Pick<ComposeContext, 'store' | 'config'>, { target, payload }: Delivery, { id, namespace, state, cause }: IncidentTable): Promise<{ channel: string, because: string } | undefined> {
  if (payload.forwarded !== undefined || state !== 'open' || cause === '' || routedCauses(config).length === 0) return undefined
  const alert = await store.alert(id)
  const labels = alert === undefined ? {} : JSON.parse(alert.row.labels) as Record<string, string>
  const choice = causeChannel(config, { namespace, labels, issuer: issuerOf(labels), cause, severity: Object.hasOwn(labels, 'severity') ? labels.severity! : '' })
  return choice === undefined || choice.channel === target ? undefined : choice
}

/** The same story in the channel of its cause, edited like the first message and linked to its thread. */
async function composeForward ({ store, config, clock, transport }: ComposeContext, row: Delivery): Promise<Composition> {
  const incident = await store.incident(row.incident_id)
  if (incident === undefined) return { skip: 'obsolete' }
  const place = await rootPlace(store, row)
  if ('skip' in place) return place
  const thread = row.payload.previous ?? await transport.permalink(place)
  const finding = await findingOf(store, config, incident, clock.now(), thread)
  const message = renderRoot(finding)
  return { message, revision: incident.revision, payload: { shown: shownOf(finding, message), ...(thread === undefined ? {} : { previous: thread }) }, also: [], incident }
}

async function previousLink (store: DeliveryStore, transport: Transport, incident: IncidentTable): Promise<string | undefined> {
  if (incident.previous_id === null) return undefined
  const [root] = await store.roots([incident.previous_id])
  if (root === undefined || !hasPlace(placeOf(root))) return undefined
  return transport.permalink(placeOf(root))
}

function mentionOf ({ slack: { mention } }: Config, { impact, incident }: Finding, row: Delivery, now: number): string | undefined {
  if (mention === undefined || row.payload.mentioned === true || incident.state !== 'diagnosed') return undefined
  const short = impact.down === true || (impact.servedUntil !== undefined && impact.servedUntil - now < mention.below)
  return short && /^<[!@#][\w^|]+>$|^[UWS][A-Z0-9]+$/.test(mention.id) ? (mention.id.startsWith('<') ? mention.id : mention.id.startsWith('S') ? `<!subteam^${mention.id}>` : `<@${mention.id}>`) : undefined
}

/** Buttons that do something stand beside the links; who took it stands below. */
function withActions ({ interactive }: ComposeContext, { text, blocks }: { text: string, blocks: KnownBlock[] }, finding: Finding, row: Delivery, incident: IncidentTable): SlackMessage {
  const out = [...blocks]
  const open = incident.state === 'open'
  const { taken } = row.payload
  if (taken !== undefined && /^[UW][A-Z0-9]+$/.test(taken.by)) {
    const line: KnownBlock = { type: 'context', elements: [{ type: 'mrkdwn', text: `🙋 <@${taken.by}> is on it since ${new Date(taken.at).toISOString().slice(11, 16)} UTC` }] }
    if (out.length < 12) out.splice(-1, 0, line)
  }
  if (!interactive || !open) return { text, blocks: out }
  const buttons: [string, string, string][] = [
    ['Look again', 'look_again', `Look again at ${finding.name}`],
    ...(taken === undefined ? [['I\'m on it', 'on_it', `Take ${finding.name}`] as [string, string, string]] : []),
    ...(finding.causes.length > 0 ? [['Right cause', 'right_cause', `The cause of ${finding.name} is right`], ['Wrong cause', 'wrong_cause', `The cause of ${finding.name} is wrong`]] as [string, string, string][] : [])
  ]
  const elements = buttons.map(([label, action, spoken]) => ({
    type: 'button' as const, text: { type: 'plain_text' as const, text: label }, action_id: action, value: incident.id, accessibility_label: spoken.slice(0, 75)
  }))
  const index = out.findIndex(({ type }) => type === 'actions')
  const links = out[index]
  if (links?.type === 'actions') out[index] = { ...links, elements: [...links.elements, ...elements] }
  else if (out.length < 12) out.splice(-1, 0, { type: 'actions', elements })
  return { text, blocks: out }
}

async function rootPlace (store: DeliveryStore, row: Delivery): Promise<SlackPlace | { skip: 'wait' | 'obsolete' }> {
  const [root] = await store.roots([row.incident_id])
  if (root === undefined || root.state === 'dead' || root.state === 'superseded') return { skip: 'obsolete' }
  const place = placeOf(root)
  return root.state === 'sent' && hasPlace(place) ? place : { skip: 'wait' }
}

async function composeThread ({ store, config, clock, transport }: ComposeContext, row: Delivery): Promise<Composition> {
  if (!transport.can.thread) return { skip: 'obsolete' }
  const incident = await store.incident(row.incident_id)
  if (incident === undefined) return { skip: 'obsolete' }
  if (incident.finding === null) return { skip: row.state === 'sent' ? 'told' : 'wait' }
  const thread = await rootPlace(store, row)
  if ('skip' in thread) return thread
  const finding = await findingOf(store, config, incident, clock.now())
  const message = renderThread(finding)
  return { message, revision: incident.revision, payload: { shown: shownOf(finding, message) }, thread, also: [], incident }
}

/** Above every revision: what is said in passing is never edited. */
export const saidOnce = 2_000_000_000

/** The timeline as a picture for the thread; best effort, so every reason not to is a skip. */
export async function composePicture ({ store, config, clock, transport }: ComposeContext, row: Delivery): Promise<{ place: SlackPlace, file: SlackFile } | { skip: 'wait' | 'obsolete' }> {
  const incident = transport.can.file ? await store.incident(row.incident_id) : undefined
  if (incident === undefined || incident.finding === null) return { skip: 'obsolete' }
  const place = await rootPlace(store, row)
  if ('skip' in place) return place
  const finding = await findingOf(store, config, incident, clock.now())
  const { timelinePicture } = await import('./slack/timeline-picture.ts')
  const picture = await timelinePicture(finding)
  if (picture === undefined) return { skip: 'obsolete' }
  return { place, file: { name: picture.name, title: `Timeline of ${finding.name}`, altText: picture.alt, data: Buffer.from(picture.png) } }
}

async function composeNote ({ store, transport }: ComposeContext, row: Delivery): Promise<Composition> {
  if (!transport.can.thread) return { skip: 'obsolete' }
  const thread = await rootPlace(store, row)
  if ('skip' in thread) return thread
  const { text = '', broadcast, mention } = row.payload
  const blocks: KnownBlock[] = mention === undefined ? [paragraph(plain(text))] : [{ type: 'section', text: { type: 'mrkdwn', text: mention } }, paragraph(plain(text))]
  return { message: { text, blocks }, revision: saidOnce, payload: {}, thread, ...(broadcast === true ? { broadcast } : {}), also: [] }
}

async function membersOf (store: DeliveryStore, pages: Delivery[]): Promise<Delivery[]> {
  const ids = pages.flatMap(({ payload }) => payload.members ?? [])
  const byIncident = new Map((await store.roots(ids)).map(root => [root.incident_id, root]))
  return ids.flatMap(id => byIncident.get(id) ?? [])
}

async function composeDigest ({ store, config, transport }: ComposeContext, row: Delivery): Promise<Composition> {
  const pages = (await store.pages(row.id)).sort((a, b) => (a.payload.page ?? 0) - (b.payload.page ?? 0))
  const members = await membersOf(store, pages)
  const entries = members.flatMap(({ incident_id: id, payload }) => payload.entry === undefined ? [] : [{ id, entry: payload.entry }])
  const separate = Math.max(0, await store.countRoots(row.target, row.created_at - config.slack.storm.window) - entries.length)
  const message = renderDigest(row, entries, { first: row.state !== 'sent', publicUrl: config.publicUrl, separate })
  // Where nothing can be edited or replied to, the names must come with it.
  if (!transport.can.thread) message.text = `${message.text}\n${entries.map(({ entry }) => `${entry.namespace}/${entry.certificate}`).join(', ')}`.slice(0, 3_500)
  // What a cause leads to is told of a storm once, however many it has.
  const elsewhere = new Set(entries.flatMap(({ entry }) => entry.elsewhere ?? []))
  const also = [...elsewhere].map(channel => ({ incident: '', kind: 'slack-digest-forward', target: channel, uniqueKey: `slack-digest-forward:${row.id}:${channel}`, wanted: 1, payload: { digest: row.id } }))
  return { message, revision: row.wanted, payload: {}, also: transport.can.thread ? also : [] }
}

/** Where a cause leads to, that a storm has incidents of it: they are followed in the digest. */
async function composeDigestForward ({ store, transport }: ComposeContext, row: Delivery): Promise<Composition> {
  const digest = await store.get(row.payload.digest ?? '')
  if (digest === undefined || digest.state === 'dead') return { skip: 'obsolete' }
  if (digest.state !== 'sent' || !hasPlace(placeOf(digest))) return { skip: 'wait' }
  const members = await membersOf(store, await store.pages(digest.id))
  const entries = members.flatMap(({ payload: { entry } }) => entry?.elsewhere === row.target ? [entry] : [])
  if (entries.length === 0) return { skip: 'obsolete' }
  return { message: renderDigestForward(digest, entries, await transport.permalink(placeOf(digest))), revision: saidOnce, payload: {}, also: [] }
}

async function composePage ({ store, transport }: ComposeContext, row: Delivery): Promise<Composition> {
  if (!transport.can.thread) return { skip: 'told' }
  const { digest: id = '', page = 1 } = row.payload
  const digest = await store.get(id)
  if (digest === undefined || digest.state === 'dead') return { skip: 'obsolete' }
  const thread = placeOf(digest)
  if (digest.state !== 'sent' || !hasPlace(thread)) return { skip: 'wait' }
  const members = await membersOf(store, [row])
  const message = renderPage(page, members.flatMap(({ payload }) => payload.entry ?? []), { plainText: row.payload.plain === true })
  return { message, revision: row.wanted, payload: {}, thread, also: [] }
}
