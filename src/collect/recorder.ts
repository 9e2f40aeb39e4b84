import { setTimeout as delay } from 'node:timers/promises'
import type { KubernetesClient } from '../shared/clients/kubernetes.ts'
import { seen, type Clock, type Look, type Millis } from '../shared/types/common.ts'
import type { KubeObject } from '../shared/types/kubernetes.ts'
import type { RecordedState } from '../shared/types/observations.ts'
import { redactText } from '../shared/redact.ts'
import { failedStates, ownerOf, text } from './fields.ts'
import { secretsOf } from './redact.ts'
import { takeSolverSnapshot } from './recorder-snapshot.ts'

/** Where the recorder's states go; src/shared/store keeps them. */
interface RecorderStore {
  add (states: RecordedState[]): Promise<void>
  /** Drops what is older than `before`, then the oldest until at most `maxBytes` are left. */
  prune (before: Millis, maxBytes: number): Promise<void>
}

export interface RecorderOptions {
  kubernetes: KubernetesClient
  store: RecorderStore
  clock: Clock
  /** How long states are kept. */
  keep: Millis
  maxBytes: number
  /** Something did not work; the recorder goes on. */
  warn? (fields: Record<string, unknown>, message: string): void
  /** Time that passes; tests hand in their own. */
  wait? (ms: Millis, signal: AbortSignal): Promise<void>
}

/** What the recorder can see at the moment, for pages and metrics. */
export interface RecorderStatus { resource: string, watching: boolean, why?: string, fix?: string }

export interface Recorder {
  status (): RecorderStatus[]
  /** Everything seen so far is with the store. */
  flush (): Promise<void>
  stop (): Promise<void>
}

const resources = ['challenges.acme.cert-manager.io', 'orders.acme.cert-manager.io'] as const
const snapshotAfter = [5_000, 60_000]
const snapshotsAtOnce = 3
const statesPerObject = 200
const bufferLimit = 2_000
const flushEvery = 500
const pageSize = 50
const pruneEvery: Millis = 600_000

interface Known { signature: string, states: number, snapshots: number, object?: KubeObject }

/**
 * The flight recorder. cert-manager overwrites a Challenge's reason at each step and deletes solver
 * objects within seconds of the verdict, so this writes down every change when it happens.
 *
 * Each resource: list → watch from there → closed: watch on · expired (410): list again ·
 * refused or unreachable: say so, wait 1 s … 60 s, list again. Nothing ends it but stop().
 */
export function startRecorder (options: RecorderOptions): Recorder {
  const { kubernetes, store, clock, keep, maxBytes, warn = () => {}, wait = realWait } = options
  const stopping = new AbortController()
  const { signal } = stopping
  /** Compared with what the objects say: the API server's time. */
  const now = (): Millis => clock.now() - kubernetes.clockAhead()
  const status = new Map<string, RecorderStatus>(resources.map(resource => [resource, { resource, watching: false }]))
  const known = new Map<string, Known>()
  let buffer: RecordedState[] = []
  let writing: Promise<void> = Promise.resolve()
  let snapshots = 0
  const background = new Set<Promise<void>>()

  function see (object: KubeObject): void {
    const { uid } = object.metadata
    const state = toState(object, now())
    if (state === undefined) return
    const signature = signatureOf(state)
    const before = known.get(uid)
    if (before?.signature === signature) return
    // Issued long ago and seen for the first time: nobody will ask about it.
    if (before === undefined && state.state === 'valid') { known.set(uid, { signature, states: 0, snapshots: 0 }); return }
    const entry: Known = before ?? { signature, states: 0, snapshots: 0 }
    entry.signature = signature
    known.set(uid, entry)
    // A hot loop changes the reason ninety times a second; what matters is in the first of them and the last.
    if (entry.states < statesPerObject || isFinal(state.state)) { entry.states++; push(state) }
    if (object.kind !== 'Challenge') return
    const waiting = !isFinal(state.state) && state.processing === true && state.state !== ''
    entry.object = waiting ? object : undefined
    if (waiting && entry.snapshots === 0) { entry.snapshots = 1; inBackground(watchSolver(entry, uid)) }
  }

  async function watchSolver (entry: Known, uid: string): Promise<void> {
    for (const after of snapshotAfter) {
      await wait(after, signal)
      const { object } = entry
      if (signal.aborted || object === undefined || known.get(uid) !== entry) return
      // Many at once mean that the cause is none of theirs: a few show it.
      if (snapshots >= snapshotsAtOnce) continue
      snapshots++
      try {
        const state = toState(object, now())
        const taken = await takeSolverSnapshot(kubernetes, object, signal)
        if (state !== undefined && taken.objects.length > 0) push({ ...state, ...taken })
      } finally { snapshots-- }
    }
  }

  function push (state: RecordedState): void {
    buffer.push(state)
    if (buffer.length > bufferLimit) buffer = buffer.slice(-bufferLimit)
    if (buffer.length === 1) inBackground(wait(flushEvery, signal).then(flush))
  }

  async function flush (): Promise<void> {
    const states = buffer
    buffer = []
    if (states.length > 0) {
      writing = writing.then(() => store.add(states)).catch((error: unknown) => { warn({ err: error, states: states.length }, 'recorded states could not be stored') })
    }
    await writing
  }

  async function follow (resource: typeof resources[number]): Promise<void> {
    let pause = 1_000
    while (!signal.aborted) {
      const listed = await seeAll(resource)
      if (signal.aborted) return
      if (listed.is !== 'seen') {
        tell(resource, listed.is === 'absent' ? { why: 'cert-manager is not installed' } : listed)
        await wait(pause, signal)
        pause = Math.min(pause * 2, 60_000)
        continue
      }
      let resourceVersion = listed.value
      status.set(resource, { resource, watching: true })
      for (;;) {
        const ended = await kubernetes.watch(resource, { resourceVersion, signal }, {
          event (type, object) { if (type === 'deleted') known.delete(object.metadata.uid); else see(object); pause = 1_000 },
          progress (version) { resourceVersion = version }
        })
        if (signal.aborted) return
        // Not at once: a server that calls every version too old would be asked in a tight loop.
        if (ended.is === 'seen' && ended.value.ended === 'expired') { await wait(1_000, signal); break }
        if (ended.is === 'unavailable') {
          tell(resource, ended)
          // Refused: the rule may come back or not; a list will tell.
          if (ended.fix !== undefined) { await wait(60_000, signal); break }
        }
        // Nor those that close at once.
        await wait(ended.is === 'seen' ? 1_000 : pause, signal)
        if (ended.is !== 'seen') { pause = Math.min(pause * 2, 60_000); break }
      }
    }
  }

  /** Page by page: thousands of Orders with their certificates are more than may be held at once. The version to watch from. */
  async function seeAll (resource: typeof resources[number]): Promise<Look<string | undefined>> {
    const present = new Set<string>()
    let version: string | undefined
    let from: string | undefined
    do {
      const page = await kubernetes.list(resource, { pageSize, maxItems: pageSize, from, signal })
      if (page.is !== 'seen') return page
      for (const object of page.value.items) {
        present.add(object.metadata.uid)
        see(object)
      }
      version ??= page.value.resourceVersion
      from = page.value.next
    } while (from !== undefined && !signal.aborted)
    forgetOthers(resource, present)
    return seen(version)
  }

  function tell (resource: string, { why, fix }: { why: string, fix?: string }): void {
    const before = status.get(resource)
    status.set(resource, { resource, watching: false, why, ...(fix === undefined ? {} : { fix }) })
    if (before?.why !== why) warn({ resource, why, fix }, 'the flight recorder cannot watch')
  }

  /** Objects that went away while nobody watched. */
  function forgetOthers (resource: string, left: Set<string>): void {
    const kind = resource.startsWith('orders') ? 'o' : 'c'
    for (const [uid, { signature }] of known) if (signature.startsWith(kind) && !left.has(uid)) known.delete(uid)
  }

  async function housekeeping (): Promise<void> {
    while (!signal.aborted) {
      await store.prune(now() - keep, maxBytes).catch((error: unknown) => { warn({ err: error }, 'recorded states could not be pruned') })
      await wait(pruneEvery, signal)
    }
  }

  function inBackground (work: Promise<void>): void {
    const settled = work.catch((error: unknown) => { if (!signal.aborted) warn({ err: error }, 'the flight recorder stumbled') }).finally(() => { background.delete(settled) })
    background.add(settled)
  }

  for (const resource of resources) inBackground(follow(resource))
  inBackground(housekeeping())
  return {
    status: () => [...status.values()],
    flush,
    async stop () {
      stopping.abort()
      await Promise.all(background)
      await flush()
    }
  }
}

async function realWait (ms: Millis, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => {})
}

const isFinal = (state: string): boolean => state === 'valid' || failedStates.has(state)

/** What changed, without what differs from one try to the next (recorded: solver names are random). */
const signatureOf = ({ kind, state, reason, presented, processing }: RecordedState): string =>
  `${kind === 'Order' ? 'o' : 'c'} ${state} ${presented === true} ${processing === true} ${reason.replace(/cm-acme-http-solver-[a-z0-9]{5}/g, 'cm-acme-http-solver-').slice(0, 500)}`

function toState (object: KubeObject, now: Millis): RecordedState | undefined {
  const { kind } = object
  if (kind !== 'Order' && kind !== 'Challenge') return undefined
  const { namespace = '', name, uid } = object.metadata
  const status = object.status ?? {}
  const owner = kind === 'Challenge' ? ownerOf(object, 'Order') : undefined
  const dnsName = text(object, 'spec', 'dnsName')
  const certificate = object.metadata.annotations?.['cert-manager.io/certificate-name']
  return {
    at: now, kind, namespace, name, uid, ...(owner === undefined ? {} : { order: owner.uid }),
    state: text(status, 'state'), reason: redactText(text(status, 'reason').slice(0, 4_000), [...secretsOf([object], true).keys()]),
    ...(kind === 'Challenge' ? { presented: status.presented === true, processing: status.processing === true } : {}),
    ...(dnsName === '' ? {} : { dnsName }),
    ...(certificate === undefined ? {} : { certificate })
  }
}
