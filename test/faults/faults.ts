import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../../src/shared/errors.ts'
import { missing } from '../support/real-alertmanager.ts'
import { alertmanagerScenes, isRight, playAlertmanagers } from './alertmanagers.ts'
import { scenes, type Scene } from './scenes.ts'
import { bench } from './service.ts'
import { tally, type FaultRow } from './tally.ts'

export interface FaultOptions {
  kills: number
  /** How long Slack is away. */
  down: number
  /** Which of the scenes, by title; all when absent. */
  scenes?: (title: string) => boolean
  /** Same numbers, same kills. */
  seed?: number
  report?: (row: FaultRow) => void
}

/** Runs the faults one after the other; everything is on loopback. */
export async function runFaults ({ kills, down, scenes: wanted = () => true, seed = 1, report = () => {} }: FaultOptions): Promise<FaultRow[]> {
  let state = seed
  const random = (): number => (state = (state * 1_664_525 + 1_013_904_223) >>> 0) / 2 ** 32
  const rows: FaultRow[] = []
  const plays: Scene[] = kills === 0 ? [] : [
    killing('kill -9 while single messages are sent', { kills: Math.ceil(kills / 2), storm: 100_000, perKill: 2 }, random),
    killing('kill -9 in a storm', { kills: Math.ceil(kills / 2), storm: 8, perKill: 12 }, random)
  ]
  const pair = killing('kill -9 of one of two replicas on PostgreSQL', { kills: 20, storm: 8, perKill: 2, replicas: 2 }, random)
  if (wanted(pair.title)) plays.push(pair)
  plays.push(...scenes({ down, random }).filter(({ title }) => wanted(title)))
  for (const { title, storm = 100_000, fallbackChannel, replicas, kills: killed, play } of plays) {
    const began = performance.now()
    const world = await bench({ storm, fallbackChannel, replicas })
    try {
      const failed = await play(world, (letter, count) => Array.from({ length: count }, (_, index) => `${letter}${rows.length}x${index}`)).then(() => undefined, reasonOf)
      const row = { ...await tally(title, world, began), ...(killed === undefined ? {} : { kills: killed }), ...(failed === undefined ? {} : { failed }) }
      rows.push(row)
      report(row)
    } finally {
      await world.close()
    }
  }
  return rows
}

/** Alerts begin and end without pause while the service dies again and again. */
function killing (title: string, { kills, storm, perKill, replicas = 1 }: { kills: number, storm: number, perKill: number, replicas?: number }, random: () => number): Scene {
  return {
    title, storm, kills, replicas,
    async play (world, names) {
      const all = names('k', kills * perKill)
      const sending: Promise<boolean>[] = []
      for (let round = 0; round < kills; round++) {
        for (const [index, name] of all.slice(round * perKill, (round + 1) * perKill).entries()) {
          sending.push(world.post(name).then(taken => taken && index % 3 === 0 ? world.post(name, 'resolved') : taken))
        }
        await sleep(Math.round(random() * 400))
        const victim = world.services[Math.floor(random() * replicas)]!
        await victim.kill()
        await victim.start()
      }
      await Promise.all(sending)
    }
  }
}

/** `npm run faults [-- --kills 200 --down 60000 --seed 1 --scenes 'part of a title']` */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name: string, fallback: string): string => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? fallback : process.argv[at + 1] ?? fallback }
  const line = (title: string, ...cells: unknown[]): void => { process.stdout.write(`${title.padEnd(62)}${cells.map(cell => String(cell ?? '').padStart(9)).join('')}\n`) }
  line('fault', 'kills', 'acked', 'lost', 'twice', 'stale', 'bare', 'messages', 'seconds')
  const rows = await runFaults({
    kills: Number(option('kills', '200')), down: Number(option('down', '60000')), seed: Number(option('seed', '1')), scenes: title => title.includes(option('scenes', '')),
    report: row => {
      line(row.fault, row.kills, row.acked, row.lost, row.twice, row.stale, row.bare, row.messages, row.seconds)
      if (row.failed !== undefined) line(`  ${row.failed}`)
    }
  })
  let right = rows.every(({ lost, twice, stale, bare, failed }) => lost + twice + stale + bare === 0 && failed === undefined)
  const absent = missing('prometheus-alertmanager', 'prometheus')
  line(absent ?? 'with the real Alertmanager', ...absent === undefined ? ['looks', 'bare', 'foreign', 'extra', 'again', 'back ms', 'end ms'] : [])
  for (const scene of absent === undefined ? alertmanagerScenes.filter(({ title }) => title.includes(option('scenes', ''))) : []) {
    for (const mode of scene.modes) {
      const row = await playAlertmanagers(scene, mode)
      line(`${mode}: ${row.fault}`, row.looks, row.bare, row.strangers, row.extra, row.again, row.back, row.end)
      if (row.failed !== undefined) line(`  ${row.failed}`)
      right &&= isRight(row)
    }
  }
  process.exitCode = right ? 0 : 1
}
