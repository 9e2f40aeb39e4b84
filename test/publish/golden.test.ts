import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { KnownBlock } from '@slack/web-api'
import { replayDirectory, type ReplayResult } from '../../src/cli/replay-case.ts'
import { makeFinding, type FindingInput, type FindingState } from '../../src/publish/finding.ts'
import { renderRoot, renderThread, type RenderedMessage } from '../../src/publish/slack/render.ts'
import { renderDigest, renderPage } from '../../src/publish/storm.ts'
import type { Delivery, DigestEntry } from '../../src/shared/store/delivery-row.ts'

/**
 * What people read, as files: the message as JSON, and beside it as a phone shows it. After a
 * change on purpose: `GOLDEN=write npx tap --disable-coverage test/publish/golden.test.ts`, then read them.
 */
const folder = new URL('./golden/', import.meta.url)
const cases = new URL('../cases/', import.meta.url)
const replayed = new Map<string, Promise<ReplayResult>>()

function replay (path: string): Promise<ReplayResult> {
  const known = replayed.get(path) ?? replayDirectory(fileURLToPath(new URL(path, cases)))
  replayed.set(path, known)
  return known
}

async function inputOf (path: string, state: FindingState, over: Partial<FindingInput['incident']> = {}): Promise<FindingInput> {
  const { alert, case: seen, diagnosis } = await replay(path)
  const { namespace, certificate, order } = diagnosis.incident
  const noticed = state === 'noticed'
  return {
    incident: { id: '0example', state, namespace, certificate, order, opened: seen.now - 60_000, ...over },
    alert,
    ...(noticed ? {} : { case: seen, diagnosis }),
    links: { report: 'https://triage.example.org/incidents/0example', runbook: 'https://runbooks.example.org/acme-order-failed', silence: 'https://alertmanager.example.org/#/silences/new' },
    timings: noticed ? { notice: 24 } : { notice: 24, diagnosis: 1400 }
  }
}

/** Blocks as a reader sees them: 60 columns, buttons in brackets. */
function asRead ({ text, blocks }: { text: string, blocks?: readonly KnownBlock[] }): string {
  const words = (value: unknown): string => {
    if (Array.isArray(value)) return value.map(words).join('')
    if (typeof value !== 'object' || value === null) return ''
    const { type, text: own, elements, timestamp } = value as { type?: string, text?: unknown, elements?: unknown[], timestamp?: number }
    if (type === 'date') return `${new Date((timestamp ?? 0) * 1000).toISOString().slice(11, 19)} UTC`
    if (type === 'button') return `[${words(own)}] `
    if (type === 'rich_text_list') return (elements ?? []).map(item => `\n• ${words(item)}`).join('')
    if (type === 'rich_text_preformatted') return `\n${words(elements)}\n`
    return typeof own === 'string' ? own : words(own) + words(elements)
  }
  const wrap = (line: string): string => line.replaceAll(/(.{1,60})(?:\s+|$)/g, '$1\n').trimEnd()
  const body = (blocks ?? []).map(block => words(block).trim().split('\n').map(wrap).join('\n')).join('\n\n')
  return `lock screen: ${wrap(text)}\n\n${body}\n`
}

function compare (t: Test, name: string, message: RenderedMessage | { text: string, blocks?: readonly KnownBlock[] }): void {
  for (const [extension, text] of [['json', `${JSON.stringify(message, null, 1)}\n`], ['txt', asRead(message)]] as const) {
    const file = new URL(`${name}.${extension}`, folder)
    if (process.env.GOLDEN === 'write') {
      mkdirSync(folder, { recursive: true })
      writeFileSync(file, text)
    }
    t.ok(existsSync(file), `${name}.${extension} is there (GOLDEN=write makes it)`)
    if (existsSync(file)) t.equal(text, readFileSync(file, 'utf8'), `${name}.${extension} reads as it did`)
  }
}


const messages: [name: string, path: string, state: FindingState, over?: Partial<FindingInput['incident']>][] = [
  ['notice', 'http01-port80-blocked/firewall-drops-port-80', 'noticed'],
  ['proven', 'http01-port80-blocked/firewall-drops-port-80', 'diagnosed'],
  ['likely', 'dns01-cname-delegation-broken/not-followed', 'diagnosed'],
  ['unknown', 'unknown/evidence-gone', 'diagnosed'],
  ['two-causes', 'http01-auth-on-path/two-names-two-causes', 'diagnosed']
]

for (const [name, path, state, over] of messages) {
  t.test(`the message "${name}" reads as it did`, async t => {
    // How many looks there are changes with every collector, and nothing of the layout with it.
    const finding = { ...makeFinding(await inputOf(path, state, over)), looks: { answered: 11, total: 12 } }
    compare(t, name, renderRoot(finding))
    if (state === 'diagnosed') compare(t, `${name}-thread`, renderThread(finding))
  })
}

for (const state of ['healed', 'resolved'] as const) {
  t.test(`the message "${state}" reads as it did`, async t => {
    const { incident } = await inputOf('http01-port80-blocked/firewall-drops-port-80', state)
    const finding = { ...makeFinding(await inputOf('http01-port80-blocked/firewall-drops-port-80', state, { closed: incident.opened + 1_080_000, ...(state === 'healed' ? { fixedBy: 'Order harbour-tls-2-77 is valid' } : {}) })), looks: { answered: 11, total: 12 } }
    compare(t, state, renderRoot(finding))
  })
}

t.test('the digest of a storm reads as it did', t => {
  const entry = (index: number): DigestEntry => ({
    namespace: `team-${index}`, certificate: 'web-tls', order: `web-tls-1-${1000 + index}`, cluster: '', issuer: 'letsencrypt-prod', zone: index % 3 === 0 ? 'example.org' : 'example.com',
    cause: index % 4 === 0 ? 'http01-port80-blocked' : 'acme-server-unreachable', urgency: index === 7 ? 'now' : 'can wait', headline: index === 7 ? 'first certificate failed – the CA cannot be reached' : '', state: 'open'
  })
  const entries = Array.from({ length: 40 }, (_, index) => ({ id: `i${index}`, entry: entry(index) }))
  const digest = { created_at: Date.UTC(2026, 10, 24, 3, 2), payload: { open: true } } as Delivery
  compare(t, 'digest', renderDigest(digest, entries, { first: false, publicUrl: 'https://triage.example.org', separate: 2 }))
  compare(t, 'digest-page', renderPage(1, entries.map(item => item.entry), { plainText: false }))
  t.end()
})
