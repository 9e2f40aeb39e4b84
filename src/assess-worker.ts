import { enableCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { FromThread, ThreadData, ToThread } from './assess-thread.ts'
import type { RecorderStatus } from './collect/recorder.ts'
import type { Recordings } from './collect/run.ts'

// The thread of the looks (assess-thread.ts); the cache of compiled files counts for each thread.
enableCompileCache()

const [{ buildAssess }, { openClients }, { buildInvestigate, compileCatalogue }, { buildLog }] = await Promise.all([
  import('./assess.ts'), import('./clients.ts'), import('./investigate.ts'), import('./shared/log.ts')
])
const { config, secrets } = workerData as ThreadData
const port = parentPort!
const clock = { now: () => Date.now() }
const log = buildLog({ level: config.log.level, secrets })
const asked = new Map<number, (states: Awaited<ReturnType<Recordings['read']>>) => void>()
let recorder: RecorderStatus[] = []
let reads = 0

const recordings: Recordings = {
  status: () => recorder,
  read: query => new Promise(resolve => {
    const id = reads++
    asked.set(id, resolve)
    send({ is: 'read', id, query })
  })
}
const clients = await openClients(config, clock)
const investigate = buildInvestigate(config, clients, clock, recordings, await compileCatalogue(config))
const assess = buildAssess({ config, clock, log, investigate, canLookAgain: clients.kubernetes !== undefined })

port.on('message', (message: ToThread) => {
  if (message.is === 'states') {
    asked.get(message.id)?.(message.states)
    asked.delete(message.id)
    return
  }
  const { id, input } = message
  recorder = message.recorder
  assess(input).then(assessment => { send({ is: 'assessed', id, assessment }) }, (error: unknown) => { send({ is: 'failed', id, error }) })
})

function send (message: FromThread): void { port.postMessage(message) }
