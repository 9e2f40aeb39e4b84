import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './service.ts'

/** What a fault did to the alerts that were acknowledged. */
export interface FaultRow {
  fault: string
  acked: number
  /** Named nowhere in Slack. */
  lost: number
  /** Named by two roots, or their runbook told twice. */
  twice: number
  /** Told, but not as it stands in the end: the edit, the runbook or the end did not come. */
  stale: number
  /** Firing, and without our annotations at Alertmanager. */
  bare: number
  messages: number
  kills?: number
  seconds: number
  /** The scene itself did not go as it should. */
  failed?: string
}

type Message = Bench['slack']['messages'][number]

/** Counts what stands in Slack and at Alertmanager, once everything stands there or the time is over. */
export async function tally (fault: string, world: Bench, began: number): Promise<FaultRow> {
  // Slack takes one new message a second, and each alert has two or three.
  const limit = 120_000 + world.acked.size * 3_000
  const end = performance.now() + limit
  const wrong = ({ lost, stale, bare }: ReturnType<typeof count>): boolean => lost + stale + bare > 0
  while (wrong(count(world)) && performance.now() < end) await sleep(250)
  // Late repeats would come now.
  await sleep(1_500)
  return { fault, acked: world.acked.size, ...count(world), messages: world.slack.messages.length, seconds: Math.round((performance.now() - began) / 100) / 10 }
}

function count ({ slack, acked, alertmanager }: Bench): Pick<FaultRow, 'lost' | 'twice' | 'stale' | 'bare'> {
  const roots = Map.groupBy(slack.roots().filter(root => nameOf(root) !== undefined), root => nameOf(root)!)
  const replies = Map.groupBy(slack.messages.filter(message => message.thread_ts !== undefined), message => message.thread_ts!)
  const lines = new Map(slack.messages.filter(({ text }) => text.startsWith('Incidents of this storm')).flatMap(page => linesOf(page)))
  const twice = new Set<string>()
  const incidents = new Set<string>()
  for (const root of slack.roots()) {
    const id = String(root.metadata?.event_payload.incident_id ?? '')
    if (id !== '' && incidents.has(id)) twice.add(nameOf(root) ?? id)
    incidents.add(id)
  }
  let lost = 0
  let stale = 0
  for (const [name, status] of acked) {
    const [root, another] = roots.get(name) ?? []
    if (root === undefined) {
      const line = lines.get(name)
      if (line === undefined) lost++
      else if (line.includes('– resolved') !== (status === 'resolved')) stale++
      continue
    }
    const runbooks = (replies.get(root.ts) ?? []).filter(({ text }) => text.startsWith('Runbook for')).length
    if (another !== undefined || runbooks > 1) twice.add(name)
    // In an archived channel nothing can be changed any more.
    if (slack.channels.get(root.channel)?.archived === true) continue
    if (status === 'resolved' ? !root.text.startsWith('Resolved') : root.text.startsWith('Noticed') || runbooks === 0) stale++
  }
  const annotated = new Set(alertmanager.shown().filter(({ annotations }) => annotations.acme_triage_cause !== undefined).map(({ labels }) => labels.certificate))
  const bare = [...acked].filter(([name, status]) => status === 'firing' && !annotated.has(name)).length
  return { lost, twice: twice.size, stale, bare }
}

const named = /\b([a-z]+\d+x\d+(?:x\d+)?)\b/

/** The certificate that a root is about; a digest is about none. */
const nameOf = ({ text, thread_ts: thread }: Message): string | undefined => thread === undefined ? named.exec(text)?.[1] : undefined

/** Each line of a digest's page by the name in it. */
function linesOf (page: Message): [string, string][] {
  const texts: string[] = []
  const walk = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value)
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk)
  }
  walk([page.text, page.blocks])
  return texts.flatMap(text => text.split('\n')).flatMap(line => { const name = named.exec(line)?.[1]; return name === undefined ? [] : [[name, line] as [string, string]] })
}
