import { createHash, timingSafeEqual } from 'node:crypto'
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import http01Question from '../schemas/probe-http01.schema.json' with { type: 'json' }
import recordsQuestion from '../schemas/probe-records.schema.json' with { type: 'json' }
import type { OutsideClients } from './collect/outside.ts'
import { answerHttp01, answerRecords } from './collect/outside-vantage.ts'
import { TriageError } from './shared/errors.ts'
import type { DnsType } from './shared/types/observations.ts'

export interface ProbeServerOptions {
  clients: OutsideClients
  /** Any of them is good, so that two are valid during rotation. Never empty. */
  tokens: readonly string[]
  /** PEM. Without it plain HTTP is spoken, for a TLS proxy in front. */
  tls?: { cert: string, key: string }
  /** Questions at a time, and in a minute; more are answered 503. */
  concurrency?: number
  perMinute?: number
  /** Milliseconds for one question. */
  deadline?: number
}

const minute = 60_000

/** The program's other half: stands outside the cluster and answers two questions, for whoever has the token. */
export async function buildProbeServer (options: ProbeServerOptions): Promise<FastifyInstance> {
  const { clients, concurrency = 16, perMinute = 240, deadline = 4000 } = options
  const digests = options.tokens.map(digest)
  const https = options.tls === undefined ? null : options.tls
  const server = fastify({ https, bodyLimit: 4096, requestTimeout: 10_000, ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } }) as unknown as FastifyInstance
  const spend = allowance(perMinute, () => clients.clock.now())
  let running = 0

  server.setErrorHandler((thrown, _request, reply) => {
    const status = (thrown as { statusCode?: number }).statusCode ?? 500
    const error = thrown instanceof TriageError ? thrown : new TriageError(status < 500 ? 'PROBE_QUESTION' : 'INTERNAL', { why: status < 500 && thrown instanceof Error ? thrown.message : 'see the log' })
    if (error.status === 503) void reply.header('retry-after', '5')
    return reply.code(thrown instanceof TriageError || status >= 500 ? error.status : status).send({ code: error.code, message: error.message, hint: error.hint })
  })
  server.setNotFoundHandler((_request, reply) => {
    const error = new TriageError('PROBE_NO_SUCH_QUESTION')
    return reply.code(error.status).send({ code: error.code, message: error.message, hint: error.hint })
  })
  server.addHook('onRequest', async (request) => {
    const offered = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (offered === undefined || !digests.some((known) => timingSafeEqual(known, digest(offered)))) throw new TriageError('PROBE_UNAUTHENTICATED')
  })

  const limited = async <Answer>(run: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> => {
    if (running >= concurrency || !spend()) throw new TriageError('PROBE_BUSY', { running })
    running++
    try {
      return await run(AbortSignal.timeout(deadline))
    } finally {
      running--
    }
  }
  server.post<{ Body: { name: string, path: string } }>('/v1/http01', { schema: { body: http01Question } }, ({ body }) => limited((signal) => answerHttp01(clients, body, signal)))
  server.post<{ Body: { name: string, types: DnsType[] } }>('/v1/records', { schema: { body: recordsQuestion } }, ({ body }) => limited((signal) => answerRecords(clients, body, signal)))
  await server.ready()
  return server
}

/** Equal lengths for the constant-time comparison, whatever was sent. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest()

/** A token bucket that fills up over a minute. */
function allowance (perMinute: number, now: () => number): () => boolean {
  let left = perMinute
  let at = now()
  return () => {
    const time = now()
    left = Math.min(perMinute, left + (time - at) * perMinute / minute)
    at = time
    if (left < 1) return false
    left--
    return true
  }
}
