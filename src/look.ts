import type { Assess, AssessInput, Assessment } from './assess.ts'
import type { Log } from './shared/log.ts'
import type { Metrics } from './shared/metrics.ts'
import type { Incident } from './shared/store/incidents.ts'
import type { Job } from './shared/store/jobs.ts'
import type { Store } from './shared/store/store.ts'
import type { Alert } from './shared/types/common.ts'
import type { EarlierDiagnosis } from './shared/types/observations.ts'

export interface LookOptions {
  store: Store
  metrics: Metrics
  log: Log
  assess: Assess
  /** Something was saved that deliveries should tell. */
  onSaved (): void
}

export interface Looker {
  handle (job: Job, signal: AbortSignal): Promise<void>
}

/** One look at an incident: read what is known, assess, save in one commit with the end of the job. */
export function buildLooker ({ store, metrics, log, assess, onSaved }: LookOptions): Looker {
  async function handle (job: Job): Promise<void> {
    const incident = await store.incidents.get(job.incident_id)
    const alerts = incident === undefined ? [] : leadingFirst(await store.incidents.alerts(incident.id))
    if (incident === undefined || alerts.length === 0) return store.jobs.finish(job)
    const assessment = await assess(await inputOf(incident, alerts as AssessInput['alerts']))
    if (assessment === undefined) return store.jobs.finish(job)
    if (incident.state === 'open') tell(assessment, incident, alerts[0]!)
    const saved = await store.incidents.saveLook(job, assessment.result)
    if (!saved.kept) return
    if (saved.mergedInto !== undefined) log.info({ incident: incident.id, into: saved.mergedInto }, 'incidents merged')
    onSaved()
  }

  async function inputOf (incident: Incident, alerts: AssessInput['alerts']): Promise<AssessInput> {
    const { id } = incident
    const sender = await store.incidents.senderUrl(id)
    return incident.state === 'open'
      ? { incident, alerts, sender, earlier: await earlierLooks(id) }
      : { incident, alerts, sender, earlier: [], lastObservations: await store.incidents.latestObservations(id) }
  }

  async function earlierLooks (id: string): Promise<EarlierDiagnosis[]> {
    const looks = (await store.incidents.looks(id)).toReversed().map(({ taken_at: at, order_uid: orderUid, order_name: name, cause, confidence }) => ({ at, orderUid, order: name, cause, confidence }))
    return [...new Map(looks.map(look => [look.orderUid, look])).values()]
  }

  function tell ({ result: { cause, confidence, milliseconds }, looks, unavailable }: Assessment, incident: Incident, alert: Alert): void {
    const seconds = milliseconds / 1_000
    metrics.diagnosisSeconds.observe(seconds)
    for (const { source, is, ms } of looks) {
      const known = lookSources.has(source) ? source : 'other'
      metrics.looks.inc({ source: known, outcome: is })
      metrics.lookSeconds.observe({ source: known }, ms / 1_000)
    }
    if (cause !== incident.cause || incident.looks === 0) metrics.causes.inc({ cause, confidence: confidence === '' ? 'none' : confidence })
    log.info({
      incident: incident.id, alertname: alert.labels.alertname, namespace: incident.namespace, cause, confidence: confidence === '' ? undefined : confidence, seconds,
      looks: looks.length, unavailable
    }, 'incident diagnosed')
  }

  return { handle }
}

const lookSources = new Set(['alert', 'certificate', 'request', 'order', 'challenge', 'issuer', 'event', 'log', 'object', 'change', 'dns', 'http', 'tls', 'acme', 'kubernetes', 'probe'])

/** The alert that speaks for the incident in front: the oldest that fires, else the last that did. */
function leadingFirst (alerts: Alert[]): Alert[] {
  const first = alerts.find(({ status }) => status === 'firing') ?? alerts.at(-1)
  return first === undefined ? [] : [first, ...alerts.filter(alert => alert !== first)]
}
