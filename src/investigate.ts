import { subjectHints } from './accept/subject.ts'
import type { OutsideClients } from './collect/outside-clients.ts'
import { collect, type Recordings } from './collect/run.ts'
import { correlate } from './correlate/correlate.ts'
import type { Cause } from './diagnose/cause.ts'
import { causes as catalogue } from './diagnose/index.ts'
import { loadLocalCauses } from './diagnose/local-causes.ts'
import { policyFaults } from './diagnose/policy.ts'
import { buildDiagnoser, diagnose, type Diagnoser } from './diagnose/run.ts'
import type { KubernetesClient } from './shared/clients/kubernetes.ts'
import type { Config } from './shared/config/config.ts'
import { TriageError } from './shared/errors.ts'
import type { Case } from './shared/types/case.ts'
import type { Alert, Clock } from './shared/types/common.ts'
import type { Diagnosis } from './shared/types/diagnosis.ts'
import type { EarlierDiagnosis, Observations } from './shared/types/observations.ts'

/** What looks outward; either may be missing, and the result says so. */
export interface LookClients { kubernetes?: KubernetesClient, outside?: OutsideClients }

export interface Investigation { observations: Observations, case: Case, diagnosis: Diagnosis }

/** Everything from the alerts of one incident, the leading one first, to its diagnosis. Never throws for what the outside does. */
export type Investigate = (alerts: [Alert, ...Alert[]], earlier?: EarlierDiagnosis[]) => Promise<Investigation>

/** Joins collect, correlate and diagnose. Without a `diagnoser` the catalogue is compiled at the first call. */
export function buildInvestigate (config: Config, clients: LookClients, clock: Clock, recorder?: Recordings, diagnoser?: Diagnoser): Investigate {
  return async (alerts, earlier) => {
    const [{ labels, annotations }] = alerts
    const { hints, domains, lint } = subjectHints(labels, annotations, { clusterLabel: config.clusterLabel, cluster: config.cluster })
    const { deadline, logBytes, ingressLogs } = config.collect
    const observations = await collect({ alerts, hints, domains, lint }, clients, clock, { deadline, logBytes, ingressLogs, certManagerNamespace: config.kubernetes.certManagerNamespace, recorder, earlier })
    const incident = correlate(observations)
    diagnoser ??= await diagnoserOf(config)
    return { observations, case: incident, diagnosis: diagnoser.diagnose(incident) }
  }
}

/** The catalogue compiled, with the site's own modules. One that is at fault is left out; `causes test DIR` says why. */
export async function compileCatalogue (config: Config): Promise<Diagnoser> {
  return buildDiagnoser(await withLocalCauses(config), config.causes)
}

/** Refuses a policy for causes or thresholds that do not exist: a typing error must not switch anything off in silence. */
export async function checkPolicy (config: Config): Promise<void> {
  const [fault] = policyFaults(config.causes, await withLocalCauses(config))
  if (fault !== undefined) throw new TriageError('CONFIG_INVALID', { where: fault.path, why: fault.why, fix: 'acme-triage causes lists the catalogue with its thresholds.' })
}

async function withLocalCauses ({ causesDirectory }: Config): Promise<readonly Cause[]> {
  return causesDirectory === undefined ? catalogue : [...catalogue, ...(await loadLocalCauses(causesDirectory, catalogue)).causes]
}

async function diagnoserOf (config: Config): Promise<Diagnoser> {
  // Without a policy one compiled catalogue serves the whole process: replay makes hundreds of these.
  return config.causesDirectory === undefined && Object.keys(config.causes).length === 0 ? { diagnose } : compileCatalogue(config)
}
