import { openWorld } from '../../src/world/world.ts'
import { aBigCluster, type BigCluster } from './big-cluster.ts'

/** A big cluster's API and internet in a process of their own, so that what they cost is not ours. Counts what is asked. */
const { remove, directory } = await aBigCluster(JSON.parse(process.argv[2]!) as BigCluster)
const world = await openWorld(directory, { ticking: true })
const kubeconfig = await world.kubeconfigFile()

process.on('message', () => {
  process.send!({ kubernetes: world.requests.filter(({ to }) => to === 'kubernetes').length, outside: world.requests.filter(({ to }) => to !== 'kubernetes').length })
  world.requests.length = 0
})
process.once('SIGTERM', () => {
  void Promise.all([world.close(), remove()]).finally(() => { process.exit(0) })
})
process.send!({ kubeconfig, now: directory.now })
