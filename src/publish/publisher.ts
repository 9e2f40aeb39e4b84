import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { timingSafeEqual } from 'node:crypto'
import { errors } from '../shared/errors.ts'
import type { AuditStore } from '../shared/store/audit.ts'
import type { DeliveryState } from '../shared/store/schema.ts'
import { startWriteBack, type WriteBack, type WriteBackOptions } from './annotations/write-back.ts'
import { startDeliveries, type Deliveries, type DeliveriesOptions } from './deliveries.ts'
import type { DeliveryMetrics } from './reach.ts'
import { interactionRoutes, startSocketMode } from './slack/interactivity.ts'

export interface PublisherOptions extends Omit<DeliveriesOptions, 'metrics' | 'store'> {
  store: DeliveriesOptions['store'] & { audit: AuditStore }
  metrics?: DeliveryMetrics & { presence (share: number): void }
  /** A person asked for another look. */
  lookAgain (incident: string): Promise<void>
  /** Tee and relay saw an alert before any webhook: an Alertmanager webhook body with it. */
  onUnknown?: (webhookBody: string) => void
}

/** Everything that tells people: messages, annotations, buttons, and the routes these need. */
export interface Publisher {
  deliveries: Deliveries
  writeBack: WriteBack
  /** Something was accepted: its first message goes now. */
  wake (): void
  /** A look was saved: messages and annotations. */
  saved (): void
  routes (app: FastifyInstance): Promise<void>
  /** Lines to add to /metrics. */
  metricsText (): Promise<string>
  ready (): boolean
  stop (): Promise<void>
}

/** Starts deliveries, the write-back of annotations and, when configured, Socket Mode. */
export async function startPublisher (options: PublisherOptions): Promise<Publisher> {
  const { config, store, clock, log, route, metrics, lookAgain, onUnknown } = options
  const deliveries = await startDeliveries(options)
  const writeBack = startWriteBack({
    config, store, clock, route, log, ...(metrics === undefined ? {} : { metrics }),
    ...(onUnknown === undefined ? {} : { onUnknown: alert => { onUnknown(webhookBody(alert)) } })
  })
  const interactivity = { config, deliveries: deliveries.store, audit: store.audit, clock, log, lookAgain, wake: deliveries.wake }
  const socket = await startSocketMode(interactivity)
  return {
    deliveries,
    writeBack,
    wake: deliveries.wake,
    saved () {
      deliveries.wake()
      writeBack.wake()
    },
    async routes (app) {
      await writeBack.routes(app)
      await interactionRoutes(app, interactivity)
      await app.register(async scope => { deliveryRoutes(scope, deliveries, config.pages.tokens) })
    },
    metricsText: () => writeBack.metricsText(),
    ready: () => writeBack.ready(),
    async stop () {
      await socket?.stop()
      await writeBack.stop()
      await deliveries.stop()
    }
  }
}

/** For `acme-triage deliveries` beside a running service, which alone may open the embedded store. */
function deliveryRoutes (app: FastifyInstance, { store, wake, status }: Deliveries, tokens: string[]): void {
  app.addHook('onRequest', async (request, reply) => { if (!admitted(request, tokens)) return refuse(reply) })
  app.get<{ Querystring: { state?: string, limit?: string } }>('/deliveries.json', async ({ query: { state, limit } }) => ({
    status: status(),
    counts: await store.counts(),
    deliveries: (await store.list({ limit: Math.min(1_000, Number(limit) || 100), ...(states.includes(state as DeliveryState) ? { state: state as DeliveryState } : {}) }))
      .map(({ id, incident_id: incident, kind, target, state: is, attempts, last_error: error, updated_at: updated }) => ({ id, incident, kind, target, state: is, attempts, error, updated: new Date(updated).toISOString() }))
  }))
  app.post<{ Querystring: { id?: string } }>('/deliveries/retry', async ({ query: { id } }) => {
    const retried = await store.retryDead(id)
    wake()
    return { retried }
  })
}

const states: DeliveryState[] = ['intent', 'sending', 'ambiguous', 'sent', 'folded', 'dead', 'superseded']

/** With tokens configured they decide; without, only this machine itself. */
function admitted (request: FastifyRequest, tokens: string[]): boolean {
  if (tokens.length === 0) return ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(request.ip)
  const given = Buffer.from((request.headers.authorization ?? '').replace(/^Bearer /i, ''))
  return tokens.some(token => {
    const expected = Buffer.from(token)
    return expected.length === given.length && timingSafeEqual(expected, given)
  })
}

function refuse (reply: FastifyReply): FastifyReply {
  return reply.code(401).header('www-authenticate', 'Bearer realm="acme-triage"').send({ code: 'PAGE_UNAUTHENTICATED', ...errors.PAGE_UNAUTHENTICATED })
}

/** What Alertmanager would post for it, so that the same intake takes it and knows the later webhook as a repeat. */
function webhookBody (alert: Parameters<NonNullable<WriteBackOptions['onUnknown']>>[0]): string {
  return JSON.stringify({
    version: '4', receiver: 'acme-triage', status: 'firing', groupKey: '{}', groupLabels: {}, commonLabels: alert.labels, commonAnnotations: alert.annotations, externalURL: '', truncatedAlerts: 0,
    alerts: [{ status: 'firing', endsAt: '0001-01-01T00:00:00Z', ...alert }]
  })
}
