import { setFlagsFromString } from 'node:v8'
import closeWithGrace from 'close-with-grace'
import { buildApp } from '../app.ts'
import { openCluster } from '../clients.ts'
import { loadConfig, secretsOf } from '../shared/config/load.ts'
import { reasonOf } from '../shared/errors.ts'
import { buildLog } from '../shared/log.ts'

const drainAtMost = 10_000

/** `acme-triage serve`: the service, until a signal ends it. */
export async function run (_values: string[], options: { config?: string }): Promise<void> {
  // In a burst V8 would let its nursery grow to 100 MB and more, and keep it: short lives need no such room.
  setFlagsFromString('--semi-space-growth-factor=1')
  const config = loadConfig(process.env, { file: options.config })
  if (Object.keys(config.causes).length > 0) await (await import('../investigate.ts')).checkPolicy(config)
  const log = buildLog({ level: config.log.level, secrets: secretsOf(config) })
  const clock = { now: () => Date.now() }
  const cluster = await openCluster(config, clock)
  const app = await buildApp(config, { clients: { kubernetes: cluster.kubernetes, ...(cluster.events === undefined ? {} : { events: cluster.events }) }, clock, log, lookThread: true })
  closeWithGrace({ delay: drainAtMost, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal({ err }, 'stopped by an error')
    else log.info({ signal }, 'stopping')
    await app.close()
    await cluster.close()
  })
  const address = await app.listen()
  log.info({
    address,
    store: config.databaseUrl === undefined ? config.dataDir : 'postgresql',
    cluster: cluster.kubernetes === undefined ? 'none: alerts are diagnosed from their own words' : 'connected',
    slack: config.slack.token === undefined && config.slack.webhookUrl === undefined ? 'none: messages are shown in the log and on the page' : config.slack.channel,
    alertmanager: config.alertmanager.mode,
    authentication: config.webhook.tokens.length + config.webhook.basic.length > 0
  }, 'listening')
  warn()

  function warn (): void {
    if (config.webhook.tokens.length + config.webhook.basic.length === 0) log.warn('the webhook takes alerts from anybody: set ACME_TRIAGE_WEBHOOK_TOKEN')
    if (cluster.unavailable !== undefined) log.warn({ reason: reasonOf(cluster.unavailable) }, 'no cluster can be looked at')
  }
}
