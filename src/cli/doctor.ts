import { buildDnsClient } from '../shared/clients/dns.ts'
import { openEventWriter } from '../shared/clients/kubernetes-events.ts'
import { openKubernetes } from '../shared/clients/kubernetes.ts'
import { direct } from '../shared/clients/route.ts'
import type { Config } from '../shared/config/config.ts'
import { loadConfig } from '../shared/config/load.ts'
import { reasonOf } from '../shared/errors.ts'
import { fit } from '../publish/annotations/fit.ts'
import { lookAtSetup, type Setup } from '../publish/annotations/setup.ts'
import { fixOf } from '../publish/slack/errors.ts'
import { slackTransport } from '../publish/slack/transport.ts'
import { duration } from '../publish/words.ts'

/** One thing that was tried. */
export interface Finding { area: 'kubernetes' | 'alertmanager' | 'slack' | 'dns' | 'egress' | 'webhook' | 'write-back', ok: boolean | 'unknown', text: string, fix?: string, /** Lines to copy. */ snippet?: string }

interface Options { config?: string, json?: boolean, prometheus?: string }

/** What collectors read; a reading that is refused costs the evidence named beside it. */
const readings: [string, string][] = [
  ['certificates.cert-manager.io', 'the chain'], ['certificaterequests.cert-manager.io', 'the chain'], ['orders.acme.cert-manager.io', 'the order and its error'],
  ['challenges.acme.cert-manager.io', 'the challenge and the CA\'s word'], ['issuers.cert-manager.io', 'the issuer'], ['clusterissuers.cert-manager.io', 'the issuer'], ['events', 'what happened when'],
  ['pods', 'cert-manager and the solver'], ['services', 'the way to the solver'], ['ingresses.networking.k8s.io', 'the way to the solver'], ['networkpolicies.networking.k8s.io', 'what blocks the way'],
  ['deployments.apps', 'cert-manager\'s version and flags']
]

/** `acme-triage doctor`: tries everything the service needs, changes nothing, and names the write-back mode that fits. Status 1 when something is broken. */
export async function run (_values: string[], options: Options): Promise<number> {
  const config = loadConfig(process.env, { file: options.config })
  const prometheusUrl = options.prometheus ?? process.env.PROMETHEUS_URL
  const findings = (await Promise.all([cluster(config), alerts(config, prometheusUrl), slack(config), names(config), egress(config)])).flat()
  findings.push(webhook(config))
  if (options.json === true) process.stdout.write(`${JSON.stringify(findings)}\n`)
  else for (const finding of findings) process.stdout.write(inWords(finding))
  return findings.some(({ ok }) => ok === false) ? 1 : 0
}

async function cluster (config: Config): Promise<Finding[]> {
  let client: ReturnType<typeof openKubernetes>
  try {
    client = openKubernetes({ kubeconfig: config.kubernetes.kubeconfig }, { clock: { now: Date.now } })
  } catch (error) {
    return [{ area: 'kubernetes', ok: false, text: `the kubeconfig cannot be used: ${reasonOf(error)}`, fix: 'Check KUBECONFIG.' }]
  }
  if (client === undefined) return [{ area: 'kubernetes', ok: 'unknown', text: 'no cluster: alerts are diagnosed from their own words', fix: 'Run with the ServiceAccount of deploy/acme-triage.yaml, or set KUBECONFIG.' }]
  try {
    const version = await client.version({ signal: AbortSignal.timeout(5_000) })
    if (version.is !== 'seen') return [{ area: 'kubernetes', ok: false, text: `the API does not answer: ${version.is === 'unavailable' ? version.why : 'no version'}` }]
    const ahead = client.clockAhead()
    const clock: Finding[] = Math.abs(ahead) <= 30_000 ? [] : [{ area: 'kubernetes', ok: false, text: `the clock here is ${duration(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} the API server's`, fix: 'Repair time synchronisation on this node: signed requests and certificates depend on it.' }]
    const looks = await Promise.all(readings.map(async ([resource, evidence]): Promise<Finding> => {
      const look = await client.list(resource, { pageSize: 1, maxItems: 1, signal: AbortSignal.timeout(10_000) })
      return look.is === 'unavailable'
        ? { area: 'kubernetes', ok: false, text: `${resource}: ${look.why} (costs ${evidence})`, ...(look.fix === undefined ? {} : { fix: look.fix }) }
        : { area: 'kubernetes', ok: true, text: look.is === 'absent' ? `${resource}: this cluster does not have it` : `${resource} can be listed` }
    }))
    const refused = looks.filter(({ ok }) => ok !== true)
    return [{ area: 'kubernetes', ok: true, text: `${version.value}: ${looks.length - refused.length} of ${looks.length} kinds can be read` }, ...clock, ...refused, ...await certificateEvents(config)]
  } finally {
    await client.close()
  }
}

/** Nothing to say while it is off: that is the default. */
async function certificateEvents ({ kubernetes: { kubeconfig, certificateEvents: on } }: Config): Promise<Finding[]> {
  const writer = on ? openEventWriter({ kubeconfig }, { clock: { now: Date.now } }) : undefined
  if (writer === undefined) return []
  try {
    const may = await writer.mayWrite()
    if (may.is === 'seen') return [{ area: 'write-back', ok: true, text: 'the diagnosis is an Event on the Certificate, too' }]
    // A RoleBinding in some namespaces is a choice, too.
    return may.is === 'absent' ? [] : [{ area: 'write-back', ok: 'unknown', text: `Events on Certificates: ${may.why}`, ...(may.fix === undefined ? {} : { fix: may.fix }) }]
  } finally {
    await writer.close()
  }
}

/** Alertmanager, Prometheus, and the mode that fits between them. */
async function alerts (config: Config, prometheusUrl: string | undefined): Promise<Finding[]> {
  const setup = await lookAtSetup(config, { route: direct, ...(prometheusUrl === undefined ? {} : { prometheusUrl }) })
  return [...peers(setup), ...writeBack(setup)]
}

function peers ({ peers: all, tenant }: Setup): Finding[] {
  const area = 'alertmanager' as const
  if (all.length === 0) return [{ area, ok: 'unknown', text: 'no URL', fix: 'Set ALERTMANAGER_URLS to every peer.' }]
  const found = all.map(({ url, version, unreadable, closed }): Finding => {
    if (unreadable !== undefined) return { area, ok: false, text: `${url}: ${unreadable.error}`, fix: unreadable.status === 401 && /org/i.test(unreadable.error) ? 'Name the tenant: alertmanager.headers: {X-Scope-OrgID: …}.' : unreadable.status === 401 || unreadable.status === 403 ? 'Check ALERTMANAGER_TOKEN or ALERTMANAGER_BASIC.' : 'Check the URL, with its path prefix.' }
    return closed === undefined ? { area, ok: true, text: `${url}: version ${version}, takes posts` } : { area, ok: 'unknown', text: `${url}: ${closed}` }
  })
  const names = all.flatMap(({ name }) => name === '' ? [] : [name])
  const members = Math.max(...all.map(({ peers: count }) => count))
  // Peers do not share alerts, only silences and what was notified; Mimir does that by itself.
  if (!tenant && new Set(names).size < names.length) found.push({ area, ok: false, text: 'two of these URLs lead to the same peer', fix: 'Name each peer by its own address (alertmanager-operated resolves to all of them), not a Service in front.' })
  else if (!tenant && members > all.length) found.push({ area, ok: false, text: `the cluster has ${members} peers, ${all.length} configured`, fix: 'Peers do not share alerts: list every one in ALERTMANAGER_URLS.' })
  return found
}

function writeBack (setup: Setup): Finding[] {
  const area = 'write-back' as const
  const { mode, why, change, lacks, better } = fit(setup)
  const write = (lines: string | undefined): Partial<Finding> => lines === undefined ? {} : { fix: 'Write:', snippet: lines }
  return [
    { area, ok: mode === setup.mode && !lacks.some(({ broken }) => broken) ? true : 'unknown', text: `${mode} fits${mode === setup.mode ? ', and is configured' : ` (configured: ${setup.mode})`}: ${why}`, ...write(change) },
    ...lacks.map(({ text, broken, change: completes }): Finding => ({ area, ok: broken ? false : 'unknown', text, ...write(completes) })),
    ...(better === undefined ? [] : [{ area, ok: 'unknown' as const, text: `${better.mode} would show more: ${better.why}`, ...write(better.change) }])
  ]
}

const inWords = ({ area, ok, text, fix, snippet }: Finding): string => [
  `${ok === true ? '✓ fine   ' : ok === false ? '✗ broken ' : '? unknown'} ${area.padEnd(12)} ${text}`,
  ...(fix === undefined ? [] : [`    → ${fix}`]), ...(snippet === undefined ? [] : snippet.split('\n').map(line => `      ${line}`)), ''
].join('\n')

async function slack ({ slack: settings }: Config): Promise<Finding[]> {
  const transport = slackTransport(settings, direct)
  if (transport === undefined) return [{ area: 'slack', ok: 'unknown', text: 'no token: messages are shown in the log and on the page', fix: 'Set SLACK_BOT_TOKEN and SLACK_CHANNEL.' }]
  try {
    const answer = await transport.check()
    if (!answer.ok) return [{ area: 'slack', ok: false, text: `auth.test: ${answer.error}`, fix: fixOf(answer.error, settings.channel ?? '') }]
    const found: Finding[] = [{ area: 'slack', ok: true, text: `${transport.name}: ${answer.user}${answer.team === '' ? '' : ` of ${answer.team}`}` }]
    if (transport.name !== 'slack') return [...found, { area: 'slack', ok: 'unknown', text: 'an incoming webhook neither edits nor threads', fix: 'A bot token (chat:write, channels:history) gives one message for each incident.' }]
    const needed: [string, string][] = [['chat:write', 'nothing can be posted'], ['channels:history', 'a message whose answer was lost is said twice (groups:history for private channels)'], ['files:write', 'the timeline picture is left out']]
    for (const [scope, without] of needed) if (answer.scopes.length > 0 && !answer.scopes.includes(scope)) found.push({ area: 'slack', ok: scope === 'chat:write' ? false : 'unknown', text: `scope ${scope} is missing: ${without}`, fix: 'Add the scope and reinstall the app.' })
    if (settings.channel === undefined && settings.routes.length === 0) found.push({ area: 'slack', ok: false, text: 'no channel is configured', fix: 'Set SLACK_CHANNEL to a channel id.' })
    return found
  } finally {
    await transport.close()
  }
}

async function names ({ probes }: Config): Promise<Finding[]> {
  if (!probes.enabled) return [{ area: 'dns', ok: 'unknown', text: 'probes are off' }]
  const servers = [...probes.clusterResolvers.map(server => ['cluster', server] as const), ...probes.publicResolvers.map(server => ['public', server] as const)]
  const client = buildDnsClient({ route: direct, timeout: 2_000, tries: 1 })
  return Promise.all(servers.map(async ([kind, server]): Promise<Finding> => {
    const reply = await client.ask(server, { name: 'acme-v02.api.letsencrypt.org', type: 'A' }, AbortSignal.timeout(5_000))
    return 'answer' in reply
      ? { area: 'dns', ok: true, text: `${kind} resolver ${server} answers in ${reply.ms} ms` }
      : { area: 'dns', ok: false, text: `${kind} resolver ${server}: ${reply.failure}: ${reply.why}`, fix: kind === 'public' ? 'Allow UDP and TCP 53 to it, or rely on probes.dohResolvers.' : 'Check probes.clusterResolvers.' }
  }))
}

async function egress ({ probes }: Config): Promise<Finding[]> {
  if (!probes.enabled) return []
  try {
    const answer = await fetch('https://acme-v02.api.letsencrypt.org/directory', { signal: AbortSignal.timeout(5_000) })
    return [{ area: 'egress', ok: answer.ok, text: `Let's Encrypt's directory answers ${answer.status}` }]
  } catch (error) {
    return [{ area: 'egress', ok: false, text: `Let's Encrypt cannot be reached: ${reasonOf(error)}`, fix: 'Allow TCP 443 out; the CA\'s own record of a failure is read there.' }]
  }
}

function webhook ({ webhook: { tokens, basic } }: Config): Finding {
  return tokens.length + basic.length > 0
    ? { area: 'webhook', ok: true, text: 'the webhook asks for credentials' }
    : { area: 'webhook', ok: 'unknown', text: 'the webhook takes alerts from anybody', fix: 'Set ACME_TRIAGE_WEBHOOK_TOKEN.' }
}
