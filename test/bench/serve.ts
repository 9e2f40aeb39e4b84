import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitFor } from './measure.ts'

export interface Served {
  url: string
  pid: number
  bootMs: number
  stop (): Promise<void>
}

/** Starts `acme-triage serve` as an operator would: a process of its own, a store on disk, no cluster unless `env` names one. */
export async function serve (env: Record<string, string> = {}, config?: string): Promise<Served> {
  const directory = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
  const port = await freePort()
  if (config !== undefined) await writeFile(join(directory, 'config.yaml'), config)
  const began = performance.now()
  // Only what is given: a developer's own KUBECONFIG or Slack token has no place here.
  const child = spawn(process.execPath, [...process.env.BENCH_NODE_FLAGS?.split(' ') ?? [], fileURLToPath(new URL('../../src/main.ts', import.meta.url)), 'serve'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH, HOME: directory, TMPDIR: tmpdir(), NODE_ENV: 'production', ...imageSettings(), ACME_TRIAGE_LISTEN: `127.0.0.1:${port}`, ACME_TRIAGE_DATA_DIR: join(directory, 'data'), ACME_TRIAGE_PROBES: 'off',
      ...(config === undefined ? {} : { ACME_TRIAGE_CONFIG: join(directory, 'config.yaml') }), ...env
    }
  })
  const url = `http://127.0.0.1:${port}`
  const ready = await waitFor(async () => child.exitCode !== null || await fetch(`${url}/readyz`).then(({ ok }) => ok, () => false), 20_000, 10)
  if (!ready || child.exitCode !== null) throw new Error('the service did not start')
  return {
    url,
    pid: child.pid!,
    bootMs: performance.now() - began,
    async stop () {
      const ended = new Promise(resolve => { child.once('exit', resolve) })
      child.kill('SIGTERM')
      const late = setTimeout(() => { child.kill('SIGKILL') }, 12_000)
      await ended
      clearTimeout(late)
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** What the image gives the process for its memory. */
function imageSettings (): Record<string, string> {
  const text = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
  return Object.fromEntries([...text.matchAll(/\b(NODE_OPTIONS|MALLOC_ARENA_MAX)=(?:"([^"]*)"|(\S+))/g)].map(([, name = '', quoted, plain]) => [name, quoted ?? plain ?? '']))
}

async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise<void>(resolve => { server.close(() => { resolve() }) })
  return port
}
