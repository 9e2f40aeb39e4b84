import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readBody } from '../accept/body.ts'
import { buildOutsideClients, inProcessProbe, type OutsideClientsOptions } from '../collect/outside.ts'
import { buildInvestigate, type Investigation, type LookClients } from '../investigate.ts'
import { openKubernetes } from '../shared/clients/kubernetes.ts'
import type { Route } from '../shared/clients/route.ts'
import type { Config } from '../shared/config/config.ts'
import { loadConfig } from '../shared/config/load.ts'
import type { Alert } from '../shared/types/common.ts'
import type { RecordedState } from '../shared/types/observations.ts'
import { readCaseDirectory, type CaseDirectory } from '../world/case-directory.ts'
import { CaseError } from '../world/case-error.ts'
import { openWorld, type World } from '../world/world.ts'

export interface ReplayResult extends Investigation { directory: CaseDirectory, alert: Alert, milliseconds: number }

/** The production clients, with their connections led into a world. */
export interface WorldClients extends LookClients { route: Route, close (): Promise<void> }

// Longer than production's: a busy machine must not change what a case says.
const replayDeadline = 20_000
// Silent resolvers stay silent in a world; where there are none, no time-out should ever strike.
const silentTimeout = 300
const patientTimeout = 2_500

/** Diagnoses one case directory with the production code, the case's clock and its world. Rejects with CaseError. */
export async function replayDirectory (path: string): Promise<ReplayResult> {
  const directory = await readCaseDirectory(path)
  const alerts = alertsOf(directory)
  const world = await openWorld(directory)
  const config = replayConfig(world)
  const clients = openWorldClients(world, config)
  const began = performance.now()
  try {
    const recorded = await recordedStates(path)
    const investigation = await buildInvestigate(config, clients, world.clock, recorded === undefined ? undefined : { read: async () => recorded })(alerts)
    return { directory, alert: alerts[0], ...investigation, milliseconds: performance.now() - began }
  } finally {
    await clients.close()
    await world.close()
  }
}

/** What the flight recorder knew when the case was saved; it has no place in the world's cluster. */
async function recordedStates (path: string): Promise<RecordedState[] | undefined> {
  const text = await readFile(join(path, 'recorded.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const states: unknown = JSON.parse(text)
    if (Array.isArray(states)) return states as RecordedState[]
  } catch { /* told below */ }
  throw new CaseError('CASE_JSON', `${path}/recorded.json`, 'must be a list of recorded states')
}

/** The alert that decides the incident: the first that fires. */
export function alertsOf (directory: CaseDirectory): [Alert] {
  const all = directory.alerts.flatMap((body) => readBody(JSON.stringify({ version: '4', ...body }), directory.now).alerts.map(({ alert }) => alert))
  const first = all.find(({ status }) => status === 'firing') ?? all[0]!
  return [first]
}

/** A configuration that knows nothing of this machine, and the world's resolvers. */
export function replayConfig (world: World): Config {
  const config = loadConfig({})
  return {
    ...config,
    kubernetes: { kubeconfig: world.kubeconfig, certificateEvents: false },
    collect: { ...config.collect, deadline: replayDeadline },
    probes: { ...config.probes, enabled: true, clusterResolvers: world.resolvers.cluster, publicResolvers: world.resolvers.public, dohResolvers: [], outside: [] }
  }
}

/** Opens what production opens; only `route`, the trusted authority and the time-outs differ. */
export function openWorldClients (world: World, config: Config): WorldClients {
  const silent = [...world.directory.dns?.resolvers.values() ?? [], ...world.directory.dns?.outside.values() ?? []].some((rows) => rows.some(({ timeout }) => timeout))
  const shared: Omit<OutsideClientsOptions, 'route'> = {
    clock: world.clock,
    trust: world.trust,
    documentationIsPublic: true,
    timeouts: { dns: silent ? silentTimeout : patientTimeout, probe: replayDeadline }
  }
  const route = world.route('cluster')
  const probes = world.outsideVantages().map((name) => inProcessProbe(name, buildOutsideClients(config.probes, { ...shared, route: world.route(name) })))
  const kubernetes = openKubernetes({ kubeconfig: world.kubeconfig }, { route, clock: world.clock })
  return {
    ...(kubernetes && { kubernetes }),
    outside: buildOutsideClients(config.probes, { ...shared, route, moreProbes: probes }),
    route,
    close: async () => { await kubernetes?.close() }
  }
}
