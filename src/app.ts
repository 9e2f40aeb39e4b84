import { setTimeout } from 'node:timers/promises'
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { buildInbox } from './accept/inbox.ts'
import { webhookRoute } from './accept/webhook-route.ts'
import { startWorker, type Worker } from './accept/worker.ts'
import type { Recorder } from './collect/recorder.ts'
import type { Recordings } from './collect/run.ts'
import type { Assess } from './assess.ts'
import { startAssessThread, type Assessor } from './assess-thread.ts'
import type { Investigate, LookClients } from './investigate.ts'
import { buildLooker } from './look.ts'
import { pages } from './pages.ts'
import type { Deliveries } from './publish/deliveries.ts'
import { startPublisher } from './publish/publisher.ts'
import type { EventWriter } from './shared/clients/kubernetes-events.ts'
import { direct, type Route } from './shared/clients/route.ts'
import type { Config } from './shared/config/config.ts'
import { secretsOf } from './shared/config/load.ts'
import { reasonOf, TriageError } from './shared/errors.ts'
import { buildLog, type Log } from './shared/log.ts'
import { buildMetrics, type Metrics } from './shared/metrics.ts'
import { openStore, type Store } from './shared/store/store.ts'
import type { Clock, Millis } from './shared/types/common.ts'

/** Everything that is not ours: handed in, so that replay, demo and tests run the production code. */
export interface Outside {
  clients: LookClients & { /** Production: `direct`. */ route?: Route, /** Given: the diagnosis is written on the Certificate as well. */ events?: EventWriter }
  clock: Clock
  /** Given: not closed with the app. */
  store?: Store
  log?: Log
  /** Tests of the intake put their own in the place of collect → correlate → diagnose. */
  investigate?: Investigate
  /** Looks run in a thread of their own, with clients that it opens from the configuration; `clients` then serve the recorder alone. */
  lookThread?: boolean
}

export interface App {
  /** The routes; `listen` opens the port. */
  server: FastifyInstance
  store: Store
  metrics: Metrics
  log: Log
  worker: Worker
  deliveries: Deliveries
  listen (): Promise<string>
  /** Takes no more, finishes what runs, lets go of everything. */
  close (): Promise<void>
}

/** Compiling holds up everything else: a message that can go goes before it. */
const firstMessageTakes: Millis = 100
const sweepEvery: Millis = 10 * 60_000
/** An idle connection that never sends a request would hold the close up for ever. */
const closeAtMost: Millis = 5_000

/** Joins the rooms: accept → collect → correlate → diagnose → publish, around one store. */
export async function buildApp (config: Config, { clients, clock, store: given, log: givenLog, investigate, lookThread = false }: Outside): Promise<App> {
  const log = givenLog ?? buildLog({ level: config.log.level, secrets: secretsOf(config) })
  const store = given ?? await openStore({ dataDir: config.dataDir, databaseUrl: config.databaseUrl, clock, flapWindow: config.slack.flapWindow })
  const metrics = buildMetrics()
  let recorder: Recorder | undefined
  const recordings: Recordings & Pick<Recorder, 'status'> = { read: query => store.recorder.read(query), status: () => recorder?.status() ?? [] }
  const assessor = lookThread ? startAssessThread({ config, log, recordings }) : inThisThread({ config, clients, clock, log, recordings, investigate })
  const looker = buildLooker({ store, metrics, log, assess: assessor.assess, onSaved: () => { publisher.saved() } })
  const inbox = buildInbox({
    config, store, clock, metrics,
    queueDepth: () => worker.depth(),
    onWork: () => {
      deliveries.wake()
      worker.wake()
    }
  })
  const publisher = await startPublisher({
    config, store, clock, log, route: clients.route ?? direct,
    ...(clients.events === undefined || clients.kubernetes === undefined ? {} : { events: { writer: clients.events, kubernetes: clients.kubernetes } }),
    busy: () => inbox.busy(),
    metrics: {
      delivery: (kind, outcome) => { metrics.deliveries.inc({ kind, outcome }) },
      noticed: seconds => { metrics.noticeSeconds.observe(seconds) },
      presence: share => { metrics.annotationPresence.set(share) }
    },
    async lookAgain (incident) {
      await store.jobs.requestLook(incident)
      worker.wake()
    },
    onUnknown: body => { inbox.take(body, '').catch((error: unknown) => { log.warn({ err: error }, 'an alert of the sender cannot be taken') }) }
  })
  const { deliveries } = publisher

  const worker = startWorker({ store, clock, metrics, log, concurrency: config.collect.concurrency, busy: () => inbox.busy(), handle: looker.handle })

  const server = fastify({
    // One line of our own for each notification: Fastify's request log costs more than validation.
    logController: new LogController({ disableRequestLogging: true }),
    loggerInstance: log as FastifyBaseLogger,
    bodyLimit: config.webhook.bodyLimit,
    trustProxy: false,
    keepAliveTimeout: 75_000,
    requestTimeout: 60_000,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 }
  })
  server.setNotFoundHandler((request, reply) => {
    const error = new TriageError('NOT_FOUND', { what: `${request.method} ${request.url.split('?', 1)[0]!.slice(0, 100)}` })
    return reply.code(error.status).send(error)
  })
  server.setErrorHandler((thrown, _request, reply) => {
    const error = thrown instanceof TriageError ? thrown : requestError(thrown)
    if (error.status >= 500) log.error({ err: thrown }, 'request failed')
    if (error.status === 503) void reply.header('retry-after', '5')
    if (error.status === 401) void reply.header('www-authenticate', 'Bearer realm="acme-triage"')
    return reply.code(error.status).send(error)
  })

  let closing = false
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async () => {
    if (closing) throw new TriageError('STOPPING')
    await store.checkWritable()
    if (!publisher.ready()) throw new TriageError('UPSTREAM_UNREACHABLE')
    return { status: 'ready' }
  })
  server.get('/metrics', async (_request, reply) => {
    metrics.incidents.reset()
    for (const [state, count] of Object.entries(await store.incidents.counts())) metrics.incidents.set({ state }, count)
    return reply.header('content-type', metrics.registry.contentType).send(await metrics.registry.metrics() + await publisher.metricsText())
  })
  await server.register(webhookRoute, { config, inbox, metrics, log })
  await server.register(async scope => { await publisher.routes(scope) })
  await server.register(pages, { config, store, clock, deliveries: deliveries.store })

  const sweeper = setInterval(() => { void sweep(store, config, log) }, sweepEvery)
  sweeper.unref()

  return {
    server, store, metrics, log, worker, deliveries,
    async listen () {
      const address = await server.listen({ host: config.listen.host, port: config.listen.port })
      if (clients.kubernetes !== undefined && config.recorder.enabled) recorder = await record(config, clients.kubernetes, clock, store, log)
      assessor.warm()
      return address
    },
    async close () {
      if (closing) return
      closing = true
      clearInterval(sweeper)
      const forced = globalThis.setTimeout(() => { server.server.closeAllConnections() }, closeAtMost)
      await server.close()
      clearTimeout(forced)
      await worker.stop()
      await assessor.close()
      await recorder?.stop()
      await publisher.stop()
      if (given === undefined) await store.close()
    }
  }
}

interface InThisThreadOptions extends Pick<Outside, 'clients' | 'clock' | 'investigate'> { config: Config, log: Log, recordings: Recordings }

/** Collectors, grammars and catalogue are read and compiled after the start, while nobody waits. */
function inThisThread ({ config, clients, clock, log, recordings, investigate }: InThisThreadOptions): Assessor {
  let built: Promise<Assess> | undefined
  const build = (): Promise<Assess> => built ??= load()
  async function load (): Promise<Assess> {
    await setTimeout(firstMessageTakes)
    const [{ buildAssess }, { buildInvestigate, compileCatalogue }] = await Promise.all([import('./assess.ts'), import('./investigate.ts')])
    const own = async (): Promise<Investigate> => buildInvestigate(config, clients, clock, recordings, await compileCatalogue(config))
    return buildAssess({ config, clock, log, canLookAgain: clients.kubernetes !== undefined, investigate: investigate ?? await own() })
  }
  return {
    assess: async input => (await build())(input),
    warm () { build().catch((error: unknown) => { log.error({ err: error }, 'the catalogue cannot be read') }) },
    close: async () => {}
  }
}

/** Begins to write down what cert-manager overwrites and deletes. */
async function record (config: Config, kubernetes: NonNullable<LookClients['kubernetes']>, clock: Clock, store: Store, log: Log): Promise<Recorder> {
  const { startRecorder } = await import('./collect/recorder.ts')
  const { keep, maxBytes } = config.recorder
  return startRecorder({ kubernetes, store: store.recorder, clock, keep, maxBytes, warn: (fields, message) => { log.warn(fields, message) } })
}

async function sweep (store: Store, config: Config, log: Log): Promise<void> {
  try {
    // Piece by piece, with room for requests between.
    for (let pieces = 0; pieces < 50 && await store.housekeeping.sweep({ retention: config.retention }); pieces++) await new Promise(resolve => { setImmediate(resolve) })
  } catch (error) {
    log.warn({ err: error }, 'old rows cannot be removed')
  }
}

function requestError (thrown: unknown): TriageError {
  const status = (thrown as { statusCode?: number }).statusCode
  return status !== undefined && status < 500 ? new TriageError('BAD_REQUEST', { why: reasonOf(thrown) }) : new TriageError('INTERNAL', { why: 'see the log' }, { cause: thrown })
}
