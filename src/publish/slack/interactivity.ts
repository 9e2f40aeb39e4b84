import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from '../../shared/config/config.ts'
import type { AuditStore } from '../../shared/store/audit.ts'
import type { DeliveryStore } from '../../shared/store/deliveries.ts'
import type { Clock, Millis } from '../../shared/types/common.ts'

/** The buttons that do something, by action id. */
const actions = ['look_again', 'on_it', 'right_cause', 'wrong_cause'] as const

export interface InteractivityOptions {
  config: Config
  deliveries: DeliveryStore
  audit: AuditStore
  clock: Clock
  log: Logger
  lookAgain (incident: string): Promise<void>
  /** Something changed that the message should show. */
  wake (): void
}

/** A press, as far as it is used. Everything in it was written by others. */
interface Press { type?: string, user?: { id?: string }, trigger_id?: string, actions?: { action_id?: string, value?: string, action_ts?: string }[], response_url?: string }

const signatureAge: Millis = 5 * 60_000

/** Slack's v0 signature of a request, compared in constant time; false when it is older than five minutes. */
export function signedBySlack (secret: string, timestamp: string, body: string | Buffer, signature: string, now: Millis): boolean {
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp) * 1000) > signatureAge) return false
  const expected = Buffer.from(`v0=${createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest('hex')}`)
  const given = Buffer.from(signature)
  return expected.length === given.length && timingSafeEqual(expected, given)
}

/** What a press does. Answers the words for the person who pressed; undefined for link buttons. */
export async function press ({ config, deliveries, audit, clock, log, lookAgain, wake }: InteractivityOptions, payload: Press): Promise<string | undefined> {
  const [first] = payload.actions ?? []
  const action = actions.find(name => name === first?.action_id)
  // Link buttons are announced too; they need no more than an answer.
  if (payload.type !== 'block_actions' || action === undefined || first === undefined) return undefined
  const actor = payload.user?.id ?? ''
  const id = first.value ?? ''
  if (!/^[UW][A-Z0-9]{2,}$/.test(actor) || !config.slack.operators.includes(actor)) {
    log.warn({ actor, action }, 'a button was pressed by somebody who may not')
    return 'You are not on the list slack.operators of acme-triage.'
  }
  const incident = await deliveries.incident(id)
  if (incident === undefined) return 'This incident is no longer kept.'
  const uniqueKey = action === 'look_again' ? `press:${action}:${id}:${first.action_ts ?? payload.trigger_id ?? ''}` : `press:${action}:${id}:${actor}`
  const added = await audit.add({ actor, action, incident: id, uniqueKey, data: { cause: incident.cause, at: first.action_ts ?? '' } })
  if (!added) return 'That was noted already.'
  log.info({ actor, action, incident: id }, 'button pressed')
  if (action === 'look_again') {
    await lookAgain(id)
    return 'Looking again; the message will be edited.'
  }
  if (action === 'on_it') {
    await deliveries.touch(id, { taken: { by: actor, at: clock.now() } })
    wake()
    return 'Noted: you are on it.'
  }
  return action === 'right_cause' ? 'Thank you: the cause is confirmed.' : 'Thank you: the cause is marked as wrong. The report keeps the evidence.'
}

/** `POST /slack/interactions`, when a signing secret is configured: verified, answered at once, worked off afterwards. */
export async function interactionRoutes (app: FastifyInstance, options: InteractivityOptions): Promise<void> {
  const secret = options.config.slack.signingSecret
  if (secret === undefined) return
  await app.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 1_048_576 }, (_request, body, done) => { done(null, body) })
    scope.post('/slack/interactions', async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const header = (name: string): string => String(request.headers[name] ?? '')
      if (!signedBySlack(secret, header('x-slack-request-timestamp'), body, header('x-slack-signature'), options.clock.now())) {
        return reply.code(401).send({ code: 'SLACK_SIGNATURE', message: 'The signature of Slack is missing, wrong or too old.' })
      }
      const payload = readPress(body)
      if (payload === undefined) return reply.code(400).send({ code: 'SLACK_PAYLOAD', message: 'The payload cannot be read.' })
      setImmediate(() => { press(options, payload).catch((error: unknown) => { options.log.warn({ err: error as Error }, 'a button press failed') }) })
      return reply.code(200).send('')
    })
  })
}

function readPress (body: Buffer): Press | undefined {
  try {
    const payload: unknown = JSON.parse(new URLSearchParams(body.toString()).get('payload') ?? '')
    return typeof payload === 'object' && payload !== null ? payload as Press : undefined
  } catch {
    return undefined
  }
}

/** Socket Mode, when an app-level token is configured: no address of ours needs to be reachable. */
export async function startSocketMode (options: InteractivityOptions): Promise<{ stop (): Promise<void> } | undefined> {
  const { appToken } = options.config.slack
  if (appToken === undefined) return undefined
  const { SocketModeClient } = await import('@slack/socket-mode')
  const client = new SocketModeClient({ appToken, clientOptions: { slackApiUrl: options.config.slack.apiUrl } })
  client.on('interactive', (event: { body: Press, ack: () => Promise<void> }) => {
    event.ack().then(() => press(options, event.body)).catch((error: unknown) => { options.log.warn({ err: error as Error }, 'a button press failed') })
  })
  client.on('error', (error: Error) => { options.log.warn({ err: error }, 'Socket Mode') })
  client.start().catch((error: unknown) => { options.log.warn({ err: error as Error }, 'Socket Mode cannot be started: buttons that act do nothing') })
  return { stop: async () => { await client.disconnect() } }
}
