import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A port that was free a moment ago. */
export async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => { server.close(resolve) })
  return port
}

/** Why these parts cannot run here; undefined when they can. In CI a missing part is a failure. */
export function missing (...programs: string[]): string | undefined {
  const absent = programs.filter(program => spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0)
  if (absent.length === 0) return undefined
  if (process.env.CI === 'true') throw new Error(`${absent.join(' and ')} must be installed in CI (apt-get install ${absent.join(' ')})`)
  return `${absent.join(' and ')} is not installed here (apt-get install ${absent.join(' ')})`
}

export interface RealProgram { url: string, port: number, child: ChildProcess, stop (signal?: NodeJS.Signals): Promise<void> }

async function start (program: string, args: string[], port: number, ready: string, directory: string): Promise<RealProgram> {
  const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr!.on('data', (chunk: Buffer) => { said = (said + chunk.toString()).slice(-4_000) })
  const url = `http://127.0.0.1:${port}`
  const ended = new Promise<void>(resolve => { child.once('exit', () => { resolve() }) })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`)
    return (await fetch(`${url}${ready}`).catch(() => undefined))?.ok === true
  }, `${program} to be ready`, 20_000)
  return { url, port, child, stop }
}

/** The real Alertmanager with one receiver, which posts to these webhooks. */
export async function startAlertmanager (webhooks: string | string[], options: { wait?: string, interval?: string, port?: number, groupBy?: string[] } = {}): Promise<RealProgram> {
  const port = options.port ?? await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'acme-triage-alertmanager-'))
  writeFileSync(join(directory, 'alertmanager.yml'), JSON.stringify({
    route: { receiver: 'acme', group_by: options.groupBy ?? ['alertname', 'namespace'], group_wait: options.wait ?? '100ms', group_interval: options.interval ?? '500ms', repeat_interval: '1h' },
    receivers: [{ name: 'acme', webhook_configs: [webhooks].flat().map(url => ({ url, send_resolved: true })) }]
  }))
  return start('prometheus-alertmanager', [`--config.file=${directory}/alertmanager.yml`, `--storage.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address='], port, '/-/ready', directory)
}

/** The real Prometheus: one rule that fires on a metric, sent to these targets. */
export async function startPrometheus (options: { metricsPort: number, targets: { port: number, prefix?: string }[], annotations: Record<string, string>, externalLabels?: Record<string, string>, evaluate?: string, resend?: string }): Promise<RealProgram> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'acme-triage-prometheus-'))
  writeFileSync(join(directory, 'rules.yml'), JSON.stringify({
    groups: [{ name: 'acme', rules: [{ alert: 'CertManagerACMEOrderFailed', expr: 'max by (namespace, name, certificate) (test_order_state{state="invalid"}) == 1', labels: { severity: 'warning' }, annotations: options.annotations }] }]
  }))
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify({
    // A scrape that comes late is a metric that is gone: the alert would end and fire again while this process is busy.
    global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: options.evaluate ?? '1s', external_labels: options.externalLabels ?? {} },
    rule_files: ['rules.yml'],
    scrape_configs: [{ job_name: 'test', honor_labels: true, static_configs: [{ targets: [`127.0.0.1:${options.metricsPort}`] }] }],
    alerting: { alertmanagers: options.targets.map(({ port: target, prefix }) => ({ static_configs: [{ targets: [`127.0.0.1:${target}`] }], ...(prefix === undefined ? {} : { path_prefix: prefix }) })) }
  }))
  return start('prometheus', [`--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`, `--rules.alert.resend-delay=${options.resend ?? '2s'}`], port, '/-/ready', directory)
}

/** Waits for a condition, looking often; the error says for what. */
export async function eventually<T> (look: () => Promise<T> | T, what: string, limit = 15_000): Promise<T> {
  const end = Date.now() + limit
  for (;;) {
    const value = await look()
    if (value) return value
    if (Date.now() > end) throw new Error(`never came: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 25) })
  }
}
