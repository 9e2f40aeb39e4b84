import type { Config } from '../../shared/config/config.ts'
import { pollInterval } from './api-mode.ts'
import { ruleAnnotations } from './metric-mode.ts'
import { alertName } from './sent-alert.ts'
import type { Setup } from './setup.ts'

type Mode = Config['alertmanager']['mode']

/** What fits a setup, and what is to be done about the mode that is configured. */
export interface Fit {
  mode: Exclude<Mode, 'off'>
  why: string
  /** What must be set for it, ready to copy; undefined when it is set. */
  change?: string
  /** What the configured mode does not do here: `broken` when it cannot do its work at all; `change` is what to write when one would keep it. */
  lacks: { text: string, broken: boolean, change?: string }[]
  /** A mode that shows the cause more often, and what it asks for. */
  better?: { mode: Mode, why: string, change: string }
}

/** Works out the mode from what stands there; where two fit, the one that needs no change to the way of the alerts (reference: the coverage that was measured for each). */
export function fit (setup: Setup): Fit {
  const { mode, why } = choose(setup)
  const change = mode === setup.mode ? undefined : changeFor(mode, setup)
  const better = mode === 'api' ? teeInstead(setup) : undefined
  return { mode, why, lacks: lacksOf(setup), ...(change === undefined ? {} : { change }), ...(better === undefined ? {} : { better }) }
}

function choose (setup: Setup): Pick<Fit, 'mode' | 'why'> {
  const { sender, usable } = read(setup)
  if (sender !== undefined && sender.sendsToUs && sender.others === 0) return { mode: 'relay', why: 'Prometheus sends its alerts to this service alone: they reach Alertmanager only if it passes them on; the cause then stands there in every look, from the first notification on' }
  if (sender !== undefined && queriesUs(setup) && sender.scraped) return { mode: 'metric', why: `the rule ${alertName} asks for acme_diagnosis_info and Prometheus scrapes this service: the cause stands there in every look, and nothing is posted` }
  if (sender !== undefined && sender.sendsToUs && usable.length > 0 && !sender.labelsDiffer) return { mode: 'tee', why: 'Prometheus sends its alerts to this service too: the cause stands there more than 99 % of the time, and in the resolved notification' }
  if (usable.length > 0) return { mode: 'api', why: `${usable.length === 1 ? 'Alertmanager takes' : `${usable.length} peers take`} posts, and nothing on the way of the alerts must change: the cause stands there about ${share(setup)} % of the time${sender?.rule?.period === undefined ? '' : ` (Prometheus sends again every ${Math.round(sender.rule.period / 1_000)} s)`}, not in the first notification` }
  return { mode: 'metric', why: setup.peers.length === 0 ? 'no Alertmanager is configured, so nothing can be posted: the rule itself can ask for the diagnosis' : `no Alertmanager can be written to (${setup.peers.map(({ closed, unreadable }) => closed ?? unreadable?.error).join('; ')}): the rule itself can ask for the diagnosis` }
}

/** What the configured mode needs and has not. */
function lacksOf (setup: Setup): Fit['lacks'] {
  const { mode, prometheus, replicas, peers } = setup
  const { sender, usable } = read(setup)
  const lacks: Fit['lacks'] = []
  const lack = (text: string, broken = true): void => { lacks.push({ text, broken }) }
  const missing = (text: string): void => { lacks.push({ text, broken: true, change: changeFor(mode, setup) }) }
  if (sender?.sendsToUs === true && sender.others === 0 && mode !== 'relay') lack(`Prometheus sends its alerts to this service alone, and mode ${mode} passes none on: every alert of that Prometheus is lost`)
  if (mode === 'off') lack('mode off: annotations stay as they are', false)
  if ((mode === 'api' || mode === 'tee' || mode === 'relay') && usable.length === 0) lack(`mode ${mode} needs an Alertmanager that takes posts: ${peers.length === 0 ? 'none is configured (ALERTMANAGER_URLS)' : 'none of those configured does'}`)
  if (prometheus !== undefined && !prometheus.ok) lack(`the sender's side cannot be judged: Prometheus: ${prometheus.error}`, false)
  if (prometheus === undefined && mode !== 'off') lack(mode === 'api' ? 'the sender\'s side is not looked at: --prometheus URL (or PROMETHEUS_URL) tells whether tee or metric would show more' : `whether Prometheus does its part of ${mode} is not known: name it with --prometheus URL (or PROMETHEUS_URL)`, false)
  if (sender === undefined) return lacks
  if (sender.rule === undefined) lack(`this Prometheus has no rule ${alertName}: its alerts come from elsewhere, or not at all`, false)
  if (mode === 'tee' && !sender.sendsToUs) missing('mode tee waits for alerts, and Prometheus does not send any here')
  if (mode === 'tee' && sender.labelsDiffer) lack('alert_relabel_configs change labels for some targets only: what is posted back could be a second alert')
  if (mode === 'tee' && sender.sendsToUs && !atLeast(sender.version, 3, 10)) lack('before Prometheus 3.10 all targets share one queue: this service being slow delays Alertmanager (it answers before any work)', false)
  if (mode === 'relay' && !sender.sendsToUs) missing('mode relay passes on what Prometheus sends here, and it sends nothing')
  if (mode === 'relay' && sender.sendsToUs && sender.others > 0) lack(`Prometheus sends to ${sender.others} more target${sender.others === 1 ? '' : 's'}: if these are Alertmanagers, their copies are without the cause, and tee does the same with less risk`, false)
  if (mode === 'relay' && !replicas) lack('one replica on the embedded store: a relay that is down for 4 minutes resolves every alert of that Prometheus (two replicas need DATABASE_URL)', false)
  const undone = mode !== 'metric' ? [] : [...(sender.scraped ? [] : ['Prometheus does not scrape this service']), ...(sender.rule === undefined || queriesUs(setup) ? [] : [`the rule ${alertName} does not ask for acme_diagnosis_info`])]
  if (undone.length > 0) missing(`mode metric: ${undone.join(', and ')}`)
  return lacks
}

function teeInstead (setup: Setup): Fit['better'] {
  const { sender } = read(setup)
  if (setup.mode === 'tee' || sender === undefined || sender.labelsDiffer) return undefined
  return { mode: 'tee', why: 'as a second target of Prometheus the cause would stand there more than 99 % of the time, and in notifications too', change: changeFor('tee', setup) }
}

const modeLine = (mode: Mode): string => `# acme-triage\nalertmanager:\n  mode: ${mode}`

/** What to write where, whole lines. */
function changeFor (mode: Mode, setup: Setup): string {
  const own = setup.own.startsWith('localhost') ? 'acme-triage.acme-triage.svc:8080' : setup.own
  const { sender } = read(setup)
  if (mode === 'api' || mode === 'off') return modeLine(mode)
  if (mode === 'tee' || mode === 'relay') {
    if (sender?.sendsToUs === true) return modeLine(mode)
    // An unknown key would keep an older Prometheus from starting.
    const narrow = mode === 'tee' && atLeast(sender?.version, 2, 51) ? `\n      alert_relabel_configs: [{source_labels: [alertname], regex: ${alertName}, action: keep}]` : ''
    return `${modeLine(mode)}\n# prometheus.yml: ${mode === 'tee' ? 'beside' : 'in the place of'} the targets that are there\nalerting:\n  alertmanagers:\n    - static_configs: [{targets: ['${own}']}]${narrow}`
  }
  const scrape = sender?.scraped === true ? '' : `\n# prometheus.yml\nscrape_configs:\n  - job_name: acme-triage\n    honor_labels: true\n    static_configs: [{targets: ['${own}']}]`
  const annotations = queriesUs(setup) ? '' : `\n# the rule ${alertName}\nannotations:\n${Object.entries(ruleAnnotations('name', sender?.rule?.labels.includes('exported_namespace') === true ? 'exported_namespace' : 'namespace')).map(([name, text]) => `  ${name}: '${text}'`).join('\n')}`
  return `${modeLine('metric')}${scrape}${annotations}`
}

function read ({ peers, prometheus }: Setup): { sender?: Extract<NonNullable<Setup['prometheus']>, { ok: true }>['value'], usable: Setup['peers'] } {
  const usable = peers.filter(({ unreadable, closed }) => unreadable === undefined && closed === undefined)
  return prometheus?.ok === true ? { sender: prometheus.value, usable } : { usable }
}

/** The rule's annotations ask for the info metric. */
function queriesUs ({ prometheus }: Setup): boolean {
  return prometheus?.ok === true && Object.values(prometheus.value.rule?.annotations ?? {}).some(text => text.includes('acme_diagnosis_info'))
}

/** With polls this often, ours are away for half a wait out of each period on average. */
function share (setup: Setup): number {
  const period = read(setup).sender?.rule?.period
  return period === undefined ? 97 : Math.max(0, Math.floor((1 - pollInterval(setup.poll, period) / 2 / period) * 100))
}

function atLeast (version: string | undefined, major: number, minor: number): boolean {
  const [, ofMajor, ofMinor] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? []
  return ofMajor !== undefined && (Number(ofMajor) > major || (Number(ofMajor) === major && Number(ofMinor) >= minor))
}
