import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fingerprint } from '../../src/shared/fingerprint.ts'

interface StoredAlert { labels: Record<string, string>, annotations: Record<string, string>, startsAt: string, endsAt: string, updatedAt: string, generatorURL: string, fingerprint: string }

export interface FakeAlertmanager {
  url: string
  alerts: Map<string, StoredAlert>
  /** Bodies of POST /api/v2/alerts, as sent. */
  posts: { alerts: Record<string, unknown>[], headers: Record<string, unknown>, raw: string }[]
  gets: number
  /** Answered instead, while set. */
  status?: number
  /** A proxy in front lets GETs through alone. */
  onlyReads?: boolean
  /** As a sender does it. */
  put (alert: Partial<StoredAlert> & { labels: Record<string, string> }): StoredAlert
  /** What GET shows: what has ended is not there. */
  shown (): StoredAlert[]
  onPost?: () => void
  close (): Promise<void>
}

/** Alertmanager's alerts API with its merge: the younger copy brings everything but the earlier start. */
export async function startFakeAlertmanager (): Promise<FakeAlertmanager> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const json = (value: unknown, status = 200): void => { response.writeHead(status, { 'content-type': 'application/json', date: new Date().toUTCString() }); response.end(JSON.stringify(value)) }
      if (fake.status !== undefined) return json({ error: 'no' }, fake.status)
      if (request.url!.endsWith('/status')) return json({ versionInfo: { version: '0.34.2' }, cluster: { status: 'ready', peers: [{}, {}] } })
      if (request.method === 'GET') {
        fake.gets++
        return json(fake.shown().map(alert => ({ ...alert, status: { state: 'active' }, receivers: [] })))
      }
      if (fake.onlyReads === true) return json({ error: 'read-only' }, 405)
      const raw = Buffer.concat(chunks).toString()
      const alerts = JSON.parse(raw) as StoredAlert[]
      fake.posts.push({ alerts: alerts as unknown as Record<string, unknown>[], headers: request.headers, raw })
      if (alerts.some(({ generatorURL }) => generatorURL?.startsWith('::'))) return json({ code: 601, message: 'generatorURL in body must be of type uri' }, 422)
      fake.onPost?.()
      for (const alert of alerts) fake.put(alert)
      json('')
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const fake: FakeAlertmanager = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    alerts: new Map(),
    posts: [],
    gets: 0,
    put ({ labels, annotations = {}, startsAt, endsAt, generatorURL = '' }) {
      const now = Date.now()
      const print = fingerprint(labels)
      const alert: StoredAlert = { labels, annotations, startsAt: startsAt ?? new Date(now).toISOString(), endsAt: endsAt ?? new Date(now + 300_000).toISOString(), updatedAt: new Date(now).toISOString(), generatorURL, fingerprint: print }
      const old = fake.alerts.get(print)
      const time = (text: string): number => Date.parse(text)
      if (old !== undefined && time(alert.startsAt) < time(old.endsAt) && time(alert.endsAt) > time(old.startsAt)) {
        if (time(old.startsAt) < time(alert.startsAt)) alert.startsAt = old.startsAt
        // A later explicit end of the older one stays, unless the younger one is resolved.
        if (time(alert.endsAt) > now && time(old.endsAt) > time(alert.endsAt)) alert.endsAt = old.endsAt
      }
      fake.alerts.set(print, alert)
      return alert
    },
    shown: () => [...fake.alerts.values()].filter(({ endsAt }) => Date.parse(endsAt) > Date.now()),
    async close () {
      server.closeAllConnections()
      await new Promise<void>(resolve => { server.close(() => { resolve() }) })
    }
  }
  return fake
}
