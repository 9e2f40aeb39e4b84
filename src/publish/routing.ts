import type { Config, SlackRoute } from '../shared/config/config.ts'

/** What a route may ask about an incident. */
export interface Routed {
  namespace: string
  labels: Record<string, string>
  issuer: string
  /** '' before the diagnosis. */
  cause: string
  severity: string
}

export interface Choice {
  channel: string
  /** Why, for `acme-triage route`. */
  because: string
  /** Each route that was asked, with the first field that did not fit. */
  considered: { index: number, channel: string, fits: boolean, why: string }[]
}

/** Nobody named a channel: the log and the page show the message. */
const noChannel = 'default'

/** The channel of an incident: first match wins; a cause's own channel comes before all routes once the cause is known. */
export function chooseChannel (config: Pick<Config, 'slack' | 'causes'>, about: Routed): Choice {
  const own = about.cause === '' ? undefined : Object.hasOwn(config.causes, about.cause) ? config.causes[about.cause]?.channel : undefined
  if (own !== undefined) return { channel: own, because: `causes.${about.cause}.channel`, considered: [] }
  const considered: Choice['considered'] = []
  for (const [index, route] of config.slack.routes.entries()) {
    const why = misfit(route, about)
    considered.push({ index, channel: route.channel, fits: why === undefined, why: why ?? 'every field fits' })
    if (why === undefined) return { channel: route.channel, because: `slack.routes[${index}]`, considered }
  }
  if (config.slack.channel !== undefined) return { channel: config.slack.channel, because: 'slack.channel (no route fits)', considered }
  return { channel: config.slack.fallbackChannel ?? noChannel, because: config.slack.fallbackChannel === undefined ? 'no channel is configured' : 'slack.fallbackChannel (nothing else is configured)', considered }
}

/**
 * The channel that only the cause leads to, once the cause is known: the incident is told there
 * too, once. Undefined when the cause changes nothing.
 */
export function causeChannel (config: Pick<Config, 'slack' | 'causes'>, about: Routed): Choice | undefined {
  const choice = chooseChannel(config, about)
  return about.cause === '' || choice.channel === chooseChannel(config, { ...about, cause: '' }).channel ? undefined : choice
}

/** Causes that routes name, as they are spelled there. */
export function routedCauses ({ slack, causes }: Pick<Config, 'slack' | 'causes'>): string[] {
  return [...new Set([...Object.entries(causes).flatMap(([id, { channel }]) => channel === undefined ? [] : [id]), ...slack.routes.flatMap(({ cause }) => cause ?? [])])]
}

function misfit (route: SlackRoute, { namespace, labels, issuer, cause, severity }: Routed): string | undefined {
  const fields: [string, string | undefined, string][] = [['namespace', route.namespace, namespace], ['issuer', route.issuer, issuer], ['cause', route.cause, cause], ['severity', route.severity, severity]]
  for (const [name, wanted, is] of fields) if (wanted !== undefined && !fits(wanted, is)) return `${name} is ${is === '' ? 'not known' : `"${is}"`}, not "${wanted}"`
  for (const [name, wanted] of Object.entries(route.labels ?? {})) {
    const is = Object.hasOwn(labels, name) ? labels[name]! : ''
    if (!fits(wanted, is)) return `label ${name} is "${is}", not "${wanted}"`
  }
  return undefined
}

/** `*` stands for any run of characters; all else is literal. */
function fits (wanted: string, is: string): boolean {
  const parts = wanted.split('*')
  if (parts.length === 1) return wanted === is
  const first = parts.shift()!
  const last = parts.pop()!
  if (!is.startsWith(first) || !is.endsWith(last) || is.length < first.length + last.length) return false
  let at = first.length
  const end = is.length - last.length
  for (const part of parts) {
    const found = is.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

/** Issuer as labels spell it; `ClusterIssuer/letsencrypt` counts as `letsencrypt`. */
export function issuerOf (labels: Record<string, string>): string {
  for (const name of ['issuer', 'issuer_name', 'clusterissuer', 'cluster_issuer']) {
    const value = Object.hasOwn(labels, name) ? labels[name]! : ''
    if (value !== '') return value.includes('/') ? value.slice(value.lastIndexOf('/') + 1) : value
  }
  return ''
}
