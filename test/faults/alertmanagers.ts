import { setTimeout as sleep } from 'node:timers/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from '../../src/app.ts'
import { openClients } from '../../src/clients.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { buildLog } from '../../src/shared/log.ts'
import { startFakeSlack } from '../support/fake-slack.ts'
import { eventually, freePort, startAlertmanager, startPrometheus, type RealProgram } from '../support/real-alertmanager.ts'

type Mode = 'api' | 'tee' | 'relay'

/** What a fault of Alertmanager did to the alert, seen at both peers all the time. */
interface AlertmanagerRow {
  fault: string
  mode: Mode
  /** Looks at a peer that showed the alert, and how many of them did not show ours or the sender's own annotations. */
  looks: number
  bare: number
  strangers: number
  /** Firing notifications above one for each beginning of an alert at the sender, peer and life of its memory. */
  extra: number
  /** Resolved notifications above one for each of these, and looks that saw the alert after its end. */
  again: number
  /** Milliseconds from the end of the fault until ours stood on every alert of every peer. */
  back: number
  /** Milliseconds from the end of the failure until no peer showed the alert. */
  end: number
  failed?: string
}

interface Shown { labels: Record<string, string>, annotations: Record<string, string>, fingerprint: string }

interface Lab {
  down (peer: number): Promise<void>
  up (peer: number): Promise<void>
  /** The order is no longer failed. */
  mend (): void
}

interface AlertmanagerScene {
  title: string
  /** Two Prometheus servers with different external labels, which both send to all, or each to a peer of its own. */
  senders?: 'to-all' | 'to-own'
  modes: readonly Mode[]
  play? (lab: Lab): Promise<void>
}

const all: readonly Mode[] = ['api', 'tee', 'relay']
const away = 3_000

export const alertmanagerScenes: AlertmanagerScene[] = [
  { title: 'one peer is away and comes back with nothing in memory', modes: all, async play ({ down, up }) { await down(1); await sleep(away); await up(1) } },
  { title: 'both peers are away and come back with nothing in memory', modes: all, async play ({ down, up }) { await Promise.all([down(0), down(1)]); await sleep(away); await Promise.all([up(0), up(1)]) } },
  { title: 'a peer is restarted at once', modes: ['api'], async play ({ down, up }) { await down(0); await up(0) } },
  { title: 'the failure ends while a peer is away', modes: all, async play ({ down, up, mend }) { await down(1); mend(); await sleep(away); await up(1) } },
  { title: 'the same alert with another label from each of two senders', modes: all, senders: 'to-all' },
  // Tee and relay write what they were sent to every peer, so each must have been sent the same.
  { title: 'the same alert with another label at each peer', modes: ['api'], senders: 'to-own' }
]

const summary = 'ACME order shop-tls-1-42 failed'
const ours = 'acme_triage_cause'

/** Plays a scene with two real Alertmanagers, one or two real Prometheus servers and the service between them; everything is on loopback. */
export async function playAlertmanagers ({ title, senders, play }: AlertmanagerScene, mode: Mode): Promise<AlertmanagerRow> {
  const row: AlertmanagerRow = { fault: title, mode, looks: 0, bare: 0, strangers: 0, extra: 0, again: 0, back: 0, end: 0 }
  let failing = true
  const notified = { firing: [] as string[], resolved: [] as string[] }
  const outside = createServer((request, response) => {
    if (request.url === '/metrics') return void response.end(failing ? 'test_order_state{namespace="shop",name="shop-tls-1-42",certificate="shop-tls",state="invalid"} 1\n' : '')
    void bodyOf(request).then(body => {
      for (const { status, fingerprint, startsAt } of (JSON.parse(body) as { alerts: { status: 'firing' | 'resolved', fingerprint: string, startsAt: string }[] }).alerts) notified[status].push(`${request.url} ${fingerprint} ${startsAt}`)
      response.end()
    })
  })
  await new Promise<void>(resolve => { outside.listen(0, '127.0.0.1', resolve) })
  const metricsPort = (outside.address() as AddressInfo).port
  const slack = await startFakeSlack()
  const port = await freePort()
  let lives = 0
  // A group is notified as a whole: one for each alert keeps the count plain.
  const begin = (at?: number): Promise<RealProgram> => startAlertmanager([`http://127.0.0.1:${port}/webhook`, `http://127.0.0.1:${metricsPort}/lives/${lives++}`], { groupBy: ['...'], ...(at === undefined ? {} : { port: at }) })
  const peers: (RealProgram | undefined)[] = [await begin(), await begin()]
  const ports = peers.map(peer => peer!.port)
  const directory = mkdtempSync(join(tmpdir(), 'acme-triage-peers-'))
  const config = loadConfig({
    ACME_TRIAGE_DATA_DIR: directory, ACME_TRIAGE_LISTEN: `127.0.0.1:${port}`, ACME_TRIAGE_PROBES: 'off', SLACK_BOT_TOKEN: 'xoxb-test', SLACK_CHANNEL: 'C1', SLACK_API_URL: slack.url,
    ALERTMANAGER_URLS: ports.map(each => `http://127.0.0.1:${each}`).join(',')
  })
  Object.assign(config.alertmanager, { mode, poll: 200, hold: 0 })
  const clock = { now: Date.now }
  const clients = await openClients(config, clock)
  const app = await buildApp(config, { clients, clock, log: buildLog({ level: process.env.TEST_LOG ?? 'silent', secrets: [] }) })
  await app.listen()
  const targetsOf = (sender: number): { port: number }[] => {
    if (mode === 'relay') return [{ port }]
    const own = senders === 'to-own' ? [ports[sender]!] : ports
    return [...own, ...mode === 'tee' ? [port] : []].map(each => ({ port: each }))
  }
  const prometheus = await Promise.all((senders === undefined ? [0] : [0, 1]).map(sender => startPrometheus({
    metricsPort, targets: targetsOf(sender), annotations: { summary: 'ACME order {{ $labels.name }} failed' }, evaluate: '1s', resend: '3s', ...(senders === undefined ? {} : { externalLabels: { replica: `r${sender}` } })
  })))
  const perPeer = senders === 'to-all' ? 2 : 1

  const shownAt = async (peer: RealProgram): Promise<Shown[] | undefined> => {
    const answer = await fetch(`${peer.url}/api/v2/alerts`).catch(() => undefined)
    return answer?.ok === true ? await answer.json() as Shown[] : undefined
  }
  const shown = async (): Promise<Shown[][]> => Promise.all(peers.flatMap(peer => peer === undefined ? [] : [shownAt(peer).then(alerts => alerts ?? [])]))
  const stands = async (): Promise<boolean> => {
    const lists = await shown()
    return lists.length === 2 && lists.every(alerts => alerts.length === perPeer && alerts.every(({ annotations }) => annotations[ours] !== undefined))
  }
  let ended: Promise<void> = Promise.resolve()
  const lab: Lab = {
    async down (peer) {
      const program = peers[peer]!
      peers[peer] = undefined
      await program.stop('SIGKILL')
    },
    async up (peer) {
      peers[peer] = await begin(ports[peer]!)
    },
    mend () {
      failing = false
      const since = Date.now()
      ended = eventually(async () => (await Promise.all(peers.flatMap(peer => peer === undefined ? [] : [shownAt(peer)]))).every(alerts => alerts?.length === 0), 'the end of the alert', 20_000).then(() => { row.end = Date.now() - since })
      ended.catch(() => {})
    }
  }
  let watching = false
  let closed = false
  const watch = (async () => {
    for (;;) {
      if (closed) return
      for (const alert of watching ? (await shown()).flat() : []) {
        row.looks++
        if (alert.annotations[ours] === undefined) row.bare++
        if (alert.annotations.summary !== summary) row.strangers++
      }
      await sleep(25)
    }
  })()
  try {
    await eventually(stands, 'our annotations on every alert', 40_000)
    watching = true
    await play?.(lab)
    if (failing) {
      const since = Date.now()
      await eventually(stands, 'our annotations on every alert again', 40_000)
      row.back = Date.now() - since
      // One more round of the sender.
      await sleep(4_500)
      await eventually(stands, 'our annotations on every alert still', 5_000)
      lab.mend()
    }
    await ended
    const rest = Date.now() + 5_000
    while (Date.now() < rest) {
      if ((await shown()).some(alerts => alerts.length > 0)) row.again++
      await sleep(50)
    }
    row.extra = repeated(notified.firing)
    row.again += repeated(notified.resolved)
  } catch (error) {
    row.failed = String(error)
  } finally {
    closed = true
    await watch
    await Promise.all(prometheus.map(program => program.stop()))
    await app.close()
    await clients.close()
    await Promise.all(peers.map(peer => peer?.stop()))
    await slack.close()
    outside.closeAllConnections()
    outside.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return row
}

/** Nothing went wrong that must not, whatever the mode. */
export const isRight = ({ looks, strangers, extra, again, failed }: AlertmanagerRow): boolean => failed === undefined && looks > 0 && strangers + extra + again === 0

export function lineOf ({ fault, mode, looks, bare, strangers, extra, again, back, end, failed }: AlertmanagerRow): string {
  return `${mode}: ${fault}: ours missing in ${bare} of ${looks} looks, back after ${back / 1000} s; the sender's own missing in ${strangers}; ${extra} notifications too many; ended after ${end / 1000} s, ${again} times again${failed === undefined ? '' : `; ${failed}`}`
}

const repeated = (keys: string[]): number => keys.length - new Set(keys).size

async function bodyOf (request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
