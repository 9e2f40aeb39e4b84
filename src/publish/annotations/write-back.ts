import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { alertmanagerClient, hopHeader } from '../../shared/clients/alertmanager.ts'
import type { Route } from '../../shared/clients/route.ts'
import type { Config } from '../../shared/config/config.ts'
import { annotationTargetStore } from '../../shared/store/annotation-targets.ts'
import type { StoreContext } from '../../shared/store/store.ts'
import type { Clock } from '../../shared/types/common.ts'
import { ApiMode, type PeerStatus } from './api-mode.ts'
import { renderInfoMetric } from './metric-mode.ts'
import { RelayMode } from './relay-mode.ts'
import { TeeMode } from './tee-mode.ts'

export interface WriteBackOptions {
  config: Config
  store: { context: Pick<StoreContext, 'database' | 'clock'> }
  clock: Clock
  route: Route
  log: Logger
  metrics?: { delivery (kind: string, outcome: string): void, presence (share: number): void }
  /** Tee and relay: an alert that no webhook has brought yet, as one entry of an Alertmanager webhook body. */
  onUnknown?: (alert: { labels: Record<string, string>, annotations: Record<string, string>, startsAt: string, generatorURL: string, fingerprint: string }) => void
}

export interface WriteBack {
  mode: Config['alertmanager']['mode']
  /** A diagnosis was saved: write it now. */
  wake (): void
  /** Routes for the senders of tee and relay; register without a prefix. */
  routes (app: FastifyInstance): Promise<void>
  /** Lines to add to /metrics. */
  metricsText (): Promise<string>
  /** Relay: false when no upstream is reachable. */
  ready (): boolean
  status (): PeerStatus[]
  stop (): Promise<void>
}

/** Keeps the diagnosis on the alert, in the mode that is configured. */
export function startWriteBack ({ config, store, clock, route, log, metrics, onUnknown }: WriteBackOptions): WriteBack {
  const { urls, mode, bearer, basic, headers, ca, poll, hold } = config.alertmanager
  const targets = annotationTargetStore(store.context)
  const clients = mode === 'off' || mode === 'metric' ? [] : urls.map(url => alertmanagerClient({ url, route, clock, headers, ...(bearer === undefined ? {} : { bearer }), ...(basic === undefined ? {} : { basic }), ...(ca === undefined ? {} : { ca }) }))
  const usable = clients.length > 0
  const api = usable && mode === 'api' ? new ApiMode({ clients, targets, clock, log, poll, ...(metrics === undefined ? {} : { metrics }) }) : undefined
  const stream = {
    clients, targets, clock, log, hold, ...(metrics === undefined ? {} : { metrics }),
    unknown: (alert: Record<string, unknown> & { labels: Record<string, string>, annotations?: Record<string, string> }, fingerprint: string) => {
      onUnknown?.({ labels: alert.labels, annotations: alert.annotations ?? {}, startsAt: typeof alert.startsAt === 'string' ? alert.startsAt : new Date(clock.now()).toISOString(), generatorURL: typeof alert.generatorURL === 'string' ? alert.generatorURL : '', fingerprint })
    }
  }
  const tee = usable && mode === 'tee' ? new TeeMode(stream) : undefined
  const relay = usable && mode === 'relay' ? new RelayMode(stream) : undefined
  let timer: NodeJS.Timeout | undefined
  const failed = (error: unknown): void => { log.warn({ err: error as Error }, 'annotations could not be written') }

  function releaseSoon (): void {
    const at = relay?.nextRelease()
    if (timer !== undefined) clearTimeout(timer)
    if (at !== undefined) timer = setTimeout(() => { relay!.release().catch(failed).finally(releaseSoon) }, Math.max(5, at - clock.now()))
  }

  api?.wake()
  return {
    mode,
    wake () {
      api?.wake()
      tee?.push().catch(failed)
      if (relay !== undefined) relay.release().catch(failed).finally(releaseSoon)
    },
    async routes (app) {
      if (tee === undefined && relay === undefined) return
      await app.register(async scope => {
        // The bytes as they came: what is not ours must go on unchanged.
        scope.removeAllContentTypeParsers()
        scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 64 * 1_048_576 }, (_request, body, done) => { done(null, body) })
        for (const path of ['/api/v2/alerts', '/api/v1/alerts', '/:prefix/api/v2/alerts', '/:prefix/api/v1/alerts']) {
          scope.post(path, async (request, reply) => {
            if (request.headers[hopHeader] !== undefined) return reply.code(508).send({ error: 'This relay is its own upstream: check ALERTMANAGER_URLS.' })
            const body = Buffer.isBuffer(request.body) ? request.body : Buffer.from('[]')
            const v1 = path.includes('/api/v1/')
            if (tee !== undefined) {
              setImmediate(() => { tee.take(body) })
              return v1 ? { status: 'success' } : reply.code(200).send()
            }
            const answer = await relay!.take('/api/v2/alerts', body, { 'content-type': String(request.headers['content-type'] ?? 'application/json') })
            releaseSoon()
            if (v1 && answer.status === 200) return { status: 'success' }
            return reply.code(answer.status).send(answer.body)
          })
        }
      })
    },
    async metricsText () {
      if (mode !== 'metric') return ''
      return renderInfoMetric(await targets.active())
    },
    ready: () => relay?.ready ?? true,
    status: () => api?.status() ?? [],
    async stop () {
      if (timer !== undefined) clearTimeout(timer)
      tee?.stop()
      if (api !== undefined) return api.stop()
      await Promise.all(clients.map(client => client.close()))
    }
  }
}
