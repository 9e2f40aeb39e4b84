import { alertmanagerClient } from '../shared/clients/alertmanager.ts'
import { buildDnsClient } from '../shared/clients/dns.ts'
import { openKubernetes } from '../shared/clients/kubernetes.ts'
import { direct } from '../shared/clients/route.ts'
import type { Config } from '../shared/config/config.ts'
import { loadConfig } from '../shared/config/load.ts'
import { reasonOf } from '../shared/errors.ts'
import { fixOf } from '../publish/slack/errors.ts'
import { slackTransport } from '../publish/slack/transport.ts'
import { duration } from '../publish/words.ts'

/** One thing that was tried. */
export interface Finding { area: 'kubernetes' | 'alertmanager' | 'slack' | 'dns' | 'egress' | 'webhook' | 'write-back', ok: boolean | 'unknown', text: string, fix?: string }

interface Options { config?: string, json?: boolean }

/** What collectors read; a reading that is refused costs the evidence named beside it. */
const readings: [string, string][] = [
  ['certificates.cert-manager.io', 'the chain'], ['certificaterequests.cert-manager.io', 'the chain'], ['orders.acme.cert-manager.io', 'the order and its error'],
  ['challenges.acme.cert-manager.io', 'the challenge and the CA\'s word'], ['issuers.cert-manager.io', 'the issuer'], ['clusterissuers.cert-manager.io', 'the issuer'], ['events', 'what happened when'],
  ['pods', 'cert-manager and the solver'], ['services', 'the way to the solver'], ['ingresses.networking.k8s.io', 'the way to the solver'], ['networkpolicies.networking.k8s.io', 'what blocks the way'],
  ['deployments.apps', 'cert-manager\'s version and flags']
]

/** `acme-triage doctor`: tries everything the service needs, reads only, and names the write-back mode that fits. Status 1 when something is broken. */
export async function run (_values: string[], options: Options): Promise<number> {
  const config = loadConfig(process.env, { file: options.config })
  const findings = (await Promise.all([cluster(config), alertmanagers(config), slack(config), names(config), egress(config)])).flat()
  findings.push(webhook(config), modeThatFits(config, findings))
  if (options.json === true) process.stdout.write(`${JSON.stringify(findings)}\n`)
  else for (const { area, ok, text, fix } of findings) process.stdout.write(`${ok === true ? '✓ fine   ' : ok === false ? '✗ broken ' : '? unknown'} ${area.padEnd(12)} ${text}${fix === undefined ? '' : `\n    → ${fix}`}\n`)
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
    return [{ area: 'kubernetes', ok: true, text: `${version.value}: ${looks.length - refused.length} of ${looks.length} kinds can be read` }, ...clock, ...refused]
  } finally {
    await client.close()
  }
}

async function alertmanagers ({ alertmanager }: Config): Promise<Finding[]> {
  if (alertmanager.urls.length === 0) return [{ area: 'alertmanager', ok: 'unknown', text: 'no URL: annotations are not written back', fix: 'Set ALERTMANAGER_URLS to every peer.' }]
  return (await Promise.all(alertmanager.urls.map(async (url): Promise<Finding[]> => {
    const client = alertmanagerClient({ url, route: direct, headers: alertmanager.headers, ...(alertmanager.bearer === undefined ? {} : { bearer: alertmanager.bearer }), ...(alertmanager.basic === undefined ? {} : { basic: alertmanager.basic }), ...(alertmanager.ca === undefined ? {} : { ca: alertmanager.ca }) })
    try {
      const status = await client.status()
      if (!status.ok) return [{ area: 'alertmanager', ok: false, text: `${url}: ${status.error}`, fix: status.status === 401 || status.status === 403 ? 'Check ALERTMANAGER_BEARER or ALERTMANAGER_BASIC.' : 'Check the URL, with its path prefix.' }]
      const { version, cluster: state, peers } = status.value
      const found: Finding[] = [{ area: 'alertmanager', ok: true, text: `${url}: version ${version}, cluster ${state}` }]
      if (peers > alertmanager.urls.length) found.push({ area: 'alertmanager', ok: false, text: `the cluster has ${peers} peers, ${alertmanager.urls.length} configured`, fix: 'Peers do not share alerts: list every one in ALERTMANAGER_URLS.' })
      return found
    } finally {
      await client.close()
    }
  }))).flat()
}

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

/** Which write-back fits, in one line (alertmanager.md §5). */
function modeThatFits ({ alertmanager: { urls, mode } }: Config, findings: Finding[]): Finding {
  const area = 'write-back' as const
  if (urls.length === 0) return { area, ok: 'unknown', text: 'metric fits: without Alertmanager\'s URL the rule\'s annotation can query acme_diagnosis_info', fix: 'alertmanager.mode: metric, scrape /metrics, and copy the annotations of the README into the rule.' }
  if (!findings.some(({ area: of, ok }) => of === 'alertmanager' && ok === true)) return { area, ok: false, text: `mode ${mode}, but no Alertmanager answers` }
  const advice: Record<Config['alertmanager']['mode'], string> = {
    api: 'api needs no change to the alert path; where Prometheus is yours, tee also reaches the notifications',
    tee: 'tee: add this service as a second target of Prometheus',
    relay: 'relay: run at least two replicas; a dead relay resolves every alert of that Prometheus after 4 minutes',
    metric: 'metric: the cleanest where the rule is yours; /metrics must be scraped by the same Prometheus',
    off: 'off: annotations stay as they are; api would fit'
  }
  return { area, ok: true, text: advice[mode] }
}
