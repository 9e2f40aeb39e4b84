import { readFileSync } from 'node:fs'
import { fastify, type FastifyInstance } from 'fastify'
import { Writable } from 'node:stream'
import { buildInbox } from '../../src/accept/inbox.ts'
import { webhookRoute } from '../../src/accept/webhook-route.ts'
import type { Config } from '../../src/shared/config/config.ts'
import { loadConfig, secretsOf } from '../../src/shared/config/load.ts'
import { buildLog } from '../../src/shared/log.ts'
import { buildMetrics, type Metrics } from '../../src/shared/metrics.ts'
import { openStore, type Store, type StoreSettings } from '../../src/shared/store/store.ts'

export const start = Date.parse('2026-11-25T10:00:00Z')

/** A clock that tests move by hand. */
export function handClock (now = start): { now (): number, advance (milliseconds: number): void } {
  let time = now
  return { now: () => time, advance: milliseconds => { time += milliseconds } }
}

export interface Intake { server: FastifyInstance, store: Store, metrics: Metrics, clock: ReturnType<typeof handClock>, lines: string[], depth: { now: number }, close (): Promise<void> }

/** The webhook route on a store in memory, without anything behind it. */
export async function openIntake (change: (config: Config) => void = () => {}, settings: Partial<StoreSettings> = {}): Promise<Intake> {
  const config = loadConfig({})
  change(config)
  const clock = handClock()
  const store = await openStore({ dataDir: ':memory:', clock, flapWindow: 600_000, ...settings })
  const metrics = buildMetrics()
  const lines: string[] = []
  const log = buildLog({ level: 'info', secrets: secretsOf(config), destination: new Writable({ write (chunk, _encoding, done) { lines.push(String(chunk)); done() } }) })
  const depth = { now: 0 }
  const inbox = buildInbox({ config, store, clock, metrics, queueDepth: () => depth.now, onWork: () => {} })
  const server = fastify({ bodyLimit: config.webhook.bodyLimit })
  await server.register(webhookRoute, { config, inbox, metrics, log })
  return {
    server, store, metrics, clock, lines, depth,
    async close () {
      await server.close()
      await store.close()
    }
  }
}

/** The verbatim body of a recorded webhook. */
export function recording (name: string): string {
  const { rawBody } = JSON.parse(readFileSync(new URL(`../recordings/${name}.json`, import.meta.url), 'utf8')) as { rawBody: string }
  return rawBody
}

export interface AlertShape { status?: string, labels?: Record<string, unknown>, annotations?: unknown, startsAt?: string, endsAt?: string, fingerprint?: string }

/** A body as Alertmanager makes it, from what a test wants to be different. */
export function webhookBody (alerts: AlertShape[], rest: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    receiver: 'acme', status: alerts.some(({ status }) => status !== 'resolved') ? 'firing' : 'resolved',
    alerts: alerts.map(alert => ({
      status: 'firing', annotations: {}, startsAt: '2026-11-25T09:59:00Z', endsAt: '0001-01-01T00:00:00Z', generatorURL: '', fingerprint: 'aaaaaaaaaaaaaaaa', ...alert,
      labels: { alertname: 'CertManagerACMEOrderFailed', namespace: 'shop', certificate: 'shop-tls', ...alert.labels }
    })),
    groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: 'http://alertmanager:9093', version: '4', groupKey: '{}:{}', truncatedAlerts: 0, ...rest
  }
}
