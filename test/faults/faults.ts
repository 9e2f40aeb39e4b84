import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { startFakeSlack, type FakeSlack } from '../support/fake-slack.ts'
import { eventually, freePort } from '../support/real-alertmanager.ts'

/** What a fault did to the alerts that were acknowledged. */
export interface FaultRow { fault: string, acked: number, lost: number, twice: number, messages: number, kills?: number, seconds: number }

export interface FaultOptions {
  kills: number
  /** How long Slack is away. */
  down: number
  /** Beside the kills: Slack down, 429, everything at once. */
  scenes?: boolean
  /** Same numbers, same kills. */
  seed?: number
  report?: (row: FaultRow) => void
}

interface Bench { slack: FakeSlack, service: Service, acked: Set<string>, post (name: string, status?: 'firing' | 'resolved'): Promise<boolean> }

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** The real service as a process of its own, that can be killed at any moment. */
class Service {
  readonly port: number
  readonly #environment: Record<string, string>
  readonly #directory: string
  #child: ChildProcess | undefined

  constructor (port: number, directory: string, slackUrl: string, storm: string) {
    this.port = port
    this.#directory = directory
    writeFileSync(join(directory, 'config.yaml'), storm)
    this.#environment = {
      PATH: process.env.PATH ?? '', HOME: directory, ACME_TRIAGE_CONFIG: join(directory, 'config.yaml'), ACME_TRIAGE_LISTEN: `127.0.0.1:${port}`, ACME_TRIAGE_DATA_DIR: join(directory, 'data'), ACME_TRIAGE_PROBES: 'off',
      SLACK_BOT_TOKEN: 'xoxb-test', SLACK_CHANNEL: 'C1', SLACK_API_URL: slackUrl, NODE_NO_WARNINGS: '1'
    }
  }

  async start (): Promise<void> {
    this.#child = spawn(process.execPath, [main, 'serve'], { env: this.#environment, stdio: 'ignore' })
    await eventually(async () => {
      if (this.#child!.exitCode !== null) throw new Error(`the service ended with ${this.#child!.exitCode}`)
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

  remove (): void { rmSync(this.#directory, { recursive: true, force: true }) }
}

async function bench (storm: number): Promise<Bench & { close (): Promise<void> }> {
  const slack = await startFakeSlack()
  const port = await freePort()
  const service = new Service(port, mkdtempSync(join(tmpdir(), 'acme-triage-faults-')), slack.url, `slack:\n  storm: {threshold: ${storm}, window: 2m}\n`)
  const acked = new Set<string>()
  await service.start()
  const began = new Date(Date.now() - 60_000).toISOString()
  return {
    slack, service, acked,
    /** As Alertmanager: again on 5xx and on a lost connection. */
    async post (name, status = 'firing') {
      const labels = { alertname: 'CertManagerACMEOrderFailed', namespace: name, certificate: name, name: `${name}-1-42`, severity: 'warning' }
      const body = JSON.stringify({
        version: '4', receiver: 'acme', status, groupKey: `{}:{namespace="${name}"}`, groupLabels: {}, commonLabels: labels, commonAnnotations: {}, externalURL: 'http://alertmanager:9093', truncatedAlerts: 0,
        alerts: [{ status, labels, annotations: { summary: 'failed' }, startsAt: began, endsAt: status === 'firing' ? '0001-01-01T00:00:00Z' : new Date().toISOString(), generatorURL: '', fingerprint: fingerprint(labels) }]
      })
      for (let attempt = 0; attempt < 200; attempt++) {
        const answer = await fetch(`http://127.0.0.1:${port}/webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
        if (answer?.ok === true) {
          acked.add(name)
          return true
        }
        await new Promise(resolve => { setTimeout(resolve, 200) })
      }
      return false
    },
    async close () {
      await service.kill('SIGTERM')
      service.remove()
      await slack.close()
    }
  }
}

/** Counts what Slack has in the end: by name for what was lost, by root for what was said twice. */
async function tally (fault: string, { slack, acked }: Bench, began: number, limit = 120_000): Promise<FaultRow> {
  const lost = (): string[] => {
    const text = JSON.stringify(slack.messages)
    return [...acked].filter(name => !text.includes(name))
  }
  await eventually(() => lost().length === 0, 'every acknowledged alert in Slack', limit).catch(() => {})
  // Late repeats would come now.
  await new Promise(resolve => { setTimeout(resolve, 1_500) })
  const roots = slack.roots().map(root => `${root.text} ${String(root.metadata?.event_payload.incident_id ?? '')}`)
  const incidents = slack.roots().flatMap(({ metadata }) => metadata?.event_payload.incident_id ?? []).filter(id => id !== '')
  const twice = new Set([...incidents.filter((id, index) => incidents.indexOf(id) !== index).map(String), ...[...acked].filter(name => roots.filter(root => new RegExp(`\\b${name}\\b`).test(root) && !root.includes('at once')).length > 1)])
  return { fault, acked: acked.size, lost: lost().length, twice: twice.size, messages: slack.messages.length, seconds: Math.round((performance.now() - began) / 100) / 10 }
}

/** Runs the faults one after the other; everything is on loopback. */
export async function runFaults ({ kills, down, scenes: withScenes = true, seed = 1, report = () => {} }: FaultOptions): Promise<FaultRow[]> {
  let state = seed
  const random = (): number => (state = (state * 1_664_525 + 1_013_904_223) >>> 0) / 2 ** 32
  const rows: FaultRow[] = []
  const finish = async (row: FaultRow): Promise<void> => { rows.push(row); report(row) }

  for (const [title, storm, perKill] of [['kill -9 while single messages are sent', 100_000, 2], ['kill -9 in a storm', 8, 12]] as const) {
    const began = performance.now()
    const rounds = Math.ceil(kills / 2)
    const world = await bench(storm)
    try {
      const sending: Promise<boolean>[] = []
      for (let round = 0; round < rounds; round++) {
        for (let index = 0; index < perKill; index++) sending.push(world.post(`k${storm}x${round}x${index}`))
        await new Promise(resolve => { setTimeout(resolve, Math.round(random() * 400)) })
        await world.service.kill()
        await world.service.start()
      }
      await Promise.all(sending)
      await finish({ ...await tally(title, world, began), kills: rounds })
    } finally {
      await world.close()
    }
  }

  const scenes: { title: string, names: number, fault (count: number, since: number): ReturnType<FakeSlack['fault']>, redeliver?: number }[] = [
    { title: `Slack down for ${down / 1000} s`, names: 30, fault: (_count, since) => Date.now() - since < down ? { is: 'status', status: 503 } : undefined },
    { title: '429 for every second call', names: 30, fault: count => count % 2 === 0 ? { is: 'rate', retryAfter: 1 } : undefined },
    { title: 'every fault at once, each alert delivered three times', names: 40, redeliver: 3, fault: () => {
      const roll = random()
      return roll < 0.1 ? { is: 'rate', retryAfter: 1 } : roll < 0.2 ? { is: 'status', status: 500 } : roll < 0.3 ? { is: 'reset' } : roll < 0.4 ? { is: 'kept-and-cut' } : roll < 0.43 ? { is: 'hang' } : undefined
    } }
  ]
  for (const { title, names, fault, redeliver = 1 } of withScenes ? scenes : []) {
    const began = performance.now()
    const world = await bench(8)
    try {
      let count = 0
      const since = Date.now()
      world.slack.fault = method => method.startsWith('chat.') && method !== 'chat.getPermalink' ? fault(count++, since) : undefined
      const list = Array.from({ length: names }, (_, index) => `f${rows.length}x${index}`)
      for (let copy = 0; copy < redeliver; copy++) await Promise.all(list.map(name => world.post(name)))
      await finish(await tally(title, world, began))
    } finally {
      await world.close()
    }
  }
  return rows
}

/** `npm run faults [-- --kills 200 --down 60000]` */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name: string, fallback: number): number => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? fallback : Number(process.argv[at + 1]) }
  process.stdout.write('fault                                                    kills  acked   lost  twice  messages  seconds\n')
  const rows = await runFaults({
    kills: option('kills', 200), down: option('down', 60_000), seed: option('seed', 1),
    report: row => { process.stdout.write(`${row.fault.padEnd(56)} ${String(row.kills ?? '').padStart(5)} ${String(row.acked).padStart(6)} ${String(row.lost).padStart(6)} ${String(row.twice).padStart(6)} ${String(row.messages).padStart(9)} ${String(row.seconds).padStart(8)}\n`) }
  })
  process.exitCode = rows.some(({ lost, twice }) => lost + twice > 0) ? 1 : 0
}
