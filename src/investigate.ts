import { buildDiagnoser, type Diagnoser } from './diagnose/run.ts'
import { collect } from './collect/run.ts'
import { correlate } from './correlate/correlate.ts'
import type { OutsideClients } from './collect/outside-clients.ts'
import type { KubernetesClient } from './shared/clients/kubernetes.ts'
import type { Config } from './shared/config/config.ts'
import type { Case } from './shared/types/case.ts'
import type { Alert, Clock } from './shared/types/common.ts'
import type { Diagnosis } from './shared/types/diagnosis.ts'
import type { Observations, RecordedState } from './shared/types/observations.ts'

/** What looks outward; either may be missing, and the result says so. */
export interface LookClients { kubernetes?: KubernetesClient, outside?: OutsideClients }

export interface Investigation { observations: Observations, case: Case, diagnosis: Diagnosis }

/** Everything from an alert to its diagnosis. Never throws for what the outside does. */
export type Investigate = (request: { alerts: Alert[], recorded?: RecordedState[], signal?: AbortSignal }) => Promise<Investigation>

/** Joins collect, correlate and diagnose. The catalogue is compiled once. */
export function buildInvestigate (config: Config, clients: LookClients, clock: Clock): Investigate {
  let diagnoser: Diagnoser | undefined
  return async ({ alerts, recorded }) => {
    const observations = await collect({ alerts, cluster: config.cluster, clusterLabel: config.clusterLabel }, clients, clock, { deadline: config.collect.deadline })
    if (recorded !== undefined && recorded.length > 0) observations.recorded.push(...recorded)
    const incident = correlate(observations)
    diagnoser ??= buildDiagnoser(undefined, config.causes)
    return { observations, case: incident, diagnosis: diagnoser.diagnose(incident) }
  }
}
