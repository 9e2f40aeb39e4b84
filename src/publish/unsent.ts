import type { Delivery, DeliveryPatch } from '../shared/store/delivery-row.ts'
import type { Millis } from '../shared/types/common.ts'
import { deliveryId, type Composed } from './compose.ts'
import type { Failure } from './message.ts'
import { describe, lease, stored, type OutboxOptions, type Reach } from './reach.ts'

/** What the ends of a call need. */
export interface Sending extends OutboxOptions { reach: Reach }

/** Somebody must repair a channel: until then it is tried so seldom. */
const parked: Millis = 600_000
/** A message is looked for from so long before its row: Slack's clock dates it, and ours may be an hour ahead, or have been until a moment ago. */
const clockTrust: Millis = 2 * 3_600_000

/** A first sending that did not come to pass: when to try again, and as what. */
export async function failedPost (outbox: Sending, row: Delivery, failure: Failure): Promise<void> {
  const { store, clock, config, log, metrics, reach } = outbox
  const now = clock.now()
  const patch = (change: DeliveryPatch): Promise<boolean> => stored(log, () => store.settle(row, { last_error: describe(failure), ...change }))
  metrics?.delivery(row.kind, failure.class)
  reach.notice(row, failure)
  if (now - row.created_at > reach.limits.useful) return void await patch({ state: 'dead' })
  const { patience, digestPatience } = reach.limits
  switch (failure.class) {
    case 'unclear': return void await patch({ state: 'ambiguous', run_at: now + reach.waitFor(row, failure), ...(failure.error === 'timeout' ? { payload: { patientUntil: now + (row.kind.startsWith('slack-digest') ? digestPatience : patience) } } : {}) })
    case 'rate': return void await patch({ state: 'intent', run_at: now + (failure.retryAfter ?? 30_000) })
    case 'unsent': return void await patch({ state: 'intent', run_at: now + reach.waitFor(row, failure) })
    case 'credentials': return void await patch({ state: 'intent', run_at: now })
    case 'content': return void await patch(row.payload.plain === true ? { state: 'dead' } : { state: 'intent', run_at: now, payload: { plain: true } })
    case 'target-gone': {
      await patch({ state: 'intent', run_at: now + 1_000 })
      return parentGone(outbox, row, failure)
    }
    case 'configuration': {
      const fallback = config.slack.fallbackChannel
      if (fallback === undefined || fallback === row.target || row.payload.movedFrom !== undefined) return void await patch({ state: 'intent', run_at: now + parked })
      if (row.kind === 'slack-root') {
        await patch({ state: 'intent' })
        return store.restart(row.incident_id, describe(failure), fallback)
      }
      return void await patch({ state: 'intent', run_at: now, target: fallback, payload: { movedFrom: row.target } })
    }
  }
}

/** The message stands, and its edit was refused. */
export async function failedEdit (outbox: Sending, row: Delivery, failure: Failure, made: Composed): Promise<void> {
  const { store, clock, log, metrics, reach } = outbox
  const now = clock.now()
  metrics?.delivery(row.kind, `edit-${failure.class}`)
  reach.notice(row, failure)
  const patch = (change: DeliveryPatch, also = made.also.slice(0, 0)): Promise<boolean> => stored(log, () => store.settle(row, { last_error: describe(failure), ...change }, also))
  switch (failure.class) {
    case 'rate': return void await patch({ run_at: now + (failure.retryAfter ?? 30_000) })
    case 'credentials': return void await patch({ run_at: now })
    case 'content': return void await patch(row.payload.plain === true ? { revision: made.revision } : { run_at: now, payload: { plain: true } })
    case 'configuration': return void await patch({ run_at: now + parked })
    case 'target-gone': {
      if (failure.error === 'message_not_found' || failure.error === 'thread_not_found') {
        await patch({ run_at: now + 1_000 })
        return gone(outbox, row, failure)
      }
      // It stands and cannot be changed: say it in its thread.
      const also = row.kind === 'slack-root' ? [{ incident: row.incident_id, kind: 'slack-note', target: row.target, uniqueKey: `slack-note:${row.incident_id}:edit:${made.revision}`, wanted: 1, payload: { text: made.message.text } }] : []
      return void await patch({ revision: made.revision, payload: made.payload }, [...made.also, ...also])
    }
    default: return void await patch({ run_at: now + reach.waitFor(row, failure) })
  }
}

/** The answer was lost: look for the message before it is sent again. */
export async function reconcile (outbox: Sending, row: Delivery): Promise<void> {
  const { store, transport, clock, log, metrics, reach } = outbox
  const claimed = await store.claim(row, lease)
  if (claimed === undefined) return
  if (row.kind === 'slack-file') return void await store.settle(claimed, { state: 'superseded', last_error: 'sent or not: not repeated' })
  const thread = row.kind === 'slack-root' || row.kind === 'slack-forward' || row.kind === 'slack-digest' ? undefined : await threadOf(outbox, row)
  const oldest = Math.min(row.created_at, clock.now()) - clockTrust
  const found = await transport.find(row.external_channel === '' ? row.target : row.external_channel, deliveryId(row), { oldest, ...(thread === undefined ? {} : { thread }) })
  const now = clock.now()
  if (found.is === 'failed') {
    reach.notice(row, found.failure)
    await stored(log, () => store.settle(claimed, { state: 'ambiguous', run_at: now + reach.waitFor(row, found.failure), last_error: `looking for it: ${found.failure.error}` }))
    return
  }
  const { patientUntil = 0 } = row.payload
  if (found.is === 'missing' && patientUntil > now && patientUntil - now <= reach.limits.patience) {
    await stored(log, () => store.settle(claimed, { state: 'ambiguous', run_at: Math.min(patientUntil, now + reach.limits.first * 3), last_error: 'not answered and not to be seen yet' }))
    return
  }
  metrics?.delivery(row.kind, found.is === 'found' ? 'adopted' : found.is === 'missing' ? 'not-arrived' : 'cannot-look')
  log.info({ delivery: row.id, kind: row.kind, found: found.is }, 'looked for a message whose answer was lost')
  if (found.is === 'found') {
    await stored(log, () => store.settle(claimed, { state: 'sent', external_channel: found.place.channel, external_id: found.place.ts, revision: Math.min(found.revision, row.wanted), run_at: now, last_error: '' }))
    return
  }
  // What cannot be looked for: the message is too important to be lost, a note is not worth being said twice.
  const drop = found.is === 'cannot-look' && row.kind === 'slack-note'
  await stored(log, () => store.settle(claimed, drop ? { state: 'superseded', last_error: `sent or not: ${found.why}` } : { state: 'intent', run_at: now }))
}

async function threadOf ({ store }: Sending, row: Delivery): Promise<string | undefined> {
  const parent = row.kind === 'slack-digest-page' ? await store.get(row.payload.digest ?? '') : (await store.roots([row.incident_id]))[0]
  return parent === undefined || parent.external_id === '' ? undefined : parent.external_id
}

/** Somebody removed the message: an open incident gets a new one, a closed one is left alone. */
async function gone ({ store, log }: Sending, row: Delivery, failure: Failure): Promise<void> {
  log.warn({ delivery: row.id, kind: row.kind, error: failure.error }, 'the message is gone from Slack')
  if (row.kind === 'slack-root') {
    const incident = await store.incident(row.incident_id)
    if (incident?.state === 'open') return store.restart(row.incident_id, describe(failure))
  }
  const current = await store.get(row.id)
  if (current === undefined) return
  if (row.kind === 'slack-digest') return store.restartDigest(row.id, describe(failure))
  await store.settle(current, row.kind === 'slack-digest-page' || row.kind === 'slack-thread'
    ? { state: 'intent', external_id: '', revision: 0, payload: { generation: (current.payload.generation ?? 0) + 1 } }
    : { revision: current.wanted })
}

async function parentGone ({ store }: Sending, row: Delivery, failure: Failure): Promise<void> {
  if (row.kind === 'slack-digest-page' && row.payload.digest !== undefined) return store.restartDigest(row.payload.digest, describe(failure))
  const incident = row.incident_id === '' ? undefined : await store.incident(row.incident_id)
  if (incident?.state === 'open') return store.restart(row.incident_id, describe(failure))
  const current = await store.get(row.id)
  if (current !== undefined) await store.settle(current, { state: 'superseded', last_error: 'the thread is gone' })
}
