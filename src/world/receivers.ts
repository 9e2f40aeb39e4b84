import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../shared/types/common.ts'

/** A message as it stands in the world's Slack. */
export interface SlackPosting { kind: 'post' | 'edit' | 'file', channel: string, ts: string, thread?: string, text: string, blocks: unknown[] }
export interface WorldSlack { url: string, close (): Promise<void> }

export interface HeldAlert { labels: Record<string, string>, annotations: Record<string, string>, startsAt: string, generatorURL: string, fingerprint: string }
export interface WorldAlertmanager { url: string, close (): Promise<void> }

/** A Slack that takes every message: `heard` is told of each as it comes. */
export async function openSlack (clock: Clock, heard: (posting: SlackPosting) => void): Promise<WorldSlack> {
  let serial = 0
  const files: string[] = []
  const { url, close } = await listen((request, body) => {
    const path = new URL(request.url ?? '/', 'http://slack').pathname
    if (path.startsWith('/upload/')) return { ok: true }
    const args = parseArguments(body, request.headers['content-type'] ?? '')
    const given = (name: string): string => typeof args[name] === 'string' ? args[name] as string : ''
    const channel = given('channel') || given('channel_id')
    const thread = given('thread_ts') === '' ? {} : { thread: given('thread_ts') }
    const blocks = Array.isArray(args['blocks']) ? args['blocks'] as unknown[] : []
    switch (path.slice('/api/'.length)) {
      case 'chat.postMessage': {
        const ts = `${Math.floor(clock.now() / 1000)}.${String(++serial).padStart(6, '0')}`
        heard({ kind: 'post', channel, ts, ...thread, text: given('text'), blocks })
        return { ok: true, channel, ts, message: { text: given('text'), ts } }
      }
      case 'chat.update':
        heard({ kind: 'edit', channel, ts: given('ts'), text: given('text'), blocks })
        return { ok: true, channel, ts: given('ts') }
      case 'files.getUploadURLExternal':
        files.push(given('filename'))
        return { ok: true, upload_url: `${url}/upload/${files.length}`, file_id: `F${files.length}` }
      case 'files.completeUploadExternal':
        heard({ kind: 'file', channel, ts: '', ...thread, text: files.at(-1) ?? '', blocks: [] })
        return { ok: true, files: [{ id: `F${files.length}` }] }
      case 'auth.test': return { ok: true, team: 'demo', user: 'acme-triage', bot_id: 'B1', user_id: 'U1' }
      case 'chat.getPermalink': return { ok: true, channel, permalink: `${url}/archives/${channel}/p${given('message_ts').replace('.', '')}` }
      case 'conversations.history': case 'conversations.replies': return { ok: true, messages: [], has_more: false }
      default: return { ok: false, error: 'unknown_method' }
    }
  })
  return { url: `${url}/api/`, close }
}

/** An Alertmanager with one set of firing alerts: shows them, and takes what is posted back. `written` is told of each post. */
export async function openAlertmanager (clock: Clock, alerts: HeldAlert[], written: (alert: HeldAlert) => void): Promise<WorldAlertmanager> {
  let updatedAt = clock.now()
  return listen((request, body) => {
    const path = new URL(request.url ?? '/', 'http://alertmanager').pathname
    if (path === '/api/v2/status') return { versionInfo: { version: '0.34.0' }, cluster: { status: 'ready', peers: [] }, uptime: iso(clock.now()) }
    if (path !== '/api/v2/alerts') return undefined
    if (request.method === 'POST') {
      updatedAt = clock.now()
      for (const posted of JSON.parse(body.toString('utf8')) as Partial<HeldAlert>[]) {
        const held = alerts.find(({ labels }) => sameLabels(labels, posted.labels ?? {}))
        if (held === undefined) continue
        held.annotations = posted.annotations ?? {}
        written(held)
      }
      return {}
    }
    return alerts.map((alert) => ({
      ...alert, endsAt: iso(clock.now() + 240_000), updatedAt: iso(updatedAt), receivers: [{ name: 'acme-triage' }], status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] }
    }))
  }, clock)
}

const iso = (time: number): string => new Date(time).toISOString()

function sameLabels (one: Record<string, string>, other: Record<string, string>): boolean {
  const plain = (labels: Record<string, string>): string => JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1))
  return plain(one) === plain(other)
}

/** One JSON answer for each request, dated by `clock`; undefined is 404. */
async function listen (answer: (request: IncomingMessage, body: Buffer) => unknown, clock: Clock = { now: Date.now }): Promise<{ url: string, close (): Promise<void> }> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const value = answer(request, Buffer.concat(chunks))
      response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json', date: new Date(clock.now()).toUTCString() }).end(JSON.stringify(value ?? { ok: false }))
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close () {
      const closed = new Promise<void>((resolve) => { server.close(() => resolve()) })
      server.closeAllConnections()
      await closed
    }
  }
}

/** Slack's library sends forms whose nested values are JSON. */
function parseArguments (body: Buffer, type: string): Record<string, unknown> {
  try {
    if (type.includes('json')) return JSON.parse(body.toString('utf8')) as Record<string, unknown>
    return Object.fromEntries([...new URLSearchParams(body.toString('utf8'))].map(([name, value]) => [name, /^[[{]/.test(value) ? JSON.parse(value) as unknown : value]))
  } catch {
    return {}
  }
}
