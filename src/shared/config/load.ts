import { readFileSync } from 'node:fs'
import { TriageError, reasonOf } from '../errors.ts'
import type { Config } from './config.ts'
import { readConfigFile, type ConfigFile } from './read-yaml.ts'
import { parseDuration, parseListen, parseSize } from './units.ts'

type Environment = Record<string, string | undefined>

/**
 * The configuration: defaults, then the YAML (`file`, else ACME_TRIAGE_CONFIG), then the
 * environment. Throws a TriageError that names the place. Nothing at all is a valid configuration.
 */
export function loadConfig (env: Environment, options: { file?: string } = {}): Config {
  const path = options.file ?? filled(env.ACME_TRIAGE_CONFIG)
  const file: ConfigFile = path === undefined ? {} : readConfigFile(path)
  const secret = (name: string) => readSecret(env, name)
  const list = (text: string | undefined) => (text ?? '').split(',').map(part => part.trim()).filter(part => part !== '')
  const listen = fromEnvironment(env, 'ACME_TRIAGE_LISTEN', parseListen, 'host:port, such as 0.0.0.0:8080')
    ?? (file.listen === undefined ? undefined : parseListen(file.listen)) ?? { host: '0.0.0.0', port: 8080 }
  const probes = fromEnvironment(env, 'ACME_TRIAGE_PROBES', onOff, 'on or off')
  const level = fromEnvironment(env, 'ACME_TRIAGE_LOG_LEVEL', text => ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].includes(text) ? text : undefined, 'a level such as info or debug')
  const webhookBasic = list(secret('ACME_TRIAGE_WEBHOOK_BASIC')).map(pair => userAndPassword('ACME_TRIAGE_WEBHOOK_BASIC', pair))
  const alertmanagerBasic = secret('ALERTMANAGER_BASIC')
  const databaseUrl = secret('DATABASE_URL')
  const urls = env.ALERTMANAGER_URLS === undefined ? file.alertmanager?.urls ?? [] : list(env.ALERTMANAGER_URLS)
  for (const url of urls) if (!/^https?:\/\/\S+$/.test(url)) throw badEnvironment('ALERTMANAGER_URLS', 'URLs that begin with http:// or https://, separated by commas')
  const apiUrl = filled(env.SLACK_API_URL) ?? file.slack?.apiUrl ?? 'https://slack.com/api/'

  return {
    listen,
    dataDir: filled(env.ACME_TRIAGE_DATA_DIR) ?? file.dataDir ?? './data',
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    publicUrl: withoutSlash(filled(env.ACME_TRIAGE_PUBLIC_URL) ?? file.publicUrl ?? `http://${listen.host === '0.0.0.0' || listen.host === '::' ? 'localhost' : hostInUrl(listen.host)}:${listen.port}`),
    ...optional('cluster', filled(env.ACME_TRIAGE_CLUSTER) ?? file.cluster),
    clusterLabel: file.clusterLabel ?? 'cluster',
    webhook: {
      tokens: list(secret('ACME_TRIAGE_WEBHOOK_TOKEN')),
      basic: webhookBasic,
      queueLimit: file.webhook?.queueLimit ?? 20_000,
      bodyLimit: size(file.webhook?.bodyLimit, 8 * 1_048_576)
    },
    pages: { tokens: list(secret('ACME_TRIAGE_PAGE_TOKEN')) },
    kubernetes: {
      ...optional('kubeconfig', filled(env.KUBECONFIG) ?? file.kubernetes?.kubeconfig),
      ...optional('certManagerNamespace', file.kubernetes?.certManagerNamespace),
      certificateEvents: file.kubernetes?.certificateEvents ?? false
    },
    collect: {
      deadline: duration(file.collect?.deadline, '5s'),
      logBytes: size(file.collect?.logBytes, 50 * 1_048_576),
      concurrency: file.collect?.concurrency ?? 4,
      ingressLogs: file.collect?.ingressLogs ?? false
    },
    probes: {
      enabled: probes ?? file.probes?.enabled ?? true,
      clusterResolvers: file.probes?.clusterResolvers ?? [],
      publicResolvers: file.probes?.publicResolvers ?? ['1.1.1.1', '8.8.8.8', '9.9.9.9'],
      dohResolvers: file.probes?.dohResolvers ?? ['https://cloudflare-dns.com/dns-query', 'https://dns.google/dns-query'],
      allow: file.probes?.allow ?? [],
      contact: file.probes?.contact ?? '',
      outside: (file.probes?.outside ?? []).map(({ name, url, tokenEnv, ca }) => ({ name, url: withoutSlash(url), token: secret(tokenEnv ?? 'ACME_TRIAGE_PROBE_TOKEN') ?? '', ...optional('ca', ca) })),
      interval: duration(file.probes?.interval, '30s')
    },
    recorder: { enabled: file.recorder?.enabled ?? true, keep: duration(file.recorder?.keep, '7d'), maxBytes: size(file.recorder?.maxBytes, 64 * 1_048_576) },
    slack: {
      ...optional('token', secret('SLACK_BOT_TOKEN')),
      ...optional('tokenFile', filled(env.SLACK_BOT_TOKEN_FILE)),
      ...optional('channel', filled(env.SLACK_CHANNEL) ?? file.slack?.channel),
      ...optional('fallbackChannel', file.slack?.fallbackChannel),
      apiUrl: apiUrl.endsWith('/') ? apiUrl : `${apiUrl}/`,
      ...optional('webhookUrl', secret('SLACK_WEBHOOK_URL')),
      webhookStyle: file.slack?.webhookStyle ?? 'slack',
      ...optional('appToken', secret('SLACK_APP_TOKEN')),
      ...optional('signingSecret', secret('SLACK_SIGNING_SECRET')),
      operators: file.slack?.operators ?? [],
      storm: { threshold: file.slack?.storm?.threshold ?? 8, window: duration(file.slack?.storm?.window, '2m') },
      flapWindow: duration(file.slack?.flapWindow, '10m'),
      routes: file.slack?.routes ?? [],
      ...(file.slack?.mention === undefined ? {} : { mention: { id: file.slack.mention.id, below: duration(file.slack.mention.below, '48h') } })
    },
    alertmanager: {
      urls: urls.map(withoutSlash),
      ...optional('bearer', secret('ALERTMANAGER_TOKEN')),
      ...(alertmanagerBasic === undefined ? {} : { basic: userAndPassword('ALERTMANAGER_BASIC', alertmanagerBasic) }),
      headers: file.alertmanager?.headers ?? {},
      ...optional('ca', file.alertmanager?.ca),
      mode: file.alertmanager?.mode ?? (urls.length > 0 ? 'api' : 'off'),
      poll: duration(file.alertmanager?.poll, '5s'),
      hold: duration(file.alertmanager?.hold, '0')
    },
    outgoing: (file.outgoing ?? []).map(({ url, secretEnv }) => ({ url, secret: secret(secretEnv ?? 'ACME_TRIAGE_OUTGOING_SECRET') ?? '' })),
    causes: file.causes ?? {},
    ...optional('causesDirectory', file.causesDirectory),
    retention: duration(file.retention, '30d'),
    ...optional('runbookUrl', file.runbookUrl),
    log: { level: level ?? file.log?.level ?? 'info' }
  }
}

/** Every secret of the configuration, to be taken out of anything that is written. */
export function secretsOf (config: Config): string[] {
  const password = config.databaseUrl === undefined ? undefined : /:\/\/[^:/@]*:([^@]+)@/.exec(config.databaseUrl)?.[1]
  return [
    ...config.webhook.tokens, ...config.webhook.basic.map(pair => pair.password), ...config.pages.tokens,
    ...config.probes.outside.map(({ token }) => token), ...config.outgoing.map(({ secret }) => secret),
    config.slack.token, config.slack.appToken, config.slack.signingSecret, config.slack.webhookUrl,
    config.alertmanager.bearer, config.alertmanager.basic?.password, config.databaseUrl, password
  ].filter((secret): secret is string => secret !== undefined && secret.length >= 4)
}

function readSecret (env: Environment, name: string): string | undefined {
  const file = filled(env[`${name}_FILE`])
  const value = filled(env[name])
  if (file === undefined) return value
  if (value !== undefined) throw new TriageError('CONFIG_SECRET', { name, why: `both ${name} and ${name}_FILE are set` })
  try {
    return filled(readFileSync(file, 'utf8').trim())
  } catch (error) {
    throw new TriageError('CONFIG_SECRET', { name, why: reasonOf(error) }, { cause: error })
  }
}

function fromEnvironment<T> (env: Environment, name: string, parse: (text: string) => T | undefined, form: string): T | undefined {
  const text = filled(env[name])
  if (text === undefined) return undefined
  const value = parse(text)
  if (value === undefined) throw badEnvironment(name, form)
  return value
}

const badEnvironment = (name: string, form: string) => new TriageError('CONFIG_INVALID', { where: `environment variable ${name}`, why: `must be ${form}`, fix: `Correct ${name} or unset it.` })

function userAndPassword (name: string, pair: string): { user: string, password: string } {
  const colon = pair.indexOf(':')
  if (colon < 1) throw badEnvironment(name, 'user:password')
  return { user: pair.slice(0, colon), password: pair.slice(colon + 1) }
}

const onOff = (text: string): boolean | undefined => /^(on|true|yes|1)$/i.test(text) ? true : /^(off|false|no|0)$/i.test(text) ? false : undefined
const filled = (text: string | undefined): string | undefined => text === undefined || text.trim() === '' ? undefined : text.trim()
const withoutSlash = (url: string): string => url.replace(/\/+$/, '')
const hostInUrl = (host: string): string => host.includes(':') ? `[${host}]` : host
// The schema has checked the form.
const duration = (text: string | undefined, otherwise: string): number => parseDuration(text ?? otherwise)!
const size = (text: number | string | undefined, otherwise: number): number => text === undefined ? otherwise : parseSize(text)!
const optional = <K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> => value === undefined ? {} : { [key]: value } as Record<K, string>
