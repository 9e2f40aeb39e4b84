import type { Evidence, Look, Unavailable } from '../../shared/types/common.ts'
import { unavailable } from '../../shared/types/common.ts'
import type { KubeObject } from '../../shared/types/kubernetes.ts'
import type { DnsLook, Observations, Vantage } from '../../shared/types/observations.ts'

/** What the facts of the outside are made from: a part of CorrelateContext. */
export interface OutsideContext {
  observations: Observations
  attempt: { issuer?: KubeObject }
}

/** What they need of an identifier: a part of IdentifierSeed. */
export interface OutsideSeed {
  name: string
  type: 'dns' | 'ip'
  wildcard: boolean
  challengeType?: 'HTTP-01' | 'DNS-01'
  challenge?: KubeObject
}

export type AnsweredLook = DnsLook & { look: Extract<DnsLook['look'], { is: 'seen' }> }

/** A question that nobody recorded the answer to was, in effect, never asked. */
export const wasRecorded = (look: DnsLook): boolean => look.failure !== 'not-recorded'

export const isAnswered = (look: DnsLook): look is AnsweredLook => look.look.is === 'seen'

/** Ordinary looks of a name: what a resolver says when it may validate, however it is asked. */
export function looksOf (observations: Observations, name: string, types: readonly string[]): DnsLook[] {
  return observations.dns.filter((look) => look.name === name && types.includes(look.type) && look.checkingDisabled !== true && look.overTcp !== true && wasRecorded(look))
}

/** The answer's data of one type, final records and CNAME targets alike. */
export function dataOf (look: DnsLook, type: string): string[] {
  return isAnswered(look) ? look.look.value.answers.filter((record) => record.type === type).map((record) => record.data) : []
}

/** Where the CNAME links of an answer lead, in order. */
export function cnamesOf (look: DnsLook): string[] {
  if (!isAnswered(look)) return []
  const links = new Map(look.look.value.answers.filter((record) => record.type === 'CNAME').map((record) => [record.name, record.data]))
  const chain: string[] = []
  for (let at = links.get(look.name); at !== undefined && !chain.includes(at) && chain.length < 16; at = links.get(at)) chain.push(at)
  return chain
}

/** Seen from the internet: public resolvers and outside probes. */
export const isPublicVantage = (vantage: Vantage): boolean => vantage === 'public' || vantage.startsWith('outside:')

/** Why nothing is known: the looks' own reason, else that of the round, else a plain sentence. */
export function whyNothing (observations: Observations, looks: readonly { look: Look<unknown> }[], source: string, otherwise: string): Unavailable {
  const own = looks.find(({ look }) => look.is === 'unavailable')?.look
  if (own?.is === 'unavailable') return own
  const row = observations.looks.find((look) => look.source === source && look.is === 'unavailable' && look.why !== undefined)
  return unavailable(row?.why ?? otherwise, row?.fix)
}

/** One DNS look as a person would say it. */
export function dnsEvidence (look: DnsLook, text?: string): Evidence {
  return { source: 'dns', ref: `${look.type} ${look.name} at ${look.vantage} ${look.server}`, text: text ?? describeLook(look) }
}

function describeLook (look: DnsLook): string {
  if (look.look.is === 'unavailable') return look.look.why
  if (look.look.is === 'absent') return 'no answer'
  const { rcode, answers, ede } = look.look.value
  const extended = ede === undefined ? '' : ` (extended error ${ede.code}${ede.text === '' ? '' : `: ${ede.text}`})`
  if (rcode !== 'NOERROR') return `${rcode}${extended}`
  const records = answers.filter((record) => record.type === look.type || record.type === 'CNAME')
  return records.length === 0 ? `no ${look.type} record${extended}` : records.map((record) => record.type === look.type ? record.data : `CNAME ${record.data}`).join(', ')
}

/** A path into JSON of unknown shape. */
export function field (value: unknown, ...path: (string | number)[]): unknown {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string | number, unknown>)[key]
  }
  return at
}

export const text = (value: unknown): string | undefined => typeof value === 'string' ? value : undefined
export const list = (value: unknown): unknown[] => Array.isArray(value) ? value : []
export const texts = (value: unknown): string[] => list(value).filter((item) => typeof item === 'string')
