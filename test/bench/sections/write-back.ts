import { startFakeAlertmanager } from '../../support/fake-alertmanager.ts'
import { oneAlert } from '../bodies.ts'
import { load } from '../load.ts'
import { pause, processorOf, rounded, spread, waitFor, type Row, type Section } from '../measure.ts'
import { serve } from '../serve.ts'

const labelsOf = (index: number): Record<string, string> => ({ alertname: 'CertManagerACMEOrderFailed', namespace: `team-${index % 50}`, certificate: `web-${index}`, severity: 'warning' })

/** What keeping the cause on many alerts costs Alertmanager, and what the relay adds to each. */
export const writeBack: Section = {
  name: 'write-back',
  title: 'Annotations: 1,000 firing alerts kept through Alertmanager’s API; the relay’s own delay',
  async run (options) {
    return [...await overApi(options.number('firing', 1_000), options.number('seconds', 30)), ...await throughRelay(options.number('posts', 300))]
  }
}

async function overApi (firing: number, seconds: number): Promise<Row[]> {
  const alertmanager = await startFakeAlertmanager()
  const startsAt = Date.now() - 60_000
  // As Prometheus does it: all alerts of a group again and again, without our annotations.
  const send = (): void => { for (let index = 0; index < firing; index++) alertmanager.put({ labels: labelsOf(index), annotations: { summary: 'failed' }, startsAt: new Date(startsAt).toISOString(), endsAt: new Date(Date.now() + 240_000).toISOString() }) }
  send()
  const served = await serve({ ALERTMANAGER_URLS: alertmanager.url })
  try {
    await load({ url: `${served.url}/webhook`, total: firing, connections: 20, body: index => oneAlert({ certificate: `web-${index}`, labels: labelsOf(index), startsAt }) })
    const carrying = (): number => alertmanager.shown().filter(({ annotations }) => annotations.acme_triage_cause !== undefined).length
    const began = performance.now()
    await waitFor(() => carrying() >= firing, 60_000, 100)
    const first = (performance.now() - began) / 1_000
    const reached = carrying()
    const before = { gets: alertmanager.gets, posts: alertmanager.posts.length, processor: processorOf(served.pid) }
    const shares: number[] = []
    for (let second = 0; second < seconds; second++) {
      if (second % 15 === 10) send()
      await pause(1_000)
      shares.push(carrying() / firing)
    }
    const perMinute = (count: number): number => rounded(count * 60 / seconds, 0)
    const posts = alertmanager.posts.slice(before.posts)
    return [
      { what: `${firing} alerts carry their cause`, values: { value: rounded(first), unit: 's', more: `${reached} of them; ${before.gets} polls and ${before.posts} posts until then` } },
      { what: 'polls', values: { value: perMinute(alertmanager.gets - before.gets), unit: 'a minute', more: 'each reads all alerts of the name' } },
      { what: 'posts', values: { value: perMinute(posts.length), unit: 'a minute', more: `${rounded(posts.reduce((sum, { alerts }) => sum + alerts.length, 0) / Math.max(1, posts.length), 0)} alerts in each; the sender repeats all of them every 15 s` } },
      { what: 'alerts that carry ours, looked at each second', values: { value: rounded(shares.reduce((sum, share) => sum + share, 0) / shares.length * 100), unit: '%', more: `processor ${rounded((processorOf(served.pid) - before.processor) / seconds / 10)} % of one` } }
    ]
  } finally {
    await served.stop()
    await alertmanager.close()
  }
}

async function throughRelay (posts: number): Promise<Row[]> {
  const alertmanager = await startFakeAlertmanager()
  const served = await serve({ ALERTMANAGER_URLS: alertmanager.url }, 'alertmanager: {mode: relay, hold: 0s}\n')
  try {
    const body = (index: number): string => JSON.stringify([{ labels: labelsOf(index % 20), annotations: { summary: 'failed' }, startsAt: new Date(Date.now() - 60_000).toISOString(), endsAt: new Date(Date.now() + 240_000).toISOString(), generatorURL: 'http://prometheus:9090/graph' }])
    const through = (url: string, connections: number, total: number) => load({ url: `${url}/api/v2/alerts`, body, total, connections })
    await through(served.url, 1, 40)
    await pause(3_000)
    const direct = spread((await through(alertmanager.url, 1, posts)).milliseconds)
    const relayed = spread((await through(served.url, 1, posts)).milliseconds)
    return [
      { what: 'sender → Alertmanager, direct', values: { value: direct.p50, unit: 'ms p50', more: `p99 ${direct.p99}` } },
      { what: 'sender → relay → Alertmanager', values: { value: relayed.p50, unit: 'ms p50', more: `p99 ${relayed.p99}; adds ${rounded(relayed.p50 - direct.p50, 2)} ms at p50` } }
    ]
  } finally {
    await served.stop()
    await alertmanager.close()
  }
}
