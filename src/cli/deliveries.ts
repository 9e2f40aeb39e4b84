import { loadConfig } from '../shared/config/load.ts'
import { TriageError } from '../shared/errors.ts'
import { deliveryStore } from '../shared/store/deliveries.ts'
import type { Delivery } from '../shared/store/delivery-row.ts'
import type { DeliveryState } from '../shared/store/schema.ts'
import { openStore } from '../shared/store/store.ts'

interface Options { config?: string, state?: string, limit?: string, url?: string, json?: boolean }
interface Listed { id: string, incident: string, kind: string, target: string, state: string, attempts: number, error: string, updated: string }

const usage = 'acme-triage deliveries [list|retry] [ID…]'

/**
 * `acme-triage deliveries`: what is to be told and what could not be. Asks the running service,
 * which alone may open the embedded store; opens the store itself when no service answers.
 */
export async function run (values: string[], options: Options): Promise<number> {
  const [action = 'list', ...ids] = values
  if (action !== 'list' && action !== 'retry') throw new TriageError('USAGE', { why: usage })
  const config = loadConfig(process.env, { file: options.config })
  const base = options.url ?? `http://127.0.0.1:${config.listen.port}`
  const headers: Record<string, string> = config.pages.tokens[0] === undefined ? {} : { authorization: `Bearer ${config.pages.tokens[0]}` }
  const query = new URLSearchParams({ limit: options.limit ?? '50', ...(options.state === undefined ? {} : { state: options.state }) })
  const service = await ask(`${base}/deliveries.json?${query}`, { headers })

  if (service !== undefined) {
    if (action === 'list') return show(await service.json() as { counts: { kind: string, state: string, count: number }[], deliveries: Listed[] }, options)
    let retried = 0
    for (const id of ids.length === 0 ? [undefined] : ids) {
      const answer = await ask(`${base}/deliveries/retry${id === undefined ? '' : `?id=${encodeURIComponent(id)}`}`, { method: 'POST', headers })
      retried += answer === undefined ? 0 : (await answer.json() as { retried: number }).retried
    }
    process.stdout.write(`${retried} dead ${retried === 1 ? 'delivery goes' : 'deliveries go'} again\n`)
    return 0
  }

  const clock = { now: Date.now }
  const store = await openStore({ dataDir: config.dataDir, databaseUrl: config.databaseUrl, clock, flapWindow: config.slack.flapWindow, lockWaitMs: 500 })
  try {
    const deliveries = deliveryStore(store.context)
    if (action === 'list') {
      return show({ counts: await deliveries.counts(), deliveries: (await deliveries.list({ limit: Number(options.limit ?? 50) || 50, ...(options.state === undefined ? {} : { state: options.state as DeliveryState }) })).map(listed) }, options)
    }
    let retried = 0
    for (const id of ids.length === 0 ? [undefined] : ids) retried += await deliveries.retryDead(id)
    process.stdout.write(`${retried} dead ${retried === 1 ? 'delivery goes' : 'deliveries go'} again when the service starts\n`)
    return 0
  } finally {
    await store.close()
  }
}

/** The answer of a running service; undefined when nothing of ours answers there. */
async function ask (url: string, init: RequestInit): Promise<Response | undefined> {
  let response: Response
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(5_000) })
  } catch {
    return undefined
  }
  if (response.status === 401) throw new TriageError('PAGE_UNAUTHENTICATED')
  return response.ok ? response : undefined
}

const listed = ({ id, incident_id: incident, kind, target, state, attempts, last_error: error, updated_at: updated }: Delivery): Listed => ({ id, incident, kind, target, state, attempts, error, updated: new Date(updated).toISOString() })

function show ({ counts, deliveries }: { counts: { kind: string, state: string, count: number }[], deliveries: Listed[] }, { json }: Options): number {
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ counts, deliveries })}\n`)
    return 0
  }
  for (const { kind, state, count } of counts) process.stdout.write(`${String(count).padStart(6)} ${kind} ${state}\n`)
  for (const { id, kind, target, state, attempts, error, updated, incident } of deliveries) {
    process.stdout.write(`${updated.slice(0, 19)}Z ${state.padEnd(10)} ${kind} ${target} ${id} incident ${incident || '-'} tries ${attempts}${error === '' ? '' : ` – ${error}`}\n`)
  }
  return 0
}
