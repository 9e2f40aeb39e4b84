import { createHash } from 'node:crypto'
import { healedBy, nextLook } from './accept/watch.ts'
import { placeOf } from './accept/inbox.ts'
import type { Investigate, Investigation } from './investigate.ts'
import { packObservations, unpackObservations } from './packed-observations.ts'
import { renderAnnotations } from './publish/annotations/text.ts'
import { makeFinding, type Finding, type FindingInput } from './publish/finding.ts'
import { linksOf } from './publish/story.ts'
import type { Config } from './shared/config/config.ts'
import { reasonOf } from './shared/errors.ts'
import type { Log } from './shared/log.ts'
import type { Metrics } from './shared/metrics.ts'
import type { Incident, LookResult } from './shared/store/incidents.ts'
import type { Job } from './shared/store/jobs.ts'
import type { Store } from './shared/store/store.ts'
import type { Case } from './shared/types/case.ts'
import type { Alert, Clock, Millis } from './shared/types/common.ts'
import type { Diagnosis } from './shared/types/diagnosis.ts'
import type { EarlierDiagnosis, Observations } from './shared/types/observations.ts'

export interface LookOptions {
  config: Config
  store: Store
  clock: Clock
  metrics: Metrics
  log: Log
  investigate: Investigate
  /** Makes the case again from observations that were saved. */
  recall (observations: Observations): Promise<Case>
  /** A cluster is there, so that another look may see something new. */
  canLookAgain: boolean
  /** Something was saved that deliveries should tell. */
  onSaved (): void
}

export interface Looker {
  handle (job: Job, signal: AbortSignal): Promise<void>
}

/** Annotations are kept on an alert so long after the last look. */
const annotationsFor: Millis = 24 * 3_600_000

/** One look at an incident: investigate, put into words, save in one commit with the end of the job. */
export function buildLooker (options: LookOptions): Looker {
  const { config, store, clock, metrics, log, investigate, recall, canLookAgain, onSaved } = options

  async function handle (job: Job): Promise<void> {
    const incident = await store.incidents.get(job.incident_id)
    if (incident === undefined) return store.jobs.finish(job)
    const alerts = await store.incidents.alerts(incident.id)
    const alert = leading(alerts)
    if (alert === undefined) return store.jobs.finish(job)
    const result = incident.state === 'open' ? await look(incident, alerts, alert) : await close(incident, alerts, alert)
    if (result === undefined) return store.jobs.finish(job)
    const saved = await store.incidents.saveLook(job, result)
    if (!saved.kept) return
    if (saved.mergedInto !== undefined) log.info({ incident: incident.id, into: saved.mergedInto }, 'incidents merged')
    onSaved()
  }

  async function look (incident: Incident, alerts: Alert[], alert: Alert): Promise<LookResult> {
    const began = clock.now()
    const before = parse<Finding>(incident.finding)
    const investigation = await investigate(order(alerts, alert), await earlierLooks(incident.id))
    const { observations, case: seen, diagnosis } = investigation
    const milliseconds = clock.now() - began
    const healed = healedBy(seen)
    const names = namesOf(seen, incident)
    const named = { ...incident, ...names }
    const state = healed === undefined ? 'diagnosed' : 'healed'
    const finding = await find(named, alerts, alert, { state, seen, diagnosis, fixedBy: healed, closed: healed === undefined ? undefined : clock.now(), milliseconds: before?.timings.diagnosis ?? clock.now() - incident.opened_at })
    const [top] = diagnosis.causes
    tell(investigation, milliseconds, incident, alert)
    return {
      incident: incident.id,
      ...(names.certificate === '' ? {} : { place: { key: keyOf(named, alert), namespace: names.namespace, certificate: names.certificate, order: names.order_name } }),
      takenAt: began,
      milliseconds,
      orderUid: seen.subject.order?.uid ?? '',
      orderName: names.order_name,
      cause: top?.id ?? 'unknown',
      confidence: top?.confidence ?? '',
      headline: finding.headline,
      diagnosis: JSON.stringify(diagnosis),
      finding: JSON.stringify(finding),
      observations: await packObservations(observations),
      changed: before === undefined || visible(before) !== visible(finding),
      ...(healed === undefined ? {} : { healed: { why: healed } }),
      ...(canLookAgain ? { next: nextLook({ now: clock.now(), opened: incident.opened_at, nextTry: seen.next.at }) } : {}),
      deliveries: [{ kind: 'slack-thread', uniqueKey: `slack-thread:${incident.id}` }],
      annotations: renderAnnotations(finding),
      annotationsUntil: clock.now() + annotationsFor
    }
  }

  /** The words for an incident that has closed; what it was about comes from the last look that was saved. */
  async function close (incident: Incident, alerts: Alert[], alert: Alert): Promise<LookResult | undefined> {
    const before = parse<Finding>(incident.finding)
    if (before?.closed !== undefined) return undefined
    const seen = await lastCase(incident.id)
    const fixedBy = incident.state === 'resolved' ? await whatFixed(incident, alerts, alert) : incident.closed_why
    const finding = await find(incident, alerts, alert, {
      state: incident.state === 'healed' ? 'healed' : 'resolved', seen, diagnosis: parse<Diagnosis>(incident.diagnosis),
      fixedBy, closed: incident.closed_at ?? clock.now(), milliseconds: before?.timings.diagnosis
    })
    return {
      incident: incident.id, takenAt: clock.now(), milliseconds: 0, orderUid: '', orderName: incident.order_name, cause: incident.cause, confidence: incident.confidence,
      headline: finding.headline, finding: JSON.stringify(finding), changed: true, deliveries: []
    }
  }

  async function whatFixed (incident: Incident, alerts: Alert[], alert: Alert): Promise<string | undefined> {
    if (!canLookAgain || incident.certificate === '' || incident.finding === null) return undefined
    try {
      return healedBy((await investigate(order(alerts, alert))).case)
    } catch (error) {
      log.warn({ incident: incident.id, err: error }, 'what fixed it cannot be seen')
      return undefined
    }
  }

  /** What we said of each attempt when we looked at it last; the oldest first. */
  async function earlierLooks (id: string): Promise<EarlierDiagnosis[]> {
    const looks = (await store.incidents.looks(id)).toReversed().map(({ taken_at: at, order_uid: orderUid, order_name: name, cause, confidence }) => ({ at, orderUid, order: name, cause, confidence }))
    return [...new Map(looks.map(look => [look.orderUid, look])).values()]
  }

  async function lastCase (id: string): Promise<Case | undefined> {
    const packed = await store.incidents.latestObservations(id)
    if (packed === undefined) return undefined
    try {
      return await recall(await unpackObservations(packed))
    } catch (error) {
      // Written by another version, or damaged: the finding does without.
      log.warn({ incident: id, reason: reasonOf(error) }, 'saved observations cannot be read')
      return undefined
    }
  }

  async function find (incident: Incident, alerts: Alert[], alert: Alert, state: { state: FindingInput['incident']['state'], seen?: Case, diagnosis?: Diagnosis, fixedBy?: string, closed?: Millis, milliseconds?: Millis }): Promise<Finding> {
    const { id, namespace, certificate, order_name: order, cluster, opened_at: opened, truncated } = incident
    return makeFinding({
      incident: {
        id, state: state.state, namespace, certificate, order, opened,
        ...(cluster === '' ? {} : { cluster }),
        ...(state.closed === undefined ? {} : { closed: state.closed }),
        ...(state.fixedBy === undefined || state.fixedBy === '' ? {} : { fixedBy: state.fixedBy }),
        alerts: alerts.length,
        ...(truncated > 0 ? { truncatedAlerts: truncated } : {})
      },
      alert,
      ...(state.seen === undefined ? {} : { case: state.seen }),
      ...(state.diagnosis === undefined ? {} : { diagnosis: state.diagnosis }),
      links: links(incident, alert, state.diagnosis, await store.incidents.senderUrl(id)),
      timings: state.milliseconds === undefined ? {} : { diagnosis: state.milliseconds }
    })
  }

  function links (incident: Incident, { labels, annotations }: Alert, diagnosis: Diagnosis | undefined, sender = ''): FindingInput['links'] {
    return {
      ...linksOf(config, { incident: incident.id, labels, annotations, sender, cause: diagnosis?.causes[0]?.id }),
      ...(incident.previous_id === null ? {} : { previous: `${config.publicUrl}/incidents/${incident.previous_id}` })
    }
  }

  /** The key that every alert of this Certificate meets under, whatever its labels were. */
  function keyOf ({ namespace, certificate }: { namespace: string, certificate: string }, alert: Alert): string {
    const labels = { namespace, certificate, ...(alert.labels[config.clusterLabel] === undefined ? {} : { [config.clusterLabel]: alert.labels[config.clusterLabel]! }) }
    return placeOf(labels, {}, config).place?.key ?? ''
  }

  function tell ({ case: seen, diagnosis }: Investigation, milliseconds: Millis, incident: Incident, alert: Alert): void {
    const [top] = diagnosis.causes
    const seconds = milliseconds / 1_000
    metrics.diagnosisSeconds.observe(seconds)
    for (const { source, is, ms } of seen.looks) {
      const known = lookSources.has(source) ? source : 'other'
      metrics.looks.inc({ source: known, outcome: is })
      metrics.lookSeconds.observe({ source: known }, ms / 1_000)
    }
    if (top?.id !== incident.cause || incident.looks === 0) metrics.causes.inc({ cause: top?.id ?? 'unknown', confidence: top?.confidence ?? 'none' })
    log.info({
      incident: incident.id, alertname: alert.labels.alertname, namespace: incident.namespace, cause: top?.id ?? 'unknown', confidence: top?.confidence, seconds,
      looks: seen.looks.length, unavailable: diagnosis.unavailable.length
    }, 'incident diagnosed')
  }

  return { handle }
}

const lookSources = new Set(['alert', 'certificate', 'request', 'order', 'challenge', 'issuer', 'event', 'log', 'object', 'change', 'dns', 'http', 'tls', 'acme', 'kubernetes', 'probe'])

/** The alert that speaks for the incident: the oldest that fires, else the last that did. */
function leading (alerts: Alert[]): Alert | undefined {
  return alerts.find(({ status }) => status === 'firing') ?? alerts.at(-1)
}

const order = (alerts: Alert[], first: Alert): [Alert, ...Alert[]] => [first, ...alerts.filter(alert => alert !== first)]

function namesOf (seen: Case, incident: Incident): { namespace: string, certificate: string, order_name: string } {
  const { subject } = seen
  return {
    namespace: subject.namespace ?? incident.namespace,
    certificate: subject.certificate?.name ?? incident.certificate,
    order_name: subject.order?.name ?? incident.order_name
  }
}

/** What a reader would notice: a change of it is worth an edit, a minute that passed is not. */
function visible ({ incident, headline, causes, doThis, steps, attempts, next, looks }: Finding): string {
  const parts = [
    incident.state, headline, causes.map(({ id, variant, confidence, domains, evidence }) => [id, variant, confidence, domains, evidence.length]), doThis?.text,
    steps.map(step => Object.values(step).filter(value => typeof value === 'string')), attempts.length, next?.at, looks.total - looks.answered
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}


const parse = <T>(text: string | null): T | undefined => text === null ? undefined : JSON.parse(text) as T
