import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../../src/shared/errors.ts'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { startFakeAlertmanager, type FakeAlertmanager } from '../support/fake-alertmanager.ts'
import { startFakeSlack, type FakeSlack } from '../support/fake-slack.ts'
import { startPostgres } from '../support/postgres.ts'
import { eventually } from '../support/real-alertmanager.ts'

type Status = 'firing' | 'resolved'

/** The service between a fake Alertmanager and a fake Slack. */
export interface Bench {
  slack: FakeSlack
  alertmanager: FakeAlertmanager
  service: Service
  /** More than one: replicas on one PostgreSQL, and each alert goes to all of them. */
  services: Service[]
  /** What was acknowledged last, by name. */
  acked: Map<string, Status>
  /** Answers that asked for another try. */
  refused: number
  /** Why the last one that was given up was not taken. */
  refusal: string
  /** As Alertmanager: again on 5xx and on a lost connection. */
  post (name: string, status?: Status): Promise<boolean>
  /** Throws when one was not acknowledged in the end. */
  posts (names: string[], status?: Status): Promise<void>
  close (): Promise<void>
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
/** So long an alert is posted again. */
const patience = 180_000
const shiftedClock = new URL('shifted-clock.ts', import.meta.url)

/** The real service as a process of its own, that can be killed at any moment. */
export class Service {
  readonly port: number
  readonly #environment: Record<string, string>
  readonly #directory: string
  #child: ChildProcess | undefined
  readonly #end = (): void => { this.#child?.kill('SIGKILL') }

  constructor (port: number, { slack, alertmanager, config, databaseUrl }: { slack: string, alertmanager: string, config: string, databaseUrl?: string }) {
    this.port = port
    this.#directory = mkdtempSync(join(tmpdir(), 'acme-triage-faults-'))
    const path = (name: string): string => join(this.#directory, name)
    writeFileSync(path('config.yaml'), config)
    this.setToken('xoxb-first')
    // A run that ends in the middle leaves nothing behind.
    process.once('exit', this.#end)
    this.#environment = {
      PATH: process.env.PATH ?? '', HOME: this.#directory, ACME_TRIAGE_CONFIG: path('config.yaml'), ACME_TRIAGE_LISTEN: `127.0.0.1:${port}`, ACME_TRIAGE_DATA_DIR: path('data'), ACME_TRIAGE_PROBES: 'off',
      SLACK_BOT_TOKEN_FILE: path('token'), SLACK_CHANNEL: 'C1', SLACK_API_URL: slack, ALERTMANAGER_URLS: alertmanager, NODE_NO_WARNINGS: '1',
      ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl })
    }
  }

  async start (): Promise<void> {
    // Without what the test runner preloads into every Node process: its signal handlers end one whose disk is full.
    const child = this.#child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, `--import=${shiftedClock}?file=${join(this.#directory, 'clock')}`, main, 'serve'], { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { said = (said + chunk.toString()).slice(-1_000) })
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}: ${said}`)
      return (await fetch(`http://127.0.0.1:${this.port}/readyz`).catch(() => undefined))?.ok === true
    }, 'the service to be ready', 60_000)
  }

  async kill (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>(resolve => { child.once('exit', () => { resolve() }) })
    child.kill(signal)
    await ended
  }

  setToken (token: string): void { writeFileSync(join(this.#directory, 'token'), token) }

  /** By so many milliseconds the service's clock is ahead. */
  setClock (milliseconds: number): void { writeFileSync(join(this.#directory, 'clock'), String(milliseconds)) }

  /** Without any rights a disk is as good as full when no file may grow beyond a page. */
  fillDisk (full: boolean): void {
    const { status, stderr } = spawnSync('prlimit', [`--pid=${this.#child!.pid}`, `--fsize=${full ? 4_096 : 'unlimited'}:unlimited`], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`prlimit: ${stderr}`)
  }

  remove (): void {
    process.off('exit', this.#end)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

export async function bench (config: { storm: number, fallbackChannel?: string, replicas?: number }): Promise<Bench> {
  const slack = await startFakeSlack()
  const alertmanager = await startFakeAlertmanager()
  const { replicas = 1 } = config
  const database = replicas === 1 ? undefined : await startPostgres()
  const settings = {
    slack: slack.url, alertmanager: alertmanager.url, databaseUrl: database?.url,
    config: JSON.stringify({ slack: { storm: { threshold: config.storm, window: '2m' }, ...(config.fallbackChannel === undefined ? {} : { fallbackChannel: config.fallbackChannel }) }, alertmanager: { poll: '1s' } })
  }
  const services: Service[] = []
  for (let count = 0; count < replicas; count++) services.push(new Service(await lastingPort(), settings))
  for (const each of services) await each.start()
  const [service] = services as [Service]
  const began = new Date(Date.now() - 60_000).toISOString()
  const world: Bench = {
    slack, alertmanager, service, services, acked: new Map(), refused: 0, refusal: '',
    async post (name, status = 'firing') {
      const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: name, certificate: name, name: `${name}-1-42`, severity: 'warning' }
      const endsAt = new Date(Date.now() + (status === 'firing' ? 3_600_000 : 0)).toISOString()
      alertmanager.put({ labels, annotations: { summary: 'failed' }, startsAt: began, endsAt })
      const body = JSON.stringify({
        version: '4', receiver: 'acme', status, groupKey: `{}:{namespace="${name}"}`, groupLabels: {}, commonLabels: labels, commonAnnotations: {}, externalURL: 'http://alertmanager:9093', truncatedAlerts: 0,
        alerts: [{ status, labels, annotations: { summary: 'failed' }, startsAt: began, endsAt: status === 'firing' ? '0001-01-01T00:00:00Z' : endsAt, generatorURL: '', fingerprint: fingerprint(labels) }]
      })
      let last = ''
      const deliver = async ({ port }: Service): Promise<boolean> => {
        for (const end = performance.now() + patience; performance.now() < end;) {
          const answer = await fetch(`http://127.0.0.1:${port}/webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: AbortSignal.timeout(5_000) }).catch((error: unknown) => { last = reasonOf(error) })
          if (answer?.ok === true) {
            // A late copy of what began does not open it again.
            if (world.acked.get(name) !== 'resolved') world.acked.set(name, status)
            return true
          }
          last = answer === undefined ? last : `${answer.status} ${await answer.text().catch(reasonOf)}`
          if (answer !== undefined) world.refused++
          await sleep(200)
        }
        world.refusal = last
        return false
      }
      return (await Promise.all(services.map(deliver))).every(Boolean)
    },
    async posts (names, status) {
      const answers = await Promise.all(names.map(name => world.post(name, status)))
      if (answers.includes(false)) throw new Error(`an alert was not taken in ${patience / 1_000} s: ${world.refusal}`)
    },
    async close () {
      await Promise.all(services.map(each => each.kill('SIGTERM')))
      for (const each of services) each.remove()
      await database?.stop()
      await slack.close()
      await alertmanager.close()
    }
  }
  return world
}

/** Below the ports of outgoing connections: while the service is dead, nobody else gets its own. */
async function lastingPort (): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer()
    const free = await new Promise<boolean>(resolve => { server.once('error', () => { resolve(false) }).listen(port, '127.0.0.1', () => { resolve(true) }) })
    await new Promise(resolve => { server.close(resolve) })
    if (free) return port
  }
}
