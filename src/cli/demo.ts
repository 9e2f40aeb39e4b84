import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fingerprint } from '../shared/fingerprint.ts'
import { buildApp } from '../app.ts'
import { plainOf } from '../publish/slack/transport.ts'
import type { Config } from '../shared/config/config.ts'
import { parseListen } from '../shared/config/units.ts'
import { TriageError } from '../shared/errors.ts'
import { buildLog } from '../shared/log.ts'
import { openAlertmanager, openSlack, type HeldAlert, type SlackPosting } from '../world/receivers.ts'
import { openWorld } from '../world/world.ts'
import { openWorldClients, replayConfig } from './replay-case.ts'

export interface DemoOptions { case?: string, keep?: boolean }

const standardCase = fileURLToPath(new URL('../../test/cases/http01-port80-blocked/firewall-drops-port-80', import.meta.url))
const patience = 14_000
const pictureTakes = 2_000

/**
 * `acme-triage demo`: the whole way of an alert on loopback. The service is the real one; the
 * cluster, DNS, web and CA are a case directory's; Slack and Alertmanager are the world's.
 */
export async function run (_values: string[], options: DemoOptions): Promise<number> {
  const began = performance.now()
  const world = await openWorld(options.case ?? standardCase, { ticking: true })
  const dataDir = await mkdtemp(join(tmpdir(), 'acme-triage-demo-'))
  const progress = new Progress()
  const say = (line: string): void => { process.stdout.write(`${line}\n`) }
  const step = (what: string): void => say(`\n[+${((performance.now() - began) / 1000).toFixed(2)} s] ${what}`)

  const alerts = heldAlerts(world.directory.alerts)
  const slack = await openSlack(world.clock, (posting) => {
    step(wordsFor(posting))
    if (posting.kind !== 'file') say(indent(plainOf({ text: posting.text, blocks: posting.blocks as never })))
    if (posting.kind === 'file') progress.reach('picture')
    else if (posting.kind === 'edit' || posting.blocks.length > 0) progress.reach(posting.thread === undefined ? posting.kind === 'edit' ? 'diagnosis' : 'notice' : 'thread')
  })
  const alertmanager = await openAlertmanager(world.clock, alerts, ({ annotations }) => {
    const ours = Object.entries(annotations).filter(([name]) => name.startsWith('acme_triage_'))
    step('Alertmanager: the alert carries its cause now')
    say(indent(ours.map(([name, value]) => `${name}: ${value}`).join('\n')))
    if (ours.length > 0) progress.reach('annotations')
  })
  const config = await demoConfig(replayConfig(world), { dataDir, slack: slack.url, alertmanager: alertmanager.url })
  const clients = openWorldClients(world, config)
  const log = buildLog({ level: 'error', destination: process.stderr })
  const app = await buildApp(config, { clients: { kubernetes: clients.kubernetes, outside: clients.outside }, clock: world.clock, log })
  try {
    const address = await app.listen()
    step(`${world.directory.title} (${world.directory.source}); its cluster, DNS, web servers and CA are served on 127.0.0.1`)
    say(`          the service listens on ${address}, the clock says ${new Date(world.clock.now()).toISOString()}`)
    // What a service reads and compiles once at its start is no part of an answer's time.
    await (await fetch(`${address}/readyz`)).arrayBuffer()
    await settled()
    const sent = performance.now()
    const response = await fetch(`${address}/webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: bodyOf(world.directory.alerts[0]!, alerts) })
    await response.arrayBuffer()
    step(`POST /webhook: ${alerts[0]!.labels['alertname'] ?? 'alert'} answered ${response.status} in ${(performance.now() - sent).toFixed(1)} ms, committed to disk`)
    if (response.status !== 200) return 1
    const complete = await progress.wait(['notice', 'diagnosis', 'thread', 'annotations'], patience - (performance.now() - began))
    // Drawn where resvg has a binary; the demo does without elsewhere.
    if (complete) await progress.wait(['picture'], pictureTakes)
    const incident = await reportOf(address)
    step(complete ? 'done' : `gave up waiting for: ${progress.missing().join(', ')}`)
    say(`          alert to notice ${progress.since('notice', sent)}, to diagnosis ${progress.since('diagnosis', sent)}, to the runbook in the thread ${progress.since('thread', sent)}, to the annotations ${progress.since('annotations', sent)}`)
    say(`          report: ${incident ?? address}${options.keep === true ? '   (Ctrl-C ends)' : '   (--keep leaves it up)'}`)
    if (options.keep === true) await new Promise<void>((resolve) => { process.once('SIGINT', resolve).once('SIGTERM', resolve) })
    return complete ? 0 : 1
  } finally {
    await app.close()
    await clients.close()
    await Promise.all([slack.close(), alertmanager.close(), world.close()])
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function demoConfig (config: Config, to: { dataDir: string, slack: string, alertmanager: string }): Promise<Config> {
  const text = process.env['ACME_TRIAGE_LISTEN']
  const listen = text === undefined || text === '' ? { host: '127.0.0.1', port: await freePort() } : parseListen(text)
  if (listen === undefined) throw new TriageError('USAGE', { why: `ACME_TRIAGE_LISTEN=${text} is not host:port` })
  return {
    ...config,
    listen,
    dataDir: to.dataDir,
    publicUrl: `http://${listen.host}:${listen.port}`,
    slack: { ...config.slack, token: 'xoxb-demo', channel: 'certificates', apiUrl: to.slack },
    alertmanager: { ...config.alertmanager, urls: [to.alertmanager], mode: 'api', poll: 1_000 }
  }
}

/** The links in messages name the port, so it must be known before anything listens. */
async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => { server.close(() => resolve()) })
  return port
}

/** The alerts of the first notification as Alertmanager holds them: it works out fingerprints itself. */
function heldAlerts ([body]: Awaited<ReturnType<typeof openWorld>>['directory']['alerts']): HeldAlert[] {
  return body!.alerts.map(({ labels, annotations = {}, startsAt = new Date().toISOString(), generatorURL = '' }) => ({ labels, annotations: { ...annotations }, startsAt, generatorURL, fingerprint: fingerprint(labels) }))
}

function bodyOf (body: { alerts: object[] }, held: HeldAlert[]): string {
  return JSON.stringify({ version: '4', ...body, alerts: body.alerts.map((alert, index) => ({ ...alert, fingerprint: held[index]!.fingerprint })) })
}

async function reportOf (address: string): Promise<string | undefined> {
  const { incidents } = await (await fetch(`${address}/incidents.json`)).json() as { incidents?: { id?: string }[] }
  const id = incidents?.[0]?.id
  return id === undefined ? undefined : `${address}/incidents/${id}`
}

function wordsFor ({ kind, channel, thread, text }: SlackPosting): string {
  if (kind === 'file') return `Slack #${channel}: picture in the thread (${text})`
  if (kind === 'edit') return `Slack #${channel}: the message is edited`
  return thread === undefined ? `Slack #${channel}: first message` : `Slack #${channel}: reply in the thread`
}

/** Until the event loop has been idle for a while; at most some seconds. */
async function settled (): Promise<void> {
  for (let quiet = 0, rounds = 0; quiet < 4 && rounds < 60; rounds++) {
    const before = performance.now()
    await setTimeout(50)
    quiet = performance.now() - before < 70 ? quiet + 1 : 0
  }
}

const indent = (text: string): string => text.split('\n').map((line) => line === '' ? '' : `          ${line}`).join('\n')

type Milestone = 'notice' | 'diagnosis' | 'thread' | 'annotations' | 'picture'

/** What has happened so far, and when. */
class Progress {
  private readonly reached = new Map<Milestone, number>()
  private wanted: Milestone[] = []
  private done: (() => void) | undefined

  reach (milestone: Milestone): void {
    if (!this.reached.has(milestone)) this.reached.set(milestone, performance.now())
    if (this.missing().length === 0) this.done?.()
  }

  /** True when all were reached in time. */
  async wait (wanted: Milestone[], milliseconds: number): Promise<boolean> {
    this.wanted = wanted
    if (this.missing().length > 0) {
      await new Promise<void>((resolve) => {
        const timer = globalThis.setTimeout(resolve, milliseconds)
        this.done = () => { clearTimeout(timer); resolve() }
      })
    }
    return this.missing().length === 0
  }

  missing (): Milestone[] {
    return this.wanted.filter((milestone) => !this.reached.has(milestone))
  }

  since (milestone: Milestone, start: number): string {
    const at = this.reached.get(milestone)
    return at === undefined ? '–' : `${Math.max(0, at - start).toFixed(0)} ms`
  }
}
