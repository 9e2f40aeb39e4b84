import { startFakeSlack } from '../../support/fake-slack.ts'
import { oneAlert } from '../bodies.ts'
import { load } from '../load.ts'
import { memoryOf, pause, processorOf, rounded, spread, waitFor, type Row, type Section } from '../measure.ts'
import { serve } from '../serve.ts'

const named = /storm-(\d+)x/g

/** One issuer breaks and everything fails at once. */
export const storm: Section = {
  name: 'storm',
  title: 'Storm: distinct alerts in one burst of 50 connections, until each is named in Slack',
  async run (options) {
    const alerts = options.number('alerts', 2_000)
    const slack = await startFakeSlack()
    const told = new Map<number, number>()
    const calls: Record<string, number> = {}
    let first: number | undefined
    slack.fault = (method, args) => {
      const at = performance.now()
      calls[method] = (calls[method] ?? 0) + 1
      if (method === 'chat.postMessage') first ??= at
      for (const [, index] of JSON.stringify([args.text, args.blocks]).matchAll(named)) if (!told.has(Number(index))) told.set(Number(index), at)
      return undefined
    }
    const served = await serve({ SLACK_BOT_TOKEN: 'xoxb-bench', SLACK_CHANNEL: 'alerts', SLACK_API_URL: slack.url })
    try {
      await pause(4_000)
      const idle = memoryOf(served.pid).now
      const processor = processorOf(served.pid)
      const began = performance.now()
      const sent = new Map<number, number>()
      const result = await load({
        url: `${served.url}/webhook`, total: alerts, connections: 50,
        body (index) {
          sent.set(index, performance.now())
          return oneAlert({ namespace: `team-${index % 50}`, certificate: `storm-${index}x` })
        }
      })
      const acknowledged = performance.now()
      await waitFor(() => told.size >= alerts, 90_000, 50)
      const waits = [...told].map(([index, at]) => at - sent.get(index)!)
      const { incidents: open } = await counts(served.url)
      await waitFor(async () => (await counts(served.url)).diagnosed >= alerts, 60_000, 200)
      const finished = performance.now()
      const memory = memoryOf(served.pid)
      const posts = calls['chat.postMessage'] ?? 0
      const edits = calls['chat.update'] ?? 0
      return [
        {
          what: `${alerts} alerts acknowledged`,
          values: { value: rounded((acknowledged - began) / 1_000), unit: 's', more: `${rounded(alerts / result.seconds, 0)}/s, p99 ${spread(result.milliseconds).p99} ms, statuses ${JSON.stringify(result.statuses)}` }
        },
        { what: 'first message in Slack', values: { value: rounded((first ?? Number.NaN) - began), unit: 'ms', more: '' }, aim: { text: 'within 1 s', met: (first ?? Number.NaN) - began < 1_000 } },
        { what: 'each incident is named in Slack', values: { value: rounded(Math.max(...told.values()) / 1_000 - began / 1_000), unit: 's', more: `${told.size} named, half of them after ${rounded(spread(waits).p50 / 1_000)} s; ${open} incidents` }, aim: { text: 'none is missing', met: told.size === alerts && open === alerts } },
        { what: 'messages', values: { value: posts, unit: 'posts', more: `${edits} edits; Slack takes one post a second of a channel` }, aim: { text: 'not one for each alert', met: posts < alerts / 10 } },
        { what: 'every incident diagnosed (no cluster)', values: { value: rounded((finished - began) / 1_000), unit: 's', more: `${rounded((processorOf(served.pid) - processor) / alerts, 1)} ms of processor time each, all told` } },
        { what: 'RSS idle', values: { value: idle, unit: 'MB', more: '' }, aim: { text: 'at most 160', met: idle <= 160 } },
        { what: 'RSS peak', values: { value: memory.peak, unit: 'MB', more: `${memory.now} afterwards` }, aim: { text: 'at most 256', met: memory.peak <= 256 } }
      ] satisfies Row[]
    } finally {
      await served.stop()
      await slack.close()
    }
  }
}

async function counts (url: string): Promise<{ incidents: number, diagnosed: number }> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const sum = (pattern: RegExp): number => [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0)
  return { incidents: sum(/^acme_triage_incidents\{[^}]*\} (\d+)/gm), diagnosed: sum(/^acme_triage_diagnosis_seconds_count\S* (\d+)/gm) }
}
