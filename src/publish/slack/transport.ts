import type { SlackConfig } from '../../shared/config/config.ts'
import { slackClient, type SlackClient, type SlackRefusal } from '../../shared/clients/slack.ts'
import type { Route } from '../../shared/clients/route.ts'
import type { Failure, Found, SlackMessage, SlackPlace, Transport } from '../message.ts'
import { classOf } from './errors.ts'

/** `event_type` of the metadata that our messages carry. */
const eventType = 'acme_triage_incident'

/** The transport that the configuration asks for; undefined when nothing of Slack is configured. */
export function slackTransport (config: SlackConfig, route: Route, timeout?: number): Transport | undefined {
  const client = slackClient({ token: config.token, tokenFile: config.tokenFile, apiUrl: config.apiUrl, route, ...(timeout === undefined ? {} : { timeout }) })
  if (client.hasToken) return webApiTransport(client)
  if (config.webhookUrl !== undefined) return hookTransport(client, config.webhookUrl, config.webhookStyle)
  return undefined
}

interface HistoryMessage { ts?: string, thread_ts?: string, metadata?: { event_type?: string, event_payload?: { delivery_id?: unknown, revision?: unknown } } }
interface History { messages?: HistoryMessage[], has_more?: boolean, response_metadata?: { next_cursor?: string } }

/** Pages of history that are searched for one lost answer: 5 × 200 messages since the call. */
const searchedPages = 5

/** The Web API: edits, threads, files, and a look into history when an answer was lost. */
function webApiTransport (client: SlackClient): Transport {
  return {
    name: 'slack',
    can: { edit: true, thread: true, find: true, file: true },
    async post (channel, message, thread) {
      const reply = await client.call<{ channel?: string, ts?: string }>('chat.postMessage', {
        channel,
        ...contentOf(message),
        unfurl_links: false,
        unfurl_media: false,
        ...(thread === undefined ? {} : { thread_ts: thread.ts, ...(thread.broadcast === true ? { reply_broadcast: true } : {}) })
      })
      if (!reply.ok) return failureOf(reply)
      const { ts } = reply.data
      // An answer without a ts is no answer: look for the message.
      if (ts === undefined) return { ok: false, class: 'unclear', error: 'no_ts', answered: true }
      return { ok: true, channel: reply.data.channel ?? channel, ts }
    },
    async edit ({ channel, ts }, message) {
      const reply = await client.call('chat.update', { channel, ts, ...contentOf(message) })
      return reply.ok ? { ok: true, channel, ts } : failureOf(reply)
    },
    find: (channel, deliveryId, search) => find(client, channel, deliveryId, search),
    async upload ({ channel, ts }, { name, title, altText, data, comment }) {
      const reply = await client.upload({ channel, threadTs: ts, filename: name, title, altText, data, ...(comment === undefined ? {} : { comment }) })
      return reply.ok ? { ok: true, channel, ts } : failureOf(reply)
    },
    async permalink ({ channel, ts }) {
      const reply = await client.call<{ permalink?: string }>('chat.getPermalink', { channel, message_ts: ts })
      return reply.ok ? reply.data.permalink : undefined
    },
    async check () {
      const reply = await client.call<{ team?: string, user?: string }>('auth.test', {})
      return reply.ok ? { ok: true, scopes: reply.scopes, team: reply.data.team ?? '', user: reply.data.user ?? '' } : failureOf(reply)
    },
    refresh: () => client.refresh(),
    close: () => client.close()
  }
}

/**
 * An incoming webhook: it can post and nothing else. Mattermost takes the same body but knows
 * no blocks and other bold, so it gets plain text in an attachment.
 */
function hookTransport (client: SlackClient, url: string, style: 'slack' | 'mattermost'): Transport {
  return {
    name: style === 'slack' ? 'slack-webhook' : 'mattermost',
    can: { edit: false, thread: false, find: false, file: false },
    async post (channel, message) {
      const reply = await client.hook(url, style === 'slack'
        ? { text: escapeText(message.text), ...(message.blocks === undefined ? {} : { blocks: message.blocks }), unfurl_links: false, unfurl_media: false }
        : { text: '', attachments: [{ fallback: plainOf(message), text: plainOf(message) }], props: { disable_group_highlight: true } })
      return reply.ok ? { ok: true, channel, ts: '' } : failureOf(reply)
    },
    edit: async () => ({ ok: false, class: 'target-gone', error: 'cannot_edit', answered: true }),
    find: async () => ({ is: 'cannot-look', why: 'an incoming webhook has no history' }),
    upload: async () => ({ ok: false, class: 'configuration', error: 'cannot_upload', answered: true }),
    permalink: async () => undefined,
    check: async () => ({ ok: true, scopes: [], team: '', user: 'incoming webhook' }),
    refresh: async () => false,
    close: () => client.close()
  }
}

/** Without Slack the messages stand in the log (and on the page), once for each change. */
export function logTransport (write: (text: string, channel: string) => void): Transport {
  let serial = 0
  return {
    name: 'log',
    can: { edit: true, thread: true, find: false, file: false },
    async post (channel, message, thread) {
      write(message.text, thread === undefined ? channel : `${channel} (thread)`)
      return { ok: true, channel, ts: `${thread?.ts ?? 'log'}.${++serial}` }
    },
    async edit (place, message) {
      write(message.text, `${place.channel} (edited)`)
      return { ok: true, ...place }
    },
    find: async () => ({ is: 'cannot-look', why: 'a log is not read back' }),
    upload: async place => ({ ok: true, ...place }),
    permalink: async () => undefined,
    check: async () => ({ ok: true, scopes: [], team: '', user: 'log' }),
    refresh: async () => false,
    close: async () => {}
  }
}

async function find (client: SlackClient, channel: string, deliveryId: string, { oldest, thread }: { oldest: number, thread?: string }): Promise<Found> {
  let cursor: string | undefined
  for (let page = 0; page < searchedPages; page++) {
    const reply = await client.call<History>(thread === undefined ? 'conversations.history' : 'conversations.replies', {
      channel,
      include_all_metadata: true,
      limit: 200,
      oldest: (oldest / 1000).toFixed(6),
      ...(thread === undefined ? {} : { ts: thread }),
      ...(cursor === undefined ? {} : { cursor })
    })
    if (!reply.ok) {
      const failure = failureOf(reply)
      if (failure.error === 'thread_not_found' || failure.error === 'message_not_found') return { is: 'missing' }
      return ['missing_scope', 'not_in_channel', 'channel_not_found', 'no_permission', 'unknown_method', 'not_allowed_token_type', 'method_not_supported_for_channel_type'].includes(failure.error)
        ? { is: 'cannot-look', why: failure.error }
        : { is: 'failed', failure }
    }
    for (const { ts, metadata } of reply.data.messages ?? []) {
      const payload = metadata?.event_payload
      if (ts !== undefined && metadata?.event_type === eventType && payload?.delivery_id === deliveryId) return { is: 'found', place: { channel, ts }, revision: Number(payload.revision) || 0 }
    }
    cursor = reply.data.response_metadata?.next_cursor
    if (reply.data.has_more !== true || cursor === undefined || cursor === '') return { is: 'missing' }
  }
  return { is: 'cannot-look', why: `not among the newest ${searchedPages * 200} messages` }
}

// `text` beside blocks is a fallback, yet Slack parses it: the three characters are escaped.
const escapeText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function contentOf ({ text, blocks, metadata }: SlackMessage): Record<string, unknown> {
  return {
    text: escapeText(text),
    ...(blocks === undefined ? {} : { blocks }),
    ...(metadata === undefined
      ? {}
      : { metadata: { event_type: eventType, event_payload: { incident_id: metadata.incidentId, delivery_id: metadata.deliveryId, revision: metadata.revision } } })
  }
}

/** The message without blocks, for those who know none. */
export function plainOf ({ text, blocks }: SlackMessage): string {
  const lines = (blocks ?? []).map(textOf).filter(line => line !== '')
  return lines.length === 0 ? text : lines.join('\n')
}

function textOf (value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join('')
  if (typeof value !== 'object' || value === null) return ''
  const node = value as { type?: string, text?: unknown, elements?: unknown, fallback?: string, url?: string }
  if (node.type === 'date') return node.fallback ?? ''
  if (node.type === 'button') return typeof node.url === 'string' ? `${textOf(node.text)}: ${node.url}\n` : ''
  if (node.type === 'rich_text_list') return (node.elements as unknown[]).map(element => `- ${textOf(element)}\n`).join('')
  return typeof node.text === 'string' ? node.text : textOf(node.text) + textOf(node.elements)
}

function failureOf (refusal: SlackRefusal): Failure {
  const kind = refusal.neverSent ? 'unsent' : refusal.status === 429 ? 'rate' : classOf(refusal.error)
  return {
    ok: false,
    class: kind,
    error: refusal.error,
    answered: refusal.answered,
    ...(refusal.retryAfter === undefined ? {} : { retryAfter: refusal.retryAfter }),
    ...(refusal.details.length === 0 ? {} : { details: refusal.details })
  } satisfies Failure
}

/** A place that can be edited. */
export const hasPlace = (place: Partial<SlackPlace>): place is SlackPlace => (place.ts ?? '') !== '' && (place.channel ?? '') !== ''
