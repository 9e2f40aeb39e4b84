import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../support/real-alertmanager.ts'
import type { Bench } from './service.ts'

/** A fault, and what happens meanwhile. What must hold in the end is the same for all: see tally. */
export interface Scene {
  title: string
  /** Incidents within two minutes above which a digest begins. */
  storm?: number
  fallbackChannel?: string
  /** Of the service, on PostgreSQL when there are several. */
  replicas?: number
  /** How often the service dies. */
  kills?: number
  play (world: Bench, names: (letter: string, count: number) => string[]): Promise<void>
}

const week = 7 * 86_400_000
const hour = 3_600_000

/** Everything but the kills. `down`: how long Slack is away; `random`: the same for the same seed. */
export function scenes ({ down, random }: { down: number, random: () => number }): Scene[] {
  return [
    {
      title: `Slack down for ${down / 1000} s`, storm: 8,
      async play (world, names) {
        const since = Date.now()
        onMessages(world, () => Date.now() - since < down ? { is: 'status', status: 503 } : undefined)
        await world.posts(names('f', 30))
        await world.posts(names('f', 10), 'resolved')
      }
    },
    {
      title: '429 for every second call', storm: 8,
      async play (world, names) {
        let count = 0
        onMessages(world, () => count++ % 2 === 0 ? { is: 'rate', retryAfter: 1 } : undefined)
        await world.posts(names('f', 30))
      }
    },
    {
      title: 'every fault at once, each alert delivered three times', storm: 8,
      async play (world, names) {
        onMessages(world, () => {
          const roll = random()
          return roll < 0.1 ? { is: 'rate', retryAfter: 1 } : roll < 0.2 ? { is: 'status', status: 500 } : roll < 0.3 ? { is: 'reset' } : roll < 0.4 ? { is: 'kept-and-cut' } : roll < 0.43 ? { is: 'hang' } : undefined
        })
        for (let copy = 0; copy < 3; copy++) await world.posts(names('f', 40))
        await world.posts(names('f', 15), 'resolved')
      }
    },
    {
      title: `Slack takes what it gets and never answers for ${down / 4_000} s`,
      async play (world, names) {
        const since = Date.now()
        onMessages(world, () => Date.now() - since < down / 4 ? { is: 'hang' } : undefined)
        await world.posts(names('f', 8))
      }
    },
    {
      title: 'a person deletes five messages before they are edited or answered',
      async play ({ slack, posts }, names) {
        const removed = new Set<string>()
        slack.fault = (_method, { ts, thread_ts: thread = ts }) => {
          const message = slack.roots().find(root => root.ts === thread)
          const incident = String(message?.metadata?.event_payload.incident_id)
          if (message !== undefined && removed.size < 5 && !removed.has(incident)) {
            removed.add(incident)
            slack.remove(message.ts)
          }
          return undefined
        }
        await posts(names('f', 10))
        await until(() => removed.size === 5, 'five messages to delete')
      }
    },
    {
      title: 'channel archived, with a fallback channel', fallbackChannel: 'C2',
      async play (world, names) {
        await world.posts(names('a', 8))
        await until(() => world.slack.roots().length === 8, 'the messages in the first channel')
        world.slack.channels.set('C1', { archived: true })
        await world.posts(names('b', 8))
        await world.posts(names('a', 2), 'resolved')
        await world.posts(names('b', 2), 'resolved')
        await until(() => world.slack.roots().filter(({ channel }) => channel === 'C2').length === 8, 'the messages in the fallback channel')
      }
    },
    {
      title: 'token revoked, kill -9, and rotated by file',
      async play (world, names) {
        const { slack, service } = world
        slack.tokens.add('xoxb-first')
        await world.posts(names('a', 4))
        await until(() => slack.roots().length === 4, 'the messages with the first token')
        slack.tokens.delete('xoxb-first')
        slack.tokens.add('xoxb-second')
        await world.posts(names('b', 8))
        await service.kill()
        await service.start()
        await world.posts(names('a', 2), 'resolved')
        service.setToken('xoxb-second')
      }
    },
    {
      title: 'disk full for 6 s, and kill -9 in it',
      async play (world, names) {
        const { service } = world
        await world.posts(names('a', 4))
        service.fillDisk(true)
        const before = world.acked.size
        const waiting = Promise.allSettled([world.posts(names('b', 8)), world.posts(names('a', 2), 'resolved')])
        await sleep(6_000)
        if (world.acked.size > before || world.refused === 0) throw new Error(`with a full disk ${world.acked.size - before} alerts were acknowledged and ${world.refused} refused`)
        service.fillDisk(false)
        await waiting
        service.fillDisk(true)
        const last = Promise.allSettled([world.posts(names('c', 4))])
        await sleep(2_000)
        await service.kill()
        await service.start()
        await last
        if (world.acked.size < 16) throw new Error(`only ${world.acked.size} of 16 alerts were taken in the end: ${world.refusal}`)
      }
    },
    {
      title: 'clock an hour ahead is set back while Slack does not answer',
      async play (world, names) {
        const { service, slack } = world
        service.setClock(hour)
        await sleep(200)
        let hanging = true
        onMessages(world, () => !hanging ? undefined : random() < 0.5 ? { is: 'hang' } : { is: 'status', status: 503 })
        await world.posts(names('a', 10))
        await until(() => slack.calls.some(({ method }) => method === 'chat.postMessage'), 'a first try')
        await sleep(12_000)
        service.setClock(0)
        await world.posts(names('b', 5))
        hanging = false
        await world.posts(names('a', 3), 'resolved')
      }
    },
    {
      title: 'clock set back by an hour while the service is down',
      async play (world, names) {
        const { service } = world
        service.setClock(hour)
        await sleep(200)
        onMessages(world, () => ({ is: 'rate', retryAfter: 20 }))
        await world.posts(names('a', 6))
        await sleep(2_000)
        await service.kill()
        service.setClock(0)
        world.slack.fault = () => undefined
        await service.start()
        await world.posts(names('a', 2), 'resolved')
      }
    },
    {
      title: 'each webhook delivered twice at the same time',
      async play (world, names) {
        await world.posts(names('f', 20).flatMap(name => [name, name]))
        await world.posts(names('f', 6).flatMap(name => [name, name]), 'resolved')
      }
    },
    {
      title: 'delivered again after a week',
      async play (world, names) {
        await world.posts(names('f', 10))
        await world.posts(names('f', 4), 'resolved')
        await until(() => world.slack.roots().filter(({ text }) => text.startsWith('Resolved')).length === 4 && world.slack.messages.filter(({ text }) => text.startsWith('Runbook for')).length === 10, 'the end of four and every runbook')
        await sleep(5_000)
        const { length } = world.slack.messages
        world.service.setClock(week)
        await sleep(1_000)
        await world.posts(names('f', 10))
        await world.posts(names('f', 4), 'resolved')
        await world.service.kill('SIGTERM')
        await world.service.start()
        await world.posts(names('f', 10))
        await sleep(5_000)
        if (world.slack.messages.length !== length) throw new Error(`${world.slack.messages.length - length} messages about what was known`)
      }
    }
  ]
}

function onMessages ({ slack }: Bench, fault: () => ReturnType<Bench['slack']['fault']>): void {
  slack.fault = method => method === 'chat.postMessage' || method === 'chat.update' ? fault() : undefined
}

const until = (condition: () => boolean, what: string): Promise<boolean> => eventually(condition, what, 60_000)
