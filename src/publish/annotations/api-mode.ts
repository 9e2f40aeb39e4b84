import type { Logger } from 'pino'
import type { AlertmanagerClient, LiveAlert, PostedAlert } from '../../shared/clients/alertmanager.ts'
import type { AnnotationTarget, AnnotationTargetStore } from '../../shared/store/annotation-targets.ts'
import type { Clock, Millis } from '../../shared/types/common.ts'
import { carries, decide } from './merge.ts'
import { OtherWriter, Presence, SenderPeriod } from './observe.ts'

export interface ApiModeOptions {
  clients: AlertmanagerClient[]
  targets: AnnotationTargetStore
  clock: Clock
  log: Logger
  poll: Millis
  /** How long an alert must be absent from every peer until it counts as gone. */
  goneAfter?: Millis
  metrics?: { presence (share: number): void, delivery (kind: string, outcome: string): void }
}

export interface PeerStatus {
  url: string
  state: 'ok' | 'unreachable' | 'refused' | 'not-asked'
  error?: string
  polls: number
  posts: number
  /** Checks of a firing alert, and how many found ours. */
  checks: number
  present: number
  verifiedAt?: Millis
  /** What the sender's own posts come at, as far as learnt. */
  period?: Millis
  otherWriter: boolean
}

interface Peer { client: AlertmanagerClient, status: PeerStatus, skipUntil: Millis, failures: number, seen: Map<string, { updatedAt: string, ours: boolean }> }

/**
 * An Alertmanager that was restarted knows nothing until its senders send again, after at most
 * two minutes. Waiting costs polls only: what is absent is never posted.
 */
const goneAfter: Millis = 150_000
const goneLooks = 2
const shortest: Millis = 2_000
const longest: Millis = 15_000

/**
 * Keeps our annotations on firing alerts by reading and posting back, at every peer for itself:
 * Alertmanager's peers do not share alerts. Posts only what was read a moment before, never
 * from the store alone: a firing copy posted after the end would fire the alert again.
 */
export class ApiMode {
  readonly #options: ApiModeOptions
  readonly #peers: Peer[]
  readonly #missing = new Map<string, { looks: number, since: Millis }>()
  readonly #periods = new Map<string, SenderPeriod>()
  readonly #writers = new Map<string, OtherWriter>()
  readonly #presence = new Presence()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor (options: ApiModeOptions) {
    this.#options = options
    this.#peers = options.clients.map(client => ({ client, status: { url: client.url, state: 'not-asked', polls: 0, posts: 0, checks: 0, present: 0, otherWriter: false }, skipUntil: 0, failures: 0, seen: new Map() }))
  }

  /** Begins to poll; also called when something was diagnosed, to write at once. */
  wake (): void {
    if (this.#stopped) return
    if (this.#running !== undefined) return this.#schedule(50)
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#running = this.round().catch(error => { this.#options.log.warn({ err: error as Error }, 'annotations wait for the store') }).finally(() => {
      this.#running = undefined
      if (!this.#stopped) this.#schedule(this.#interval())
    })
  }

  async stop (): Promise<void> {
    this.#stopped = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    await this.#running
    await Promise.all(this.#options.clients.map(client => client.close()))
  }

  status (): PeerStatus[] { return this.#peers.map(({ status }) => status) }

  /** One poll of every peer, and the posts that follow from it. */
  async round (): Promise<void> {
    const { targets } = this.#options
    const wanted = await targets.active()
    if (wanted.length === 0) return
    const found = await Promise.all(this.#peers.map(peer => this.#peer(peer, wanted)))
    // Only peers that answered can say that an alert is gone.
    const answered = found.filter(fingerprints => fingerprints !== undefined)
    if (answered.length < this.#peers.length || answered.length === 0) return
    const over: string[] = []
    for (const { fingerprint } of wanted) {
      if (answered.some(fingerprints => fingerprints.has(fingerprint))) {
        this.#missing.delete(fingerprint)
        continue
      }
      const now = this.#options.clock.now()
      const { looks, since } = this.#missing.get(fingerprint) ?? { looks: 0, since: now }
      this.#missing.set(fingerprint, { looks: looks + 1, since: Math.min(since, now) })
      if (looks + 1 >= goneLooks && now - since >= (this.#options.goneAfter ?? goneAfter)) over.push(fingerprint)
    }
    for (const fingerprint of over) {
      this.#missing.delete(fingerprint)
      this.#periods.delete(fingerprint)
      this.#writers.delete(fingerprint)
    }
    if (over.length > 0) await targets.stop(over)
  }

  async #peer (peer: Peer, wanted: AnnotationTarget[]): Promise<Set<string> | undefined> {
    const { clock, log, metrics } = this.#options
    const { client, status } = peer
    if (clock.now() < peer.skipUntil && peer.skipUntil - clock.now() <= 600_000) return undefined
    const names = [...new Set(wanted.map(({ labels }) => labels.alertname ?? ''))]
    // One question for all of a name; several names are asked by one pattern.
    const answer = await client.alerts(names.length === 1 && names[0] !== '' ? [`alertname=${JSON.stringify(names[0])}`] : names.every(name => name !== '') ? [`alertname=~${JSON.stringify(names.map(escapePattern).join('|'))}`] : [])
    status.polls++
    if (!answer.ok) {
      peer.failures++
      const refused = answer.status === 401 || answer.status === 403 || answer.status === 404
      if (status.state === 'ok' || status.state === 'not-asked') log.warn({ peer: client.url, error: answer.error }, refused ? 'Alertmanager refuses us: check its URL and credentials' : 'an Alertmanager peer does not answer')
      status.state = refused ? 'refused' : 'unreachable'
      status.error = answer.error
      peer.skipUntil = clock.now() + (refused ? 60_000 : Math.min(30_000, 1_000 * 2 ** Math.min(5, peer.failures)))
      metrics?.delivery('annotation', refused ? 'configuration' : 'unreachable')
      return undefined
    }
    peer.failures = 0
    status.state = 'ok'
    delete status.error
    const live = new Map(answer.value.map(alert => [alert.fingerprint, alert]))
    const posts: { live: LiveAlert, target: AnnotationTarget }[] = []
    for (const target of wanted) {
      const alert = live.get(target.fingerprint)
      if (alert === undefined || Object.keys(target.annotations).length === 0) continue
      this.#learn(peer, alert)
      const there = carries(alert.annotations, target.annotations)
      const before = peer.seen.get(target.fingerprint)
      // What we have never written cannot be missing.
      if (before?.ours === true || there) this.#count(status, there)
      if (there) {
        status.verifiedAt = clock.now()
        peer.seen.set(target.fingerprint, { updatedAt: alert.updatedAt, ours: true })
        continue
      }
      if (before?.ours === true) this.#writerOf(target.fingerprint).lost(alert.annotations, clock.now())
      if (this.#writerOf(target.fingerprint).backsOff(clock.now())) {
        status.otherWriter = true
        continue
      }
      posts.push({ live: alert, target })
    }
    await this.#post(peer, posts)
    for (const fingerprint of peer.seen.keys()) if (!live.has(fingerprint)) peer.seen.delete(fingerprint)
    return new Set(live.keys())
  }

  /** One post right behind the read: what lies between is the time in which an alert could end unseen. */
  async #post (peer: Peer, posts: { live: LiveAlert, target: AnnotationTarget }[]): Promise<void> {
    const { log } = this.#options
    const alerts = new Map<string, PostedAlert>()
    for (const { live, target } of posts) {
      const decision = decide(live, target.annotations, peer.client.now())
      if (decision.do === 'post') alerts.set(live.fingerprint, decision.alert)
      else if (decision.why === 'fingerprint' || decision.why === 'bad-time') log.warn({ peer: peer.client.url, fingerprint: live.fingerprint, why: decision.why }, 'an alert is left alone')
    }
    if (alerts.size === 0) return
    const answer = await peer.client.post([...alerts.values()])
    this.#posted(peer, [...alerts.keys()], answer)
    // One alert can spoil a batch (an address that does not parse): each for itself then.
    if (!answer.ok && (answer.status === 422 || answer.status === 400)) {
      for (const [fingerprint, alert] of alerts) {
        const alone = await peer.client.post([alert])
        if (alone.ok) this.#posted(peer, [fingerprint], alone)
        else if (/generatorURL/i.test(alone.error)) {
          const { generatorURL: _unparsable, ...rest } = alert
          this.#posted(peer, [fingerprint], await peer.client.post([rest]))
        }
      }
    }
  }

  #posted (peer: Peer, fingerprints: string[], answer: { ok: true } | { ok: false, error: string }): void {
    const { log, metrics } = this.#options
    peer.status.posts++
    for (const fingerprint of fingerprints) {
      metrics?.delivery('annotation', answer.ok ? 'posted' : 'failed')
      if (answer.ok) peer.seen.set(fingerprint, { updatedAt: '', ours: true })
    }
    if (!answer.ok) log.warn({ peer: peer.client.url, alerts: fingerprints.length, error: answer.error }, 'annotations were not taken')
  }

  #learn (peer: Peer, alert: LiveAlert): void {
    const before = peer.seen.get(alert.fingerprint)
    if (before === undefined) {
      peer.seen.set(alert.fingerprint, { updatedAt: alert.updatedAt, ours: false })
      return
    }
    if (before.updatedAt === alert.updatedAt) return
    // The first change after our own post is ours.
    if (before.updatedAt !== '') {
      const period = this.#periods.get(alert.fingerprint) ?? new SenderPeriod()
      this.#periods.set(alert.fingerprint, period)
      period.sent(Date.parse(alert.updatedAt))
      const learnt = period.period()
      if (learnt !== undefined) peer.status.period = learnt
    }
    before.updatedAt = alert.updatedAt
  }

  #count (status: PeerStatus, there: boolean): void {
    status.checks++
    if (there) status.present++
    this.#options.metrics?.presence(this.#presence.seen(there))
  }

  #writerOf (fingerprint: string): OtherWriter {
    let writer = this.#writers.get(fingerprint)
    if (writer === undefined) this.#writers.set(fingerprint, writer = new OtherWriter())
    return writer
  }

  #interval (): Millis {
    const periods = this.#peers.flatMap(({ status }) => status.period ?? [])
    return pollInterval(this.#options.poll, periods.length === 0 ? undefined : Math.min(...periods))
  }

  #schedule (wait: Millis): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.wake() }, wait)
  }
}

/** A twentieth of the sender's period keeps the gap small; never more often than is polite. */
export function pollInterval (poll: Millis, period: Millis | undefined): Millis {
  return Math.max(Math.min(shortest, poll), Math.min(longest, poll, period === undefined ? poll : period / 20))
}

const escapePattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
