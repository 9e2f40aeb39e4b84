import { createHash } from 'node:crypto'
import { placeOf } from './accept/subject.ts'
import { healedBy, nextLook } from './accept/watch.ts'
import { correlate } from './correlate/correlate.ts'
import type { Investigate } from './investigate.ts'
import { packObservations, unpackObservations } from './packed-observations.ts'
import { renderAnnotations } from './publish/annotations/text.ts'
import { makeFinding, type Finding, type FindingInput } from './publish/finding.ts'
import { linksOf } from './publish/story.ts'
import type { Config } from './shared/config/config.ts'
import { reasonOf } from './shared/errors.ts'
import type { Log } from './shared/log.ts'
import type { Incident, LookResult } from './shared/store/incidents.ts'
import type { Case } from './shared/types/case.ts'
import type { Alert, Clock, Millis } from './shared/types/common.ts'
import type { Diagnosis } from './shared/types/diagnosis.ts'
import type { EarlierDiagnosis, LookReport } from './shared/types/observations.ts'

/** What the store has of an incident before a look. Plain data, since it may go to another thread. */
export interface AssessInput {
  incident: Incident
  /** The one that speaks for the incident first. */
  alerts: [Alert, ...Alert[]]
  /** What we said of each attempt when we looked at it last; the oldest first. */
  earlier: EarlierDiagnosis[]
  /** The Alertmanager that sent the newest alert. */
  sender?: string
  /** What the last look saw (gzip), for an incident that has closed. */
  lastObservations?: Uint8Array
}

/** What is to be saved, and what was looked at; plain data like the input. */
export interface Assessment { result: LookResult, looks: LookReport[], unavailable: number }

/** One look at an incident, put into words. Undefined when there is nothing new to say. */
export type Assess = (input: AssessInput) => Promise<Assessment | undefined>

export interface AssessOptions {
  config: Config
  clock: Clock
  log: Log
  investigate: Investigate
  /** A cluster is there, so that another look may see something new. */
  canLookAgain: boolean
}

/** All of a look that needs no store: investigate, put into words. */
export function buildAssess ({ config, clock, log, investigate, canLookAgain }: AssessOptions): Assess {
  return input => input.incident.state === 'open' ? look(input) : close(input)

  async function look (input: AssessInput): Promise<Assessment> {
    const { incident, alerts, earlier } = input
    const [alert] = alerts
    const began = clock.now()
    const before = parse<Finding>(incident.finding)
    const { observations, case: seen, diagnosis } = await investigate(alerts, earlier)
    const milliseconds = clock.now() - began
    const healed = healedBy(seen)
    const names = namesOf(seen, incident)
    const named = { ...incident, ...names }
    const finding = find({ ...input, incident: named }, {
      state: healed === undefined ? 'diagnosed' : 'healed', seen, diagnosis, fixedBy: healed,
      closed: healed === undefined ? undefined : clock.now(), milliseconds: before?.timings.diagnosis ?? clock.now() - incident.opened_at
    })
    const [top] = diagnosis.causes
    // By our own clock, which is what wakes us.
    const nextTry = seen.next.at === undefined ? undefined : seen.next.at + (seen.clockAhead ?? 0)
    return {
      looks: seen.looks,
      unavailable: diagnosis.unavailable.length,
      result: {
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
        ...(canLookAgain ? { next: nextLook({ now: clock.now(), opened: incident.opened_at, nextTry }) } : {}),
        deliveries: [{ kind: 'slack-thread', uniqueKey: `slack-thread:${incident.id}` }],
        annotations: renderAnnotations(finding)
      }
    }
  }

  /** The words for an incident that has closed; what it was about comes from the last look that was saved. */
  async function close (input: AssessInput): Promise<Assessment | undefined> {
    const { incident } = input
    const before = parse<Finding>(incident.finding)
    if (before?.closed !== undefined) return undefined
    const finding = find(input, {
      state: incident.state === 'healed' ? 'healed' : 'resolved', seen: await lastCase(input), diagnosis: parse<Diagnosis>(incident.diagnosis),
      fixedBy: incident.state === 'resolved' ? await whatFixed(input) : incident.closed_why, closed: incident.closed_at ?? clock.now(), milliseconds: before?.timings.diagnosis
    })
    return {
      looks: [],
      unavailable: 0,
      result: {
        incident: incident.id, takenAt: clock.now(), milliseconds: 0, orderUid: '', orderName: incident.order_name, cause: incident.cause, confidence: incident.confidence,
        headline: finding.headline, finding: JSON.stringify(finding), changed: true, deliveries: []
      }
    }
  }

  async function whatFixed ({ incident, alerts }: AssessInput): Promise<string | undefined> {
    if (!canLookAgain || incident.certificate === '' || incident.finding === null) return undefined
    try {
      return healedBy((await investigate(alerts)).case)
    } catch (error) {
      log.warn({ incident: incident.id, err: error }, 'what fixed it cannot be seen')
      return undefined
    }
  }

  async function lastCase ({ incident, lastObservations }: AssessInput): Promise<Case | undefined> {
    if (lastObservations === undefined) return undefined
    try {
      return correlate(await unpackObservations(lastObservations))
    } catch (error) {
      // Written by another version, or damaged: the finding does without.
      log.warn({ incident: incident.id, reason: reasonOf(error) }, 'saved observations cannot be read')
      return undefined
    }
  }

  function find ({ incident, alerts, sender }: AssessInput, { state, seen, diagnosis, fixedBy, closed, milliseconds }: { state: FindingInput['incident']['state'], seen?: Case, diagnosis?: Diagnosis, fixedBy?: string, closed?: Millis, milliseconds?: Millis }): Finding {
    const [alert] = alerts
    const { id, namespace, certificate, order_name: order, cluster, opened_at: opened, truncated } = incident
    return makeFinding({
      incident: {
        id, state, namespace, certificate, order, opened,
        ...(cluster === '' ? {} : { cluster }),
        ...(closed === undefined ? {} : { closed }),
        ...(fixedBy === undefined || fixedBy === '' ? {} : { fixedBy }),
        alerts: alerts.length,
        ...(truncated > 0 ? { truncatedAlerts: truncated } : {})
      },
      alert,
      ...(seen === undefined ? {} : { case: seen }),
      ...(diagnosis === undefined ? {} : { diagnosis }),
      links: {
        ...linksOf(config, { incident: id, labels: alert.labels, annotations: alert.annotations, sender: sender ?? '', cause: diagnosis?.causes[0]?.id }),
        ...(incident.previous_id === null ? {} : { previous: `${config.publicUrl}/incidents/${incident.previous_id}` })
      },
      timings: milliseconds === undefined ? {} : { diagnosis: milliseconds }
    })
  }

  /** The key that every alert of this Certificate meets under, whatever its labels were. */
  function keyOf ({ namespace, certificate }: { namespace: string, certificate: string }, alert: Alert): string {
    const labels = { namespace, certificate, ...(alert.labels[config.clusterLabel] === undefined ? {} : { [config.clusterLabel]: alert.labels[config.clusterLabel]! }) }
    return placeOf(labels, {}, config).place?.key ?? ''
  }
}

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
