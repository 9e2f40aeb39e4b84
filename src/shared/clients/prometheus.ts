import { fetch } from 'undici'
import { parse } from 'yaml'
import { parseDuration } from '../config/units.ts'
import { reasonOf } from '../errors.ts'
import type { Millis } from '../types/common.ts'
import type { Route } from './route.ts'
import { routedAgent } from './routed-agent.ts'

/** What a Prometheus tells about the way its alerts take. A part that it does not tell is undefined. */
export interface PrometheusSetup {
  version?: string
  /** What it sends alerts to now: this service among it, and how many others. */
  sendsToUs: boolean
  others: number
  /** Some of these get other labels than others: `alert_relabel_configs` of single targets change them. */
  labelsDiffer: boolean
  /** The rule of our alert, if it has one. */
  rule?: { annotations: Record<string, string>, /** Label names of the alerts that fire by it now. */ labels: string[], /** How often a firing alert is sent again. */ period?: Millis }
  /** It scrapes this service. */
  scraped: boolean
}

interface Section { alert_relabel_configs?: { action?: string }[] }
interface RuleGroup { interval?: number, rules?: { type?: string, name?: string, annotations?: Record<string, string>, alerts?: { labels?: Record<string, string> }[] }[] }

const timeout: Millis = 5_000
const resendDefault: Millis = 60_000

/** Always there, and nobody else's. */
const ownMetric = 'acme_triage_queue_depth'

/** Asks one Prometheus, with GETs only. `own` is the host:port under which it may know this service. */
export async function prometheusSetup (url: string, route: Route, { alertName, own }: { alertName: string, own: string }): Promise<{ ok: true, value: PrometheusSetup } | { ok: false, error: string }> {
  const base = url.replace(/\/+$/, '')
  const agent = routedAgent(route, { headersTimeout: timeout, bodyTimeout: timeout })

  async function ask<T> (path: string): Promise<T> {
    const response = await fetch(`${base}/api/v1/${path}`, { redirect: 'manual', dispatcher: agent, signal: AbortSignal.timeout(timeout) })
    const text = await response.text()
    if (!response.ok) throw new Error(`HTTP ${response.status} for /api/v1/${path.split('?', 1)[0]}: ${text.slice(0, 200)}`)
    return (JSON.parse(text) as { data: T }).data
  }
  const askIfKnown = <T>(path: string): Promise<T | undefined> => ask<T>(path).catch(() => undefined)
  /** Service discovery names Pods by address: a metric that only this service has tells it. */
  async function isThisService (target: string): Promise<boolean> {
    const { host, origin } = new URL(target)
    if (host === own) return true
    const answer = await fetch(`${origin}/metrics`, { redirect: 'manual', dispatcher: agent, signal: AbortSignal.timeout(timeout) }).then(response => response.text()).catch(() => '')
    return answer.includes(`\n${ownMetric} `)
  }

  try {
    const [{ activeAlertmanagers }, build, config, flags, rules, scraped] = await Promise.all([
      ask<{ activeAlertmanagers: { url: string }[] | null }>('alertmanagers'), askIfKnown<{ version?: string }>('status/buildinfo'), askIfKnown<{ yaml: string }>('status/config'),
      askIfKnown<Record<string, string>>('status/flags'), askIfKnown<{ groups?: RuleGroup[] }>('rules?type=alert'), askIfKnown<{ result?: unknown[] }>(`query?query=${encodeURIComponent(ownMetric)}`)
    ])
    const ours = await Promise.all((activeAlertmanagers ?? []).map(target => isThisService(target.url)))
    const rule = ruleOf(rules?.groups ?? [], alertName, parseDuration(flags?.['rules.alert.resend-delay'] ?? '') ?? resendDefault)
    return {
      ok: true,
      value: {
        sendsToUs: ours.includes(true),
        others: ours.filter(us => !us).length,
        labelsDiffer: config !== undefined && relabelsApart(config.yaml),
        scraped: (scraped?.result?.length ?? 0) > 0,
        ...(build?.version === undefined ? {} : { version: build.version }),
        ...(rule === undefined ? {} : { rule })
      }
    }
  } catch (error) {
    return { ok: false, error: reasonOf(error) }
  } finally {
    await agent.destroy()
  }
}

/** A group may hold several rules of the name: what one of them has not is not there. */
function ruleOf (groups: RuleGroup[], alertName: string, resend: Millis): PrometheusSetup['rule'] {
  const found = groups.flatMap(({ interval, rules = [] }) => rules.filter(({ name }) => name === alertName).map(rule => ({ rule, interval: (interval ?? 0) * 1_000 })))
  const [first] = found
  if (first === undefined) return undefined
  const everywhere = Object.entries(first.rule.annotations ?? {}).filter(([name, text]) => found.every(({ rule }) => rule.annotations?.[name] === text))
  // Strictly greater than the delay: the evaluation that comes with it is a moment too early.
  const periods = found.flatMap(({ interval }) => interval > 0 ? [(Math.floor(resend / interval) + 1) * interval] : [])
  return {
    annotations: Object.fromEntries(everywhere),
    labels: [...new Set(found.flatMap(({ rule }) => rule.alerts ?? []).flatMap(({ labels }) => Object.keys(labels ?? {})))].sort(),
    ...(periods.length === 0 ? {} : { period: Math.min(...periods) })
  }
}

function relabelsApart (yaml: string): boolean {
  const config = parse(yaml) as { alerting?: { alertmanagers?: Section[] } } | null
  const changes = (config?.alerting?.alertmanagers ?? []).map(({ alert_relabel_configs: rules = [] }) => JSON.stringify(rules.filter(({ action }) => action !== 'keep' && action !== 'drop')))
  return new Set(changes).size > 1
}
