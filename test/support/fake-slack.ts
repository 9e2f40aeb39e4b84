import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A message as the fake keeps it. */
interface KeptMessage {
  ts: string
  channel: string
  thread_ts?: string
  text: string
  blocks?: Record<string, unknown>[]
  metadata?: { event_type: string, event_payload: Record<string, unknown> }
  broadcast?: boolean
  edits: number
}

type Fault =
  | { is: 'rate', retryAfter?: number | 'none' }
  | { is: 'status', status: number }
  /** Keeps the message and never answers. */
  | { is: 'hang' }
  /** Keeps the message and cuts the connection. */
  | { is: 'kept-and-cut' }
  | { is: 'reset' }
  | { is: 'error', error: string }
  | { is: 'garbage' }

export interface FakeSlack {
  /** Base of the Web API. */
  url: string
  port: number
  messages: KeptMessage[]
  calls: { method: string, args: Record<string, unknown>, at: number }[]
  files: { name: string, thread?: string, alt?: string, bytes: number }[]
  /** Asked before each call; what it answers happens instead. */
  fault: (method: string, args: Record<string, unknown>, count: number) => Fault | undefined
  /** Tokens that are good; empty: all. */
  tokens: Set<string>
  scopes: string[]
  /** Milliseconds that each call takes before anything happens. */
  latency: number
  channels: Map<string, { archived?: boolean, member?: boolean }>
  roots (): KeptMessage[]
  replies (ts: string): KeptMessage[]
  remove (ts: string): void
  /** Resolves when the condition holds, looked at after every call. */
  until (condition: () => boolean, what?: string): Promise<void>
  hooks: unknown[]
  close (): Promise<void>
}

/** A Slack that enforces the real limits and fails on demand. */
export async function startFakeSlack (port = 0): Promise<FakeSlack> {
  const waiting = new Set<() => void>()
  const messages: KeptMessage[] = []
  let serial = 0
  const counts = new Map<string, number>()
  const pendingFiles = new Map<string, { name: string, bytes: number, alt?: string }>()

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const take = (): void => {
        answer(request, response, Buffer.concat(chunks))
        for (const check of waiting) check()
      }
      if (fake.latency > 0) setTimeout(take, fake.latency)
      else take()
    })
    request.on('error', () => {})
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>(resolve => { server.listen(port, '127.0.0.1', resolve) })
  const { port: listening } = server.address() as AddressInfo

  const fake: FakeSlack = {
    url: `http://127.0.0.1:${listening}/api/`,
    port: listening,
    messages,
    calls: [],
    files: [],
    hooks: [],
    fault: () => undefined,
    tokens: new Set(),
    latency: 0,
    scopes: ['chat:write', 'channels:history', 'files:write'],
    channels: new Map(),
    roots: () => messages.filter(({ thread_ts: thread }) => thread === undefined),
    replies: ts => messages.filter(({ thread_ts: thread }) => thread === ts),
    remove (ts) { messages.splice(messages.findIndex(message => message.ts === ts), 1) },
    until (condition, what = 'a condition') {
      if (condition()) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const check = (): void => {
          if (!condition()) return
          done()
          resolve()
        }
        const timer = setTimeout(() => { done(); reject(new Error(`never came: ${what}; calls: ${fake.calls.map(({ method }) => method).slice(-20).join(' ')}`)) }, 20_000)
        const poll = setInterval(check, 20)
        const done = (): void => { waiting.delete(check); clearTimeout(timer); clearInterval(poll) }
        waiting.add(check)
      })
    },
    async close () {
      server.closeAllConnections()
      await new Promise<void>(resolve => { server.close(() => { resolve() }) })
    }
  }

  function answer (request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const url = new URL(request.url ?? '/', fake.url)
    const json = (value: unknown, status = 200, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-oauth-scopes': fake.scopes.join(','), ...headers })
      response.end(JSON.stringify(value))
    }
    if (url.pathname.startsWith('/upload/')) {
      const file = pendingFiles.get(url.pathname.slice(8))
      if (file !== undefined) file.bytes = body.length
      response.end('OK')
      return
    }
    const method = url.pathname.startsWith('/hook') ? 'hook' : url.pathname.replace('/api/', '')
    const args = parse(body, request.headers['content-type'] ?? '')
    const count = (counts.get(method) ?? 0) + 1
    counts.set(method, count)
    fake.calls.push({ method, args, at: Date.now() })
    const fault = fake.fault(method, args, count)
    if (fault !== undefined) {
      switch (fault.is) {
        case 'rate': return json({ ok: false, error: 'ratelimited' }, 429, fault.retryAfter === 'none' ? {} : { 'retry-after': String(fault.retryAfter ?? 1) })
        case 'status': return json({ ok: false, error: 'service_unavailable' }, fault.status)
        case 'reset': request.socket.destroy(); return
        case 'error': return json({ ok: false, error: fault.error })
        case 'garbage': response.end('<html>gateway</html>'); return
        case 'hang': run(method, args); return
        case 'kept-and-cut': run(method, args); request.socket.destroy(); return
      }
    }
    if (method === 'hook') {
      fake.hooks.push(args)
      response.end('ok')
      return
    }
    const token = (request.headers.authorization ?? '').replace('Bearer ', '')
    if (fake.tokens.size > 0 && !fake.tokens.has(token)) return json({ ok: false, error: 'token_revoked' })
    json(run(method, args))
  }

  function run (method: string, args: Record<string, unknown>): Record<string, unknown> {
    const refuse = (error: string, messagesOf: string[] = []): Record<string, unknown> => ({ ok: false, error, response_metadata: { messages: messagesOf } })
    switch (method) {
      case 'auth.test': return { ok: true, team: 'test', user: 'acme-triage' }
      case 'chat.postMessage': {
        const bad = contentError(args, 40_000)
        if (bad !== undefined) return refuse(bad)
        const channel = fake.channels.get(String(args.channel))
        if (channel?.archived === true) return refuse('is_archived')
        if (channel?.member === false) return refuse('not_in_channel')
        const thread = args.thread_ts as string | undefined
        if (thread !== undefined && !messages.some(({ ts }) => ts === thread)) return refuse('thread_not_found')
        const ts = `${Math.floor(Date.now() / 1000)}.${String(++serial).padStart(6, '0')}`
        messages.push({ ts, channel: String(args.channel), text: String(args.text), blocks: args.blocks as KeptMessage['blocks'], metadata: args.metadata as KeptMessage['metadata'], edits: 0, ...(thread === undefined ? {} : { thread_ts: thread }), ...(args.reply_broadcast === undefined ? {} : { broadcast: true }) })
        return { ok: true, channel: args.channel, ts }
      }
      case 'chat.update': {
        const message = messages.find(({ ts }) => ts === args.ts)
        if (message === undefined) return refuse('message_not_found')
        if (fake.channels.get(message.channel)?.archived === true) return refuse('is_archived')
        const bad = contentError(args, 4_000)
        if (bad !== undefined) return refuse(bad)
        message.text = String(args.text)
        message.blocks = args.blocks as KeptMessage['blocks']
        if (args.metadata !== undefined) message.metadata = args.metadata as KeptMessage['metadata']
        message.edits++
        return { ok: true, channel: args.channel, ts: args.ts }
      }
      case 'conversations.history':
      case 'conversations.replies': {
        if (!fake.scopes.includes('channels:history')) return { ok: false, error: 'missing_scope', needed: 'channels:history', provided: fake.scopes.join(',') }
        const list = method === 'conversations.history' ? messages.filter(message => message.thread_ts === undefined && message.channel === args.channel) : messages.filter(message => message.ts === args.ts || message.thread_ts === args.ts)
        return { ok: true, messages: list.filter(({ ts }) => Number(ts) >= Number(args.oldest ?? 0)).reverse(), has_more: false }
      }
      case 'chat.getPermalink': return { ok: true, permalink: `https://test.slack.com/archives/${String(args.channel)}/p${String(args.message_ts).replace('.', '')}` }
      case 'files.getUploadURLExternal': {
        const id = `F${++serial}`
        pendingFiles.set(id, { name: String(args.filename), bytes: 0, ...(args.alt_text === undefined ? {} : { alt: String(args.alt_text) }) })
        return { ok: true, upload_url: `http://127.0.0.1:${listening}/upload/${id}`, file_id: id }
      }
      case 'files.completeUploadExternal': {
        const list = (typeof args.files === 'string' ? JSON.parse(args.files) : args.files) as { id: string }[]
        for (const { id } of list) {
          const file = pendingFiles.get(id)
          if (file !== undefined) fake.files.push({ ...file, ...(args.thread_ts === undefined ? {} : { thread: String(args.thread_ts) }) })
        }
        return { ok: true, files: list }
      }
      default: return refuse('unknown_method')
    }
  }
  return fake
}

function parse (body: Buffer, type: string): Record<string, unknown> {
  const text = body.toString()
  const args: Record<string, unknown> = type.includes('json') ? JSON.parse(text) as Record<string, unknown> : Object.fromEntries(new URLSearchParams(text))
  for (const key of ['blocks', 'metadata', 'attachments']) if (typeof args[key] === 'string') args[key] = JSON.parse(args[key])
  return args
}

/** Slack's own limits, as far as they are known (users.md §5.1). */
function contentError (args: Record<string, unknown>, textLimit: number): string | undefined {
  if (String(args.text ?? '').length > textLimit) return 'msg_too_long'
  if (args.blocks === undefined) return args.text === undefined || args.text === '' ? 'no_text' : undefined
  const blocks = args.blocks as Record<string, unknown>[]
  if (!Array.isArray(blocks) || blocks.length > 50) return 'invalid_blocks'
  let total = 0
  let bad = false
  const walk = (value: unknown, inside: string): void => {
    if (Array.isArray(value)) return value.forEach(each => { walk(each, inside) })
    if (typeof value !== 'object' || value === null) return
    const node = value as Record<string, unknown>
    const kind = typeof node.type === 'string' ? node.type : inside
    if (typeof node.text === 'string') {
      total += node.text.length
      if (node.text === '' || node.text.length > (inside === 'header' ? 150 : inside === 'button' ? 75 : 3_000)) bad = true
    }
    if (kind === 'actions' && (node.elements as unknown[]).length > 25) bad = true
    if (kind === 'button' && typeof node.url === 'string' && node.url.length > 3_000) bad = true
    for (const each of Object.values(node)) walk(each, kind === 'plain_text' || kind === 'mrkdwn' ? inside : kind)
  }
  walk(blocks, '')
  if (bad) return 'invalid_blocks'
  return total > 13_200 ? 'msg_blocks_too_long' : undefined
}
