#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { Command, CommanderError } from 'commander'
import { reasonOf, TriageError } from './shared/errors.ts'

/** What a command's module exports: its files are read only when the command is called. */
// Each command knows its own options; commander has made them of the flags below.
type Run = (values: string[], options: never) => Promise<number | void>

interface CommandEntry {
  usage: string
  description: string
  options?: [flags: string, description: string][]
  load: () => Promise<{ run: Run }>
}

const configFlag: [string, string] = ['-c, --config <file>', 'YAML configuration (ACME_TRIAGE_CONFIG)']

const commands: CommandEntry[] = [
  { usage: 'serve', description: 'receive alerts', options: [configFlag], load: () => import('./cli/serve.ts') },
  {
    usage: 'diagnose <subject>', description: 'look at NAMESPACE/CERTIFICATE now, without an alert',
    options: [configFlag, ['--json', 'the diagnosis as JSON']], load: () => import('./cli/diagnose.ts')
  },
  {
    usage: 'capture <subject>', description: 'write NAMESPACE/CERTIFICATE as it is now into a case directory, secrets taken out',
    options: [configFlag, ['-o, --output <directory>', 'where to']], load: () => import('./cli/capture.ts')
  },
  {
    usage: 'replay [directories...]', description: 'diagnose recorded incidents with the production code',
    options: [['--json', 'one line of JSON for each'], ['--diff', 'what changed since they were diagnosed; without directories: the incidents of the store'], configFlag, ['--concurrency <number>', 'cases side by side']], load: () => import('./cli/replay.ts')
  },
  {
    usage: 'probe', description: 'answer probes of names from where this runs, for a service elsewhere',
    options: [['--listen <address>', 'host:port'], configFlag, ['--tls-cert <file>', 'PEM'], ['--tls-key <file>', 'PEM']], load: async () => ({ run: probe })
  },
  {
    usage: 'demo', description: 'the whole way of an alert, on loopback, from a recorded case',
    options: [['--case <directory>', 'another case directory'], ['--keep', 'leave the page up until Ctrl-C']], load: () => import('./cli/demo.ts')
  },
  { usage: 'accuracy <directories...>', description: 'compare replayed cases with their expect.yaml', options: [['--concurrency <number>', 'cases side by side']], load: () => import('./cli/accuracy.ts') },
  { usage: 'doctor', description: 'try everything the service needs, and name the write-back mode that fits', options: [configFlag, ['--prometheus <url>', 'the Prometheus that sends the alerts (PROMETHEUS_URL)'], ['--json', 'findings as JSON']], load: () => import('./cli/doctor.ts') },
  {
    usage: 'route', description: 'which channel an alert goes to, and why',
    options: [configFlag, ['--alert <file>', 'a webhook body, one alert or its labels'], ['--cause <id>', 'as if this were the cause'], ['--json', 'as JSON']], load: () => import('./cli/route.ts')
  },
  {
    usage: 'deliveries [action] [ids...]', description: 'what is to be told and what could not be; retry what is dead',
    options: [configFlag, ['--state <state>', 'only these'], ['--limit <number>', 'at most so many'], ['--url <address>', 'of the running service'], ['--json', 'as JSON']], load: () => import('./cli/deliveries.ts')
  },
  { usage: 'causes [action] [directory]', description: 'the catalogue; check site-local modules', load: () => import('./cli/causes.ts') }
]

// Stripped and compiled files are kept in the temporary folder: the next start takes half the time.
enableCompileCache()

const program = new Command('acme-triage')
  .description('Says why an ACME order failed, and what to do now.')
  .version('0.1.0')
  .showSuggestionAfterError()
  .exitOverride()

for (const { usage, description, options = [], load } of commands) {
  const command = program.command(usage).description(description)
  for (const [flags, text] of options) command.option(flags, text)
  command.action(async (...given: unknown[]) => {
    const values = given.slice(0, -2).flat().filter(value => value !== undefined) as string[]
    const { run } = await load()
    process.exitCode = await run(values, given.at(-2) as never) ?? 0
  })
}

async function probe (_values: string[], options: { listen?: string, config?: string, tlsCert?: string, tlsKey?: string }): Promise<void> {
  const { runProbe } = await import('./cli/probe.ts')
  const { address, close } = await runProbe({ ...options, listen: options.listen ?? ':8443' })
  process.stdout.write(`answering probes on ${address}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void close() })
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = tell(error)
}

/** Writes what went wrong for a person; answers the exit status: 2 for a wrong call, 1 for the rest. */
function tell (error: unknown): number {
  // Commander has written its own message by now.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (!(error instanceof TriageError)) {
    process.stderr.write(`acme-triage: ${error instanceof Error ? error.stack ?? reasonOf(error) : reasonOf(error)}\n`)
    return 1
  }
  process.stderr.write(`acme-triage: ${error.message}\n  ${error.hint} [${error.code}]\n`)
  return error.code === 'USAGE' ? 2 : 1
}
