import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../shared/config/config.ts'
import { reasonOf, TriageError } from '../shared/errors.ts'
import type { Log } from '../shared/log.ts'
import type { Metrics } from '../shared/metrics.ts'
import { buildAuthenticate } from './authenticate.ts'
import type { Inbox } from './inbox.ts'

export interface WebhookOptions { config: Config, inbox: Inbox, metrics: Metrics, log: Log }

/**
 * `POST /webhook`. Refusals come in one order: method, content type, size, credentials, JSON,
 * schema. Each answer is one line of JSON, since Alertmanager writes it into its own log. Only
 * 503 is for "try again" (alertmanager.md §2.5: 429 and Retry-After mean nothing to it).
 */
export async function webhookRoute (app: FastifyInstance, { config, inbox, metrics, log }: WebhookOptions): Promise<void> {
  const authenticate = buildAuthenticate(config.webhook)
  const { bodyLimit } = config.webhook

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit }, (_request, body, done) => { done(null, body) })

  app.route<{ Querystring: { token?: unknown, source?: unknown } }>({
    method: 'POST',
    url: '/webhook',
    bodyLimit,
    onRequest: async request => { admit(request) },
    handler: async (request, reply) => {
      const { source } = request.query
      const accepted = await inbox.take(typeof request.body === 'string' ? request.body : '', typeof source === 'string' ? source.slice(0, 100) : '')
      const changed = accepted.opened.length + accepted.joined.length + accepted.resolved.length
      metrics.notifications.inc({ outcome: changed > 0 ? 'accepted' : 'unchanged' })
      if (changed > 0) log.info({ notification: accepted.id, opened: accepted.opened.slice(0, 20), joined: accepted.joined.length, resolved: accepted.resolved.length }, 'notification accepted')
      return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify({
        status: 'accepted', notification: accepted.id, opened: accepted.opened.length, joined: accepted.joined.length, resolved: accepted.resolved.length, unchanged: accepted.unchanged
      }) + '\n')
    }
  })
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/webhook',
    onRequest: async (request, reply) => {
      void reply.header('allow', 'POST')
      throw new TriageError('WEBHOOK_METHOD', { method: request.method })
    },
    handler: async () => undefined
  })

  app.setErrorHandler((thrown, request, reply) => answer(refusalOf(thrown, bodyLimit), request, reply))

  function admit (request: FastifyRequest<{ Querystring: { token?: unknown } }>): void {
    const type = request.headers['content-type'] ?? ''
    if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) throw new TriageError('WEBHOOK_TYPE', { type: type === '' ? 'missing' : type.slice(0, 100) })
    if (Number(request.headers['content-length'] ?? 0) > bodyLimit) throw new TriageError('WEBHOOK_TOO_LARGE', { limit: bodyLimit })
    const { token } = request.query
    const who = authenticate({ authorization: request.headers.authorization, query: typeof token === 'string' ? token : undefined })
    if (who !== 'ok') throw new TriageError(who === 'missing' ? 'WEBHOOK_UNAUTHENTICATED' : 'WEBHOOK_BAD_CREDENTIALS')
  }

  function answer (error: TriageError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, code } = error
    metrics.notifications.inc({ outcome: status >= 500 ? 'unavailable' : 'refused' })
    if (status === 503) void reply.header('retry-after', '5')
    if (status === 401) void reply.header('www-authenticate', 'Bearer realm="acme-triage", Basic realm="acme-triage"')
    if (status < 500) {
      inbox.refuse({ error, remote: request.ip, bytes: Number(request.headers['content-length'] ?? 0), raw: status === 401 || typeof request.body !== 'string' ? '' : request.body })
      log.warn({ code, remote: request.ip, reason: error.message }, 'webhook body refused')
    } else {
      log.error({ code, reason: error.message, err: status === 500 ? error.cause : undefined }, 'webhook body not taken')
    }
    return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(error) + '\n')
  }
}

function refusalOf (thrown: unknown, limit: number): TriageError {
  if (thrown instanceof TriageError) return thrown
  const { code } = thrown as { code?: string }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new TriageError('WEBHOOK_TOO_LARGE', { limit })
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH' || code === 'ECONNRESET' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY') return new TriageError('WEBHOOK_JSON', { why: 'the body is not as long as it says' })
  return new TriageError('INTERNAL', { why: reasonOf(thrown) }, { cause: thrown })
}
