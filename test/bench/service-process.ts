import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from '../../src/app.ts'
import { openWorldClients, replayConfig } from '../../src/cli/replay-case.ts'
import { shareLooks } from '../../src/shared/clients/kubernetes-share.ts'
import { buildLog } from '../../src/shared/log.ts'
import { openWorld } from '../../src/world/world.ts'
import { aBigCluster, type BigCluster } from './big-cluster.ts'

/** The whole service with the world that it looks at, as the demo joins them: DNS, web and cluster answer at once. */
const { size, slack } = JSON.parse(process.argv[2]!) as { size: BigCluster, slack: string }
const { directory, remove } = await aBigCluster(size)
const world = await openWorld(directory, { ticking: true })
const dataDir = await mkdtemp(join(tmpdir(), 'acme-triage-bench-'))
const plain = replayConfig(world)
const port = await freePort()
const config = {
  ...plain, dataDir, listen: { host: '127.0.0.1', port }, publicUrl: `http://127.0.0.1:${port}`, collect: { ...plain.collect, deadline: 5_000 },
  // One message each: what is measured is the way of one alert, not of a storm.
  slack: { ...plain.slack, token: 'xoxb-bench', channel: 'certificates', apiUrl: slack, storm: { ...plain.slack.storm, threshold: 0 } }
}
const clients = openWorldClients(world, config)
const kubernetes = clients.kubernetes && shareLooks(clients.kubernetes, world.clock)
const app = await buildApp(config, { clients: { kubernetes, outside: clients.outside }, clock: world.clock, log: buildLog({ level: 'error', destination: process.stderr }) })
const url = await app.listen()

// Time that passes between two alerts, for everything that paces itself.
process.on('message', ({ advance }: { advance: number }) => {
  world.clock.advance(advance)
  process.send!({ now: world.clock.now() })
})
process.once('SIGTERM', () => {
  void (async () => {
    await app.close()
    await clients.close()
    await Promise.all([world.close(), remove(), rm(dataDir, { recursive: true, force: true })])
    process.exit(0)
  })()
})
process.send!({ url, now: world.clock.now() })

async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port: free } = server.address() as AddressInfo
  await new Promise<void>(resolve => { server.close(() => { resolve() }) })
  return free
}
