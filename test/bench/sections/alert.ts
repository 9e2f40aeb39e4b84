import { startFakeSlack } from '../../support/fake-slack.ts'
import { oneAlert } from '../bodies.ts'
import { pause, rounded, spread, startHelper, waitFor, type Row, type Section } from '../measure.ts'
import { serve } from '../serve.ts'

/** A slow machine measures fewer incidents, not longer. */
const atMost = 90_000

/** The way of one alert after another: POST → first message → diagnosis in the message. */
export const alert: Section = {
  name: 'alert',
  title: 'One alert at a time, each in a channel of its own: POST → first notice → diagnosis in Slack (Slack’s own delay included in both; cluster and logs, probes off)',
  async run (options) {
    const incidents = options.number('incidents', 40)
    const rows: Row[] = []
    for (const delay of [0, 50, 200]) rows.push(await withSlackAt(delay, incidents))
    return rows
  }
}

async function withSlackAt (delay: number, incidents: number): Promise<Row> {
  const slack = await startFakeSlack()
  slack.latency = delay
  const noticed = new Map<string, number>()
  const diagnosed = new Map<string, number>()
  slack.fault = (method, args) => {
    const name = /web-(\d+)-tls/.exec(JSON.stringify([args.text, args.blocks]))?.[1]
    const map = method === 'chat.update' ? diagnosed : method === 'chat.postMessage' && args.thread_ts === undefined ? noticed : undefined
    if (name !== undefined && map?.has(name) === false) map.set(name, performance.now())
    return undefined
  }
  const size = { failing: incidents + 1, certificates: 200, orders: 50, ingresses: 100, events: 500, logMegabytes: 1 }
  const world = await startHelper<{ kubeconfig: string, now: number }>('world-process.ts', size)
  const routes = Array.from({ length: incidents + 1 }, (_, index) => `    - {namespace: shop-${index}, channel: C${index}}\n`)
  const service = await serve({ KUBECONFIG: world.ready.kubeconfig, SLACK_BOT_TOKEN: 'xoxb-bench', SLACK_CHANNEL: 'alerts', SLACK_API_URL: slack.url }, `slack:\n  storm: {threshold: 0}\n  routes:\n${routes.join('')}`)
  try {
    const notices: number[] = []
    const diagnoses: number[] = []
    let missing = 0
    // The first one waits for the catalogue to be compiled: that is the start, not the way.
    const until = performance.now() + atMost
    for (let index = 0; index <= incidents && performance.now() < until; index++) {
      // Slack takes so many edits a minute; waiting for them is no part of our own time.
      await pause(1_300)
      const sent = performance.now()
      const response = await fetch(`${service.url}/webhook`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: oneAlert({ namespace: `shop-${index}`, certificate: `web-${index}-tls`, startsAt: world.ready.now }) })
      await response.arrayBuffer()
      const done = await waitFor(() => noticed.has(String(index)) && diagnosed.has(String(index)), 10_000, 2)
      if (!done) missing++
      else if (index > 0) {
        notices.push(noticed.get(String(index))! - sent)
        diagnoses.push(diagnosed.get(String(index))! - sent)
      }
    }
    const first = spread(notices)
    const last = spread(diagnoses)
    const underOne = diagnoses.filter(each => each < 1_000).length / Math.max(1, diagnoses.length)
    return {
      what: `Slack at ${delay} ms, ${notices.length} incidents${missing > 0 ? `, ${missing} never told` : ''}`,
      values: { 'notice p50 ms': first.p50, 'notice p99': first.p99, 'diagnosis p50 ms': last.p50, 'diagnosis p99': last.p99, 'in 1 s': `${rounded(underOne * 100, 0)} %` },
      aim: { text: `notice p50 under 30 ms${delay === 0 ? '' : ' and Slack’s own'}, 95 of 100 diagnoses in 1 s`, met: missing === 0 && first.p50 - delay < 30 && underOne >= 0.95 }
    }
  } finally {
    await service.stop()
    await world.stop()
    await slack.close()
  }
}
