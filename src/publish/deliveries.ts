import type { Logger } from 'pino'
import type { Route } from '../shared/clients/route.ts'
import type { Config } from '../shared/config/config.ts'
import { deliveryStore, type DeliveryStore } from '../shared/store/deliveries.ts'
import type { Candidate } from '../shared/store/delivery-row.ts'
import type { StoreContext } from '../shared/store/store.ts'
import type { Clock, Millis } from '../shared/types/common.ts'
import { certificateEvents, eventKey, eventTarget, type EventSink } from './certificate-event.ts'
import { elsewhereOf } from './compose.ts'
import type { Finding } from './finding.ts'
import { Following, type Receiver } from './following.ts'
import type { Transport } from './message.ts'
import { Outbox } from './outbox.ts'
import { outgoing, outgoingKey } from './outgoing.ts'
import type { DeliveryMetrics, Limits, OutboxStatus } from './reach.ts'
import { chooseChannel, issuerOf } from './routing.ts'
import { logTransport, slackTransport } from './slack/transport.ts'
import { entryOf, ownMessages, pageCharacters, sizeOfEntry } from './storm.ts'

export interface DeliveriesOptions {
  config: Config
  store: { context: StoreContext }
  clock: Clock
  route: Route
  log: Logger
  metrics?: DeliveryMetrics
  /** Instead of what the configuration asks for. */
  transport?: Transport
  limits?: Partial<Limits>
  /** Buttons that act are shown. */
  interactive?: boolean
  /** The diagnosis is also an Event on the Certificate. */
  events?: EventSink
  /** So many alerts come in that everything else should leave them room. */
  busy? (): boolean
}

export interface Deliveries {
  /** Something was committed: look at once. */
  wake (): void
  /** Resolves when no more calls are under way; what waits stays in the store. */
  stop (): Promise<void>
  status (): OutboxStatus
  store: DeliveryStore
  transport: Transport
}

/** Without work the store is asked so often, for what other replicas or the clock made due. */
const idle: Millis = 1_000
const assignBatch = 500
/** Under load one round serves many wakes. */
const betweenRounds: Millis = 15
/** While alerts pour in: often enough for a first message within a second. */
const betweenRoundsWhenBusy: Millis = 150
/** Smaller corrections of the clock need no care. */
const clockStep: Millis = 1_000
/** Storms grow and end at leisure. */
const betweenStorms: Millis = 1_000

/**
 * Begins to deliver: chooses channels, folds storms, and sends what is due until `stop`. All
 * state is in the store; two of these on one store (replicas) share the work by leases.
 */
export async function startDeliveries (options: DeliveriesOptions): Promise<Deliveries> {
  const { config, clock, log, route } = options
  const store = deliveryStore(options.store.context)
  const transport = options.transport ?? slackTransport(config.slack, route) ?? logTransport((text, channel) => { log.info({ channel, text }, 'message') })
  const interactive = options.interactive ?? (config.slack.appToken !== undefined || config.slack.signingSecret !== undefined)
  const { ambiguous } = await store.recover()
  if (ambiguous > 0) log.warn({ ambiguous }, 'deliveries were under way when the process ended: they will be looked for')

  let stopped = false
  let running = false
  let again = false
  let timer: NodeJS.Timeout | undefined
  let ended = 0
  let storms = 0
  let latest = clock.now()
  const outbox = new Outbox({ store, transport, config, clock, log, limits: options.limits, metrics: options.metrics, interactive }, wake)
  const follow = (receiver: Receiver): Following => new Following({ receiver, store, config, clock, log, metrics: options.metrics })
  const webhooks = follow(outgoing(config, route))
  const events = follow(certificateEvents(options.events))

  function wake (): void {
    if (stopped) return
    if (running) { again = true; return }
    const rest = ended + (options.busy?.() === true ? betweenRoundsWhenBusy : betweenRounds) - performance.now()
    if (timer !== undefined) clearTimeout(timer)
    if (rest > 0) {
      timer = setTimeout(wake, rest)
      return
    }
    running = true
    void loop()
  }

  async function loop (): Promise<void> {
    let next: Millis | undefined
    try {
      again = false
      next = await round()
    } catch (error) {
      log.warn({ err: error as Error }, 'deliveries wait for the store')
      next = clock.now() + idle
    }
    running = false
    ended = performance.now()
    if (stopped) return
    if (again) return wake()
    timer = setTimeout(wake, Math.max(5, Math.min(idle, (next ?? Infinity) - clock.now())))
  }

  async function round (): Promise<Millis | undefined> {
    const now = clock.now()
    if (latest - now > clockStep) {
      log.warn({ seconds: Math.round((latest - now) / 1000) }, 'the clock was set back: what waits keeps its wait')
      await store.clockSetBack()
    }
    latest = now
    const { threshold, window } = config.slack.storm
    const rules = {
      threshold: transport.name === 'log' ? 0 : threshold,
      window,
      pageCharacters,
      route: (candidate: Candidate) => chooseChannel(config, routedOf(candidate)).channel,
      entry: entryOf,
      sizeOf: sizeOfEntry,
      also: ({ incident: { id, revision } }: Candidate) => [
        ...config.outgoing.map(({ url }) => ({ incident: id, kind: 'outgoing', target: url, uniqueKey: outgoingKey(id, url), wanted: revision })),
        ...(options.events === undefined ? [] : [{ incident: id, kind: 'certificate-event', target: eventTarget, uniqueKey: eventKey(id), wanted: revision }])
      ]
    }
    for (;;) {
      const { folded, more } = await store.assign(rules, assignBatch)
      if (folded > 0) log.info({ folded }, 'a storm: new incidents go into a digest')
      if (!more) break
    }
    if (clock.now() - storms >= betweenStorms || clock.now() < storms) {
      storms = clock.now()
      await tellChanges(store, config)
      await endStorms(store, config, clock, log)
    }
    const targets = await store.dueTargets()
    const isUrl = (target: string): boolean => target.startsWith('http')
    const inSlack = await outbox.run(targets.filter(target => !isUrl(target) && target !== eventTarget))
    await webhooks.run(targets.filter(isUrl), wake)
    await events.run(targets.filter(target => target === eventTarget), wake)
    const known = [inSlack, await store.nextDue()].filter(time => time !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  wake()
  return {
    wake,
    status: () => outbox.status(),
    store,
    transport,
    async stop () {
      stopped = true
      if (timer !== undefined) clearTimeout(timer)
      const end = Date.now() + 12_000
      const underWay = (): boolean => running || outbox.busy + webhooks.busy + events.busy > 0
      while (underWay() && Date.now() < end) await new Promise(resolve => { setTimeout(resolve, 10) })
      await transport.close()
      await Promise.all([webhooks.close(), events.close()])
    }
  }
}

function routedOf ({ incident, labels }: Candidate): Parameters<typeof chooseChannel>[1] {
  const finding = incident.finding === null ? undefined : JSON.parse(incident.finding) as Finding
  return { namespace: incident.namespace, labels, issuer: finding?.blast?.issuer.name || issuerOf(labels), cause: incident.cause, severity: Object.hasOwn(labels, 'severity') ? labels.severity! : '' }
}

/** What became of folded incidents since their page told of them. */
async function tellChanges (store: DeliveryStore, config: Config): Promise<void> {
  for (;;) {
    const rows = await store.foldedChanges(200)
    if (rows.length === 0) return
    const changes = []
    for (const delivery of rows) {
      const incident = await store.incident(delivery.incident_id)
      if (incident === undefined) continue
      const labels: Record<string, string> = delivery.payload.entry === undefined ? {} : { issuer: delivery.payload.entry.issuer, domain: delivery.payload.entry.zone }
      const elsewhere = (await elsewhereOf({ store, config }, delivery, incident))?.channel
      changes.push({ delivery, entry: { ...entryOf({ incident, labels }), ...(elsewhere === undefined ? {} : { elsewhere }) }, revision: Math.max(incident.revision, delivery.wanted) })
    }
    await store.refold(changes)
    if (rows.length < 200) return
  }
}

/** A storm is over when no more than the threshold came within one window. */
async function endStorms (store: DeliveryStore, config: Config, clock: Clock, log: Logger): Promise<void> {
  const { threshold, window } = config.slack.storm
  const now = clock.now()
  for (const digest of await store.openDigests()) {
    if (now - digest.created_at < window && now >= digest.created_at) continue
    if (threshold > 0 && await store.countRoots(digest.target, now - window) > threshold) continue
    await store.closeDigest(digest)
    const survivors = await store.survivors(digest)
    const own = ownMessages(survivors, threshold)
    // Not all at once: as many in a window as make no storm.
    const gap = window / Math.max(1, threshold)
    await store.unfold(own.map(({ id }, index) => ({ id, at: now + Math.round(index * gap) })))
    log.info({ channel: digest.target, stillOpen: survivors.length, ownMessages: own.length }, 'a storm is over')
  }
}
