import { readFileSync } from 'node:fs'
import { buildOutsideClients } from '../collect/outside.ts'
import { buildProbeServer } from '../probe-server.ts'
import { direct } from '../shared/clients/route.ts'
import { loadConfig } from '../shared/config/load.ts'
import { parseListen } from '../shared/config/units.ts'
import { reasonOf, TriageError } from '../shared/errors.ts'

export interface ProbeOptions {
  /** `:8443` or `host:port`. */
  listen: string
  config?: string
  /** PEM files; both or none. */
  tlsCert?: string
  tlsKey?: string
}

/**
 * `acme-triage probe`: answers "HTTP-01 path of this name" and "records of this name" from where it
 * runs. The token comes from ACME_TRIAGE_PROBE_TOKEN (two, comma-separated, during rotation).
 * Resolves once it listens; `close` stops it.
 */
export async function runProbe (options: ProbeOptions, env: NodeJS.ProcessEnv = process.env): Promise<{ address: string, close: () => Promise<void> }> {
  const listen = parseListen(options.listen)
  if (listen === undefined) throw new TriageError('USAGE', { why: `--listen ${options.listen} is not host:port` })
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) throw new TriageError('USAGE', { why: '--tls-cert and --tls-key belong together' })
  const tokens = readTokens(env)
  const config = loadConfig(env, { file: options.config })
  const clients = buildOutsideClients({ ...config.probes, outside: [] }, { route: direct, clock: { now: () => Date.now() } })
  const tls = options.tlsCert === undefined ? undefined : { cert: readFile(options.tlsCert, '--tls-cert'), key: readFile(options.tlsKey!, '--tls-key') }
  const server = await buildProbeServer({ clients, tokens, tls })
  const address = await server.listen({ host: listen.host, port: listen.port })
  return { address, close: () => server.close() }
}

function readTokens (env: NodeJS.ProcessEnv): string[] {
  const name = 'ACME_TRIAGE_PROBE_TOKEN'
  const file = env[`${name}_FILE`]
  const text = env[name] ?? (file === undefined ? '' : readFile(file, `${name}_FILE`))
  const tokens = text.split(',').map((token) => token.trim()).filter((token) => token !== '')
  // An open probe is a scanner for strangers.
  if (tokens.length === 0) throw new TriageError('CONFIG_SECRET', { name, why: 'a probe answers nobody without a token' })
  return tokens
}

function readFile (path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new TriageError('CONFIG_SECRET', { name: what, why: reasonOf(error) })
  }
}
