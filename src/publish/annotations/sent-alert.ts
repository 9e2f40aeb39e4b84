import type { Logger } from 'pino'
import type { AlertmanagerClient } from '../../shared/clients/alertmanager.ts'
import type { AnnotationTargetStore } from '../../shared/store/annotation-targets.ts'
import type { Clock, Millis } from '../../shared/types/common.ts'
import { merged } from './merge.ts'

/** One alert of a sender's body; unknown fields stay where they are. */
export type SentAlert = Record<string, unknown> & { labels: Record<string, string>, annotations?: Record<string, string>, endsAt?: string }

/** What tee and relay need: both see the alerts as Prometheus sends them. */
export interface StreamOptions {
  clients: AlertmanagerClient[]
  targets: AnnotationTargetStore
  clock: Clock
  log: Logger
  /** Relay: how long a new alert may wait for its diagnosis. */
  hold: Millis
  /** An alert that nobody knows yet: begin to diagnose. */
  unknown?: (alert: SentAlert, fingerprint: string) => void
  metrics?: { presence (share: number): void, delivery (kind: string, outcome: string): void }
}

export const upstreamTimeout: Millis = 5_000
export const queueLimit = 5_000
/** Tee and relay see every alert of a Prometheus; only this one is ours. */
export const alertName = 'CertManagerACMEOrderFailed'

/** Our annotations by fingerprint, with the last good ones kept for when the store fails. */
export class Enrichment {
  readonly #targets: AnnotationTargetStore
  readonly #known = new Map<string, Record<string, string>>()

  constructor (targets: AnnotationTargetStore) { this.#targets = targets }

  async of (fingerprints: string[]): Promise<Map<string, Record<string, string>>> {
    if (fingerprints.length === 0) return new Map()
    try {
      const rows = await this.#targets.of(fingerprints)
      for (const { fingerprint: each, annotations } of rows) this.#keep(each, annotations)
      return new Map(rows.filter(({ annotations }) => Object.keys(annotations).length > 0).map(row => [row.fingerprint, row.annotations]))
    } catch {
      // An alert that carried our words must not lose them because a disk is full.
      return new Map(fingerprints.flatMap(each => this.#known.has(each) ? [[each, this.#known.get(each)!] as const] : []))
    }
  }

  #keep (each: string, annotations: Record<string, string>): void {
    if (this.#known.size > queueLimit) this.#known.clear()
    this.#known.set(each, annotations)
  }
}

/** The alerts of a sender's body; undefined when it is none. */
export function readAlerts (body: Buffer): SentAlert[] | undefined {
  try {
    const list: unknown = JSON.parse(body.toString())
    if (!Array.isArray(list) || !list.every(each => typeof each === 'object' && each !== null && typeof (each as SentAlert).labels === 'object' && (each as SentAlert).labels !== null)) return undefined
    return list as SentAlert[]
  } catch {
    return undefined
  }
}

export const ours = ({ labels }: SentAlert): boolean => labels.alertname === alertName
/** Alertmanager's time: ours may be wrong by more than an alert has left. */
export const peersTime = ({ clients, clock }: StreamOptions): Millis => clients[0]?.now() ?? clock.now()
export const isResolved = ({ endsAt }: SentAlert, now: Millis): boolean => endsAt !== undefined && Date.parse(endsAt) <= now
export const enriched = (alert: SentAlert, annotations: Record<string, string>): SentAlert => ({ ...alert, annotations: merged(alert.annotations ?? {}, annotations) })
